// Probes: synthetic pictures on which faults of a network show that mean PSNR hides: tinted flats, pixel-shuffle patterns.

public import SuperResolution

/// Measurements on synthetic pictures, in 8-bit levels; small is good.
public enum Probe {
    /// Flat colours that a network must leave alone, as 8-bit RGB: a cube of 6×6×6, forty greys, and four of skin, sky, leaf and brick. The
    /// saturated ones are those that photographs teach least of.
    public static let flatColours: [[Float]] =
        (0..<216).map { [$0 / 36, $0 / 6 % 6, $0 % 6].map { Float($0 * 51) } }
        + (0..<40).map { [Float](repeating: Float($0 * 6 + 3), count: 3) }
        + [[200, 150, 120], [70, 110, 160], [60, 100, 50], [160, 60, 60]]

    /// Enlarges flat colours.
    /// - Returns: in 8-bit levels, borders included, over all colours: the largest difference of a sample from the colour, and the largest
    ///   difference between two samples of one channel of a field.
    /// - Throws: what `enlarge` throws.
    public static func flatness(side: Int = 20, enlarge: Enlarging) async throws -> (deviation: Double, spread: Double) {
        var (deviation, spread): (Float, Float) = (0, 0)
        for colour in flatColours {
            var field = Raster(width: side, height: side, channels: 3)
            for index in field.samples.indices { field.samples[index] = colour[index % 3] / 255 }
            let result = try await enlarge(field).roundedTo8Bit()
            for channel in 0..<3 {
                let levels = stride(from: channel, to: result.samples.count, by: 3).map { (result.samples[$0] * 255).rounded() }
                guard let low = levels.min(), let high = levels.max() else { continue }
                deviation = max(deviation, colour[channel] - low, high - colour[channel])
                spread = max(spread, high - low)
            }
        }
        return (Double(deviation), Double(spread))
    }

    /// Enlarges a linear gradient and looks for a pattern that repeats with the scale, the mark of a badly trained
    /// pixel shuffle or transposed convolution ("checkerboard", Odena et al. 2016).
    ///
    /// The ideal enlargement is the same gradient at half-pixel centres. The difference from it is averaged over all
    /// pixels with the same position inside their low-resolution pixel; the root mean square of these `scale²` means
    /// around their common mean is the pattern's strength.
    /// - Returns: the strength of the strongest channel in 8-bit levels.
    /// - Throws: what `enlarge` throws, ``AcuityError`` with code `.image` when the result has another size.
    public static func checkerboard(scale: Int, side: Int = 64, enlarge: Enlarging) async throws -> Double {
        // From 0.2 to 0.8 along the diagonal, every channel with its own slope.
        let slopes: [(x: Double, y: Double)] = [(0.35, 0.25), (0.15, 0.45), (-0.3, 0.3)]
        func value(_ x: Double, _ y: Double, _ channel: Int) -> Double {
            0.5 + slopes[channel].x * (x / Double(side) - 0.5) + slopes[channel].y * (y / Double(side) - 0.5)
        }
        var gradient = Raster(width: side, height: side, channels: 3)
        for y in 0..<side {
            for x in 0..<side {
                for channel in 0..<3 { gradient[x, y, channel] = Float(value(Double(x) + 0.5, Double(y) + 0.5, channel)) }
            }
        }
        let result = try await enlarge(gradient)
        guard result.width == side * scale, result.height == side * scale, result.channels == 3 else {
            throw AcuityError(.image, "\(side)×\(side) pixels became \(result.width)×\(result.height) at scale \(scale)")
        }

        // The border belongs to the padding, not to the pattern.
        let inside = (side / 4) * scale..<(side - side / 4) * scale
        var worst = 0.0
        for channel in 0..<3 {
            var sums = [Double](repeating: 0, count: scale * scale)
            for y in inside {
                for x in inside {
                    let ideal = value((Double(x) + 0.5) / Double(scale), (Double(y) + 0.5) / Double(scale), channel)
                    sums[y % scale * scale + x % scale] += Double(result[x, y, channel]) - ideal
                }
            }
            let means = sums.map { $0 / Double(inside.count * inside.count / (scale * scale)) }
            let centre = means.reduce(0, +) / Double(means.count)
            let power = means.reduce(0) { $0 + ($1 - centre) * ($1 - centre) } / Double(means.count)
            worst = max(worst, 255 * power.squareRoot())
        }
        return worst
    }
}
