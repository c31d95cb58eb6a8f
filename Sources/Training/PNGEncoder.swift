// PNGEncoder: small pictures as PNG without any library: stored, not compressed.

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// An 8-bit grey or RGB picture.
package struct SmallPicture: Sendable, Hashable {
    package let width: Int
    package let height: Int
    /// 1 or 3.
    package let channels: Int
    /// `height × width × channels`.
    package let bytes: [UInt8]

    package init(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
        self.width = width
        self.height = height
        self.channels = channels
        self.bytes = bytes
    }

    /// The bytes of a PNG file (ISO/IEC 15948) whose zlib stream has only stored blocks.
    package var png: Data {
        var file = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        let header = Self.bigEndian(UInt32(clamping: width)) + Self.bigEndian(UInt32(clamping: height)) + [8, channels == 3 ? 2 : 0, 0, 0, 0]
        Self.append(chunk: "IHDR", header, to: &file)

        var rows: [UInt8] = []
        let stride = width * channels
        for y in 0..<height {
            rows.append(0)  // filter: none
            rows += bytes[(y * stride)..<((y + 1) * stride)]
        }
        var stream: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let end = min(rows.count, start + 65_535)
            let (length, isLast) = (UInt16(end - start), end == rows.count)
            stream += [isLast ? 1 : 0, UInt8(length & 0xFF), UInt8(length >> 8), UInt8(~length & 0xFF), UInt8(~length >> 8)]
            stream += rows[start..<end]
            start = end
        } while start < rows.count
        stream += Self.bigEndian(Self.adler32(rows))
        Self.append(chunk: "IDAT", stream, to: &file)
        Self.append(chunk: "IEND", [], to: &file)
        return file
    }

    private static func append(chunk name: String, _ payload: [UInt8], to file: inout Data) {
        let body = Array(name.utf8) + payload
        file.append(contentsOf: bigEndian(UInt32(payload.count)))
        file.append(contentsOf: body)
        file.append(contentsOf: bigEndian(crc32(body)))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

    private static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return b << 16 | a
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { value, byte in table[Int((value ^ UInt32(byte)) & 0xFF)] ^ (value >> 8) }
    }
}
