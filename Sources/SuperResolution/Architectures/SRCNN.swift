// SRCNN: Dong et al. 2014/2016, the first super-resolution network: three convolutions on a bicubic enlargement.

/// SRCNN f1-f2-f3 (9-1-5 and 9-5-5 in the paper): patch extraction, non-linear mapping, reconstruction.
///
/// The weights do not tell the scale: the network works on a picture that is already enlarged.
public struct SRCNN: Architecture {
    /// Sides of the three kernels, odd.
    public var kernels: [Int]
    /// Channels after the first and after the second convolution.
    public var features: [Int]
    public var scale: Int
    /// 1 (luma, as in the paper) or 3 (RGB).
    public var channels: Int

    public init(kernels: [Int] = [9, 5, 5], features: [Int] = [64, 32], scale: Int, channels: Int = 1) {
        self.kernels = kernels
        self.features = features
        self.scale = scale
        self.channels = channels
    }

    public static let name = "SRCNN"

    public static func detects(_ weights: StateDict) -> Bool {
        let keys: Set = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "conv3.weight", "conv3.bias"]
        return keys == Set(weights.keys)
    }

    public init(weights: StateDict, scale: Int?) throws {
        let shapes = try (1...3).map { try weights.shape("conv\($0).weight", rank: 4) }
        guard let scale else {
            throw AcuityError(.usage, "SRCNN weights do not tell their scale; give it")
        }
        self.init(kernels: shapes.map { $0[2] }, features: [shapes[0][0], shapes[1][0]], scale: scale, channels: shapes[0][1])
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        self.init(
            kernels: [
                try hyperparameters.number("kernel1", default: 9), try hyperparameters.number("kernel2", default: 5),
                try hyperparameters.number("kernel3", default: 5),
            ],
            features: [try hyperparameters.number("features1", default: 64), try hyperparameters.number("features2", default: 32)],
            scale: scale, channels: try hyperparameters.number("channels", default: 1))
    }

    public func network() throws -> Network {
        guard kernels.count == 3, features.count == 2 else {
            throw AcuityError(.network, "SRCNN has three kernels and two numbers of features")
        }
        for kernel in kernels { try require("kernel", kernel, in: 1...31) }
        for count in features { try require("features", count, in: 1...4096) }
        try require("scale", scale, in: networkScales)
        let colour = try Network.Colour(channels: channels)

        var net = NetworkBuilder(inputChannels: channels)
        var x = net.enlarge(net.input, scale, .bicubic)
        // The authors' code replicates the border before each convolution.
        x = net.activation(net.convolution(x, "conv1", outputs: features[0], kernel: kernels[0], padding: .replicate), .relu)
        x = net.activation(net.convolution(x, "conv2", outputs: features[1], kernel: kernels[1], padding: .replicate), .relu)
        x = net.convolution(x, "conv3", outputs: channels, kernel: kernels[2], padding: .replicate)
        return try net.finish(x, architecture: Self.name, colour: colour)
    }
}
