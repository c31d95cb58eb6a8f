// TrainingLoop: the whole run in one place: batch, degrade, forward, loss, backward, optimiser, average, clock.

import SuperResolution
import TorchEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a run reports.
public enum TrainingEvent: Sendable {
    /// One line for a person, at the start and at the end.
    case message(String)
    /// About once a second.
    case progress(TrainingProgress)
    /// Mean PSNR-Y of the running average on the validation images.
    case validation(TrainingProgress, psnr: Double)
}

/// Where a run stands.
public struct TrainingProgress: Sendable {
    /// One term of the loss.
    public struct Term: Sendable, Hashable {
        public var name: String
        /// Mean over the steps since the last report.
        public var value: Double
        /// What it is multiplied by at the moment.
        public var weight: Double
    }

    public var step: Int
    /// The first term's value.
    public var loss: Double
    /// All terms of the loss.
    public var terms: [Term] = []
    /// Mean probability that the discriminator gives to the truth and to the output, and its loss.
    public var discriminator: (real: Double, made: Double, loss: Double)?
    /// Adam's learning rate.
    public var rate: Double
    public var imagesPerSecond: Double
    /// Minutes trained, over all pieces of the run.
    public var minutes: Double
    public var minutesLeft: Double
    /// Mean perceptual distance on the validation images, where the recipe has a perceptual loss; set at validations.
    public var perceptual: Double?
    /// The same two on pictures that the recipe's degradation made, see ``Recipe/validateDegraded``; set at validations.
    public var degraded: (psnr: Double, perceptual: Double?)?
    /// Channels whose ReLU has stopped firing, and all that have one; set at validations, once there have been some hundred steps.
    public var dead: (count: Int, total: Int)?

    public init(
        step: Int, loss: Double, terms: [Term] = [], discriminator: (real: Double, made: Double, loss: Double)? = nil, rate: Double, imagesPerSecond: Double,
        minutes: Double, minutesLeft: Double, perceptual: Double? = nil
    ) {
        self.step = step
        self.loss = loss
        self.terms = terms
        self.discriminator = discriminator
        self.rate = rate
        self.imagesPerSecond = imagesPerSecond
        self.minutes = minutes
        self.minutesLeft = minutesLeft
        self.perceptual = perceptual
    }
}

/// Trains a recipe. Blocking: call it on a thread of its own.
///
/// Writes `checkpoint.safetensors` and, at the end, `final.safetensors` (the running average under bare keys) into
/// `directory`, beside `metrics.jsonl` and `index.html` to watch it by. A run that was stopped has written a checkpoint and is taken up again
/// with `resume`.
/// - Parameters:
///   - minutes: overrides the recipe's.
///   - steps: ends the run, and drives its schedule, by this many steps instead of the clock: reproducible on one thread.
///   - device: `cpu`, `cuda`, `cuda:1`.
///   - threads: for the CPU; `nil` leaves libtorch's choice.
///   - resume: continue from the checkpoint in `directory` if there is one.
///   - shouldStop: asked after every step.
///   - log: called on the training thread.
/// - Returns: whether the run reached its end (`false`: stopped and saved).
/// - Throws: ``AcuityError``: `.torch`, `.file`, or `.training`, e.g. for a loss that is not finite.
@discardableResult
public func train(
    _ recipe: Recipe, directory: String, minutes: Double? = nil, steps: Int? = nil, device: String = "cpu", threads: Int? = nil, resume: Bool = false,
    shouldStop: () -> Bool = { false }, log: (TrainingEvent) -> Void
) throws -> Bool {
    let runtime = try TorchRuntime.shared()
    if device.hasPrefix("cuda"), try runtime.cudaDevices() == 0 { throw AcuityError(.torch, "\(device): libtorch sees no CUDA device") }
    if let threads { try runtime.setThreads(threads) }
    try runtime.useOwnStream(device: device)
    do {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
        throw AcuityError(.file, "\(directory): cannot be created")
    }
    let checkpoint = directory + "/checkpoint.safetensors"

    // Everything that can be missing or wrong is opened here, before any time is spent.
    let network = try recipe.network()
    let sampler = try MixedSampler(recipe, network: network, device: device, runtime: runtime)
    let provenance = try CropShards.provenance(of: sampler.shards, learntFrom: [recipe.warmStart, recipe.teacher].compactMap(\.self))
    let adapted = try recipe.adapted(to: device, runtime: runtime)
    let state = try TrainingState(network, recipe: adapted, device: device, runtime: runtime) { log(.message($0)) }
    state.sampler = sampler
    let objective = try GeneratorLoss(adapted, network: network, adversary: state.adversary, device: device, runtime: runtime) {
        try state.average($0, precision: adapted.precision)
    }
    let validation = try Validation(
        ImageShard(recipe.validation), network: network, degradation: recipe.validateDegraded ? recipe.degradation : nil,
        features: objective.features, device: device, runtime: runtime)
    if FileManager.default.fileExists(atPath: checkpoint) {
        guard resume else { throw AcuityError(.training, "\(checkpoint): exists; continue it with --resume or choose another folder") }
        try state.restore(from: checkpoint, recipe: recipe)
        log(.message("resumed at step \(state.step)"))
    } else {
        // Twice, as a checkpoint replaces another: a folder that has no room is found out now and not after an hour.
        for _ in 0..<2 { try state.save(to: checkpoint, recipe: recipe) }
    }
    let record = try RunRecord(directory: directory, recipe: recipe, resumedAt: state.step)
    log(.message("\(recipe.name): \(network.architecture) ×\(network.scale), \(network.parameterCount) parameters, libtorch \(runtime.version) on \(device) in \(adapted.precision.rawValue)"))

    let runner = StepRunner(state, objective, recipe: adapted, device: device, runtime: runtime)
    let total = (minutes ?? recipe.minutes) * 60
    let clock = SuspendingClock()
    var report = StepMeans()
    var (lastReport, lastValidation, lastCheckpoint) = (state.elapsed, state.elapsed, state.elapsed)
    var progress = TrainingProgress(step: state.step, loss: 0, rate: 0, imagesPerSecond: 0, minutes: 0, minutesLeft: 0)

    func validate() throws {
        let result = try validation(state.average)
        progress.perceptual = result.perceptual
        progress.degraded = result.degraded
        progress.dead = try state.deadChannels().map { ($0.count, $0.total) }
        log(.validation(progress, psnr: result.psnr))
        try record.validation(progress, psnr: result.psnr, samples: result.samples)
    }

    /// The part of the run that is done.
    func fraction() -> Double { steps.map { Double(state.step) / Double(max(1, $0)) } ?? state.elapsed / total }

    // What a warm start is worth, to hold the rest of the run against.
    if state.step == 0 { try validate() }
    var last = clock.now

    while fraction() < 1 {
        let fraction = fraction()
        let rate = recipe.rateFactor(step: state.step, fraction: fraction)

        let pair = try sampler.pairs(recipe.batch, side: recipe.patchSide(at: fraction), smooth: recipe.smooth, using: &state.random)
        let result = try runner.step(on: pair, rate: rate, fraction: fraction)
        if recipe.revive > 0, state.step % recipe.revive == 0, fraction < 2.0 / 3 {
            let count = try state.reviveDeadChannels()
            if count > 0 { log(.message("step \(state.step): \(count) dead channels got new kernels")) }
        }
        if RunRecord.isRound(state.step) { try record.round(state.step, pictures: validation.shown(by: state.network)) }
        if let note = runner.note {
            log(.message(note))
            runner.note = nil
        }

        // The device is only waited for twice a second or so: on a GPU every wait costs more than a step.
        let isSampled = device == "cpu" || state.step % 16 == 0
        if isSampled {
            let values = try TorchTensor.values(of: result.values + result.discriminator)
            let names = result.terms.map(\.name)
            for (index, value) in values.enumerated() where !value.isFinite {
                let term = index < names.count ? names[index] : "discriminator"
                throw AcuityError(.training, "\(recipe.name): the loss is not finite at step \(state.step): \(term)")
            }
            report.add(names, values)
        }
        report.images += recipe.batch

        // A step during which the machine slept counts as one second.
        let now = clock.now
        let seconds = (now - last) / .seconds(1)
        state.elapsed += seconds > 5 ? 1 : seconds
        last = now

        if isSampled, state.elapsed - lastReport >= 1 {
            progress = TrainingProgress(
                step: state.step, loss: result.terms.isEmpty ? 0 : report.mean(0), terms: report.terms { name in
                    result.terms.first { $0.name == name }.map { objective.weight(of: $0, among: result.terms, balance: state.balance) } ?? 0
                }, discriminator: report.discriminator, rate: rate * recipe.optimiser.rate,
                imagesPerSecond: Double(report.images) / (state.elapsed - lastReport), minutes: state.elapsed / 60,
                minutesLeft: max(0, 1 - fraction) * total / 60)
            report = StepMeans()
            lastReport = state.elapsed
            log(.progress(progress))
            try record.progress(progress)
        }
        if state.elapsed - lastValidation >= recipe.validateEvery {
            lastValidation = state.elapsed
            try validate()
        }
        let stopping = shouldStop()
        if stopping || state.elapsed - lastCheckpoint >= recipe.checkpointEvery {
            lastCheckpoint = state.elapsed
            try state.save(to: checkpoint, recipe: recipe)
        }
        if stopping {
            log(.message("stopped at step \(state.step); continue with --resume"))
            return false
        }
    }

    try state.save(to: checkpoint, recipe: recipe)
    let weights = directory + "/final.safetensors"
    try state.release(to: weights, recipe: recipe, provenance: provenance)
    progress.step = state.step
    progress.minutesLeft = 0
    try validate()
    log(.message("wrote \(weights)"))
    return true
}

extension Recipe {
    /// This recipe as a device computes it: in fp32 instead of bf16 on a processor without a unit for matrices, where bf16 would be slower.
    func adapted(to device: String, runtime: TorchRuntime) throws -> Recipe {
        var adapted = self
        if precision == .bf16, try !runtime.hasMatrixUnit(device: device) { adapted.precision = .fp32 }
        return adapted
    }
}

/// What a step leaves on the device, to be read when somebody asks.
struct StepResult {
    let terms: [LossTerm]
    /// Of the terms.
    let values: [TorchTensor]
    /// The probabilities that the discriminator, where there is one, gives to truth and output, and its loss.
    let discriminator: [TorchTensor]
}

extension TrainingState {
    /// One step after ``advance(rate:decay:)``: forward, loss, backward, the generator's optimiser and average, the discriminator's optimiser.
    /// During the discriminator's head start only the last.
    /// - Parameters:
    ///   - low: N×C×h×w.
    ///   - target: what the output is drawn to, N×C×H×W.
    ///   - truth: what is real to the discriminator.
    func train(
        on low: TorchTensor, target: TorchTensor, truth: TorchTensor, _ objective: GeneratorLoss, recipe: Recipe, fraction: Double
    ) throws -> StepResult {
        let output = try forward(low, precision: recipe.precision).converted(to: .float32)
        func taught(_ adversary: Adversary, by verdicts: Adversary.Verdicts) throws -> [TorchTensor] {
            let probabilities = try adversary.probabilities(verdicts)
            return [probabilities.real, probabilities.made, try adversary.update(verdicts, rate: pace.rate, step: step)]
        }
        let texture = try objective.texture?(truth)
        if let adversary, step <= headStart {
            let sample = LossSample(low: low, output: try output.detached(), target: target, truth: truth, texture: texture)
            return StepResult(terms: [], values: [], discriminator: try taught(adversary, by: adversary.judge(sample.judged(beside: truth), truth: truth)))
        }
        // The graph is cut at the output, where the terms of the loss are weighed against each other.
        var sample = LossSample(low: low, output: try output.watched(), target: target, truth: truth, texture: texture, step: step)
        sample.verdicts = try adversary?.judge(sample.judged(beside: truth), truth: truth)
        let terms = objective.active(fraction, mseFraction: recipe.mseFraction)
        let loss = try objective(sample, terms: terms, step: step, balance: &balance)
        try output.backward(with: loss.gradient)
        try update()

        guard let adversary, let verdicts = sample.verdicts else { return StepResult(terms: terms, values: loss.values, discriminator: []) }
        return StepResult(terms: terms, values: loss.values, discriminator: try taught(adversary, by: verdicts))
    }
}

/// Means over the steps since the last report.
private struct StepMeans {
    private var names: [String] = []
    private var sums: [Double] = []
    private var count = 0
    var images = 0

    /// - Parameter values: of the terms by name, then the discriminator's two probabilities and its loss where there is one.
    mutating func add(_ names: [String], _ values: [Double]) {
        if names != self.names || values.count != sums.count { (self.names, sums, count) = (names, [Double](repeating: 0, count: values.count), 0) }
        for (index, value) in values.enumerated() where index < sums.count { sums[index] += value }
        count += 1
    }

    func mean(_ index: Int) -> Double { index < sums.count && count > 0 ? sums[index] / Double(count) : 0 }

    func terms(weight: (String) -> Double) -> [TrainingProgress.Term] {
        names.enumerated().map { .init(name: $1, value: mean($0), weight: weight($1)) }
    }

    var discriminator: (real: Double, made: Double, loss: Double)? {
        sums.count == names.count + 3 && count > 0 ? (mean(names.count), mean(names.count + 1), mean(names.count + 2)) : nil
    }
}

extension Recipe {
    /// Linear warm-up by steps, then a cosine by the clock from 1 to `finalRate`.
    func rateFactor(step: Int, fraction: Double) -> Double {
        let cosine = finalRate + (1 - finalRate) * (1 + Training.cosine(.pi * min(1, fraction))) / 2
        return cosine * min(1, Double(step + 1) / Double(max(1, warmup)))
    }
}

extension TrainingState {
    /// The running average under bare keys, as other programs expect weights.
    /// - Parameter provenance: metadata that says which pictures the weights were trained on.
    func release(to path: String, recipe: Recipe, provenance: [String: String]) throws {
        var writer = SafetensorsWriter(metadata: provenance.merging([
            "format": "pt",
            "name": recipe.name,
            "architecture": average.network.architecture,
            "scale": String(average.network.scale),
            "recipe": String(decoding: try JSONEncoder().encode(recipe), as: UTF8.self),
            "steps": String(step),
            "minutes": String(elapsed / 60),
        ]) { $1 })
        for parameter in average.network.parameters {
            if let tensor = average.parameters[parameter.key] { try writer.add(parameter.key, try finite(tensor, parameter.key)) }
        }
        try writer.write(to: path)
    }
}
