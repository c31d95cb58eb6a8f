// NaiveEngine: every operation in the plainest loops, in double precision, straight from its definition: what the engine is tested against.

import SuperResolution

/// Channels × height × width.
struct NaiveTensor {
    let channels: Int, height: Int, width: Int
    var values: [Double]

    init(_ channels: Int, _ height: Int, _ width: Int, _ f: (Int, Int, Int) -> Double) {
        self.channels = channels
        self.height = height
        self.width = width
        values = []
        values.reserveCapacity(channels * height * width)
        for c in 0..<channels { for y in 0..<height { for x in 0..<width { values.append(f(c, y, x)) } } }
    }

    subscript(_ c: Int, _ y: Int, _ x: Int) -> Double { values[(c * height + y) * width + x] }

    func padded(_ c: Int, _ y: Int, _ x: Int, _ padding: Convolution.Padding) -> Double {
        if y >= 0 && y < height && x >= 0 && x < width { return self[c, y, x] }
        return padding == .zeros ? 0 : self[c, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
    }
}

func naive(_ model: Model, _ raster: Raster) -> Raster {
    var values: [NaiveTensor] = []
    func weights(_ key: String) -> [Double] { model.weights[key]!.values.map(Double.init) }
    for (i, operation) in model.network.operations.enumerated() {
        let shape = model.network.shapes[i]
        let height = raster.height * shape.up / shape.down, width = raster.width * shape.up / shape.down
        let x = operation.operands.map { values[$0.index] }
        func each(_ f: (Int, Int, Int) -> Double) -> NaiveTensor { NaiveTensor(shape.channels, height, width, f) }
        switch operation {
        case .input: values.append(each { c, y, x in Double(raster[x, y, c]) })
        case .convolution(_, let k):
            let w = weights(k.key + ".weight"), b = k.hasBias ? weights(k.key + ".bias") : [Double](repeating: 0, count: k.outputs)
            let per = k.inputs / k.groups, a = x[0]
            values.append(each { o, y, column in
                var sum = b[o]
                for n in 0..<per {
                    for ky in 0..<k.kernelHeight {
                        for kx in 0..<k.kernelWidth {
                            let value = a.padded(
                                o / (k.outputs / k.groups) * per + n, y * k.stride + ky - k.kernelHeight / 2, column * k.stride + kx - k.kernelWidth / 2, k.padding)
                            sum += value * w[((o * per + n) * k.kernelHeight + ky) * k.kernelWidth + kx]
                        }
                    }
                }
                return sum
            })
        case .transposedConvolution(_, let k):
            // Scatter, as the operation is defined: input (y, x) adds to output (s·y − p + ky, s·x − p + kx).
            let w = weights(k.key + ".weight"), b = k.hasBias ? weights(k.key + ".bias") : [Double](repeating: 0, count: k.outputs)
            var out = each { c, _, _ in b[c] }
            let a = x[0]
            for n in 0..<k.inputs {
                for y in 0..<a.height {
                    for column in 0..<a.width {
                        for o in 0..<k.outputs {
                            for ky in 0..<k.kernel {
                                for kx in 0..<k.kernel {
                                    let oy = k.stride * y - k.kernel / 2 + ky, ox = k.stride * column - k.kernel / 2 + kx
                                    guard oy >= 0, oy < height, ox >= 0, ox < width else { continue }
                                    out.values[(o * height + oy) * width + ox] += a[n, y, column] * w[((n * k.outputs + o) * k.kernel + ky) * k.kernel + kx]
                                }
                            }
                        }
                    }
                }
            }
            values.append(out)
        case .prelu(_, let key, _):
            let w = weights(key + ".weight")
            values.append(each { c, y, i in x[0][c, y, i] < 0 ? x[0][c, y, i] * w[w.count == 1 ? 0 : c] : x[0][c, y, i] })
        case .leakyReLU(_, let slope): values.append(each { c, y, i in x[0][c, y, i] < 0 ? x[0][c, y, i] * Double(slope) : x[0][c, y, i] })
        case .activation(_, let f): values.append(each { c, y, i in activate(f, x[0][c, y, i]) })
        case .add: values.append(each { c, y, i in x[0][x[0].channels == 1 ? 0 : c, y, i] + x[1][x[1].channels == 1 ? 0 : c, y, i] })
        case .multiply: values.append(each { c, y, i in x[0][x[0].channels == 1 ? 0 : c, y, i] * x[1][x[1].channels == 1 ? 0 : c, y, i] })
        case .scale(_, let factor, let offset): values.append(each { c, y, i in x[0][c, y, i] * Double(factor) + Double(offset) })
        case .shift(_, let offsets): values.append(each { c, y, i in x[0][c, y, i] + Double(offsets[c]) })
        case .concatenate:
            let all = x.flatMap { t in (0..<t.channels).map { (t, $0) } }
            values.append(each { c, y, i in all[c].0[all[c].1, y, i] })
        case .slice(_, let first, _): values.append(each { c, y, i in x[0][first + c, y, i] })
        case .pixelShuffle(_, let r): values.append(each { c, y, i in x[0][c * r * r + y % r * r + i % r, y / r, i / r] })
        case .pixelUnshuffle(_, let r): values.append(each { c, y, i in x[0][c / (r * r), y * r + c / r % r, i * r + c % r] })
        case .enlarge(_, let factor, let method): values.append(each { c, y, i in sample(x[0], c, y, i, factor, method) })
        case .normalise(_, let n):
            let w = weights(n.key + ".weight"), b = weights(n.key + ".bias"), a = x[0], epsilon = Double(n.epsilon)
            func normalised(_ points: [(Int, Int, Int)], _ value: Double, _ c: Int) -> Double {
                let mean = points.reduce(0) { $0 + a[$1.0, $1.1, $1.2] } / Double(points.count)
                let variance = points.reduce(0) { $0 + (a[$1.0, $1.1, $1.2] - mean) * (a[$1.0, $1.1, $1.2] - mean) } / Double(points.count)
                return (value - mean) / (variance + epsilon).squareRoot() * w[c] + b[c]
            }
            switch n.kind {
            case .batch:
                let mean = weights(n.key + ".running_mean"), variance = weights(n.key + ".running_var")
                values.append(each { c, y, i in (a[c, y, i] - mean[c]) / (variance[c] + epsilon).squareRoot() * w[c] + b[c] })
            case .layer: values.append(each { c, y, i in normalised((0..<n.channels).map { ($0, y, i) }, a[c, y, i], c) })
            case .group(let groups):
                let size = n.channels / groups
                values.append(each { c, y, i in
                    let points = (c / size * size..<(c / size + 1) * size).flatMap { c in
                        (0..<height).flatMap { y in (0..<width).map { (c, y, $0) } }
                    }
                    return normalised(points, a[c, y, i], c)
                })
            }
        }
    }
    let out = values[model.network.output.index]
    var result = Raster(width: out.width, height: out.height, channels: out.channels)
    for y in 0..<out.height { for x in 0..<out.width { for c in 0..<out.channels { result[x, y, c] = Float(out[c, y, x]) } } }
    return result
}

private func exponential(_ x: Double) -> Double {
    // Enough terms of the series of x / 2¹⁰, squared ten times.
    var sum = 1.0, term = 1.0
    for n in 1...20 {
        term *= x / 1024 / Double(n)
        sum += term
    }
    for _ in 0..<10 { sum *= sum }
    return sum
}

private func activate(_ f: Operation.Activation, _ x: Double) -> Double {
    let sigmoid = 1 / (1 + exponential(-x))
    func tanh(_ x: Double) -> Double { 1 - 2 / (exponential(2 * x) + 1) }
    switch f {
    case .relu: return max(0, x)
    case .sigmoid: return sigmoid
    case .tanh: return tanh(x)
    case .silu: return x * sigmoid
    case .mish:  // tanh(ln(1 + eˣ)) = ((1 + eˣ)² − 1) / ((1 + eˣ)² + 1)
        let square = (1 + exponential(x)) * (1 + exponential(x))
        return x * (square - 1) / (square + 1)
    case .gelu:  // The normal distribution function by Simpson's rule.
        let n = 2000, h = x / Double(n)
        let sum = (0...n).reduce(0.0) { $0 + exponential(-Double($1) * h * Double($1) * h / 2) * ($1 == 0 || $1 == n ? 1 : $1 % 2 == 1 ? 4 : 2) }
        return x * (0.5 + sum * h / 3 / 2.5066282746310002)
    }
}

private func sample(_ t: NaiveTensor, _ c: Int, _ y: Int, _ x: Int, _ factor: Int, _ method: Operation.Enlargement) -> Double {
    if method == .nearest { return t[c, y / factor, x / factor] }
    func kernel(_ d: Double) -> Double {
        let d = abs(d)
        if method == .bilinear { return max(0, 1 - d) }
        if d <= 1 { return 1.5 * d * d * d - 2.5 * d * d + 1 }
        return d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0
    }
    func mirror(_ i: Int, _ n: Int) -> Int {
        var i = i
        while i < 0 || i >= n { i = i < 0 ? -1 - i : 2 * n - 1 - i }
        return i
    }
    let cy = (Double(y) + 0.5) / Double(factor) - 0.5, cx = (Double(x) + 0.5) / Double(factor) - 0.5
    var sum = 0.0
    for j in (Int(cy) - 3)...(Int(cy) + 3) {
        for i in (Int(cx) - 3)...(Int(cx) + 3) {
            sum += t[c, mirror(j, t.height), mirror(i, t.width)] * kernel(cy - Double(j)) * kernel(cx - Double(i))
        }
    }
    return sum
}

// MARK: Random models and rasters

/// The same numbers on every machine (Knuth's MMIX constants).
struct Lcg: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6364136223846793005 &+ 1442695040888963407
        return state ^ (state >> 29)
    }
}

func randomModel(_ network: Network, seed: UInt64 = 1) throws -> Model {
    var random = Lcg(state: seed)
    var weights = StateDict()
    for p in network.parameters {
        let count = p.shape.reduce(1, *)
        let bound: Float = p.initialisation == .kernel ? (3 / Float(max(1, p.shape.dropFirst().reduce(1, *)))).squareRoot() : 0.5
        let lowest: Float = p.key.hasSuffix("running_var") ? 0.2 : -bound
        weights[p.key] = Tensor(shape: p.shape, values: (0..<count).map { _ in Float.random(in: lowest...bound, using: &random) })
    }
    return try Model(name: "random", network: network, weights: weights)
}

func randomRaster(_ width: Int, _ height: Int, _ channels: Int = 3, seed: UInt64 = 7) -> Raster {
    var random = Lcg(state: seed)
    return Raster(width: width, height: height, channels: channels, samples: (0..<(width * height * channels)).map { _ in Float.random(in: 0...1, using: &random) })
}

func largestDifference(_ a: Raster, _ b: Raster) -> Float {
    guard a.width == b.width, a.height == b.height, a.channels == b.channels else { return .infinity }
    var largest: Float = 0
    for (p, q) in zip(a.samples, b.samples) {
        let difference = abs(p - q)
        if !(difference <= largest) { largest = difference.isNaN ? .infinity : difference }
    }
    return largest
}

/// Decibel for a range of 1.
func psnr(_ a: Raster, _ b: Raster) -> Double {
    var sum = 0.0
    for (p, q) in zip(a.samples, b.samples) { sum += Double(p - q) * Double(p - q) }
    let mean = sum / Double(a.samples.count)
    return mean == 0 ? .infinity : -10 * log10OfPositive(mean)
}

private func log10OfPositive(_ x: Double) -> Double {
    // ln x = 2 artanh((m − 1) / (m + 1)) + e ln 2
    let m = x.significand, z = (m - 1) / (m + 1)
    var sum = 0.0, power = z
    for n in stride(from: 1, to: 60, by: 2) {
        sum += power / Double(n)
        power *= z * z
    }
    return (2 * sum + Double(x.exponent) * 0.6931471805599453) / 2.302585092994046
}
