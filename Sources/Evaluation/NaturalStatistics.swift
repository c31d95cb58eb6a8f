// NaturalStatistics: NIQE (Mittal, Soundararajan and Bovik 2013): how far a picture's local statistics lie from those of
// sharp photographs, without a reference picture.

public import SuperResolution

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The Gaussian that NIQE compares with: mean and covariance of 36 features over blocks of sharp photographs.
///
/// The published parameters are MATLAB's. Ours are fitted on photographs of our own choice
/// (``NaturalStatistics/pristine``), so figures compare with each other and with nobody else's: "NIQE-own".
public struct NaturalStatistics: Sendable {
    /// Features per block: 18 at full and 18 at half size.
    public static let featureCount = 36
    /// Side of a block, pixels; half as much at half size.
    public static let block = 96

    /// 36 means.
    public let mean: [Double]
    /// 36×36, symmetric.
    public let covariance: [Double]

    /// - Precondition: 36 means and 36×36 covariances.
    public init(mean: [Double], covariance: [Double]) {
        precondition(mean.count == Self.featureCount && covariance.count == Self.featureCount * Self.featureCount, "36 features")
        self.mean = mean
        self.covariance = covariance
    }

    /// Mean and covariance (n − 1) of features.
    /// - Throws: ``AcuityError`` with code `.image` when there is no block.
    public init(fittedTo blocks: [[Double]]) throws {
        guard !blocks.isEmpty else { throw AcuityError(.image, "no block of \(Self.block)×\(Self.block) pixels with any structure") }
        let n = Self.featureCount
        mean = (0..<n).map { feature in blocks.reduce(0) { $0 + $1[feature] } / Double(blocks.count) }
        var sums = [Double](repeating: 0, count: n * n)
        for block in blocks {
            let centred = zip(block, mean).map { $0 - $1 }
            for row in 0..<n {
                for column in 0..<n { sums[row * n + column] += centred[row] * centred[column] }
            }
        }
        covariance = sums.map { $0 / Double(max(1, blocks.count - 1)) }
    }

    /// √((µ₁ − µ₂)ᵀ ((Σ₁ + Σ₂)/2)⁺ (µ₁ − µ₂)): 0 for equal statistics, about 3 for good photographs, larger for worse pictures.
    public func distance(to other: NaturalStatistics) -> Double {
        let n = Self.featureCount
        let (values, vectors) = symmetricEigen(zip(covariance, other.covariance).map { ($0 + $1) / 2 }, n)
        let difference = zip(mean, other.mean).map { $0 - $1 }
        // The pseudo-inverse leaves out directions in which neither varies.
        let smallest = (values.map(abs).max() ?? 0) * 1e-10
        var sum = 0.0
        for index in 0..<n where values[index] > smallest {
            var along = 0.0
            for row in 0..<n { along += vectors[row * n + index] * difference[row] }
            sum += along * along / values[index]
        }
        return sum.squareRoot()
    }

    /// One block's features and how sharp it is.
    public struct Block: Sendable {
        public let features: [Double]
        /// Mean local deviation at full size, 8-bit levels.
        public let sharpness: Double
    }

    /// The features of every whole block, row by row; flat blocks, which have no statistics, are left out.
    /// - Parameter picture: 1 or 3 channels, 0…1.
    /// - Throws: ``AcuityError`` with code `.image` for a picture smaller than a block.
    public static func blocks(of picture: Raster) throws -> [Block] {
        let (columns, rows) = (picture.width / block, picture.height / block)
        guard columns > 0, rows > 0, picture.channels == 1 || picture.channels == 3 else {
            throw AcuityError(.image, "\(picture.width)×\(picture.height) pixels: smaller than a block of \(block)")
        }
        let grey = Self.grey(picture.cropped(to: Region(x: 0, y: 0, width: columns * block, height: rows * block)))
        let half = Resampling.bicubic.resize(grey, width: grey.width / 2, height: grey.height / 2)
        let (full, reduced) = (Normalised(grey), Normalised(half))
        var result = [Block]()
        for row in 0..<rows {
            for column in 0..<columns {
                let first = full.features(x: column * block, y: row * block, side: block)
                let second = reduced.features(x: column * block / 2, y: row * block / 2, side: block / 2)
                let features = first + second
                guard features.allSatisfy(\.isFinite) else { continue }
                result.append(Block(features: features, sharpness: full.meanDeviation(x: column * block, y: row * block, side: block)))
            }
        }
        return result
    }

    /// The sharp blocks of a photograph, those to fit to: above three quarters of its sharpest block's sharpness.
    public static func sharpBlocks(of picture: Raster) throws -> [[Double]] {
        let blocks = try blocks(of: picture)
        let limit = 0.75 * (blocks.map(\.sharpness).max() ?? 0)
        return blocks.filter { $0.sharpness > limit }.map(\.features)
    }

    /// NIQE-own of pictures taken together: one Gaussian over the blocks of all of them.
    /// - Throws: ``AcuityError`` with code `.image` when they hold no block with any structure.
    public static func score(_ pictures: [Raster]) throws -> Double {
        let blocks = try pictures.filter { $0.width >= block && $0.height >= block }.flatMap { try Self.blocks(of: $0).map(\.features) }
        return try pristine.distance(to: NaturalStatistics(fittedTo: blocks))
    }

    /// Grey of 8-bit RGB, 0…255, not rounded again.
    private static func grey(_ picture: Raster) -> Raster {
        var grey = Raster(width: picture.width, height: picture.height, channels: 1)
        func level(_ value: Float) -> Float { (min(max(value, 0), 1) * 255).rounded() }
        for index in grey.samples.indices {
            if picture.channels == 1 {
                grey.samples[index] = level(picture.samples[index])
            } else {
                let (r, g, b) = (picture.samples[3 * index], picture.samples[3 * index + 1], picture.samples[3 * index + 2])
                grey.samples[index] = 0.2989 * level(r) + 0.587 * level(g) + 0.114 * level(b)
            }
        }
        return grey
    }
}

/// Mean-subtracted, contrast-normalised samples: (I − µ) / (σ + 1), by a Gaussian window of 7×7 with σ = 7/6.
private struct Normalised {
    let width: Int
    let values: [Double]
    let deviation: [Double]

    init(_ image: Raster) {
        let (width, height) = (image.width, image.height)
        let spread: Double = 2 * (7.0 / 6) * (7.0 / 6)
        let window: [Double] = (-3...3).map { (tap: Int) -> Double in exp(-Double(tap * tap) / spread) }
        let total: Double = window.reduce(0, +)
        let weights: [Double] = window.map { $0 / total }
        func filtered(_ values: [Double]) -> [Double] {
            var rows = [Double](repeating: 0, count: values.count)
            var result = rows
            for y in 0..<height {
                for x in 0..<width {
                    var sum = 0.0
                    for tap in 0..<7 {
                        let column: Int = min(max(x + tap - 3, 0), width - 1)
                        sum += weights[tap] * values[y * width + column]
                    }
                    rows[y * width + x] = sum
                }
            }
            for y in 0..<height {
                for tap in 0..<7 {
                    let source = min(max(y + tap - 3, 0), height - 1) * width
                    for x in 0..<width { result[y * width + x] += weights[tap] * rows[source + x] }
                }
            }
            return result
        }
        let samples: [Double] = image.samples.map { Double($0) }
        let mean = filtered(samples)
        let square = filtered(samples.map { $0 * $0 })
        self.width = width
        var deviation = square
        var values = samples
        for index in samples.indices {
            deviation[index] = abs(square[index] - mean[index] * mean[index]).squareRoot()
            values[index] = (samples[index] - mean[index]) / (deviation[index] + 1)
        }
        self.deviation = deviation
        self.values = values
    }

    func meanDeviation(x: Int, y: Int, side: Int) -> Double {
        var sum = 0.0
        for row in y..<(y + side) {
            for column in x..<(x + side) { sum += deviation[row * width + column] }
        }
        return sum / Double(side * side)
    }

    /// Shape and scale of the samples, and four numbers for each of the products with the neighbours to the right, below,
    /// and on both diagonals (wrapping round inside the block, as the authors' code does).
    func features(x: Int, y: Int, side: Int) -> [Double] {
        var block = [Double](repeating: 0, count: side * side)
        for row in 0..<side {
            for column in 0..<side { block[row * side + column] = values[(y + row) * width + x + column] }
        }
        let own = AsymmetricGaussian(block)
        var result = [own.shape, (own.left + own.right) / 2]
        for (down, right) in [(0, 1), (1, 0), (1, 1), (1, -1)] {
            var products = block
            for row in 0..<side {
                for column in 0..<side {
                    let (otherRow, otherColumn) = ((row + side - down) % side, (column + side - right) % side)
                    products[row * side + column] *= block[otherRow * side + otherColumn]
                }
            }
            let fit = AsymmetricGaussian(products)
            result += [fit.shape, fit.mean, fit.left, fit.right]
        }
        return result
    }
}

/// Moment estimate of an asymmetric generalised Gaussian (Lasmar, Stitou and Berthoumieu 2009).
private struct AsymmetricGaussian {
    let shape: Double
    let left: Double
    let right: Double
    let mean: Double

    init(_ samples: [Double]) {
        var (below, above, absolute) = (0.0, 0.0, 0.0)
        var (countBelow, countAbove) = (0, 0)
        for sample in samples {
            absolute += abs(sample)
            if sample < 0 {
                below += sample * sample
                countBelow += 1
            } else if sample > 0 {
                above += sample * sample
                countAbove += 1
            }
        }
        let (sigmaLeft, sigmaRight) = ((below / Double(countBelow)).squareRoot(), (above / Double(countAbove)).squareRoot())
        let count = Double(samples.count)
        let ratio = sigmaLeft / sigmaRight
        let moment = (absolute / count) * (absolute / count) / ((below + above) / count)
        let square = ratio * ratio + 1
        let cubic: Double = ratio * ratio * ratio + 1
        let target: Double = moment * cubic * (ratio + 1) / (square * square)
        shape = Self.shape(for: target)
        let spread = (tgamma(1 / shape) / tgamma(3 / shape)).squareRoot()
        left = sigmaLeft * spread
        right = sigmaRight * spread
        mean = (right - left) * tgamma(2 / shape) / tgamma(1 / shape)
    }

    /// Γ(2/α)² / (Γ(1/α) Γ(3/α)) for α = 0.2, 0.201 … 10; it rises with α.
    private static let moments: [Double] = (0...9800).map { index in
        let shape = 0.2 + 0.001 * Double(index)
        return exp(2 * lgamma(2 / shape) - lgamma(1 / shape) - lgamma(3 / shape))
    }

    /// The α of the table whose moment is nearest.
    private static func shape(for target: Double) -> Double {
        guard target.isFinite else { return .nan }
        var (low, high) = (0, moments.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if moments[middle] < target { low = middle } else { high = middle }
        }
        let nearest = abs(moments[low] - target) <= abs(moments[high] - target) ? low : high
        return 0.2 + 0.001 * Double(nearest)
    }
}

/// Eigenvalues and eigenvectors (in columns) of a symmetric matrix, by Jacobi's rotations.
func symmetricEigen(_ matrix: [Double], _ n: Int) -> (values: [Double], vectors: [Double]) {
    var a = matrix
    var v = [Double](repeating: 0, count: n * n)
    for i in 0..<n { v[i * n + i] = 1 }
    for _ in 0..<60 {
        var off = 0.0
        for i in 0..<n {
            for j in 0..<i { off += a[i * n + j] * a[i * n + j] }
        }
        if off < 1e-24 * max(1e-300, a.reduce(0) { $0 + $1 * $1 }) { break }
        for p in 0..<n {
            for q in (p + 1)..<max(n, p + 1) where a[p * n + q] != 0 {
                let theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q])
                let t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
                let c = 1 / (t * t + 1).squareRoot()
                let s = t * c
                for k in 0..<n {
                    let (x, y) = (a[k * n + p], a[k * n + q])
                    a[k * n + p] = c * x - s * y
                    a[k * n + q] = s * x + c * y
                }
                for k in 0..<n {
                    let (x, y) = (a[p * n + k], a[q * n + k])
                    a[p * n + k] = c * x - s * y
                    a[q * n + k] = s * x + c * y
                }
                for k in 0..<n {
                    let (x, y) = (v[k * n + p], v[k * n + q])
                    v[k * n + p] = c * x - s * y
                    v[k * n + q] = s * x + c * y
                }
            }
        }
    }
    return ((0..<n).map { a[$0 * n + $0] }, v)
}
