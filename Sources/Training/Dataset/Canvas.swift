// Canvas: draws antialiased shapes and text masks into RGB pixels, for synthetic training pictures.

/// RGB pixels, 0…255 in sRGB, that shapes are drawn into.
///
/// A shape is a signed distance; a pixel whose centre lies on the edge is covered by half, so edges are a pixel wide.
struct Canvas {
    typealias Colour = SIMD3<Float>
    typealias Point = SIMD2<Float>

    let width: Int
    let height: Int
    private(set) var pixels: [Colour]

    init(width: Int, height: Int, filledWith colour: Colour = Colour(repeating: 255)) {
        self.width = width
        self.height = height
        pixels = [Colour](repeating: colour, count: width * height)
    }

    /// - Returns: nil for another number of bytes than `height × width × 3`.
    init?(width: Int, height: Int, bytes: [UInt8]) {
        guard bytes.count == width * height * 3 else { return nil }
        self.width = width
        self.height = height
        pixels = (0..<(width * height)).map { index -> Colour in
            let first = 3 * index
            return Colour(Float(bytes[first]), Float(bytes[first + 1]), Float(bytes[first + 2]))
        }
    }

    /// What a shape is filled with.
    enum Paint {
        case solid(Colour)
        /// From one colour to the other between two points, and those colours beyond.
        case linear(Colour, Colour, Point, Point)
        /// From the centre to the radius.
        case radial(Colour, Colour, Point, Float)

        func colour(at point: Point) -> Colour {
            func mix(_ a: Colour, _ b: Colour, _ t: Float) -> Colour { a + (b - a) * max(0, min(1, t)) }
            switch self {
            case .solid(let colour): return colour
            case .linear(let from, let to, let start, let end):
                let line = end - start
                return mix(from, to, ((point - start) * line).sum() / max(1e-6, (line * line).sum()))
            case .radial(let from, let to, let centre, let radius):
                return mix(from, to, length(point - centre) / max(1e-6, radius))
            }
        }
    }

    /// Blends a shape in.
    mutating func draw(_ shape: Shape, _ paint: Paint, opacity: Float = 1) {
        let (x0, x1) = Canvas.range(shape.low.x, shape.high.x, width)
        let (y0, y1) = Canvas.range(shape.low.y, shape.high.y, height)
        guard x0 < x1, y0 < y1 else { return }
        for y in y0..<y1 {
            for x in x0..<x1 {
                let point = Point(Float(x) + 0.5, Float(y) + 0.5)
                let coverage = max(0, min(1, 0.5 - shape.distance(point))) * opacity
                if coverage > 0 { pixels[y * width + x] += (paint.colour(at: point) - pixels[y * width + x]) * coverage }
            }
        }
    }

    /// Blends in a mask of coverage, its top left corner at `x`, `y`; what lies outside is dropped.
    mutating func draw(_ mask: TextMask, x left: Int, y top: Int, _ paint: Paint, opacity: Float = 1) {
        for row in 0..<mask.height where (0..<height).contains(top + row) {
            for column in 0..<mask.width where (0..<width).contains(left + column) {
                let coverage = Float(mask.coverage[row * mask.width + column]) / 255 * opacity
                let index = (top + row) * width + left + column
                let colour = paint.colour(at: Point(Float(left + column) + 0.5, Float(top + row) + 0.5))
                if coverage > 0 { pixels[index] += (colour - pixels[index]) * coverage }
            }
        }
    }

    /// Blends in a mask whose corners (top left, top right, bottom right, bottom left) are drawn to the given ones.
    mutating func draw(_ mask: TextMask, corners: [Point], _ paint: Paint, opacity: Float = 1) {
        let back = Homography(unitSquareTo: corners).inverse
        let low = corners.reduce(corners[0]) { pointwiseMin($0, $1) }
        let high = corners.reduce(corners[0]) { pointwiseMax($0, $1) }
        let (x0, x1) = Canvas.range(low.x, high.x, width)
        let (y0, y1) = Canvas.range(low.y, high.y, height)
        guard x0 < x1, y0 < y1 else { return }
        for y in y0..<y1 {
            for x in x0..<x1 {
                var sum: Float = 0
                for sample in 0..<9 {
                    let place = back(Point(Float(x) + (Float(sample % 3) + 0.5) / 3, Float(y) + (Float(sample / 3) + 0.5) / 3))
                    let (column, row) = (Int(max(-1e6, min(1e6, place.x * Float(mask.width))).rounded(.down)), Int(max(-1e6, min(1e6, place.y * Float(mask.height))).rounded(.down)))
                    if (0..<mask.width).contains(column), (0..<mask.height).contains(row) { sum += Float(mask.coverage[row * mask.width + column]) }
                }
                let coverage = sum / 9 / 255 * opacity
                let index = y * width + x
                if coverage > 0 { pixels[index] += (paint.colour(at: Point(Float(x) + 0.5, Float(y) + 0.5)) - pixels[index]) * coverage }
            }
        }
    }

    /// Blends in a rectangle on whole pixels.
    mutating func fill(x left: Int, y top: Int, width across: Int, height down: Int, _ colour: Colour, opacity: Float = 1) {
        for y in max(0, top)..<max(0, top, min(height, top + down)) {
            for x in max(0, left)..<max(0, left, min(width, left + across)) { pixels[y * width + x] += (colour - pixels[y * width + x]) * opacity }
        }
    }

    /// The mean colour of what a rectangle covers; of everything where it covers nothing.
    func mean(x left: Int, y top: Int, width across: Int, height down: Int) -> Colour {
        var (sum, count) = (Colour.zero, Float(0))
        for y in max(0, top)..<max(0, top, min(height, top + down)) {
            for x in max(0, left)..<max(0, left, min(width, left + across)) {
                sum += pixels[y * width + x]
                count += 1
            }
        }
        return count > 0 ? sum / count : pixels.reduce(Colour.zero, +) / Float(max(1, pixels.count))
    }

    /// A square picture whose point (x, y), 0…1, shows this one at `view(x, y)`; nine samples a pixel, edges repeated.
    func seen(through view: Homography, side: Int) -> Canvas {
        var result = Canvas(width: side, height: side)
        for y in 0..<side {
            for x in 0..<side {
                var sum = Colour.zero
                for sample in 0..<9 {
                    let at = view(Point(Float(x) + (Float(sample % 3) + 0.5) / 3, Float(y) + (Float(sample / 3) + 0.5) / 3) / Float(side))
                    let (column, row) = (Int(max(0, min(Float(width - 1), at.x))), Int(max(0, min(Float(height - 1), at.y))))
                    sum += pixels[row * width + column]
                }
                result.pixels[y * side + x] = sum / 9
            }
        }
        return result
    }

    /// A square of it, which must lie inside.
    func window(x: Int, y: Int, side: Int) -> Canvas {
        var result = Canvas(width: side, height: side)
        for row in 0..<side { result.pixels.replaceSubrange(row * side..<(row + 1) * side, with: pixels[((y + row) * width + x)..<((y + row) * width + x + side)]) }
        return result
    }

    /// `height × width × 3`.
    var bytes: [UInt8] {
        pixels.flatMap { pixel in (0..<3).map { UInt8(max(0, min(255, pixel[$0].rounded()))) } }
    }

    private static func range(_ low: Float, _ high: Float, _ count: Int) -> (Int, Int) {
        (max(0, Int(max(-1e6, low - 1))), min(count, Int(min(1e6, max(-1e6, high + 2)))))
    }
}

private func length(_ vector: SIMD2<Float>) -> Float { (vector * vector).sum().squareRoot() }

/// A shape by its signed distance in pixels, negative inside.
struct Shape {
    typealias Point = Canvas.Point

    /// Corners of a box around it.
    let low: Point
    let high: Point
    let distance: (Point) -> Float

    static func circle(_ centre: Point, radius: Float) -> Shape {
        Shape(low: centre - radius, high: centre + radius) { length($0 - centre) - radius }
    }

    static func ring(_ centre: Point, radius: Float, width: Float) -> Shape {
        Shape(low: centre - radius - width, high: centre + radius + width) { abs(length($0 - centre) - radius) - width / 2 }
    }

    /// A rectangle with round corners, turned around its centre.
    static func box(_ centre: Point, half: Point, radius: Float, angle: Float = 0) -> Shape {
        let (c, s) = (Float(cosine(Double(angle))), Float(cosine(Double(angle) - .pi / 2)))
        let reach = length(half)
        let radius = min(radius, min(half.x, half.y))
        return Shape(low: centre - reach, high: centre + reach) { point in
            let q = point - centre
            let turned = Point(abs(c * q.x + s * q.y), abs(c * q.y - s * q.x)) - half + radius
            let outside = Point(max(turned.x, 0), max(turned.y, 0))
            return length(outside) + min(max(turned.x, turned.y), 0) - radius
        }
    }

    /// A filled polygon, even-odd.
    static func polygon(_ points: [Point]) -> Shape {
        bounded(points, margin: 0) { point in
            var nearest = Float.infinity
            var isInside = false
            var previous = points[points.count - 1]
            for corner in points {
                nearest = min(nearest, squaredDistance(from: point, to: previous, corner))
                if (corner.y > point.y) != (previous.y > point.y),
                    point.x < (previous.x - corner.x) * (point.y - corner.y) / (previous.y - corner.y) + corner.x
                {
                    isInside.toggle()
                }
                previous = corner
            }
            return isInside ? -nearest.squareRoot() : nearest.squareRoot()
        }
    }

    /// A line through points, with round ends and joins.
    static func stroke(_ points: [Point], width: Float) -> Shape {
        bounded(points, margin: width / 2) { point in
            var nearest = Float.infinity
            for (a, b) in zip(points, points.dropFirst()) { nearest = min(nearest, squaredDistance(from: point, to: a, b)) }
            return nearest.squareRoot() - width / 2
        }
    }

    /// What lies in both.
    func intersection(_ other: Shape) -> Shape {
        let (one, two) = (distance, other.distance)
        return Shape(
            low: Point(max(low.x, other.low.x), max(low.y, other.low.y)), high: Point(min(high.x, other.high.x), min(high.y, other.high.y))
        ) { max(one($0), two($0)) }
    }

    /// A shape of at least two points; of fewer, one that covers nothing.
    private static func bounded(_ points: [Point], margin: Float, distance: @escaping (Point) -> Float) -> Shape {
        guard points.count > 1, let first = points.first else { return Shape(low: .zero, high: Point(repeating: -8)) { _ in .infinity } }
        let low = points.reduce(first) { Point(min($0.x, $1.x), min($0.y, $1.y)) }
        let high = points.reduce(first) { Point(max($0.x, $1.x), max($0.y, $1.y)) }
        return Shape(low: low - margin, high: high + margin, distance: distance)
    }

    private static func squaredDistance(from point: Point, to a: Point, _ b: Point) -> Float {
        let (line, offset) = (b - a, point - a)
        let t = max(0, min(1, (offset * line).sum() / max(1e-9, (line * line).sum())))
        let gap = offset - line * t
        return (gap * gap).sum()
    }

    /// Points of a smooth curve through the given ones (Catmull and Rom 1974).
    static func curve(through points: [Point], isClosed: Bool, steps: Int = 10) -> [Point] {
        guard points.count > 2 else { return points }
        func at(_ index: Int) -> Point {
            isClosed ? points[(index + points.count) % points.count] : points[max(0, min(points.count - 1, index))]
        }
        var result: [Point] = []
        for index in 0..<(isClosed ? points.count : points.count - 1) {
            let (a, b, c, d) = (at(index - 1), at(index), at(index + 1), at(index + 2))
            for step in 0..<steps {
                let t = Float(step) / Float(steps)
                let (quadratic, cubic) = (2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d)
                result.append((2 * b + (c - a) * t + quadratic * (t * t) + cubic * (t * t * t)) / 2)
            }
        }
        result.append(isClosed ? points[0] : points[points.count - 1])
        return result
    }
}

/// Rendered text: how much of each pixel it covers.
public struct TextMask: Sendable {
    public let width: Int
    public let height: Int
    /// `width × height`, 0…255.
    public let coverage: [UInt8]

    /// - Returns: nil for another number of samples.
    public init?(width: Int, height: Int, coverage: [UInt8]) {
        guard width > 0, height > 0, coverage.count == width * height else { return nil }
        self.width = width
        self.height = height
        self.coverage = coverage
    }

    /// Means over squares of `factor` pixels, the first of which begins `x`, `y` pixels before the mask.
    func reduced(by factor: Int, x left: Int, y top: Int) -> TextMask? {
        let (across, down) = ((width + left + factor - 1) / factor, (height + top + factor - 1) / factor)
        var sums = [Int](repeating: 0, count: across * down)
        for y in 0..<height {
            for x in 0..<width { sums[(y + top) / factor * across + (x + left) / factor] += Int(coverage[y * width + x]) }
        }
        let area = factor * factor
        return TextMask(width: across, height: down, coverage: sums.map { UInt8(($0 + area / 2) / area) })
    }
}
