// BlurKernel: the blurs of lenses, motion and resampling, each by its parameters, and their values on a grid.

/// One blur kernel of a degradation, by its parameters. Lengths are pixels, angles radians.
public struct BlurKernel: Sendable, Codable, Hashable {
    /// The family of a kernel.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// exp(−½ (xᵀΣ⁻¹x)^β); β = 1 is a Gaussian, smaller is heavier-tailed, larger flatter.
        case gaussian
        /// 1 / ((xᵀΣ⁻¹x)^β + 1) (Real-ESRGAN's plateau-shaped kernel).
        case plateau
        /// A circular ideal low-pass, cut off at `cutoff`: rings, as over-sharpened and resampled pictures do.
        case sinc
        /// A uniform disc of radius `sigma[0]`: defocus.
        case disc
        /// A stroke of length `sigma[0]` that bends by `bend` over its length: motion.
        case motion
    }

    public var kind: Kind
    /// Odd side of the grid.
    public var size: Int
    /// Standard deviations along the two axes, before rotation; a disc's radius and a stroke's length come first.
    public var sigma: [Double]
    /// Of the first axis against the picture's rows.
    public var rotation: Double
    /// Exponent β of generalised shapes.
    public var shape: Double
    /// Of a sinc: radians per pixel, up to π.
    public var cutoff: Double
    /// Of a stroke: how much its direction turns from end to end.
    public var bend: Double

    public init(
        _ kind: Kind, size: Int, sigma: [Double] = [], rotation: Double = 0, shape: Double = 1, cutoff: Double = 0, bend: Double = 0
    ) {
        self.kind = kind
        self.size = size
        self.sigma = sigma
        self.rotation = rotation
        self.shape = shape
        self.cutoff = cutoff
        self.bend = bend
    }

    /// No blur.
    public static let identity = BlurKernel(.disc, size: 1, sigma: [0])

    /// `grid × grid` values by rows that sum to 1, the kernel in the middle.
    /// - Parameter grid: odd, at least ``size``; the rest is zeros.
    public func values(on grid: Int? = nil) -> [Float] {
        let grid = max(grid ?? size, size)
        let (reach, offset) = (size / 2, grid / 2 - size / 2)
        var dense = [Double](repeating: 0, count: size * size)
        switch kind {
        case .gaussian, .plateau, .sinc:
            for y in -reach...reach {
                for x in -reach...reach { dense[(y + reach) * size + x + reach] = density(Double(x), Double(y)) }
            }
        case .disc, .motion: sample(into: &dense, reach: reach)
        }
        let sum = dense.reduce(0, +)
        var values = [Float](repeating: 0, count: grid * grid)
        for y in 0..<size {
            for x in 0..<size { values[(y + offset) * grid + x + offset] = Float(dense[y * size + x] / sum) }
        }
        return values
    }

    private func density(_ x: Double, _ y: Double) -> Double {
        if kind == .sinc {
            let r = (x * x + y * y).squareRoot()
            return r == 0 ? cutoff * cutoff / (4 * .pi) : cutoff * besselJ1(cutoff * r) / (2 * .pi * r)
        }
        let (c, s) = (cosine(rotation), sine(rotation))
        let (u, v) = ((c * x + s * y) / sigma[0], (c * y - s * x) / (sigma.count > 1 ? sigma[1] : sigma[0]))
        let squared = u * u + v * v
        let power = shape == 1 ? squared : power(squared, shape)
        return kind == .gaussian ? exponential(-power / 2) : 1 / (power + 1)
    }

    /// Shapes with edges, by points finer than the grid, each shared among its four neighbours.
    private func sample(into dense: inout [Double], reach: Int) {
        func add(_ x: Double, _ y: Double) {
            let (px, py) = (x + Double(reach), y + Double(reach))
            let (x0, y0) = (Int(px.rounded(.down)), Int(py.rounded(.down)))
            let (fx, fy) = (px - Double(x0), py - Double(y0))
            for (dy, wy) in [(0, 1 - fy), (1, fy)] {
                for (dx, wx) in [(0, 1 - fx), (1, fx)] where (0..<size).contains(x0 + dx) && (0..<size).contains(y0 + dy) {
                    dense[(y0 + dy) * size + x0 + dx] += wx * wy
                }
            }
        }
        let length = sigma.first ?? 0
        if kind == .disc {
            let steps = 8 * reach + 4
            for i in -steps...steps {
                for j in -steps...steps where i * i + j * j <= steps * steps {
                    add(length * Double(i) / Double(steps), length * Double(j) / Double(steps))
                }
            }
            return
        }
        // An arc through the middle, walked from the middle to both ends.
        let steps = 16 * reach + 8
        let pace = length / Double(2 * steps)
        add(0, 0)
        for direction in [-1.0, 1.0] {
            var (x, y) = (0.0, 0.0)
            for i in 0..<steps {
                let angle = rotation + direction * bend * (Double(i) + 0.5) / Double(2 * steps)
                x += direction * pace * cosine(angle)
                y += direction * pace * sine(angle)
                add(x, y)
            }
        }
    }
}
