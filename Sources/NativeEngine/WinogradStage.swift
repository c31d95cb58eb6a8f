// WinogradStage: a 3×3 convolution by Winograd's algorithm, block of tiles by block of tiles through the caches.

import CKernels
import SuperResolution

/// Pixels along a tile of outputs.
private let size = Int(acuity_winograd_tile)
/// Pixels along the tile of inputs that it is made from.
private let side = size + 2
private let frequencies = Int(acuity_winograd_frequencies)

/// F(6×6, 3×3) (Lavin and Gray 2016) with bias, slope and residual sum, into a slot or straight into the output raster.
///
/// A piece of work is a run of tiles of 6×6 outputs in reading order, as many as let both transforms stay in the
/// second-level cache: all 64 matrix products of a piece pass while its data are there.
final class WinogradStage: Stage {
    /// Columns beyond a row's edges that its tiles look at.
    static let margin = 6
    /// Bytes for both transforms of a piece of work: half of the second-level cache. With more, convolutions of many channels read their weights less often,
    /// but what flows between stages leaves the cache.
    private static let cacheBytes = min(1 << 20, max(512 << 10, acuity_second_level_cache() / 2))

    let sources: [Int]
    private let kernel: PackedKernel
    private let steps: acuity_winograd
    private let padding: Convolution.Padding
    private let residual: Int?
    private let tail: ConvolutionTail?
    /// How much the output is larger than the input: outputs `[dy][dx][channel]` lie in the enlarged picture's rows as neighbouring pixels do.
    private let factor: Int
    private let paddedInputs: Int
    private let paddedOutputs: Int
    /// Whether products overwrite their factors.
    private let isInPlace: Bool
    /// Floats from tile to tile among the products.
    private let outputPixel: Int
    /// The most stretches of input that are fetched ahead.
    private static let mostFetched = 256
    /// Pointers of a thread's scratch memory.
    var pointerCount: Int { sources.count * side + Self.mostFetched }

    /// The most that a piece takes.
    private let tiles: Int

    /// The algorithm's steps where it pays: with many channels, since each tile is transformed once per input and output channel.
    static func steps(for kernel: Kernel, _ instructionSet: NativeEngine.InstructionSet) -> acuity_winograd? {
        let suits = kernel.height == 3 && kernel.width == 3 && kernel.stride == 1 && kernel.inputs >= 16
        return suits ? acuity_winograd_steps(instructionSet.kernels)?.pointee : nil
    }

    init(
        _ steps: acuity_winograd, kernel: Kernel, packed: PackedKernel, sources: [Source], residual: Int?, tail: ConvolutionTail?, output: Int?,
        factor: Int = 1, up: Int, down: Int
    ) {
        self.factor = factor
        self.steps = steps
        self.kernel = packed
        self.sources = sources.map(\.slot)
        padding = kernel.padding
        self.residual = residual
        self.tail = tail
        paddedInputs = sources.reduce(0) { $0 + ($1.channels.count + 15) / 16 * 16 }
        paddedOutputs = (kernel.outputs + 15) / 16 * 16
        let widest = (0..<Int(packed.description.pointee.block_count)).map { Int(packed.description.pointee.block_groups[$0]) * 16 }.max() ?? 16
        isInPlace = widest == paddedOutputs && paddedOutputs <= paddedInputs
        outputPixel = isInPlace ? paddedInputs : widest
        tiles = max(12, min(30, Self.cacheBytes / (frequencies * 4 * (paddedInputs + (isInPlace ? 0 : outputPixel))) / 6 * 6))
        var operands = sources.map { Operand(slot: $0.slot, reach: .tile(margin: 1, dividedBy: factor)) }
        if let residual { operands.append(Operand(slot: residual, reach: .tile(margin: 0))) }
        super.init(
            operands: operands, output: output, up: up * factor, down: down,
            cost: (Double(kernel.inputs * 9 * paddedOutputs) / 5 + 64 * Double(kernel.inputs + paddedOutputs) / 16) / Double(factor * factor))
    }

    /// Distances from frequency to frequency, in floats: 64 bytes more than a power of two, see Winograd.c.
    private var inputPlane: Int { tiles * paddedInputs + 16 }
    private var outputPlane: Int { tiles * outputPixel + 16 }

    var scratchBytes: Int { 4 * (frequencies * (inputPlane + (isInPlace ? 0 : outputPlane)) + (tail == nil ? 0 : size * size * tiles * paddedOutputs)) }

    override var unit: Int { size * factor }

    override func share(rows: Int, columns: Int, threads: Int) -> (pieces: Int, extent: Int) {
        let all = (rows / factor + size - 1) / size * ((columns / factor + size - 1) / size)
        // As many pieces for one thread as for the other, and at least two for each if they are not too small.
        var pieces = max((all + tiles - 1) / tiles, min(2 * threads, (all + 11) / 12))
        pieces = (pieces + threads - 1) / threads * threads
        let extent = max(1, (all + pieces - 1) / pieces)
        return ((all + extent - 1) / extent, extent)
    }

    override func run(_ e: Execution, phase: Execution.Phase, piece: Int, thread: Int) {
        // Of the input, like all rows and columns here that say nothing else.
        let columns = e.columns(self) / factor, perRow = (columns + size - 1) / size
        let all = (phase.count / factor + size - 1) / size * perRow
        func range(_ piece: Int) -> Range<Int> { min(all, piece * phase.extent)..<min(all, (piece + 1) * phase.extent) }
        let count = range(piece).count
        let v = e.scratch[thread], m = isInPlace ? v : v + frequencies * inputPlane, pixels = m + frequencies * outputPlane
        /// The part of each row of tiles that belongs to the piece: its first picture row, tiles, and place in the piece.
        func forEachRow(of piece: Int, _ body: (_ row: Int, _ tiles: Range<Int>, _ place: Int) -> Void) {
            let range = range(piece)
            var tile = range.lowerBound
            while tile < range.upperBound {
                let next = min(range.upperBound, (tile / perRow + 1) * perRow), first = tile % perRow
                body(phase.first / factor + tile / perRow * size, first..<(first + next - tile), tile - range.lowerBound)
                tile = next
            }
        }
        forEachRow(of: piece) { row, tiles, place in
            let rows = inputRows(e, row: row, thread: thread)
            steps.input(kernel.description, rows, tiles.lowerBound, tiles.count, v + place * paddedInputs, paddedInputs, inputPlane)
        }
        // What this thread will most likely read next.
        let fetch = UnsafeMutableRawPointer(e.rowPointers[thread] + sources.count * side).assumingMemoryBound(to: UnsafePointer<Float>?.self)
        var fetchCount = 0
        forEachRow(of: piece + 1) { row, tiles, _ in
            let rows = inputRows(e, row: row, thread: thread)
            for (s, source) in sources.enumerated() {
                let stride = e.stride(source)
                for y in 0..<side {
                    for start in Swift.stride(from: tiles.lowerBound * size * stride, to: (tiles.upperBound * size + 2) * stride, by: 16 * paddedInputs)
                    where fetchCount < Self.mostFetched {
                        fetch[fetchCount] = rows[s * side + y] + start
                        fetchCount += 1
                    }
                }
            }
        }
        let height = e.rows(self) / factor
        let run = paddedOutputs / factor
        var channel = 0
        for block in 0..<Int(kernel.description.pointee.block_count) {
            // A block's channels all go to one row of the enlarged pixel.
            let dy = channel / run
            channel += Int(kernel.description.pointee.block_groups[block]) * 16
            steps.multiply(
                kernel.description, Int32(block), v, paddedInputs, inputPlane, m, outputPixel, outputPlane, count, fetch, fetchCount)
            forEachRow(of: piece) { row, tiles, place in
                var out = acuity_winograd_rows()
                out.rows = Int32(min(size, height - row))
                out.columns = columns
                out.stride = output.map { e.stride($0) * factor } ?? paddedOutputs
                out.residual_stride = residual.map { e.stride($0) * factor } ?? 0
                withUnsafeMutablePointer(to: &out.out) { tuple in
                    tuple.withMemoryRebound(to: UnsafeMutablePointer<Float>?.self, capacity: size) { rows in
                        for y in 0..<min(size, height - row) {
                            // Scratch pixels are [row of the tile][tile of the piece].
                            rows[y] = output.map { e.floats[$0]!.row((row + y) * factor + dy) - dy * run }
                                ?? pixels + ((y * self.tiles + place) * size - tiles.lowerBound * size) * paddedOutputs
                        }
                    }
                }
                if let residual {
                    withUnsafeMutablePointer(to: &out.residual) { tuple in
                        tuple.withMemoryRebound(to: UnsafePointer<Float>?.self, capacity: size) { rows in
                            for y in 0..<min(size, height - row) { rows[y] = UnsafePointer(e.floats[residual]!.row((row + y) * factor + dy) - dy * run) }
                        }
                    }
                }
                steps.output(
                    kernel.description, Int32(block), m + place * outputPixel, outputPixel, outputPlane, tiles.lowerBound, tiles.count, &out)
            }
        }
        forEachRow(of: piece) { row, tiles, place in
            let range = (tiles.lowerBound * size)..<min(columns, tiles.upperBound * size)
            for y in 0..<min(size, height - row) {
                if let output {
                    for dy in 0..<factor { e.pad(output, (row + y) * factor + dy, range.lowerBound * factor..<range.upperBound * factor) }
                }
                tail?.write(
                    e, pixels + (y * self.tiles + place) * size * paddedOutputs, stride: paddedOutputs, row: row + y, columns: range, width: columns)
            }
        }
    }

    /// [source][side] rows at column −1.
    private func inputRows(_ e: Execution, row: Int, thread: Int) -> UnsafePointer<UnsafePointer<Float>> {
        let pointers = UnsafeMutableRawPointer(e.rowPointers[thread]).assumingMemoryBound(to: UnsafePointer<Float>.self)
        var p = 0
        for source in sources {
            let plane = e.floats[source]!, stride = e.stride(source), rows = e.height(source)
            for y in (row - 1)..<(row + size + 1) {
                if y >= 0 && y < rows {
                    pointers[p] = UnsafePointer(plane.row(y) - stride)
                } else if padding == .replicate {
                    pointers[p] = UnsafePointer(plane.row(min(max(y, 0), rows - 1)) - stride)
                } else {
                    pointers[p] = e.zeros.assumingMemoryBound(to: Float.self)
                }
                p += 1
            }
        }
        return UnsafePointer(pointers)
    }
}
