// Compact: SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021), a plain stack of 3×3 convolutions with a pixel shuffle.

/// SRVGGNetCompact: `convolution, activation` ×(convolutions + 1), convolution, pixel shuffle, plus the nearest
/// enlargement of the picture.
public struct Compact: Architecture {
    public enum Activation: String, Sendable, Hashable, CaseIterable {
        case prelu, relu, leakyrelu
    }

    /// Channels of the hidden layers.
    public var features: Int
    /// Hidden convolutions between the first and the last.
    public var convolutions: Int
    public var scale: Int
    public var activation: Activation
    /// 3 (RGB) or 1 (luma).
    public var channels: Int

    public init(features: Int = 64, convolutions: Int = 16, scale: Int, activation: Activation = .prelu, channels: Int = 3) {
        self.features = features
        self.convolutions = convolutions
        self.scale = scale
        self.activation = activation
        self.channels = channels
    }

    public static let name = "Compact"

    public static func detects(_ weights: StateDict) -> Bool {
        weights.rank("body.0.weight") == 4 && weights.rank("body.2.weight") == 4
            && weights.keys.allSatisfy { layer(of: $0) != nil }
    }

    public init(weights: StateDict, scale: Int?) throws {
        let first = try weights.shape("body.0.weight", rank: 4)
        // Even layers are convolutions; odd ones hold the slopes of PReLU, or nothing.
        let last = weights.keys.compactMap(Self.layer(of:)).filter { $0 % 2 == 0 }.max() ?? 0
        let outputs = try weights.shape("body.\(last).weight", rank: 4)[0]
        let scale = try weights.pixelShuffleFactor("body.\(last).weight", from: outputs, to: first[1])
        self.init(
            features: first[0], convolutions: last / 2 - 1, scale: scale,
            activation: weights["body.1.weight"] == nil ? .relu : .prelu, channels: first[1])
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            features: try hyperparameters.number("features", default: 64),
            convolutions: try hyperparameters.number("convolutions", default: 16), scale: scale,
            activation: try hyperparameters.word("activation", default: .prelu),
            channels: try hyperparameters.number("channels", default: 3))
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("convolutions", convolutions, in: 0...1024)
        try require("scale", scale, in: networkScales)
        let colour = try Network.Colour(channels: channels)

        var net = NetworkBuilder(inputChannels: channels)
        var x = net.input
        for layer in 0...convolutions {
            x = net.convolution(x, "body.\(2 * layer)", outputs: features)
            switch activation {
            case .prelu: x = net.prelu(x, "body.\(2 * layer + 1)")
            case .relu: x = net.activation(x, .relu)
            case .leakyrelu: x = net.leakyReLU(x, slope: 0.1)
            }
        }
        x = net.convolution(x, "body.\(2 * convolutions + 2)", outputs: channels * scale * scale)
        x = net.pixelShuffle(x, scale)
        x = net.add(x, net.enlarge(net.input, scale, .nearest))
        return try net.finish(x, architecture: Self.name, colour: colour)
    }

    /// 12 for `body.12.weight`.
    private static func layer(of key: String) -> Int? {
        let parts = key.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "body", parts[2] == "weight" || parts[2] == "bias",
            let layer = Int(parts[1]), (0...4096).contains(layer)
        else { return nil }
        return layer
    }
}
