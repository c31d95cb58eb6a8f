// TensorFile: safetensors files of any element type, as training uses them: 8-bit shards and checkpoints.

public import SuperResolution

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A safetensors file: named tensors of raw bytes and string metadata.
///
/// Files are mapped, not read, so a shard of gigabytes costs no memory of its own.
public struct TensorFile: Sendable {
    /// Where a tensor lies inside the file.
    public struct Entry: Sendable {
        /// `U8`, `F32`, …
        public let type: String
        public let shape: [Int]
        /// Byte range in ``TensorFile/data``.
        public let range: Range<Int>
    }

    public let path: String
    public let data: Data
    public let entries: [String: Entry]
    public let metadata: [String: String]

    /// Maps a file and checks its header.
    /// - Throws: ``AcuityError``: `.file` if it cannot be read, `.training` if its header is damaged.
    public init(contentsOf path: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path), options: .alwaysMapped)
        } catch {
            throw AcuityError(.file, "\(path): cannot be read")
        }
        func damaged(_ reason: String) -> AcuityError { AcuityError(.training, "\(path): \(reason)") }
        guard data.count >= 8 else { throw damaged("not a safetensors file") }
        let length = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= 100 << 20, 8 + Int(length) <= data.count else { throw damaged("the header is longer than the file") }
        let start = 8 + Int(length)
        guard let header = try? JSONDecoder().decode(Header.self, from: data[8..<start]) else {
            throw damaged("the header does not parse")
        }
        var entries: [String: Entry] = [:]
        for (name, tensor) in header.tensors {
            guard let width = Self.widths[tensor.dtype] else { throw damaged("\(name): element type \(tensor.dtype) is not supported") }
            var size = width
            for side in tensor.shape {
                let (product, overflow) = size.multipliedReportingOverflow(by: side)
                guard side >= 0, !overflow else { throw damaged("\(name): impossible shape \(tensor.shape)") }
                size = product
            }
            let offsets = tensor.data_offsets
            guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0], offsets[1] <= data.count - start,
                offsets[1] - offsets[0] == size
            else { throw damaged("\(name): offsets do not fit its shape") }
            entries[name] = Entry(type: tensor.dtype, shape: tensor.shape, range: (start + offsets[0])..<(start + offsets[1]))
        }
        self.path = path
        self.data = data
        self.entries = entries
        metadata = header.metadata
    }

    /// The bytes of an 8-bit tensor.
    public func bytes(_ name: String) throws -> [UInt8] {
        let entry = try entry(name, type: "U8")
        return [UInt8](data[entry.range])
    }

    /// A tensor of 32-bit floats.
    public func floats(_ name: String) throws -> Tensor {
        let entry = try entry(name, type: "F32")
        let values = [Float](unsafeUninitializedCapacity: entry.range.count / 4) { buffer, count in
            count = data.copyBytes(to: buffer, from: entry.range) / 4
        }
        return Tensor(shape: entry.shape, values: values)
    }

    private func entry(_ name: String, type: String) throws -> Entry {
        guard let entry = entries[name] else { throw AcuityError(.training, "\(path): no tensor \(name)") }
        guard entry.type == type else { throw AcuityError(.training, "\(path): \(name) is \(entry.type), not \(type)") }
        return entry
    }

    private static let widths = ["U8": 1, "I8": 1, "F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I32": 4, "I64": 8]

    private struct Header: Decodable {
        struct Tensor: Decodable {
            let dtype: String
            let shape: [Int]
            let data_offsets: [Int]
        }
        var tensors: [String: Tensor] = [:]
        var metadata: [String: String] = [:]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            for key in container.allKeys {
                if key.stringValue == "__metadata__" {
                    metadata = try container.decode([String: String].self, forKey: key)
                } else {
                    tensors[key.stringValue] = try container.decode(Tensor.self, forKey: key)
                }
            }
        }
    }
}

/// Any key of a JSON object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Collects tensors and writes them as one safetensors file, whole or not at all.
public struct TensorFileWriter {
    private var header: [String: HeaderEntry] = [:]
    private var data = Data()
    private var names = Set<String>()
    public var metadata: [String: String]

    private struct HeaderEntry: Encodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    public init(metadata: [String: String] = [:]) { self.metadata = metadata }

    /// Appends an 8-bit tensor.
    public mutating func append(_ name: String, shape: [Int], bytes: [UInt8]) {
        header[name] = HeaderEntry(dtype: "U8", shape: shape, data_offsets: [data.count, data.count + bytes.count])
        data.append(contentsOf: bytes)
    }

    /// Appends a tensor of 32-bit floats.
    public mutating func append(_ name: String, _ tensor: Tensor) {
        header[name] = HeaderEntry(dtype: "F32", shape: tensor.shape, data_offsets: [data.count, data.count + tensor.values.count * 4])
        tensor.values.withUnsafeBytes { data.append(contentsOf: $0) }
    }

    /// Writes to a temporary file beside `path` and renames it.
    public func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var json = try encoder.encode(Header(entries: header, metadata: metadata))
        while (8 + json.count) % 8 != 0 { json.append(0x20) }
        var file = Data()
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
        file.append(json)
        file.append(data)
        do {
            try file.write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw AcuityError(.file, "\(path): cannot be written")
        }
    }

    private struct Header: Encodable {
        let entries: [String: HeaderEntry]
        let metadata: [String: String]

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: AnyKey.self)
            if !metadata.isEmpty { try container.encode(metadata, forKey: AnyKey(stringValue: "__metadata__")) }
            for (name, entry) in entries { try container.encode(entry, forKey: AnyKey(stringValue: name)) }
        }
    }
}
