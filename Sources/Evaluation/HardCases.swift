// HardCases: pictures drawn here at full resolution on which networks go wrong: line screens, a zone plate, edges, letters.

public import SuperResolution

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Drawn pictures whose ideal enlargement is known. Sides are multiples of the scale.
public enum HardCase {
    /// Grey from a function of the place in pixels of high resolution, averaged over 4×4 points of each pixel.
    private static func draw(side: Int, _ value: (Double, Double) -> Double) -> Raster {
        var raster = Raster(width: side, height: side, channels: 3)
        for y in 0..<side {
            for x in 0..<side {
                var sum = 0.0
                for sub in 0..<16 { sum += value(Double(x) + (Double(sub % 4) + 0.5) / 4, Double(y) + (Double(sub / 4) + 0.5) / 4) }
                for channel in 0..<3 { raster[x, y, channel] = Float(sum / 16) }
            }
        }
        return raster
    }

    /// Line screens as printers and fabrics have them: sine gratings of 2.3 to 6 low-resolution pixels at five angles.
    /// All can be told at low resolution; their local mean is 0.5 everywhere, so whatever is coarser is moiré.
    public static func lineScreens(scale: Int) -> [Raster] {
        [2.3, 2.7, 3.4, 6].flatMap { period in
            [0.0, 15, 30, 45, 75].map { degrees -> Raster in
                let (dx, dy) = (cos(degrees * .pi / 180), sin(degrees * .pi / 180))
                let step = 2 * Double.pi / (period * Double(scale))
                return draw(side: 48 * scale) { x, y in 0.5 + 0.4 * sin((x * dx + y * dy) * step) }
            }
        }
    }

    /// Rings that grow finer outwards, up to 0.45 periods per low-resolution pixel at the middle of each side.
    public static func zonePlate(scale: Int) -> Raster {
        let side = 96 * scale
        let centre = Double(side) / 2
        let rate = 0.45 / Double(scale) / Double(side)
        return draw(side: side) { x, y in
            let radius = (x - centre) * (x - centre) + (y - centre) * (y - centre)
            return 0.5 + 0.4 * cos(2 * .pi * rate * radius)
        }
    }

    /// A straight edge between two greys through the middle, at eight angles.
    public static func edges(scale: Int) -> [(picture: Raster, low: Float, high: Float)] {
        let side = 32 * scale
        return (0..<8).map { turn -> (picture: Raster, low: Float, high: Float) in
            let angle = Double(turn) * 45 + 7
            let (dx, dy) = (cos(angle * .pi / 180), sin(angle * .pi / 180))
            let (low, high) = turn % 2 == 0 ? (0.25, 0.75) : (0.4, 0.6)
            let centre = Double(side) / 2
            return (draw(side: side) { x, y in (x - centre) * dx + (y - centre) * dy < 0 ? low : high }, Float(low), Float(high))
        }
    }

    /// Letters of straight strokes, dark on light and light on dark, with strokes of 1 to 2 low-resolution pixels.
    public static func text(scale: Int) -> [Raster] {
        [(7.0, 1.0, false), (9, 1.2, true), (12, 1.6, false), (16, 2, true)].map { height, stroke, isLight in
            let side = 72 * scale
            let unit = height * Double(scale)
            let thick = stroke * Double(scale) / 2
            let letters = Array(alphabet.values.sorted { $0.count < $1.count })
            return draw(side: side) { x, y in
                let (column, row) = (Int(x / (unit * 0.85)), Int(y / (unit * 1.5)))
                let (u, v) = ((x - Double(column) * unit * 0.85) / unit - 0.1, (y - Double(row) * unit * 1.5) / unit - 0.25)
                let letter = letters[(row * 7 + column * 3) % letters.count]
                let isInk = letter.contains { distance(u, v, to: $0) * unit < thick }
                return isInk == isLight ? 0.95 : 0.08
            }
        }
    }

    private typealias Stroke = (x0: Double, y0: Double, x1: Double, y1: Double)

    /// In units of the letter's height: 0.6 wide.
    private static let alphabet: [Character: [Stroke]] = [
        "I": [(0.3, 0, 0.3, 1)], "L": [(0, 0, 0, 1), (0, 1, 0.6, 1)], "T": [(0, 0, 0.6, 0), (0.3, 0, 0.3, 1)],
        "V": [(0, 0, 0.3, 1), (0.3, 1, 0.6, 0)], "A": [(0, 1, 0.3, 0), (0.3, 0, 0.6, 1), (0.15, 0.6, 0.45, 0.6)],
        "H": [(0, 0, 0, 1), (0.6, 0, 0.6, 1), (0, 0.5, 0.6, 0.5)], "E": [(0, 0, 0, 1), (0, 0, 0.6, 0), (0, 0.5, 0.5, 0.5), (0, 1, 0.6, 1)],
        "K": [(0, 0, 0, 1), (0, 0.55, 0.6, 0), (0.15, 0.4, 0.6, 1)], "M": [(0, 1, 0, 0), (0, 0, 0.3, 0.6), (0.3, 0.6, 0.6, 0), (0.6, 0, 0.6, 1)],
        "N": [(0, 1, 0, 0), (0, 0, 0.6, 1), (0.6, 1, 0.6, 0)], "X": [(0, 0, 0.6, 1), (0, 1, 0.6, 0)],
        "Z": [(0, 0, 0.6, 0), (0.6, 0, 0, 1), (0, 1, 0.6, 1)],
    ]

    private static func distance(_ x: Double, _ y: Double, to stroke: Stroke) -> Double {
        let (dx, dy) = (stroke.x1 - stroke.x0, stroke.y1 - stroke.y0)
        let along = max(0, min(1, ((x - stroke.x0) * dx + (y - stroke.y0) * dy) / (dx * dx + dy * dy)))
        let (px, py) = (x - stroke.x0 - along * dx, y - stroke.y0 - along * dy)
        return (px * px + py * py).squareRoot()
    }
}
