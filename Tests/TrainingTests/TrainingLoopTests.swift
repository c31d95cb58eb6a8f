// TrainingLoopTests: short runs from end to end: protocol, resuming, interruption, failure.

import Foundation
import SuperResolution
import Synchronization
import Testing
import TorchEngine
import Training

/// One after the other: each run decides libtorch's number of threads.
@Suite(.serialized, .enabled(if: hasTorch, torchMissing)) struct TrainingLoopTests {
    let folder: Folder

    init() throws {
        folder = try Folder()
        try folder.makeShards()
    }

    private func run(_ recipe: [String: Any?] = [:], in directory: String, steps: Int, resume: Bool = false, stopAfter: Int = .max) throws -> (finished: Bool, events: [TrainingEvent]) {
        oneRun.lock()
        defer { oneRun.unlock() }
        var events: [TrainingEvent] = []
        var asked = 0
        let finished = try train(
            Recipe(contentsOf: folder.recipe(recipe)), directory: folder.file(directory), steps: steps, threads: 1, resume: resume,
            shouldStop: {
                asked += 1
                return asked >= stopAfter
            }, log: { events.append($0) })
        return (finished, events)
    }

    private func messages(_ events: [TrainingEvent]) -> String {
        events.compactMap { if case .message(let text) = $0 { text } else { nil } }.joined(separator: "\n")
    }

    private func weights(_ name: String) throws -> StateDict { try SafetensorsFile(path: folder.file(name)).weights() }

    @Test(arguments: ["adam", "muon"], ["fp32", "bf16"])
    func resumingChangesNothing(optimiser: String, precision: String) throws {
        let recipe: [String: Any?] = ["optimiser": ["name": optimiser, "rate": 0.002], "precision": precision, "patch": [["until": 0.5, "side": 8], ["until": 1, "side": 12]], "mse_fraction": 0.3]
        #expect(try run(recipe, in: "whole", steps: 12).finished)
        let first = try run(recipe, in: "pieces", steps: 12, stopAfter: 5)
        #expect(!first.finished && messages(first.events).contains("stopped at step 5"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("pieces/final.safetensors")))
        let second = try run(recipe, in: "pieces", steps: 12, resume: true)
        #expect(second.finished && messages(second.events).contains("resumed at step 5"))
        #expect(try weights("whole/final.safetensors") == weights("pieces/final.safetensors"))
        #expect(try weights("whole/checkpoint.safetensors") == weights("pieces/checkpoint.safetensors"))
        #expect(try SafetensorsFile(path: folder.file("pieces/final.safetensors")).metadata["steps"] == "12")
        // The fixtures' shard does not say what its crops come from.
        #expect(try SafetensorsFile(path: folder.file("pieces/final.safetensors")).metadata["acuity.sources.unknown"] == "crops.safetensors")
    }

    @Test func anotherSeedIsAnotherRun() throws {
        _ = try run(in: "one", steps: 2)
        _ = try run(["seed": 2], in: "two", steps: 2)
        #expect(try weights("one/final.safetensors") != weights("two/final.safetensors"))
    }

    @Test func lossFalls() throws {
        let (_, events) = try run(["batch": 8, "validate_every": 0.0001, "ema": 0], in: "long", steps: 150)
        let psnr = events.compactMap { if case .validation(_, let psnr) = $0 { psnr } else { nil } }
        #expect(psnr.count > 2)
        #expect((psnr.last ?? 0) > (psnr.first ?? 0) + 0.5)
    }

    /// The figure during training is the one that `evaluate` measures on the released weights.
    @Test(arguments: [2, 3])
    func validationIsMetrics(scale: Int) async throws {
        let (_, events) = try run(["scale": scale], in: "valid\(scale)", steps: 3)
        guard case .validation(_, let reported)? = events.last(where: { if case .validation = $0 { true } else { false } }) else {
            Issue.record("no validation at the end")
            return
        }
        let model = try Model.load(path: folder.file("valid\(scale)/final.safetensors"))
        let prepared = try TorchEngine().prepare(model)
        var sum = 0.0
        for (w, h, seed) in [(41, 30, 8), (26, 33, 9)] {
            let picture = Raster(width: w, height: h, channels: 3, samples: drawing(width: w, height: h, seed: UInt64(seed)).map { Float($0) / 255 })
            let truth = picture.cropped(to: Region(x: 0, y: 0, width: w / scale * scale, height: h / scale * scale))
            var low = Resampling.bicubic.resize(truth, width: w / scale, height: h / scale)
            for i in low.samples.indices { low.samples[i] = (min(max(low.samples[i], 0), 1) * 255 + 0.5).rounded(.down) / 255 }
            sum += try Metrics.psnrY(await prepared.run(low), against: truth, crop: scale)
        }
        #expect(abs(reported - sum / 2) < 0.002)
    }

    /// Beside the bicubic figure a recipe with another degradation reports one on pictures that it degraded, which `degrade` makes
    /// again; switched off there is none.
    @Test func validationAlsoDegrades() async throws {
        let settings: [String: Any] = ["name": "classical", "compressed": 1, "noise": [20, 20]]
        func degraded(_ changes: [String: Any?], in directory: String) throws -> (clean: Double, degraded: Double?) {
            let (_, events) = try run(changes, in: directory, steps: 2)
            guard case .validation(let progress, let psnr)? = events.last(where: { if case .validation = $0 { true } else { false } }) else {
                throw AcuityError(.training, "no validation")
            }
            return (psnr, progress.degraded?.psnr)
        }
        let on = try degraded(["degradation": settings], in: "degraded")
        let reported = try #require(on.degraded)
        let model = try Model.load(path: folder.file("degraded/final.safetensors"))
        let prepared = try TorchEngine().prepare(model)
        let degrader = Degrader(
            try Recipe(contentsOf: folder.recipe(["degradation": settings], name: "same.json")).degradation, scale: 2, device: "cpu", runtime: try .shared())
        var sum = 0.0
        for (index, (w, h, seed)) in [(41, 30, 8), (26, 33, 9)].enumerated() {
            let truth = Raster(width: w, height: h, channels: 3, samples: drawing(width: w, height: h, seed: UInt64(seed)).map { Float($0) / 255 })
                .cropped(to: Region(x: 0, y: 0, width: w / 2 * 2, height: h / 2 * 2))
            let (width, height) = (truth.width, truth.height)
            let planar = (0..<3 * width * height).map { truth.samples[$0 % (width * height) * 3 + $0 / (width * height)] }
            var random = SplitMix(seed: UInt64(index))
            let low = try degrader(TorchTensor(Tensor(shape: [1, 3, height, width], values: planar), device: "cpu", runtime: .shared()), using: &random).low.floats()
            let small = Raster(
                width: width / 2, height: height / 2, channels: 3,
                samples: (0..<low.values.count).map { low.values[$0 % 3 * (low.values.count / 3) + $0 / 3] })
            sum += try Metrics.psnrY(await prepared.run(small), against: truth, crop: 2)
        }
        #expect(abs(reported - sum / 2) < 0.01)
        #expect(reported < on.clean - 1)
        let lines = String(decoding: try folder.read("degraded/metrics.jsonl"), as: UTF8.self).split(separator: "\n")
        #expect(lines.last?.contains("\"degraded_psnr_y\":") == true)
        #expect(try String(decoding: folder.read("degraded/index.html"), as: UTF8.self).contains("degraded: PSNR-Y"))
        // The same pictures in another run; training itself does not notice.
        let off = try degraded(["degradation": settings, "validate_degraded": false], in: "clean")
        #expect(off.degraded == nil && off.clean == on.clean)
        #expect(try degraded(["degradation": settings], in: "again").degraded == reported)
        #expect(try degraded([:], in: "bicubic").degraded == nil)
    }

    /// Low resolution made by tensors is that of `Resampling.bicubic` on 8 bits, save for ties.
    @Test(arguments: [2, 3, 4])
    func degradation(scale: Int) throws {
        let (width, height) = (12 * scale, 9 * scale)
        let bytes = drawing(width: width, height: height, seed: 3)
        let runtime = try TorchRuntime.shared()
        let image = try TorchTensor(bytes: bytes, shape: [1, height, width, 3], device: "cpu", runtime: runtime).image()
        let low = try BicubicReduction(scale: scale, device: "cpu", runtime: runtime)(image).floats()
        #expect(low.shape == [1, 3, 9, 12])
        let raster = Raster(width: width, height: height, channels: 3, samples: bytes.map { Float($0) / 255 })
        let expected = Resampling.bicubic.resize(raster, width: 12, height: 9)
        for c in 0..<3 {
            for y in 0..<9 {
                for x in 0..<12 {
                    let exact = min(max(expected[x, y, c], 0), 1) * 255, value = low.values[(c * 9 + y) * 12 + x] * 255
                    #expect(abs(value - value.rounded()) < 1e-3)
                    #expect(abs(value - exact) < 0.501)
                }
            }
        }
    }

    @Test(arguments: ["adam", "muon"])
    func absurdRates(optimiser: String) throws {
        let error = #expect(throws: AcuityError.self) {
            try run(["optimiser": ["name": optimiser, "rate": 1e30, "muon_rate": 1e30], "warmup": 0, "checkpoint_every": 1e-9], in: "absurd", steps: 50)
        }
        #expect(error?.message.contains("not finite") == true && error?.message.contains("step") == true)
        // What was saved before is still sound.
        if FileManager.default.fileExists(atPath: folder.file("absurd/checkpoint.safetensors")) {
            for tensor in try weights("absurd/checkpoint.safetensors").values { #expect(tensor.values.allSatisfy { $0.isFinite }) }
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("absurd/final.safetensors")))
    }

    @Test func warmStart() throws {
        _ = try run(in: "x2", steps: 2)
        let donor = try weights("x2/final.safetensors")
        let recipe = try Recipe(contentsOf: folder.recipe(["scale": 4, "warm_start": folder.file("x2/final.safetensors")]))
        let network = try recipe.network()
        var random = SplitMix(seed: 1)
        var notes: [String] = []
        let fresh = try recipe.freshWeights(of: network, using: &random) { notes.append($0) }
        var copied = 0
        for parameter in network.parameters where donor[parameter.key]?.shape == parameter.shape {
            #expect(fresh[parameter.key] == donor[parameter.key])
            copied += 1
        }
        // The last convolution alone depends on the scale.
        #expect(copied == network.parameters.count - 2)
        #expect(notes.count == 1 && notes[0].contains("\(copied) of \(network.parameters.count)") && notes[0].contains("body.6.weight"))
        let (_, events) = try run(["scale": 4, "warm_start": folder.file("x2/final.safetensors")], in: "x4", steps: 1)
        #expect(messages(events).contains("\(copied) of"))
        #expect(throws: AcuityError.self) { try run(["warm_start": folder.file("images.safetensors")], in: "none", steps: 1) }
        #expect(throws: AcuityError.self) { try run(["warm_start": folder.file("absent")], in: "none", steps: 1) }
    }

    @Test func refusals() throws {
        _ = try run(in: "run", steps: 1)
        #expect(throws: AcuityError.self, "a run is not overwritten") { try run(in: "run", steps: 1) }
        #expect(throws: AcuityError.self, "the recipe has changed") {
            try run(["architecture": ["name": "Compact", "features": 9, "convolutions": 2]], in: "run", steps: 3, resume: true)
        }
        #expect(throws: AcuityError.self, "patches larger than the crops") { try run(["patch": 40], in: "large", steps: 1) }
        #expect(throws: AcuityError.self) { try run(["data": [folder.file("absent")]], in: "absent", steps: 1) }
        // A damaged checkpoint is refused.
        let bytes = try folder.read("run/checkpoint.safetensors")
        for cut in [0, 7, 100, bytes.count / 2, bytes.count - 1] {
            try bytes.prefix(cut).write(to: URL(fileURLWithPath: folder.file("run/checkpoint.safetensors")))
            #expect(throws: AcuityError.self) { try run(in: "run", steps: 3, resume: true) }
        }
    }

    /// Whoever looks while checkpoints are written, after every step, always finds a whole one.
    @Test func checkpointsAreAtomic() throws {
        _ = try run(in: "atomic", steps: 1)
        let path = folder.file("atomic/checkpoint.safetensors")
        let watch = Watch()
        let done = DispatchSemaphore(value: 0)
        do {
            let thread = Thread {
                while !watch.state.withLock({ $0.ended }) {
                    let step = try? SafetensorsFile(path: path).metadata["step"]
                    watch.state.withLock { if let step { $0.steps.insert(step) } else { $0.damaged += 1 } }
                }
                done.signal()
            }
            thread.start()
            defer {
                watch.state.withLock { $0.ended = true }
                done.wait()
            }
            _ = try run(["checkpoint_every": 1e-9], in: "atomic", steps: 120, resume: true)
        }
        #expect(watch.state.withLock { $0.damaged } == 0)
        #expect(watch.state.withLock { $0.steps.count } > 1)
    }

    @Test func killedRunsResume() throws {
        let trainer = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("acuity-trainer")
        guard FileManager.default.isExecutableFile(atPath: trainer.path) else {
            print("killedRunsResume: acuity-trainer is not built, left out")
            return
        }
        let recipe = try folder.recipe(["checkpoint_every": 1e-9])
        for round in 0..<3 {
            let process = Process()
            process.executableURL = trainer
            process.arguments = [recipe, "--output", folder.file("killed"), "--threads", "1", "--resume"]
            process.standardError = FileHandle.nullDevice
            let before = try? folder.read("killed/checkpoint.safetensors")
            try process.run()
            // Until there is a newer checkpoint, then a little later in the middle of anything.
            for _ in 0..<2000 where process.isRunning {
                // The one of step 0 is written before the first step.
                if let now = try? folder.read("killed/checkpoint.safetensors"), now != before,
                    try SafetensorsFile(now, name: "now").metadata["step"] != "0" { break }
                usleep(10_000)
            }
            usleep(UInt32(round) * 3_700)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let file = try SafetensorsFile(path: folder.file("killed/checkpoint.safetensors"))
            #expect(Int(file.metadata["step"] ?? "") ?? 0 > 0)
        }
        let step = Int(try SafetensorsFile(path: folder.file("killed/checkpoint.safetensors")).metadata["step"] ?? "") ?? 0
        let (finished, events) = try run(in: "killed", steps: step + 2, resume: true)
        #expect(finished && messages(events).contains("resumed at step \(step)"))
    }
}

/// What a reader on another thread saw.
private final class Watch: Sendable {
    let state = Mutex((steps: Set<String>(), damaged: 0, ended: false))
}
