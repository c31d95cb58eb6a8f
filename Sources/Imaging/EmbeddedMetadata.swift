// EmbeddedMetadata: after a file is encoded, what libvips left out is put in where the format has a place for it,
// and the rest is named.

import CVips
import SuperResolution

extension Picture {
    /// The kinds of metadata, by the names that people know.
    private enum Kind: String, CaseIterable {
        case exif = "EXIF", xmp = "XMP", iptc = "IPTC"
    }

    /// How many bytes ``completeMetadata(of:format:options:)`` may add, at most.
    func embeddedLater(in format: ImageFormat, options: WritingOptions) -> Int {
        guard !options.strip, let metadata, format == .jxl || format == .jp2 else { return 0 }
        let pieces = [metadata.exif, metadata.xmp, metadata.iptc].compactMap { $0?.count }
        return pieces.reduce(0, +) + 64 * pieces.count + 64
    }

    /// Adds what the encoder left out.
    /// - Returns: what the file does not hold although the source did.
    func completeMetadata(of file: OutputFile, format: ImageFormat, options: WritingOptions, size: (width: Int, height: Int)) throws -> [String] {
        guard let metadata else { return [] }
        let pieces: [Kind: [UInt8]] = [.exif: metadata.exif, .xmp: metadata.xmp, .iptc: metadata.iptc].compactMapValues { $0 }
        guard !pieces.isEmpty else { return [] }
        if format == .png { try file.dropRepeatedPNGChunk("eXIf") }
        var missing = pieces.filter { !Self.held(by: file, format: format).contains($0.key) }
        if !missing.isEmpty {
            let update = UpToDate(width: size.width, height: size.height)
            let exif = missing[.exif].flatMap { update.exif($0, resolution: metadata.resolution * resolutionFactor(options, size: size).x) }
            let xmp = missing[.xmp].map { update.xmp($0) }
            let iptc = missing[.iptc].map { IPTC.records($0) }
            switch format {
            case .png:
                if let iptc { try file.addPNGChunk("tEXt", RawProfile.encode(iptc)) }
            case .tiff: try file.addTIFFEntries(exif: exif, iptc: iptc)
            case .jxl: try file.addJXLBoxes(exif: exif, xmp: xmp)
            case .jp2: try file.addJP2Boxes(exif: exif, xmp: xmp, iptc: iptc)
            case .gif: if let xmp { try file.addGIFExtension(xmp: xmp) }
            default: break
            }
            let held = Self.held(by: file, format: format)
            missing = missing.filter { !held.contains($0.key) }
        }
        let names = Kind.allCases.filter { missing[$0] != nil }.map(\.rawValue)
        let list = names.dropLast().joined(separator: ", ") + (names.count > 1 ? " and " : "") + (names.last ?? "")
        return names.isEmpty ? [] : ["\(format.name) does not hold the source's \(list)"]
    }

    /// What a finished file holds, by reading it.
    private static func held(by file: OutputFile, format: ImageFormat) -> Set<Kind> {
        let facts = FileFacts(format, ByteReader(file))
        var held = Set<Kind>()
        if facts.exif != nil { held.insert(.exif) }
        if facts.xmp != nil { held.insert(.xmp) }
        if facts.iptc != nil { held.insert(.iptc) }
        // TIFF and the box formats are judged by their own structure: libvips writes IPTC in TIFF that nobody can read.
        guard ![.tiff, .jxl, .jp2, .gif, .bmp, .ppm].contains(format) else { return held }
        guard let source = vips_source_new_from_descriptor(file.descriptor) else { return held }
        defer { g_object_unref(source) }
        guard let image = try? VipsPicture(cvips_load(format.loader, source, "")) else { return held }
        let metadata = Metadata(carrier: image)
        if metadata.exif != nil { held.insert(.exif) }
        if metadata.xmp != nil || image.blob("heif-mime-1") != nil { held.insert(.xmp) }
        if metadata.iptc != nil { held.insert(.iptc) }
        return held
    }
}

extension ByteReader {
    init(_ file: OutputFile) { self.init(size: file.size) { file.bytes(at: $0, count: $1) } }
}

extension OutputFile {
    /// libvips gives an animation's EXIF the height of all frames together; this gives it that of one.
    func correctExifHeight(from wrong: Int, to height: Int) throws {
        let reader = ByteReader(self)
        var offset = 12
        for _ in 0..<1_000_000 where offset + 8 <= size {
            let length = reader.bytes(at: offset + 4, count: 4).reversed().reduce(0) { $0 << 8 | Int($1) }
            if reader.text(offset, 4) == "EXIF" {
                let exif = reader.bytes(at: offset + 8, count: min(length, 1 << 16))
                // The entry PixelYDimension: tag, type LONG, one value; in either byte order.
                let entries = [([3, 160, 4, 0, 1, 0, 0, 0] as [UInt8], { little($0, 4) }), ([160, 3, 0, 4, 0, 0, 0, 1], { bigEndian(UInt32($0)) })]
                for (mark, number) in entries {
                    let record = mark + number(wrong)
                    for place in exif.indices.dropLast(11) where exif[place..<place + 12].elementsEqual(record) {
                        try write(number(height), at: offset + 8 + place + 8)
                    }
                }
                return
            }
            offset += 8 + (length + 1) / 2 * 2
        }
    }

    /// Adds a chunk after the first, the header, which is always 25 bytes long.
    fileprivate func addPNGChunk(_ name: String, _ payload: [UInt8]) throws {
        let body = Array(name.utf8) + payload
        try insert(bigEndian(UInt32(payload.count)) + body + bigEndian(CRC32.checksum(body)), at: 33)
    }

    /// Takes away a chunk before the last that is there a second time: libspng writes EXIF twice.
    fileprivate func dropRepeatedPNGChunk(_ name: String) throws {
        let reader = ByteReader(self)
        var (offset, places) = (8, [(start: Int, length: Int)]())
        for _ in 0..<1_000_000 where offset + 12 <= size {
            let length = reader.big(offset, 4)
            if reader.text(offset + 4, 4) == name { places.append((offset, 12 + length)) }
            offset += 12 + length
        }
        guard places.count > 1, let last = places.last, last.start + last.length + 12 == size else { return }
        let end = bytes(at: size - 12, count: 12)
        try write(end, at: last.start)
        try truncate(to: last.start + 12)
    }

    /// Puts a longer first directory at the end of the file and leads the header there.
    fileprivate func addTIFFEntries(exif: TIFFDirectory?, iptc: [UInt8]?) throws {
        let reader = ByteReader(self)
        // BigTIFF is not touched.
        guard bytes(at: 0, count: 4) == [0x49, 0x49, 42, 0], size < 1 << 32 - 1 << 24 else { return }
        func number(_ offset: Int, _ count: Int) -> Int { reader.bytes(at: offset, count: count).reversed().reduce(0) { $0 << 8 | Int($1) } }
        let first = number(4, 4)
        let count = number(first, 2)
        var entries = exif?.entries.filter { TIFFDirectory.descriptive.contains($0.tag) } ?? []
        if let iptc {
            entries.append(TIFFDirectory.Entry(tag: 33723, type: 7, count: iptc.count, value: iptc))
            let resources = Array(IPTC.segment(iptc).dropFirst(14))
            entries.append(TIFFDirectory.Entry(tag: 34377, type: 1, count: resources.count, value: resources))
        }
        let replaced = Set(entries.map(\.tag))
        let kept = (0..<count).map { reader.bytes(at: first + 2 + 12 * $0, count: 12) }.filter { $0.count == 12 && !replaced.contains(UInt16($0[0]) | UInt16($0[1]) << 8) }
        guard kept.count + entries.count < 65_536, !entries.isEmpty else { return }
        let offset = (size + 1) / 2 * 2
        try write(TIFFDirectory(entries: entries).bytes(at: offset, raw: kept, next: number(first + 2 + 12 * count, 4)), at: offset)
        try write(little(offset, 4), at: 4)
    }

    /// Wraps a bare codestream into boxes, metadata first; adds to boxes that are there (ISO/IEC 18181-2).
    fileprivate func addJXLBoxes(exif: TIFFDirectory?, xmp: [UInt8]?) throws {
        let boxes = (exif.map { Box.box("Exif", [0, 0, 0, 0] + $0.block) } ?? []) + (xmp.map { Box.box("xml ", $0) } ?? [])
        if bytes(at: 0, count: 2) == [0xFF, 0x0A] {
            let start = Box.box("JXL ", [0x0D, 0x0A, 0x87, 0x0A]) + Box.box("ftyp", Array("jxl \0\0\0\0jxl ".utf8))
            // A box of length 0 reaches to the end of the file.
            try insert(start + boxes + [0, 0, 0, 0] + Array("jxlc".utf8), at: 0)
        } else {
            try write(boxes, at: size)
        }
    }

    fileprivate func addJP2Boxes(exif: TIFFDirectory?, xmp: [UInt8]?, iptc: [UInt8]?) throws {
        // A bare codestream has no boxes.
        guard bytes(at: 4, count: 2) == Array("jP".utf8) else { return }
        let pieces = [(Box.exif, exif?.block), (Box.xmp, xmp), (Box.iptc, iptc)]
        try write(pieces.flatMap { name, payload in payload.map { Box.box("uuid", name + $0) } ?? [] }, at: size)
    }

    /// Adds XMP as an application extension before the first frame (XMP specification part 3, 1.1.2).
    fileprivate func addGIFExtension(xmp: [UInt8]) throws {
        let head = bytes(at: 0, count: 13)
        guard head.count == 13, !xmp.contains(1), !xmp.contains(0) else { return }
        let place = 13 + (head[10] & 0x80 == 0 ? 0 : 3 << (Int(head[10]) & 7 + 1))
        // Readers that take the text for data blocks are led to its end by a descending trailer.
        let trailer = [1] + (0...255).reversed().map { UInt8($0) } + [0]
        try insert([0x21, 0xFF, 11] + Array("XMP DataXMP".utf8) + xmp + trailer, at: place)
    }
}

/// The checksum of PNG's chunks (ISO 3309).
private enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { n in (0..<8).reduce(UInt32(n)) { c, _ in c & 1 == 1 ? 0xEDB8_8320 ^ c >> 1 : c >> 1 } }

    static func checksum(_ bytes: [UInt8]) -> UInt32 { ~bytes.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 } }
}
