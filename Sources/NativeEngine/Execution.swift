// Execution: a program made ready for one raster size: its row buffers and the order in which rows are made.

import CKernels
import SuperResolution
import Synchronization

/// The rows of one tensor that are still needed, each in whatever memory was free when it was made.
struct Plane<Element> {
    /// By row: its column 0. Only rows that are still needed hold the tensor's values.
    let rows: UnsafeMutablePointer<UnsafeMutableRawPointer>
    let pixelBytes: Int

    /// Row `y` at column 0.
    func row(_ y: Int) -> UnsafeMutablePointer<Element> { rows[y].assumingMemoryBound(to: Element.self) }

    var untyped: Plane<UInt8> { Plane<UInt8>(rows: rows, pixelBytes: pixelBytes) }
}

/// Where the rows that a network makes go, pixels interleaved.
enum Output {
    /// All of them, as they are.
    case raster(UnsafeMutablePointer<Float>)
    /// A part of them, rounded.
    case samples(RoundedSamples)
}

/// A part of a network's result in 8 or 16 bits.
final class RoundedSamples: Sendable {
    private let kept: Region
    private let channels: Int
    private let depth: PixelBuffer.Depth
    private let instructionSet: NativeEngine.InstructionSet
    /// Threads write rows or parts of rows of their own.
    private nonisolated(unsafe) let samples: UnsafeMutableRawPointer
    private let hasFault = Atomic(false)

    /// - Parameters:
    ///   - kept: which part.
    ///   - samples: room for its samples.
    init(_ samples: UnsafeMutableRawPointer, of kept: Region, channels: Int, depth: PixelBuffer.Depth, instructionSet: NativeEngine.InstructionSet) {
        (self.samples, self.kept, self.channels, self.depth, self.instructionSet) = (samples, kept, channels, depth, instructionSet)
    }

    /// Whether all that was kept was finite.
    var isFinite: Bool { !hasFault.load(ordering: .relaxed) }

    /// Takes pixels of a row of the result, from a column on.
    func store(_ pixels: UnsafePointer<Float>, row: Int, columns: Range<Int>) {
        let wanted = columns.clamped(to: kept.x..<kept.x + kept.width), y = row - kept.y
        guard !wanted.isEmpty, (0..<kept.height).contains(y) else { return }
        let from = pixels + (wanted.lowerBound - columns.lowerBound) * channels, count = wanted.count * channels
        let place = (y * kept.width + wanted.lowerBound - kept.x) * channels, isa = instructionSet.kernels
        let isFinite = switch depth {
        case .eight: acuity_quantise_8(isa, from, samples.assumingMemoryBound(to: UInt8.self) + place, count)
        case .sixteen: acuity_quantise_16(isa, from, samples.assumingMemoryBound(to: UInt16.self) + place, count)
        }
        if !isFinite { hasFault.store(true, ordering: .relaxed) }
    }
}

/// Handed on from one run to the next, never used by two at a time.
final class Execution: @unchecked Sendable {
    /// Rows `first ..< first + count` of one stage, made by all threads before the next phase begins.
    struct Phase {
        let stage: Int
        let first: Int
        let count: Int
        /// How the stage shares out the rows among the threads: equal ranges of pieces.
        let pieces: Int
        /// What one piece takes: columns of one row, or tiles.
        let extent: Int
        let work: Double
    }

    /// A convolution may write this many columns before its first again (its widest tile).
    static let overlap = 24
    /// Pixels of a thread's scratch memory.
    static let scratchPixels = 120

    let program: Program
    let width: Int
    let height: Int
    /// By slot; `nil` where the program does not need the format.
    let floats: [Plane<Float>?]
    let halves: [Plane<UInt16>?]
    /// A row of zeros for convolutions that look over the edge.
    let zeros: UnsafeRawPointer
    /// By thread.
    let scratch: [UnsafeMutablePointer<Float>]
    var threads: Int { scratch.count }
    let rowPointers: [UnsafeMutablePointer<UnsafeRawPointer?>]
    /// Phases strip by strip.
    let strips: [[Phase]]
    let totalWork: Double
    let bytes: Int
    /// The raster of the current run, interleaved, and what is made of it.
    var input: UnsafePointer<Float>
    var output: Output
    private var allocations: [UnsafeMutableRawPointer] = []

    /// - Parameter stripRows: rows of the input taken at a time, `nil` for what suits the caches.
    init(_ program: Program, width: Int, height: Int, threads: Int, stripRows: Int?) {
        self.program = program
        self.width = width
        self.height = height
        let schedule = Schedule(program, width: width, height: height, threads: threads, stripRows: stripRows)
        strips = schedule.strips
        totalWork = strips.joined().reduce(0) { $0 + $1.work }

        var allocations: [UnsafeMutableRawPointer] = []
        var total = 0
        func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
            // 64 bytes more: tiles of the matrix unit are read to their end, whatever a row holds.
            let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes + 64, alignment: 64)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes + 64)
            allocations.append(memory)
            total += bytes
            return memory
        }
        func rowBytes(_ slot: Program.Slot, _ element: Int) -> Int {
            ((slot.width(width) + 2 * slot.margin) * slot.paddedChannels * element + 63) / 64 * 64
        }
        // Rows of one layout share their memory.
        var shared: [Program.Slot.Layout: (floats: UnsafeMutableRawPointer, halves: UnsafeMutableRawPointer)] = [:]
        for slot in program.slots where shared[slot.layout] == nil {
            let rows = schedule.rows[slot.layout] ?? 1
            shared[slot.layout] = (
                allocate(slot.needsFloats ? rows * rowBytes(slot, 4) : 0), allocate(slot.needsHalves ? rows * rowBytes(slot, 2) : 0)
            )
        }
        func plane<T>(_ index: Int, _ memory: UnsafeMutableRawPointer, _ type: T.Type) -> Plane<T> {
            let slot = program.slots[index], places = schedule.places[index]
            let pixel = slot.paddedChannels * MemoryLayout<T>.stride, row = rowBytes(slot, MemoryLayout<T>.stride)
            let rows = allocate(places.count * MemoryLayout<UnsafeMutableRawPointer>.stride)
                .bindMemory(to: UnsafeMutableRawPointer.self, capacity: places.count)
            for (y, place) in places.enumerated() { rows[y] = memory + Int(place) * row + slot.margin * pixel }
            return Plane(rows: rows, pixelBytes: pixel)
        }
        floats = program.slots.indices.map { i in
            program.slots[i].needsFloats ? shared[program.slots[i].layout].map { plane(i, $0.floats, Float.self) } : nil
        }
        halves = program.slots.indices.map { i in
            program.slots[i].needsHalves ? shared[program.slots[i].layout].map { plane(i, $0.halves, UInt16.self) } : nil
        }
        let longest = program.slots.map { rowBytes($0, $0.needsFloats ? 4 : 2) }.max() ?? 0
        zeros = UnsafeRawPointer(allocate(longest))
        let convolutions = program.stages.compactMap { $0 as? ConvolutionStage }
        let winograds = program.stages.compactMap { $0 as? WinogradStage }
        let scratchBytes = max(
            (convolutions.map(\.paddedOutputs).max() ?? 16) * (Self.scratchPixels + Self.overlap) * 4, winograds.map(\.scratchBytes).max() ?? 0)
        scratch = (0..<threads).map { _ in allocate(scratchBytes).assumingMemoryBound(to: Float.self) }
        let pointers = max(convolutions.map { $0.sources.count * $0.height }.max() ?? 1, winograds.map(\.pointerCount).max() ?? 1)
        rowPointers = (0..<threads).map { _ in
            allocate(pointers * MemoryLayout<UnsafeRawPointer?>.stride + 64).assumingMemoryBound(to: UnsafeRawPointer?.self)
        }
        bytes = total
        self.allocations = allocations
        input = UnsafePointer(zeros.assumingMemoryBound(to: Float.self))
        output = .raster(scratch[0])
    }

    deinit { for allocation in allocations { allocation.deallocate() } }

    func stride(_ slot: Int) -> Int { program.slots[slot].paddedChannels }
    func width(_ slot: Int) -> Int { program.slots[slot].width(width) }
    func height(_ slot: Int) -> Int { program.slots[slot].height(height) }
    func rows(_ stage: Stage) -> Int { stage.rows(height) }
    func columns(_ stage: Stage) -> Int { stage.columns(width) }

    /// Fills the columns beyond the edges that a stretch of a row touches. Zeros are there from the beginning.
    func pad(_ slot: Int, _ row: Int, _ columns: Range<Int>) {
        let s = program.slots[slot]
        guard s.margin > 0, s.padding == .replicate else { return }
        if let floats = floats[slot] { pad(floats.row(row), s, columns) }
        if let halves = halves[slot] { pad(halves.row(row), s, columns) }
    }

    private func pad<T>(_ row: UnsafeMutablePointer<T>, _ slot: Program.Slot, _ columns: Range<Int>) {
        let stride = slot.paddedChannels, width = slot.width(width)
        for i in 1...slot.margin {
            if columns.lowerBound == 0 { (row - i * stride).update(from: row, count: stride) }
            if columns.upperBound == width { (row + (width - 1 + i) * stride).update(from: row + (width - 1) * stride, count: stride) }
        }
    }

    /// One thread's share of a run. All threads of the pool must call it.
    /// - Parameters:
    ///   - stop: asked before every piece of work; once true, always true.
    ///   - progress: called by thread 0 with the finished fraction.
    /// - Returns: whether the run was finished.
    func work(on pool: ThreadPool, thread: Int, stop: () -> Bool, progress: (Double) -> Void) -> Bool {
        var done = 0.0
        for strip in strips {
            if thread == 0 {
                stopped = stop()
                progress(done / totalWork)
            }
            pool.barrier()
            if stopped { return false }
            for phase in strip {
                let stage = program.stages[phase.stage]
                // Its own share first, then what the others have left.
                for offset in 0..<threads {
                    let owner = (thread + offset) % threads
                    let share = phase.pieces * owner / threads..<phase.pieces * (owner + 1) / threads
                    while true {
                        let piece = share.lowerBound + pool.next(of: owner)
                        if piece >= share.upperBound { break }
                        if stop() { continue }  // The strip goes by without work; its end ends the run.
                        stage.run(self, phase: phase, piece: piece, thread: thread)
                    }
                }
                done += phase.work
                pool.barrier()
            }
        }
        if stop() { return false }
        if thread == 0 { progress(1) }
        return true
    }

    private var stopped = false
}

/// In which order rows are made, and which memory each takes.
struct Schedule {
    var strips: [[Execution.Phase]] = []
    /// By slot and row: its place among the rows of its layout. A row that nothing reads any more leaves its place to the
    /// next that is made, so that a deep network's values stay in the caches.
    var places: [[Int32]]
    /// How many rows of each layout there are at most at a time.
    var rows: [Program.Slot.Layout: Int] = [:]

    /// Plays the whole run: each strip adds rows of the input, and each stage then makes the rows that it can, but no more than a strip brings: every
    /// convolution of a deep network lags some rows behind the one before, and what it lacks in the end must not be made in one go through much memory.
    init(_ program: Program, width: Int, height: Int, threads: Int, stripRows: Int?) {
        let rowsPerStrip = stripRows ?? Self.rowsPerStrip(program, width: width)
        let stages = program.stages, slots = program.slots
        var made = [Int](repeating: 0, count: stages.count)
        var ready = [Int](repeating: 0, count: slots.count)
        var released = ready
        var free: [Program.Slot.Layout: [Int32]] = [:]
        places = slots.map { [Int32](repeating: 0, count: $0.height(height)) }
        let readers = slots.indices.map { slot in
            stages.indices.flatMap { s in stages[s].operands.filter { $0.slot == slot }.map { (stage: s, reach: $0.reach) } }
        }
        /// The first row of a slot that is still read.
        func oldest(_ slot: Int) -> Int {
            let rows = slots[slot].height(height)
            return readers[slot].map { made[$0.stage] < stages[$0.stage].rows(height) ? $0.reach.rows(made[$0.stage], of: rows).first : rows }.min() ?? rows
        }
        /// At most so many rows of each stage in a strip.
        let most = stages.map { (max(1, rowsPerStrip * $0.up / $0.down) + $0.unit - 1) / $0.unit * $0.unit }
        var limit = 0
        while made.indices.contains(where: { made[$0] < stages[$0].rows(height) }) {
            limit = min(height, limit + rowsPerStrip)
            var phases: [Execution.Phase] = []
            for (s, stage) in stages.enumerated() {
                let first = made[s], rows = min(stage.rows(height), first + most[s])
                var next = first
                if stage.operands.isEmpty {
                    next = min(rows, limit)
                } else {
                    while next < rows, stage.operands.allSatisfy({ ready[$0.slot] > $0.reach.rows(next, of: slots[$0.slot].height(height)).last }) {
                        next += 1
                    }
                }
                guard next > first else { continue }
                made[s] = next
                if let slot = stage.output {
                    ready[slot] = next
                    for y in first..<next { places[slot][y] = take(slots[slot].layout, &free) }
                }
                for slot in Set(stage.operands.map(\.slot)) {
                    let end = min(oldest(slot), ready[slot])
                    while released[slot] < end {
                        free[slots[slot].layout, default: []].append(places[slot][released[slot]])
                        released[slot] += 1
                    }
                }
                let columns = stage.columns(width)
                let share = stage.share(rows: next - first, columns: columns, threads: threads)
                phases.append(Execution.Phase(
                    stage: s, first: first, count: next - first, pieces: share.pieces, extent: share.extent,
                    work: Double((next - first) * columns) * stage.cost))
            }
            strips.append(phases)
        }
    }

    /// The place that was left last, which is the likeliest to be in a cache, or a new one.
    private mutating func take(_ layout: Program.Slot.Layout, _ free: inout [Program.Slot.Layout: [Int32]]) -> Int32 {
        if let place = free[layout]?.popLast() { return place }
        let place = rows[layout, default: 0]
        rows[layout] = place + 1
        return Int32(place)
    }

    /// A strip should be large enough to pay for reading the weights and for a barrier per stage, and small enough
    /// for what one stage writes to be in the cache when the next reads it.
    private static func rowsPerStrip(_ program: Program, width: Int) -> Int {
        let unit = program.sizeMultiple
        let bytesPerRow = program.slots.map { slot in
            slot.paddedChannels * (slot.needsFloats ? 4 : 2) * max(1, slot.up) * slot.width(width) / slot.down
        }.max() ?? 1
        // Winograd's algorithm reads more weights per pass and hides where rows come from: larger strips are faster.
        let winograd = program.stages.contains { $0 is WinogradStage }
        let rows = max(winograd ? 24 : 4, min(64, (winograd ? 4 << 20 : 2 << 20) / max(1, bytesPerRow)))
        return (rows + unit - 1) / unit * unit
    }
}
