// ZipArchive: reads the stored (not compressed) entries of a zip file, as torch.save writes it, from untrusted bytes.
import FoundationEssentials

/// The central directory of a zip archive. Entries are found by it alone, as PyTorch does.
struct ZipArchive {
    private struct Entry {
        let method: Int
        let flags: Int
        let size: Int
        let storedSize: Int
        let header: Int
    }

    private let data: Data
    private var entries: [String: Entry] = [:]

    var names: [String] { entries.keys.sorted() }

    init(_ data: Data) throws {
        self.data = data
        // The end record is the last thing in the file, but for a comment of up to 65 535 bytes.
        guard data.count >= 22,
            let end = stride(from: data.count - 22, through: max(0, data.count - 22 - 65535), by: -1).first(where: {
                Self.number(data, $0, 4) == 0x0605_4b50
            })
        else { throw AcuityError(.weights, "zip archive without directory: truncated") }

        var (count, size, start) = (try read(end + 10, 2), try read(end + 12, 4), try read(end + 16, 4))
        if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
            // Zip64: a locator of 20 bytes before the end record points at the real one.
            guard end >= 20, try read(end - 20, 4) == 0x0706_4b50 else { throw AcuityError(.weights, "zip64 archive without locator") }
            let record = try read(end - 12, 8)
            guard try read(record, 4) == 0x0606_4b50 else { throw AcuityError(.weights, "zip64 archive without end record") }
            (count, size, start) = (try read(record + 32, 8), try read(record + 40, 8), try read(record + 48, 8))
        }
        guard start <= end, size <= end - start, count <= size / 46 else {
            throw AcuityError(.weights, "zip directory of \(count) entries lies outside the file")
        }

        var position = start
        for _ in 0..<count {
            guard try read(position, 4) == 0x0201_4b50 else { throw AcuityError(.weights, "zip directory is damaged") }
            let (nameLength, extraLength, commentLength) = (try read(position + 28, 2), try read(position + 30, 2), try read(position + 32, 2))
            var fields = [try read(position + 24, 4), try read(position + 20, 4), try read(position + 42, 4)]
            let name = try bytes(position + 46, nameLength)
            var extra = position + 46 + nameLength
            let next = extra + extraLength + commentLength
            while extra + 4 <= next - commentLength {
                let (id, length) = (try read(extra, 2), try read(extra + 2, 2))
                if id == 1 {
                    // Zip64: 8 bytes for each field that is full of ones, in this order.
                    var at = extra + 4
                    for index in fields.indices where fields[index] == 0xffff_ffff {
                        guard at + 8 <= extra + 4 + length else { throw AcuityError(.weights, "zip64 entry is damaged") }
                        fields[index] = try read(at, 8)
                        at += 8
                    }
                }
                extra += 4 + length
            }
            guard let text = String(validating: name, as: UTF8.self) else { throw AcuityError(.weights, "zip entry whose name is not UTF-8") }
            let entry = Entry(
                method: try read(position + 10, 2), flags: try read(position + 8, 2), size: fields[0], storedSize: fields[1],
                header: fields[2])
            guard entries.updateValue(entry, forKey: text) == nil else { throw AcuityError(.weights, "zip entry \(text.prefix(80)) twice") }
            position = next
        }
    }

    /// The bytes of an entry, not copied.
    func contents(_ name: String) throws -> Data {
        guard let entry = entries[name] else { throw AcuityError(.weights, "no \(name.prefix(80)) in the zip archive") }
        guard entry.method == 0, entry.size == entry.storedSize else {
            throw AcuityError(.weights, "\(name.prefix(80)) is compressed; torch.save stores its tensors uncompressed")
        }
        guard entry.flags & 1 == 0 else { throw AcuityError(.weights, "\(name.prefix(80)) is encrypted") }
        guard try read(entry.header, 4) == 0x0403_4b50 else { throw AcuityError(.weights, "\(name.prefix(80)) is not where the zip directory says") }
        let start = entry.header + 30 + (try read(entry.header + 26, 2)) + (try read(entry.header + 28, 2))
        return try bytes(start, entry.size)
    }

    private func bytes(_ start: Int, _ count: Int) throws -> Data {
        guard start >= 0, count >= 0, start <= data.count, count <= data.count - start else {
            throw AcuityError(.weights, "zip archive is truncated")
        }
        return data[(data.startIndex + start)..<(data.startIndex + start + count)]
    }

    private func read(_ start: Int, _ count: Int) throws -> Int {
        guard let value = Self.number(data, start, count) else { throw AcuityError(.weights, "zip archive is truncated") }
        return value
    }

    /// A little-endian number that fits in half of an Int, so that sums of two never overflow.
    private static func number(_ data: Data, _ start: Int, _ count: Int) -> Int? {
        guard start >= 0, start <= data.count - count else { return nil }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(data[data.startIndex + start + index]) << (8 * UInt64(index)) }
        return value < 1 << 60 ? Int(value) : nil
    }
}
