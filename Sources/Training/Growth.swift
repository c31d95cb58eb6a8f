// Growth: a small network's weights in a larger one that computes the same function (Net2Net, Chen et al. 2016).

package import SuperResolution

/// Grows weights in depth, then in width; a ReLU that becomes a PReLU starts with slopes of zero.
///
/// Depth: further hidden layers of ``Compact`` are identities in front of the last convolution (PReLU with slope 1, or
/// ReLU, which changes nothing behind a ReLU); further residual blocks end in zeros. Width: further channels are fresh,
/// but what the old ones take from them starts at zero. Either way all new weights receive gradients, at once or after
/// the first step.
package enum Growth {
    /// - Parameters:
    ///   - saved: the small network's weights.
    ///   - scale: for architectures whose weights do not tell it.
    ///   - fresh: the large network's weights before any training.
    /// - Returns: weights under the large network's keys; without those of a last convolution whose scale differs. Nil where
    ///   nothing needs to grow, or the networks differ in more than size.
    package static func grown(_ saved: StateDict, scale: Int, into network: Network, fresh: StateDict) -> StateDict? {
        guard let small = try? Architectures.makeNetwork(for: saved, scale: scale), small.network.architecture == network.architecture else { return nil }
        guard small.network.parameters != network.parameters, (try? Model(name: "small", network: small.network, weights: small.weights)) != nil else { return nil }
        let deep = deepened(small.weights, from: small.network, to: network, fresh: fresh) ?? small.weights
        guard let same = try? Architectures.makeNetwork(for: deep, scale: scale), same.network.operations.count == network.operations.count else { return nil }
        guard let result = widened(deep, from: same.network, to: network, fresh: fresh) else { return nil }
        // Where only the scale differs nothing has grown.
        return result.allSatisfy { saved[$0.key] == $0.value } ? nil : result
    }

    // MARK: Depth

    /// Weights of a network as deep as `large`, but as wide as `small`; nil where it is not deeper.
    private static func deepened(_ weights: StateDict, from small: Network, to large: Network, fresh: StateDict) -> StateDict? {
        switch small.architecture {
        case Compact.name:
            guard let old = try? Compact(weights: weights, scale: small.scale), let new = try? Compact(weights: fresh, scale: large.scale),
                new.convolutions > old.convolutions, let width = small.operations.compactMap(\.convolution).first?.outputs
            else { return nil }
            var result = weights
            let (oldLast, newLast) = (2 * old.convolutions + 2, 2 * new.convolutions + 2)
            for name in ["weight", "bias"] {
                result["body.\(oldLast).\(name)"] = nil
                result["body.\(newLast).\(name)"] = weights["body.\(oldLast).\(name)"]
            }
            for layer in stride(from: oldLast, to: newLast, by: 2) {
                var kernel = Tensor.zeros([width, width, 3, 3])
                for channel in 0..<width { kernel.values[(channel * width + channel) * 9 + 4] = 1 }
                result["body.\(layer).weight"] = kernel
                result["body.\(layer).bias"] = .zeros([width])
                if old.activation == .prelu { result["body.\(layer + 1).weight"] = Tensor(shape: [width], values: [Float](repeating: 1, count: width)) }
            }
            return result
        case MSRResNet.name, EDSR.name:
            func blocks(_ weights: StateDict) -> Int { (0...).first { weights["body.\($0).conv1.weight"] == nil } ?? 0 }
            let (old, new) = (blocks(weights), blocks(fresh))
            // A network without slopes is to get blocks without.
            let hasSlopes = weights["body.0.act.weight"] != nil
            guard new > old, let example = weights["body.0.conv1.weight"]?.shape, example.count == 4 else { return nil }
            var result = weights
            for block in old..<new {
                guard let kernel = fresh["body.\(block).conv1.weight"]?.corner(example) else { return nil }
                result["body.\(block).conv1.weight"] = kernel
                result["body.\(block).conv1.bias"] = .zeros([example[0]])
                result["body.\(block).conv2.weight"] = .zeros(example)
                result["body.\(block).conv2.bias"] = .zeros([example[0]])
                if hasSlopes { result["body.\(block).act.weight"] = .zeros([example[0]]) }
            }
            return result
        default: return nil
        }
    }

    // MARK: Width

    /// Walks both networks side by side. For every value it is known which of the large network's channels carry which of
    /// the small one's; kernels are placed accordingly. Nil where the networks do not run side by side.
    private static func widened(_ weights: StateDict, from small: Network, to large: Network, fresh: StateDict) -> StateDict? {
        var result = StateDict()
        /// By value: for each of the small network's channels, the large network's.
        var places: [[Int]] = []
        for (index, (old, new)) in zip(small.operations, large.operations).enumerated() {
            guard old.operands == new.operands else { return nil }
            let inputs = new.operands.map { places[$0.index] }
            var place = inputs.first ?? Array(0..<small.shapes[index].channels)
            switch (old, new) {
            case (.convolution(_, let a), .convolution(_, let b)):
                guard a.key == b.key, a.kernelHeight == b.kernelHeight, a.kernelWidth == b.kernelWidth, a.groups == b.groups, a.stride == b.stride,
                    a.hasBias == b.hasBias, a.outputs <= b.outputs, a.groups == 1 || a == b
                else { return nil }
                place = Array(0..<a.outputs)
                // What is shuffled into another number of pixels has no counterpart.
                if let shuffled = small.shuffle(of: index), shuffled != large.shuffle(of: index) { break }
                guard let kernel = weights[a.key + ".weight"], let wide = fresh[b.key + ".weight"] else { return nil }
                result[b.key + ".weight"] = a == b ? kernel : wide.placing(kernel, columns: inputs[0])
                if a.hasBias, let bias = weights[a.key + ".bias"], let wide = fresh[b.key + ".bias"] {
                    result[b.key + ".bias"] = wide.placing(bias, at: place)
                }
            case (.prelu(_, let key, let channels), .prelu(_, let other, _)) where key == other:
                guard let slopes = weights[key + ".weight"], let wide = fresh[key + ".weight"] else { return nil }
                result[key + ".weight"] = wide.placing(slopes, at: channels == 1 ? [0] : place)
            case (.activation(_, .relu), .prelu(_, let key, let channels)): result[key + ".weight"] = .zeros([channels])
            case (.normalise(_, let a), .normalise(_, let b)):
                guard a.key == b.key, a.kind == .batch || a == b else { return nil }
                for name in ["weight", "bias", "running_mean", "running_var"] {
                    if let values = weights["\(a.key).\(name)"], let wide = fresh["\(a.key).\(name)"] {
                        result["\(a.key).\(name)"] = wide.placing(values, at: place)
                    }
                }
            case (.concatenate(let parts), .concatenate):
                place = []
                var first = 0
                for part in parts {
                    place += places[part.index].map { $0 + first }
                    first += large.shapes[part.index].channels
                }
            // Channels that a shuffle gives are those that its convolution made, in order.
            case (.pixelShuffle, .pixelShuffle): place = Array(0..<small.shapes[index].channels)
            case (.pixelUnshuffle(_, let factor), .pixelUnshuffle(_, let other)) where factor == other:
                place = place.flatMap { channel in (0..<(factor * factor)).map { channel * factor * factor + $0 } }
            case (.add, .add), (.multiply, .multiply):
                if inputs[1].count > place.count { place = inputs[1] }
            case (.input, .input): if let marker = old.parameters.first?.key { result[marker] = weights[marker] }
            case (.leakyReLU, .leakyReLU), (.activation, .activation), (.scale, .scale), (.shift, .shift), (.enlarge, .enlarge): break
            default: return nil
            }
            places.append(place)
        }
        return result
    }
}

extension Operation {
    fileprivate var convolution: Convolution? { if case .convolution(_, let c) = self { c } else { nil } }
}

extension Network {
    /// The factor of a pixel shuffle that reads the value.
    fileprivate func shuffle(of index: Int) -> Int? {
        for operation in operations {
            if case .pixelShuffle(let x, let factor) = operation, x.index == index { return factor }
        }
        return nil
    }
}

extension Tensor {
    fileprivate static func zeros(_ shape: [Int]) -> Tensor { Tensor(shape: shape, values: [Float](repeating: 0, count: shape.reduce(1, *))) }

    /// The first outputs and inputs of a kernel.
    fileprivate func corner(_ size: [Int]) -> Tensor? {
        guard shape.count == 4, size.count == 4, shape[0] >= size[0], shape[1] >= size[1], shape[2...] == size[2...] else { return nil }
        let taps = shape[2] * shape[3]
        var result = Tensor.zeros(size)
        for o in 0..<size[0] {
            for i in 0..<(size[1] * taps) { result.values[o * size[1] * taps + i] = values[o * shape[1] * taps + i] }
        }
        return result
    }

    /// This kernel with a smaller one's rows in its first rows: in the columns given, zeros in the others.
    fileprivate func placing(_ kernel: Tensor, columns: [Int]) -> Tensor {
        let (inputs, taps) = (shape[1], shape[2] * shape[3])
        var result = self
        for o in 0..<kernel.shape[0] {
            for i in 0..<(inputs * taps) { result.values[o * inputs * taps + i] = 0 }
            for (i, column) in columns.enumerated() {
                for tap in 0..<taps { result.values[(o * inputs + column) * taps + tap] = kernel.values[(o * columns.count + i) * taps + tap] }
            }
        }
        return result
    }

    /// This vector with a smaller one's values at the places given.
    fileprivate func placing(_ vector: Tensor, at places: [Int]) -> Tensor {
        var result = self
        for (value, place) in zip(vector.values, places) { result.values[place] = value }
        return result
    }
}
