// FSRCNN: Dong, Loy, Tang 2016: SRCNN moved to the small picture, with a transposed convolution at the end.

/// FSRCNN(d, s, m): feature extraction 5×5, shrinking 1×1, `mappings` × mapping 3×3, expanding 1×1, deconvolution 9×9.
///
/// Keys of the common PyTorch code: `first_part`, `mid_part`, `last_part`. The weights do not tell the scale.
public struct FSRCNN: Architecture {
    /// d: channels before shrinking and after expanding.
    public var features: Int
    /// s: channels of the mapping layers.
    public var shrunk: Int
    /// m: number of mapping layers.
    public var mappings: Int
    public var scale: Int
    /// 1 (luma, as in the paper) or 3 (RGB).
    public var channels: Int

    public init(features: Int = 56, shrunk: Int = 12, mappings: Int = 4, scale: Int, channels: Int = 1) {
        self.features = features
        self.shrunk = shrunk
        self.mappings = mappings
        self.scale = scale
        self.channels = channels
    }

    public static let name = "FSRCNN"

    public static func detects(_ weights: StateDict) -> Bool {
        weights.rank("first_part.0.weight") == 4 && weights.rank("mid_part.0.weight") == 4 && weights.rank("last_part.weight") == 4
    }

    public init(weights: StateDict, scale: Int?) throws {
        let first = try weights.shape("first_part.0.weight", rank: 4)
        let shrink = try weights.shape("mid_part.0.weight", rank: 4)
        // mid_part: shrink, PReLU, (map, PReLU) × m, expand, PReLU: every even layer is a convolution.
        var layers = 0
        while weights["mid_part.\(2 * layers).weight"] != nil { layers += 1 }
        guard layers >= 2 else { throw AcuityError(.weights, "mid_part has \(layers) convolutions, at least 2 are needed") }
        guard let scale else {
            throw AcuityError(.usage, "FSRCNN weights do not tell their scale; give it")
        }
        self.init(features: first[0], shrunk: shrink[0], mappings: layers - 2, scale: scale, channels: first[1])
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            features: try hyperparameters.number("features", default: 56), shrunk: try hyperparameters.number("shrunk", default: 12),
            mappings: try hyperparameters.number("mappings", default: 4), scale: scale,
            channels: try hyperparameters.number("channels", default: 1))
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("shrunk", shrunk, in: 1...4096)
        try require("mappings", mappings, in: 0...1024)
        try require("scale", scale, in: networkScales)
        let colour = try Network.Colour(channels: channels)

        var net = NetworkBuilder(inputChannels: channels)
        var x = net.prelu(net.convolution(net.input, "first_part.0", outputs: features, kernel: 5), "first_part.1")
        x = net.prelu(net.convolution(x, "mid_part.0", outputs: shrunk, kernel: 1), "mid_part.1")
        for layer in 1..<(mappings + 1) {
            x = net.prelu(net.convolution(x, "mid_part.\(2 * layer)", outputs: shrunk), "mid_part.\(2 * layer + 1)")
        }
        let expand = 2 * (mappings + 1)
        x = net.prelu(net.convolution(x, "mid_part.\(expand)", outputs: features, kernel: 1), "mid_part.\(expand + 1)")
        x = net.transposedConvolution(x, "last_part", outputs: channels, kernel: 9, stride: scale)
        return try net.finish(x, architecture: Self.name, colour: colour)
    }
}
