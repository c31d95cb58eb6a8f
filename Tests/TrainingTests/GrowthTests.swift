// GrowthTests: a grown network computes what the small one did, and every new weight can learn.

import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct GrowthTests {
    struct Pair: Sendable, CustomStringConvertible {
        let description: String
        let small: any Architecture
        let large: any Architecture
    }

    static let pairs = [
        Pair(description: "Compact, wider and deeper", small: Compact(features: 6, convolutions: 2, scale: 2), large: Compact(features: 10, convolutions: 5, scale: 2)),
        Pair(description: "Compact, deeper", small: Compact(features: 12, convolutions: 2, scale: 2), large: Compact(features: 12, convolutions: 3, scale: 2)),
        Pair(
            description: "Compact with ReLU", small: Compact(features: 6, convolutions: 1, scale: 3, activation: .relu),
            large: Compact(features: 8, convolutions: 3, scale: 3, activation: .relu)),
        Pair(description: "MSRResNet", small: MSRResNet(features: 5, blocks: 2, scale: 4), large: MSRResNet(features: 7, blocks: 4, scale: 4)),
        Pair(
            description: "MSRResNet, direct", small: MSRResNet(features: 5, blocks: 1, scale: 4, ending: .direct),
            large: MSRResNet(features: 9, blocks: 2, scale: 4, ending: .direct)),
        Pair(
            description: "MSRResNet, ReLU to PReLU", small: MSRResNet(features: 5, blocks: 2, scale: 2, ending: .direct),
            large: MSRResNet(features: 5, blocks: 2, scale: 2, ending: .direct, activation: .prelu)),
        Pair(
            description: "MSRResNet with PReLU", small: MSRResNet(features: 5, blocks: 1, scale: 4, activation: .prelu),
            large: MSRResNet(features: 7, blocks: 3, scale: 4, activation: .prelu)),
        Pair(description: "EDSR", small: EDSR(features: 4, blocks: 2, scale: 4), large: EDSR(features: 6, blocks: 3, scale: 4)),
        Pair(description: "SPAN", small: SPAN(features: 4, scale: 2, norm: false), large: SPAN(features: 7, scale: 2, norm: false)),
        Pair(description: "SRResNet", small: SRResNet(features: 4, blocks: 2, scale: 2), large: SRResNet(features: 6, blocks: 2, scale: 2)),
        Pair(description: "RRDBNet", small: RRDBNet(features: 4, blocks: 1, growth: 3, unshuffle: 2), large: RRDBNet(features: 7, blocks: 1, growth: 5, unshuffle: 2)),
        Pair(description: "Compact of one layer", small: Compact(features: 4, convolutions: 0, scale: 1), large: Compact(features: 6, convolutions: 1, scale: 1)),
    ]

    private func random(_ network: Network, seed: UInt64) -> StateDict {
        var generator = SplitMix(seed: seed), weights = StateDict()
        for p in network.parameters {
            let bound: Float = p.shape.count == 4 ? (3 / Float(p.shape.dropFirst().reduce(1, *))).squareRoot() : 0.4
            let range: ClosedRange<Float> = p.key.hasSuffix("running_var") ? 0.5...2 : -bound...bound
            weights[p.key] = Tensor(shape: p.shape, values: (0..<p.shape.reduce(1, *)).map { _ in Float.random(in: range, using: &generator) })
        }
        return weights
    }

    @Test(arguments: pairs)
    func isTheSameFunction(_ pair: Pair) throws {
        let (small, large) = (try pair.small.network(), try pair.large.network())
        let saved = random(small, seed: 1), fresh = random(large, seed: 2)
        let grown = try #require(Growth.grown(saved, scale: small.scale, into: large, fresh: fresh))
        #expect(Set(grown.keys) == Set(large.parameters.map(\.key)))
        let runtime = try TorchRuntime.shared()
        let x = try TorchTensor(Tensor(shape: [1, 3, 8, 10], values: (0..<240).map { Float($0 * 37 % 101) / 100 }), device: "cpu", runtime: runtime)
        let expected = try TorchNetwork(small, weights: saved, runtime: runtime)(x).floats()
        let result = try TorchNetwork(large, weights: grown, runtime: runtime)(x).floats()
        #expect(result.shape == expected.shape)
        let largest = zip(result.values, expected.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        let scale = expected.values.reduce(1) { max($0, abs($1)) }
        #expect(largest < 1e-5 * scale, "differs by \(largest) of \(scale)")
        // The fresh weights would not have done.
        let other = try TorchNetwork(large, weights: fresh, runtime: runtime)(x).floats()
        #expect(zip(other.values, expected.values).contains { abs($0 - $1) > 1e-2 })
    }

    /// Only the last convolution stays fresh where the scale differs too.
    @Test func anotherScale() throws {
        let small = try Compact(features: 6, convolutions: 2, scale: 2).network(), large = try Compact(features: 8, convolutions: 3, scale: 4).network()
        let grown = try #require(Growth.grown(random(small, seed: 1), scale: 2, into: large, fresh: random(large, seed: 2)))
        #expect(Set(large.parameters.map(\.key)).subtracting(grown.keys) == ["body.8.weight", "body.8.bias"])
    }

    @Test func nothingToGrow() throws {
        let network = try Compact(features: 6, convolutions: 2, scale: 2).network(), weights = random(network, seed: 1)
        #expect(Growth.grown(weights, scale: 2, into: network, fresh: weights) == nil)
        let larger = try Compact(features: 6, convolutions: 2, scale: 4).network()
        #expect(Growth.grown(weights, scale: 2, into: larger, fresh: random(larger, seed: 2)) == nil, "another scale alone")
        let smaller = try Compact(features: 4, convolutions: 2, scale: 2).network()
        #expect(Growth.grown(weights, scale: 2, into: smaller, fresh: random(smaller, seed: 2)) == nil, "nothing shrinks")
        let other = try MSRResNet(features: 8, blocks: 1, scale: 2).network()
        #expect(Growth.grown(weights, scale: 2, into: other, fresh: random(other, seed: 2)) == nil)
        #expect(Growth.grown([:], scale: 2, into: network, fresh: weights) == nil)
    }

    /// A recipe's warm start grows, says so, and starts where the small network was.
    @Test func warmStart() throws {
        let folder = try Folder()
        let small = try Compact(features: 6, convolutions: 1, scale: 2).network(), saved = random(small, seed: 3)
        var writer = SafetensorsWriter(metadata: [:])
        for (key, tensor) in saved { try writer.add(key, tensor) }
        try writer.write(to: folder.file("small.safetensors"))
        let recipe = try Recipe(contentsOf: folder.recipe(["warm_start": folder.file("small.safetensors")]))
        let network = try recipe.network()
        var generator = SplitMix(seed: 1)
        var notes: [String] = []
        let weights = try recipe.freshWeights(of: network, using: &generator) { notes.append($0) }
        #expect(notes.count == 2 && notes[0].contains("grown into \(network.parameterCount)"))
        let runtime = try TorchRuntime.shared()
        let x = try TorchTensor(Tensor(shape: [1, 3, 6, 6], values: (0..<108).map { Float($0 * 31 % 97) / 96 }), device: "cpu", runtime: runtime)
        let expected = try TorchNetwork(small, weights: saved, runtime: runtime)(x).floats().values
        let result = try TorchNetwork(network, weights: weights, runtime: runtime)(x).floats().values
        #expect(zip(result, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
