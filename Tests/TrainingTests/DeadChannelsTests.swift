// DeadChannelsTests: channels that never fire are found, and get new kernels that change nothing but can learn.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.serialized, .enabled(if: hasTorch, torchMissing)) struct DeadChannelsTests {
    /// One dead channel in the first block, all in the second.
    private func dying(_ architecture: MSRResNet) throws -> (network: Network, weights: StateDict) {
        let network = try architecture.network()
        var generator = SplitMix(seed: 5), weights = StateDict()
        for p in network.parameters {
            let bound: Float = p.shape.count == 4 ? (3 / Float(p.shape.dropFirst().reduce(1, *))).squareRoot() : 0.1
            weights[p.key] = Tensor(shape: p.shape, values: (0..<p.shape.reduce(1, *)).map { _ in Float.random(in: -bound...bound, using: &generator) })
        }
        weights["body.0.conv1.bias"]?.values[3] = -100
        weights["body.1.conv1.bias"]?.values = [Float](repeating: -100, count: architecture.features)
        return (network, weights)
    }

    private func picture(_ runtime: TorchRuntime) throws -> TorchTensor {
        try TorchTensor(Tensor(shape: [1, 3, 8, 10], values: (0..<240).map { Float($0 * 37 % 101) / 100 }), device: "cpu", runtime: runtime)
    }

    /// The network's output, and the gradients of its distance to −1.
    private func gradients(_ network: Network, _ weights: StateDict) throws -> (output: [Float], gradients: StateDict) {
        let runtime = try TorchRuntime.shared()
        let torch = try TorchNetwork(network, weights: weights, requiresGradient: true, runtime: runtime)
        let output = try torch(picture(runtime))
        let target = try TorchTensor(Tensor(shape: output.shape, values: [Float](repeating: -1, count: output.shape.reduce(1, *))), device: "cpu", runtime: runtime)
        try output.mse(to: target).backward()
        return (try output.floats().values, try torch.parameters.mapValues { try $0.gradient().floats() })
    }

    @Test func areFoundByTheirGradients() throws {
        let (network, weights) = try dying(MSRResNet(features: 5, blocks: 3, scale: 2))
        let means = try gradients(network, weights).gradients
        let dead = DeadChannels(of: network) { means[$0] }
        #expect(dead.total == 15 && dead.count == 6)
        #expect(dead.layers.map(\.key) == ["body.0.conv1", "body.1.conv1"] && dead.layers.map(\.channels) == [[3], [0, 1, 2, 3, 4]])
        #expect(dead.layers.map(\.readers) == [["body.0.conv2"], ["body.1.conv2"]])
        // Slopes have no dead, and what is added to others cannot be left out.
        #expect(try DeadChannels(of: Compact(features: 4, convolutions: 2, scale: 2).network()) { means[$0] }.total == 0)
    }

    @Test func revivingChangesNothingAtFirst() throws {
        let (network, weights) = try dying(MSRResNet(features: 5, blocks: 3, scale: 2))
        let before = try gradients(network, weights)
        let dead = DeadChannels(of: network) { before.gradients[$0] }
        var revived = weights, generator = SplitMix(seed: 1)
        let changed = dead.revive(&revived, using: &generator)
        #expect(changed == ["body.0.conv1.weight", "body.0.conv1.bias", "body.0.conv2.weight", "body.1.conv1.weight", "body.1.conv1.bias", "body.1.conv2.weight"])
        #expect(weights.allSatisfy { changed.contains($0.key) || revived[$0.key] == $0.value })
        let after = try gradients(network, revived)
        #expect(zip(before.output, after.output).allSatisfy { abs($0 - $1) < 1e-5 })

        // Of the reader's kernel the columns of what was dead are zero and have a gradient, where they had none.
        func column(_ state: StateDict, _ channel: Int) throws -> [Float] {
            let kernel = try #require(state["body.1.conv2.weight"])
            return (0..<5).flatMap { o in kernel.values[(o * 5 + channel) * 9..<(o * 5 + channel + 1) * 9] }
        }
        for channel in 0..<5 {
            #expect(try column(revived, channel).allSatisfy { $0 == 0 })
            #expect(try column(before.gradients, channel).allSatisfy { $0 == 0 })
        }
        #expect(try (0..<5).flatMap { try column(after.gradients, $0) }.contains { abs($0) > 1e-6 })

        var means = before.gradients.mapValues { Tensor(shape: $0.shape, values: $0.values.map { _ in 1 }) }
        #expect(dead.forget(&means) == changed)
        #expect(try column(means, 2).allSatisfy { $0 == 0 } && means["body.0.conv1.bias"]?.values == [1, 1, 1, 0, 1])
    }

    /// A run counts the dead, revives them where the recipe says so, and they learn.
    @Test(arguments: [false, true]) func inARun(revives: Bool) throws {
        oneRun.lock()
        defer { oneRun.unlock() }
        let folder = try Folder()
        try folder.makeShards()
        let (_, weights) = try dying(MSRResNet(features: 5, blocks: 2, scale: 2))
        var writer = SafetensorsWriter(metadata: [:])
        for (key, tensor) in weights { try writer.add(key, tensor) }
        try writer.write(to: folder.file("dying.safetensors"))
        let path = try folder.recipe([
            "architecture": ["name": "MSRResNet", "features": 5, "blocks": 2], "patch": 8, "batch": 1, "warm_start": folder.file("dying.safetensors"),
            "revive": revives ? 500 : 0, "optimiser": ["name": "muon", "rate": 1e-5, "muon_rate": 1e-4],
        ])
        var messages: [String] = [], dead: [Int] = []
        try train(Recipe(contentsOf: path), directory: folder.file("run"), steps: 1000, threads: 1) { event in
            switch event {
            case .message(let text): messages.append(text)
            case .validation(let progress, _): if let count = progress.dead?.count { dead.append(count) }
            default: break
            }
        }
        #expect(messages.contains("step 500: 6 dead channels got new kernels") == revives)
        #expect(dead == [revives ? 0 : 6])
        let row = try #require(SafetensorsFile(path: folder.file("run/checkpoint.safetensors")).weights()["muon.momentum/body.1.conv1.weight"])
        #expect(row.values.contains { $0 != 0 } == revives)
    }

    @Test func recipesAreChecked() throws {
        let folder = try Folder()
        for changes: [String: Any] in [["revive": 20], ["revive": -1], ["revive": 0.5], ["revive": 600, "reparameterise": "ecb"]] {
            #expect(throws: AcuityError.self) { try Recipe(contentsOf: folder.recipe(changes)) }
        }
        #expect(try Recipe(contentsOf: folder.recipe()).revive == 0)
        #expect(try Recipe(contentsOf: folder.recipe(["revive": 600])).revive == 600)
    }
}
