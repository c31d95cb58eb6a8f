// TIFFDirectory: TIFF directories, which EXIF is made of: read from a file, taken over into another (TIFF 6.0, EXIF 2.32).

/// One directory with those below it. Values are kept little-endian.
struct TIFFDirectory {
    struct Entry {
        let tag: UInt16
        let type: UInt16
        let count: Int
        let value: [UInt8]
        var directory: TIFFDirectory?

        /// The first number, if it is one.
        var integer: Int? {
            let size = TIFFDirectory.size(of: type)
            guard [1, 3, 4].contains(type), value.count >= size else { return nil }
            return value[..<size].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
    }

    var entries: [Entry] = []

    subscript(tag: UInt16) -> Entry? { entries.first { $0.tag == tag } }

    /// What of a TIFF's first directory belongs to EXIF and not to the coding of its pixels: names of document and page,
    /// description, make, model, software, date, artist, host, rating, copyright, the directories of EXIF and GPS, and
    /// Windows' title, comment, author, keywords and subject.
    static let descriptive: Set<UInt16> = [
        269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 34665, 34853, 40091, 40092, 40093, 40094, 40095,
    ]
    private static let directories: Set<UInt16> = [34665, 34853, 40965]
    /// Entries that are read, of all directories together: they may point at each other, 512 times each.
    private static let most = 4096

    /// Reads the first directory of a TIFF structure; `nil` if there is none. BigTIFF is not read.
    init?(_ file: ByteReader) {
        guard file.size >= 8 else { return nil }
        let isLittle = file.text(0, 2) == "II"
        guard isLittle || file.text(0, 2) == "MM" else { return nil }
        var reader = Reader(file: file, isLittle: isLittle)
        guard reader.integer(2, 2) == 42 else { return nil }
        self.init(&reader, at: reader.integer(4, 4), depth: 0)
    }

    private init(_ reader: inout Reader, at offset: Int, depth: Int) {
        for index in 0..<min(reader.integer(offset, 2), 512) where reader.entriesLeft > 0 {
            reader.entriesLeft -= 1
            let place = offset + 2 + 12 * index
            let (tag, type, count) = (reader.integer(place, 2), reader.integer(place + 2, 2), reader.integer(place + 4, 4))
            let size = Self.size(of: UInt16(type))
            guard size > 0, count > 0, count <= min(FileFacts.largest, reader.bytesLeft) / size else { continue }
            let start = count * size <= 4 ? place + 8 : reader.integer(place + 8, 4)
            var entry = Entry(
                tag: UInt16(tag), type: UInt16(type), count: count,
                value: reader.value(at: start, count: count, size: type == 5 || type == 10 ? 4 : size, total: count * size))
            guard entry.value.count == count * size else { continue }
            reader.bytesLeft -= count * size
            if Self.directories.contains(entry.tag), depth < 3, let target = entry.integer {
                entry.directory = TIFFDirectory(&reader, at: target, depth: depth + 1)
            }
            entries.append(entry)
        }
    }

    init(entries: [Entry]) { self.entries = entries }

    /// Bytes per value of a type; 0 for none that is known.
    static func size(of type: UInt16) -> Int { type < 14 ? [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4][Int(type)] : 0 }

    /// The part that describes the picture, as an EXIF block.
    var exif: [UInt8]? {
        let part = TIFFDirectory(entries: entries.filter { Self.descriptive.contains($0.tag) })
        guard !part.entries.isEmpty else { return nil }
        return [0x49, 0x49, 42, 0, 8, 0, 0, 0] + part.bytes(at: 8)
    }

    /// The directory and all its values, little-endian, for a file where it begins at `offset`.
    /// - Parameters:
    ///   - raw: entries of 12 bytes to put among the others, whose values lie elsewhere in the file.
    ///   - next: where the file's next directory is.
    func bytes(at offset: Int, raw: [[UInt8]] = [], next: Int = 0) -> [UInt8] {
        var records = raw.map { (UInt16($0[0]) | UInt16($0[1]) << 8, $0) }
        var values: [UInt8] = []
        let end = offset + 2 + 12 * (entries.count + raw.count) + 4
        for entry in entries {
            var (value, count, type) = (entry.value, entry.count, entry.type)
            if let directory = entry.directory {
                let place = end + values.count
                (value, count, type) = (little(place, 4), 1, 4)
                let block = directory.bytes(at: place)
                values += block + (block.count % 2 == 0 ? [] : [0])
            }
            var record = little(Int(entry.tag), 2) + little(Int(type), 2) + little(count, 4)
            if value.count <= 4 {
                record += value + [UInt8](repeating: 0, count: 4 - value.count)
            } else {
                record += little(end + values.count, 4)
                values += value + (value.count % 2 == 0 ? [] : [0])
            }
            records.append((entry.tag, record))
        }
        records.sort { $0.0 < $1.0 }
        return little(records.count, 2) + records.flatMap(\.1) + little(next, 4) + values
    }

    private struct Reader {
        let file: ByteReader
        let isLittle: Bool
        var entriesLeft = TIFFDirectory.most
        /// Of all values together: many entries may claim the same bytes.
        var bytesLeft = 4 * FileFacts.largest

        func integer(_ offset: Int, _ count: Int) -> Int {
            let bytes = file.bytes(at: offset, count: count)
            guard bytes.count == count else { return 0 }
            return (isLittle ? bytes.reversed() : bytes).reduce(0) { $0 << 8 | Int($1) }
        }

        /// Values of `size` bytes each, made little-endian.
        func value(at offset: Int, count: Int, size: Int, total: Int) -> [UInt8] {
            let bytes = file.bytes(at: offset, count: total)
            guard !isLittle, size > 1, bytes.count == total else { return bytes }
            return stride(from: 0, to: total, by: size).flatMap { bytes[$0..<$0 + size].reversed() }
        }
    }
}

/// A little-endian number of `count` bytes.
func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
