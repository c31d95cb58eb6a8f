// SafetensorsHeader: a strict reader for exactly the JSON that a safetensors header may hold.

/// Reads `{"name": {"dtype": …, "shape": […], "data_offsets": […]}, …, "__metadata__": {…}}` and nothing else: no
/// unknown fields, no duplicate keys, no fractions, nothing after the closing brace but blanks.
struct SafetensorsHeader {
    private(set) var metadata: [String: String] = [:]
    private(set) var entries: [String: SafetensorsFile.Entry] = [:]
    private let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func read() throws {
        var hasMetadata = false
        try object { reader, key in
            if key == "__metadata__" {
                if hasMetadata { throw reader.fault("__metadata__ twice") }
                hasMetadata = true
                try reader.readMetadata()
            } else {
                if reader.entries[key] != nil { throw reader.fault("\(key) twice") }
                reader.entries[key] = try reader.entry(key)
            }
        }
        blanks()
        if position != bytes.count { throw fault("more after the end") }
    }

    private mutating func readMetadata() throws {
        try object { reader, key in
            if reader.metadata[key] != nil { throw reader.fault("metadata \(key) twice") }
            reader.metadata[key] = try reader.string()
        }
    }

    private mutating func entry(_ name: String) throws -> SafetensorsFile.Entry {
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try object { reader, key in
            switch key {
            case "dtype" where type == nil: type = try reader.string()
            case "shape" where shape == nil: shape = try reader.numbers(atMost: 16)
            case "data_offsets" where offsets == nil: offsets = try reader.numbers(atMost: 2)
            default: throw reader.fault("\(key) in \(name)")
            }
        }
        guard let type, let shape, let offsets else { throw fault("\(name) lacks dtype, shape or data_offsets") }
        guard let scalar = ScalarType(rawValue: type) else { throw AcuityError(.weights, "\(name) has unknown type \(type.prefix(20))") }
        guard offsets.count == 2, offsets[0] <= offsets[1] else { throw fault("\(name) has offsets \(offsets)") }
        return SafetensorsFile.Entry(type: scalar, shape: shape, range: offsets[0]..<offsets[1])
    }

    // MARK: JSON

    /// `{ "key": value, … }`; `value` must read the value.
    private mutating func object(_ value: (inout Self, String) throws -> Void) throws {
        try expect("{")
        if take("}") { return }
        repeat {
            let key = try string()
            try expect(":")
            try value(&self, key)
        } while take(",")
        try expect("}")
    }

    private mutating func numbers(atMost limit: Int) throws -> [Int] {
        var result: [Int] = []
        try expect("[")
        if take("]") { return result }
        repeat {
            if result.count == limit { throw fault("more than \(limit) numbers") }
            result.append(try number())
        } while take(",")
        try expect("]")
        return result
    }

    /// A whole number without sign, fraction or leading zero.
    private mutating func number() throws -> Int {
        blanks()
        let start = position
        var value = 0
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = product.addingReportingOverflow(Int(bytes[position] - UInt8(ascii: "0")))
            if overflow || more { throw fault("a number out of range") }
            value = sum
            position += 1
        }
        if position == start || (position - start > 1 && bytes[start] == UInt8(ascii: "0")) { throw fault("not a whole number") }
        return value
    }

    private mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw fault("text that is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: Array(String(try escape()).utf8))
            case 0..<0x20: throw fault("a control character in text")
            default: text.append(byte)
            }
        }
        throw fault("text without end")
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw fault("text without end") }
        position += 1
        switch bytes[position - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var value = try fourHexDigits()
            if (0xd800..<0xdc00).contains(value), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                let low = try fourHexDigits()
                guard (0xdc00..<0xe000).contains(low) else { throw fault("half a surrogate pair") }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw fault("half a surrogate pair") }
            return scalar
        default: throw fault("an unknown escape")
        }
    }

    private mutating func fourHexDigits() throws -> UInt32 {
        guard position + 4 <= bytes.count else { throw fault("text without end") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { throw fault("an unknown escape") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func blanks() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        blanks()
        guard position < bytes.count, bytes[position] == UInt8(truncatingIfNeeded: scalar.value) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws {
        if !take(scalar) { throw fault("no \(scalar)") }
    }

    private func fault(_ what: String) -> AcuityError {
        AcuityError(.weights, "safetensors header, byte \(position): \(what.prefix(200))")
    }
}
