// Tests of the safetensors reader and writer against bytes written out by hand.
import FoundationEssentials
import SuperResolution
import Testing

struct SafetensorsTests {
    /// A file from a header's text and a payload, without the writer.
    func file(_ header: String, _ payload: [UInt8] = [], length: UInt64? = nil) -> Data {
        let text = Array(header.utf8)
        let length = length ?? UInt64(text.count)
        return Data((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + text + payload)
    }

    func read(_ header: String, _ payload: [UInt8] = []) throws -> SafetensorsFile {
        try SafetensorsFile(file(header, payload), name: "test")
    }

    @Test func readsEveryType() throws {
        let cases: [(String, [UInt8], Float)] = [
            ("F64", [0, 0, 0, 0, 0, 0, 0xf8, 0xbf], -1.5), ("F32", [0, 0, 0x20, 0x40], 2.5), ("F16", [0x00, 0xbe], -1.5),
            ("BF16", [0x20, 0x40], 2.5), ("I64", [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -2), ("I32", [0xff, 0xff, 0xff, 0xff], -1),
            ("I16", [0x00, 0x80], -32768), ("I8", [0x80], -128), ("U8", [0xff], 255), ("BOOL", [1], 1),
        ]
        for (type, bytes, value) in cases {
            let file = try read(#"{"x":{"dtype":"\#(type)","shape":[1],"data_offsets":[0,\#(bytes.count)]}}"#, bytes)
            #expect(try file.weights() == ["x": Tensor(shape: [1], values: [value])], "\(type)")
            #expect(try Array(file.bytes(of: "x")) == bytes)
        }
    }

    @Test func readsMetadataEscapesScalarsAndEmptyTensors() throws {
        let file = try read(
            #" {"__metadata__" : {"a\"\\\n\u00e9\ud83d\ude00":"b"}, "s":{"shape":[],"dtype":"U8","data_offsets":[0,1]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[1,1]}}  "#,
            [7])
        #expect(file.metadata == ["a\"\\\né😀": "b"])
        #expect(try file.tensor("s") == Tensor(shape: [], values: [7]))
        #expect(try file.tensor("e") == Tensor(shape: [0, 3], values: []))
        #expect(try read("{}").entries.isEmpty)
        #expect(throws: AcuityError.self) { try file.tensor("t") }
    }

    /// Names and reason of each damaged header.
    static let lies: [(header: String, reason: String)] = [
        (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "another number"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, "ends at byte 8 of 4"),
        (#"{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, "4 bytes after the last tensor"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "offsets"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "offsets"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "overlaps"),
        (#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, "gap"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "twice"),
        (#"{"x":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, "unknown type F4"),
        (#"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, "another number"),
        (#"{"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#, "out of range"),
        (#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "whole number"),
        (#"{"x":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, "no ]"),
        (#"{"x":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}"#, "whole number"),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}"#, "more in x"),
        (#"{"x":{"dtype":"F32","shape":[1]}}"#, "lacks"),
        (#"{"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, "more than 16"),
        (#"{"x":[[[[[[[[[["#, "no {"), (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#, "no \""),
        (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x"#, "after the end"), (#"{"__metadata__":{"a":1}}"#, "no \""),
        (#"{"__metadata__":{"a":"b","a":"c"}}"#, "twice"), (#"{"__metadata__":{},"__metadata__":{}}"#, "twice"),
        (#"{"\ud800":{}}"#, "surrogate"), (#"{"\x":{}}"#, "escape"), ("", "no {"), ("{\"", "without end"), ("{\"\n\":{}}", "control"),
    ]

    @Test(arguments: lies.indices)
    func refusesLies(index: Int) {
        let (header, reason) = Self.lies[index]
        #expect { try read(header, [0, 0, 0, 0]) } throws: { error in
            guard let error = error as? AcuityError else { return false }
            return error.code == .weights && error.message.hasPrefix("test: ") && error.message.contains(reason)
                && !error.message.contains("\n")
        }
    }

    @Test func refusesLyingLengths() {
        for length in [3, 100, UInt64(1) << 40, .max, UInt64(Int.max), UInt64(Int.max) + 1] {
            #expect(throws: AcuityError.self) { try SafetensorsFile(file("{}", length: length), name: "test") }
        }
        for count in 0..<8 {
            #expect(throws: AcuityError.self) { try SafetensorsFile(Data(count: count), name: "test") }
        }
    }

    @Test func slicesOfDataWork() throws {
        let whole = Data([1, 2, 3]) + file(#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, [8, 9])
        #expect(try SafetensorsFile(whole.dropFirst(3), name: "slice").tensor("x").values == [8, 9])
    }

    @Test func writesExactlyTheseBytes() throws {
        var writer = SafetensorsWriter(metadata: ["scale": "4", "a": "q\"\\\u{1}"])
        try writer.add("b", Tensor(shape: [2], values: [1, -2]))
        try writer.add("a", Tensor(shape: [1, 1], values: [0.5]))
        try writer.add("bytes", .u8, shape: [3], bytes: Data([1, 2, 3]))
        try writer.add("longs", .i64, shape: [1], bytes: Data([5, 0, 0, 0, 0, 0, 0, 0]))
        let header =
            #"{"__metadata__":{"a":"q\"\\\u0001","scale":"4"},"longs":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#
            + #""a":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},"#
            + #""bytes":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(writer.data() == file(padded, [5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 2, 3]))
        let back = try SafetensorsFile(writer.data(), name: "back")
        #expect(back.metadata == writer.metadata)
        #expect(try back.tensor("b") == Tensor(shape: [2], values: [1, -2]))
        #expect(throws: AcuityError.self) { try writer.add("c", .u8, shape: [2], bytes: Data([1])) }
        #expect(throws: AcuityError.self) { try writer.add("c", Tensor(shape: [1], values: [1]), as: .bf16) }
    }

    /// What a run saves to go on from holds its running average too, and that is the model.
    @Test func averageOfARun() throws {
        var writer = SafetensorsWriter()
        for (prefix, value) in [("weights/", Float(1)), ("average/", 2), ("adam/first/", 3)] { try writer.add(prefix + "body.0.weight", Tensor(shape: [1], values: [value])) }
        #expect(try Checkpoint(writer.data(), name: "run").weights == ["body.0.weight": Tensor(shape: [1], values: [2])])
    }

    @Test func filesRoundTripMappedAndRead() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "acuity-\(UInt64.random(in: 0 ... .max)).safetensors").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var writer = SafetensorsWriter()
        try writer.add("x", Tensor(shape: [3], values: [1, 2, 3]))
        try writer.write(to: path)
        for mapped in [true, false] {
            #expect(try SafetensorsFile(path: path, mapped: mapped).weights() == ["x": Tensor(shape: [3], values: [1, 2, 3])])
        }
        #expect { try SafetensorsFile(path: path + ".none") } throws: { ($0 as? AcuityError)?.message.contains("no such file") == true }
        #expect { try SafetensorsFile(path: "/") } throws: { ($0 as? AcuityError)?.message.contains("folder") == true }
        #expect(throws: AcuityError.self) { try SafetensorsFile(path: "/dev/zero") }
        #expect(throws: AcuityError.self) { try writer.write(to: "/nowhere/at/all.safetensors") }
    }
}

#if arch(arm64) || os(Linux)
struct HalfPrecisionTests {
    /// The compiler's own `Float16` is the reference.
    @Test func everyHalfIsReadExactly() throws {
        let bytes = Data((0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
        let values = ScalarType.f16.floats(bytes)
        for half in UInt16.min...UInt16.max {
            let expected = Float(Float16(bitPattern: half))
            let value = values[Int(half)]
            if expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern { Issue.record("half \(half) → \(value), not \(expected)") }
        }
    }

    @Test func floatsAreRoundedToNearestEven() throws {
        var random = SystemRandomNumberGenerator()
        var values: [Float] = [0, -0.0, 65504, 65519.99, 65520, 1e30, .infinity, -.infinity, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1.000002p-25, 0x1p-14, 0x1.ffcp-15, 0x1.ffep-15, 0x1.fffp-15, 1 + 0x1p-11, 1 + 0x1.8p-10]
        values += (0..<100_000).map { _ in Float(bitPattern: .random(in: 0 ... .max, using: &random)) }
        values += (0..<100_000).map { _ in Float.random(in: -2...2, using: &random) }
        values += (0..<100_000).map { _ in Float.random(in: -0x1p-13...0x1p-13, using: &random) }
        values.removeAll(where: \.isNaN)
        var writer = SafetensorsWriter()
        try writer.add("x", Tensor(shape: [values.count], values: values), as: .f16)
        let back = try SafetensorsFile(writer.data(), name: "half").tensor("x").values
        for (value, result) in zip(values, back) where Float(Float16(value)).bitPattern != result.bitPattern {
            Issue.record("\(value) → \(result), not \(Float(Float16(value)))")
        }
    }
}
#endif
