// PictureMeasures: what a picture's pixels tell about how it was taken, stored and enlarged.

import Foundation
package import SuperResolution

/// Measures of a picture's luma.
package struct PictureMeasures: Sendable, Hashable {
    /// Standard deviation of the noise, levels of 255. Where texture covers everything, it counts as noise.
    package var noise: Double
    /// Standard deviation of the Gaussian that would blur an ideal edge as much as the sharpest edges are, pixels. Below 0.6
    /// is sharp. Nil where there are no edges.
    package var blur: Double?
    /// Of each side's pixels, how many would do to hold what is there, 0…1. Nil where there is too little structure to tell.
    package var resolution: Double?
    /// How many times as large every pixel is, where the picture was enlarged by repeating pixels.
    package var repetition: Int?
    /// The quality of a JPEG that would show blocks as strong as the picture's, 5…80 in steps of 5, good to 15 or so. Nil where none show: a
    /// better quality leaves none, and whatever has changed the picture's size since has hidden them.
    package var blockQuality: Int?
    /// Of the parts with any structure, how many look like text or line art, 0…1.
    package var textShare: Double
    /// Whether it is mostly text, line art or another drawing, on paper of one brightness.
    package var isDrawn: Bool
    /// Shares of the pixels that are pure white or pure black, 0…1.
    package var white: Double
    package var black: Double

    /// Looks at no more than 4096 pixels a side, in the middle.
    /// - Parameter alpha: where a logo is all that is opaque, what lies behind it is its paper.
    package init(_ pixels: PixelBuffer, alpha: PixelBuffer? = nil) {
        let luma = Luma(pixels, side: 4096)
        self.init(luma)
        guard let alpha, !isDrawn else { return }
        let opacity = Luma(alpha, side: 4096)
        isDrawn = [0, 255].contains { luma.laid(over: $0, alpha: opacity).drawn.isDrawn }
    }

    /// Only what decides how far the picture can be enlarged, ``noise`` and ``resolution``, from 512 pixels a side.
    package init(forSupportOf pixels: PixelBuffer) {
        let luma = Luma(pixels, side: 512)
        noise = luma.noise
        repetition = luma.repetition
        resolution = repetition.map { 1 / Double($0) } ?? luma.resolution
        blockQuality = repetition == nil ? luma.blockQuality : nil
        (textShare, isDrawn, white, black) = (0, false, 0, 0)
    }

    init(_ luma: Luma) {
        noise = luma.noise
        blur = luma.blur
        repetition = luma.repetition
        resolution = repetition.map { 1 / Double($0) } ?? luma.resolution
        blockQuality = repetition == nil ? luma.blockQuality : nil
        (textShare, isDrawn) = luma.drawn
        let count = Double(max(1, luma.values.count))
        white = Double(luma.values.count { $0 >= 254.5 }) / count
        black = Double(luma.values.count { $0 <= 0.5 }) / count
    }
}

extension Luma {
    /// Immerkær's estimate (Fast Noise Variance Estimation, 1996) in blocks, of which the calmest tenth decides: there the
    /// picture itself adds least.
    fileprivate var noise: Double {
        let side = 16
        guard width >= side + 2, height >= side + 2 else { return 0 }
        var estimates: [Float] = []
        values.withUnsafeBufferPointer { v in
            for block in Luma(width: width - 2, height: height - 2, values: []).blocks(side) {
                var (sum, mean): (Float, Float) = (0, 0)
                for y in block.y + 1...block.y + side {
                    for x in block.x + 1...block.x + side {
                        let i = y * width + x
                        let corners = v[i - width - 1] + v[i - width + 1] + v[i + width - 1] + v[i + width + 1]
                        sum += abs(corners - 2 * (v[i - 1] + v[i + 1] + v[i - width] + v[i + width]) + 4 * v[i])
                        mean += v[i]
                    }
                }
                let area = Float(side * side)
                // Clipping hides noise.
                if (8...247).contains(mean / area) { estimates.append((Float.pi / 2).squareRoot() / 6 * sum / area) }
            }
        }
        guard !estimates.isEmpty else { return 0 }
        estimates.sort()
        // The tenth percentile of 256 correlated samples' estimates lies that much below their mean.
        return Double(estimates[estimates.count / 10]) * 1.12
    }

    /// Zhuo and Sim's ratio (Defocus map estimation from a single image, 2011): blurring once more by σ₀ lowers an edge's
    /// slope by √((σ² + σ₀²) / σ²). The median over the steepest pixels.
    fileprivate var blur: Double? {
        guard width >= 16, height >= 16 else { return nil }
        let again = blurred
        var slopes: [(slope: Float, ratio: Float)] = []
        for y in 4..<height - 4 {
            for x in 4..<width - 4 {
                let i = y * width + x
                func slope(_ v: [Float]) -> Float { hypot(v[i + 1] - v[i - 1], v[i + width] - v[i - width]) / 2 }
                let here = slope(values)
                if here > 6 { slopes.append((here, here / max(slope(again), 1e-3))) }
            }
        }
        guard slopes.count >= 50 else { return nil }
        slopes.sort { $0.slope > $1.slope }
        let ratios = slopes.prefix(max(50, slopes.count / 20)).map(\.ratio).sorted()
        let ratio = Double(ratios[ratios.count / 2])
        guard ratio > 1.001 else { return nil }
        // Differences over two pixels blur by a variance of a third themselves.
        return max(0, 1 / (ratio * ratio - 1) - 1.0 / 3).squareRoot()
    }

    /// Convolved with a Gaussian of σ 1 pixel.
    private var blurred: [Float] {
        let weights = (-4...4).map { Float(exp(-Double($0 * $0) / 2)) }
        let total = weights.reduce(0, +)
        var rows = values
        var result = values
        for y in 0..<height {
            for x in 4..<width - 4 {
                var sum: Float = 0
                for k in 0..<9 { sum += weights[k] * values[y * width + x + k - 4] }
                rows[y * width + x] = sum / total
            }
        }
        for y in 4..<height - 4 {
            for x in 0..<width {
                var sum: Float = 0
                for k in 0..<9 { sum += weights[k] * rows[(y + k - 4) * width + x] }
                result[y * width + x] = sum / total
            }
        }
        return result
    }

    /// Repeated pixels show as neighbours that are equal everywhere but at every `n`th place.
    fileprivate var repetition: Int? {
        guard width >= 32, height >= 32 else { return nil }
        var (across, down) = ([Int](repeating: 0, count: width - 1), [Int](repeating: 0, count: height - 1))
        values.withUnsafeBufferPointer { v in
            across.withUnsafeMutableBufferPointer { across in
                for y in 0..<height - 1 {
                    let row = v.baseAddress! + y * width
                    var changes = 0
                    for x in 0..<width - 1 { across[x] &+= row[x] != row[x + 1] ? 1 : 0 }
                    for x in 0..<width - 1 { changes &+= row[x] != row[x + width] ? 1 : 0 }
                    down[y] = changes
                }
            }
        }
        /// The distance of the lines that have all the changes between them.
        func period(_ changes: [Int]) -> Int? {
            let total = changes.reduce(0, +)
            guard total > 0 else { return nil }
            return (2...16).reversed().first { n in
                (0..<n).contains { phase in stride(from: phase, to: changes.count, by: n).reduce(0) { $0 + changes[$1] } * 1000 >= total * 999 }
            }
        }
        guard let n = period(across), let m = period(down), across.count(where: { $0 > 0 }) >= 8 else { return nil }
        return min(n, m)
    }

    /// A grid of 8 pixels, in whatever phase: by how much the steps across its lines exceed those on either side. Edges of the picture are
    /// on a few lines, a grid is on all; a step counts for no more than 6 levels. On Set14 and BSD100 a JPEG of quality 75 shows 0.55
    /// level in the median and one of 30 shows 1.4; of 95, or none, 0.08. As they are, `acuity inspect` takes 3 pictures of these
    /// two and Set5 for compressed, of 119, which may be true.
    fileprivate var blockQuality: Int? {
        guard width >= 48, height >= 48 else { return nil }
        // Per line between two columns, and between two rows: the mean excess.
        var (across, down) = ([Float](repeating: 0, count: width - 3), [Float](repeating: 0, count: height - 3))
        values.withUnsafeBufferPointer { v in
            across.withUnsafeMutableBufferPointer { across in
                for y in 0..<height - 3 {
                    let row = v.baseAddress! + y * width
                    var sum: Float = 0
                    for x in 0..<width - 3 {
                        let excess = abs(row[x + 2] - row[x + 1]) - (abs(row[x + 1] - row[x]) + abs(row[x + 3] - row[x + 2])) / 2
                        across[x] += min(6, max(-6, excess))
                        let below = abs(row[x + 2 * width] - row[x + width])
                        sum += min(6, max(-6, below - (abs(row[x + width] - row[x]) + abs(row[x + 3 * width] - row[x + 2 * width])) / 2))
                    }
                    down[y] = sum / Float(width - 3)
                }
            }
        }
        for x in across.indices { across[x] /= Float(height - 3) }

        func median(_ values: [Float]) -> Float { values.sorted()[values.count / 2] }
        func mean(_ values: [Float]) -> Float { values.reduce(0, +) / Float(values.count) }
        /// What the strongest of eight phases has more than the others, in levels, and in standard errors.
        func grid(_ lines: [Float]) -> (excess: Float, certainty: Float) {
            let phases = (0..<8).map { phase in stride(from: phase, to: lines.count, by: 8).map { lines[$0] } }
            let ranked = phases.indices.sorted { median(phases[$0]) > median(phases[$1]) }
            let (own, others) = (phases[ranked[0]], ranked.dropFirst().flatMap { phases[$0] })
            let average = mean(others)
            let deviation = mean(others.map { ($0 - average) * ($0 - average) }).squareRoot() + 1e-3
            return (median(own) - median(others), (mean(own) - average) / deviation * Float(own.count).squareRoot())
        }
        let (a, b) = (grid(across), grid(down))
        guard min(a.certainty, b.certainty) > 4 else { return nil }
        let excess = Double(min(a.excess, b.excess))
        // Medians of what a JPEG of that quality shows.
        let shown: [(excess: Double, quality: Double)] = [
            (0.4, 80), (0.57, 70), (0.8, 60), (1, 50), (1.17, 40), (1.42, 30), (1.85, 20), (2.46, 10), (3, 5),
        ]
        guard excess >= shown[0].excess else { return nil }
        for (left, right) in zip(shown, shown.dropFirst()) where excess < right.excess {
            let quality = left.quality + (right.quality - left.quality) * (excess - left.excess) / (right.excess - left.excess)
            return Int((quality / 5).rounded()) * 5
        }
        return 5
    }

    /// The frequency above which the spectrum falls short of what photographs have there, as a share of what the pixels
    /// could hold.
    ///
    /// Photographs' power falls with the square of the frequency. Interpolation leaves next to nothing above the old limit,
    /// plus what leaks through its filter: bilinear, bicubic and Lanczos enlargement by n cut off at 1.3/n to 1.65/n.
    fileprivate var resolution: Double? {
        let side = 64
        let corners = blocks(side)
        guard !corners.isEmpty else { return nil }
        let ranked = corners.map { corner in
            var sum: Float = 0
            for y in corner.y..<corner.y + side - 1 {
                for x in corner.x..<corner.x + side - 1 { sum += abs(self[x + 1, y] - self[x, y]) + abs(self[x, y + 1] - self[x, y]) }
            }
            return (corner: corner, detail: sum / Float(side * side))
        }.sorted { $0.detail > $1.detail }
        let chosen = ranked.prefix(min(16, max(4, ranked.count / 4))).filter { $0.detail > 2 }
        guard !chosen.isEmpty else { return nil }

        let half = side / 2
        let window = (0..<side).map { 0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(side - 1)) }
        let energy = window.reduce(0) { $0 + $1 * $1 }
        // By sample and frequency, so that the frequencies' sums grow side by side in vectors.
        let waves = (0..<side).flatMap { i in (0...half).map { f in Float(window[i] * cos(2 * .pi * Double(f * i) / Double(side))) } }
        let sines = (0..<side).flatMap { i in (0...half).map { f in Float(window[i] * sin(2 * .pi * Double(f * i) / Double(side))) } }
        var power = [Double](repeating: 0, count: half + 1)
        for (corner, _) in chosen {
            // Every fourth line tells as much, for neighbours are alike.
            for line in Swift.stride(from: 0, to: side, by: 4) {
                for isColumn in [false, true] {
                    var samples = (0..<side).map { isColumn ? self[corner.x + line, corner.y + $0] : self[corner.x + $0, corner.y + line] }
                    let mean = samples.reduce(0, +) / Float(side)
                    for i in 0..<side { samples[i] -= mean }
                    let (real, imaginary) = (samples.combination(of: waves), samples.combination(of: sines))
                    for f in 0...half { power[f] += Double(real[f] * real[f] + imaginary[f] * imaginary[f]) }
                }
            }
        }
        // A quarter of the lines, in both directions.
        let count = Double(chosen.count * side / 2) * energy
        let smooth = power.indices.map { f in (power[max(0, f - 1)] + 2 * power[f] + power[min(half, f + 1)]) / 4 / count }
        // What frequencies of 3/64 to 6/64 would let expect, times their square.
        let level = exp((3...6).map { log(max(1e-9, smooth[$0] * Double($0 * $0))) }.reduce(0, +) / 4)
        // Rounding to whole levels has a twelfth of noise of its own.
        let cutoff = (0...half).last { smooth[$0] >= max(0.25, 0.05 * level / Double(max(1, $0 * $0))) } ?? half
        let share = Double(cutoff + 1) / Double(half)
        return share > 0.9 ? 1 : max(0.05, share / 1.5)
    }

    /// Of blocks with any structure, two shares: those of two brightnesses with sharp steps between them, as text and line art have; and those of which the
    /// darkest or the brightest is a paper that something is on, which letters too small or too soft for sharp steps have as well.
    fileprivate var drawing: (text: Double, onPaper: Double) {
        let side = 16
        var (structured, text, onPaper) = (0, 0, 0)
        for block in blocks(side) {
            var samples: [Float] = []
            samples.reserveCapacity(side * side)
            for y in block.y..<block.y + side { samples += values[y * width + block.x..<y * width + block.x + side] }
            guard let low = samples.min(), let high = samples.max(), high - low > 24 else { continue }
            structured += 1
            let (dark, bright) = (samples.count { $0 < low + (high - low) / 5 }, samples.count { $0 > high - (high - low) / 5 })
            if high - low > 60, max(dark, bright) > side * side * 3 / 10 { onPaper += 1 }
            if high - low > 80, dark + bright > side * side * 7 / 10, min(dark, bright) > side * side / 16 { text += 1 }
        }
        return structured == 0 ? (0, 0) : (Double(text) / Double(structured), Double(onPaper) / Double(structured))
    }

    /// ``PictureMeasures/textShare`` and ``PictureMeasures/isDrawn``.
    fileprivate var drawn: (textShare: Double, isDrawn: Bool) {
        let found = drawing
        return (found.text, found.text > 0.5 || paper >= 0.45 && found.onPaper >= 0.77)
    }

    /// The share of the pixels within 6 levels of the most frequent brightness.
    fileprivate var paper: Double {
        var histogram = [Int](repeating: 0, count: 256)
        for value in values { histogram[Int(min(max(value.rounded(), 0), 255))] += 1 }
        let sums = (0..<256).map { level in histogram[max(0, level - 6)...min(255, level + 6)].reduce(0, +) }
        return Double(sums.max() ?? 0) / Double(max(1, values.count))
    }
}

extension [Float] {
    /// The sum of as many rows, all of one length and one after the other, each times one of these numbers.
    fileprivate func combination(of rows: [Float]) -> [Float] {
        let length = rows.count / count
        return [Float](unsafeUninitializedCapacity: length) { sums, initialised in
            initialised = length
            sums.initialize(repeating: 0)
            rows.withUnsafeBufferPointer { rows in
                for i in indices {
                    let (factor, row) = (self[i], rows.baseAddress! + i * length)
                    for f in 0..<length { sums[f] += factor * row[f] }
                }
            }
        }
    }
}
