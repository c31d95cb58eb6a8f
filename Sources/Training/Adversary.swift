// Adversary: a discriminator in training: its verdicts, both sides' losses, and its optimiser's state.

package import SuperResolution
package import TorchEngine

/// The discriminator of a run with everything of it that changes.
///
/// A step judges output and truth once. The generator's loss and the discriminator's read the same two verdicts, as the discriminator does not
/// change in between, which saves a third of its work.
package final class Adversary {
    package typealias GAN = Recipe.Losses.GAN

    /// What the discriminator says of a batch of outputs and of the truths they stand for.
    package struct Verdicts {
        package let made: Discriminator.Verdict
        package let real: Discriminator.Verdict
    }

    package let discriminator: Discriminator
    private let gan: GAN
    private let precision: Precision
    private let adam: (parameters: [TorchTensor], first: [TorchTensor], second: [TorchTensor])

    package init(_ gan: GAN, network: Network, patchSides: [Int], precision: Precision, seed: UInt64, device: String, runtime: TorchRuntime) throws {
        let sides = Set(patchSides.map { $0 * network.scale })
        let kind: Discriminator.Kind
        switch gan.discriminator {
        case .unet:
            if let side = sides.first(where: { $0 % 8 != 0 }) {
                throw AcuityError(.training, "the unet discriminator takes patches of a multiple of 8 high-resolution pixels, not \(side)")
            }
            kind = .unet
        case .vgg:
            guard sides.count == 1, let side = sides.first else { throw AcuityError(.training, "the vgg discriminator takes patches of one size") }
            kind = .vgg(side: side)
        }
        // A generator of its own, so that a recipe's weights and patches do not depend on its losses.
        var random = SplitMix(seed: seed ^ 0x6469_7363)
        let saved = try gan.weights.map(Self.savedWeights)
        discriminator = try Discriminator(
            kind, inputChannels: network.colour == .luma ? 1 : 3, features: gan.features, weights: saved, using: &random, device: device,
            runtime: runtime)
        self.gan = gan
        self.precision = precision
        let parameters = discriminator.parameters.map(\.tensor)
        func zeros() throws -> [TorchTensor] { try parameters.map { try $0.scaled(by: 0).leaf(requiresGradient: false) } }
        adam = (parameters, try zeros(), try zeros())
    }

    /// A discriminator's weights: a file of them, or the discriminator in a run's checkpoint.
    private static func savedWeights(_ path: String) throws -> StateDict {
        if path.hasSuffix(".safetensors") {
            let own = try SafetensorsFile(path: path).weights().filter { $0.key.hasPrefix("discriminator/") }
            if !own.isEmpty { return StateDict(uniqueKeysWithValues: own.map { (String($0.key.dropFirst("discriminator/".count)), $0.value) }) }
        }
        return try Checkpoint.load(path: path).weights
    }

    /// Judges a batch.
    /// - Parameters:
    ///   - output: the generator's, cut off from it.
    ///   - truth: the same pictures as they are.
    package func judge(_ output: TorchTensor, truth: TorchTensor) throws -> Verdicts {
        try discriminator.prepare(precision: precision)
        return Verdicts(made: try discriminator(output), real: try discriminator(truth))
    }

    /// What the generator minimises.
    ///
    /// `vanilla`: BCE(D(made), 1). `relativistic`: ½ (BCE(D(real) − mean D(made), 0) + BCE(D(made) − mean D(real), 1)).
    package func generatorLoss(_ v: Verdicts) throws -> TorchTensor {
        switch gan.kind {
        case .vanilla: return try v.made.logits.logistic(real: true)
        case .relativistic:
            let real = try v.real.logits.detached()
            return try Self.relative(real, to: v.made.logits).logistic(real: false)
                .adding(Self.relative(v.made.logits, to: real).logistic(real: true)).scaled(by: 0.5)
        }
    }

    /// Mean over layers of the L1 between the discriminator's features of output and truth (Wang et al. 2018, pix2pixHD).
    package func matchingLoss(_ v: Verdicts) throws -> TorchTensor {
        let terms = try zip(v.made.features, v.real.features).map { try $0.l1(to: $1.detached()) }
        guard let first = terms.first else { throw AcuityError(.training, "the discriminator has no features") }
        return try terms.dropFirst().reduce(first) { try $0.adding($1) }.scaled(by: 1 / Float(terms.count))
    }

    /// What the discriminator minimises.
    ///
    /// `vanilla`: BCE(D(real), 1) + BCE(D(made), 0). `relativistic`: ½ (BCE(D(real) − mean D(made), 1) + BCE(D(made) − mean D(real), 0)), each
    /// mean taken as a constant, as in BasicSR.
    package func discriminatorLoss(_ v: Verdicts) throws -> TorchTensor {
        switch gan.kind {
        case .vanilla: return try v.real.logits.logistic(real: true).adding(v.made.logits.logistic(real: false))
        case .relativistic:
            return try Self.relative(v.real.logits, to: v.made.logits.detached()).logistic(real: true)
                .adding(Self.relative(v.made.logits, to: v.real.logits.detached()).logistic(real: false)).scaled(by: 0.5)
        }
    }

    /// One step of Adam on the discriminator.
    /// - Parameters:
    ///   - rate: factor on the recipe's peak rate.
    ///   - step: counts from 1.
    /// - Returns: the loss before it.
    @discardableResult
    package func update(_ v: Verdicts, rate: Double, step: Int) throws -> TorchTensor {
        let loss = try discriminatorLoss(v)
        try loss.backward(to: adam.parameters)
        try TorchOptimiser.adam(
            adam.parameters, first: adam.first, second: adam.second, rate: gan.rate * rate, betas: (gan.betas[0], gan.betas[1]), step: step)
        try TorchOptimiser.zeroGradients(adam.parameters)
        discriminator.release()
        return try loss.detached()
    }

    /// Mean probabilities that truths and outputs are taken for real; for `relativistic`, for more real than the other.
    package func probabilities(_ v: Verdicts) throws -> (real: TorchTensor, made: TorchTensor) {
        switch gan.kind {
        case .vanilla: return (try v.real.logits.meanProbability(), try v.made.logits.meanProbability())
        case .relativistic:
            return (
                try Self.relative(v.real.logits, to: v.made.logits).meanProbability(), try Self.relative(v.made.logits, to: v.real.logits).meanProbability()
            )
        }
    }

    private static func relative(_ a: TorchTensor, to b: TorchTensor) throws -> TorchTensor {
        try a.converted(to: .float32).adding(b.mean().scaled(by: -1))
    }

    /// For the checkpoint.
    package var tensors: [(String, TorchTensor)] {
        let keys = discriminator.parameters.map(\.key)
        return (discriminator.parameters + discriminator.buffers).map { ("discriminator/" + $0.key, $0.tensor) }
            + zip(keys, adam.first).map { ("discriminator.adam.first/" + $0, $1) } + zip(keys, adam.second).map { ("discriminator.adam.second/" + $0, $1) }
    }
}
