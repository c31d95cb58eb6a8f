// ReleaseGate: what a model is measured on before it is released, and what it must reach.

public import SuperResolution

/// The gate that every released model passes, and its verdict.
///
/// A model must beat Lanczos-3 on every set, be no worse than what is shipped under its name, agree with its input when
/// shrunk again, keep flat colours flat and mean colours where they are, and leave no pixel-shuffle pattern.
public struct ReleaseGate: Sendable {
    /// Mean over a set of the PSNR between the shrunken result and the low resolution, decibel, at least.
    public var consistency = 40.0
    /// Largest difference of an 8-bit sample from a flat colour, levels, at most.
    public var flatDeviation = 1.0
    /// Largest shift of a picture's mean colour, levels, at most: one 8-bit level, the limit that every model is held to.
    public var drift = 1.0
    /// Strength of a pixel-shuffle pattern on a gradient, levels, at most. Nearest neighbour measures 0.5.
    public var checkerboard = 0.2

    public init() {}

    /// Scores of a model on one set of pictures, beside those of Lanczos-3.
    public struct SetScores: Sendable {
        public let name: String
        public let scores: Scores
        public let lanczos: Scores

        public init(name: String, scores: Scores, lanczos: Scores) {
            self.name = name
            self.scores = scores
            self.lanczos = lanczos
        }
    }

    /// Everything that the gate measured.
    public struct Measurements: Sendable {
        public var sets: [SetScores]
        /// 8-bit levels, see ``Probe/flatDeviation(side:enlarge:)``.
        public var flatDeviation: Double
        /// 8-bit levels, see ``Probe/checkerboard(scale:side:enlarge:)``.
        public var checkerboard: Double

        public init(sets: [SetScores], flatDeviation: Double, checkerboard: Double) {
            self.sets = sets
            self.flatDeviation = flatDeviation
            self.checkerboard = checkerboard
        }

        /// Mean of the sets' mean PSNR-Y.
        public var meanPSNR: Double { sets.reduce(0) { $0 + $1.scores.psnrY } / Double(max(1, sets.count)) }

        /// The figures as they stand on a model card.
        public var metrics: [ModelCard.Metric] {
            sets.flatMap { set in
                [
                    ("psnr_y", set.scores.psnrY, 3), ("ssim_y", set.scores.ssimY, 4),
                    ("lr_psnr", set.scores.consistency, 2), ("mean_drift", set.scores.drift, 3),
                ].map { name, value, digits in
                    ModelCard.Metric(dataset: set.name, name: name, value: rounded(value, digits), images: set.scores.images.count)
                }
            } + [
                ModelCard.Metric(
                    dataset: "flat colours", name: "largest_deviation", value: rounded(flatDeviation, 3), images: Probe.flatColours.count),
                ModelCard.Metric(dataset: "gradient", name: "checkerboard", value: rounded(checkerboard, 3), images: 1),
            ]
        }
    }

    /// A named set of pictures; `pictures` are what the loader takes.
    public struct PictureSet: Sendable {
        public let name: String
        public let pictures: [String]

        public init(name: String, pictures: [String]) {
            self.name = name
            self.pictures = pictures
        }
    }

    /// Measures a model.
    /// - Parameters:
    ///   - progress: called with one line per finished step.
    /// - Throws: what loading or enlarging throws, ``AcuityError`` with code `.file` for an empty set.
    public func measure(
        scale: Int, sets: [PictureSet], load: (String) throws -> Raster, enlarge: Enlarging,
        progress: (String) -> Void = { _ in }
    ) async throws -> Measurements {
        let benchmark = try Benchmark(scale: scale)
        let lanczos: Enlarging = { Resampling.lanczos3.resize($0, width: $0.width * scale, height: $0.height * scale) }
        let measured = Measurements(
            sets: [], flatDeviation: try await Probe.flatDeviation(enlarge: enlarge),
            checkerboard: try await Probe.checkerboard(scale: scale, enlarge: enlarge))
        progress("flat colours within \(rounded(measured.flatDeviation, 2)) levels, pixel-shuffle pattern \(rounded(measured.checkerboard, 3)) levels")
        var result = measured
        for set in sets {
            let scores = try await benchmark.measure(set.pictures, load: load, enlarge: enlarge)
            let reference = try await benchmark.measure(set.pictures, load: load, enlarge: lanczos)
            result.sets.append(SetScores(name: set.name, scores: scores, lanczos: reference))
            progress(
                "\(set.name): \(rounded(scores.psnrY, 3)) dB, SSIM \(rounded(scores.ssimY, 4)) (Lanczos-3 \(rounded(reference.psnrY, 3)) dB), "
                    + "shrunk again \(rounded(scores.consistency, 1)) dB, mean drift \(rounded(scores.drift, 2))")
        }
        return result
    }

    /// What falls short, one line each; empty when the model may be released.
    /// - Parameter shipped: the card of the model that the release would replace.
    public func shortcomings(of measured: Measurements, shipped: ModelCard?) -> [String] {
        var lines = [String]()
        if measured.sets.isEmpty { lines.append("measured on no set of pictures") }
        for set in measured.sets {
            let scores = set.scores
            // Written so that NaN falls short.
            if !(scores.psnrY > set.lanczos.psnrY) {
                lines.append("\(set.name): PSNR-Y \(rounded(scores.psnrY, 3)) dB does not beat Lanczos-3 (\(rounded(set.lanczos.psnrY, 3)) dB)")
            }
            if !(scores.consistency >= consistency) {
                lines.append("\(set.name): shrunk again it agrees with its input to \(rounded(scores.consistency, 2)) dB, needs \(consistency) dB")
            }
            if !(scores.drift <= drift) {
                lines.append("\(set.name): mean colour drifts by \(rounded(scores.drift, 3)) levels, at most \(drift)")
            }
        }
        if !(measured.flatDeviation <= flatDeviation) {
            lines.append("flat colours come out up to \(rounded(measured.flatDeviation, 2)) levels off, at most \(flatDeviation)")
        }
        if !(measured.checkerboard <= checkerboard) {
            lines.append("pixel-shuffle pattern of \(rounded(measured.checkerboard, 3)) levels on a gradient, at most \(checkerboard)")
        }
        if let shipped {
            let before = measured.sets.compactMap { set in
                shipped.metrics.first { $0.dataset == set.name && $0.name == "psnr_y" }?.value
            }
            let mean = before.reduce(0, +) / Double(max(1, before.count))
            if before.count != measured.sets.count {
                lines.append("the shipped \(shipped.name) ×\(shipped.scale) was measured on other sets: cannot compare")
            } else if !(rounded(measured.meanPSNR, 3) >= rounded(mean, 3)) {
                lines.append(
                    "mean PSNR-Y \(rounded(measured.meanPSNR, 3)) dB is below the shipped \(shipped.name) ×\(shipped.scale) (\(rounded(mean, 3)) dB)")
            }
        }
        return lines
    }
}

/// To `digits` decimal places; infinities as they are.
func rounded(_ value: Double, _ digits: Int) -> Double {
    let unit = (0..<digits).reduce(1.0) { power, _ in power * 10 }
    return (value * unit).rounded() / unit
}
