// FeatureDistance: how far two pictures are apart by the features of a frozen network.

import SuperResolution
import TorchEngine
import Training

/// ``PerceptualFeatures/distance(_:to:)`` of pictures, on the processor.
struct FeatureDistance {
    private let features: PerceptualFeatures
    private let runtime: TorchRuntime

    /// - Throws: ``AcuityError``: `.torch` without libtorch, `.file` or `.weights` where the weights are none of a known network.
    init(weights: String) throws {
        runtime = try TorchRuntime.shared()
        features = try PerceptualFeatures(path: weights, device: "cpu", runtime: runtime)
    }

    /// - Parameters:
    ///   - result: 1 or 3 channels, 0…1, as `truth`.
    ///   - border: pixels at every side that do not count.
    func callAsFunction(_ result: Raster, _ truth: Raster, border: Int) throws -> Double {
        let inner = Region(x: border, y: border, width: result.width - 2 * border, height: result.height - 2 * border)
        guard inner.width >= 32, inner.height >= 32 else { throw AcuityError(.image, "\(result.width)×\(result.height) pixels are too few for features") }
        return try features.distance(tensor(result.cropped(to: inner)), to: tensor(truth.cropped(to: inner))).item()
    }

    /// 1×3×H×W.
    private func tensor(_ picture: Raster) throws -> TorchTensor {
        let picture = picture.channels == 1 ? picture.greyAsRGB : picture
        let area = picture.width * picture.height
        let values = (0..<3 * area).map { picture.samples[$0 % area * 3 + $0 / area] }
        return try TorchTensor(Tensor(shape: [1, 3, picture.height, picture.width], values: values), device: "cpu", runtime: runtime)
    }
}
