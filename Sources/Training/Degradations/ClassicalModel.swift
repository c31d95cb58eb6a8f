// ClassicalModel: blur, reduce, add noise, compress: each once, in that order.

import SuperResolution
public import TorchEngine

/// `y = JPEG((x ⊛ k)↓ + n)`: the blind model of the literature before 2021 (e.g. Zhang et al. 2018, SRMD).
public struct ClassicalModel: DegradationModel {
    public static let name = "classical"
    public static let purpose = "one Gaussian blur, one reduction, noise and JPEG: the blind model before 2021"

    /// Side of the Gaussian in pixels.
    public var size = 21
    /// The probability of an isotropic Gaussian.
    public var isotropic = 0.5
    /// Standard deviation along each axis, times the scale, in pixels.
    public var sigma = Span(0.05, 1)
    public var methods = [Interpolation.area, .bilinear, .bicubic]
    /// The probability that bilinear and bicubic are antialiased.
    public var antialiased = 0.5
    /// Levels of 255.
    public var noise = Span(0, 25)
    /// The probability, per picture, of noise that is equal in all channels.
    public var grey = 0.4
    /// The probability of JPEG, for the batch.
    public var compressed = 0.75
    public var jpeg = Span(30, 95)
    public var chroma = DegradationStep.Chroma.subsampled

    public init() {}

    public func check() throws {
        guard (1...99).contains(size), size % 2 == 1 else { throw AcuityError(.training, "size is odd, 1…99") }
        try checkProbability(isotropic, "isotropic")
        try sigma.check("sigma", in: 0.01...10)
        if methods.isEmpty { throw AcuityError(.training, "methods is empty") }
        try checkProbability(antialiased, "antialiased")
        try noise.check("noise", in: 0...255)
        try checkProbability(grey, "grey")
        try checkProbability(compressed, "compressed")
        try jpeg.check("jpeg", in: 1...100)
    }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        let kernels = (0..<batch).map { _ in
            let first = sigma.draw(using: &random) * Double(scale)
            var kernel = BlurKernel(.gaussian, size: size, sigma: [first, first])
            if !random.happens(isotropic) {
                kernel.sigma[1] = sigma.draw(using: &random) * Double(scale)
                kernel.rotation = Double.random(in: -.pi / 2...(.pi / 2), using: &random)
            }
            return kernel
        }
        var steps: [DegradationStep] = [
            .blur(kernels: kernels),
            .resize(
                width: width / scale, height: height / scale, by: random.choice(of: methods, default: .bicubic),
                antialiased: random.happens(antialiased)),
            .gaussianNoise(
                sigma: (0..<batch).map { _ in noise.draw(using: &random) },
                mixing: (0..<batch).map { _ in random.happens(grey) ? DegradationStep.grey : DegradationStep.colour },
                seed: random.noiseSeed()),
        ]
        if random.happens(compressed) {
            steps.append(.jpeg(quality: (0..<batch).map { _ in jpeg.drawInteger(using: &random) }, chroma: chroma))
        }
        return DegradationRecord(steps: steps + [.quantise])
    }
}
