// TestImages: small encoders, so that tests can make any kind of file, sound or damaged, themselves.

import Foundation
import SuperResolution

/// A PNG with stored (uncompressed) data.
func png(
    width: Int, height: Int, bits: Int = 8, colourType: UInt8, rows: [UInt8], palette: [UInt8]? = nil, transparency: [UInt8]? = nil,
    profile: [UInt8]? = nil, extra: [(String, [UInt8])] = []
) -> [UInt8] {
    let stride = rows.count / height
    var raw: [UInt8] = []
    for y in 0..<height { raw += [0] + rows[y * stride..<(y + 1) * stride] }
    let zlib = stored(raw)

    func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        return big(UInt32(data.count)) + body + big(crc32(body))
    }
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    file += chunk("IHDR", big(UInt32(width)) + big(UInt32(height)) + [UInt8(bits), colourType, 0, 0, 0])
    if let profile { file += chunk("iCCP", Array("icc\0\0".utf8) + stored(profile)) }
    for (name, data) in extra { file += chunk(name, data) }
    if let palette { file += chunk("PLTE", palette) }
    if let transparency { file += chunk("tRNS", transparency) }
    return file + chunk("IDAT", zlib) + chunk("IEND", [])
}

/// A PNG without its profile and what else says how its samples are meant.
func withoutProfile(_ file: [UInt8]) -> [UInt8] {
    var (result, offset) = (Array(file.prefix(8)), 8)
    while offset + 12 <= file.count {
        let length = file[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        let name = String(decoding: file[offset + 4..<offset + 8], as: UTF8.self)
        if !["iCCP", "gAMA", "cHRM", "sRGB"].contains(name) { result += file[offset..<offset + 12 + length] }
        offset += 12 + length
    }
    return result
}

/// zlib's format without compression.
private func stored(_ raw: [UInt8]) -> [UInt8] {
    var zlib: [UInt8] = [0x78, 0x01]
    var rest = raw[...]
    repeat {
        let block = rest.prefix(65535)
        rest = rest.dropFirst(65535)
        let length = UInt16(block.count)
        zlib += [rest.isEmpty ? 1 : 0] + little(length) + little(~length) + block
    } while !rest.isEmpty
    var (a, b) = (UInt32(1), UInt32(0))
    for byte in raw {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    return zlib + big(b << 16 | a)
}

/// An uncompressed little-endian TIFF of floats; grey, with whatever the channels after the first are.
func floatTIFF(width: Int, height: Int, samples: [Float], channels: Int = 1, profile: [UInt8] = []) -> [UInt8] {
    let data = samples.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
    let singles: [(UInt16, UInt16, UInt32)] = [
        (256, 4, UInt32(width)), (257, 4, UInt32(height)), (258, 3, 32), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, UInt32(channels)),
        (278, 4, UInt32(height)), (279, 4, UInt32(data.count)), (339, 3, 3),
    ]
    var entries = singles.map { (tag: $0, type: $1, count: UInt32(1), value: $2) }
    if !profile.isEmpty { entries.append((34675, 7, UInt32(profile.count), UInt32(8 + data.count))) }
    let body = data + profile + [UInt8](repeating: 0, count: profile.count % 2)
    var file = Array("II".utf8) + little(UInt16(42)) + little(UInt32(8 + body.count)) + body + little(UInt16(entries.count))
    for entry in entries { file += little(entry.tag) + little(entry.type) + little(entry.count) + little(entry.value) }
    return file + little(UInt32(0))
}

/// An uncompressed little-endian TIFF with 8-bit samples.
func tiff(width: Int, height: Int, samples: [UInt8], photometric: UInt16, channels: Int, orientation: UInt16 = 1, extraSamples: UInt16? = nil) -> [UInt8] {
    var entries: [[UInt8]] = []
    func entry(_ tag: UInt16, _ type: UInt16, _ count: UInt32, _ value: UInt32) {
        var bytes = little(tag)
        bytes += little(type)
        bytes += little(count)
        bytes += little(value)
        entries.append(bytes)
    }
    let extra = UInt32(8 + samples.count + samples.count % 2)
    entry(256, 4, 1, UInt32(width))
    entry(257, 4, 1, UInt32(height))
    entry(258, 3, UInt32(channels), channels == 1 ? 8 : channels == 2 ? 8 | 8 << 16 : extra)
    entry(259, 3, 1, 1)
    entry(262, 3, 1, UInt32(photometric))
    entry(273, 4, 1, 8)
    entry(274, 3, 1, UInt32(orientation))
    entry(277, 3, 1, UInt32(channels))
    entry(278, 4, 1, UInt32(height))
    entry(279, 4, 1, UInt32(samples.count))
    entry(284, 3, 1, 1)
    if let extraSamples { entry(338, 3, 1, UInt32(extraSamples)) }
    var file = Array("II".utf8) + little(UInt16(42))
    file += little(UInt32(extra + 8))
    file += samples
    if samples.count % 2 == 1 { file.append(0) }
    for _ in 0..<4 { file += little(UInt16(8)) }
    file += little(UInt16(entries.count))
    for entry in entries { file += entry }
    return file + little(UInt32(0))
}

/// A 16×8 CMYK JPEG as Adobe writes it (inverted): full cyan on the left, magenta and yellow on the right.
let cmykJPEG = [UInt8](Data(base64Encoded: """
    /9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAGBAUGBQQGBgUGBwcGCAoQCgoJCQoUDg8MEBcUGBgXFBYWGh0lHxobIxwWFiAsICMmJykqKRkfLTAtKDAlKCko/8AAFAgACAAQ\
    BEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEV\
    UtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TF\
    xsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD5Ur6pr6pr6pr9VK/Kuvyror//2Q==
    """)!)

private func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
private func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

private func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = (crc & 1) == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
}

/// A reproducible stream of random numbers.
struct Noise: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// A folder that goes away again.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String, _ bytes: [UInt8]? = nil) throws -> String {
        let file = path + "/" + name
        if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: file)) }
        return file
    }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
