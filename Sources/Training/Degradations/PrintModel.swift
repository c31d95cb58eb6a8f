// PrintModel: letters, logos and drawings as small pictures, scans and screens have them.

import SuperResolution
import TorchEngine

/// One reduction of any usual kind, after a slight blur or none, then JPEG or a palette or neither; sometimes a screenshot, and often
/// the benchmarks' clean bicubic, so that clean pictures stay a task of their own.
public struct PrintModel: DegradationModel {
    public static let name = "print"
    public static let purpose = "any usual reduction, slight blur, JPEG 20 to 95, palettes, screenshots: letters, logos, drawings"

    /// The probability of bicubic reduction and nothing else.
    public var clean = 0.3
    /// The probability of a screenshot where it is not clean, and what that is.
    public var screenshot = 0.12
    public var screen = ScreenshotModel()
    /// The probability of a Gaussian blur, and its standard deviation times the scale, pixels.
    public var blurred = 0.35
    public var sigma = Span(0.15, 0.5)
    /// Weights of the reductions; bilinear and bicubic are antialiased.
    public var area = 0.4
    public var bicubic = 0.3
    public var bilinear = 0.15
    public var nearest = 0.15
    /// The probability of light noise, for the batch; levels of 255, and the probability that it is grey.
    public var noisy = 0.12
    public var noise = Span(0.5, 6)
    public var grey = 0.6
    /// The probability, per picture, that the noise is coarse, as demosaicking, a camera's own smoothing or an enlargement leaves it;
    /// the standard deviation in pixels of the Gaussian that correlates neighbours.
    public var coarse = 0.0
    public var grain = Span(0.5, 1.5)
    /// The probability of JPEG, for the batch, its quality, and the probability of 4:2:0.
    public var compressed = 0.6
    public var jpeg = Span(20, 95)
    public var subsampled = 0.7
    /// The probability of a palette where there is no JPEG; its number of colours (uniform over logarithms), and how often it is dithered.
    public var palette = 0.25
    public var colours = Span(4, 64)
    public var dithered = 0.3
    public var dither = Span(0.2, 0.6)

    public init() {}

    public func check() throws {
        for (name, value) in [
            ("clean", clean), ("screenshot", screenshot), ("blurred", blurred), ("noisy", noisy), ("grey", grey), ("coarse", coarse),
            ("compressed", compressed), ("subsampled", subsampled), ("palette", palette), ("dithered", dithered),
        ] { try checkProbability(value, name) }
        try screen.check()
        try sigma.check("sigma", in: 0.01...4)
        try checkWeights([area, bicubic, bilinear, nearest], "area, bicubic, bilinear, nearest")
        try noise.check("noise", in: 0...255)
        try grain.check("grain", in: 0...8)
        try jpeg.check("jpeg", in: 1...100)
        try colours.check("colours", in: 2...256)
        try dither.check("dither", in: 0...4)
    }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        if random.happens(clean) { return DegradationRecord(steps: [.bicubic(scale: scale)]) }
        if random.happens(screenshot) { return screen.draw(batch: batch, height: height, width: width, scale: scale, using: &random) }
        var steps: [DegradationStep] = []
        if random.happens(blurred) {
            let side = 2 * Int((2.5 * sigma.high * Double(scale)).rounded(.up)) + 1
            steps.append(
                .blur(kernels: (0..<batch).map { _ in
                    let width = sigma.draw(using: &random) * Double(scale)
                    return BlurKernel(.gaussian, size: side, sigma: [width, width])
                }))
        }
        let method = [Interpolation.area, .bicubic, .bilinear, .nearest][random.choice([area, bicubic, bilinear, nearest])]
        steps.append(.resize(width: width / scale, height: height / scale, by: method, antialiased: true))
        if random.happens(noisy) {
            steps.append(
                .gaussianNoise(
                    sigma: (0..<batch).map { _ in noise.draw(using: &random) },
                    mixing: (0..<batch).map { _ in random.happens(grey) ? DegradationStep.grey : DegradationStep.colour },
                    grain: coarse > 0 ? (0..<batch).map { _ in random.happens(coarse) ? grain.draw(using: &random) : 0 } : nil,
                    seed: random.noiseSeed()))
        }
        steps.append(.quantise)
        if random.happens(compressed) {
            steps.append(
                .jpeg(
                    quality: (0..<batch).map { _ in jpeg.drawInteger(using: &random) }, chroma: random.happens(subsampled) ? .subsampled : .full))
            steps.append(.quantise)
        } else if random.happens(palette) {
            steps.append(
                .palette(
                    colours: min(256, max(2, Int(colours.drawLogarithmic(using: &random).rounded()))),
                    dither: random.happens(dithered) ? dither.draw(using: &random) : 0, seed: random.noiseSeed()))
        }
        return DegradationRecord(steps: steps)
    }
}
