// Validation: PSNR-Y on whole images during training.

import SuperResolution
import TorchEngine

/// The protocol of docs/design.md §3 in tensor operations: bicubic low resolution rounded to 8 bits, result clipped and
/// rounded, Y in float, `scale` pixels cropped from every side, mean over images.
final class Validation {
    private let pairs: [(low: TorchTensor, high: TorchTensor)]
    private let scale: Int
    private let colour: Network.Colour

    init(_ shard: ImageShard, network: Network, device: String, runtime: TorchRuntime) throws {
        let scale = network.scale
        let reduction = BicubicReduction(scale: scale, device: device, runtime: runtime)
        self.scale = scale
        colour = network.colour
        pairs = try shard.images.compactMap { image in
            let (height, width) = (image.height - image.height % scale, image.width - image.width % scale)
            guard height > 2 * scale, width > 2 * scale else { return nil }
            let high = try TorchTensor(bytes: image.bytes, shape: [1, image.height, image.width, 3], device: device, runtime: runtime)
                .slice(dimension: 1, first: 0, count: height).slice(dimension: 2, first: 0, count: width).image()
            let low = try reduction(high)
            return (network.colour == .luma ? try low.luma() : low, try high.luma())
        }
        guard !pairs.isEmpty else { throw AcuityError(.training, "the validation shard holds no image") }
    }

    /// Mean PSNR-Y in decibels. A luma network's result is not rounded, as its chroma is not there to make RGB.
    func psnr(_ network: TorchNetwork) throws -> Double {
        var sum = 0.0
        for (low, high) in pairs {
            let result = try network(low)
            let y = colour == .luma ? result : try result.quantised().luma()
            sum += decibel(meanSquaredError: try inner(y).mse(to: inner(high)).item())
        }
        return sum / Double(pairs.count)
    }

    private func inner(_ y: TorchTensor) throws -> TorchTensor {
        let shape = try y.shape
        return try y.slice(dimension: 2, first: scale, count: shape[2] - 2 * scale).slice(dimension: 3, first: scale, count: shape[3] - 2 * scale)
    }
}
