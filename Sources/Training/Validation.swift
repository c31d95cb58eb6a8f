// Validation: PSNR-Y and perceptual distance on whole images during training, and patches to look at.

import SuperResolution
import TorchEngine

/// The protocol of docs/design.md §3 in tensor operations: bicubic low resolution rounded to 8 bits, result clipped and
/// rounded, Y in float, `scale` pixels cropped from every side, mean over images. With a degradation the same again on low
/// resolution that it made.
final class Validation {
    struct Result {
        /// Decibels.
        let psnr: Double
        /// ``PerceptualFeatures/distance(_:to:)`` on crops from the centre, where there are features.
        let perceptual: Double?
        /// Both on degraded pictures, where there is a degradation.
        let degraded: (psnr: Double, perceptual: Double?)?
        /// Of the bicubic low resolution, then of the degraded one.
        let samples: [SamplePatch]
    }

    private struct Pair {
        let low: TorchTensor
        let high: TorchTensor
        /// What is compared by features, in colour.
        let centre: TorchTensor
        let window: Window
        /// What is shown.
        let shown: (low: TorchTensor, target: TorchTensor, window: Window)?
    }

    /// A square of low-resolution pixels in the middle of an image.
    private struct Window {
        let x: Int, y: Int, side: Int

        /// A square of this side in the middle of an image.
        init(_ side: Int, width: Int, height: Int) {
            self.side = min(side, width, height)
            (x, y) = ((width - self.side) / 2, (height - self.side) / 2)
        }

        func cut(_ image: TorchTensor, scale: Int = 1) throws -> TorchTensor {
            try image.slice(dimension: 2, first: y * scale, count: side * scale).slice(dimension: 3, first: x * scale, count: side * scale)
        }
    }

    /// Low-resolution side of the squares that are compared by features, pixels.
    private static let side = 64
    /// The same of those that are shown, and how many pictures are shown.
    private static let shown = (side: 32, count: 3)

    private let pairs: [Pair]
    private let degraded: [Pair]
    private let scale: Int
    private let colour: Network.Colour
    private let features: PerceptualFeatures?

    /// - Parameter degradation: what to validate on beside bicubic; its draws depend on the place of an image in the shard alone.
    init(
        _ shard: ImageShard, network: Network, degradation: Degradation?, features: PerceptualFeatures?, device: String, runtime: TorchRuntime
    ) throws {
        let scale = network.scale
        let reduction = BicubicReduction(scale: scale, device: device, runtime: runtime)
        let degrader = degradation.map { Degrader($0, scale: scale, device: device, runtime: runtime) }
        self.scale = scale
        self.features = features
        colour = network.colour
        var (pairs, degraded): ([Pair], [Pair]) = ([], [])
        for (index, image) in shard.images.enumerated() {
            let (height, width) = (image.height - image.height % scale, image.width - image.width % scale)
            guard height > 2 * scale, width > 2 * scale else { continue }
            let high = try TorchTensor(bytes: image.bytes, shape: [1, image.height, image.width, 3], device: device, runtime: runtime)
                .slice(dimension: 1, first: 0, count: height).slice(dimension: 2, first: 0, count: width).image()
            let isShown = pairs.count < Self.shown.count
            pairs.append(try Self.pair(low: reduction(high), high: high, network: network, isShown: isShown))
            if let degrader {
                var random = SplitMix(seed: UInt64(index))
                let made = try degrader(high, using: &random)
                degraded.append(try Self.pair(low: made.low, high: made.target, network: network, isShown: isShown))
            }
        }
        guard !pairs.isEmpty else { throw AcuityError(.training, "the validation shard holds no image") }
        self.pairs = pairs
        self.degraded = degraded
    }

    private static func pair(low: TorchTensor, high: TorchTensor, network: Network, isShown: Bool) throws -> Pair {
        let (scale, shape) = (network.scale, try low.shape)
        func colours(_ x: TorchTensor) throws -> TorchTensor { network.colour == .luma ? try x.luma() : x }
        let window = Window(side, width: shape[3], height: shape[2])
        let small = Window(shown.side, width: shape[3], height: shape[2])
        return Pair(
            low: try colours(low), high: try high.luma(), centre: try window.cut(high, scale: scale), window: window,
            shown: isShown ? (try colours(small.cut(low)), try colours(small.cut(high, scale: scale)), small) : nil)
    }

    func callAsFunction(_ network: TorchNetwork) throws -> Result {
        var samples: [SamplePatch] = []
        let clean = try measure(network, on: pairs, samples: &samples)
        let degraded = try degraded.isEmpty ? nil : measure(network, on: degraded, samples: &samples)
        return Result(psnr: clean.psnr, perceptual: clean.perceptual, degraded: degraded, samples: samples)
    }

    /// What a network makes of the places that are shown, one after the other.
    func shown(by network: TorchNetwork) throws -> [SmallPicture] {
        try (pairs + degraded).compactMap { pair in
            guard let shown = pair.shown else { return nil }
            return try SmallPicture(shown.window.cut(network(pair.low), scale: scale))
        }
    }

    /// A luma network's result is not rounded, as its chroma is not there to make RGB.
    private func measure(_ network: TorchNetwork, on pairs: [Pair], samples: inout [SamplePatch]) throws -> (psnr: Double, perceptual: Double?) {
        var (psnr, distance, compared) = (0.0, 0.0, 0)
        for pair in pairs {
            let result = colour == .luma ? try network(pair.low) : try network(pair.low).quantised()
            let y = colour == .luma ? result : try result.luma()
            psnr += decibel(meanSquaredError: try inner(y).mse(to: inner(pair.high)).item())
            // Features need a picture of some size.
            if let features, pair.window.side * scale >= 64 {
                distance += try features.distance(pair.window.cut(result, scale: scale), to: pair.centre).item()
                compared += 1
            }
            if let shown = pair.shown {
                samples.append(try SamplePatch(low: shown.low, output: shown.window.cut(result, scale: scale), target: shown.target))
            }
        }
        return (psnr / Double(pairs.count), compared > 0 ? distance / Double(compared) : nil)
    }

    private func inner(_ y: TorchTensor) throws -> TorchTensor {
        let shape = try y.shape
        return try y.slice(dimension: 2, first: scale, count: shape[2] - 2 * scale).slice(dimension: 3, first: scale, count: shape[3] - 2 * scale)
    }
}
