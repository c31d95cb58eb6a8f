// Kernel: the weights of one convolution, dense, and how they are packed for an instruction set.

import CKernels
import SuperResolution

/// A dense convolution kernel with everything that is fused into it.
struct Kernel {
    var outputs: Int
    var inputs: Int
    var height: Int
    var width: Int
    var stride = 1
    var padding = Convolution.Padding.zeros
    /// (outputs, inputs, height, width)
    var weights: [Float]
    var bias: [Float]
    /// What negative outputs are multiplied with.
    var slopes: [Float]?

    /// A grouped convolution becomes a dense one with zeros between the groups.
    init(_ c: Convolution, weights w: [Float], bias: [Float]?) throws {
        outputs = c.outputs
        inputs = c.inputs
        height = c.kernelHeight
        width = c.kernelWidth
        stride = c.stride
        padding = c.padding
        self.bias = bias ?? [Float](repeating: 0, count: c.outputs)
        if c.groups == 1 {
            weights = w
            return
        }
        let taps = height * width, perGroup = inputs / c.groups
        let (count, overflow) = (outputs * inputs).multipliedReportingOverflow(by: taps)
        guard !overflow, count < 1 << 28 else { throw AcuityError(.network, "\(c.key): too many channels for \(c.groups) groups") }
        weights = [Float](repeating: 0, count: count)
        for o in 0..<outputs {
            let first = o / (outputs / c.groups) * perGroup
            for i in 0..<(perGroup * taps) { weights[(o * inputs + first) * taps + i] = w[o * perGroup * taps + i] }
        }
    }

    /// A transposed convolution as a convolution whose outputs are still to be pixel-shuffled by its stride.
    ///
    /// Output row `s·q + d` takes input row `q + j` through tap `d + p − s·j`, `p = kernel / 2`, where that is a tap.
    init(_ c: TransposedConvolution, weights w: [Float], bias: [Float]?) throws {
        let s = c.stride, p = c.kernel / 2, area = s * s
        let reach = (s - 1 + p) / s
        inputs = c.inputs
        outputs = c.outputs * area
        height = 2 * reach + 1
        width = height
        guard s < 1 << 6, c.kernel < 1 << 10, Double(outputs) * Double(inputs) * Double(height * width) < 0x1p28 else {
            throw AcuityError(.network, "\(c.key): transposed convolution is too large")
        }
        self.bias = (0..<outputs).map { bias?[$0 / area] ?? 0 }
        weights = [Float](repeating: 0, count: outputs * inputs * height * width)
        for o in 0..<c.outputs {
            for dy in 0..<s {
                for dx in 0..<s {
                    for i in 0..<inputs {
                        for jy in -reach...reach {
                            let ky = dy + p - s * jy
                            guard (0..<c.kernel).contains(ky) else { continue }
                            for jx in -reach...reach {
                                let kx = dx + p - s * jx
                                guard (0..<c.kernel).contains(kx) else { continue }
                                let row = ((o * area + dy * s + dx) * inputs + i) * height + jy + reach
                                weights[row * width + jx + reach] = w[((i * c.outputs + o) * c.kernel + ky) * c.kernel + kx]
                            }
                        }
                    }
                }
            }
        }
    }

    /// Multiplies the output, before a slope, by a factor.
    mutating func scale(by factor: Float) {
        for i in weights.indices { weights[i] *= factor }
        for i in bias.indices { bias[i] *= factor }
    }

    /// Multiplies each output, before a slope, by a factor and adds an offset: how a batch norm is folded.
    mutating func apply(factors: [Float], offsets: [Float]) {
        let size = inputs * height * width
        for o in 0..<outputs {
            for i in (o * size)..<((o + 1) * size) { weights[i] *= factors[o] }
            bias[o] = bias[o] * factors[o] + offsets[o]
        }
    }

    /// Reorders outputs: new output `i` is old output `order[i]`.
    mutating func reorder(_ order: [Int]) {
        let size = inputs * height * width
        weights = order.flatMap { weights[($0 * size)..<(($0 + 1) * size)] }
        bias = order.map { bias[$0] }
        slopes = slopes.map { slopes in order.map { slopes[$0] } }
    }

    /// What this 3×3 kernel makes of a picture that nearest neighbours have enlarged, as a kernel of the small picture: all outputs at each place within the
    /// enlarged pixel, `[dy][dx][output]`. Taps that see the same small pixel are summed up.
    func ofEnlarged(_ factor: Int) -> Kernel {
        var made = self
        made.outputs = outputs * factor * factor
        made.weights = [Float](repeating: 0, count: made.outputs * inputs * 9)
        made.bias = (0..<made.outputs).map { bias[$0 % outputs] }
        made.slopes = slopes.map { slopes in (0..<made.outputs).map { slopes[$0 % outputs] } }
        // From the tap above, at, or below (−1, 0, 1) to the row of the small kernel, at place d.
        func row(_ d: Int, _ tap: Int) -> Int { (d + tap + factor) / factor }
        for dy in 0..<factor {
            for dx in 0..<factor {
                for channel in 0..<(outputs * inputs) {
                    let to = ((dy * factor + dx) * outputs * inputs + channel) * 9
                    for ky in -1...1 {
                        for kx in -1...1 { made.weights[to + row(dy, ky) * 3 + row(dx, kx)] += weights[channel * 9 + (ky + 1) * 3 + kx + 1] }
                    }
                }
            }
        }
        return made
    }

    /// Some of the outputs, without the kernel's first and last rows where those are zero.
    /// - Returns: the kernel and how many rows above the pixel it begins.
    func part(_ range: Range<Int>) -> (kernel: Kernel, before: Int) {
        var made = self
        let channels = range.count * inputs, size = height * width
        let own = Array(weights[(range.lowerBound * inputs * size)..<(range.upperBound * inputs * size)])
        made.outputs = range.count
        made.bias = Array(bias[range])
        made.slopes = slopes.map { Array($0[range]) }
        func isZero(_ ky: Int) -> Bool {
            (0..<channels).allSatisfy { c in
                let start = c * size + ky * width
                return own[start..<(start + width)].allSatisfy { $0 == 0 }
            }
        }
        var first = 0, last = height - 1
        while first < height / 2, isZero(first) { first += 1 }
        while last > height / 2, isZero(last) { last -= 1 }
        made.height = last - first + 1
        made.weights = []
        for c in 0..<channels {
            let start = c * size
            made.weights += own[(start + first * width)..<(start + (last + 1) * width)]
        }
        return (made, height / 2 - first)
    }
}

/// Channels of one tensor that a convolution reads.
struct Source {
    let slot: Int
    /// The kernel's input channel for each channel in memory.
    let channels: [Int]
}

/// A kernel in the order in which an instruction set's convolution reads it.
final class PackedKernel: @unchecked Sendable {
    let description: UnsafeMutablePointer<acuity_convolution>
    private var allocations: [UnsafeMutableRawPointer] = []

    /// - Parameters:
    ///   - winograd: for 3×3 kernels in fp32: weights transformed for F(6×6, 3×3), channels padded to 16.
    ///   - factor: rows of the enlarged pixel that the outputs are for; no block of outputs is for two of them.
    ///   - tiles: for the matrix unit, in bf16: runs of 32 values of the pixels as they lie in memory.
    init(
        _ kernel: Kernel, sources: [Source], pixelStrides: [Int], instructionSet: NativeEngine.InstructionSet, half: Bool, winograd: Bool = false, factor: Int = 1,
        tiles: Bool = false
    ) {
        let groups = (kernel.outputs + 15) / 16
        let part = Self.blocks(groups: groups / factor, most: instructionSet >= .avx512 ? 4 : 1)
        let blocks = (0..<factor).flatMap { _ in part }
        let step = half ? 2 : 1
        let steps = sources.map { ($0.channels.count + step - 1) / step }
        let taps = kernel.height * kernel.width
        let paddedInputs = sources.reduce(0) { $0 + ($1.channels.count + 15) / 16 * 16 }
        let runs = pixelStrides.map { ($0 * kernel.width + 31) / 32 }
        let count =
            winograd ? paddedInputs * Self.frequencies * groups * 16
            : tiles ? runs.reduce(0, +) * 32 * kernel.height * groups * 16 : steps.reduce(0, +) * step * taps * groups * 16
        description = .allocate(capacity: 1)
        var allocations: [UnsafeMutableRawPointer] = [UnsafeMutableRawPointer(description)]
        func allocate<T>(_ type: T.Type, _ count: Int, _ zero: T) -> UnsafeMutablePointer<T> {
            let bytes = max(1, count) * MemoryLayout<T>.stride
            let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
            allocations.append(raw)
            return raw.initializeMemory(as: T.self, repeating: zero, count: count)
        }
        let floats = half ? nil : allocate(Float.self, count, 0)
        let halves = half ? allocate(UInt16.self, count, 0) : nil
        kernel.weights.withUnsafeBufferPointer { weights in
            var out = 0, firstOutput = 0
            if winograd, let floats {
                Self.transform(kernel, weights, sources, paddedInputs, blocks, into: floats)
                return
            }
            if tiles, let halves {
                Self.tile(kernel, weights, sources, pixelStrides, runs, groups: groups, into: halves)
                return
            }
            for block in blocks {
                for (s, source) in sources.enumerated() {
                    for tap in 0..<taps {
                        for i in 0..<steps[s] {
                            for lane in 0..<(block * 16) {
                                for e in 0..<step {
                                    let o = firstOutput + lane, channel = i * step + e
                                    if o < kernel.outputs && channel < source.channels.count {
                                        let w = weights[(o * kernel.inputs + source.channels[channel]) * taps + tap]
                                        if let floats { floats[out] = w } else { halves![out] = w.bfloat16 }
                                    }
                                    out += 1
                                }
                            }
                        }
                    }
                }
                firstOutput += block * 16
            }
        }
        let bias = allocate(Float.self, groups * 16, 0)
        for (i, b) in kernel.bias.enumerated() { bias[i] = b }
        var slope: UnsafeMutablePointer<Float>?
        if let slopes = kernel.slopes {
            slope = allocate(Float.self, groups * 16, 0)
            for (i, s) in slopes.enumerated() { slope![i] = s }
        }
        let sourceList = allocate(acuity_source.self, sources.count, acuity_source())
        for s in sources.indices { sourceList[s] = acuity_source(steps: Int32(steps[s]), pixel_stride: pixelStrides[s]) }
        let blockList = allocate(Int32.self, blocks.count, 0)
        for (i, b) in blocks.enumerated() { blockList[i] = Int32(b) }
        description.initialize(to: acuity_convolution(
            kernel_height: Int32(kernel.height), kernel_width: Int32(kernel.width), stride: Int32(kernel.stride),
            source_count: Int32(sources.count), sources: sourceList, block_count: Int32(blocks.count), block_groups: blockList,
            weights: half ? UnsafeRawPointer(halves!) : UnsafeRawPointer(floats!), bias: bias, slope: slope))
        self.allocations = allocations
    }

    deinit { for allocation in allocations { allocation.deallocate() } }

    private static var frequencies: Int { Int(acuity_winograd_frequencies) }

    /// [block][frequency][source][channel][channel of block]
    private static func transform(
        _ kernel: Kernel, _ weights: UnsafeBufferPointer<Float>, _ sources: [Source], _ paddedInputs: Int, _ blocks: [Int],
        into out: UnsafeMutablePointer<Float>
    ) {
        var firstOutput = 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: frequencies) { transformed in
            guard let values = transformed.baseAddress, let weights = weights.baseAddress else { return }
            for block in blocks {
                let lanes = block * 16, start = out + firstOutput * paddedInputs * frequencies
                var place = 0
                for source in sources {
                    for (i, channel) in source.channels.enumerated() {
                        for lane in 0..<min(lanes, kernel.outputs - firstOutput) {
                            acuity_winograd_kernel(weights + ((firstOutput + lane) * kernel.inputs + channel) * 9, values)
                            for f in 0..<frequencies { start[(f * paddedInputs + place + i) * lanes + lane] = values[f] }
                        }
                    }
                    place += (source.channels.count + 15) / 16 * 16
                }
                firstOutput += lanes
            }
        }
    }

    /// [group][source][ky][run][pair][channel of group][2]
    private static func tile(
        _ kernel: Kernel, _ weights: UnsafeBufferPointer<Float>, _ sources: [Source], _ pixelStrides: [Int], _ runs: [Int], groups: Int,
        into out: UnsafeMutablePointer<UInt16>
    ) {
        var place = 0
        for group in 0..<groups {
            for (s, source) in sources.enumerated() {
                for ky in 0..<kernel.height {
                    for value in 0..<(runs[s] * 32) {
                        let (kx, channel) = value.quotientAndRemainder(dividingBy: pixelStrides[s])
                        guard kx < kernel.width, channel < source.channels.count else { continue }
                        let pair = place + value / 2 * 32 + value % 2
                        for lane in 0..<min(16, kernel.outputs - group * 16) {
                            let input = (group * 16 + lane) * kernel.inputs + source.channels[channel]
                            out[pair + lane * 2] = weights[(input * kernel.height + ky) * kernel.width + kx].bfloat16
                        }
                    }
                    place += runs[s] * 512
                }
            }
        }
    }

    /// As few blocks as possible, as equal as possible: small blocks reuse their inputs less.
    static func blocks(groups: Int, most: Int) -> [Int] {
        let count = (groups + most - 1) / most
        return (0..<count).map { groups / count + ($0 < groups % count ? 1 : 0) }
    }
}

extension Float {
    /// Rounded to bfloat16, nearest even; finite values only.
    var bfloat16: UInt16 { UInt16(truncatingIfNeeded: (bitPattern &+ 0x7fff &+ (bitPattern >> 16 & 1)) >> 16) }
}
