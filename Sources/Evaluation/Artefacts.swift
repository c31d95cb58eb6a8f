// Artefacts: faults that show in an enlarged picture: pixel-shuffle patterns, overshoot at edges, moiré.

public import SuperResolution

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Measures on results, in 8-bit levels; small is good.
public enum Artefact {
    /// Strength of a pattern that repeats with the scale: the amplitude by which the spectrum at the multiples of
    /// 1/scale stands out of its surroundings.
    ///
    /// Hann-windowed blocks of 16 low-resolution pixels, so that the multiples fall on whole bins; power is averaged over
    /// blocks, and what the bins around have is taken off: a picture's own detail is there too (their median), and so are the edges of the
    /// blocks of 8 pixels that JPEG has left in the input, which the multiples share with every second bin.
    /// - Returns: amplitude of the strongest multiple in the green or only channel; 0 at scale 1 or for pictures below a block.
    public static func shufflePattern(_ results: [Raster], scale: Int) -> Double {
        let side = 16 * scale
        guard scale > 1 else { return 0 }
        let circle: Double = 2 * Double.pi / Double(side)
        let window = (0..<side).map { (x: Int) -> Double in 0.5 - 0.5 * cos(circle * (Double(x) + 0.5)) }
        // Both frequencies of every bin that is looked at: around each multiple, in the half plane.
        var multiples = [(v: Int, u: Int)]()
        for v in 0...(scale / 2) {
            for u in -((scale - 1) / 2)...(scale / 2) {
                // The other half plane mirrors this one.
                let isMirrored = u < 0 && (v == 0 || 2 * v == scale)
                if !isMirrored && (v != 0 || u != 0) { multiples.append((v, u)) }
            }
        }
        let reach = 4
        var power = [[Double]](repeating: [Double](repeating: 0, count: (2 * reach + 1) * (2 * reach + 1)), count: multiples.count)
        var blocks = 0.0
        // cos and sin of 2π k x / side.
        let turn = (0..<side).map { (x: Int) -> (c: Double, s: Double) in (cos(circle * Double(x)), sin(circle * Double(x))) }
        for result in results {
            let channel = result.channels == 3 ? 1 : 0
            for top in stride(from: 0, through: result.height - side, by: side) {
                for left in stride(from: 0, through: result.width - side, by: side) {
                    var block = [Double](repeating: 0, count: side * side)
                    var mean = 0.0
                    for y in 0..<side {
                        for x in 0..<side {
                            block[y * side + x] = Double(min(max(result[left + x, top + y, channel], 0), 1)) * 255
                            mean += block[y * side + x]
                        }
                    }
                    mean /= Double(side * side)
                    for y in 0..<side {
                        for x in 0..<side { block[y * side + x] = (block[y * side + x] - mean) * window[y] * window[x] }
                    }
                    blocks += 1
                    let across: [Int] = Set(multiples.map(\.u)).sorted()
                    var rows: [Int: [(Double, Double)]] = [:]
                    for u in across {
                        for du in -reach...reach where rows[u * 16 + du] == nil {
                            let k = ((u * 16 + du) % side + side) % side
                            rows[u * 16 + du] = (0..<side).map { (y: Int) -> (Double, Double) in
                                var (re, im) = (0.0, 0.0)
                                for x in 0..<side {
                                    let (c, s) = turn[k * x % side]
                                    re += block[y * side + x] * c
                                    im -= block[y * side + x] * s
                                }
                                return (re, im)
                            }
                        }
                    }
                    for (index, (v, u)) in multiples.enumerated() {
                        for dv in -reach...reach {
                            let k = ((v * 16 + dv) % side + side) % side
                            for du in -reach...reach {
                                guard let row = rows[u * 16 + du] else { continue }
                                var (re, im) = (0.0, 0.0)
                                for y in 0..<side {
                                    let (c, s) = turn[k * y % side]
                                    re += row[y].0 * c + row[y].1 * s
                                    im += row[y].1 * c - row[y].0 * s
                                }
                                power[index][(dv + reach) * (2 * reach + 1) + du + reach] += re * re + im * im
                            }
                        }
                    }
                }
            }
        }
        guard blocks > 0 else { return 0 }
        // The window's mean is ½ along each axis, and a cosine has half its amplitude in each of two bins, but for those at
        // the highest frequency, which are their own mirror image.
        let gain = Double(side * side) / 4
        var worst = 0.0
        for (index, (v, u)) in multiples.enumerated() {
            var around = [Double]()
            for dv in -reach...reach {
                // The window spreads a line over the next bin.
                for du in -reach...reach where abs(dv) > 1 || abs(du) > 1 {
                    let place: Int = (dv + reach) * (2 * reach + 1) + du + reach
                    around.append(power[index][place])
                }
            }
            around.sort()
            func at(_ dv: Int, _ du: Int) -> Double { power[index][(dv + reach) * (2 * reach + 1) + du + reach] }
            // Teeth of the comb that edges of JPEG's blocks leave: every second bin, down, across and both.
            let teeth = [-4, -2, 2, 4]
            let down = teeth.reduce(0.0) { $0 + at($1, 0) } / 4, across = teeth.reduce(0.0) { $0 + at(0, $1) } / 4
            let both = teeth.reduce(0.0) { sum, dv in teeth.reduce(sum) { $0 + at(dv, $1) } } / 16
            let surroundings = max(around[around.count / 2], down, across, both)
            let excess: Double = max(0, at(0, 0) - surroundings) / blocks
            let isOwnMirror = (v == 0 || 2 * v == scale) && (u == 0 || 2 * u == scale)
            let amplitude: Double = excess.squareRoot() / gain
            worst = max(worst, isOwnMirror ? amplitude : 2 * amplitude)
        }
        return worst
    }

    /// How far a step's enlargement goes beyond the two greys, as a fraction of the step: the larger side, the worst sample.
    /// The outermost pixels, where the border is made up, do not count.
    public static func overshoot(_ result: Raster, low: Float, high: Float, border: Int) -> Double {
        var worst: Float = 0
        for y in border..<max(border, result.height - border) {
            for x in border..<max(border, result.width - border) {
                for channel in 0..<result.channels {
                    let value = result[x, y, channel]
                    worst = max(worst, max(value - high, low - value))
                }
            }
        }
        return Double(worst / (high - low))
    }

    /// How far results lie, on average over all samples, outside the range of the 5×5 low-resolution pixels around them.
    public static func beyondRange(_ result: Raster, input: Raster, scale: Int) -> Double {
        var (low, high) = (input, input)
        func spread(_ raster: inout Raster, _ pick: (Float, Float) -> Float) {
            let source = raster
            var rows = source
            for y in 0..<source.height {
                for x in 0..<source.width {
                    for c in 0..<source.channels {
                        for near in max(0, x - 2)...min(source.width - 1, x + 2) { rows[x, y, c] = pick(rows[x, y, c], source[near, y, c]) }
                    }
                }
            }
            raster = rows
            for y in 0..<source.height {
                for x in 0..<source.width {
                    for c in 0..<source.channels {
                        for near in max(0, y - 2)...min(source.height - 1, y + 2) { raster[x, y, c] = pick(raster[x, y, c], rows[x, near, c]) }
                    }
                }
            }
        }
        spread(&low, min)
        spread(&high, max)
        var sum = 0.0
        for y in 0..<result.height {
            for x in 0..<result.width {
                for c in 0..<result.channels {
                    let value: Float = min(max(result[x, y, c], 0), 1)
                    let above: Float = value - high[x / scale, y / scale, c]
                    let below: Float = low[x / scale, y / scale, c] - value
                    sum += Double(max(0, max(above, below)))
                }
            }
        }
        return 255 * sum / Double(max(1, result.samples.count))
    }

    /// LDL's map of artefacts (Liang, Zeng and Zhang, Details or Artifacts, 2022, section 3.2): the variance of the error within a window,
    /// times that of the whole error to the power 1/5; none where the result is nearer to the truth than `other`.
    ///
    /// The paper compares with the running average of the generator's weights, which nobody has but the training. Here `other` is a
    /// result that invents nothing, and the map shows where inventing has made the picture worse.
    /// - Parameters:
    ///   - result: 0…1, as the other two.
    ///   - window: odd, at most twice the shorter side; the picture is mirrored at its borders.
    /// - Returns: one channel.
    public static func map(of result: Raster, truth: Raster, other: Raster, window: Int = 7) -> Raster {
        let (width, height) = (result.width, result.height)
        func error(_ picture: Raster) -> [Double] {
            (0..<width * height).map { pixel in
                (0..<picture.channels).reduce(0) { $0 + Double(abs(picture.samples[pixel * picture.channels + $1] - truth.samples[pixel * picture.channels + $1])) }
            }
        }
        func variance(_ sum: Double, _ squares: Double, _ count: Int) -> Double { max(0, squares - sum * sum / Double(count)) / Double(max(1, count - 1)) }
        /// Sums over windows, along rows and then along columns.
        func sums(_ values: [Double]) -> [Double] {
            let reach = window / 2
            func mirrored(_ i: Int, _ n: Int) -> Int { n == 1 ? 0 : i < 0 ? min(-i, n - 1) : i >= n ? max(0, 2 * n - 2 - i) : i }
            var rows = values, result = values
            for y in 0..<height {
                for x in 0..<width { rows[y * width + x] = (-reach...reach).reduce(0) { $0 + values[y * width + mirrored(x + $1, width)] } }
            }
            for y in 0..<height {
                for x in 0..<width { result[y * width + x] = (-reach...reach).reduce(0) { $0 + rows[mirrored(y + $1, height) * width + x] } }
            }
            return result
        }
        let own = error(result), calm = error(other)
        let squares = own.map { $0 * $0 }
        let whole = pow(variance(own.reduce(0, +), squares.reduce(0, +), own.count), 0.2)
        let samples = zip(zip(sums(own), sums(squares)), zip(own, calm)).map { within, errors in
            errors.0 < errors.1 ? 0 : Float(whole * variance(within.0, within.1, window * window))
        }
        return Raster(width: width, height: height, channels: 1, samples: samples)
    }

    /// Strength of what is coarser than it may be: the root mean square difference between result and truth, both averaged
    /// over squares of six low-resolution pixels. The outermost squares do not count.
    public static func moire(_ result: Raster, truth: Raster, scale: Int) -> Double {
        let side = 6 * scale
        var (sum, count) = (0.0, 0.0)
        for top in stride(from: side, through: truth.height - 2 * side, by: side) {
            for left in stride(from: side, through: truth.width - 2 * side, by: side) {
                for c in 0..<truth.channels {
                    var difference = 0.0
                    for y in top..<(top + side) {
                        for x in left..<(left + side) {
                            let value: Float = min(max(result[x, y, c], 0), 1)
                            difference += Double(value - truth[x, y, c])
                        }
                    }
                    difference *= 255 / Double(side * side)
                    sum += difference * difference
                    count += 1
                }
            }
        }
        return (sum / max(1, count)).squareRoot()
    }
}
