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
    public var step: Int
    /// Mean over the steps since the last report.
    public var loss: Double
    /// Adam's learning rate.
    public var rate: Double
    public var imagesPerSecond: Double
    /// Minutes trained, over all pieces of the run.
    public var minutes: Double
    public var minutesLeft: Double
}

/// Trains a recipe. Blocking: call it on a thread of its own.
///
/// Writes `checkpoint.safetensors` and, at the end, `final.safetensors` (the running average under bare keys) into
/// `directory`. A run that was stopped has written a checkpoint and is taken up again with `resume`.
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
    do {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
        throw AcuityError(.file, "\(directory): cannot be created")
    }
    let checkpoint = directory + "/checkpoint.safetensors"

    let network = try recipe.network()
    let state = try TrainingState(network, recipe: recipe, device: device, runtime: runtime) { log(.message($0)) }
    let sampler = PairSampler(try CropShards(recipe.data), network: network, device: device, runtime: runtime)
    let validation = try Validation(ImageShard(recipe.validation), network: network, device: device, runtime: runtime)
    if FileManager.default.fileExists(atPath: checkpoint) {
        guard resume else { throw AcuityError(.training, "\(checkpoint): exists; continue it with --resume or choose another folder") }
        try state.restore(from: checkpoint)
        log(.message("resumed at step \(state.step)"))
    }
    log(.message("\(recipe.name): \(network.architecture) ×\(network.scale), \(network.parameterCount) parameters, libtorch \(runtime.version) on \(device)"))

    let total = (minutes ?? recipe.minutes) * 60
    let clock = SuspendingClock()
    var last = clock.now
    var report = (sum: 0.0, count: 0, images: 0, time: state.elapsed)
    var (lastValidation, lastCheckpoint) = (state.elapsed, state.elapsed)
    var progress = TrainingProgress(step: state.step, loss: 0, rate: 0, imagesPerSecond: 0, minutes: 0, minutesLeft: 0)

    func validate() throws { log(.validation(progress, psnr: try validation.psnr(state.average))) }

    /// The part of the run that is done.
    func fraction() -> Double { steps.map { Double(state.step) / Double(max(1, $0)) } ?? state.elapsed / total }

    while fraction() < 1 {
        let fraction = fraction()
        let rate = recipe.rateFactor(step: state.step, fraction: fraction)

        let (low, high) = try sampler.pairs(recipe.batch, side: recipe.patchSide(at: fraction), smooth: fraction < 0.5 ? 0 : recipe.smooth, using: &state.random)
        let output = try state.forward(low, precision: recipe.precision)
        let loss = recipe.loss == .mse || fraction >= 1 - recipe.mseFraction ? try output.mse(to: high) : try output.l1(to: high)
        try loss.backward()
        try state.update(rate: rate, decay: recipe.ema)

        // The device is only waited for twice a second or so: on a GPU every wait costs more than a step.
        let isSampled = device == "cpu" || state.step % 16 == 0
        if isSampled {
            let value = try loss.item()
            guard value.isFinite else { throw AcuityError(.training, "\(recipe.name): the loss is not finite at step \(state.step)") }
            report.sum += value
            report.count += 1
        }
        report.images += recipe.batch

        // A step during which the machine slept counts as one second.
        let now = clock.now
        let seconds = (now - last) / .seconds(1)
        state.elapsed += seconds > 5 ? 1 : seconds
        last = now

        if isSampled, state.elapsed - report.time >= 1 {
            progress = TrainingProgress(
                step: state.step, loss: report.sum / Double(max(1, report.count)), rate: rate * recipe.optimiser.rate,
                imagesPerSecond: Double(report.images) / (state.elapsed - report.time), minutes: state.elapsed / 60,
                minutesLeft: max(0, 1 - fraction) * total / 60)
            report = (0, 0, 0, state.elapsed)
            log(.progress(progress))
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
    try state.release(to: weights, recipe: recipe)
    progress.step = state.step
    progress.minutesLeft = 0
    try validate()
    log(.message("wrote \(weights)"))
    return true
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
    func release(to path: String, recipe: Recipe) throws {
        var writer = SafetensorsWriter(metadata: [
            "format": "pt",
            "name": recipe.name,
            "architecture": average.network.architecture,
            "scale": String(average.network.scale),
            "recipe": String(decoding: try JSONEncoder().encode(recipe), as: UTF8.self),
            "steps": String(step),
            "minutes": String(elapsed / 60),
        ])
        for parameter in average.network.parameters {
            if let tensor = average.parameters[parameter.key] { try writer.add(parameter.key, try finite(tensor, parameter.key)) }
        }
        try writer.write(to: path)
    }
}
