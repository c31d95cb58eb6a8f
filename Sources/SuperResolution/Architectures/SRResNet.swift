// SRResNet: the generator of SRGAN (Ledig et al. 2017): residual blocks with batch norm, as first published.

/// SRResNet: 9×9 convolution, `blocks` × (convolution, batch norm, PReLU, convolution, batch norm, sum), convolution, batch
/// norm, sum, up-sampling by pixel shuffle, 9×9 convolution. RGB only; every PReLU has one slope for all channels.
///
/// Keys of Lornatang's SRGAN-PyTorch (`conv1.0`, `trunk.0.rcb.0`, `conv2.0`, `upsampling.0.upsample_block.0`, `conv3`); its
/// older names (`conv_block1` to `conv_block3`) are renamed. Engines fold batch norm into the convolution before it.
/// Trained here, the running statistics stay what they were: ``MSRResNet`` is the form to train.
public struct SRResNet: Architecture {
    public var features: Int
    /// Residual blocks.
    public var blocks: Int
    /// 3 or a power of two up to 16.
    public var scale: Int

    public init(features: Int = 64, blocks: Int = 16, scale: Int) {
        self.features = features
        self.blocks = blocks
        self.scale = scale
    }

    public static let name = "SRResNet"

    public static func detects(_ weights: StateDict) -> Bool {
        let weights = canonical(weights)
        return weights.rank("conv1.0.weight") == 4 && weights.rank("trunk.0.rcb.0.weight") == 4 && weights.rank("conv3.weight") == 4
    }

    public static func canonical(_ weights: StateDict) -> StateDict {
        guard weights["trunk.0.rcb.0.weight"] != nil else { return weights }
        var result = StateDict()
        for key in weights.keys.sorted() where !key.hasSuffix(".num_batches_tracked") {
            let new = key.hasPrefix("conv_block") ? "conv" + key.dropFirst(10) : key
            result[result[new] == nil ? new : key] = weights[key]
        }
        return result
    }

    public init(weights: StateDict, scale: Int?) throws {
        let features = try weights.shape("conv1.0.weight", rank: 4)[0]
        var factors: [Int] = []
        while weights["upsampling.\(factors.count).upsample_block.0.weight"] != nil, factors.count < 8 {
            let key = "upsampling.\(factors.count).upsample_block.0.weight"
            factors.append(try weights.pixelShuffleFactor(key, from: try weights.shape(key, rank: 4)[0], to: features))
        }
        guard factors == [3] || factors.allSatisfy({ $0 == 2 }) else {
            throw AcuityError(.weights, "SRResNet enlarges by \(factors), which it never does")
        }
        self.init(features: features, blocks: weights.count { "trunk.\($0).rcb.0.weight" }, scale: factors.reduce(1, *))
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            features: try hyperparameters.number("features", default: 64), blocks: try hyperparameters.number("blocks", default: 16), scale: scale)
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("blocks", blocks, in: 1...1024)
        guard [1, 2, 3, 4, 8, 16].contains(scale) else { throw AcuityError(.network, "SRResNet has scales 1, 2, 3, 4, 8 and 16, not \(scale)") }

        var net = NetworkBuilder(inputChannels: 3)
        let shallow = net.prelu(net.convolution(net.input, "conv1.0", outputs: features, kernel: 9), "conv1.1", shared: true)
        var x = shallow
        for block in 0..<blocks {
            let key = "trunk.\(block).rcb"
            var y = net.normalise(net.convolution(x, "\(key).0", outputs: features, bias: false), "\(key).1", .batch)
            y = net.prelu(y, "\(key).2", shared: true)
            y = net.normalise(net.convolution(y, "\(key).3", outputs: features, bias: false), "\(key).4", .batch)
            x = net.add(y, x)
        }
        x = net.normalise(net.convolution(x, "conv2.0", outputs: features, bias: false), "conv2.1", .batch)
        x = net.add(x, shallow)
        let steps = scale == 3 ? [3] : [Int](repeating: 2, count: scale.trailingZeroBitCount)
        for (index, step) in steps.enumerated() {
            let key = "upsampling.\(index).upsample_block"
            x = net.pixelShuffle(net.convolution(x, "\(key).0", outputs: features * step * step), step)
            x = net.prelu(x, "\(key).2", shared: true)
        }
        x = net.convolution(x, "conv3", outputs: 3, kernel: 9)
        return try net.finish(x, architecture: Self.name)
    }
}
