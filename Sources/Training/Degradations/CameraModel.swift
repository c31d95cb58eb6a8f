// CameraModel: what lenses, hands, sensors and a camera's own processing do.

import SuperResolution
import TorchEngine

/// Noise of a sensor behind an RGGB mosaic (Brooks et al. 2019, "Unprocessing images for learned raw denoising", §3).
public struct SensorNoise: Sendable, Codable, Hashable {
    /// Variance per unit of light; uniform over logarithms. The read noise follows from it: log(variance) is
    /// 2.18 · log(shot) + 1.20, with a standard deviation of 0.26.
    public var shot = Span(1e-4, 1.2e-2)
    /// Gains of the white balance that the mosaic sees before it is applied.
    public var red = Span(1.9, 2.4)
    public var blue = Span(1.5, 1.9)

    public init() {}

    func check(_ name: String) throws {
        try shot.check("\(name).shot", in: 1e-8...1)
        try red.check("\(name).red", in: 0.1...10)
        try blue.check("\(name).blue", in: 0.1...10)
    }

    func draw(batch: Int, using random: inout SplitMix) -> DegradationStep {
        let shots = (0..<batch).map { _ in shot.drawLogarithmic(using: &random) }
        let reads = shots.map { exponential((2.18 * logarithm($0) + 1.20 + 0.26 * Double(random.normal())) / 2) }
        return .sensor(
            shot: shots, read: reads, red: (0..<batch).map { _ in red.draw(using: &random) },
            blue: (0..<batch).map { _ in blue.draw(using: &random) }, seed: random.noiseSeed())
    }
}

/// Defocus or motion, chromatic aberration, vignetting, the sensor, sharpening and JPEG, in the order light meets them.
/// Optics and sensor work in linear light. Probabilities are per picture unless they say otherwise.
public struct CameraModel: DegradationModel {
    public static let name = "camera"
    public static let purpose = "lens, hand, Bayer sensor and over-sharpening: photographs"

    /// The probability of defocus; its disc's radius in pixels of the ground truth.
    public var defocus = 0.4
    public var defocusRadius = Span(0.5, 3)
    /// The probability of motion where there is no defocus; the stroke's length in pixels and its bend in radians.
    public var motion = 0.3
    public var motionLength = Span(2, 12)
    public var motionBend = Span(-0.6, 0.6)
    /// The probability of lateral chromatic aberration, for the batch; the shift of red and of blue half a diagonal away from the
    /// lens's axis, in pixels of the ground truth.
    public var aberration = 0.5
    public var aberrationShift = Span(-1.5, 1.5)
    /// The probability of vignetting, for the batch; its strength.
    public var vignetting = 0.3
    public var vignettingStrength = Span(0.02, 0.25)
    /// Where the lens's axis meets the picture: −1…1 covers it.
    public var axis = Span(-0.5, 0.5)
    /// The probability of the sensor, for the batch.
    public var sensor = 1.0
    public var sensorNoise = SensorNoise()
    /// The probability of over-sharpening, for the batch; its Gaussian in pixels and its strength.
    public var sharpening = 0.5
    public var sharpeningSigma = Span(0.5, 1.5)
    public var sharpeningWeight = Span(0.3, 1.5)
    /// The probability of JPEG, for the batch, its quality, and the probability of 4:2:0.
    public var compressed = 0.9
    public var jpeg = Span(50, 95)
    public var subsampled = 0.8

    public init() {}

    public func check() throws {
        for (name, value) in [
            ("defocus", defocus), ("motion", motion), ("aberration", aberration), ("vignetting", vignetting), ("sensor", sensor),
            ("sharpening", sharpening), ("compressed", compressed), ("subsampled", subsampled),
        ] { try checkProbability(value, name) }
        try defocusRadius.check("defocus_radius", in: 0...40)
        try motionLength.check("motion_length", in: 0...80)
        try motionBend.check("motion_bend", in: -6...6)
        try aberrationShift.check("aberration_shift", in: -20...20)
        try vignettingStrength.check("vignetting_strength", in: 0...5)
        try axis.check("axis", in: -10...10)
        try sensorNoise.check("sensor_noise")
        try sharpeningSigma.check("sharpening_sigma", in: 0.1...20)
        try sharpeningWeight.check("sharpening_weight", in: 0...20)
        try jpeg.check("jpeg", in: 1...100)
    }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        func each(_ span: Span) -> [Double] { (0..<batch).map { _ in span.draw(using: &random) } }
        func axes() -> [[Double]] { (0..<batch).map { _ in [axis.draw(using: &random), axis.draw(using: &random)] } }

        var steps: [DegradationStep] = [.linear]
        let kernels = (0..<batch).map { _ in kernel(using: &random) }
        if kernels.contains(where: { $0.size > 1 }) { steps.append(.blur(kernels: kernels)) }
        if random.happens(aberration) {
            let half = max(1, Double(height * height + width * width).squareRoot() / 2)
            func factors() -> [Double] { each(aberrationShift).map { max(0.5, 1 + $0 / half) } }
            steps.append(.chromaticAberration(red: factors(), blue: factors(), centre: axes()))
        }
        if random.happens(vignetting) { steps.append(.vignetting(strength: each(vignettingStrength), centre: axes())) }
        // Every photosite gathers the light that falls on it.
        steps.append(.resize(width: width / scale, height: height / scale, by: .area, antialiased: false))
        if random.happens(sensor) { steps.append(sensorNoise.draw(batch: batch, using: &random)) }
        steps.append(.developed)
        if random.happens(sharpening) {
            steps.append(.sharpen(sigma: sharpeningSigma.draw(using: &random), weight: each(sharpeningWeight)))
        }
        if random.happens(compressed) {
            steps.append(
                .jpeg(
                    quality: (0..<batch).map { _ in jpeg.drawInteger(using: &random) },
                    chroma: random.happens(subsampled) ? .subsampled : .full))
        }
        return DegradationRecord(steps: steps + [.quantise])
    }

    private func kernel(using random: inout SplitMix) -> BlurKernel {
        if random.happens(defocus) {
            let radius = defocusRadius.draw(using: &random)
            return BlurKernel(.disc, size: 2 * Int(radius.rounded(.up)) + 3, sigma: [radius])
        }
        if random.happens(motion) {
            let length = motionLength.draw(using: &random)
            return BlurKernel(
                .motion, size: 2 * Int((length / 2).rounded(.up)) + 3, sigma: [length],
                rotation: Double.random(in: -.pi / 2...(.pi / 2), using: &random), bend: motionBend.draw(using: &random))
        }
        return .identity
    }
}
