// StepBenchmark: the time of a training step, and of making its batch, without the run around it.

import SuperResolution
import TorchEngine

/// What ``timeSteps(_:steps:device:threads:)`` measured.
public struct StepTimes: Sendable {
    public let name: String
    public let parameters: Int
    public let libtorch: String
    /// One per step: forward, loss, backward, optimiser, running average.
    public let milliseconds: [Double]
    /// Median time to make a batch from the recipe's shards; nil where they are not there.
    public let batchMilliseconds: Double?
}

/// Times steps of a recipe on one made-up batch of its last patch size; the shards need not be there.
///
/// - Throws: ``AcuityError`` as ``train(_:directory:minutes:steps:device:threads:resume:shouldStop:log:)`` does.
public func timeSteps(_ recipe: Recipe, steps: Int, device: String = "cpu", threads: Int? = nil) throws -> StepTimes {
    let runtime = try TorchRuntime.shared()
    if let threads { try runtime.setThreads(threads) }
    let recipe = try recipe.adapted(to: device, runtime: runtime)
    let network = try recipe.network()
    let state = try TrainingState(network, recipe: recipe, device: device, runtime: runtime) { _ in }
    let objective = try GeneratorLoss(recipe, network: network, adversary: state.adversary, device: device, runtime: runtime) {
        try state.average($0, precision: recipe.precision)
    }
    let (channels, side) = (network.colour == .luma ? 1 : 3, recipe.patchSide(at: 1))
    var random = SplitMix(seed: 7)
    func picture(_ side: Int) throws -> TorchTensor {
        let shape = [recipe.batch, channels, side, side]
        let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: 0..<1, using: &random) }
        // As the sampler's pictures are: bytes come pixel by pixel.
        return try TorchTensor(Tensor(shape: shape, values: values), device: device, runtime: runtime).converted(to: .float32, channelsLast: true)
    }
    let (low, high) = (try picture(side), try picture(side * network.scale))
    let clock = ContinuousClock()

    let times = try (0..<max(1, steps)).map { _ in
        try runtime.synchronise(device: device)
        let start = clock.now
        try state.advance(rate: 1e-3, decay: recipe.ema)
        _ = try state.train(on: low, target: high, truth: high, objective, recipe: recipe, fraction: 0)
        try runtime.synchronise(device: device)
        return (clock.now - start) / .milliseconds(1)
    }

    var batches: [Double] = []
    if let sampler = try? MixedSampler(recipe, network: network, device: device, runtime: runtime) {
        batches = try (0..<9).map { _ in
            let start = clock.now
            _ = try sampler.pairs(recipe.batch, side: side, smooth: recipe.smooth, using: &random)
            try runtime.synchronise(device: device)
            return (clock.now - start) / .milliseconds(1)
        }.sorted()
    }
    return StepTimes(
        name: network.architecture, parameters: network.parameterCount, libtorch: runtime.version, milliseconds: times,
        batchMilliseconds: batches.isEmpty ? nil : batches[batches.count / 2])
}
