// Profiles: ICC profiles made of a matrix and a curve, and the colour arithmetic to hold results against (CIE, ICC.1:2022).

import Foundation

/// An RGB space: its primaries and white give the matrix, its curve the samples.
struct ColourSpace: Sendable {
    let name: String
    /// xy of red, green and blue.
    let primaries: [(x: Double, y: Double)]
    /// The gamma, or nil for sRGB's curve.
    let gamma: Double?

    static let sRGB = ColourSpace(name: "test sRGB", primaries: [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)], gamma: nil)
    static let displayP3 = ColourSpace(name: "test P3", primaries: [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], gamma: nil)
    static let adobeRGB = ColourSpace(name: "test Adobe RGB", primaries: [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], gamma: 563.0 / 256)
    /// Adobe RGB's primaries with a curve far from sRGB's.
    static let steep = ColourSpace(name: "test 1.8", primaries: [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], gamma: 461.0 / 256)

    static let d65 = (x: 0.3127 / 0.3290, y: 1.0, z: (1 - 0.3127 - 0.3290) / 0.3290)

    /// Linear RGB to XYZ under D65.
    var matrix: [[Double]] {
        let columns = primaries.map { [$0.x / $0.y, 1, (1 - $0.x - $0.y) / $0.y] }
        let m = (0..<3).map { row in columns.map { $0[row] } }
        let s = solve(m, [Self.d65.x, Self.d65.y, Self.d65.z])
        return m.map { row in (0..<3).map { row[$0] * s[$0] } }
    }

    func linear(_ v: Double) -> Double {
        if let gamma { return pow(v, gamma) }
        return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4)
    }

    func encoded(_ v: Double) -> Double {
        let v = min(max(0, v), 1)
        if let gamma { return pow(v, 1 / gamma) }
        return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055
    }

    func xyz(_ rgb: [Double]) -> [Double] { multiply(matrix, rgb.map(linear)) }
    func rgb(_ xyz: [Double]) -> [Double] { solve(matrix, xyz).map(encoded) }

    /// A version 2 profile: the matrix adapted to D50 by Bradford's method.
    var profile: [UInt8] {
        let bradford = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
        let source = multiply(bradford, [Self.d65.x, 1, Self.d65.z]), target = multiply(bradford, [0.9642, 1, 0.8249])
        func adapted(_ xyz: [Double]) -> [Double] {
            let cone = multiply(bradford, xyz)
            return solve(bradford, (0..<3).map { cone[$0] * target[$0] / source[$0] })
        }
        func fixed(_ v: Double) -> [UInt8] { big32(UInt32(bitPattern: Int32((v * 65536).rounded()))) }
        func point(_ v: [Double]) -> [UInt8] { Array("XYZ \0\0\0\0".utf8) + v.flatMap(fixed) }
        let curve: [UInt8] =
            if let gamma {
                Array("curv\0\0\0\0".utf8) + big32(1) + big16(UInt16((gamma * 256).rounded())) + [0, 0]
            } else {
                Array("curv\0\0\0\0".utf8) + big32(1024) + (0..<1024).flatMap { big16(UInt16((linear(Double($0) / 1023) * 65535).rounded())) }
            }
        let text = Array(name.utf8) + [0]
        let description = Array("desc\0\0\0\0".utf8) + big32(UInt32(text.count)) + text + [UInt8](repeating: 0, count: 78)
        let columns = (0..<3).map { column in adapted((0..<3).map { matrix[$0][column] }) }
        let tags: [(String, [UInt8])] = [
            ("desc", description), ("cprt", Array("text\0\0\0\0none\0".utf8)), ("wtpt", point([0.9642, 1, 0.8249])),
            ("rXYZ", point(columns[0])), ("gXYZ", point(columns[1])), ("bXYZ", point(columns[2])), ("rTRC", curve), ("gTRC", curve), ("bTRC", curve),
        ]
        var table: [UInt8] = big32(UInt32(tags.count)), data: [UInt8] = []
        let start = 128 + 4 + 12 * tags.count
        for (name, bytes) in tags {
            table += Array(name.utf8) + big32(UInt32(start + data.count)) + big32(UInt32(bytes.count))
            data += bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        var header = [UInt8](repeating: 0, count: 128)
        func put(_ bytes: [UInt8], _ at: Int) { header.replaceSubrange(at..<at + bytes.count, with: bytes) }
        put(big32(UInt32(start + data.count)), 0)
        put([2, 0x40, 0, 0], 8)
        put(Array("mntrRGB XYZ ".utf8), 12)
        put([7, 232, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], 24)
        put(Array("acsp".utf8), 36)
        put([0.9642, 1, 0.8249].flatMap(fixed), 68)
        return header + table + data
    }
}

/// CIEDE2000 between two colours in XYZ under D65 (Sharma, Wu and Dalal 2005).
func deltaE2000(_ a: [Double], _ b: [Double]) -> Double {
    func lab(_ xyz: [Double]) -> [Double] {
        let f = zip(xyz, [ColourSpace.d65.x, 1, ColourSpace.d65.z]).map { v, n -> Double in
            let t = v / n
            return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116
        }
        return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]
    }
    return deltaE2000(lab: lab(a), lab(b))
}

func deltaE2000(lab p: [Double], _ q: [Double]) -> Double {
    let degree = Double.pi / 180
    let meanC = (hypot(p[1], p[2]) + hypot(q[1], q[2])) / 2
    let g = 0.5 * (1 - sqrt(pow(meanC, 7) / (pow(meanC, 7) + pow(25, 7))))
    let (a1, a2) = (p[1] * (1 + g), q[1] * (1 + g))
    let (c1, c2) = (hypot(a1, p[2]), hypot(a2, q[2]))
    func hue(_ a: Double, _ b: Double) -> Double { a == 0 && b == 0 ? 0 : (atan2(b, a) / degree + 360).truncatingRemainder(dividingBy: 360) }
    let (h1, h2) = (hue(a1, p[2]), hue(a2, q[2]))
    var dh = h2 - h1
    if c1 * c2 == 0 { dh = 0 } else if dh > 180 { dh -= 360 } else if dh < -180 { dh += 360 }
    let dL = q[0] - p[0], dC = c2 - c1, dH = 2 * sqrt(c1 * c2) * sin(dh / 2 * degree)
    let l = (p[0] + q[0]) / 2, c = (c1 + c2) / 2
    var h = h1 + h2
    if c1 * c2 != 0 { h = abs(h1 - h2) <= 180 ? h / 2 : (h < 360 ? (h + 360) / 2 : (h - 360) / 2) }
    var t = 1 - 0.17 * cos((h - 30) * degree)
    t += 0.24 * cos(2 * h * degree)
    t += 0.32 * cos((3 * h + 6) * degree)
    t -= 0.2 * cos((4 * h - 63) * degree)
    let sl = 1 + 0.015 * pow(l - 50, 2) / sqrt(20 + pow(l - 50, 2)), sc = 1 + 0.045 * c, sh = 1 + 0.015 * c * t
    let turn = 30 * exp(-pow((h - 275) / 25, 2))
    let rc = 2 * sqrt(pow(c, 7) / (pow(c, 7) + pow(25, 7)))
    let rt = -sin(2 * turn * degree) * rc
    let (l1, cc, hh) = (dL / sl, dC / sc, dH / sh)
    return sqrt(l1 * l1 + cc * cc + hh * hh + rt * cc * hh)
}

func multiply(_ m: [[Double]], _ v: [Double]) -> [Double] { m.map { row in zip(row, v).map(*).reduce(0, +) } }

/// Cramer's rule.
func solve(_ m: [[Double]], _ v: [Double]) -> [Double] {
    func determinant(_ m: [[Double]]) -> Double {
        let first: Double = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        let second: Double = m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        let third: Double = m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
        return first - second + third
    }
    let whole = determinant(m)
    return (0..<3).map { column in
        var changed = m
        for row in 0..<3 { changed[row][column] = v[row] }
        return determinant(changed) / whole
    }
}

func big32(_ v: UInt32) -> [UInt8] { withUnsafeBytes(of: v.bigEndian) { Array($0) } }
func big16(_ v: UInt16) -> [UInt8] { withUnsafeBytes(of: v.bigEndian) { Array($0) } }
