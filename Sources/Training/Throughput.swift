// Throughput: how much of what a device can multiply a training run makes use of.

import SuperResolution

/// Turns samples per second into operations per second and into a share of the device's measured matrix rate.
///
/// Operations of a sample: two per multiplication of the network, counted as direct convolution, once forward and twice
/// backward. Making low resolution, losses, discriminators and the optimiser are not counted but take their time, so the
/// share is what arrives in the network.
public struct Throughput: Sendable {
    /// Of the device, 10¹² operations per second.
    public let matrixRate: Double
    private let multiplicationsPerPixel: Double
    private let recipe: Recipe
    private var samples: (count: Double, sum: Double, best: Double) = (0, 0, 0)

    /// - Parameter matrixRate: 10¹² operations per second, see `TorchRuntime.matrixRate(device:)`.
    public init(_ recipe: Recipe, matrixRate: Double) throws {
        self.recipe = recipe
        self.matrixRate = matrixRate
        multiplicationsPerPixel = try recipe.network().multiplicationsPerPixel
    }

    /// Takes note of a run's progress; other events are ignored.
    public mutating func note(_ event: TrainingEvent) {
        guard case .progress(let progress) = event, progress.minutes + progress.minutesLeft > 0 else { return }
        note(imagesPerSecond: progress.imagesPerSecond, at: progress.minutes / (progress.minutes + progress.minutesLeft))
    }

    /// - Parameter fraction: of the run, which decides the patches' size.
    package mutating func note(imagesPerSecond: Double, at fraction: Double) {
        let side = recipe.patchSide(at: fraction)
        let rate = 6 * multiplicationsPerPixel * Double(side * side) * imagesPerSecond * 1e-12
        samples = (samples.count + 1, samples.sum + rate, max(samples.best, rate))
    }

    /// Mean 10¹² operations per second so far; nil before the first report.
    public var rate: Double? { samples.count > 0 ? samples.sum / samples.count : nil }

    /// One line for a person; nil before the first report.
    public var summary: String? {
        guard let rate, matrixRate > 0 else { return nil }
        /// Three significant digits or so.
        func two(_ value: Double) -> String {
            let unit: Double = value < 1 ? 10_000 : 100
            return "\((value * unit).rounded() / unit)"
        }
        return "steps reach \(two(rate)) TFLOP/s (at best \(two(samples.best))), \(two(100 * rate / matrixRate)) % of the "
            + "\(two(matrixRate)) TFLOP/s at which this device multiplies bf16 matrices"
    }
}
