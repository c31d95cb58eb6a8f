// Tests of the key layouts that ESRGAN checkpoints have come in.
import SuperResolution
import Testing

struct RRDBNetTests {
    /// The first release's layout, written out from its PyTorch `Sequential`: convolutions at the given indices.
    func sequential(blocks: Int, tail: [Int], features: Int = 6, growth: Int = 4) -> StateDict {
        var weights = StateDict()
        func add(_ key: String, _ outputs: Int, _ inputs: Int) {
            let mark = Float(weights.count)
            weights[key + ".weight"] = Tensor(shape: [outputs, inputs, 3, 3], values: [Float](repeating: mark, count: outputs * inputs * 9))
            weights[key + ".bias"] = Tensor(shape: [outputs], values: [Float](repeating: mark, count: outputs))
        }
        add("model.0", features, 3)
        for block in 0..<blocks {
            for dense in 1...3 {
                for layer in 1...4 { add("model.1.sub.\(block).RDB\(dense).conv\(layer).0", growth, features + (layer - 1) * growth) }
                add("model.1.sub.\(block).RDB\(dense).conv5.0", features, features + 4 * growth)
            }
        }
        add("model.1.sub.\(blocks)", features, features)
        for index in tail.dropLast() { add("model.\(index)", features, features) }
        add("model.\(tail[tail.count - 1])", 3, features)
        return weights
    }

    @Test(arguments: [([2, 4], 1), ([3, 5, 7], 2), ([3, 6, 8, 10], 4), ([3, 6, 9, 11, 13], 8)])
    func firstRelease(tail: [Int], scale: Int) throws {
        let old = sequential(blocks: 2, tail: tail)
        let (network, weights) = try Architectures.makeNetwork(for: old, scale: nil)
        #expect(network.scale == scale)
        let steps = [Int](repeating: 2, count: tail.count - 2)
        #expect(try network == RRDBNet(features: 6, blocks: 2, growth: 4, steps: steps).network())
        #expect(throws: Never.self) { try Model(name: "old", network: network, weights: weights) }
        #expect(weights["conv_body.bias"] == old["model.1.sub.2.bias"])
        #expect(weights["body.1.rdb3.conv5.weight"] == old["model.1.sub.1.RDB3.conv5.0.weight"])
        #expect(weights["conv_hr.weight"] == old["model.\(tail[tail.count - 2]).weight"])
        #expect(weights["conv_last.bias"] == old["model.\(tail[tail.count - 1]).bias"])
        if scale > 1 { #expect(weights["conv_up1.weight"] == old["model.3.weight"]) }
    }

    @Test func scaleThreeIsTheCallersWord() throws {
        #expect(try Architectures.makeNetwork(for: sequential(blocks: 1, tail: [3, 5, 7]), scale: 3).network.scale == 3)
    }

    @Test func trunkLayout() throws {
        let network = try RRDBNet(features: 6, blocks: 2, growth: 4).network()
        let canonical = fabricate(network)
        var old = StateDict()
        for (key, tensor) in canonical {
            var name = key
            if key.hasPrefix("body.") {
                let parts = key.split(separator: ".")
                name = "RRDB_trunk.\(parts[1]).\(parts[2].uppercased()).\(parts[3]).\(parts[4])"
            }
            for (new, before) in [("conv_body", "trunk_conv"), ("conv_up1", "upconv1"), ("conv_up2", "upconv2"), ("conv_hr", "HRconv")]
            where key.hasPrefix(new + ".") {
                name = before + key.dropFirst(new.count)
            }
            old[name] = tensor
        }
        #expect(old["RRDB_trunk.1.RDB2.conv3.weight"] != nil && old["HRconv.bias"] != nil)
        let found = try Architectures.makeNetwork(for: old, scale: nil)
        #expect(found.network == network)
        #expect(Set(found.weights.keys) == Set(canonical.keys))
    }

    @Test func esrganPlusIsRefusedByName() {
        var weights = sequential(blocks: 1, tail: [3, 6, 8, 10])
        weights["model.1.sub.0.RDB1.conv1x1.weight"] = Tensor(shape: [1], values: [0])
        #expect { try Architectures.makeNetwork(for: weights, scale: nil) } throws: { "\($0)".contains("ESRGAN+") }
    }
}
