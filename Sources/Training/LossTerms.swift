// LossTerms: what a generator can be asked to minimise, term by term, and the shares in which the terms count.

package import SuperResolution
package import TorchEngine

/// What a term may look at.
package struct LossSample {
    /// N×C×h×w.
    package let low: TorchTensor
    /// N×C×H×W of the network, ``TorchEngine/TorchTensor/watched()``.
    package let output: TorchTensor
    /// What the output is drawn to.
    package let target: TorchTensor
    /// What is real to the discriminator: the target, unsharpened.
    package let truth: TorchTensor
    /// Where discriminator and features judge the output, N×1×H×W; everywhere without.
    package let texture: TorchTensor?
    /// Of the run, for what wanders from step to step.
    package let step: Int
    /// What the discriminator says, where there is one.
    package var verdicts: Adversary.Verdicts?

    package init(
        low: TorchTensor, output: TorchTensor, target: TorchTensor, truth: TorchTensor, texture: TorchTensor? = nil, step: Int = 0,
        verdicts: Adversary.Verdicts? = nil
    ) {
        self.low = low
        self.output = output
        self.target = target
        self.truth = truth
        self.texture = texture
        self.step = step
        self.verdicts = verdicts
    }

    /// The output where there is texture, a picture like it where it is calm.
    package func judged(beside picture: TorchTensor) throws -> TorchTensor {
        try texture.map { try TextureMask.composite(output, on: picture, mask: $0) } ?? output
    }
}

/// One term: its name, its share and its value, a scalar.
package struct LossTerm {
    package let name: String
    package let share: Double
    package let value: (LossSample) throws -> TorchTensor

    package init(name: String, share: Double, value: @escaping (LossSample) throws -> TorchTensor) {
        self.name = name
        self.share = share
        self.value = value
    }
}

/// The loss of a recipe with the frozen networks that it needs.
package final class GeneratorLoss {
    /// A step's result.
    package struct Step {
        /// With respect to the output.
        package let gradient: TorchTensor
        /// In the order of the terms, on the device.
        package let values: [TorchTensor]
    }

    package let terms: [LossTerm]
    /// The features of the term `perceptual`.
    package let features: PerceptualFeatures?
    /// Where discriminator and features judge, if not everywhere.
    package let texture: TextureMask?
    private let isBalanced: Bool
    private let every: Int
    /// The last part of a run, see ``Recipe/mseFraction``.
    private let finish = LossTerm(name: "mse", share: 1) { try $0.output.mse(to: $0.target) }

    /// - Parameters:
    ///   - adversary: where `losses.gan` is given.
    ///   - average: the running average's output for a batch, for `artefact`.
    package init(
        _ recipe: Recipe, network: Network, adversary: Adversary?, device: String, runtime: TorchRuntime,
        average: @escaping (TorchTensor) throws -> TorchTensor
    ) throws {
        guard let losses = recipe.losses else {
            terms = [recipe.loss == .mse ? finish : LossTerm(name: "l1", share: 1) { try $0.output.l1(to: $0.target) }]
            (isBalanced, every, features, texture) = (false, 1, nil, nil)
            return
        }
        if network.colour == .luma, losses.perceptual != nil { throw AcuityError(.training, "losses.perceptual needs a network of three colours") }
        let features = try losses.perceptual.map {
            try PerceptualFeatures(path: $0.weights, layers: $0.layers, precision: recipe.precision, device: device, runtime: runtime)
        }
        let autoencoder = try losses.autoencoder.map { try Autoencoder($0.weights, network: network, precision: recipe.precision, device: device, runtime: runtime) }
        let teacher = try recipe.teacher.map { try Teacher($0, network: network, precision: recipe.precision, device: device, runtime: runtime) }

        let grid = GridMeans(scale: network.scale, device: device, runtime: runtime)
        let across = GridMeans(scale: network.scale, height: 1, device: device, runtime: runtime)
        let down = GridMeans(scale: network.scale, width: 1, device: device, runtime: runtime)

        func verdicts(_ s: LossSample) throws -> Adversary.Verdicts {
            guard let verdicts = s.verdicts else { throw AcuityError(.training, "the discriminator was not asked") }
            return verdicts
        }
        let made: [String: (LossSample) throws -> TorchTensor?] = [
            "l1": { try $0.output.l1(to: $0.target) },
            "charbonnier": { try $0.output.charbonnier(to: $0.target, epsilon: 1e-3) },
            "mse": { try $0.output.mse(to: $0.target) },
            "psnr": { try $0.output.logMSE(to: $0.target, floor: 1e-5) },
            "autoencoder": { s in try autoencoder.map { try $0(s.output).l1(to: $0(s.target)) } },
            "teacher": { s in try teacher.map { try s.output.l1(to: $0(s.low)) } },
            "fft": { try $0.output.spectrum().l1(to: $0.target.spectrum()) },
            "gradient": { try $0.output.gradientL1(to: $0.target) },
            "edge": { try $0.output.edgeL1(to: $0.target) },
            "grid": { try grid($0.output).l1(to: grid($0.target)) },
            "rows": { try across($0.output).l1(to: across($0.target)).adding(down($0.output).l1(to: down($0.target))) },
            "perceptual": { s in try features?.loss(s.judged(beside: s.target), to: s.target, step: s.step) },
            "artefact": { s in
                let map = try s.output.artefactMap(target: s.target, average: average(s.low))
                return try s.output.multiplied(by: map).l1(to: s.target.multiplied(by: map))
            },
            "gan": { s in try adversary?.generatorLoss(verdicts(s)) },
            "matching": { s in try adversary?.matchingLoss(verdicts(s)) },
        ]
        terms = losses.shares.map { name, share in
            LossTerm(name: name, share: share) { sample in
                guard let value = try made[name]?(sample) else { throw AcuityError(.training, "losses.\(name) is not set up") }
                return value
            }
        }
        self.features = features
        texture = losses.calm.map { TextureMask(levels: $0, device: device, runtime: runtime) }
        (isBalanced, every) = (losses.balance && terms.count > 1, losses.every)
    }

    /// The terms at a fraction of the run.
    package func active(_ fraction: Double, mseFraction: Double) -> [LossTerm] { fraction >= 1 - mseFraction ? [finish] : terms }

    /// Takes the terms and their weighted gradient at the output.
    ///
    /// All terms are functions of the output alone, so their gradients can be compared there, where one picture's worth of numbers says how hard
    /// each pulls; the network is then walked once with their sum. Every ``Recipe/Losses/every`` steps each term is walked by itself
    /// and its norm measured.
    package func callAsFunction(_ sample: LossSample, terms: [LossTerm], step: Int, balance: inout LossBalance) throws -> Step {
        // The discriminator's update walks the same graph later.
        let keeps = sample.verdicts != nil
        let values = try terms.map { try $0.value(sample) }
        if isBalanced, terms.count > 1, step % every == 0 {
            let gradients = try values.map { try $0.gradient(at: sample.output, keepingGraph: keeps) }
            let norms = try TorchTensor.values(of: gradients.map { try $0.norm() })
            balance.measured(terms.map(\.name), norms: norms)
            let weighted = try zip(terms, gradients).map { try $1.scaled(by: Float(balance.weight(of: $0, among: terms))) }
            return Step(gradient: try Self.sum(weighted).converted(to: .float32, channelsLast: true), values: values)
        }
        let weighted = try zip(terms, values).map { term, value in
            let weight = weight(of: term, among: terms, balance: balance)
            return weight == 1 ? value : try value.scaled(by: Float(weight))
        }
        let gradient = try Self.sum(weighted).gradient(at: sample.output, keepingGraph: keeps)
        // Whatever layout the terms prefer: the network's backward pass is fastest with its own.
        return Step(gradient: try gradient.converted(to: .float32, channelsLast: true), values: values)
    }

    /// What a term is multiplied by.
    package func weight(of term: LossTerm, among terms: [LossTerm], balance: LossBalance) -> Double {
        isBalanced && terms.count > 1 ? balance.weight(of: term, among: terms) : term.share
    }

    private static func sum(_ tensors: [TorchTensor]) throws -> TorchTensor {
        guard let first = tensors.first else { throw AcuityError(.training, "the loss has no term") }
        return try tensors.dropFirst().reduce(first) { try $0.adding($1) }
    }
}

/// Smoothed norms of the terms' gradients at the output, and the weights that follow from them.
package struct LossBalance: Sendable, Hashable {
    /// By term.
    package private(set) var norms: [String: Double] = [:]
    /// How much of an old norm a measurement leaves.
    package static let smoothing = 0.9
    /// No weight is larger, so that a term which has no gradient to speak of does not become noise (Esser et al. 2021).
    package static let limit = 1e4

    package init() {}

    package mutating func measured(_ names: [String], norms measured: [Double]) {
        for (name, norm) in zip(names, measured) where norm.isFinite {
            norms[name] = norms[name].map { Self.smoothing * $0 + (1 - Self.smoothing) * norm } ?? norm
        }
    }

    /// share · ‖gradient of the first term‖ / ‖gradient of this one‖; the first term's weight is 1, as only ratios matter.
    package func weight(of term: LossTerm, among terms: [LossTerm]) -> Double {
        guard let first = terms.first, term.name != first.name else { return 1 }
        guard let own = norms[term.name], let reference = norms[first.name], own > 0 else { return 0 }
        return min(Self.limit, term.share / first.share * reference / own)
    }

    // MARK: - Checkpoint

    /// `name=norm` with every bit of the norm.
    package var text: String { norms.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ") }

    package init?(text: String) {
        for entry in text.split(separator: " ") {
            let parts = entry.split(separator: "=")
            guard parts.count == 2, let norm = Double(parts[1]) else { return nil }
            norms[String(parts[0])] = norm
        }
    }
}
