// Planner: fuses a graph's operations into stages and decides which tensors exist, in which format.

import CKernels
import SuperResolution

/// Fuses bias, slope, scale and residual sum into convolutions; concatenations that only convolutions read never
/// exist; a network's last convolution writes straight into the output raster.
struct Planner {
    let graph: Graph
    let instructionSet: NativeEngine.InstructionSet
    let half: Bool
    /// Whether 3×3 convolutions may run by Winograd's algorithm.
    let winograd: Bool
    private(set) var slots: [Program.Slot] = []
    private(set) var stages: [Stage] = []
    /// By node.
    private var slotOf: [Int?]
    private var absorbed: [Bool]
    /// By the node that a fused convolution ends with.
    private var chains: [Int: Chain] = [:]
    /// Copies of slots for convolutions that pad differently.
    private var copies: [Int: Int] = [:]

    /// A convolution with what is fused into it.
    private struct Chain {
        var kernel: Kernel
        var input: Int
        var end: Int
        var residual: Int?
        var tail: ConvolutionTail?
        /// The node whose size the convolution's output has.
        var sizeOf: Int
        /// How much the output is larger than that: the kernel's outputs are `[dy][dx][channel]`.
        var factor = 1
    }

    init(_ graph: Graph, instructionSet: NativeEngine.InstructionSet, half: Bool, winograd: Bool) {
        self.graph = graph
        self.winograd = winograd && !half
        self.instructionSet = instructionSet
        self.half = half
        slotOf = [Int?](repeating: nil, count: graph.nodes.count)
        absorbed = [Bool](repeating: false, count: graph.nodes.count)
    }

    mutating func plan() {
        for i in graph.nodes.indices where graph.isNeeded(i) && !absorbed[i] {
            if case .convolution(let kernel) = graph.nodes[i].kind { fuse(kernel, at: i) }
        }
        for i in graph.nodes.indices where !absorbed[i] && isStillNeeded(i) {
            if let chain = chains[i] { emit(chain) } else if !isVirtual(i) { emit(i) }
        }
        if let slot = slotOf[graph.output] { emitOutput(slot) }
    }

    // MARK: Fusion

    private mutating func fuse(_ kernel: Kernel, at i: Int) {
        var chain = Chain(kernel: kernel, input: graph.nodes[i].operands[0], end: i, sizeOf: i)
        var path = [i]
        func follow() -> Int? { graph.onlyReader(chain.end).flatMap { chains[$0] == nil && !absorbed[$0] ? $0 : nil } }
        func advance(_ next: Int) {
            chain.end = next
            path.append(next)
        }
        // Batch norm and other constants per channel.
        while let next = follow() {
            switch graph.nodes[next].kind {
            case .affine(let weight, let bias): chain.kernel.apply(factors: weight, offsets: bias)
            case .scale(let factor, let offset):
                let count = kernel.outputs
                chain.kernel.apply(factors: [Float](repeating: factor, count: count), offsets: [Float](repeating: offset, count: count))
            default: break
            }
            guard graph.nodes[next].isConstantPerChannel else { break }
            advance(next)
        }
        if let next = follow(), case .leak(let slopes) = graph.nodes[next].kind {
            chain.kernel.slopes = slopes
            advance(next)
        }
        // A positive factor passes through the slope.
        if let next = follow(), case .scale(let factor, 0) = graph.nodes[next].kind, factor > 0 {
            chain.kernel.scale(by: factor)
            advance(next)
        }
        if let next = follow(), case .add = graph.nodes[next].kind,
            let other = graph.nodes[next].operands.first(where: { $0 != chain.end }),
            graph.nodes[other].channels == kernel.outputs, kernel.outputs == graph.nodes[next].channels
        {
            chain.residual = other
            advance(next)
        }
        fuseTail(&chain, &path)
        if chain.tail == nil, chain.residual == nil, let next = follow(), case .shuffle(let factor) = graph.nodes[next].kind,
            Self.canEnlarge(chain.kernel, factor, channels: graph.nodes[next].channels)
        {
            let channels = graph.nodes[next].channels, area = factor * factor
            chain.kernel.reorder((0..<chain.kernel.outputs).map { $0 % channels * area + $0 / channels })
            chain.factor = factor
            advance(next)
            if chain.kernel.slopes == nil, let next = follow(), case .leak(let slopes) = graph.nodes[next].kind {
                chain.kernel.slopes = (0..<chain.kernel.outputs).map { slopes[$0 % channels] }
                advance(next)
            }
        } else if chain.tail == nil, graph.onlyReader(chain.input) == i, case .enlarge(let factor, .nearest) = graph.nodes[chain.input].kind,
            kernel.height == 3, kernel.width == 3, Self.canEnlarge(kernel, factor, channels: kernel.outputs)
        {
            // The enlarged picture never exists.
            absorbed[chain.input] = true
            chain.input = graph.nodes[chain.input].operands[0]
            chain.sizeOf = chain.input
            chain.kernel = chain.kernel.ofEnlarged(factor)
            chain.factor = factor
        }
        for node in path.dropLast() { absorbed[node] = true }
        chains[chain.end] = chain
    }

    /// Whether rows of the enlarged picture can be made where they belong: no channels of padding between its pixels.
    private static func canEnlarge(_ kernel: Kernel, _ factor: Int, channels: Int) -> Bool {
        kernel.stride == 1 && channels % 16 == 0 && ConvolutionStage.factors.contains(factor)
    }

    /// Ends of a network: nothing more, pixel shuffle, or pixel shuffle plus the nearest-enlarged input.
    private func fuseTail(_ chain: inout Chain, _ path: inout [Int]) {
        let channels = graph.nodes[graph.output].channels
        if chain.end == graph.output {
            if channels <= 16 { chain.tail = .init(factor: 1, channels: channels, addsInput: false) }
            return
        }
        guard chain.residual == nil, let shuffled = graph.onlyReader(chain.end), case .shuffle(let factor) = graph.nodes[shuffled].kind,
            factor * channels <= 16, chain.kernel.outputs == factor * factor * channels
        else { return }
        var addsInput = false
        var end = shuffled
        if shuffled != graph.output {
            guard let sum = graph.onlyReader(shuffled), sum == graph.output, case .add = graph.nodes[sum].kind,
                let other = graph.nodes[sum].operands.first(where: { $0 != shuffled }),
                case .enlarge(factor, .nearest) = graph.nodes[other].kind, case .input = graph.nodes[graph.nodes[other].operands[0]].kind
            else { return }
            addsInput = true
            end = sum
            path.append(shuffled)
        }
        let area = factor * factor
        chain.kernel.reorder((0..<chain.kernel.outputs).map { $0 % channels * area + $0 / channels })
        chain.tail = .init(factor: factor, channels: channels, addsInput: addsInput)
        chain.end = end
        path.append(end)
    }

    /// Whether anything but a fused tail reads the node.
    private func isStillNeeded(_ i: Int) -> Bool {
        if !graph.isNeeded(i) { return false }
        if i == graph.output { return true }
        return !graph.readers[i].allSatisfy { reader in
            guard let chain = chains[reader], let tail = chain.tail, tail.addsInput else { return false }
            return true
        }
    }

    /// A concatenation that only convolutions read.
    private func isVirtual(_ i: Int) -> Bool {
        if case .concatenate = graph.nodes[i].kind { return onlyConvolutionsRead(i) }
        return false
    }

    /// Whether the node is nothing but an input of convolutions (as their residual it would be read as floats).
    private func onlyConvolutionsRead(_ i: Int) -> Bool {
        i != graph.output && graph.readers[i].allSatisfy {
            switch graph.nodes[$0].kind {
            case .convolution: true
            case .concatenate: isVirtual($0)
            default: !absorbed[$0] && chains[$0] == nil && !isStillNeeded($0)
            }
        }
    }

    // MARK: Slots

    private mutating func makeSlot(for node: Int, channels: Int? = nil) -> Int {
        let n = graph.nodes[node]
        slots.append(Program.Slot(channels: channels ?? n.channels, up: n.up, down: n.down))
        return slots.count - 1
    }

    /// The slot of a node whose values are read as floats.
    private mutating func floats(_ node: Int) -> Int {
        let slot = slotOf[node]!
        slots[slot].needsFloats = true
        return slot
    }

    /// The slots that a convolution reads for a node, with room beyond their edges.
    private mutating func sources(_ node: Int, for kernel: Kernel, firstChannel: Int = 0) -> [Source] {
        if isVirtual(node) {
            var first = firstChannel
            return graph.nodes[node].operands.flatMap { operand in
                defer { first += graph.nodes[operand].channels }
                return sources(operand, for: kernel, firstChannel: first)
            }
        }
        var slot = slotOf[node]!
        let margin = kernel.width / 2
        if margin > 0 || kernel.height > 1 {
            if let padding = slots[slot].padding, padding != kernel.padding { slot = copy(slot) }
            slots[slot].padding = kernel.padding
        }
        slots[slot].margin = max(slots[slot].margin, margin)
        if half { slots[slot].needsHalves = true } else { slots[slot].needsFloats = true }
        let count = graph.nodes[node].channels
        let channels = Array(firstChannel..<(firstChannel + count))
        return [Source(slot: slot, channels: half && slots[slot].isSplit ? channels + channels : channels)]
    }

    /// The same values again, to be padded in the other way.
    private mutating func copy(_ slot: Int) -> Int {
        if let copy = copies[slot] { return copy }
        var made = slots[slot]
        made.margin = 0
        made.padding = nil
        made.isSplit = false
        made.isCompact = false
        made.needsFloats = true
        slots[slot].needsFloats = true
        slots.append(made)
        let copy = slots.count - 1
        copies[slot] = copy
        // Right after the slot's own stage would do; here is early enough: this is where it is first read.
        stages.append(RowStage(operands: [.init(slot: slot, reach: .same)], output: copy, up: made.up, down: made.down) { e, y, out in
            let row = e.floats[slot]!.row(y), stride = e.stride(slot), outStride = e.stride(copy)
            for i in 0..<e.width(slot) { (out + i * outStride).update(from: row + i * stride, count: made.channels) }
        })
        return copy
    }

    // MARK: Stages

    private mutating func emit(_ chain: Chain) {
        let sources = sources(chain.input, for: chain.kernel)
        // A compact slot has no padding channels.
        let steps = winograd && sources.allSatisfy { !slots[$0.slot].isCompact } ? WinogradStage.steps(for: chain.kernel, instructionSet) : nil
        if steps != nil { for source in sources { slots[source.slot].margin = max(slots[source.slot].margin, WinogradStage.margin) } }
        let residual = chain.residual.map { floats($0) }
        var output: Int?
        if chain.tail == nil {
            output = makeSlot(for: chain.end)
            slotOf[chain.end] = output
        }
        let tiles = half && instructionSet == .amx
        let strides = sources.map { slots[$0.slot].paddedChannels }
        func packed(_ kernel: Kernel, factor: Int = 1) -> PackedKernel {
            PackedKernel(
                kernel, sources: sources, pixelStrides: strides, instructionSet: instructionSet, half: half, winograd: steps != nil, factor: factor,
                tiles: tiles)
        }
        let size = graph.nodes[chain.sizeOf]
        if let steps {
            stages.append(WinogradStage(
                steps, kernel: chain.kernel, packed: packed(chain.kernel, factor: chain.factor), sources: sources, residual: residual,
                tail: chain.tail, output: output, factor: chain.factor, up: size.up, down: size.down))
            return
        }
        // A kernel exists for every available instruction set.
        let convolve = (tiles ? acuity_tile_kernel() : acuity_convolution_kernel(instructionSet.kernels, half))!
        let parts: [ConvolutionStage.Part]
        if chain.factor == 1 {
            parts = [.init(packed: packed(chain.kernel), height: chain.kernel.height, before: chain.kernel.height / 2)]
        } else {
            let count = chain.kernel.outputs / chain.factor
            parts = (0..<chain.factor).map { dy in
                let (kernel, before) = chain.kernel.part(dy * count..<(dy + 1) * count)
                return .init(packed: packed(kernel), height: kernel.height, before: before)
            }
        }
        stages.append(ConvolutionStage(
            kernel: chain.kernel, parts: parts, convolve: convolve, sources: sources.map(\.slot), half: half, residual: residual,
            tail: chain.tail, output: output, up: size.up * chain.factor, down: size.down))
    }

    private mutating func emit(_ i: Int) {
        let node = graph.nodes[i]
        if case .input = node.kind {
            let slot = makeSlot(for: i)
            // Two bf16 numbers hold a float to 16 bits: the picture itself is not rounded.
            if half && node.channels * 2 <= 16 {
                slots[slot].isSplit = true
            }
            slots[slot].isCompact = (slots[slot].isSplit || !half) && onlyConvolutionsRead(i)
            slotOf[i] = slot
            stages.append(InputStage(channels: node.channels, slot: slot))
            return
        }
        let operands = node.operands.map { floats($0) }
        let output = makeSlot(for: i)
        slots[output].needsFloats = true
        slotOf[i] = output
        stages += RowOperations.stages(node, operands: operands, output: output, slots: &slots, instructionSet: instructionSet)
    }

    private mutating func emitOutput(_ slot: Int) {
        slots[slot].needsFloats = true
        let node = graph.nodes[graph.output], channels = node.channels
        stages.append(RowStage(
            operands: [.init(slot: slot, reach: .same)], output: nil, up: node.up, down: node.down, rasterChannels: channels, cost: Double(channels)
        ) { e, y, out in
            let x = e.floats[slot]!.row(y), stride = e.stride(slot)
            for i in 0..<e.width(slot) {
                for c in 0..<channels { out[i * channels + c] = x[i * stride + c] }
            }
        })
    }
}
