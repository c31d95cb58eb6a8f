// ColourLock: ties the colours of a result to those of the picture that it was made from.

/// Adds to an enlarged picture what its local mean colours lack of the input's.
///
/// Networks trained adversarially invent texture, which is what they are for, and shift colours and brightness, which nobody asked for
/// (realesr-general-x4v3 by up to 10 levels of 255 on flat fields). Enlarging keeps the means over blocks of some pixels, so the
/// difference of these means, smoothed and interpolated between the blocks' centres, is the shift; detail within a block stays as it is.
public struct ColourLock: Sendable {
    /// Input pixels per side of the blocks whose means are compared.
    static let block = 8

    private let columns: Int
    private let rows: Int
    private let channels: Int
    private let scale: Int
    /// What to add at the blocks' centres: [row][column][channel].
    private var differences: [Float]

    /// Measures.
    /// - Parameters:
    ///   - input: what was enlarged.
    ///   - result: what became of it, `scale` times as large.
    /// - Precondition: the same channels, at least one pixel.
    public init(input: PixelBuffer, result: PixelBuffer, scale: Int) {
        precondition(result.width == input.width * scale && result.height == input.height * scale && result.channels == input.channels)
        columns = (input.width + Self.block - 1) / Self.block
        rows = (input.height + Self.block - 1) / Self.block
        channels = input.channels
        self.scale = scale
        let before = Self.means(input, block: Self.block), after = Self.means(result, block: Self.block * scale)
        differences = Self.smoothed(zip(before, after).map { $0 - $1 }, columns: columns, rows: rows, channels: channels)
    }

    /// The largest difference, 0…1.
    public var largest: Float { differences.reduce(0) { max($0, abs($1)) } }

    /// The result with its colours corrected, clipped to 0…1.
    public func corrected(_ result: PixelBuffer, depth: PixelBuffer.Depth) -> PixelBuffer {
        var corrected = PixelBuffer(width: result.width, height: result.height, channels: channels, depth: depth)
        let side = Self.block * scale, stripRows = max(1, (1 << 20) / max(1, result.width * channels))
        let horizontal = (0..<result.width).map { Self.place($0, side: side, count: columns) }
        for top in stride(from: 0, to: result.height, by: stripRows) {
            let region = Region(x: 0, y: top, width: result.width, height: min(stripRows, result.height - top))
            var strip = result.raster(of: region)
            var line = [Float](repeating: 0, count: columns * channels)
            for y in 0..<region.height {
                let vertical = Self.place(top + y, side: side, count: rows)
                for i in line.indices {
                    let (a, b) = (differences[vertical.first * line.count + i], differences[vertical.second * line.count + i])
                    line[i] = a + (b - a) * vertical.weight
                }
                strip.samples.withUnsafeMutableBufferPointer { samples in
                    for x in 0..<region.width {
                        let h = horizontal[x], pixel = (y * region.width + x) * channels
                        for c in 0..<channels {
                            let (a, b) = (line[h.first * channels + c], line[h.second * channels + c])
                            samples[pixel + c] += a + (b - a) * h.weight
                        }
                    }
                }
            }
            corrected.write(strip, x: 0, y: top)
        }
        return corrected
    }

    /// The two blocks between whose centres a pixel lies, and how far towards the second.
    private static func place(_ pixel: Int, side: Int, count: Int) -> (first: Int, second: Int, weight: Float) {
        let position = (Float(pixel) + 0.5) / Float(side) - 0.5
        let first = min(max(0, Int(position.rounded(.down))), count - 1)
        return (first, min(first + 1, count - 1), min(max(0, position - Float(first)), 1))
    }

    /// Means over blocks; those at the right and bottom edge may be narrower.
    private static func means(_ pixels: PixelBuffer, block: Int) -> [Float] {
        let columns = (pixels.width + block - 1) / block, channels = pixels.channels
        var result: [Float] = []
        result.reserveCapacity(columns * ((pixels.height + block - 1) / block) * channels)
        for top in stride(from: 0, to: pixels.height, by: block) {
            let strip = pixels.raster(of: Region(x: 0, y: top, width: pixels.width, height: min(block, pixels.height - top)))
            var sums = [Float](repeating: 0, count: columns * channels)
            strip.samples.withUnsafeBufferPointer { samples in
                for y in 0..<strip.height {
                    for x in 0..<strip.width {
                        let (from, to) = ((y * strip.width + x) * channels, x / block * channels)
                        for c in 0..<channels { sums[to + c] += samples[from + c] }
                    }
                }
            }
            for column in 0..<columns {
                let pixels = Float(min(block, pixels.width - column * block) * strip.height)
                for c in 0..<channels { result.append(sums[column * channels + c] / pixels) }
            }
        }
        return result
    }

    /// Each block mixed with its neighbours, 1 : 2 : 1 along rows and columns: one block's grain is not the picture's colour.
    private static func smoothed(_ values: [Float], columns: Int, rows: Int, channels: Int) -> [Float] {
        func mixed(_ values: [Float], step: Int, count: Int) -> [Float] {
            values.indices.map { i in
                let place = i / step % count
                return (values[place > 0 ? i - step : i] + 2 * values[i] + values[place < count - 1 ? i + step : i]) / 4
            }
        }
        return mixed(mixed(values, step: channels, count: columns), step: columns * channels, count: rows)
    }
}
