// RealESRGANModel: the second-order degradation of Wang et al. (2021), with the parameters of its released code.

import SuperResolution
public import TorchEngine

/// Blur, resize, noise and JPEG, twice, with a sinc filter at the end, from a sharpened ground truth.
public struct RealESRGANModel: DegradationModel {
    public static let name = "real-esrgan"
    public static let purpose = "two rounds of blur, resizing, noise and JPEG (Wang et al. 2021): pictures from the internet"

    /// Whether the ground truth is sharpened first; losses then take it as ``TrainingPair/target``.
    public var sharpen = true
    public var unsharpMask = UnsharpMask()
    public var first = Round(
        blur: 1, sigma: Span(0.2, 3), up: 0.2, down: 0.7, keep: 0.1, range: Span(0.15, 1.5), noise: Span(1, 30), poisson: Span(0.05, 3))
    public var second = Round(
        blur: 0.8, sigma: Span(0.2, 1.5), up: 0.3, down: 0.4, keep: 0.3, range: Span(0.3, 1.2), noise: Span(1, 25), poisson: Span(0.05, 2.5))
    /// The probability, per picture, of the sinc filter after the last resizing.
    public var finalSinc = 0.8
    public var finalSincSize = 21
    public var finalSincCutoff = Span(Double.pi / 3, Double.pi)
    /// The probability that the last resizing and sinc come before the last JPEG.
    public var sincFirst = 0.5
    /// Pairs kept to draw batches from, so that one batch holds several resizings (180 in the original, on four GPUs); 0 is none.
    public var pool = 64
    /// The part of a batch that is made anew at each step once the pool is full: with 0.5 a pair is trained on twice on average
    /// and making batches costs half. The original's is 1; ours keeps that cost small beside a step on a processor.
    public var fresh = 0.5

    /// One of the two rounds.
    public struct Round: Sendable, Codable, Hashable {
        /// The probability that the batch is blurred.
        public var blur: Double
        public var kernel: KernelMix
        public var resize: Resize
        public var noise: Noise
        /// Quality.
        public var jpeg = Span(30, 95)
        public var chroma = DegradationStep.Chroma.subsampled

        init(blur: Double, sigma: Span, up: Double, down: Double, keep: Double, range: Span, noise: Span, poisson: Span) {
            self.blur = blur
            kernel = KernelMix(sigma: sigma)
            resize = Resize(up: up, down: down, keep: keep, range: range)
            self.noise = Noise(sigma: noise, poisson: poisson)
        }
    }

    public struct Resize: Sendable, Codable, Hashable {
        /// Weights of enlarging, reducing and neither.
        public var up: Double
        public var down: Double
        public var keep: Double
        /// Factors: 1…high where enlarging, low…1 where reducing. In the second round of what the scale asks for.
        public var range: Span
        public var methods = [Interpolation.area, .bilinear, .bicubic]
        public var antialiased = false

        func factor(using random: inout SplitMix) -> Double {
            switch random.choice([up, down, keep]) {
            case 0: Span(1, max(1, range.high)).draw(using: &random)
            case 1: Span(min(1, range.low), 1).draw(using: &random)
            default: 1
            }
        }
    }

    public struct Noise: Sendable, Codable, Hashable {
        /// The probability of Gaussian noise; otherwise it is Poisson's.
        public var gaussian = 0.5
        /// Levels of 255.
        public var sigma: Span
        /// Factor on the noise of as many photons as the picture has levels.
        public var poisson: Span
        /// The probability, per picture, of noise that is equal in all channels.
        public var grey = 0.4
    }

    public init() {}

    public func check() throws {
        for (name, round) in [("first", first), ("second", second)] {
            try checkProbability(round.blur, "\(name).blur")
            try round.kernel.check("\(name).kernel")
            try checkWeights([round.resize.up, round.resize.down, round.resize.keep], "\(name).resize")
            try round.resize.range.check("\(name).resize.range", in: 0.05...4)
            if round.resize.methods.isEmpty { throw AcuityError(.training, "\(name).resize.methods is empty") }
            try checkProbability(round.noise.gaussian, "\(name).noise.gaussian")
            try checkProbability(round.noise.grey, "\(name).noise.grey")
            try round.noise.sigma.check("\(name).noise.sigma", in: 0...255)
            try round.noise.poisson.check("\(name).noise.poisson", in: 0...100)
            try round.jpeg.check("\(name).jpeg", in: 1...100)
        }
        try checkProbability(finalSinc, "final_sinc")
        try checkProbability(sincFirst, "sinc_first")
        try finalSincCutoff.check("final_sinc_cutoff", in: 0.1...Double.pi)
        guard (1...99).contains(finalSincSize), finalSincSize % 2 == 1 else { throw AcuityError(.training, "final_sinc_size is odd, 1…99") }
        guard fresh > 0, fresh <= 1 else { throw AcuityError(.training, "fresh is above 0 and at most 1") }
        guard (0...10_000).contains(pool) else { throw AcuityError(.training, "pool is 0…10000") }
        guard (0...5).contains(unsharpMask.weight), (1...201).contains(unsharpMask.radius), (0...255).contains(unsharpMask.threshold) else {
            throw AcuityError(.training, "unsharp_mask: weight is 0…5, radius 1…201, threshold 0…255")
        }
    }

    public var pairPool: (size: Int, fresh: Double) { (pool, fresh) }

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        var steps: [DegradationStep] = []
        func add(_ round: Round, height: Int, width: Int) {
            if random.happens(round.blur) { steps.append(.blur(kernels: (0..<batch).map { _ in round.kernel.draw(using: &random) })) }
            let factor = round.resize.factor(using: &random)
            steps.append(
                .resize(
                    width: max(1, Int(Double(width) * factor)), height: max(1, Int(Double(height) * factor)),
                    by: random.choice(of: round.resize.methods, default: .area), antialiased: round.resize.antialiased))
            steps.append(round.noise.draw(batch: batch, using: &random))
            steps.append(.clamp)
        }
        func jpeg(_ round: Round) -> DegradationStep {
            .jpeg(quality: (0..<batch).map { _ in round.jpeg.drawInteger(using: &random) }, chroma: round.chroma)
        }
        add(first, height: height, width: width)
        steps.append(jpeg(first))
        add(second, height: height / scale, width: width / scale)

        // Back to the size that the scale asks for, with a filter that rings.
        let back = [
            DegradationStep.resize(
                width: width / scale, height: height / scale, by: random.choice(of: second.resize.methods, default: .area),
                antialiased: second.resize.antialiased),
            .blur(
                kernels: (0..<batch).map { _ in
                    guard random.happens(finalSinc) else { return .identity }
                    return BlurKernel(.sinc, size: finalSincSize, cutoff: finalSincCutoff.draw(using: &random))
                }),
        ]
        steps += random.happens(sincFirst) ? back + [jpeg(second)] : [jpeg(second)] + back
        steps.append(.quantise)
        return DegradationRecord(unsharpMask: sharpen ? unsharpMask : nil, steps: steps)
    }
}

extension RealESRGANModel.Noise {
    func draw(batch: Int, using random: inout SplitMix) -> DegradationStep {
        let isGaussian = random.happens(gaussian)
        let strength = (0..<batch).map { _ in (isGaussian ? sigma : poisson).draw(using: &random) }
        let isGrey = (0..<batch).map { _ in random.happens(grey) }
        guard isGaussian else { return .poissonNoise(scale: strength, grey: isGrey, seed: random.noiseSeed()) }
        return .gaussianNoise(sigma: strength, mixing: isGrey.map { $0 ? DegradationStep.grey : DegradationStep.colour }, seed: random.noiseSeed())
    }
}

extension DegradationStep {
    /// The same noise in all channels, and independent noise.
    static let grey: [Double] = [1, 0, 0, 1, 0, 0, 1, 0, 0]
    static let colour: [Double] = [1, 0, 0, 0, 1, 0, 0, 0, 1]
}
