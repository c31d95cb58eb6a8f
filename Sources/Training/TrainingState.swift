// TrainingState: everything that changes during a run, and its checkpoint.

import SuperResolution
import TorchEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Weights, running average, optimiser state, discriminator, balance of the loss, clock and random generators. Saved and restored as one safetensors file.
final class TrainingState {
    let network: TorchNetwork
    /// The running average of the weights.
    let average: TorchNetwork
    private(set) var step = 0
    /// Seconds trained so far.
    var elapsed = 0.0
    var random: SplitMix
    /// Makes the batches; what it keeps between steps is saved too.
    var sampler: MixedSampler?
    /// Where the recipe has a GAN.
    let adversary: Adversary?
    /// First steps that are the discriminator's alone.
    let headStart: Int
    var balance = LossBalance()

    /// Where the recipe has `reparameterise`: the network's kernels are made of its branches, which are what is optimised.
    private let reparameterisation: Reparameterisation?
    /// The kernels made after the last step, for the next one; a graph can be walked back only once.
    private var merged: [String: TorchTensor]?

    private let runtime: TorchRuntime
    private let optimiser: Recipe.Optimiser
    /// Every tensor that is optimised, by name, and the names of those of Adam and those of Muon.
    private let leaves: [String: TorchTensor]
    private let adamKeys: [String]
    private let muonKeys: [String]
    /// The network's trainable parameters, and their averages.
    private let parameters: [TorchTensor]
    private let averages: [TorchTensor]
    private let adam: (parameters: [TorchTensor], first: [TorchTensor], second: [TorchTensor])
    private let muon: (parameters: [TorchTensor], momentum: [TorchTensor])
    /// The usual length of the gradient.
    private let usualGradient: TorchTensor
    /// This step's factor on the rates, and the average's decay.
    private(set) var pace = (rate: 0.0, decay: 0.0)
    /// The same for a GPU, which may repeat a recorded step.
    private let numbers: StepNumbers?

    /// - Parameter note: receives a line for a person about where the weights come from.
    init(_ network: Network, recipe: Recipe, device: String, runtime: TorchRuntime, note: (String) -> Void) throws {
        random = SplitMix(seed: recipe.seed)
        try runtime.seed(recipe.seed)
        let weights = try recipe.freshWeights(of: network, using: &random, note: note)
        let trained = try TorchNetwork(network, weights: weights, device: device, requiresGradient: true, runtime: runtime)
        let average = try TorchNetwork(network, weights: weights, device: device, runtime: runtime)
        self.network = trained
        self.average = average
        self.runtime = runtime
        optimiser = recipe.optimiser
        numbers = device.hasPrefix("cuda") ? try StepNumbers(device: device, runtime: runtime) : nil
        // A generator of its own: the same patches as without branches.
        var generator = SplitMix(seed: ~recipe.seed)
        reparameterisation = try recipe.reparameterise.map {
            try Reparameterisation($0, of: network, weights: weights, device: device, runtime: runtime, using: &generator)
        }
        adversary = try recipe.losses?.gan.map {
            try Adversary(
                $0, network: network, patchSides: recipe.patch.map(\.side), precision: recipe.precision, seed: recipe.seed, device: device,
                runtime: runtime)
        }

        headStart = recipe.losses?.gan?.headStart ?? 0

        let trainable = network.parameters.filter(\.isTrainable)
        let kernels = network.kernelKeys
        // Muon is for the matrices of the body: not for the first and last kernel, nor for depth-wise ones.
        let body = Set(
            recipe.optimiser.name == .muon
                ? trainable.filter { $0.shape.count == 4 && $0.shape[1] > 1 && kernels.dropFirst().dropLast().contains($0.key) }.map(\.key) : [])
        let keys = trainable.map(\.key)
        parameters = keys.compactMap { trained.parameters[$0] }
        averages = keys.compactMap { average.parameters[$0] }
        let branches = reparameterisation?.leaves ?? []
        let replaced = Set(branches.map(\.key))
        let optimised = keys.filter { !replaced.contains($0) }.compactMap { key in trained.parameters[key].map { (name: key, key: key, tensor: $0) } } + branches
        let leaves = Dictionary(optimised.map { ($0.name, $0.tensor) }) { first, _ in first }
        self.leaves = leaves
        // A branch's factor per channel is no matrix.
        let matrices = try optimised.filter { try body.contains($0.key) && $0.tensor.shape.count > 1 }.map(\.name)
        muonKeys = matrices
        adamKeys = optimised.map(\.name).filter { !matrices.contains($0) }
        func zeros(_ names: [String]) throws -> [TorchTensor] {
            try names.compactMap { leaves[$0] }.map { try $0.scaled(by: 0).leaf(requiresGradient: false) }
        }
        adam = (adamKeys.compactMap { leaves[$0] }, try zeros(adamKeys), try zeros(adamKeys))
        muon = (muonKeys.compactMap { leaves[$0] }, try zeros(muonKeys))
        usualGradient = try TorchTensor(Tensor(shape: [], values: [0]), device: device, runtime: runtime)
    }

    /// The network on a batch, with its kernels made of their branches where it has any.
    func forward(_ low: TorchTensor, precision: Precision) throws -> TorchTensor {
        let kernels = try merged ?? reparameterisation?.merged() ?? [:]
        merged = nil
        return try network(low, precision: precision, replacing: kernels)
    }

    /// Begins a step: sets what changes from one to the next.
    /// - Parameter rate: factor on the recipe's peak rates.
    func advance(rate: Double, decay: Double) throws {
        step += 1
        // A young average must forget the initialisation.
        pace = (rate, min(decay, Double(1 + step) / Double(10 + step)))
        try numbers?.set(rate: optimiser.rate * rate, betas: betas, step: step, muonRate: optimiser.muonRate * rate, decay: pace.decay)
    }

    /// Ends a step: the optimiser on the gradients that are there, then the running average.
    func update() throws {
        if optimiser.clip > 0 { try TorchOptimiser.limitGradients(of: adam.parameters + muon.parameters, usual: usualGradient, limit: optimiser.clip) }
        if let numbers {
            try numbers.adam(adam.parameters, first: adam.first, second: adam.second, betas: betas)
            try numbers.muon(muon.parameters, momentum: muon.momentum, beta: optimiser.momentum)
        } else {
            try TorchOptimiser.adam(
                adam.parameters, first: adam.first, second: adam.second, rate: optimiser.rate * pace.rate, betas: betas, step: step - headStart)
            try TorchOptimiser.muon(muon.parameters, momentum: muon.momentum, rate: optimiser.muonRate * pace.rate, beta: optimiser.momentum)
        }
        try TorchOptimiser.zeroGradients(adam.parameters + muon.parameters)
        merged = try reparameterisation?.merged()
        for (key, kernel) in merged ?? [:] { try network.parameters[key]?.assign(kernel) }
        if let numbers {
            try numbers.average(averages, of: parameters)
        } else {
            try TorchOptimiser.average(averages, of: parameters, decay: pace.decay)
        }
    }

    // MARK: - Dead channels

    /// Channels that have had no gradient for long; `nil` while it is too early to tell, and where kernels are made of branches.
    func deadChannels() throws -> DeadChannels? {
        guard reparameterisation == nil, step - headStart >= Self.grace else { return nil }
        let means = Dictionary(zip(adamKeys, adam.first)) { first, _ in first }.merging(zip(muonKeys, muon.momentum)) { first, _ in first }
        return try DeadChannels(of: network.network) { try means[$0]?.floats() }
    }

    /// Steps after which a channel without a gradient is taken for dead.
    static let grace = 500

    /// Gives dead channels new kernels, in the weights and in their average.
    /// - Returns: how many.
    func reviveDeadChannels() throws -> Int {
        guard let dead = try deadChannels(), dead.count > 0 else { return 0 }
        /// Reads tensors, has them changed, and writes those that were back.
        func change(_ tensors: [String: TorchTensor], _ body: (inout StateDict) -> Set<String>) throws {
            var values = StateDict()
            for (key, tensor) in tensors { values[key] = try tensor.floats() }
            for key in body(&values) {
                if let value = values[key], let tensor = tensors[key] { try tensor.assign(TorchTensor(value, device: network.device, runtime: runtime)) }
            }
        }
        let before = random
        try change(network.parameters) { dead.revive(&$0, using: &random) }
        // The average gets the same kernels.
        var again = before
        try change(average.parameters) { dead.revive(&$0, using: &again) }
        for (keys, means) in [(adamKeys, adam.first), (adamKeys, adam.second), (muonKeys, muon.momentum)] {
            try change(Dictionary(zip(keys, means)) { first, _ in first }) { dead.forget(&$0) }
        }
        return dead.count
    }

    private var betas: (Double, Double) { (optimiser.betas[0], optimiser.betas[1]) }

    // MARK: - Checkpoint

    private var optimiserTensors: [(String, TorchTensor)] {
        zip(adamKeys, adam.first).map { ("adam.first/" + $0, $1) } + zip(adamKeys, adam.second).map { ("adam.second/" + $0, $1) }
            + zip(muonKeys, muon.momentum).map { ("muon.momentum/" + $0, $1) } + [("gradient/usual", usualGradient)]
    }

    private var tensors: [(String, TorchTensor)] {
        network.parameters.map { ("weights/" + $0, $1) } + average.parameters.map { ("average/" + $0, $1) } + optimiserTensors
            + (reparameterisation?.leaves ?? []).map { ("branches/" + $0.name, $0.tensor) }
            + (adversary?.tensors ?? [])
    }

    /// A tensor's values; a run that has gone astray must not overwrite a good checkpoint.
    func finite(_ tensor: TorchTensor, _ name: String) throws -> Tensor {
        let values = try tensor.floats()
        guard values.values.allSatisfy(\.isFinite) else { throw AcuityError(.training, "\(name) is not finite at step \(step)") }
        return values
    }

    func save(to path: String, recipe: Recipe) throws {
        var writer = SafetensorsWriter(metadata: [
            "format": "acuity-checkpoint",
            "step": String(step),
            "elapsed": String(elapsed),
            "random": String(random.state),
            "balance": balance.text,
            "pool": try sampler?.rememberedPools() ?? "[]",
            "recipe": String(decoding: try JSONEncoder().encode(recipe), as: UTF8.self),
        ])
        for (name, tensor) in tensors { try writer.add(name, try finite(tensor, name)) }
        let state = try runtime.randomState(device: network.device)
        try writer.add("random/torch", .u8, shape: [state.count], bytes: Data(state))
        try writer.write(to: path)
    }

    /// - Parameter recipe: must be the one that the checkpoint was made with, where that matters to the weights.
    func restore(from path: String, recipe: Recipe) throws {
        let file = try SafetensorsFile(path: path)
        guard file.metadata["format"] == "acuity-checkpoint", let step = file.metadata["step"].flatMap(Int.init),
            let elapsed = file.metadata["elapsed"].flatMap(Double.init), let random = file.metadata["random"].flatMap(UInt64.init)
        else { throw AcuityError(.training, "\(path): not a checkpoint") }
        if let recorded = file.metadata["recipe"] {
            // The warm start is over.
            let different = try recipe.differences(from: recorded, apart: Recipe.circumstances.union(["warm_start"]))
            guard different.isEmpty else {
                throw AcuityError(.training, "\(path): was made with another \(different.joined(separator: ", ")); choose another folder")
            }
        }
        for (name, tensor) in tensors {
            let saved = try file.tensor(name)
            guard try saved.shape == tensor.shape else {
                throw AcuityError(.training, "\(path): \(name) has shape \(saved.shape); the recipe has changed")
            }
            try tensor.assign(TorchTensor(saved, device: network.device, runtime: runtime))
        }
        try sampler?.recallPools(file.metadata["pool"] ?? "[]")
        // A GPU's generator has a state of another kind than the processor's: a run that changes between them draws anew.
        let generator = [UInt8](try file.bytes(of: "random/torch"))
        if try runtime.randomState(device: network.device).count == generator.count {
            try runtime.setRandomState(generator, device: network.device)
        } else {
            try runtime.seed(recipe.seed &+ UInt64(clamping: step))
        }
        balance = file.metadata["balance"].flatMap { LossBalance(text: $0) } ?? LossBalance()
        merged = nil
        self.step = step
        self.elapsed = elapsed
        self.random = SplitMix(seed: random)
    }
}
