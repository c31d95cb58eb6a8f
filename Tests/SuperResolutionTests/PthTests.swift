// Tests of the torch.save reader: files put together here byte by byte, malicious pickles, and a published model.
import FoundationEssentials
import SuperResolution
import Testing

/// Emits pickles opcode by opcode.
struct PickleEmitter {
    var bytes: [UInt8] = [0x80, 2]

    mutating func op(_ character: Unicode.Scalar) { bytes.append(UInt8(truncatingIfNeeded: character.value)) }
    mutating func text(_ text: String) {
        op("X")
        bytes += little(UInt64(text.utf8.count), 4) + Array(text.utf8)
    }
    mutating func int(_ value: Int) {
        op("J")
        bytes += little(UInt64(truncatingIfNeeded: value), 4)
    }
    mutating func global(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }
    mutating func tuple(_ values: [Int]) {
        op("(")
        for value in values { int(value) }
        op("t")
    }
    /// `_rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict())`
    mutating func tensor(storage: String, type: String = "FloatStorage", count: Int, offset: Int = 0, shape: [Int], strides: [Int], parameter: Bool = false) {
        if parameter { global("torch._utils", "_rebuild_parameter"); op("(") }
        global("torch._utils", "_rebuild_tensor_v2")
        op("(")
        op("(")
        text("storage")
        global("torch", type)
        text(storage)
        text("cpu")
        int(count)
        op("t")
        op("Q")
        int(offset)
        tuple(shape)
        tuple(strides)
        bytes.append(0x89)
        global("collections", "OrderedDict")
        op(")")
        op("R")
        op("t")
        op("R")
        if parameter { bytes.append(0x88); global("collections", "OrderedDict"); op(")"); op("R"); op("t"); op("R") }
    }
}

func little(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }

/// A zip archive of stored entries; checksums are left out, no reader of weights needs them.
func zipped(_ entries: [(name: String, bytes: [UInt8])], method: UInt64 = 0) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for (name, bytes) in entries {
        let common = little(0, 2) + little(method, 2) + little(0, 4) + little(0, 4) + little(UInt64(bytes.count), 4) + little(UInt64(bytes.count), 4) + little(UInt64(name.utf8.count), 2)
        directory += little(0x0201_4b50, 4) + little(20, 2) + little(20, 2) + common + little(0, 12) + little(UInt64(file.count), 4) + Array(name.utf8)
        file += little(0x0403_4b50, 4) + little(20, 2) + common + little(0, 2) + Array(name.utf8) + bytes
    }
    return file + directory + little(0x0605_4b50, 4) + little(0, 4) + little(UInt64(entries.count), 2) + little(UInt64(entries.count), 2)
        + little(UInt64(directory.count), 4) + little(UInt64(file.count), 4) + little(0, 2)
}

func floatBytes(_ values: [Float]) -> [UInt8] { values.flatMap { little(UInt64($0.bitPattern), 4) } }

func archive(_ pickle: [UInt8], _ storages: [(String, [UInt8])] = [], method: UInt64 = 0) -> Data {
    Data(zipped([("net/data.pkl", pickle)] + storages.map { ("net/data/\($0.0)", $0.1) } + [("net/version", [0x33])], method: method))
}

/// A state_dict with one tensor "x" of the given view on a storage of 0, 1, 2, …
func oneTensor(count: Int = 6, declared: Int? = nil, offset: Int = 0, shape: [Int], strides: [Int]) -> Data {
    var pickle = PickleEmitter()
    pickle.op("}")
    pickle.text("x")
    pickle.tensor(storage: "0", count: declared ?? count, offset: offset, shape: shape, strides: strides)
    pickle.op("s")
    pickle.op(".")
    return archive(pickle.bytes, [("0", floatBytes((0..<count).map(Float.init)))])
}

struct PthTests {
    @Test func stridesAndOffsetsAreHonoured() throws {
        #expect(try Checkpoint(oneTensor(shape: [2, 3], strides: [3, 1]), name: "t").weights == ["x": Tensor(shape: [2, 3], values: [0, 1, 2, 3, 4, 5])])
        #expect(try Checkpoint(oneTensor(shape: [3, 2], strides: [1, 3]), name: "t").weights == ["x": Tensor(shape: [3, 2], values: [0, 3, 1, 4, 2, 5])])
        #expect(try Checkpoint(oneTensor(offset: 1, shape: [2], strides: [4]), name: "t").weights == ["x": Tensor(shape: [2], values: [1, 5])])
        #expect(try Checkpoint(oneTensor(offset: 2, shape: [], strides: []), name: "t").weights == ["x": Tensor(shape: [], values: [2])])
        #expect(try Checkpoint(oneTensor(shape: [1, 2], strides: [2_000_000_000, 2]), name: "t").weights == ["x": Tensor(shape: [1, 2], values: [0, 2])])
        #expect(try Checkpoint(oneTensor(shape: [3], strides: [0]), name: "t").weights == ["x": Tensor(shape: [3], values: [0, 0, 0])])
    }

    @Test func viewsOutsideTheirStorageAreRefused() {
        for (offset, shape, strides) in [
            (0, [7], [1]), (1, [6], [1]), (-1, [1], [1]), (0, [2], [6]), (0, [2_000_000_000, 2_000_000_000, 2_000_000_000], [0, 0, 0]),
            (0, [2_000_000_000], [0]), (0, [-1], [1]), (0, [2], [-1]), (0, [2, 3], [1]), (2_000_000_000, [1], [1]),
        ] {
            #expect(throws: AcuityError.self, "\(shape) \(strides)") { try Checkpoint(oneTensor(offset: offset, shape: shape, strides: strides), name: "t") }
        }
        #expect(throws: AcuityError.self) { try Checkpoint(oneTensor(declared: 7, shape: [6], strides: [1]), name: "t") }
    }

    @Test func averagedWeightsComeFirstAndModulePrefixGoes() throws {
        func file(_ names: [String], prefix: String = "") throws -> StateDict {
            var pickle = PickleEmitter()
            pickle.op("}")
            for (index, name) in names.enumerated() {
                pickle.text(name)
                pickle.op("}")
                pickle.text(prefix + "w")
                pickle.tensor(storage: "0", count: 6, offset: index, shape: [1], strides: [1], parameter: true)
                pickle.op("s")
                pickle.op("s")
            }
            pickle.op(".")
            return try Checkpoint(archive(pickle.bytes, [("0", floatBytes([0, 1, 2, 3, 4, 5]))]), name: "t").weights
        }
        #expect(try file(["model", "params", "params_ema"])["w"]?.values == [2])
        #expect(try file(["state_dict", "params"])["w"]?.values == [1])
        #expect(try file(["optimizer", "state_dict"], prefix: "module.")["w"]?.values == [1])
        #expect(throws: AcuityError.self) { try file(["optimizer"]) }
    }

    @Test func compressedEntriesAreRefusedClearly() {
        #expect { try Checkpoint(archive([0x80, 2, 0x7d, 0x2e], method: 8), name: "t") } throws: { "\($0)".contains("compressed") }
    }

    @Test func oldFormat() throws {
        var pickle = PickleEmitter()
        pickle.op("}")
        pickle.text("x")
        pickle.tensor(storage: "9", type: "LongStorage", count: 2, shape: [2], strides: [1])
        pickle.op("s")
        pickle.op(".")
        let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
        var file = magic + [0x80, 2, 0x4d, 0xe9, 0x03, 0x2e] + [0x80, 2, 0x7d, 0x2e] + pickle.bytes
        file += [0x80, 2, 0x5d, 0x28, 0x58, 1, 0, 0, 0, 0x39, 0x65, 0x2e] + little(2, 8) + little(5, 8) + little(UInt64(bitPattern: -7), 8)
        #expect(try Checkpoint(Data(file), name: "t").weights == ["x": Tensor(shape: [2], values: [5, -7])])
        for length in 0..<file.count { #expect(throws: AcuityError.self) { try Checkpoint(Data(file[..<length]), name: "t") } }
    }

    /// What each malicious pickle asks for, and its opcodes after PROTO.
    static let malicious: [(reason: String, opcodes: [UInt8])] = [
        ("asks for os.system", Array("cos\nsystem\n(X".utf8) + little(10, 4) + Array("touch /tmpp".utf8.prefix(10)) + Array("tR.".utf8)),
        ("asks for builtins.eval", Array("cbuiltins\neval\n(U".utf8) + [1] + Array("1tR.".utf8)),
        ("asks for posix.system", [0x8c, 5] + Array("posix".utf8) + [0x8c, 6] + Array("system".utf8) + [0x93, 0x2e]),
        ("asks for os.system", Array("(U".utf8) + [2] + Array("idios\nsystem\n.".utf8)),
        ("OBJ", Array("(ccollections\nOrderedDict\no.".utf8)), ("NEWOBJ", Array("ccollections\nOrderedDict\n)".utf8) + [0x81, 0x2e]),
        ("EXT", [0x82, 1, 0x2e]), ("BUILD", Array("]}b.".utf8)), ("asks for collections.abc", Array("ccollections.abc\nabc\n.".utf8)),
        ("other arguments", Array("ctorch\nFloatStorage\n)R.".utf8)), ("other arguments", Array("ccollections\nOrderedDict\n](K\u{1}e".utf8) + [0x85] + Array("R.".utf8)),
        ("truncated", Array("X".utf8) + [0xff, 0xff, 0xff, 0xff]), ("a length of", [0x8d] + [UInt8](repeating: 0xff, count: 8)),
        ("truncated", [0x8b, 0xff, 0xff, 0xff, 0x7f]), ("truncated", [UInt8](repeating: 0x28, count: 100_000)),
        ("no dictionary", [UInt8](repeating: 0x5d, count: 1) + [UInt8](repeating: 0x85, count: 1_000_000) + [0x2e]),
        ("truncated", [0x5d] + (0..<1_000_000).flatMap { _ in [0x32, 0x61] as [UInt8] }), ("empty stack", [0x2e]), ("opcode", [0xff]), ("no mark", [0x74]),
        ("no memo", [0x68, 3]),
    ]

    @Test(.timeLimit(.minutes(20)), arguments: malicious.indices)
    func maliciousPicklesAreRefused(index: Int) {
        let (reason, opcodes) = Self.malicious[index]
        #expect { try Checkpoint(archive([0x80, 2] + opcodes), name: "evil.pth") } throws: { error in
            guard let error = error as? AcuityError else { return false }
            if reason != "other arguments", !error.message.contains(reason) { Issue.record("\(error.message)") }
            return error.code == .weights && error.message.hasPrefix("evil.pth: ") && !error.message.contains("\n")
        }
    }

    static let peers = (ProcessInfo.processInfo.environment["ACUITY_DATA"].map { $0 + "/.." } ?? "../shared") + "/peers/realesr-general-x4v3"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: PthTests.peers + ".pth"), "needs the peers folder beside ACUITY_DATA"))
    func publishedModelIsTheSameInBothFormats() throws {
        let pth = try Checkpoint.load(path: Self.peers + ".pth")
        let safetensors = try Checkpoint.load(path: Self.peers + ".safetensors")
        #expect(pth.format == .pth && safetensors.format == .safetensors)
        #expect(pth.weights == safetensors.weights)
        let model = try Model.load(path: Self.peers + ".pth")
        #expect(try model.network == Compact(features: 64, convolutions: 32, scale: 4).network())
        #expect(model.name == "realesr-general-x4v3")
        #expect(model.network.parameterCount == 1_213_296)
    }
}
