// DegradationStep: what a degradation does to a batch of pictures, step by step, with every number that was drawn.

import SuperResolution
public import TorchEngine

/// One step on a batch of N pictures with all its parameters, lists having one entry per picture. A list of steps is the record
/// of a degradation: applied again (``Degrader/apply(_:to:)``) it gives the same result.
public enum DegradationStep: Sendable, Codable, Hashable {
    /// Bicubic reduction by a whole factor with MATLAB's conventions, rounded to 8 bits.
    case bicubic(scale: Int)
    case blur(kernels: [BlurKernel])
    case resize(width: Int, height: Int, by: Interpolation, antialiased: Bool)
    /// Standard deviations in levels of 255; `mixing` makes three channels of noise from three independent draws (rows of a
    /// 3×3 matrix per picture): grey noise takes all from the first. `grain`, where there is any, is the standard deviation in
    /// pixels of the Gaussian that correlates neighbours; 0 is white noise. It does not change the noise's own.
    case gaussianNoise(sigma: [Double], mixing: [[Double]], grain: [Double]? = nil, seed: UInt64)
    case poissonNoise(scale: [Double], grey: [Bool], seed: UInt64)
    case jpeg(quality: [Int], chroma: Chroma)
    /// Clip to 0…1.
    case clamp
    /// Clip and round to 8 bits.
    case quantise
    /// Unsharp masking by a Gaussian of this standard deviation.
    case sharpen(sigma: Double, weight: [Double])
    /// What follows computes in linear light, until ``developed``.
    case linear
    /// Back to sRGB's curve.
    case developed
    /// Red and blue enlarged against green about the lens's axis (x, y; −1…1 over the picture).
    case chromaticAberration(red: [Double], blue: [Double], centre: [[Double]])
    case vignetting(strength: [Double], centre: [[Double]])
    /// Divides out the white balance, looks through an RGGB mosaic with shot and read noise, interpolates colours, and
    /// balances again. `red` and `blue` are the camera's gains.
    case sensor(shot: [Double], read: [Double], red: [Double], blue: [Double], seed: UInt64)
    case palette(colours: Int, dither: Double, seed: UInt64)

    /// How JPEG stores colour.
    public enum Chroma: String, Sendable, Codable, CaseIterable {
        case subsampled = "4:2:0"
        case full = "4:4:4"
    }
}

/// Everything that a degradation drew for one batch.
public struct DegradationRecord: Sendable, Codable, Hashable {
    /// Sharpening of the ground truth before all else, where the model has it.
    public var unsharpMask: UnsharpMask?
    public var steps: [DegradationStep]

    public init(unsharpMask: UnsharpMask? = nil, steps: [DegradationStep] = []) {
        self.unsharpMask = unsharpMask
        self.steps = steps
    }
}

/// Unsharp masking of the ground truth (Real-ESRGAN §4.1).
public struct UnsharpMask: Sendable, Codable, Hashable {
    /// How much of the detail is added.
    public var weight = 0.5
    /// Side of the Gaussian in pixels; even ones grow by 1. Its standard deviation is OpenCV's 0.3 · ((side − 1)/2 − 1) + 0.8.
    public var radius = 50
    /// Levels of 255 that a detail must exceed.
    public var threshold = 10.0

    public init() {}
}

// MARK: - On the device

extension UnsharpMask {
    func apply(to high: TorchTensor) throws -> TorchTensor {
        let side = radius + 1 - radius % 2
        let sigma = 0.3 * (Double(side - 1) / 2 - 1) + 0.8
        let batch = try high.shape[0]
        return try high.unsharpMasked(
            taps: gaussianTaps(side: side, sigma: sigma), weight: [Float](repeating: Float(weight), count: batch), threshold: threshold / 255)
    }
}

/// A normalised Gaussian of an odd number of taps.
func gaussianTaps(side: Int, sigma: Double) -> [Float] {
    let taps = (0..<side).map { exponential(-0.5 * power(Double($0 - side / 2) / sigma, 2)) }
    let sum = taps.reduce(0, +)
    return taps.map { Float($0 / sum) }
}

/// Gaussians whose squares add up to 1, so that what they correlate keeps its variance: count × side × side.
private func grainKernels(_ sigma: [Double]) -> Tensor {
    let side = 2 * Int((3 * (sigma.max() ?? 0)).rounded(.up)) + 1
    let values = sigma.flatMap { sigma in
        let taps = sigma > 0 ? gaussianTaps(side: side, sigma: sigma) : (0..<side).map { $0 == side / 2 ? 1 : 0 }
        let energy = taps.reduce(0) { $0 + $1 * $1 }
        return taps.flatMap { down in taps.map { down * $0 / energy } }
    }
    return Tensor(shape: [sigma.count, side, side], values: values)
}

extension DegradationStep {
    func apply(to x: TorchTensor, reduction: BicubicReduction) throws -> TorchTensor {
        func floats(_ values: [Double]) -> [Float] { values.map { Float($0) } }
        switch self {
        case .bicubic: return try reduction(x)
        case .blur(let kernels):
            let side = kernels.map(\.size).max() ?? 1
            if side == 1 { return x }
            return try x.blurred(.init(shape: [kernels.count, side, side], values: kernels.flatMap { $0.values(on: side) }))
        case .resize(let width, let height, let method, let antialiased):
            return try x.resized(height: height, width: width, by: method, antialiased: antialiased)
        case .gaussianNoise(let sigma, let mixing, let grain, let seed):
            let scaled = zip(sigma, mixing).flatMap { sigma, matrix in matrix.map { Float($0 * sigma / 255) } }
            guard let grain, grain.contains(where: { $0 > 0 }) else { return try x.addingGaussianNoise(mixing: scaled, seed: seed) }
            return try x.adding(x.scaled(by: 0).addingGaussianNoise(mixing: scaled, seed: seed).blurred(grainKernels(grain)))
        case .poissonNoise(let scale, let grey, let seed): return try x.addingPoissonNoise(scale: floats(scale), grey: grey, seed: seed)
        case .jpeg(let quality, let chroma): return try x.jpeg(quality: quality, subsampled: chroma == .subsampled)
        case .clamp: return try x.clamped(to: 0...1)
        case .quantise: return try x.quantised()
        case .sharpen(let sigma, let weight):
            let side = 2 * Int((3 * sigma).rounded(.up)) + 1
            return try x.unsharpMasked(taps: gaussianTaps(side: side, sigma: sigma), weight: floats(weight), threshold: nil)
        case .linear: return try x.linearised()
        case .developed: return try x.delinearised()
        case .chromaticAberration(let red, let blue, let centre):
            return try x.magnified(floats(zip(red, blue).flatMap { [$0, 1, $1] }), about: floats(centre.flatMap { $0 }))
        case .vignetting(let strength, let centre):
            return try x.vignetted(strength: floats(strength), centre: floats(centre.flatMap { $0 }))
        case .sensor(let shot, let read, let red, let blue, let seed):
            let balanced = try x.multiplied(byChannel: floats(zip(red, blue).flatMap { [1 / $0, 1, 1 / $1] })).mosaicked()
            return try balanced.addingSensorNoise(shot: floats(shot), read: floats(read), seed: seed).clamped(to: 0...1).demosaicked()
                .multiplied(byChannel: floats(zip(red, blue).flatMap { [$0, 1, $1] })).clamped(to: 0...1)
        case .palette(let colours, let dither, let seed): return try x.reduced(toColours: colours, dither: dither, seed: seed)
        }
    }
}
