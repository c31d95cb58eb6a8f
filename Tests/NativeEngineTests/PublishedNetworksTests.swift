// PublishedNetworksTests: whole networks under their authors' keys against figures from the same modules in PyTorch.

import Foundation
import NativeEngine
import SuperResolution
import Testing


/// Expected values were made with PyTorch 2.13 in double precision from modules written after the authors' code, with
/// weights and picture by the formulas below; order of keys is alphabetical.
struct PublishedNetworksTests {
    struct Case: CustomStringConvertible, Sendable {
        let description: String
        let shapes: [String: [Int]]
        var gain = 1.7
        let scale: Int
        let mean: Double
        /// y, x, channel and value.
        let samples: [(Int, Int, Int, Double)]
    }

    /// `sin(12.9898 i + 78.233 n)` for the i-th value of the n-th key, both from 1.
    static func weights(_ shapes: [String: [Int]], gain: Double) -> StateDict {
        var result = StateDict()
        for (n, key) in shapes.keys.sorted().enumerated() {
            guard let shape = shapes[key] else { continue }
            let fanIn = Double(shape.dropFirst().reduce(1, *))
            let values = (1...shape.reduce(1, *)).map { i -> Float in
                let value = sin(12.9898 * Double(i) + 78.233 * Double(n + 1))
                if shape.count == 4 { return Float(value * gain / fanIn.squareRoot()) }
                return Float(key.hasSuffix("running_var") ? 1 + 0.5 * value : 0.3 * value)
            }
            result[key] = Tensor(shape: shape, values: values)
        }
        return result
    }

    static let picture = Raster(width: 7, height: 5, channels: 3, samples: (1...105).map { Float(0.5 + 0.5 * sin(4.1414 * Double($0))) })

    static func shapes(_ architecture: any Architecture, _ rename: (String) -> String = { $0 }) -> [String: [Int]] {
        guard let network = try? architecture.network() else { return [:] }
        return Dictionary(network.parameters.map { (rename($0.key), $0.shape) }) { first, _ in first }
    }

    /// The authors' names, for a body of `blocks`.
    static func edsr(blocks: Int) -> (String) -> String {
        { key in
            var parts = key.split(separator: ".").map(String.init)
            switch parts[0] {
            case "conv_first": parts[0] = "head.0"
            case "conv_after_body": parts[0] = "body.\(blocks)"
            case "upsample": parts[0] = "tail.0"
            case "conv_last": parts[0] = "tail.1"
            default: parts[2] = parts[2] == "conv1" ? "body.0" : "body.2"
            }
            return parts.joined(separator: ".")
        }
    }

    static func srresnet(_ key: String) -> String {
        key.hasPrefix("conv") ? "conv_block" + key.dropFirst(4) : key
    }

    static func span(features f: Int, scale: Int, norm: Bool) -> [String: [Int]] {
        var shapes = ["conv_cat.weight": [f, 4 * f, 1, 1], "conv_cat.bias": [f], "upsampler.0.weight": [3 * scale * scale, f, 3, 3], "upsampler.0.bias": [3 * scale * scale]]
        if !norm { shapes["no_norm"] = [1] }
        for key in ["conv_1", "conv_2"] + (1...6).flatMap({ block in (1...3).map { "block_\(block).c\($0)_r" } }) {
            let inputs = key == "conv_1" ? 3 : f
            for (name, outputs, inputs, size) in [("sk", f, inputs, 1), ("conv.0", 2 * inputs, inputs, 1), ("conv.1", 2 * f, 2 * inputs, 3), ("conv.2", f, 2 * f, 1), ("eval_conv", f, inputs, 3)] {
                shapes["\(key).\(name).weight"] = [outputs, inputs, size, size]
                shapes["\(key).\(name).bias"] = [outputs]
            }
        }
        return shapes
    }

    static let cases = [
        Case(
            description: "MSRResNet ×4", shapes: shapes(MSRResNet(features: 6, blocks: 2, scale: 4)), scale: 4, mean: 0.7173550544,
            samples: [(0, 0, 0, -0.59321), (19, 27, 2, 1.104284), (10, 9, 1, -6.456325), (1, 26, 0, -0.402936)]),
        Case(
            description: "MSRResNet ×3", shapes: shapes(MSRResNet(features: 5, blocks: 1, scale: 3)), scale: 3, mean: 0.5246822537,
            samples: [(0, 0, 0, 0.206283), (14, 20, 2, 1.268075), (7, 7, 1, 0.566603), (1, 19, 0, 0.626491)]),
        Case(
            description: "EDSR ×2, authors' keys", shapes: shapes(EDSR(features: 6, blocks: 2, scale: 2), edsr(blocks: 2)), scale: 2, mean: 0.7873582301,
            samples: [(0, 0, 0, 2.040925), (9, 13, 2, 1.154012), (5, 4, 1, -20.937682), (1, 12, 0, 2.164978)]),
        Case(
            description: "EDSR ×4, range 1", shapes: shapes(EDSR(features: 5, blocks: 1, scale: 4), edsr(blocks: 1)), scale: 4, mean: 0.54421003849,
            samples: [(0, 0, 0, 0.487497), (19, 27, 2, 0.576526), (10, 9, 1, 0.465017), (1, 26, 0, 0.563994)]),
        Case(
            description: "SRResNet ×4", shapes: shapes(SRResNet(features: 6, blocks: 2, scale: 4), srresnet), scale: 4, mean: 0.2653476605,
            samples: [(0, 0, 0, -0.031039), (19, 27, 2, 0.148487), (10, 9, 1, 0.399908), (1, 26, 0, -0.101568)]),
        Case(
            description: "SPAN ×2", shapes: span(features: 6, scale: 2, norm: true), gain: 0.8, scale: 2, mean: 0.10720744910054149,
            samples: [(0, 0, 0, -0.958494), (9, 13, 2, 5.690423), (5, 4, 1, 0.20017), (1, 12, 0, -2.82556)]),
        Case(
            description: "SPAN ×3 without norm", shapes: span(features: 5, scale: 3, norm: false), gain: 0.8, scale: 3, mean: -0.05077702907,
            samples: [(0, 0, 0, 0.347129), (14, 20, 2, -0.208002), (7, 7, 1, -0.504938), (1, 19, 0, 0.254488)]),
    ]

    @Test(arguments: cases)
    func equalsPyTorch(_ example: Case) async throws {
        var weights = Self.weights(example.shapes, gain: example.gain)
        if example.description.hasSuffix("range 1") {
            weights["sub_mean.bias"] = Tensor(shape: [3], values: [-0.4488, -0.4371, -0.404])
            weights["add_mean.bias"] = Tensor(shape: [3], values: [0.4488, 0.4371, 0.404])
        }
        if example.description.hasPrefix("SRResNet") { weights["conv_block2.1.num_batches_tracked"] = Tensor(shape: [], values: [9]) }
        let found = try Architectures.makeNetwork(for: weights, scale: nil)
        #expect(found.network.scale == example.scale)
        let model = try Model(name: example.description, network: found.network, weights: found.weights)
        let prepared = try NativeEngine(threads: 1).prepare(model, precision: .fp32)
        for result in [naive(model, Self.picture), try await prepared.run(Self.picture)] {
            let largest = result.samples.reduce(0) { max($0, abs($1)) }
            let mean = result.samples.reduce(0.0) { $0 + Double($1) } / Double(result.samples.count)
            #expect(abs(mean - example.mean) < 2e-5 * Double(largest))
            for (y, x, c, value) in example.samples { #expect(abs(Double(result[x, y, c]) - value) < 2e-5 * Double(max(1, largest)), "at \(x), \(y), \(c)") }
        }
    }

    /// What is written out for others loads again as the same network with the same weights.
    @Test func spanIsPublishedWithBranches() throws {
        let network = try SPAN(features: 5, scale: 2).network()
        let model = try randomModel(network)
        let published = SPAN.published(model.weights)
        for (key, shape) in Self.span(features: 5, scale: 2, norm: true) { #expect(published[key]?.shape == shape, "\(key)") }
        var branchesOnly = published
        for key in published.keys where key.contains("eval_conv") { branchesOnly[key] = nil }
        for weights in [published, branchesOnly] {
            let found = try Architectures.makeNetwork(for: weights, scale: nil)
            #expect(found.network == network)
            #expect(found.weights == model.weights)
        }
    }

    /// Batch norm leaves no stage of its own: it is folded into its convolution.
    @Test(arguments: [true, false])
    func quickPaths(half: Bool) async throws {
        for network in [
            try SRResNet(features: 20, blocks: 2, scale: 2).network(), try EDSR(features: 20, blocks: 2, scale: 3).network(),
            try SPAN(features: 20, scale: 2).network(), try MSRResNet(features: 20, blocks: 2, scale: 4, ending: .direct, activation: .prelu).network(),
        ] {
            let model = try randomModel(network)
            let picture = randomRaster(23, 17)
            let expected = naive(model, picture)
            let result = try await NativeEngine(threads: 2).prepare(model, precision: half ? .bf16 : .fp32).run(picture)
            let range = expected.samples.reduce(0) { max($0, abs($1)) }
            #expect(largestDifference(result, expected) < range * (half ? 0.05 : 1e-4), "\(network.architecture)")
        }
    }
}
