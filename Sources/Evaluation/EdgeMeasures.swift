// EdgeMeasures: how wide an upright step is after enlarging, and whether flat areas stay flat.

public import SuperResolution

public enum EdgeMeasures {
    /// Distance, in pixels of the result, over which the steps of a striped picture rise from a tenth to nine tenths; 1 at most for a hard step.
    ///
    /// Stripes of 8 to 13 input pixels, dark and light in turn, are enlarged; each step is measured on the middle row between the levels
    /// on its two sides.
    public static func stepWidth(scale: Int, enlarge: Enlarging) async throws -> Double {
        var levels: [Float] = []
        var steps: [Int] = []
        for stripe in 0..<12 {
            let level: Float = stripe % 2 == 0 ? 0.1 + 0.05 * Float(stripe % 4) : 0.75 + 0.05 * Float(stripe % 5)
            if stripe > 0 { steps.append(levels.count) }
            levels += [Float](repeating: level, count: 8 + stripe % 6)
        }
        let width = levels.count
        var low = Raster(width: width, height: 24, channels: 3)
        for y in 0..<24 { for x in 0..<width { for c in 0..<3 { low[x, y, c] = (levels[x] * 255).rounded() / 255 } } }
        let high = try await enlarge(low).roundedTo8Bit()
        let row = 12 * scale
        let widths = steps.map { step -> Double in
            let (left, right) = (levels[step - 1], levels[step])
            // Position of the first crossing of a share of the step, interpolated, from the middle of the left stripe on.
            func crossing(_ share: Float) -> Double {
                var previous: Float = 0
                for x in (step - 4) * scale..<(step + 4) * scale {
                    let value = (high[x, row, 1] - left) / (right - left)
                    if value >= share { return Double(x) - Double((value - share) / max(1e-6, value - previous)) }
                    previous = value
                }
                return Double((step + 4) * scale)
            }
            return crossing(0.9) - crossing(0.1)
        }
        return widths.reduce(0, +) / Double(widths.count)
    }

    /// Of the pixels whose surroundings in the input are one colour, those that are exactly that colour in the result, and the largest
    /// deviation of the others in 8-bit levels.
    /// - Parameter reach: how many input pixels around count as surroundings.
    public static func flatness(of high: Raster, from low: Raster, scale: Int, reach: Int = 4) -> (pixels: Int, exact: Int, deviation: Double) {
        var (pixels, exact, deviation) = (0, 0, 0.0)
        let result = high.roundedTo8Bit()
        guard low.width > 2 * reach, low.height > 2 * reach, high.width == low.width * scale, high.height == low.height * scale else { return (0, 0, 0) }
        for y in reach..<(low.height - reach) {
            for x in reach..<(low.width - reach) {
                let isFlat = (0..<low.channels).allSatisfy { channel in
                    let level = low[x, y, channel]
                    for v in (y - reach)...(y + reach) { for u in (x - reach)...(x + reach) where low[u, v, channel] != level { return false } }
                    return true
                }
                if !isFlat { continue }
                for v in (y * scale)..<((y + 1) * scale) {
                    for u in (x * scale)..<((x + 1) * scale) {
                        let off = (0..<low.channels).map { Double(abs(result[u, v, $0] - low[x, y, $0])) * 255 }.max() ?? 0
                        pixels += 1
                        if off < 0.25 { exact += 1 }
                        deviation = max(deviation, off)
                    }
                }
            }
        }
        return (pixels, exact, deviation)
    }

    /// Gradient of a picture where its input has next to none: sky, skin, what lies out of focus.
    public struct SoftAreas: Sendable {
        /// Mean square of the luma's differences to the right and downwards, in 8-bit levels, over all soft areas.
        public var energy = 0.0
        /// Input pixels in soft areas.
        public var pixels = 0
    }

    /// What an enlargement holds in soft areas. Where nothing is to be seen in the input, everything in the result that the eye
    /// finds there is invented; Lanczos-3's figure is the one to compare with.
    ///
    /// Soft is a square of 8 input pixels in which no pixel of the input differs from its neighbour to the right or below by more
    /// than `limit` levels in luma.
    public static func softAreas(of high: Raster, from low: Raster, scale: Int, limit: Float = 6) -> SoftAreas {
        let side = 8
        guard high.width == low.width * scale, high.height == low.height * scale else { return SoftAreas() }
        let (input, result) = (low.channels == 3 ? low.luma : low, high.channels == 3 ? high.luma : high)
        var areas = SoftAreas()
        var sum = 0.0
        for top in stride(from: 0, to: low.height - side, by: side) {
            for left in stride(from: 0, to: low.width - side, by: side) {
                let isSoft = (top..<top + side).allSatisfy { y in
                    (left..<left + side).allSatisfy { x in
                        max(abs(input[x + 1, y, 0] - input[x, y, 0]), abs(input[x, y + 1, 0] - input[x, y, 0])) * 255 <= limit
                    }
                }
                if !isSoft { continue }
                areas.pixels += side * side
                for y in top * scale..<(top + side) * scale {
                    for x in left * scale..<(left + side) * scale {
                        let (dx, dy) = (result[x + 1, y, 0] - result[x, y, 0], result[x, y + 1, 0] - result[x, y, 0])
                        sum += Double(dx * dx + dy * dy)
                    }
                }
            }
        }
        if areas.pixels > 0 { areas.energy = sum * 255 * 255 / Double(areas.pixels * scale * scale) }
        return areas
    }
}
