// ReleaseProfile: what a model must reach, by what it is for. docs/release.md gives the reason for every number.

/// Thresholds of the release gate.
public struct ReleaseProfile: Sendable {
    public enum Name: String, Sendable, CaseIterable {
        /// True to its source: trained on clean reductions, judged by fidelity.
        case faithful
        /// Removes noise, blur and compression: may differ from its input, but not invent colours or patterns.
        case restore
        /// Adversarially trained: invents plausible detail.
        case gan
        /// For text, logos and line art.
        case text
    }

    /// The figure that must not get worse than the shipped model's.
    public enum Criterion: Sendable { case fidelity, restoration, naturalness, text }

    public let name: Name
    /// Mean PSNR-Y on every held-out set less Lanczos-3's, decibel, more than.
    public var gain: Double
    /// Mean SSIM-Y on every held-out set less Lanczos-3's, more than; nil: not judged.
    public var similarityGain: Double?
    /// Mean PSNR between shrunken result and input, decibel, at least: on held-out sets and on real pictures.
    public var consistency: Double
    public var realConsistency: Double
    /// Largest shift of a picture's mean colour, 8-bit levels, at most: one 8-bit level for a faithful model.
    public var drift: Double
    /// The same on real pictures, where ringing clipped at black and white moves the mean a little.
    public var realDrift: Double
    /// Largest difference of an 8-bit sample from a flat colour, at most.
    public var flatDeviation = 1.0
    /// Largest difference between two samples of a flat colour, 8-bit levels, at most: networks that repair or invent may show both of a
    /// level's neighbours.
    public var flatSpread = 1.0
    /// Pixel-shuffle pattern on a gradient, 8-bit levels, at most. Nearest neighbour measures 0.5.
    public var checkerboard: Double
    /// Amplitude of the pixel-shuffle frequency on real pictures, 8-bit levels, at most.
    public var shufflePattern: Double
    /// Overshoot at a step as a fraction of it, mean over eight steps, at most.
    public var overshoot: Double
    /// Mean distance of samples of real pictures from the local range of the input, 8-bit levels, at most.
    public var beyondRange: Double
    /// Moiré on line screens and zone plate, 8-bit levels, at most.
    public var moire: Double
    /// PSNR-Y on drawn letters less Lanczos-3's, decibel, more than.
    public var textGain: Double
    /// Width of a hard step after enlarging, pixels, at most; nil: not measured.
    public var stepWidth: Double?
    /// Letters that Tesseract reads wrong, as a share of Lanczos-3's, at most; nil: nothing is read.
    public var misreading: Double?
    /// NIQE-own on real pictures less Lanczos-3's, at most.
    public var naturalness: Double
    /// At scale 1: PSNR-Y between clean pictures and what becomes of them, decibel, at least.
    public var untouched = 36.0
    /// Time against the shipped model of the same name, at most.
    public var slowdown = 2.0
    public var criterion: Criterion

    /// - Parameter scale: at 1 a restorer is held to its input: it must come nearer to the truth, and leave alone what is clean.
    public init(_ name: Name, scale: Int = 4) {
        self.name = name
        switch name {
        case .faithful:
            (gain, similarityGain, consistency, realConsistency) = (0, 0, 40, 40)
            (drift, realDrift, checkerboard, shufflePattern) = (1, 3, 0.2, 1)
            (overshoot, beyondRange, moire, textGain, naturalness) = (0.15, 1, 2, 0, 1)
            criterion = .fidelity
        case .restore:
            (gain, similarityGain, consistency, realConsistency) = (-2.5, nil, 28, 24)
            (drift, realDrift, checkerboard, shufflePattern) = (2, 4, 0.4, 1)
            (overshoot, beyondRange, moire, textGain, naturalness) = (0.2, 2, 6, -2, 0)
            flatSpread = 2
            criterion = .restoration
        case .gan:
            (gain, similarityGain, consistency, realConsistency) = (-4, nil, 26, 22)
            (drift, realDrift, checkerboard, shufflePattern) = (2, 4, 0.5, 1)
            (overshoot, beyondRange, moire, textGain, naturalness) = (0.3, 4, 8, -3, -0.5)
            flatSpread = 2
            criterion = .naturalness
        case .text:
            (gain, similarityGain, consistency, realConsistency) = (0, 0, 30, 26)
            (drift, realDrift, checkerboard, shufflePattern) = (2, 4, 0.3, 1)
            (overshoot, beyondRange, moire, textGain, naturalness) = (0.15, 2, 4, 2, 2)
            (stepWidth, misreading) = (1, 0.5)
            criterion = .text
        }
        if scale == 1 {
            // Grain counts as natural, so a picture that has lost it has a higher NIQE.
            naturalness = 2
        }
    }
}
