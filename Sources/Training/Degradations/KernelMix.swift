// KernelMix: how blur kernels are drawn: Real-ESRGAN's six families and its sinc.

import SuperResolution

/// The kernels of one blur of Real-ESRGAN (Wang et al. 2021, §3.2 and its code's options).
public struct KernelMix: Sendable, Codable, Hashable {
    /// Side, odd numbers.
    public var size = Span(7, 21)
    /// The probability of a sinc kernel, with a cut-off in π/3…π below size 13 and π/5…π from there on.
    public var sinc = 0.1
    /// Weights of the other families.
    public var families = Families()
    /// Standard deviation along each axis, pixels.
    public var sigma: Span
    /// Radians.
    public var rotation = Span(-Double.pi, Double.pi)
    /// Exponent of generalised Gaussians; either side of 1 is as likely.
    public var generalisedShape = Span(0.5, 4)
    /// Exponent of plateau kernels, likewise.
    public var plateauShape = Span(1, 2)

    public struct Families: Sendable, Codable, Hashable {
        public var isotropic = 0.45
        public var anisotropic = 0.25
        public var generalisedIsotropic = 0.12
        public var generalisedAnisotropic = 0.03
        public var plateauIsotropic = 0.12
        public var plateauAnisotropic = 0.03

        public init() {}

        var weights: [Double] {
            [isotropic, anisotropic, generalisedIsotropic, generalisedAnisotropic, plateauIsotropic, plateauAnisotropic]
        }
    }

    public init(sigma: Span) { self.sigma = sigma }

    func check(_ name: String) throws {
        try size.check("\(name).size", in: 1...99)
        try checkProbability(sinc, "\(name).sinc")
        try checkWeights(families.weights, "\(name).families")
        try sigma.check("\(name).sigma", in: 0.05...50)
        try rotation.check("\(name).rotation", in: -7...7)
        try generalisedShape.check("\(name).generalised_shape", in: 0.1...20)
        try plateauShape.check("\(name).plateau_shape", in: 0.1...20)
    }

    func draw(using random: inout SplitMix) -> BlurKernel {
        let side = Self.side(size, using: &random)
        if random.happens(sinc) { return Self.sinc(side, least: side < 13 ? .pi / 3 : .pi / 5, using: &random) }
        let family = random.choice(families.weights)
        let first = sigma.draw(using: &random)
        var kernel = BlurKernel(family < 4 ? .gaussian : .plateau, size: side, sigma: [first, first])
        if family % 2 == 1 {
            kernel.sigma[1] = sigma.draw(using: &random)
            kernel.rotation = rotation.draw(using: &random)
        }
        if family >= 2 { kernel.shape = (family < 4 ? generalisedShape : plateauShape).drawAroundOne(using: &random) }
        return kernel
    }

    /// An odd side.
    static func side(_ size: Span, using random: inout SplitMix) -> Int {
        2 * Span((size.low / 2).rounded(.down), ((size.high - 1) / 2).rounded(.down)).drawInteger(using: &random) + 1
    }

    static func sinc(_ side: Int, least: Double, using random: inout SplitMix) -> BlurKernel {
        BlurKernel(.sinc, size: side, cutoff: Span(least, .pi).draw(using: &random))
    }
}
