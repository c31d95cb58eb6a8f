// Homography: how a plane looks from aside, for text in perspective.

/// A projective map of the plane.
package struct Homography {
    package typealias Point = SIMD2<Float>
    private typealias Row = SIMD3<Float>

    private let rows: (Row, Row, Row)

    /// Takes the corners (0, 0), (1, 0), (1, 1), (0, 1) to the four given ones (Heckbert 1989, §2.2.3).
    package init(unitSquareTo corners: [Point]) {
        let (a, b, c, d) = (corners[0], corners[1], corners[2], corners[3])
        let (sum, one, two) = (a - b + c - d, b - c, d - c)
        let determinant = one.x * two.y - two.x * one.y
        let g = (sum.x * two.y - two.x * sum.y) / determinant
        let h = (one.x * sum.y - sum.x * one.y) / determinant
        rows = (
            Row(b.x - a.x + g * b.x, d.x - a.x + h * d.x, a.x), Row(b.y - a.y + g * b.y, d.y - a.y + h * d.y, a.y), Row(g, h, 1)
        )
    }

    private init(rows: (Row, Row, Row)) { self.rows = rows }

    package func callAsFunction(_ point: Point) -> Point {
        let p = Row(point.x, point.y, 1)
        return Point((rows.0 * p).sum(), (rows.1 * p).sum()) / (rows.2 * p).sum()
    }

    /// The way back, by the adjugate: scale does not matter.
    package var inverse: Homography {
        func cross(_ a: Row, _ b: Row) -> Row { Row(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x) }
        let columns = (cross(rows.1, rows.2), cross(rows.2, rows.0), cross(rows.0, rows.1))
        return Homography(rows: (
            Row(columns.0.x, columns.1.x, columns.2.x), Row(columns.0.y, columns.1.y, columns.2.y), Row(columns.0.z, columns.1.z, columns.2.z)
        ))
    }
}
