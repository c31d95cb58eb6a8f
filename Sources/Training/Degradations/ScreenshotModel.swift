// ScreenshotModel: pictures and text as screens, browsers and GIFs leave them.

import SuperResolution
public import TorchEngine

/// Reduction by an odd zoom factor, on to the final size by nearest or bilinear, then a palette or a light JPEG.
public struct ScreenshotModel: DegradationModel {
    public static let name = "screenshot"
    public static let purpose = "odd zoom factors, nearest neighbours, palettes and dithering: screens, GIFs, text"

    /// The probability of a zoomed copy between the ground truth and the result, and its sizes relative to the result.
    public var zoomed = 0.7
    public var zooms = [0.67, 0.75, 0.8, 0.9, 1.1, 1.25, 1.33, 1.5, 1.75]
    /// From the ground truth to that copy.
    public var reductions = [Interpolation.nearest, .area, .bilinear, .bicubic]
    /// The probability that bilinear and bicubic reductions are antialiased.
    public var antialiased = 0.75
    /// From that copy to the result.
    public var methods = [Interpolation.nearest, .bilinear]
    /// The probability of a palette, for the batch; its number of colours (uniform over logarithms).
    public var palette = 0.4
    public var colours = Span(8, 256)
    /// The probability that a palette is dithered; the dither's strength.
    public var dithered = 0.5
    public var dither = Span(0.2, 0.6)
    /// The probability of JPEG where there is no palette.
    public var compressed = 0.4
    public var jpeg = Span(60, 95)
    public var chroma = DegradationStep.Chroma.subsampled

    public init() {}

    public func check() throws {
        for (name, value) in [
            ("zoomed", zoomed), ("antialiased", antialiased), ("palette", palette), ("dithered", dithered), ("compressed", compressed),
        ] { try checkProbability(value, name) }
        guard !zooms.isEmpty, zooms.allSatisfy({ (0.1...8).contains($0) }) else { throw AcuityError(.training, "zooms are factors of 0.1…8") }
        if methods.isEmpty || reductions.isEmpty { throw AcuityError(.training, "methods or reductions is empty") }
        try colours.check("colours", in: 2...256)
        try dither.check("dither", in: 0...4)
        try jpeg.check("jpeg", in: 1...100)
    }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        let (h, w) = (height / scale, width / scale)
        let zoom = random.happens(zoomed) ? random.choice(of: zooms, default: 1) : 1
        func side(_ side: Int) -> Int { max(1, Int((Double(side) * zoom).rounded())) }
        var steps: [DegradationStep] = [
            .resize(
                width: side(w), height: side(h), by: random.choice(of: reductions, default: .area), antialiased: random.happens(antialiased))
        ]
        if side(w) != w || side(h) != h {
            steps.append(.resize(width: w, height: h, by: random.choice(of: methods, default: .nearest), antialiased: false))
        }
        steps.append(.quantise)
        if random.happens(palette) {
            steps.append(
                .palette(
                    colours: min(256, max(2, Int(colours.drawLogarithmic(using: &random).rounded()))),
                    dither: random.happens(dithered) ? dither.draw(using: &random) : 0, seed: random.noiseSeed()))
        } else if random.happens(compressed) {
            steps.append(.jpeg(quality: (0..<batch).map { _ in jpeg.drawInteger(using: &random) }, chroma: chroma))
        }
        return DegradationRecord(steps: steps)
    }
}
