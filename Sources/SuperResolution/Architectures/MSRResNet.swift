// MSRResNet: the modified SRResNet of BasicSR (Wang et al. 2018), residual blocks without batch norm over a bilinear base.

/// MSRResNet: convolution, `blocks` × (convolution, ReLU, convolution, sum), up-sampling by pixel shuffle, two
/// convolutions, plus the bilinear enlargement of the picture. Keys of BasicSR.
///
/// The `direct` ending is ours, for speed: all work is done on the small picture, whose last convolution is
/// pixel-shuffled once and added to the nearest enlargement, as in ``Compact``. PReLU in the blocks (keys `body.N.act.weight`)
/// is ours too: its channels cannot die, as ReLU's do under large steps. Neither has published weights.
public struct MSRResNet: Architecture {
    public enum Ending: String, Sendable, Hashable, CaseIterable {
        /// As published: `upconv1`, `upconv2`, `conv_hr`, `conv_last`.
        case staged
        /// `conv_last` and one pixel shuffle.
        case direct
    }

    /// What follows the first convolution of a residual block.
    public enum Activation: String, Sendable, Hashable, CaseIterable {
        /// As published.
        case relu
        /// One slope a channel (He et al. 2015), ours.
        case prelu
    }

    /// Channels of the trunk.
    public var features: Int
    /// Residual blocks.
    public var blocks: Int
    /// 2, 3 or 4; any for the direct ending.
    public var scale: Int
    public var ending: Ending
    /// In the residual blocks.
    public var activation: Activation
    /// 3 (RGB) or 1 (luma).
    public var channels: Int

    public init(
        features: Int = 64, blocks: Int = 16, scale: Int, ending: Ending = .staged, activation: Activation = .relu, channels: Int = 3
    ) {
        self.features = features
        self.blocks = blocks
        self.scale = scale
        self.ending = ending
        self.activation = activation
        self.channels = channels
    }

    public static let name = "MSRResNet"

    public static func detects(_ weights: StateDict) -> Bool {
        weights.rank("conv_first.weight") == 4 && weights.rank("body.0.conv1.weight") == 4 && weights.rank("conv_last.weight") == 4
            && weights["conv_after_body.weight"] == nil
    }

    public init(weights: StateDict, scale: Int?) throws {
        let first = try weights.shape("conv_first.weight", rank: 4)
        let last = try weights.shape("conv_last.weight", rank: 4)
        let (features, channels) = (first[0], first[1])
        let blocks = weights.count { "body.\($0).conv1.weight" }
        let activation: Activation = weights.keys.contains { $0.hasSuffix(".act.weight") } ? .prelu : .relu
        if weights["upconv1.weight"] == nil {
            let scale = try weights.pixelShuffleFactor("conv_last.weight", from: last[0], to: channels)
            self.init(features: features, blocks: blocks, scale: scale, ending: .direct, activation: activation, channels: channels)
        } else {
            let up = try weights.shape("upconv1.weight", rank: 4)
            let factor = try weights.pixelShuffleFactor("upconv1.weight", from: up[0], to: features)
            self.init(
                features: features, blocks: blocks, scale: weights["upconv2.weight"] == nil ? factor : factor * factor, activation: activation,
                channels: channels)
        }
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            features: try hyperparameters.number("features", default: 64), blocks: try hyperparameters.number("blocks", default: 16), scale: scale,
            ending: try hyperparameters.word("ending", default: .staged), activation: try hyperparameters.word("activation", default: .relu),
            channels: try hyperparameters.number("channels", default: 3))
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("blocks", blocks, in: 1...1024)
        try require("scale", scale, in: ending == .direct ? networkScales : 2...4)
        let colour = try Network.Colour(channels: channels)

        var net = NetworkBuilder(inputChannels: channels)
        var x = net.leakyReLU(net.convolution(net.input, "conv_first", outputs: features), slope: 0.1)
        for block in 0..<blocks { x = net.residualBlock(x, "body.\(block)", prelu: activation == .prelu) }
        switch ending {
        case .direct:
            x = net.pixelShuffle(net.convolution(x, "conv_last", outputs: channels * scale * scale), scale)
            x = net.add(x, net.enlarge(net.input, scale, .nearest))
        case .staged:
            let steps = scale == 4 ? [2, 2] : [scale]
            for (index, step) in steps.enumerated() {
                x = net.pixelShuffle(net.convolution(x, "upconv\(index + 1)", outputs: features * step * step), step)
                x = net.leakyReLU(x, slope: 0.1)
            }
            x = net.leakyReLU(net.convolution(x, "conv_hr", outputs: features), slope: 0.1)
            x = net.convolution(x, "conv_last", outputs: channels)
            x = net.add(x, net.enlarge(net.input, scale, .bilinear))
        }
        return try net.finish(x, architecture: Self.name, colour: colour)
    }
}
