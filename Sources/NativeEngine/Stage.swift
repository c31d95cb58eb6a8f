// Stage: one step of a program: makes rows of one tensor from rows of others.

import CKernels
import SuperResolution

/// Which rows of an operand a stage reads for a row of its output.
enum Reach {
    /// From `step·y − before` to `step·y + after`.
    case window(step: Int, before: Int, after: Int)
    /// From `y / by − margin` to `y / by + margin`.
    case divided(by: Int, margin: Int)
    /// A whole tile of Winograd's algorithm at once, of an operand so many times smaller, and `margin` rows on either side.
    case tile(margin: Int, dividedBy: Int = 1)
    case all

    static let same = Reach.window(step: 1, before: 0, after: 0)

    /// Clamped to the rows that exist.
    func rows(_ y: Int, of height: Int) -> (first: Int, last: Int) {
        let size = Int(acuity_winograd_tile)
        return switch self {
        case .window(let step, let before, let after): (max(0, step * y - before), min(height - 1, step * y + after))
        case .divided(let by, let margin): (max(0, y / by - margin), min(height - 1, y / by + margin))
        case .tile(let margin, let by): (max(0, y / by / size * size - margin), min(height - 1, y / by / size * size + size - 1 + margin))
        case .all: (0, height - 1)
        }
    }
}

/// A stage's rows are made in order, each from rows of its operands that are already there.
class Stage {
    struct Operand {
        let slot: Int
        let reach: Reach
    }
    let operands: [Operand]
    /// The slot that it fills, or none if it writes to the output raster.
    let output: Int?
    /// Rows and columns as a multiple of the input's.
    let up: Int, down: Int
    /// Multiply-adds per output pixel, for sharing work and for progress.
    let cost: Double

    init(operands: [Operand], output: Int?, up: Int, down: Int, cost: Double) {
        self.operands = operands
        self.output = output
        self.up = up
        self.down = down
        self.cost = cost
    }

    func rows(_ inputHeight: Int) -> Int { inputHeight * up / down }
    func columns(_ inputWidth: Int) -> Int { inputWidth * up / down }

    /// Rows are made so many at a time, but for the last.
    var unit: Int { 1 }

    /// The widest stretch of a row that `run` takes at once, or `nil` if only whole rows.
    var widestStretch: Int? { nil }

    /// Shares out rows among threads: several pieces of work for each, in whole tiles of the direct convolution
    /// (24 columns are a multiple of every tile's width).
    func share(rows: Int, columns: Int, threads: Int) -> (pieces: Int, extent: Int) {
        guard let widest = widestStretch else { return (rows, max(1, columns)) }
        let wanted = min(widest, max(96, min(rows * columns / 16, columns) / threads))
        let stretches = max(1, (columns + wanted - 1) / wanted)
        let stretch = min(widest, ((columns + stretches - 1) / stretches + 23) / 24 * 24)
        return (rows * ((columns + stretch - 1) / stretch), stretch)
    }

    /// Makes one of the phase's pieces.
    func run(_ e: Execution, phase: Execution.Phase, piece: Int, thread: Int) {
        // Down the rows first: a thread's share is the same columns from stage to stage, and stays in its processor's cache.
        let columns = e.columns(self), first = piece / phase.count * phase.extent
        run(e, row: phase.first + piece % phase.count, columns: first..<min(columns, first + phase.extent), thread: thread)
    }

    /// Makes columns of one row.
    func run(_ e: Execution, row: Int, columns: Range<Int>, thread: Int) {}
}

/// Brings the input raster into the engine's layout.
final class InputStage: Stage {
    let channels: Int
    init(channels: Int, slot: Int) {
        self.channels = channels
        super.init(operands: [], output: slot, up: 1, down: 1, cost: 64)
    }

    override func run(_ e: Execution, row: Int, columns: Range<Int>, thread: Int) {
        let slot = output!
        let halves = e.halves[slot], floats = e.floats[slot]
        acuity_input(
            e.program.instructionSet.kernels, e.input + row * e.width * channels, e.width, Int32(channels), floats?.row(row), e.stride(slot), halves?.row(row), e.stride(slot),
            e.program.slots[slot].isSplit)
        e.pad(slot, row, columns)
    }
}

/// The end of a network: outputs ordered [dy][dx][channel] go to the raster, on top of the nearest-enlarged input.
struct ConvolutionTail {
    let factor: Int
    let channels: Int
    let addsInput: Bool

    /// - Parameters:
    ///   - pixels: the columns of the row before the shuffle, `stride` floats each.
    ///   - width: columns of the whole row.
    func write(_ e: Execution, _ pixels: UnsafePointer<Float>, stride: Int, row: Int, columns: Range<Int>, width: Int) {
        let run = factor * channels
        func shuffle(to out: UnsafeMutablePointer<Float>, stride outStride: Int) {
            acuity_shuffle_out(
                e.program.instructionSet.kernels, pixels, stride, columns.count, Int32(factor), Int32(channels),
                addsInput ? e.input + (row * e.width + columns.lowerBound) * channels : nil, out, outStride)
        }
        switch e.output {
        case .raster(let raster): shuffle(to: raster + (row * factor * width + columns.lowerBound) * run, stride: width * run)
        case .samples(let samples):
            // A few kilobytes, which the first-level cache holds.
            let length = columns.count * run
            withUnsafeTemporaryAllocation(of: Float.self, capacity: factor * length) { rows in
                guard let rows = rows.baseAddress else { return }
                shuffle(to: rows, stride: length)
                for y in 0..<factor {
                    samples.store(rows + y * length, row: row * factor + y, columns: columns.lowerBound * factor..<columns.upperBound * factor)
                }
            }
        }
    }
}

/// A direct convolution with bias, slope and residual sum, into a slot or pixel-shuffled straight into the output raster.
///
/// Into a slot that is `factor` times as large it is pixel-shuffled as well: outputs ordered [dy][dx][channel] are so many convolutions, one for each row
/// of the enlarged pixel, whose outputs lie there as neighbouring pixels do.
final class ConvolutionStage: Stage {
    /// The kernel for one row of the enlarged pixel, or for all.
    struct Part {
        let packed: PackedKernel
        let height: Int
        /// Rows above the pixel.
        let before: Int
    }
    let parts: [Part]
    let convolve: acuity_convolve
    let sources: [Int]
    let half: Bool
    let height: Int, width: Int, step: Int
    let padding: Convolution.Padding
    let residual: Int?
    let tail: ConvolutionTail?
    let paddedOutputs: Int
    /// How much the output is larger than the input.
    var factor: Int { parts.count }
    /// Factors that divide every stretch of columns, see ``share(rows:columns:threads:)``.
    static let factors: Set = [2, 3, 4, 6, 8]

    init(
        kernel: Kernel, parts: [Part], convolve: acuity_convolve, sources: [Int], half: Bool, residual: Int?, tail: ConvolutionTail?, output: Int?,
        up: Int, down: Int
    ) {
        let reach =
            parts.count > 1 ? Reach.divided(by: parts.count, margin: kernel.height / 2)
            : Reach.window(step: kernel.stride, before: kernel.height / 2, after: kernel.height / 2)
        var operands = sources.map { Operand(slot: $0, reach: reach) }
        if let residual { operands.append(Operand(slot: residual, reach: .same)) }
        self.parts = parts
        self.convolve = convolve
        self.sources = sources
        self.half = half
        height = kernel.height
        width = kernel.width
        step = kernel.stride
        padding = kernel.padding
        self.residual = residual
        self.tail = tail
        paddedOutputs = (kernel.outputs + 15) / 16 * 16
        super.init(
            operands: operands,
            output: output, up: up, down: down,
            cost: Double(kernel.inputs * kernel.height * kernel.width * paddedOutputs) / Double(parts.count * parts.count))
    }

    /// A tail's stretch passes through a thread's scratch memory, which should stay in the first-level cache.
    override var widestStretch: Int? { tail == nil ? Int.max : Execution.scratchPixels }

    override func run(_ e: Execution, row: Int, columns: Range<Int>, thread: Int) {
        let part = parts[row % factor], centre = row / factor * step
        let pointers = e.rowPointers[thread]
        var p = 0
        for source in sources {
            let plane = half ? e.halves[source]!.untyped : e.floats[source]!.untyped
            let rows = e.height(source), left = width / 2 * plane.pixelBytes
            for ky in 0..<part.height {
                let y = centre + ky - part.before
                if y >= 0 && y < rows {
                    pointers[p] = UnsafeRawPointer(plane.row(y) - left)
                } else if padding == .replicate {
                    pointers[p] = UnsafeRawPointer(plane.row(min(max(y, 0), rows - 1)) - left)
                } else {
                    pointers[p] = e.zeros
                }
                p += 1
            }
        }
        // A pixel here is `factor` neighbours of the slot.
        var segment = acuity_segment(
            rows: UnsafePointer(pointers), first: columns.lowerBound / factor, last: columns.upperBound / factor,
            residual: residual.map { UnsafePointer(e.floats[$0]!.row(row)) }, residual_stride: residual.map { e.stride($0) * factor } ?? 0,
            out32: nil, stride32: 0, out16: nil, stride16: 0)
        if let output {
            segment.stride32 = e.stride(output) * factor
            segment.stride16 = e.stride(output) * factor
            segment.out32 = e.floats[output]?.row(row)
            segment.out16 = e.halves[output]?.row(row)
            convolve(part.packed.description, &segment)
            e.pad(output, row, columns)
        }
        if let tail {
            // Columns before the first may be written again: the scratch memory begins that much earlier.
            let scratch = e.scratch[thread] + Execution.overlap * paddedOutputs
            segment.stride32 = paddedOutputs
            segment.out32 = scratch - columns.lowerBound * paddedOutputs
            convolve(part.packed.description, &segment)
            tail.write(e, scratch, stride: paddedOutputs, row: row, columns: columns, width: e.columns(self))
        }
    }
}

/// Any other operation, a whole row of floats at a time.
final class RowStage: Stage {
    /// Execution, row, the output slot's row (or the raster's).
    typealias Body = (Execution, Int, UnsafeMutablePointer<Float>) -> Void
    private let body: Body
    private let rasterChannels: Int

    init(operands: [Operand], output: Int?, up: Int, down: Int, rasterChannels: Int = 0, cost: Double = 256, body: @escaping Body) {
        self.body = body
        self.rasterChannels = rasterChannels
        super.init(operands: operands, output: output, up: up, down: down, cost: cost)
    }

    override func run(_ e: Execution, row: Int, columns: Range<Int>, thread: Int) {
        guard let output else {
            let length = columns.count * rasterChannels
            switch e.output {
            case .raster(let raster): body(e, row, raster + row * length)
            case .samples(let samples):
                withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { pixels in
                    guard let pixels = pixels.baseAddress else { return }
                    body(e, row, pixels)
                    samples.store(pixels, row: row, columns: columns)
                }
            }
            return
        }
        let out = e.floats[output]!.row(row)
        body(e, row, out)
        if let halves = e.halves[output] {
            acuity_round(e.program.instructionSet.kernels, out, halves.row(row), columns.count * e.stride(output))
        }
        e.pad(output, row, columns)
    }
}

/// What must be known about a whole tensor before a row can be made, e.g. its mean: a slot of one pixel.
final class SummaryStage: Stage {
    typealias Body = (Execution, UnsafeMutablePointer<Float>) -> Void
    private let body: Body

    init(of slot: Int, output: Int, body: @escaping Body) {
        self.body = body
        super.init(operands: [Operand(slot: slot, reach: .all)], output: output, up: 1, down: 1, cost: 256)
    }

    override func rows(_ inputHeight: Int) -> Int { 1 }
    override func columns(_ inputWidth: Int) -> Int { 1 }

    override func run(_ e: Execution, row: Int, columns: Range<Int>, thread: Int) { body(e, e.floats[output!]!.row(0)) }
}
