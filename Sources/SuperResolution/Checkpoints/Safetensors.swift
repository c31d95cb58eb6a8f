// Safetensors: reads and writes the format of that name, from untrusted bytes: 8 bytes of header length, a JSON header
// of names, types, shapes and offsets, then the numbers.
public import FoundationEssentials

/// A safetensors file whose header is checked and whose numbers are read on demand.
///
/// Offsets must cover the rest of the file exactly once, without gaps or overlaps, as the reference reader demands.
public struct SafetensorsFile: Sendable {
    /// Where and how a tensor is stored.
    public struct Entry: Sendable, Hashable {
        public let type: ScalarType
        public let shape: [Int]
        /// Bytes, counted from the end of the header.
        public let range: Range<Int>
    }

    /// Longest header that is read, bytes.
    public static let headerLimit = 32 << 20

    /// What errors call the file.
    public let name: String
    public let metadata: [String: String]
    public let entries: [String: Entry]
    private let data: Data
    private let payload: Int

    /// Reads the header.
    /// - Parameters:
    ///   - data: the whole file.
    ///   - name: what errors call it.
    /// - Throws: ``AcuityError`` with code `.weights`.
    public init(_ data: Data, name: String) throws {
        // A slice of Data keeps its parent's indices; everything below counts from 0.
        let start = data.startIndex
        guard data.count >= 8 else { throw AcuityError(.weights, "\(name): \(data.count) bytes are too few for safetensors") }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(data[start + $1]) << (8 * UInt64($1)) }
        guard length <= UInt64(Self.headerLimit), Int(length) <= data.count - 8 else {
            throw AcuityError(.weights, "\(name): safetensors header of \(length) bytes in a file of \(data.count)")
        }
        let payload = 8 + Int(length)
        do {
            var reader = SafetensorsHeader(bytes: [UInt8](data[(start + 8)..<(start + payload)]))
            try reader.read()
            try Self.check(reader.entries, bytes: data.count - payload)
            (metadata, entries) = (reader.metadata, reader.entries)
        } catch let error as AcuityError {
            throw AcuityError(error.code, "\(name): \(error.message)")
        }
        self.name = name
        self.data = data
        self.payload = payload
    }

    /// Opens a file.
    /// - Parameter mapped: the numbers stay in the page cache until they are asked for; for files that nobody changes
    ///   meanwhile.
    /// - Throws: ``AcuityError`` with code `.file` or `.weights`.
    public init(path: String, mapped: Bool = false) throws {
        try self.init(try readFile(path, mapped: mapped), name: path)
    }

    /// The bytes of a tensor, little-endian, without copying them.
    /// - Throws: ``AcuityError`` with code `.weights` if there is no such tensor.
    public func bytes(of key: String) throws -> Data {
        let range = try entry(key).range
        let start = data.startIndex + payload
        return data[(start + range.lowerBound)..<(start + range.upperBound)]
    }

    /// A tensor as floats.
    /// - Throws: ``AcuityError`` with code `.weights` if there is no such tensor.
    public func tensor(_ key: String) throws -> Tensor {
        let entry = try entry(key)
        return Tensor(shape: entry.shape, values: entry.type.floats(try bytes(of: key)))
    }

    /// All tensors as floats.
    public func weights() throws -> StateDict {
        var weights = StateDict()
        for key in entries.keys { weights[key] = try tensor(key) }
        return weights
    }

    private func entry(_ key: String) throws -> Entry {
        guard let entry = entries[key] else { throw AcuityError(.weights, "\(name): no tensor \(key)") }
        return entry
    }

    private static func check(_ entries: [String: Entry], bytes: Int) throws {
        var end = 0
        for (key, entry) in entries.sorted(by: { ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound) }) {
            guard entry.range.lowerBound == end else {
                let fault = entry.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a gap before it"
                throw AcuityError(.weights, "\(key) at bytes \(entry.range.lowerBound)–\(entry.range.upperBound) \(fault)")
            }
            guard entry.range.upperBound <= bytes else {
                throw AcuityError(.weights, "\(key) ends at byte \(entry.range.upperBound) of \(bytes)")
            }
            guard let size = byteCount(entry.shape, entry.type), size == entry.range.count else {
                throw AcuityError(.weights, "\(key) has \(entry.range.count) bytes, \(entry.type.rawValue) \(entry.shape) needs another number")
            }
            end = entry.range.upperBound
        }
        guard end == bytes else { throw AcuityError(.weights, "\(bytes - end) bytes after the last tensor") }
    }
}

/// Bytes of a tensor, or nil if that many cannot be counted.
func byteCount(_ shape: [Int], _ type: ScalarType) -> Int? {
    var count = 1
    for side in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: side)
        if overflow || side < 0 { return nil }
        count = product
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    return overflow ? nil : bytes
}

/// Collects tensors and writes them as one safetensors file.
///
/// The same tensors and metadata give the same bytes: wide types first, then by name, header padded to 8 bytes.
public struct SafetensorsWriter: Sendable {
    public var metadata: [String: String]
    private var tensors: [String: (type: ScalarType, shape: [Int], bytes: Data)] = [:]

    public init(metadata: [String: String] = [:]) { self.metadata = metadata }

    /// Adds or replaces a tensor given as little-endian bytes.
    /// - Throws: ``AcuityError`` with code `.weights` if there are not as many bytes as the shape says.
    public mutating func add(_ key: String, _ type: ScalarType, shape: [Int], bytes: Data) throws {
        guard byteCount(shape, type) == bytes.count, key != "__metadata__" else {
            throw AcuityError(.weights, "\(key): \(bytes.count) bytes for \(type.rawValue) \(shape)")
        }
        tensors[key] = (type, shape, bytes)
    }

    /// Adds or replaces a tensor.
    /// - Parameter type: `.f32`, or `.f16` with rounding to nearest even.
    /// - Throws: ``AcuityError`` with code `.weights` for any other type.
    public mutating func add(_ key: String, _ tensor: Tensor, as type: ScalarType = .f32) throws {
        guard type == .f32 || type == .f16 else { throw AcuityError(.weights, "\(key): weights are written as F32 or F16, not \(type.rawValue)") }
        try add(key, type, shape: tensor.shape, bytes: type.bytes(tensor.values))
    }

    /// The file's bytes.
    public func data() -> Data {
        let order = tensors.sorted { ($1.value.type.size, $0.key) < ($0.value.type.size, $1.key) }
        var fields: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
            fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for (key, tensor) in order {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let end = offset + tensor.bytes.count
            fields.append("\(Self.quoted(key)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var header = Data("{\(fields.joined(separator: ","))}".utf8)
        while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
        var data = Data(capacity: 8 + header.count + offset)
        withUnsafeBytes(of: UInt64(header.count).littleEndian) { data.append(contentsOf: $0) }
        data.append(header)
        for (_, tensor) in order { data.append(tensor.bytes) }
        return data
    }

    /// Writes the file; it appears whole or not at all.
    /// - Throws: ``AcuityError`` with code `.file`.
    public func write(to path: String) throws {
        do {
            try data().write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw AcuityError(.file, "\(path): cannot be written")
        }
    }

    /// A JSON string.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The bytes of a regular file.
/// - Throws: ``AcuityError`` with code `.file`.
func readFile(_ path: String, mapped: Bool = false) throws -> Data {
    let url = URL(filePath: path).resolvingSymlinksInPath()
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path) else {
        throw AcuityError(.file, "\(path): no such file")
    }
    switch attributes[.type] as? FileAttributeType {
    case .typeRegular?: break
    case .typeDirectory?: throw AcuityError(.file, "\(path): is a folder")
    default: throw AcuityError(.file, "\(path): is not a regular file")
    }
    do {
        return try Data(contentsOf: url, options: mapped ? .alwaysMapped : [])
    } catch {
        throw AcuityError(.file, "\(path): cannot be read")
    }
}
