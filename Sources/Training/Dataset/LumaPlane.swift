// LumaPlane: a small luma image as sums over areas, from which any window is read at any size.

public import SuperResolution

/// A picture's luma at no more than 192 pixels a side, kept as an integral image (Crow 1984): the mean over any window,
/// also one that starts and ends inside pixels, costs four lookups.
///
/// Every value is an exact area mean of the full picture, so the same picture at another size gives nearly the same plane.
public struct LumaPlane: Sendable {
    /// A part of a picture as fractions of its sides: 0…1, origin top left.
    public struct Window: Sendable, Hashable {
        public var x: Double
        public var y: Double
        public var width: Double
        public var height: Double

        public init(x: Double = 0, y: Double = 0, width: Double = 1, height: Double = 1) {
            self.x = x
            self.y = y
            self.width = width
            self.height = height
        }

        var isInside: Bool { x >= 0 && y >= 0 && width > 0.05 && height > 0.05 && x + width <= 1 + 1e-9 && y + height <= 1 + 1e-9 }
    }

    static let longestSide = 192

    /// Width over height of the full picture.
    public let aspect: Double
    private let width: Int
    private let height: Int
    /// `(width + 1) × (height + 1)`: sums over the pixels above and to the left.
    private let sums: [Double]

    /// - Parameters:
    ///   - bytes: RGB or grey, `height × width × channels`.
    ///   - channels: 1 or 3.
    /// - Returns: nil for an empty picture or another number of bytes.
    public init?(bytes: [UInt8], width fullWidth: Int, height fullHeight: Int, channels: Int) {
        guard fullWidth > 0, fullHeight > 0, channels == 1 || channels == 3, bytes.count == fullWidth * fullHeight * channels else { return nil }
        let reduction = max(1, Double(max(fullWidth, fullHeight)) / Double(Self.longestSide))
        let width = max(1, Int((Double(fullWidth) / reduction).rounded()))
        let height = max(1, Int((Double(fullHeight) / reduction).rounded()))
        aspect = Double(fullWidth) / Double(fullHeight)
        self.width = width
        self.height = height

        let (stepX, stepY) = (Double(fullWidth) / Double(width), Double(fullHeight) / Double(height))
        let columns = (0...width).map { min(Double(fullWidth), Double($0) * stepX) }
        let scale = 1 / (stepX * stepY)
        var sums = [Double](repeating: 0, count: (width + 1) * (height + 1))
        var above = [Double](repeating: 0, count: width + 1)  // Sum over all rows so far, left of each column.
        var here = above
        var next = 1  // The next row of `sums`.
        var prefix = [Int32](repeating: 0, count: fullWidth + 1)
        bytes.withUnsafeBufferPointer { bytes in
            for y in 0..<fullHeight {
                var total: Int32 = 0
                let row = y * fullWidth * channels
                for x in 0..<fullWidth {
                    if channels == 3 {
                        let i = row + 3 * x
                        // BT.601 weights in 256ths.
                        total &+= (77 * Int32(bytes[i]) + 150 * Int32(bytes[i + 1]) + 29 * Int32(bytes[i + 2])) >> 8
                    } else {
                        total &+= Int32(bytes[row + x])
                    }
                    prefix[x + 1] = total
                }
                for (index, column) in columns.enumerated() {
                    let whole = min(fullWidth - 1, Int(column))
                    here[index] = Double(prefix[whole]) + (column - Double(whole)) * Double(prefix[whole + 1] - prefix[whole])
                }
                while next <= height, Double(next) * stepY <= Double(y + 1) + 1e-9 || y == fullHeight - 1 {
                    let share = min(1, max(0, Double(next) * stepY - Double(y)))
                    for index in 0...width { sums[next * (width + 1) + index] = (above[index] + share * here[index]) * scale }
                    next += 1
                }
                for index in 0...width { above[index] += here[index] }
            }
        }
        self.sums = sums
    }

    /// The luma plane of an 8-bit picture.
    public init?(_ pixels: PixelBuffer) {
        guard pixels.depth == .eight else { return nil }
        self.init(bytes: pixels.bytes, width: pixels.width, height: pixels.height, channels: pixels.channels)
    }

    /// Means of the `side × side` cells of a window, row by row, 0…255.
    func means(_ window: Window, side: Int) -> [Float] {
        // Per column: where it lies and how far it reaches into that pixel.
        let columns = (0...side).map { edge((window.x + window.width * Double($0) / Double(side)) * Double(width), limit: width) }
        var previous = [Double](repeating: 0, count: side + 1)
        var current = previous
        let area = (window.width * Double(width) / Double(side)) * (window.height * Double(height) / Double(side))
        let scale = 1 / max(area, 1e-12)
        var result = [Float](repeating: 0, count: side * side)
        sums.withUnsafeBufferPointer { sums in
            for row in 0...side {
                let (y, v) = edge((window.y + window.height * Double(row) / Double(side)) * Double(height), limit: height)
                let (top, bottom) = (y * (width + 1), (y + 1) * (width + 1))
                for column in 0...side {
                    let (x, u) = columns[column]
                    let upper = sums[top + x] + u * (sums[top + x + 1] - sums[top + x])
                    let lower = sums[bottom + x] + u * (sums[bottom + x + 1] - sums[bottom + x])
                    current[column] = upper + v * (lower - upper)
                }
                if row > 0 {
                    for column in 0..<side {
                        let sum = current[column + 1] - current[column] - previous[column + 1] + previous[column]
                        result[(row - 1) * side + column] = Float(sum * scale)
                    }
                }
                swap(&previous, &current)
            }
        }
        return result
    }

    /// The pixel in which an edge lies and the fraction of it that is passed.
    private func edge(_ position: Double, limit: Int) -> (index: Int, fraction: Double) {
        let clipped = min(max(0, position), Double(limit))
        let index = min(limit - 1, Int(clipped))
        return (index, clipped - Double(index))
    }
}
