// DiscriminatorsTests: verdicts, losses and gradients of both discriminators against PyTorch's modules (Tests/References/training.py).

import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct DiscriminatorsTests {
    /// Weights in the order of their sorted keys, as the script fills them.
    private func weights(_ kind: Discriminator.Kind) throws -> StateDict {
        var random = SplitMix(seed: 1)
        let fresh = try Discriminator(kind, inputChannels: 3, features: 4, using: &random, device: "cpu", runtime: TorchRuntime.shared())
        var result = StateDict()
        let shapes = try Dictionary(uniqueKeysWithValues: (fresh.parameters + fresh.buffers).map { ($0.key, try $0.tensor.shape) })
        for (index, key) in shapes.keys.sorted().enumerated() {
            var tensor = formula(shapes[key] ?? [], UInt64(index + 1))
            if key.hasSuffix("_u") || key.hasSuffix("_v") {
                let length = Float(norm(tensor))
                tensor.values = tensor.values.map { $0 / length }
            }
            if key.hasSuffix("running_var") || (key.hasPrefix("bn") && key.hasSuffix("weight")) { tensor = tensor.shifted(1) }
            result[key] = tensor
        }
        return result
    }

    private func adversary(_ discriminator: String, _ kind: String) throws -> (Adversary, Adversary.Verdicts, TorchTensor) {
        let folder = try Folder()
        let isUNet = discriminator == "unet"
        var writer = SafetensorsWriter(metadata: [:])
        for (key, tensor) in try weights(isUNet ? .unet : .vgg(side: 32)) { try writer.add(key, tensor) }
        try writer.write(to: folder.file("d.safetensors"))
        let side = isUNet ? 16 : 32
        let recipe = try Recipe(contentsOf: folder.recipe([
            "loss": String?.none, "patch": side / 2,
            "losses": ["l1": 1, "gan": ["discriminator": discriminator, "kind": kind, "features": 4, "weights": folder.file("d.safetensors"), "rate": 0.01] as [String: Any]] as [String: Any],
        ]))
        let gan = try #require(recipe.losses?.gan)
        let adversary = try Adversary(
            gan, network: recipe.network(), patchSides: [side / 2], precision: .fp32, seed: 1, device: "cpu", runtime: TorchRuntime.shared())
        let made = try onDevice(formula([2, 3, side, side], 100).shifted(0.5)).watched()
        let real = try onDevice(formula([2, 3, side, side], 200).shifted(0.5))
        return (adversary, try adversary.judge(made, truth: real), made)
    }

    private func gradientNorm(_ adversary: Adversary, _ v: Adversary.Verdicts) throws -> (value: Double, norm: Double) {
        let loss = try adversary.discriminatorLoss(v)
        let parameters = adversary.discriminator.parameters.map(\.tensor)
        try loss.backward(to: parameters, keepingGraph: true)
        let squares = try parameters.map { Double(norm(try $0.gradient().floats())) }.reduce(0) { $0 + $1 * $1 }
        try TorchOptimiser.zeroGradients(parameters)
        return (try loss.item(), squares.squareRoot())
    }

    @Test func unet() throws {
        let (vanilla, v, made) = try adversary("unet", "vanilla")
        let logits = try v.made.logits.floats()
        #expect(logits.shape == [2, 1, 16, 16])
        #expect(isClose(Double(logits.values[0]), -0.4475269) && isClose(Double(logits.values[511]), -0.39020914))
        #expect(try isClose(v.made.logits.mean().item(), -0.53459656) && isClose(v.real.logits.mean().item(), -0.52546728))
        let loss = try vanilla.generatorLoss(v)
        #expect(try isClose(loss.item(), 1.0028622))
        #expect(isClose(norm(try loss.gradient(at: made, keepingGraph: true).floats()), 0.014087479))
        let own = try gradientNorm(vanilla, v)
        #expect(isClose(own.value, 1.4649146) && isClose(own.norm, 0.38242936))
        // One power iteration, however many batches.
        let buffers = Dictionary(uniqueKeysWithValues: vanilla.discriminator.buffers.map { ($0.key, $0.tensor) })
        #expect(try isClose(Double(#require(buffers["conv1.weight_u"]).floats().values[0]), -0.23485203))
        #expect(try isClose(Double(#require(buffers["conv8.weight_v"]).floats().values[3]), 0.0058180378))

        let (relativistic, r, leaf) = try adversary("unet", "relativistic")
        let generator = try relativistic.generatorLoss(r)
        #expect(try isClose(generator.item(), 0.70511478))
        #expect(isClose(norm(try generator.gradient(at: leaf, keepingGraph: true).floats()), 0.010982465))
        let other = try gradientNorm(relativistic, r)
        #expect(isClose(other.value, 0.69598544) && isClose(other.norm, 0.040086754))
    }

    @Test func vgg() throws {
        let (vanilla, v, made) = try adversary("vgg", "vanilla")
        let logits = try v.made.logits.floats()
        #expect(logits.shape == [2, 1])
        #expect(isClose(Double(logits.values[0]), 1.1470129, 1e-3) && isClose(Double(logits.values[1]), 2.0767703, 1e-3))
        #expect(try isClose(v.real.logits.mean().item(), 6.8733978, 1e-3))
        let loss = try vanilla.generatorLoss(v)
        #expect(try isClose(loss.item(), 0.19693998, 1e-3))
        #expect(isClose(norm(try loss.gradient(at: made, keepingGraph: true).floats()), 6.4932065, 1e-3))
        let own = try gradientNorm(vanilla, v)
        #expect(isClose(own.value, 1.8199426, 1e-3) && isClose(own.norm, 64.341553, 1e-3))
        let buffers = Dictionary(uniqueKeysWithValues: vanilla.discriminator.buffers.map { ($0.key, $0.tensor) })
        #expect(try isClose(Double(#require(buffers["bn0_1.running_mean"]).floats().values[0]), -0.192724))
        #expect(try isClose(Double(#require(buffers["bn2_1.running_var"]).floats().values[1]), 1.9083716))

        let (relativistic, r, leaf) = try adversary("vgg", "relativistic")
        let generator = try relativistic.generatorLoss(r)
        #expect(try isClose(generator.item(), 5.2910619, 1e-3))
        #expect(isClose(norm(try generator.gradient(at: leaf, keepingGraph: true).floats()), 31.469133, 1e-3))
        let other = try gradientNorm(relativistic, r)
        #expect(isClose(other.value, 0.029555751, 1e-3) && isClose(other.norm, 3.5899911, 1e-3))
    }

    /// Feature matching is the L1 between the activations, and gives nothing to the discriminator's side of the truth.
    @Test func matching() throws {
        let (adversary, v, made) = try adversary("unet", "vanilla")
        let expected = try zip(v.made.features, v.real.features).map { a, b in
            let (p, q) = (try a.floats().values, try b.floats().values)
            return zip(p, q).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(p.count)
        }
        #expect(expected.count == 7)
        let loss = try adversary.matchingLoss(v)
        #expect(try isClose(loss.item(), expected.reduce(0, +) / 7))
        #expect(norm(try loss.gradient(at: made, keepingGraph: true).floats()) > 0)
        for parameter in adversary.discriminator.parameters {
            #expect(throws: AcuityError.self, "the generator's loss gives \(parameter.key) nothing") { try parameter.tensor.gradient() }
        }
    }

    /// Told apart a few times, truth and output are told apart.
    @Test(arguments: ["unet", "vgg"], ["vanilla", "relativistic"])
    func learns(discriminator: String, kind: String) throws {
        let (adversary, first, made) = try adversary(discriminator, kind)
        let side = try made.shape[2]
        let real = try onDevice(formula([2, 3, side, side], 200).shifted(0.5))
        let before = try adversary.discriminatorLoss(first).item()
        var last = first
        for step in 1...8 {
            try adversary.update(last, rate: 0.5, step: step)
            last = try adversary.judge(made, truth: real)
        }
        #expect(try adversary.discriminatorLoss(last).item() < before)
        let (p, q) = try adversary.probabilities(last)
        #expect(try p.item() > q.item())
    }

    @Test func sizes() throws {
        var random = SplitMix(seed: 1)
        let runtime = try TorchRuntime.shared()
        // As published: 4.38 M, and ESRGAN's for 128 pixels.
        #expect(try Discriminator(.unet, inputChannels: 3, features: 64, using: &random, device: "cpu", runtime: runtime).parameterCount == 4_376_897)
        let vgg = try Discriminator(.vgg(side: 128), inputChannels: 3, features: 64, using: &random, device: "cpu", runtime: runtime)
        #expect(vgg.parameters.contains { $0.key == "conv4_1.weight" } && vgg.parameters.contains { $0.key == "bn4_1.bias" })
        #expect(throws: AcuityError.self) { try Discriminator(.vgg(side: 96), inputChannels: 3, features: 4, using: &random, device: "cpu", runtime: runtime) }
        #expect(throws: AcuityError.self) {
            try Discriminator(.unet, inputChannels: 3, features: 4, weights: ["conv0.weight": formula([4, 3, 3, 3], 1)], using: &random, device: "cpu", runtime: runtime)
        }
    }
}
