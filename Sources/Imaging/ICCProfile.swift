// ICCProfile: as much of an ICC profile as decides how a picture's samples are handled: its space, name and transfer curve.

/// An ICC profile (ICC.1:2022), read defensively: it is untrusted.
struct ICCProfile {
    enum Space { case grey, rgb, cmyk, other }

    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var space: Space {
        switch text(16, 4) {
        case "GRAY": .grey
        case "RGB ": .rgb
        case "CMYK": .cmyk
        default: .other
        }
    }

    /// The profile's name, with whatever else its tag holds.
    var description: String {
        guard let tag = tag("desc") else { return "" }
        // ASCII, or UTF-16 in a multi-localised string: without the zeros both read alike.
        return String(decoding: tag.prefix(512).filter { (32..<127).contains($0) }, as: UTF8.self)
    }

    /// The profile's name as a person reads it.
    var name: String? {
        guard let tag = tag("desc"), tag.count > 12 else { return nil }
        func number(_ offset: Int) -> Int { offset + 4 <= tag.count ? tag[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } : 0 }
        let bytes: [UInt8]
        if tag.starts(with: Array("mluc".utf8)) {
            // The first language's, in UTF-16.
            let start = min(number(24), tag.count)
            let units = tag[start..<min(tag.count, start + min(number(20), 400))]
            let name = String(decoding: zip(units.enumerated().filter { $0.offset % 2 == 0 }, units.enumerated().filter { $0.offset % 2 == 1 })
                .map { UInt16($0.element) << 8 | UInt16($1.element) }, as: UTF16.self)
            bytes = Array(name.utf8)
        } else {
            bytes = Array(tag[12..<min(tag.count, 12 + min(number(8), 200))])
        }
        let name = String(decoding: bytes, as: UTF8.self).filter { $0 != "\0" && !$0.isNewline }
        return name.isEmpty ? nil : name
    }

    /// By name; JPEG XL's decoder has one of its own for it.
    var isSRGB: Bool {
        let name = description
        return name.contains("sRGB") && !name.lowercased().contains("linear") || name.contains("RGB_D65_SRG_") && name.hasSuffix("_SRG")
    }

    /// The one curve from samples to linear light, of a grey profile or of an RGB profile made of a matrix and equal
    /// curves. `nil` for tables and for anything damaged.
    var transfer: TransferCurve? {
        switch space {
        case .grey: return tag("A2B0") == nil ? tag("kTRC").flatMap(TransferCurve.init) : nil
        case .rgb:
            guard tag("A2B0") == nil, tag("rXYZ") != nil, let red = tag("rTRC"), let green = tag("gTRC"), let blue = tag("bTRC") else { return nil }
            let curves = [red, green, blue].map(TransferCurve.init)
            guard let first = curves[0], curves.allSatisfy({ $0 == first }) else { return nil }
            return first
        default: return nil
        }
    }

    private func integer(_ offset: Int) -> Int {
        guard offset >= 0, offset <= bytes.count - 4 else { return 0 }
        return bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    private func text(_ offset: Int, _ count: Int) -> String {
        offset <= bytes.count - count ? String(decoding: bytes[offset..<offset + count], as: UTF8.self) : ""
    }

    private func tag(_ signature: String) -> [UInt8]? {
        for index in 0..<min(integer(128), 100) where text(132 + 12 * index, 4) == signature {
            let (start, length) = (integer(136 + 12 * index), integer(140 + 12 * index))
            guard start <= bytes.count else { return nil }
            return Array(bytes[start..<min(bytes.count, start + length)])
        }
        return nil
    }
}

/// A transfer curve: from samples, 0…1, to linear light, 0…1.
struct TransferCurve: Sendable, Equatable {
    private enum Shape: Sendable, Equatable {
        /// `y = (a x + b)^g + e` from `d` on, below it `c x + f`.
        case parametric(g: Double, a: Double, b: Double, c: Double, d: Double, e: Double, f: Double)
        case table([UInt16])
    }

    private let shape: Shape

    static let linear = TransferCurve(shape: .parametric(g: 1, a: 1, b: 0, c: 1, d: 0, e: 0, f: 0))
    /// IEC 61966-2-1.
    static let sRGB = TransferCurve(shape: .parametric(g: 2.4, a: 1 / 1.055, b: 0.055 / 1.055, c: 1 / 12.92, d: 0.04045, e: 0, f: 0))

    private init(shape: Shape) { self.shape = shape }

    /// Reads a `curv` or `para` tag.
    init?(_ tag: [UInt8]) {
        func integer(_ offset: Int, _ count: Int) -> Int? {
            offset + count <= tag.count ? tag[offset..<offset + count].reduce(0) { $0 << 8 | Int($1) } : nil
        }
        func fixed(_ index: Int) -> Double? { integer(12 + 4 * index, 4).map { Double(Int32(truncatingIfNeeded: $0)) / 65536 } }
        switch String(decoding: tag.prefix(4), as: UTF8.self) {
        case "curv":
            guard let count = integer(8, 4), count <= 65536 else { return nil }
            if count == 0 {
                self = .linear
            } else if count == 1 {
                guard let gamma = integer(12, 2), gamma > 0 else { return nil }
                shape = .parametric(g: Double(gamma) / 256, a: 1, b: 0, c: 0, d: 0, e: 0, f: 0)
            } else {
                let entries = (0..<count).compactMap { integer(12 + 2 * $0, 2).map { UInt16($0) } }
                guard entries.count == count else { return nil }
                shape = .table(entries)
            }
        case "para":
            guard let kind = integer(8, 2), kind <= 4 else { return nil }
            let p = (0..<[1, 3, 4, 5, 7][kind]).compactMap(fixed)
            guard p.count == [1, 3, 4, 5, 7][kind], p[0] > 0 else { return nil }
            switch kind {
            case 0: shape = .parametric(g: p[0], a: 1, b: 0, c: 0, d: 0, e: 0, f: 0)
            case 1 where p[1] != 0: shape = .parametric(g: p[0], a: p[1], b: p[2], c: 0, d: -p[2] / p[1], e: 0, f: 0)
            case 2 where p[1] != 0: shape = .parametric(g: p[0], a: p[1], b: p[2], c: 0, d: -p[2] / p[1], e: p[3], f: p[3])
            case 3: shape = .parametric(g: p[0], a: p[1], b: p[2], c: p[3], d: p[4], e: 0, f: 0)
            case 4: shape = .parametric(g: p[0], a: p[1], b: p[2], c: p[3], d: p[4], e: p[5], f: p[6])
            default: return nil
            }
        default: return nil
        }
    }

    /// Linear light for a sample.
    func linear(_ x: Double) -> Double {
        let y: Double
        switch shape {
        case .parametric(let g, let a, let b, let c, let d, let e, let f): y = x >= d ? power(a * x + b, g) + e : c * x + f
        case .table(let entries):
            let place = min(max(0, x), 1) * Double(entries.count - 1)
            let index = min(Int(place), entries.count - 2)
            y = (Double(entries[index]) + (place - Double(index)) * (Double(entries[index + 1]) - Double(entries[index]))) / 65535
        }
        return min(max(0, y), 1)
    }

    /// The sample that sRGB has for a linear light.
    static func sRGBSample(_ linear: Double) -> Double { linear <= 0.0031308 ? 12.92 * linear : 1.055 * power(linear, 1 / 2.4) - 0.055 }

    /// The largest difference, in samples, between a picture in this curve and the same one in sRGB's.
    var distanceFromSRGB: Double {
        (0...256).map { abs(TransferCurve.sRGBSample(linear(Double($0) / 256)) - Double($0) / 256) }.max() ?? 0
    }

    /// What every 16-bit sample in this curve is in sRGB's.
    var toSRGB: [UInt16] {
        (0...65535).map { UInt16((TransferCurve.sRGBSample(linear(Double($0) / 65535)) * 65535).rounded()) }
    }

    /// What every 16-bit sample in sRGB's curve is in this one; the first of equals where the curve is flat.
    var fromSRGB: [UInt16] {
        let forward = (0...65535).map { TransferCurve.sRGBSample(linear(Double($0) / 65535)) * 65535 }
        var result = [UInt16](repeating: 65535, count: 65536)
        var next = 0
        for sample in 0...65535 {
            while next < 65535, forward[next] < Double(sample) { next += 1 }
            let isNearerBelow = next > 0 && Double(sample) - forward[next - 1] < forward[next] - Double(sample)
            result[sample] = UInt16(isNearerBelow ? next - 1 : next)
        }
        return result
    }
}
