// StepRunner: takes the steps of a run; on a GPU steps of one shape are recorded and repeated.

import SuperResolution
import TorchEngine

/// Takes the steps of a run.
///
/// A small network's step is hundreds of small kernels, and the host takes longer to launch them than the GPU to run them. So after some
/// ordinary steps, in which libtorch chooses its kernels and its memory grows, a step is recorded, and from then on each step is a copy
/// of the batch and one launch. A change of the patches or of the loss starts over.
final class StepRunner {
    private let state: TrainingState
    private let objective: GeneratorLoss
    private let recipe: Recipe
    private let runtime: TorchRuntime
    private var mayRecord: Bool
    /// Why steps are not recorded although they should be, until somebody has read it.
    var note: String?
    private var recording: (graph: TorchGraph, pair: TrainingPair, result: StepResult)?
    private var kind: Kind?
    private var ordinary = 0

    /// What steps have to have in common with a recording.
    private struct Kind: Hashable {
        let shape: [Int]
        let terms: [String]
    }

    /// Ordinary steps before one is recorded.
    static let warmUp = 12

    init(_ state: TrainingState, _ objective: GeneratorLoss, recipe: Recipe, device: String, runtime: TorchRuntime) {
        self.state = state
        self.objective = objective
        self.recipe = recipe
        self.runtime = runtime
        // A balance of terms is measured by the host, branches hand a graph of gradients on to the next step, and a discriminator has its
        // own optimiser: these steps are launched one by one. So are those of networks that take constants from the host.
        let takesConstants = state.network.network.operations.contains { if case .shift = $0 { true } else { false } }
        mayRecord = device.hasPrefix("cuda") && runtime.canRecord && recipe.losses == nil && recipe.reparameterise == nil && !takesConstants
    }

    /// One step; see ``TrainingState``.
    /// - Parameter rate: factor on the recipe's peak rates.
    func step(on pair: TrainingPair, rate: Double, fraction: Double) throws -> StepResult {
        func ordinaryStep(_ pair: TrainingPair) throws -> StepResult {
            try state.train(on: pair.low, target: pair.target, truth: pair.high, objective, recipe: recipe, fraction: fraction)
        }
        try state.advance(rate: rate, decay: recipe.ema)
        guard mayRecord else { return try ordinaryStep(pair) }

        let kind = Kind(shape: try pair.low.shape, terms: objective.active(fraction, mseFraction: recipe.mseFraction).map(\.name))
        if kind != self.kind { (self.kind, recording, ordinary) = (kind, nil, 0) }
        if let recording {
            try recording.pair.low.assign(pair.low)
            try recording.pair.target.assign(pair.target)
            try recording.graph.replay()
            return recording.result
        }
        if ordinary < Self.warmUp {
            ordinary += 1
            return try ordinaryStep(pair)
        }
        let low = try pair.low.leaf(requiresGradient: false), target = try pair.target.leaf(requiresGradient: false)
        let own = TrainingPair(low: low, high: target, target: target)
        do {
            let (graph, result) = try TorchGraph.recording(runtime) { try ordinaryStep(own) }
            recording = (graph, own, result)
            try graph.replay()
            return result
        } catch {
            note = "steps are not recorded: \(error)"
            mayRecord = false
            return try ordinaryStep(pair)
        }
    }
}
