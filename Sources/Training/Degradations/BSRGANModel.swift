// BSRGANModel: the shuffled degradation of Zhang et al. (2021).

import SuperResolution
public import TorchEngine

/// Two blurs, two reductions, Gaussian noise, JPEG and a camera's noise in random order, and a last JPEG.
///
/// Differs from the released code in two points: the camera is ours (``DegradationStep/sensor(shot:read:red:blue:seed:)``)
/// instead of a table of measured ones, and correlated noise is drawn from UᵀDU itself, not from its absolute values.
public struct BSRGANModel: DegradationModel {
    public static let name = "bsrgan"
    public static let purpose = "seven operations in random order (Zhang et al. 2021): old and much-copied pictures"

    /// The probability that ×4 begins by halving.
    public var halved = 0.25
    /// Side of kernels, odd numbers.
    public var kernelSize = Span(7, 25)
    /// The probability of an anisotropic kernel.
    public var anisotropic = 0.5
    /// Largest standard deviation of isotropic kernels: this plus 0.2 per scale.
    public var isotropicSigma = 2.0
    /// Largest variance along the axes of anisotropic kernels: this plus the scale.
    public var anisotropicVariance = 4.0
    /// The probability that the first reduction is by a random factor of 1…2·scale, not a 25-tap Gaussian and subsampling.
    public var randomFactor = 0.75
    public var methods = [Interpolation.bilinear, .bicubic, .area]
    /// Levels of 255, whole numbers.
    public var noise = Span(2, 25)
    /// Weights of independent, grey and correlated noise, per picture.
    public var independentNoise = 0.4
    public var greyNoise = 0.4
    public var correlatedNoise = 0.2
    /// The probability of the JPEG among the shuffled.
    public var compressed = 0.9
    /// Quality, of the last JPEG also.
    public var jpeg = Span(30, 95)
    public var chroma = DegradationStep.Chroma.subsampled
    /// The probability of the camera's noise.
    public var camera = 0.25
    public var sensor = SensorNoise()

    public init() {}

    public func check() throws {
        try checkProbability(halved, "halved")
        try kernelSize.check("kernel_size", in: 1...99)
        try checkProbability(anisotropic, "anisotropic")
        try Span(isotropicSigma, isotropicSigma).check("isotropic_sigma", in: 0...20)
        try Span(anisotropicVariance, anisotropicVariance).check("anisotropic_variance", in: 0...100)
        try checkProbability(randomFactor, "random_factor")
        if methods.isEmpty { throw AcuityError(.training, "methods is empty") }
        try noise.check("noise", in: 0...255)
        try checkWeights([independentNoise, greyNoise, correlatedNoise], "independent_noise, grey_noise, correlated_noise")
        try checkProbability(compressed, "compressed")
        try jpeg.check("jpeg", in: 1...100)
        try checkProbability(camera, "camera")
        try sensor.check("sensor")
    }

    private enum Operation: CaseIterable { case firstBlur, secondBlur, randomReduction, lastReduction, noise, jpeg, camera }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        var steps: [DegradationStep] = []
        var (h, w, factor) = (height, width, scale)
        func resize(_ height: Int, _ width: Int, _ methods: [Interpolation], antialiased: Bool = false) {
            (h, w) = (max(1, height), max(1, width))
            steps.append(.resize(width: w, height: h, by: random.choice(of: methods, default: .bilinear), antialiased: antialiased))
        }
        func compress() { steps.append(.jpeg(quality: (0..<batch).map { _ in jpeg.drawInteger(using: &random) }, chroma: chroma)) }

        if scale == 4, random.happens(halved) {
            // Either with the interpolations of OpenCV or with MATLAB's bicubic.
            let isPlain = Bool.random(using: &random)
            resize(h / 2, w / 2, isPlain ? methods : [.bicubic], antialiased: !isPlain)
            steps.append(.clamp)
            factor = 2
        }
        var order = Operation.allCases.shuffled(using: &random)
        if let a = order.firstIndex(of: .randomReduction), let b = order.firstIndex(of: .lastReduction), a > b { order.swapAt(a, b) }
        for operation in order {
            switch operation {
            case .firstBlur, .secondBlur: steps.append(.blur(kernels: (0..<batch).map { _ in kernel(factor, using: &random) }))
            case .randomReduction:
                if random.happens(randomFactor) {
                    let by = Double.random(in: 1...Double(2 * factor), using: &random)
                    resize(Int(Double(h) / by), Int(Double(w) / by), methods)
                } else {
                    let sigma = Double.random(in: 0.1...(0.6 * Double(factor)), using: &random)
                    steps.append(.blur(kernels: [BlurKernel](repeating: BlurKernel(.gaussian, size: 25, sigma: [sigma, sigma]), count: batch)))
                    // Bilinear at a whole factor reads the pixels at the centre of each cell: subsampling without a shift.
                    resize(h / factor, w / factor, [.bilinear])
                }
            case .lastReduction: resize(height / scale, width / scale, methods)
            case .noise:
                let level = (0..<batch).map { _ in Double(noise.drawInteger(using: &random)) }
                let mixing = (0..<batch).map { _ in self.mixing(using: &random) }
                let scaled = zip(level, mixing).map { $1.isCorrelated ? noise.high : $0 }
                steps += [.gaussianNoise(sigma: scaled, mixing: mixing.map(\.matrix), seed: random.noiseSeed()), .clamp]
            case .jpeg: if random.happens(compressed) { compress() }
            case .camera: if random.happens(camera) { steps += [.linear, sensor.draw(batch: batch, using: &random), .developed] }
            }
        }
        compress()
        return DegradationRecord(steps: steps + [.quantise])
    }

    private func kernel(_ factor: Int, using random: inout SplitMix) -> BlurKernel {
        let least = 0.1  // a Gaussian of no width has no values
        if random.happens(anisotropic) {
            let variances = (0..<2).map { _ in max(least * least, Double.random(in: 0...(anisotropicVariance + Double(factor)), using: &random)) }
            return BlurKernel(
                .gaussian, size: KernelMix.side(kernelSize, using: &random), sigma: variances.map { $0.squareRoot() },
                rotation: Double.random(in: 0...(.pi), using: &random))
        }
        let sigma = max(least, Double.random(in: 0...(isotropicSigma + 0.2 * Double(factor)), using: &random))
        return BlurKernel(.gaussian, size: KernelMix.side(kernelSize, using: &random), sigma: [sigma, sigma])
    }

    private func mixing(using random: inout SplitMix) -> (matrix: [Double], isCorrelated: Bool) {
        switch random.choice([independentNoise, greyNoise, correlatedNoise]) {
        case 0: return (DegradationStep.colour, false)
        case 1: return (DegradationStep.grey, false)
        default:
            // UᵀD^½, a root of the covariance UᵀDU with U a random rotation and D random variances.
            let u = rotation(using: &random)
            let d = (0..<3).map { _ in Double.random(in: 0...1, using: &random).squareRoot() }
            var root = [Double](repeating: 0, count: 9)
            for row in 0..<3 {
                for column in 0..<3 { root[row * 3 + column] = u[column * 3 + row] * d[column] }
            }
            return (root, true)
        }
    }

    /// An orthogonal 3×3 matrix by rows: Gram and Schmidt on random vectors.
    private func rotation(using random: inout SplitMix) -> [Double] {
        var rows: [[Double]] = []
        while rows.count < 3 {
            var v = (0..<3).map { _ in Double(random.normal()) }
            for row in rows {
                let along = zip(v, row).reduce(0) { $0 + $1.0 * $1.1 }
                v = zip(v, row).map { $0 - along * $1 }
            }
            let length = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if length > 1e-3 { rows.append(v.map { $0 / length }) }
        }
        return rows.flatMap { $0 }
    }
}
