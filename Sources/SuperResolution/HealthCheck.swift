// HealthCheck: tells a ruined enlargement from a good one by comparing a network's output with its input.

/// What is wrong with an enlarged tile.
public enum HealthProblem: String, Sendable, Hashable {
    case notFinite = "the result holds values that are not numbers"
    case flat = "the result is flat where the input is not"
    case colourDrift = "the result's mean colour drifted away from the input's"
    case dissimilar = "the result does not resemble the input"
}

/// Compares what a network made with what it was given.
///
/// Enlarging keeps the picture's low frequencies: means over blocks of 8×8 input pixels hardly move (below 0.02 RMS for
/// sound networks, restoring ones included), while overflow, wrong weights or a broken kernel change them wildly. The
/// thresholds lie a factor of five away from either.
public enum HealthCheck {
    /// Input pixels per side of the blocks whose means are compared.
    static let block = 8
    /// Largest difference of a channel's mean over the tile.
    static let colourDrift: Float = 0.1
    /// Largest root mean square difference of block means.
    static let dissimilarity: Float = 0.15
    /// Below this range an output is flat, above ``contrast`` an input is not.
    static let flatness: Float = 2 / 255
    static let contrast: Float = 16 / 255

    /// The first problem found, or `nil`.
    ///
    /// Pictures smaller than a block are only checked for being finite and not flat: the network's padding may
    /// legitimately dominate them.
    /// - Parameters:
    ///   - input: what the network was given.
    ///   - output: what it made, with the same channels.
    ///   - part: the part of the output that was made of the input, a whole multiple of its size; all of it if `nil`.
    public static func problem(input: Raster, output: Raster, within part: Region? = nil) -> HealthProblem? {
        guard input.width > 0, input.height > 0 else { return nil }
        let part = part ?? Region(x: 0, y: 0, width: output.width, height: output.height)
        let scale = part.width / input.width
        let after = Summary(output, part, block: block * scale)
        if !after.isFinite { return .notFinite }
        let before = Summary(input, Region(x: 0, y: 0, width: input.width, height: input.height), block: block)
        if before.range > contrast && after.range < flatness { return .flat }

        guard !before.means.isEmpty, before.means.count == after.means.count else { return nil }
        let channels = input.channels
        var squares: Float = 0
        var drift = [Float](repeating: 0, count: channels)
        for i in before.means.indices {
            let difference = after.means[i] - before.means[i]
            squares += difference * difference
            drift[i % channels] += difference
        }
        let blocks = Float(before.means.count / channels)
        if drift.contains(where: { abs($0) / blocks > colourDrift }) { return .colourDrift }
        if (squares / Float(before.means.count)).squareRoot() > dissimilarity { return .dissimilar }
        return nil
    }
}

/// Block means and the range of a raster clipped to 0…1, and whether it was finite.
private struct Summary {
    var means: [Float] = []
    var range: Float = 0
    var isFinite = true

    init(_ raster: Raster, _ part: Region, block: Int) {
        let stride = part.width * raster.channels
        let columns = part.width / block
        means.reserveCapacity(columns * (part.height / block) * raster.channels)
        var sum = [Float](repeating: 0, count: stride)
        var lowest = [Float](repeating: 1, count: stride)
        var highest = [Float](repeating: 0, count: stride)
        var poison = [Float](repeating: 0, count: stride)
        // Rows of one block at a time, in stretches that stay in the first-level cache with what is summed up over them.
        let stretch = 512
        for first in Swift.stride(from: 0, to: part.height, by: block) {
            let rows = min(block, part.height - first)
            raster.samples.withUnsafeBufferPointer { samples in
                let corner = samples.baseAddress! + (part.y + first) * raster.stride + part.x * raster.channels
                sum.withUnsafeMutableBufferPointer { sum in
                    lowest.withUnsafeMutableBufferPointer { lowest in
                        highest.withUnsafeMutableBufferPointer { highest in
                            poison.withUnsafeMutableBufferPointer { poison in
                                for start in Swift.stride(from: 0, to: stride, by: stretch) {
                                    for y in 0..<rows {
                                        let row = corner + y * raster.stride
                                        for i in start..<min(start + stretch, stride) {
                                            let value = row[i]
                                            poison[i] += value * 0  // NaN once a value is infinite or NaN
                                            let low: Float = value > 0 ? value : 0
                                            let clipped: Float = low < 1 ? low : 1
                                            sum[i] += clipped
                                            lowest[i] = clipped < lowest[i] ? clipped : lowest[i]
                                            highest[i] = clipped > highest[i] ? clipped : highest[i]
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            if rows == block {
                for column in 0..<columns {
                    for channel in 0..<raster.channels {
                        var total: Float = 0
                        for x in 0..<block { total += sum[(column * block + x) * raster.channels + channel] }
                        means.append(total / Float(block * block))
                    }
                }
                for i in 0..<stride { sum[i] = 0 }
            }
        }
        isFinite = !poison.contains(where: \.isNaN)
        range = max(0, (highest.max() ?? 0) - (lowest.min() ?? 0))
    }
}
