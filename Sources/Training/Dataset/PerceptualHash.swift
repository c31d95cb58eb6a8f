// PerceptualHash: 64 bits that survive rescaling and recompression, and how much two windows look alike.

/// A picture's perceptual hash: the signs of its lowest 8 × 8 cosine frequencies (after pHash, Zauner 2010).
///
/// The luma is averaged to 16 × 16 cells whatever its size and shape; bit `8 v + u` tells whether the coefficient of
/// `u` half waves across and `v` down is positive. Bit 0, the mean, is always 0. Signs instead of a comparison with the
/// median make a mirrored picture's hash a matter of flipping the bits of odd `u`.
/// Unrelated pictures differ in 31.5 of the 63 bits, give or take 4.
public struct PerceptualHash: Sendable, Hashable {
    public let bits: UInt64

    public init(bits: UInt64) { self.bits = bits }

    /// The hash of a picture, or of a window of it.
    public init(_ plane: LumaPlane, window: LumaPlane.Window = .init()) {
        let side = Self.side
        let cells = plane.means(window, side: side)
        var bits: UInt64 = 0
        cells.withUnsafeBufferPointer { cells in
            Self.basis.withUnsafeBufferPointer { basis in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: 8 * side) { rows in
                    for u in 0..<8 {
                        for y in 0..<side {
                            var sum: Float = 0
                            for x in 0..<side { sum += cells[y * side + x] * basis[u * side + x] }
                            rows[u * side + y] = sum
                        }
                    }
                    for u in 0..<8 {
                        for v in 0..<8 where u + v > 0 {
                            var sum: Float = 0
                            for y in 0..<side { sum += rows[u * side + y] * basis[v * side + y] }
                            if sum > 0 { bits |= 1 << UInt64(8 * v + u) }
                        }
                    }
                }
            }
        }
        self.bits = bits
    }

    /// 16 hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 16, let bits = UInt64(hex, radix: 16) else { return nil }
        self.bits = bits
    }

    public var hex: String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The hash of the picture with left and right exchanged.
    public var mirrored: PerceptualHash { PerceptualHash(bits: bits ^ Self.oddColumns) }

    /// Number of bits that differ, 0…63.
    public func distance(to other: PerceptualHash) -> Int { (bits ^ other.bits).nonzeroBitCount }

    private static let side = 16
    private static let oddColumns: UInt64 = 0xAAAA_AAAA_AAAA_AAAA
    /// cos((2 x + 1) u π / 32), u by u.
    private static let basis: [Float] = (0..<8).flatMap { u in
        (0..<side).map { x in Float(cosine(Double((2 * x + 1) * u) * .pi / Double(2 * side))) }
    }
}

/// The slopes of a window's luma on a coarse grid, to tell whether two windows that hash alike look alike.
struct Slopes {
    /// Differences to the right and downwards, of unit length as a whole; all 0 for a flat window.
    private let values: [Float]

    init(_ plane: LumaPlane, window: LumaPlane.Window = .init(), side: Int = 24, mirrored: Bool = false) {
        self.init(cells: plane.means(window, side: side), side: side, mirrored: mirrored)
    }

    /// - Parameter cells: means of `side × side` cells.
    init(cells: [Float], side: Int, mirrored: Bool = false) {
        var values: [Float] = []
        values.reserveCapacity(2 * side * side)
        func cell(_ x: Int, _ y: Int) -> Float { cells[y * side + (mirrored ? side - 1 - x : x)] }
        for y in 0..<side {
            for x in 0..<side {
                if x + 1 < side { values.append(cell(x + 1, y) - cell(x, y)) }
                if y + 1 < side { values.append(cell(x, y + 1) - cell(x, y)) }
            }
        }
        let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        // Less than half a level of slope is rounding noise, not a likeness.
        self.values = length < 0.5 * Float(side) ? values.map { _ in 0 } : values.map { $0 / length }
    }

    /// Cosine of the angle between the two, −1…1.
    func similarity(to other: Slopes) -> Float {
        var sum: Float = 0
        for (a, b) in zip(values, other.values) { sum += a * b }
        return sum
    }
}
