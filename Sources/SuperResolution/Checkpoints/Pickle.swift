// Pickle: a restricted reader of Python's pickle format: it builds tensors, dictionaries, lists, numbers and texts, and
// calls nothing. Whatever asks for another class or function is refused by name.
import FoundationEssentials

/// A virtual machine for the opcodes that torch.save emits (protocols 2 to 4).
///
/// Containers live in flat arrays and refer to each other by index, so neither cycles nor deep nesting can exhaust the
/// stack, and no opcode makes more memory than a small multiple of its own bytes.
struct Pickle {
    enum Value {
        case none
        case bool(Bool)
        case int(Int)
        /// An integer of more than 64 bits; only torch's magic number is one.
        case long
        case float(Double)
        case text(String)
        case bytes
        case list(Int)
        case tuple(Int)
        case dictionary(Int)
        case global(Global)
        case storage(Int)
        case tensor(Int)
    }

    /// Everything that a pickle may name.
    enum Global: Equatable {
        case orderedDictionary
        case rebuildTensor
        case rebuildParameter
        case size
        case storage(ScalarType)
    }

    struct Storage {
        let key: String
        let type: ScalarType
        let count: Int
    }

    struct TensorView {
        let storage: Int
        let offset: Int
        let shape: [Int]
        let strides: [Int]
    }

    /// Longest pickle, bytes. A network of a thousand tensors takes 100 kB.
    static let limit = 4 << 20

    private(set) var lists: [[Value]] = []
    private(set) var tuples: [[Value]] = []
    private(set) var dictionaries: [[(key: Value, value: Value)]] = []
    private(set) var storages: [Storage] = []
    private(set) var tensors: [TensorView] = []

    private let bytes: Data
    /// Offset of the next byte; after ``run()`` the byte after STOP.
    private(set) var position: Int
    private let end: Int
    private var stack: [Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]

    init(_ bytes: Data, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
        end = min(bytes.count, position + Self.limit)
    }

    /// Runs until STOP.
    /// - Returns: the object on top of the stack.
    /// - Throws: ``AcuityError`` with code `.weights`.
    mutating func run() throws -> Value {
        while true {
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") { return try pop() }
            try step(opcode)
        }
    }

    private mutating func step(_ opcode: UInt8) throws {
        switch opcode {
        case 0x80:  // PROTO
            let version = try byte()
            guard (2...5).contains(version) else { throw fault("protocol \(version)") }
        case 0x95: _ = try take(8)  // FRAME
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popMark()
        case UInt8(ascii: "2"):
            let top = try pop()
            stack += [top, top]

        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "J"): stack.append(.int(Int(Int32(truncatingIfNeeded: try number(4)))))
        case UInt8(ascii: "K"): stack.append(.int(try number(1)))
        case UInt8(ascii: "M"): stack.append(.int(try number(2)))
        case 0x8a: try long(try number(1))
        case 0x8b: try long(try number(4))
        case UInt8(ascii: "G"):
            let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            stack.append(.float(Double(bitPattern: bits)))

        case 0x8c: try text(try number(1))
        case UInt8(ascii: "X"), UInt8(ascii: "T"): try text(try number(4))
        case UInt8(ascii: "U"): try text(try number(1))
        case 0x8d: try text(try number(8))
        case UInt8(ascii: "C"): try skipBytes(try number(1))
        case UInt8(ascii: "B"): try skipBytes(try number(4))
        case 0x8e: try skipBytes(try number(8))

        case UInt8(ascii: ")"): append(tuple: [])
        case 0x85: append(tuple: try pop(1))
        case 0x86: append(tuple: try pop(2))
        case 0x87: append(tuple: try pop(3))
        case UInt8(ascii: "t"): append(tuple: try popMark())
        case UInt8(ascii: "]"):
            lists.append([])
            stack.append(.list(lists.count - 1))
        case UInt8(ascii: "l"):
            lists.append(try popMark())
            stack.append(.list(lists.count - 1))
        case UInt8(ascii: "a"): try extend([try pop()])
        case UInt8(ascii: "e"): try extend(try popMark())
        case UInt8(ascii: "}"): appendDictionary()
        case UInt8(ascii: "d"):
            let items = try popMark()
            appendDictionary()
            try insert(items)
        case UInt8(ascii: "s"): try insert(try pop(2))
        case UInt8(ascii: "u"): try insert(try popMark())

        case UInt8(ascii: "q"): try memorise(try number(1))
        case UInt8(ascii: "r"): try memorise(try number(4))
        case 0x94: try memorise(memo.count)
        case UInt8(ascii: "h"): try recall(try number(1))
        case UInt8(ascii: "j"): try recall(try number(4))

        case UInt8(ascii: "c"): stack.append(.global(try Self.global(try line(), try line())))
        case 0x93:  // STACK_GLOBAL
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else { throw fault("a global without a name") }
            stack.append(.global(try Self.global(module, name)))
        case UInt8(ascii: "Q"): try storage(try pop())
        case UInt8(ascii: "R"):
            let arguments = try pop()
            try reduce(try pop(), arguments)
        case UInt8(ascii: "b"):
            // A state_dict carries its `_metadata` as an attribute, which says nothing about tensors.
            _ = try pop()
            guard case .dictionary = stack.last else { throw fault("refused: BUILD of an object") }
        case UInt8(ascii: "i"): throw refusal(try line(), try line())
        case UInt8(ascii: "o"): throw fault("refused: pickle asks for an object (OBJ)")
        case 0x81, 0x92: throw fault("refused: pickle asks for an object (NEWOBJ)")
        case 0x82, 0x83, 0x84: throw fault("refused: pickle asks for an extension (EXT)")
        default: throw fault("opcode 0x\(String(opcode, radix: 16))")
        }
    }

    // MARK: Globals

    private static func global(_ module: String, _ name: String) throws -> Global {
        switch (module, name) {
        case ("collections", "OrderedDict"): return .orderedDictionary
        case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"): return .rebuildTensor
        case ("torch._utils", "_rebuild_parameter"): return .rebuildParameter
        case ("torch", "Size"): return .size
        case ("torch", "FloatStorage"): return .storage(.f32)
        case ("torch", "HalfStorage"): return .storage(.f16)
        case ("torch", "BFloat16Storage"): return .storage(.bf16)
        case ("torch", "DoubleStorage"): return .storage(.f64)
        case ("torch", "LongStorage"): return .storage(.i64)
        case ("torch", "IntStorage"): return .storage(.i32)
        case ("torch", "ShortStorage"): return .storage(.i16)
        case ("torch", "CharStorage"): return .storage(.i8)
        case ("torch", "ByteStorage"): return .storage(.u8)
        case ("torch", "BoolStorage"): return .storage(.bool)
        default: throw refusal(module, name)
        }
    }

    private static func refusal(_ module: String, _ name: String) -> AcuityError {
        let printable = "\(module).\(name)".unicodeScalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }.joined()
        return AcuityError(.weights, "refused: pickle asks for \(printable)")
    }

    private func refusal(_ module: String, _ name: String) -> AcuityError { Self.refusal(module, name) }

    /// The four calls that torch.save needs, done here, not by name.
    private mutating func reduce(_ function: Value, _ arguments: Value) throws {
        guard case .global(let global) = function, case .tuple(let index) = arguments else { throw fault("refused: call of something unnamed") }
        let arguments = tuples[index]
        switch global {
        case .orderedDictionary where arguments.isEmpty: appendDictionary()
        case .size where arguments.count == 1: stack.append(arguments[0])
        case .rebuildParameter where arguments.count >= 1:
            guard case .tensor = arguments[0] else { throw fault("a parameter that is not a tensor") }
            stack.append(arguments[0])
        case .rebuildTensor where arguments.count >= 4:
            guard case .storage(let storage) = arguments[0], case .int(let offset) = arguments[1] else { throw fault("a tensor without storage") }
            let (shape, strides) = (try whole(arguments[2]), try whole(arguments[3]))
            guard shape.count == strides.count, shape.count <= 16 else { throw fault("a tensor of \(shape.count) sides and \(strides.count) strides") }
            tensors.append(TensorView(storage: storage, offset: offset, shape: shape, strides: strides))
            stack.append(.tensor(tensors.count - 1))
        default: throw fault("refused: call with other arguments than torch.save's")
        }
    }

    /// ('storage', type, key, location, count).
    private mutating func storage(_ identity: Value) throws {
        guard case .tuple(let index) = identity, tuples[index].count >= 5, case .text("storage") = tuples[index][0],
            case .global(.storage(let type)) = tuples[index][1], case .text(let key) = tuples[index][2],
            case .int(let count) = tuples[index][4], count >= 0
        else { throw fault("a storage that torch.save does not write") }
        storages.append(Storage(key: key, type: type, count: count))
        stack.append(.storage(storages.count - 1))
    }

    /// A tuple or list of whole numbers.
    private func whole(_ value: Value) throws -> [Int] {
        let values: [Value]
        switch value {
        case .tuple(let index): values = tuples[index]
        case .list(let index): values = lists[index]
        default: throw fault("a shape that is not a tuple")
        }
        guard values.count <= 16 else { throw fault("a tensor of \(values.count) sides") }
        return try values.map {
            guard case .int(let side) = $0, side >= 0 else { throw fault("a shape that is not whole numbers") }
            return side
        }
    }

    // MARK: Stack

    private mutating func append(tuple: [Value]) {
        tuples.append(tuple)
        stack.append(.tuple(tuples.count - 1))
    }

    private mutating func appendDictionary() {
        dictionaries.append([])
        stack.append(.dictionary(dictionaries.count - 1))
    }

    private mutating func extend(_ values: [Value]) throws {
        guard case .list(let index) = stack.last else { throw fault("append to something that is not a list") }
        lists[index] += values
    }

    private mutating func insert(_ values: [Value]) throws {
        guard case .dictionary(let index) = stack.last, values.count.isMultiple(of: 2) else { throw fault("items for something that is not a dictionary") }
        for item in stride(from: 0, to: values.count, by: 2) { dictionaries[index].append((values[item], values[item + 1])) }
    }

    private mutating func memorise(_ index: Int) throws {
        guard let top = stack.last else { throw fault("empty stack") }
        memo[index] = top
    }

    private mutating func recall(_ index: Int) throws {
        guard let value = memo[index] else { throw fault("no memo \(index)") }
        stack.append(value)
    }

    private mutating func pop() throws -> Value {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw fault("empty stack") }
        return value
    }

    private mutating func pop(_ count: Int) throws -> [Value] {
        guard stack.count - count >= (marks.last ?? 0) else { throw fault("empty stack") }
        let values = Array(stack.suffix(count))
        stack.removeLast(count)
        return values
    }

    private mutating func popMark() throws -> [Value] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw fault("no mark") }
        let values = Array(stack[mark...])
        stack.removeSubrange(mark...)
        return values
    }

    // MARK: Bytes

    private mutating func byte() throws -> UInt8 { try take(1).first ?? 0 }

    private mutating func take(_ count: Int) throws -> Data {
        guard count >= 0, position <= end, count <= end - position else { throw fault("truncated") }
        let start = bytes.startIndex + position
        position += count
        return bytes[start..<(start + count)]
    }

    /// A little-endian number without sign.
    private mutating func number(_ count: Int) throws -> Int {
        var value: UInt64 = 0
        for (index, byte) in try take(count).enumerated() { value |= UInt64(byte) << (8 * UInt64(index)) }
        guard let number = Int(exactly: value) else { throw fault("a length of \(value)") }
        return number
    }

    /// A signed little-endian integer of any length.
    private mutating func long(_ count: Int) throws {
        let digits = try take(count)
        guard count <= 8 else {
            stack.append(.long)
            return
        }
        var value: UInt64 = (digits.last ?? 0) >= 0x80 ? .max : 0
        for byte in digits.reversed() { value = value << 8 | UInt64(byte) }
        stack.append(.int(Int(Int64(bitPattern: value))))
    }

    private mutating func text(_ count: Int) throws {
        guard let text = String(validating: try take(count), as: UTF8.self) else { throw fault("text that is not UTF-8") }
        stack.append(.text(text))
    }

    private mutating func skipBytes(_ count: Int) throws {
        _ = try take(count)
        stack.append(.bytes)
    }

    /// Text up to the end of the line.
    private mutating func line() throws -> String {
        var text: [UInt8] = []
        while true {
            let byte = try byte()
            if byte == UInt8(ascii: "\n") { return String(decoding: text, as: UTF8.self) }
            if text.count == 200 { throw fault("a name without end") }
            text.append(byte)
        }
    }

    private func fault(_ what: String) -> AcuityError {
        AcuityError(.weights, what.hasPrefix("refused") ? what : "pickle, byte \(position): \(what)")
    }
}
