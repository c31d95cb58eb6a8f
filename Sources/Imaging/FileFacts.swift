// FileFacts: what a file says that libvips does not pass on: metadata in TIFF, PNG, JPEG XL and JPEG 2000, and how its samples are meant.

/// Bytes of a file by their place; reading beyond the end gives fewer.
struct ByteReader {
    let size: Int
    private let read: (_ offset: Int, _ count: Int) -> [UInt8]

    init(size: Int, read: @escaping (_ offset: Int, _ count: Int) -> [UInt8]) {
        self.size = size
        self.read = read
    }

    init(_ file: InputFile) {
        size = file.size
        read = { file.bytes(at: $0, count: $1) }
    }

    /// - Parameter bytes: must outlive this value.
    init(_ bytes: UnsafeRawBufferPointer) {
        size = bytes.count
        read = { Array(bytes[$0..<$0 + $1]) }
    }

    init(_ bytes: [UInt8]) {
        size = bytes.count
        read = { Array(bytes[$0..<$0 + $1]) }
    }

    func bytes(at offset: Int, count: Int) -> [UInt8] {
        guard offset >= 0, count > 0, offset < size else { return [] }
        return read(offset, min(count, size - offset))
    }

    /// A big-endian number of up to 8 bytes; 0 beyond the end.
    func big(_ offset: Int, _ count: Int) -> Int {
        let bytes = bytes(at: offset, count: count)
        guard bytes.count == count else { return 0 }
        return Int(truncatingIfNeeded: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & UInt64(Int.max))
    }

    func text(_ offset: Int, _ count: Int) -> String { String(decoding: bytes(at: offset, count: count), as: UTF8.self) }
}

struct FileFacts {
    /// A TIFF structure, without the `Exif\0\0` that JPEG puts before it.
    var exif: [UInt8]?
    var xmp: [UInt8]?
    /// IPTC-IIM records, bare.
    var iptc: [UInt8]?
    var isAnimatedPNG = false
    /// PQ or HLG.
    var isHDR = false
    /// Said by code points instead of a profile.
    var isDisplayP3 = false

    /// No piece of metadata may be larger.
    static let largest = 16 << 20

    init(_ format: ImageFormat, _ file: ByteReader) {
        switch format {
        case .png: readPNG(file)
        case .tiff: readTIFF(file)
        case .jxl, .jp2: readBoxes(file)
        case .heif, .avif: readCodePoints(file)
        case .gif: readGIF(file)
        default: break
        }
    }

    private mutating func readPNG(_ file: ByteReader) {
        var offset = 8
        for _ in 0..<1000 where offset + 12 <= file.size {
            let (length, name) = (file.big(offset, 4), file.text(offset + 4, 4))
            switch name {
            case "acTL": isAnimatedPNG = true
            case "cICP": isHDR = [16, 18].contains(file.big(offset + 9, 1))
            case "tEXt" where file.text(offset + 8, RawProfile.keyword.count) == RawProfile.keyword && length < 2 * Self.largest:
                iptc = RawProfile.decode(file.bytes(at: offset + 8, count: length))
            default: break
            }
            offset += 12 + length
        }
    }

    private mutating func readTIFF(_ file: ByteReader) {
        guard let directory = TIFFDirectory(file) else { return }
        exif = directory.exif
        xmp = directory[700]?.value
        iptc = directory[34377].flatMap { IPTC.records(inPhotoshop: $0.value) } ?? directory[33723].map { IPTC.records($0.value) }
        // Some writers, libvips among them, put other things there.
        if iptc?.first != 0x1C { iptc = nil }
    }

    private mutating func readBoxes(_ file: ByteReader) {
        var offset = 0
        for _ in 0..<1000 where offset + 8 <= file.size {
            var (length, start) = (file.big(offset, 4), offset + 8)
            if length == 1 { (length, start) = (file.big(offset + 8, 8), offset + 16) }
            let end = length == 0 || length > file.size - offset ? file.size : offset + length
            guard end >= start else { return }
            let count = min(end - start, Self.largest)
            switch file.text(offset + 4, 4) {
            // The first four bytes say where in the box the TIFF structure begins.
            case "Exif": exif = file.bytes(at: start + 4 + min(file.big(start, 4), count), count: count - 4)
            case "xml ": xmp = file.bytes(at: start, count: count)
            case "uuid":
                let payload = file.bytes(at: start + 16, count: count - 16)
                switch file.bytes(at: start, count: 16) {
                case Box.exif: exif = payload
                case Box.xmp: xmp = payload
                case Box.iptc: iptc = payload
                default: break
                }
            default: break
            }
            offset = end
        }
    }

    /// CICP code points in a HEIF file's `colr` box (ISO/IEC 23091-2): the boxes before the pixels are searched, not parsed.
    private mutating func readCodePoints(_ file: ByteReader) {
        let head = file.bytes(at: 0, count: 1 << 16)
        let mark = Array("colrnclx".utf8)
        for start in head.indices.dropLast(14) where head[start] == mark[0] && head[start..<start + 8].elementsEqual(mark) {
            let (primaries, transfer) = (head[start + 9], head[start + 11])
            isHDR = isHDR || transfer == 16 || transfer == 18
            isDisplayP3 = primaries == 12 && transfer == 13
        }
    }

    private mutating func readGIF(_ file: ByteReader) {
        guard file.size > 13 else { return }
        let flags = file.big(10, 1)
        var offset = 13 + (flags & 0x80 == 0 ? 0 : 3 << (flags & 7 + 1))
        // Extensions before the first frame.
        for _ in 0..<100 where file.big(offset, 1) == 0x21 {
            if file.text(offset + 2, 12) == "\u{B}XMP DataXMP" {
                let rest = file.bytes(at: offset + 14, count: Self.largest)
                if let end = rest.firstIndex(of: 0x01), end > 0 { xmp = Array(rest[..<end]) }
                return
            }
            offset += 2
            for _ in 0..<100_000 where file.big(offset, 1) > 0 { offset += 1 + file.big(offset, 1) }
            offset += 1
        }
    }
}

/// Names of JP2's `uuid` boxes for metadata.
enum Box {
    static let exif: [UInt8] = Array("JpgTiffExif->JP2".utf8)
    static let xmp: [UInt8] = [0xBE, 0x7A, 0xCF, 0xCB, 0x97, 0xA9, 0x42, 0xE8, 0x9C, 0x71, 0x99, 0x94, 0x91, 0xE3, 0xAF, 0xAC]
    static let iptc: [UInt8] = [0x33, 0xC7, 0xA4, 0xD2, 0xB8, 0x1D, 0x47, 0x23, 0xA0, 0xBA, 0xF1, 0xA3, 0xE0, 0x97, 0xAD, 0x38]

    static func box(_ name: String, _ payload: [UInt8]) -> [UInt8] { bigEndian(UInt32(8 + payload.count)) + Array(name.utf8) + payload }
}

/// IPTC in PNG, as ImageMagick and ExifTool write it: hexadecimal in a text chunk.
enum RawProfile {
    static let keyword = "Raw profile type iptc"

    static func encode(_ iptc: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("\(keyword)\0\niptc\n\(iptc.count)\n".utf8)
        for (index, byte) in iptc.enumerated() {
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            if index % 36 == 35 { text.append(0x0A) }
        }
        return text + [0x0A]
    }

    static func decode(_ chunk: [UInt8]) -> [UInt8]? {
        guard let zero = chunk.firstIndex(of: 0) else { return nil }
        let words = chunk[(zero + 1)...].split { $0 == 0x0A || $0 == 0x20 }
        guard words.count > 2 else { return nil }
        let digits = words[2...].joined().compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        return IPTC.records(inPhotoshop: bytes) ?? bytes
    }
}

/// IPTC records, bare or among Photoshop's image resources, where JPEG keeps them.
enum IPTC {
    private static let signature = Array("Photoshop 3.0\0".utf8)

    /// Records bare, whichever way they come.
    static func records(_ bytes: [UInt8]) -> [UInt8] { records(inPhotoshop: bytes) ?? bytes }

    /// The records among image resources, if these are image resources.
    static func records(inPhotoshop bytes: [UInt8]) -> [UInt8]? {
        var rest = bytes.starts(with: signature) ? bytes.dropFirst(signature.count) : bytes[...]
        guard rest.starts(with: Array("8BIM".utf8)) else { return nil }
        while rest.starts(with: Array("8BIM".utf8)), rest.count > 11 {
            let base = rest.startIndex
            let name = Int(rest[base + 6])
            let size = base + 6 + (name + 2) / 2 * 2
            guard size + 4 <= rest.endIndex else { return nil }
            let length = rest[size..<size + 4].reduce(0) { $0 << 8 | Int($1) }
            let end = min(rest.endIndex, size + 4 + length)
            if rest[base + 4] == 4, rest[base + 5] == 4 { return Array(rest[(size + 4)..<end]) }
            rest = rest[min(rest.endIndex, end + length % 2)...]
        }
        return nil
    }

    /// As libvips keeps them: JPEG's whole segment.
    static func segment(_ records: [UInt8]) -> [UInt8] {
        signature + Array("8BIM".utf8) + [4, 4, 0, 0] + bigEndian(UInt32(records.count)) + records + (records.count % 2 == 0 ? [] : [0])
    }
}

func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
