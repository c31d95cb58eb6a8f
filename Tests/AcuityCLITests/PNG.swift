// PNG: a minimal writer of every colour type, so that tests need no encoder under test, and a reader of the header.

import Foundation

enum PNG {
    enum Colour: UInt8 {
        case grey = 0
        case rgb = 2
        case palette = 3
        case greyAlpha = 4
        case rgba = 6

        var samples: Int {
            switch self {
            case .grey, .palette: 1
            case .greyAlpha: 2
            case .rgb: 3
            case .rgba: 4
            }
        }
    }

    /// - Parameters:
    ///   - sample: value of a sample at column, row, channel; 16-bit samples are written big-endian.
    ///   - palette: RGB triples; transparency: alpha per entry.
    static func data(
        _ width: Int, _ height: Int, _ colour: Colour, depth: Int = 8, palette: [UInt8] = [], transparency: [UInt8] = [],
        sample: (Int, Int, Int) -> Int
    ) -> Data {
        var rows = [UInt8]()
        for y in 0..<height {
            rows.append(0)  // no filter
            for x in 0..<width {
                for channel in 0..<colour.samples {
                    let value = sample(x, y, channel)
                    if depth == 16 { rows.append(UInt8(value >> 8 & 255)) }
                    rows.append(UInt8(value & 255))
                }
            }
        }
        var png = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        png += chunk("IHDR", big(width) + big(height) + [UInt8(depth), colour.rawValue, 0, 0, 0])
        if !palette.isEmpty { png += chunk("PLTE", palette) }
        if !transparency.isEmpty { png += chunk("tRNS", transparency) }
        png += chunk("IDAT", zlibStored(rows))
        png += chunk("IEND", [])
        return png
    }

    struct Header: Equatable {
        let width: Int
        let height: Int
        let depth: Int
        let colour: UInt8
    }

    /// The header, if these are the bytes of a PNG.
    static func header(_ data: Data) -> Header? {
        let bytes = [UInt8](data.prefix(26))
        guard bytes.count == 26, bytes[1...3].elementsEqual("PNG".utf8) else { return nil }
        func number(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        return Header(width: number(16), height: number(20), depth: Int(bytes[24]), colour: bytes[25])
    }

    private static func big(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

    private static func chunk(_ type: String, _ body: [UInt8]) -> Data {
        let payload = Array(type.utf8) + body
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in payload {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return Data(big(body.count) + payload + big(Int(~crc)))
    }

    /// zlib with stored blocks only.
    private static func zlibStored(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let count = min(65535, bytes.count - start)
            let last: UInt8 = start + count == bytes.count ? 1 : 0
            result += [last, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8 & 255)]
            result += bytes[start..<start + count]
            start += count
        } while start < bytes.count
        var (a, b) = (1, 0)
        for byte in bytes {
            a = (a + Int(byte)) % 65521
            b = (b + a) % 65521
        }
        return result + big(b << 16 | a)
    }
}
