// HealthCheck: tells a ruined enlargement from a good one by comparing a network's output with its input.

/// What is wrong with an enlarged tile.
enum HealthProblem: String, Sendable, Hashable {
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
enum HealthCheck {
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
    ///   - part: the part of it that the output was made of.
    ///   - output: what it made, with the same channels and a whole multiple of the part's size.
    ///   - isFinite: whether the output was, before it was clipped and rounded.
    static func problem(input: Raster, part: Region, output: PixelBuffer, isFinite: Bool) -> HealthProblem? {
        guard part.width > 0, part.height > 0 else { return nil }
        guard isFinite else { return .notFinite }
        // One row of the output for each of the input tells the same as all. Every row of the input has its say: with
        // every other one, stripes of one pixel would count as their light or their dark half alone.
        let scale = output.width / part.width
        var seen = PixelBuffer(unfilledWidth: part.width, height: part.height, channels: input.channels, depth: .eight)
        seen.write(input, from: part, x: 0, y: 0)
        let before = Summary(seen, block: block)
        let after = Summary(output, block: block * scale, everyRows: scale)
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

/// Block means of a picture and its range, 0…1.
private struct Summary {
    var means: [Float] = []
    var range: Float = 0

    /// - Parameter everyRows: looks at one row of so many, in the middle of them; a block is a multiple.
    init(_ pixels: PixelBuffer, block: Int, everyRows: Int = 1) {
        pixels.bytes.withUnsafeBytes { bytes in
            switch pixels.depth {
            case .eight: measure(bytes.assumingMemoryBound(to: UInt8.self), pixels, block, everyRows)
            case .sixteen: measure(bytes.assumingMemoryBound(to: UInt16.self), pixels, block, everyRows)
            }
        }
    }

    private mutating func measure<Sample: FixedWidthInteger>(_ samples: UnsafeBufferPointer<Sample>, _ pixels: PixelBuffer, _ block: Int, _ step: Int) {
        let (channels, columns, stride) = (pixels.channels, pixels.width / block, pixels.width * pixels.channels)
        guard let samples = samples.baseAddress, stride > 0 else { return }
        means.reserveCapacity(columns * (pixels.height / block) * channels)
        var sum = [UInt32](repeating: 0, count: stride)
        var lowest = [Sample](repeating: .max, count: stride)
        var highest = [Sample](repeating: .min, count: stride)
        let white = pixels.depth.white
        for top in Swift.stride(from: 0, to: pixels.height / step * step, by: step) {
            let row = samples + (top + step / 2) * stride
            sum.withUnsafeMutableBufferPointer { sum in
                lowest.withUnsafeMutableBufferPointer { lowest in
                    highest.withUnsafeMutableBufferPointer { highest in
                        // Three loops, for the compiler makes vectors of each, of different widths.
                        for i in 0..<stride { sum[i] &+= UInt32(truncatingIfNeeded: row[i]) }
                        for i in 0..<stride { lowest[i] = min(lowest[i], row[i]) }
                        for i in 0..<stride { highest[i] = max(highest[i], row[i]) }
                    }
                }
            }
            if (top + step) % block == 0 {
                for column in 0..<columns {
                    for channel in 0..<channels {
                        var total: UInt32 = 0
                        for x in 0..<block { total &+= sum[(column * block + x) * channels + channel] }
                        means.append(Float(total) / (Float(block * (block / step)) * white))
                    }
                }
                for i in 0..<stride { sum[i] = 0 }
            }
        }
        guard let low = lowest.min(), let high = highest.max() else { return }
        range = Float(high - low) / white
    }
}
