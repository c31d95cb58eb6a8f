// Benchmark: the literature's protocol: shrink the ground truth by MATLAB's bicubic, enlarge it again, compare on luma.

public import SuperResolution

#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// Enlarges a raster by the whole factor that it was made for; grey stays grey. What a benchmark measures.
public typealias Enlarging = @Sendable (Raster) async throws -> Raster

/// Evaluation of an enlarging method against ground truth at a whole scale.
///
/// Each picture is cropped to a multiple of the scale at its right and lower edge, shrunk by antialiased bicubic
/// (a = −½) unless another way is given, rounded to 8 bit, enlarged, rounded to 8 bit again, and compared on Y without a
/// border of `scale` pixels.
public struct Benchmark: Sendable {
    /// Makes the low resolution of a picture whose sides are multiples of the scale, `scale` times smaller, of as many channels.
    public typealias Reduction = @Sendable (Raster) throws -> Raster

    /// At least 1.
    public let scale: Int
    /// How the low resolution is made.
    public let reduce: Reduction
    /// What happens to the low resolution before it is rounded to 8 bit.
    public let damage: @Sendable (Raster) throws -> Raster

    /// - Parameters:
    ///   - reduce: bicubic, as the literature has it, unless given.
    ///   - damage: such as noise or compression; nothing, as the literature has it, unless given.
    /// - Throws: ``AcuityError`` with code `.usage` when the scale is outside 1…16.
    public init(scale: Int, reduce: Reduction? = nil, damage: @escaping @Sendable (Raster) throws -> Raster = { $0 }) throws {
        guard (1...16).contains(scale) else { throw AcuityError(.usage, "scale \(scale): must be 1…16") }
        self.scale = scale
        self.reduce = reduce ?? { truth in
            scale == 1 ? truth : Resampling.bicubic.resize(truth, width: truth.width / scale, height: truth.height / scale)
        }
        self.damage = damage
    }

    /// Ground truth and the low resolution that is made of it.
    public struct Pair: Sendable {
        public let truth: Raster
        public let low: Raster
    }

    /// - Throws: ``AcuityError`` with code `.image` when the picture is smaller than the scale; what the damage throws.
    public func pair(from picture: Raster) throws -> Pair {
        let (width, height) = (picture.width / scale, picture.height / scale)
        guard width > 0, height > 0 else {
            throw AcuityError(.image, "\(picture.width)×\(picture.height) pixels are too few for scale \(scale)")
        }
        let truth = picture.cropped(to: Region(x: 0, y: 0, width: width * scale, height: height * scale))
        let low = try damage(try reduce(truth))
        return Pair(truth: truth, low: low.roundedTo8Bit())
    }

    /// What one picture became, for measures beyond ``ImageScore``.
    public struct Outcome: Sendable {
        public let name: String
        public let pair: Pair
        /// Rounded to 8 bit.
        public let result: Raster
        /// ``Artefact/map(of:truth:other:window:)``, against Lanczos-3's result.
        public let artefacts: Raster
    }

    /// Enlarges the low resolution made of one picture and measures the result.
    /// - Throws: ``AcuityError`` when the picture is too small to measure, or what `enlarge` throws.
    public func measure(
        _ picture: Raster, name: String, enlarge: Enlarging, look: (Outcome) throws -> Void = { _ in }
    ) async throws -> ImageScore {
        let pair = try pair(from: picture)
        let clock = ContinuousClock()
        let start = clock.now
        let raw = try await enlarge(pair.low)
        let seconds = start.duration(to: clock.now).seconds

        let result = raw.roundedTo8Bit()
        let again = Resampling.bicubic.resize(result, width: pair.low.width, height: pair.low.height)
        let other = Resampling.lanczos3.resize(pair.low, width: pair.truth.width, height: pair.truth.height).roundedTo8Bit()
        let artefacts = Artefact.map(of: result, truth: pair.truth, other: other)
        try look(Outcome(name: name, pair: pair, result: result, artefacts: artefacts))
        return ImageScore(
            name: name, width: pair.truth.width, height: pair.truth.height,
            psnrY: try Metrics.psnrY(result, against: pair.truth, crop: scale),
            ssimY: try Metrics.ssimY(result, against: pair.truth, crop: scale),
            consistency: try Metrics.psnr(again, against: pair.low),
            drift: meanDrift(of: again, from: pair.low),
            artefacts: artefacts.channelMeans()[0],
            seconds: seconds)
    }

    /// Measures pictures one after the other.
    /// - Parameters:
    ///   - names: what `load` takes, e.g. paths.
    ///   - load: the ground truth, 1 or 3 channels.
    ///   - look: called with what every picture became.
    ///   - progress: called after every picture with its score.
    /// - Throws: the first error, with the picture's name in front.
    public func measure(
        _ names: [String], load: (String) throws -> Raster, enlarge: Enlarging, look: (Outcome) throws -> Void = { _ in },
        progress: (ImageScore) -> Void = { _ in }
    ) async throws -> Scores {
        guard !names.isEmpty else { throw AcuityError(.file, "no pictures to evaluate") }
        var images = [ImageScore]()
        for name in names {
            let picture = try load(name)
            do {
                images.append(try await measure(picture, name: name, enlarge: enlarge, look: look))
            } catch let error as AcuityError {
                throw AcuityError(error.code, "\(name): \(error.message)")
            }
            progress(images[images.count - 1])
        }
        return Scores(scale: scale, images: images)
    }
}

/// What was measured on one picture.
public struct ImageScore: Sendable, Hashable {
    public let name: String
    /// Size of the ground truth after cropping, in pixels.
    public let width: Int
    public let height: Int
    /// Decibel.
    public let psnrY: Double
    public let ssimY: Double
    /// PSNR over all channels, decibel, between the result shrunk by bicubic and the low resolution it was made from.
    public let consistency: Double
    /// Largest difference of a channel's mean from the low resolution's, in 8-bit levels.
    public let drift: Double
    /// Mean of LDL's map of artefacts against Lanczos-3, see ``Artefact/map(of:truth:other:window:)``; 0 where there is no truth.
    public let artefacts: Double
    /// Time that enlarging took.
    public let seconds: Double

    public init(
        name: String, width: Int, height: Int, psnrY: Double, ssimY: Double, consistency: Double, drift: Double, artefacts: Double = 0, seconds: Double
    ) {
        self.name = name
        self.width = width
        self.height = height
        self.psnrY = psnrY
        self.ssimY = ssimY
        self.consistency = consistency
        self.drift = drift
        self.artefacts = artefacts
        self.seconds = seconds
    }
}

/// What was measured on a set of pictures. Means are means over pictures.
public struct Scores: Sendable, Hashable {
    public let scale: Int
    /// At least one.
    public let images: [ImageScore]

    public init(scale: Int, images: [ImageScore]) {
        self.scale = scale
        self.images = images
    }

    public var psnrY: Double { mean(\.psnrY) }
    public var ssimY: Double { mean(\.ssimY) }
    public var consistency: Double { mean(\.consistency) }
    /// Of the picture that drifts most.
    public var drift: Double { images.map(\.drift).max() ?? 0 }
    public var artefacts: Double { mean(\.artefacts) }
    public var seconds: Double { images.reduce(0) { $0 + $1.seconds } }
    /// Millions of pixels of the enlarged pictures per second of enlarging.
    public var megapixelsPerSecond: Double {
        images.reduce(0) { $0 + Double($1.width * $1.height) } / 1e6 / max(seconds, 1e-9)
    }

    private func mean(_ value: (ImageScore) -> Double) -> Double {
        images.reduce(0) { $0 + value($1) } / Double(max(1, images.count))
    }
}

extension Raster {
    /// Clipped to 0…1 and rounded to the nearest multiple of 1/255, halves upwards; NaN becomes 0.
    func roundedTo8Bit() -> Raster {
        var result = self
        result.samples.withUnsafeMutableBufferPointer { samples in
            for index in samples.indices {
                samples[index] = (min(max(samples[index], 0), 1) * 255 + 0.5).rounded(.down) / 255
            }
        }
        return result
    }

    /// With Gaussian noise, independent in every sample and the same at every call.
    /// - Parameter sigma: standard deviation in levels of 255.
    public func noisy(sigma: Float) -> Raster {
        var result = self
        var random = ReproducibleNoise()
        for index in result.samples.indices { result.samples[index] += sigma / 255 * Float(random.normal()) }
        return result
    }

    /// As a sensor counts it: every sample, clipped to 0…1, is the mean of a Poisson distribution. Independent in every
    /// sample and the same at every call.
    /// - Parameter photons: how many are counted where a sample is 1; above 0.
    public func counted(photons: Float) -> Raster {
        var result = self
        var random = ReproducibleNoise()
        for index in result.samples.indices {
            result.samples[index] = Float(random.poisson(mean: Double(min(max(samples[index], 0), 1) * photons))) / photons
        }
        return result
    }

    /// The mean of each channel.
    func channelMeans() -> [Double] {
        var sums = [Double](repeating: 0, count: channels)
        for (index, sample) in samples.enumerated() { sums[index % channels] += Double(sample) }
        return sums.map { $0 / Double(max(1, width * height)) }
    }
}

/// SplitMix64 and what is drawn from it: the generators of the library are not the same everywhere.
private struct ReproducibleNoise {
    private var state: UInt64 = 1

    /// Between 0 and 1, neither of them.
    mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return (Double((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53
    }

    /// Box and Muller's.
    mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

    /// Multiplied uniforms (Knuth, The Art of Computer Programming 2, §3.4.1) up to a mean of 60; from there on, where it
    /// differs by less than a hundredth of its deviation, a rounded normal.
    mutating func poisson(mean: Double) -> Double {
        if mean > 60 { return max(0, (mean + mean.squareRoot() * normal()).rounded()) }
        let limit = exp(-mean)
        var (product, count) = (uniform(), 0.0)
        while product > limit { (product, count) = (product * uniform(), count + 1) }
        return count
    }
}

/// The largest difference of a channel's mean, in 8-bit levels.
func meanDrift(of result: Raster, from reference: Raster) -> Double {
    zip(result.channelMeans(), reference.channelMeans()).map { abs($0 - $1) * 255 }.max() ?? 0
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
