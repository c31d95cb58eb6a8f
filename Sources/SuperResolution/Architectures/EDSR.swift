// EDSR: Lim et al. 2017: residual blocks without batch norm around a long skip, on pixels freed of the mean colour.

/// EDSR: mean colour off, convolution, `blocks` × (convolution, ReLU, convolution, sum), convolution, sum, up-sampling by
/// pixel shuffle, convolution, mean colour on. RGB only.
///
/// Keys of BasicSR (`conv_first`, `body.0.conv1`, `conv_after_body`, `upsample.0`, `conv_last`); those of the authors'
/// code (`head.0`, `body.0.body.0`, `tail.0.0`, `tail.1`) are renamed. Pixels are scaled to 0…255 inside, as there.
public struct EDSR: Architecture {
    /// Channels of the trunk: 64 for the baseline, 256 for the large network.
    public var features: Int
    /// Residual blocks: 16 for the baseline, 32 for the large network.
    public var blocks: Int
    /// 3 or a power of two up to 16.
    public var scale: Int

    public init(features: Int = 64, blocks: Int = 16, scale: Int) {
        self.features = features
        self.blocks = blocks
        self.scale = scale
    }

    public static let name = "EDSR"

    /// What a block is scaled by before it is added. Weights do not tell it; the published rule is 1, but 0.1 for 256
    /// features (section 3.3 of the paper).
    public var residualScale: Float { features >= 256 ? 0.1 : 1 }

    public static func detects(_ weights: StateDict) -> Bool {
        let weights = canonical(weights)
        return weights.rank("conv_first.weight") == 4 && weights.rank("body.0.conv1.weight") == 4
            && weights.rank("conv_after_body.weight") == 4 && weights.rank("conv_last.weight") == 4
    }

    public init(weights: StateDict, scale: Int?) throws {
        let features = try weights.shape("conv_first.weight", rank: 4)[0]
        var factors: [Int] = []
        while weights["upsample.\(2 * factors.count).weight"] != nil, factors.count < 8 {
            let key = "upsample.\(2 * factors.count).weight"
            factors.append(try weights.pixelShuffleFactor(key, from: try weights.shape(key, rank: 4)[0], to: features))
        }
        guard factors == [3] || factors.allSatisfy({ $0 == 2 }) else {
            throw AcuityError(.weights, "EDSR enlarges by \(factors), which it never does")
        }
        self.init(features: features, blocks: weights.count { "body.\($0).conv1.weight" }, scale: factors.reduce(1, *))
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            features: try hyperparameters.number("features", default: 64), blocks: try hyperparameters.number("blocks", default: 16), scale: scale)
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("blocks", blocks, in: 1...1024)
        guard [1, 2, 3, 4, 8, 16].contains(scale) else { throw AcuityError(.network, "EDSR has scales 1, 2, 3, 4, 8 and 16, not \(scale)") }

        var net = NetworkBuilder(inputChannels: 3)
        var x = net.scale(net.shift(net.input, by: meanColour.map { -$0 }), by: 255)
        let shallow = net.convolution(x, "conv_first", outputs: features)
        x = shallow
        for block in 0..<blocks { x = net.residualBlock(x, "body.\(block)", scale: residualScale) }
        x = net.add(net.convolution(x, "conv_after_body", outputs: features), shallow)
        let steps = scale == 3 ? [3] : [Int](repeating: 2, count: scale.trailingZeroBitCount)
        for (index, step) in steps.enumerated() {
            x = net.pixelShuffle(net.convolution(x, "upsample.\(2 * index)", outputs: features * step * step), step)
        }
        x = net.convolution(x, "conv_last", outputs: 3)
        x = net.shift(net.scale(x, by: 1 / 255), by: meanColour)
        return try net.finish(x, architecture: Self.name)
    }

    // MARK: The authors' keys

    /// Renames `head.0`, `body.3.body.0` and `body.3.body.2`, `body.16`, `tail.0.0` and `tail.1`; where `sub_mean` says that
    /// pixels were not scaled to 0…255, the first and the last convolution are scaled instead.
    public static func canonical(_ weights: StateDict) -> StateDict {
        guard weights["head.0.weight"] != nil, weights["body.0.body.0.weight"] != nil, weights["tail.0.0.weight"] != nil else { return weights }
        var result = StateDict()
        for (key, tensor) in weights {
            let parts = key.split(separator: ".", omittingEmptySubsequences: false)
            var new = key
            switch (parts.first, parts.count) {
            case ("sub_mean", 2), ("add_mean", 2): continue
            case ("head", 3) where parts[1] == "0": new = "conv_first.\(parts[2])"
            case ("body", 5) where parts[2] == "body" && parts[3] == "0": new = "body.\(parts[1]).conv1.\(parts[4])"
            case ("body", 5) where parts[2] == "body" && parts[3] == "2": new = "body.\(parts[1]).conv2.\(parts[4])"
            case ("body", 3): new = "conv_after_body.\(parts[2])"
            case ("tail", 4) where parts[1] == "0": new = "upsample.\(parts[2]).\(parts[3])"
            case ("tail", 3) where parts[1] == "1": new = "conv_last.\(parts[2])"
            default: break
            }
            result[new] = tensor
        }
        if let bias = weights["sub_mean.bias"]?.values.first, bias < 0 {
            let range = -bias / meanColour[0]
            if abs(range - 255) > 0.5 {
                result["conv_first.weight"]?.scale(by: range / 255)
                for key in ["conv_last.weight", "conv_last.bias"] { result[key]?.scale(by: 255 / range) }
            }
        }
        return result
    }
}

/// R, G, B of the mean of DIV2K, which EDSR, RCAN and SPAN subtract.
let meanColour: [Float] = [0.4488, 0.4371, 0.4040]

extension Tensor {
    mutating func scale(by factor: Float) {
        for index in values.indices { values[index] *= factor }
    }
}
