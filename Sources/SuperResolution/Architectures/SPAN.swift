// SPAN: Wan et al. 2024: six blocks of three convolutions, each gated by a sigmoid of its own result, without parameters.

/// SPAN (Swift Parameter-free Attention Network).
///
/// The authors train every 3×3 convolution as a `Conv3XC`: 1×1 → 3×3 → 1×1 beside a 1×1 skip (`sk`, `conv.0…2`), which is
/// one 3×3 convolution; ``canonical(_:)`` merges it into the `eval_conv` that this network reads, and
/// ``published(_:)`` writes it out again for programs that look for the branches.
public struct SPAN: Architecture {
    /// Channels: 48, or 52 for the larger published network.
    public var features: Int
    public var scale: Int
    /// Whether the mean colour is subtracted and pixels are scaled to 0…255; the marker `no_norm` says not.
    public var norm: Bool

    public init(features: Int = 48, scale: Int, norm: Bool = true) {
        self.features = features
        self.scale = scale
        self.norm = norm
    }

    public static let name = "SPAN"

    /// Every convolution that is trained as a `Conv3XC`.
    static let merged = ["conv_1", "conv_2"] + (1...6).flatMap { block in (1...3).map { "block_\(block).c\($0)_r" } }

    public static func detects(_ weights: StateDict) -> Bool {
        func has(_ key: String) -> Bool { weights.rank(key + ".eval_conv.weight") == 4 || weights.rank(key + ".sk.weight") == 4 }
        return has("conv_1") && has("block_1.c1_r") && weights.rank("conv_cat.weight") == 4 && weights.rank("upsampler.0.weight") == 4
    }

    public init(weights: StateDict, scale: Int?) throws {
        let first = try weights.shape("conv_1.eval_conv.weight", rank: 4)
        let last = try weights.shape("upsampler.0.weight", rank: 4)
        self.init(
            features: first[0], scale: try weights.pixelShuffleFactor("upsampler.0.weight", from: last[0], to: 3), norm: weights["no_norm"] == nil)
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        enum Choice: String, CaseIterable { case yes, no }
        self.init(
            features: try hyperparameters.number("features", default: 48), scale: scale,
            norm: try hyperparameters.word("norm", default: Choice.yes) == .yes)
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("scale", scale, in: networkScales)

        var net = NetworkBuilder(inputChannels: 3, marker: norm ? nil : "no_norm")
        var x = net.input
        if norm { x = net.scale(net.shift(x, by: meanColour.map { -$0 }), by: 255) }
        let shallow = net.convolution(x, "conv_1.eval_conv", outputs: features)
        x = shallow
        var (first, inner) = (shallow, shallow)
        for block in 1...6 {
            (x, inner) = attention(&net, x, "block_\(block)")
            if block == 1 { first = x }
        }
        x = net.convolution(x, "conv_2.eval_conv", outputs: features)
        x = net.convolution(net.concatenate([shallow, x, first, inner]), "conv_cat", outputs: features, kernel: 1)
        x = net.pixelShuffle(net.convolution(x, "upsampler.0", outputs: 3 * scale * scale), scale)
        return try net.finish(x, architecture: Self.name)
    }

    /// `(y + x) · (sigmoid(y) − ½)` for y made of x by three convolutions with SiLU between; also what the first of them
    /// gave, after SiLU, for the authors' SiLU works in place.
    private func attention(_ net: inout NetworkBuilder, _ x: Network.Value, _ key: String) -> (Network.Value, inner: Network.Value) {
        let inner = net.activation(net.convolution(x, "\(key).c1_r.eval_conv", outputs: features), .silu)
        var y = net.activation(net.convolution(inner, "\(key).c2_r.eval_conv", outputs: features), .silu)
        y = net.convolution(y, "\(key).c3_r.eval_conv", outputs: features)
        let gate = net.scale(net.activation(y, .sigmoid), by: 1, offset: -0.5)
        return (net.multiply(net.add(y, x), gate), inner)
    }

    // MARK: Branches

    /// Merges the branches of every `Conv3XC`. An `eval_conv` that lies beside its branches is ignored: the authors compute
    /// it anew before each use, and in a file it may be stale.
    public static func canonical(_ weights: StateDict) -> StateDict {
        var result = weights
        for key in merged {
            let names = ["sk", "conv.0", "conv.1", "conv.2"].flatMap { ["\(key).\($0).weight", "\(key).\($0).bias"] }
            guard let branches = Conv3XC(weights, key) else { continue }
            for name in names { result[name] = nil }
            (result["\(key).eval_conv.weight"], result["\(key).eval_conv.bias"]) = branches.merged
        }
        return result
    }

    /// The merged weights in the authors' layout with a gain of 2: each kernel lies in the first channels of `conv.1`,
    /// between two 1×1 identities, and beside a skip of zeros. Six times as large, the same picture.
    public static func published(_ weights: StateDict) -> StateDict {
        var result = weights
        for key in merged {
            guard let kernel = weights["\(key).eval_conv.weight"], let bias = weights["\(key).eval_conv.bias"], kernel.shape.count == 4 else { continue }
            result.merge(Conv3XC.unmerged(kernel: kernel, bias: bias, key: key)) { _, new in new }
        }
        return result
    }
}

/// The branches of one `Conv3XC` as matrices: `skip` and `first` have one column per input, `last` one row per output.
private struct Conv3XC {
    let skip: Tensor, skipBias: Tensor
    let first: Tensor, firstBias: Tensor
    let middle: Tensor, middleBias: Tensor
    let last: Tensor, lastBias: Tensor

    /// Nil where a tensor is missing or does not fit.
    init?(_ weights: StateDict, _ key: String) {
        guard let skip = weights["\(key).sk.weight"], let skipBias = weights["\(key).sk.bias"],
            let first = weights["\(key).conv.0.weight"], let firstBias = weights["\(key).conv.0.bias"],
            let middle = weights["\(key).conv.1.weight"], let middleBias = weights["\(key).conv.1.bias"],
            let last = weights["\(key).conv.2.weight"], let lastBias = weights["\(key).conv.2.bias"],
            skip.shape.count == 4, middle.shape.count == 4
        else { return nil }
        let (outputs, inputs, wideOutputs, wideInputs) = (skip.shape[0], skip.shape[1], middle.shape[0], middle.shape[1])
        guard skip.shape == [outputs, inputs, 1, 1], skipBias.shape == [outputs], first.shape == [wideInputs, inputs, 1, 1],
            firstBias.shape == [wideInputs], middle.shape == [wideOutputs, wideInputs, 3, 3], middleBias.shape == [wideOutputs],
            last.shape == [outputs, wideOutputs, 1, 1], lastBias.shape == [outputs],
            max(outputs, inputs, wideOutputs, wideInputs) <= 2048  // Beyond that a file would cost hours to merge.
        else { return nil }
        (self.skip, self.skipBias, self.first, self.firstBias) = (skip, skipBias, first, firstBias)
        (self.middle, self.middleBias, self.last, self.lastBias) = (middle, middleBias, last, lastBias)
    }

    /// `last · middle · first + skip` tap by tap, in double precision.
    var merged: (kernel: Tensor, bias: Tensor) {
        let (outputs, inputs, wideOutputs, wideInputs) = (skip.shape[0], skip.shape[1], middle.shape[0], middle.shape[1])
        // middle · first: (wideOutputs, inputs, 9), and what the first bias comes to.
        var inner = [Double](repeating: 0, count: wideOutputs * inputs * 9)
        var innerBias = middleBias.values.map(Double.init)
        for o in 0..<wideOutputs {
            for m in 0..<wideInputs {
                for tap in 0..<9 {
                    let weight = Double(middle.values[(o * wideInputs + m) * 9 + tap])
                    innerBias[o] += weight * Double(firstBias.values[m])
                    for i in 0..<inputs { inner[(o * inputs + i) * 9 + tap] += weight * Double(first.values[m * inputs + i]) }
                }
            }
        }
        var kernel = [Double](repeating: 0, count: outputs * inputs * 9)
        var bias = zip(skipBias.values, lastBias.values).map { Double($0) + Double($1) }
        for o in 0..<outputs {
            for m in 0..<wideOutputs {
                let weight = Double(last.values[o * wideOutputs + m])
                bias[o] += weight * innerBias[m]
                for i in 0..<(inputs * 9) { kernel[o * inputs * 9 + i] += weight * inner[m * inputs * 9 + i] }
            }
            for i in 0..<inputs { kernel[(o * inputs + i) * 9 + 4] += Double(skip.values[o * inputs + i]) }
        }
        return (Tensor(shape: [outputs, inputs, 3, 3], values: kernel.map { Float($0) }), Tensor(shape: [outputs], values: bias.map { Float($0) }))
    }

    static func unmerged(kernel: Tensor, bias: Tensor, key: String) -> StateDict {
        let (outputs, inputs, gain) = (kernel.shape[0], kernel.shape[1], 2)
        func zeros(_ shape: Int...) -> Tensor { Tensor(shape: shape, values: [Float](repeating: 0, count: shape.reduce(1, *))) }
        var first = zeros(gain * inputs, inputs, 1, 1), last = zeros(outputs, gain * outputs, 1, 1)
        for i in 0..<inputs { first.values[i * inputs + i] = 1 }
        for o in 0..<outputs { last.values[o * gain * outputs + o] = 1 }
        var middle = zeros(gain * outputs, gain * inputs, 3, 3)
        for o in 0..<outputs {
            for i in 0..<(inputs * 9) { middle.values[o * gain * inputs * 9 + i] = kernel.values[o * inputs * 9 + i] }
        }
        return [
            "\(key).sk.weight": zeros(outputs, inputs, 1, 1), "\(key).sk.bias": zeros(outputs),
            "\(key).conv.0.weight": first, "\(key).conv.0.bias": zeros(gain * inputs),
            "\(key).conv.1.weight": middle, "\(key).conv.1.bias": zeros(gain * outputs),
            "\(key).conv.2.weight": last, "\(key).conv.2.bias": bias,
        ]
    }
}
