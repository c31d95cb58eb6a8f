// CropQuality: what a crop is worth for training: how flat, how blurred, how blocky.

/// Measures of a square crop's luma.
public struct CropQuality: Sendable, Hashable {
    /// Mean absolute slope to the right and downwards, levels of 255 per pixel.
    public var detail: Float
    /// Standard deviation, levels of 255.
    public var contrast: Float
    /// How steep the steepest edges are for their height: the mean square of the Laplacian over that of the slopes, both on
    /// the pixels of the steepest twentieth. An ideal step gives 4, one blurred by a Gaussian of σ 0.5 pixels 1.6, of 1 pixel
    /// about 0.25, of 1.5 pixels 0.05; half of all sharp photographs' crops lie above 2. Contrast hardly matters, and noise,
    /// being weaker than edges, little.
    public var sharpness: Float
    /// Steps across the lines of a grid of 8 pixels, in excess of those on either side and in units of the usual step, in the
    /// weaker direction, plus 1. Medians over the lines: edges of the picture are on a few lines, a grid is on all. 1 without.
    public var blockiness: Float

    /// - Parameter bytes: RGB, `size × size × 3`.
    /// - Precondition: as many bytes, and a size of at least 16.
    public init(bytes: [UInt8], size: Int) {
        precondition(size >= 16 && bytes.count == size * size * 3, "a crop has size × size × 3 bytes")
        var luma = [Float](repeating: 0, count: size * size)
        for i in 0..<(size * size) {
            luma[i] = (77 * Float(bytes[3 * i]) + 150 * Float(bytes[3 * i + 1]) + 29 * Float(bytes[3 * i + 2])) / 256
        }
        self.init(luma: luma, size: size)
    }

    /// - Parameter luma: 0…255, `size × size`.
    package init(luma: [Float], size: Int) {
        let inner = size - 2
        var slopes = [Float](repeating: 0, count: inner * inner)  // Squared.
        var laplacians = slopes
        var (sum, sumOfSquares, detailSum): (Float, Float, Float) = (0, 0, 0)
        // Per vertical and per horizontal line: mean absolute step across it, and by how much that exceeds its neighbours'.
        var across = [Float](repeating: 0, count: size - 3)
        var down = across
        var (acrossSteps, downSteps) = (across, down)
        luma.withUnsafeBufferPointer { luma in
            for y in 1..<(size - 1) {
                var (rowSum, rowSquares, rowDetail): (Float, Float, Float) = (0, 0, 0)
                for x in 1..<(size - 1) {
                    let i = y * size + x
                    let here = luma[i]
                    let (left, right, up, under) = (luma[i - 1], luma[i + 1], luma[i - size], luma[i + size])
                    let (dx, dy) = ((right - left) / 2, (under - up) / 2)
                    let laplacian = left + right + up + under - 4 * here
                    slopes[(y - 1) * inner + x - 1] = dx * dx + dy * dy
                    laplacians[(y - 1) * inner + x - 1] = laplacian * laplacian
                    rowSum += here
                    rowSquares += here * here
                    rowDetail += abs(right - here) + abs(under - here)
                }
                sum += rowSum
                sumOfSquares += rowSquares
                detailSum += rowDetail
                for x in 1..<(size - 2) {
                    let i = y * size + x
                    let step = abs(luma[i + 1] - luma[i])
                    across[x - 1] += step - (abs(luma[i] - luma[i - 1]) + abs(luma[i + 2] - luma[i + 1])) / 2
                    acrossSteps[x - 1] += step
                }
                guard y < size - 2 else { continue }
                var (excess, steps): (Float, Float) = (0, 0)
                for i in (y * size + 1)..<(y * size + size - 1) {
                    let step = abs(luma[i + size] - luma[i])
                    excess += step - (abs(luma[i] - luma[i - size]) + abs(luma[i + 2 * size] - luma[i + size])) / 2
                    steps += step
                }
                (down[y - 1], downSteps[y - 1]) = (excess, steps)
            }
        }
        let count = Float(inner * inner)
        let mean = sum / count
        contrast = max(0, sumOfSquares / count - mean * mean).squareRoot()
        let detail = detailSum / (2 * count)
        self.detail = detail

        let steep = Self.quantile(slopes, 0.95)
        var (edge, curve): (Float, Float) = (0, 0)
        for i in slopes.indices where slopes[i] >= steep {
            edge += slopes[i]
            curve += laplacians[i]
        }
        sharpness = edge > 0 ? curve / edge : 0

        func median(_ values: [Float]) -> Float { values.sorted()[values.count / 2] }
        /// By how much the lines of the grid stand out, whatever its phase.
        func excess(_ lines: [Float], _ steps: [Float]) -> Float {
            let phases = (0..<8).map { phase in median(stride(from: phase, to: lines.count, by: 8).map { lines[$0] }) }
            guard let top = phases.indices.max(by: { phases[$0] < phases[$1] }) else { return 0 }
            let others = lines.indices.filter { $0 % 8 != top }.map { lines[$0] }
            return (phases[top] - median(others)) / max(0.25 * Float(inner), median(steps))
        }
        blockiness = 1 + max(0, min(excess(across, acrossSteps), excess(down, downSteps)))
    }

    /// A quantile by a histogram over the exponents, good to a few per cent: sorting 65 536 values a crop would cost more
    /// than all the rest.
    private static func quantile(_ values: [Float], _ fraction: Float) -> Float {
        var bins = [Int](repeating: 0, count: 1 << 11)
        // Exponent and three bits of the mantissa of a number that is not negative.
        for value in values { bins[Int(value.bitPattern >> 20) & 0x7FF] += 1 }
        var left = Int((Float(values.count) * (1 - fraction)).rounded())
        for bin in bins.indices.reversed() {
            left -= bins[bin]
            if left <= 0 { return Float(bitPattern: UInt32(bin) << 20) }
        }
        return 0
    }
}

/// What a crop must reach.
public struct CropFilter: Sendable, Hashable {
    /// Less detail is flat; levels of 255 per pixel.
    public var leastDetail: Float = 1.2
    /// Less contrast is flat; levels of 255.
    public var leastContrast: Float = 5
    /// Less is blurred.
    public var leastSharpness: Float = 0.2
    /// More is block-compressed.
    public var mostBlockiness: Float = 1.35

    public init() {}

    /// Lets everything through.
    public static var none: CropFilter {
        var filter = CropFilter()
        (filter.leastDetail, filter.leastContrast, filter.leastSharpness, filter.mostBlockiness) = (0, 0, 0, .infinity)
        return filter
    }

    /// Why a crop is left out; nil if it is good.
    public func fault(of quality: CropQuality) -> DropReason? {
        if quality.detail < leastDetail || quality.contrast < leastContrast { return .flat }
        if quality.blockiness > mostBlockiness { return .blocky }
        if quality.sharpness < leastSharpness { return .blurred }
        return nil
    }
}

/// Why a picture or a crop did not become training data.
public enum DropReason: String, Sendable, Hashable, CaseIterable, Codable {
    // Crops.
    case flat, blurred, blocky
    /// Neither among the hardest half nor without the hardest twentieth.
    case difficulty
    // Pictures.
    case unreadable, small, duplicate
    /// It shows a picture of an evaluation set.
    case evaluation
    /// The list of pictures (COCO) describes another picture or a licence that was not asked for.
    case list
    /// No crop of it was good enough.
    case empty
}
