// Fuzz test: thousands of damaged weights files must load or be refused with an AcuityError; never trap.
import FoundationEssentials
import SuperResolution
import Testing

/// SplitMix64 (Steele et al. 2014), so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

struct CheckpointFuzzTests {
    static func mutated(_ original: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var file = original
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard !file.isEmpty else { return file }
            let at = Int.random(in: 0..<file.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: file[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: file[at] = .random(in: 0 ... .max, using: &random)
            case 2: file.removeSubrange(at...)
            case 3: file.removeSubrange(at..<min(file.count, at + Int.random(in: 1...16, using: &random)))
            case 4:
                let from = Int.random(in: 0..<file.count, using: &random)
                file.insert(contentsOf: Array(file[from..<min(file.count, from + Int.random(in: 1...64, using: &random))]), at: at)
            case 5:  // A lying length or offset of 1, 2, 4 or 8 bytes.
                let lies: [UInt64] = [.max, .max >> 1, 1 << 31, 0xffff_ffff, 0, 1, 1 << 62]
                let lie = lies.randomElement(using: &random) ?? 0
                for (index, byte) in little(lie, [1, 2, 4, 8].randomElement(using: &random) ?? 1).enumerated() where at + index < file.count { file[at + index] = byte }
            default:  // A digit of a JSON number.
                if let digit = file.indices.filter({ (48...57).contains(file[$0]) }).randomElement(using: &random) { file[digit] = .random(in: 48...57, using: &random) }
            }
        }
        return file
    }

    static func originals() throws -> [[UInt8]] {
        var pickle = PickleEmitter()
        pickle.op("}")
        pickle.text("params_ema")
        pickle.op("}")
        pickle.op("(")
        var storages: [(String, [UInt8])] = []
        let network = try Compact(features: 2, convolutions: 1, scale: 2).network()
        var writer = SafetensorsWriter(metadata: ["scale": "2"])
        for (index, parameter) in network.parameters.enumerated() {
            let values = (0..<parameter.shape.reduce(1, *)).map { Float($0) / 8 }
            pickle.text(parameter.key)
            var strides = parameter.shape
            for axis in strides.indices { strides[axis] = parameter.shape[(axis + 1)...].reduce(1, *) }
            pickle.tensor(storage: "\(index)", count: values.count, shape: parameter.shape, strides: strides)
            storages.append(("\(index)", floatBytes(values)))
            try writer.add(parameter.key, Tensor(shape: parameter.shape, values: values), as: index.isMultiple(of: 2) ? .f32 : .f16)
        }
        pickle.op("u")
        pickle.op("s")
        pickle.op(".")
        let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
        var old = magic + [0x80, 2, 0x4d, 0xe9, 0x03, 0x2e, 0x80, 2, 0x7d, 0x2e] + pickle.bytes + [0x80, 2, 0x5d, 0x28]
        for (key, _) in storages { old += [0x55, UInt8(key.utf8.count)] + Array(key.utf8) }
        old += [0x65, 0x2e]
        for (_, bytes) in storages { old += little(UInt64(bytes.count / 4), 8) + bytes }
        return [[UInt8](archive(pickle.bytes, storages)), old, [UInt8](writer.data())]
    }

    @Test func damagedFilesLoadOrAreRefused() throws {
        let originals = try Self.originals()
        for original in originals {
            let checkpoint = try Checkpoint(Data(original), name: "whole")
            #expect(try Model(checkpoint: checkpoint, name: "whole").network.scale == 2)
        }
        var random = SplitMix(state: 2026)
        var (loaded, refused) = (0, 0)
        for round in 0..<15_000 {
            let file = Self.mutated(originals[round % originals.count], &random)
            do {
                let checkpoint = try Checkpoint(Data(file), name: "damaged")
                _ = try Model(checkpoint: checkpoint, name: "damaged", scale: 2)
                loaded += 1
            } catch is AcuityError {
                refused += 1
            }
        }
        #expect(loaded > 100 && refused > 1000, "the mutations must reach both ends: \(loaded) loaded, \(refused) refused")
    }
}
