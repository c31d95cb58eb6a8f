// DegraderTests: every model on the device: sizes, replay, what training gets of it and what a batch costs.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct DegraderTests {
    private func image(_ batch: Int = 2, width: Int = 64, height: Int = 48) throws -> TorchTensor {
        let bytes = (0..<batch).flatMap { drawing(width: width, height: height, seed: UInt64($0 + 1)) }
        return try TorchTensor(bytes: bytes, shape: [batch, height, width, 3], device: "cpu", runtime: .shared()).image()
    }

    private func degrader(_ name: String, scale: Int = 4) throws -> Degrader {
        Degrader(try Degradation(named: name), scale: scale, device: "cpu", runtime: try .shared())
    }

    @Test(arguments: ["bicubic", "classical", "bsrgan", "real-esrgan", "camera", "screenshot"])
    func seedsAreReplayed(name: String) throws {
        let (high, degrader) = (try image(), try degrader(name))
        func run(_ seed: UInt64) throws -> (low: Tensor, record: DegradationRecord) {
            var random = SplitMix(seed: seed)
            let made = try degrader(high, using: &random)
            return (try made.low.floats(), made.record)
        }
        for seed in 1...20 as ClosedRange<UInt64> {
            let (low, record) = try run(seed)
            #expect(low.shape == [2, 3, 12, 16])
            // 8-bit values.
            #expect(low.values.allSatisfy { $0 >= 0 && $0 <= 1 && abs($0 * 255 - ($0 * 255).rounded()) < 1e-3 }, "\(name) \(seed)")
            #expect(try run(seed).low == low)
            // The record alone is enough, also after it was written down.
            let copy = try JSONDecoder().decode(DegradationRecord.self, from: JSONEncoder().encode(record))
            #expect(try degrader.apply(copy, to: high).low.floats() == low)
            if name != "bicubic" { #expect(try run(seed + 100).low != low) }
        }
    }

    /// Threads share the work and change nothing.
    @Test(arguments: ["classical", "bsrgan", "real-esrgan", "camera", "screenshot"])
    func threadsDoNotMatter(name: String) throws {
        oneRun.lock()
        defer { oneRun.unlock() }
        let (high, degrader) = (try image(3), try degrader(name))
        for seed in 1...6 as ClosedRange<UInt64> {
            let results = try [1, 2, 3].map { threads in
                try TorchRuntime.shared().setThreads(threads)
                var random = SplitMix(seed: seed)
                return try degrader(high, using: &random).low.floats()
            }
            #expect(results[0] == results[1] && results[0] == results[2], "\(name) \(seed)")
        }
    }

    @Test func noiseDoesNotTouchTheGlobalGenerator() throws {
        oneRun.lock()
        defer { oneRun.unlock() }
        let runtime = try TorchRuntime.shared()
        let before = try runtime.randomState()
        var random = SplitMix(seed: 1)
        for _ in 0..<5 { _ = try degrader("real-esrgan")(image(), using: &random) }
        #expect(try runtime.randomState() == before)
    }

    @Test func bicubicIsTheProtocol() throws {
        var random = SplitMix(seed: 1)
        let low = try degrader("bicubic")(image(1), using: &random).low.floats()
        let picture = Raster(width: 64, height: 48, channels: 3, samples: drawing(width: 64, height: 48, seed: 1).map { Float($0) / 255 })
        let expected = Resampling.bicubic.resize(picture, width: 16, height: 12)
        var worst: Float = 0
        for i in 0..<12 * 16 * 3 { worst = max(worst, abs(low.values[i % 3 * 192 + i / 3] - min(1, max(0, expected.samples[i])))) }
        #expect(worst < 0.51 / 255)
        #expect(random.state == SplitMix(seed: 1).state)
    }

    /// Only Real-ESRGAN sharpens what losses compare with, and only where asked to.
    @Test func onlyRealESRGANSharpens() throws {
        let high = try image()
        var random = SplitMix(seed: 1)
        let sharp = try degrader("real-esrgan")(high, using: &random).target.floats()
        #expect(sharp != (try high.floats()))
        let plain = try Degrader(Degradation(json: Data(#"{"name": "real-esrgan", "sharpen": false}"#.utf8), from: "t"), scale: 4, device: "cpu", runtime: .shared())
        #expect(try plain(high, using: &random).target.floats() == high.floats())
    }

    @Test func sidesMustFitTheScale() throws {
        var random = SplitMix(seed: 1)
        let degrader = try degrader("camera")
        #expect(throws: AcuityError.self) { try degrader(image(1, width: 63), using: &random) }
        #expect(throws: AcuityError.self) { try degrader(image(1).luma(), using: &random) }
    }

    /// A picture of one low-resolution pixel passes through everything.
    @Test(arguments: ["classical", "bsrgan", "real-esrgan", "camera", "screenshot"])
    func theSmallestPicture(name: String) throws {
        let (high, degrader) = (try image(1, width: 4, height: 4), try degrader(name))
        for seed in 0..<60 as Range<UInt64> {
            var random = SplitMix(seed: seed)
            let low = try degrader(high, using: &random).low.floats()
            #expect(low.shape == [1, 3, 1, 1] && low.values.allSatisfy(\.isFinite), "\(name) \(seed)")
        }
    }

    /// Coarse noise has the deviation that was asked for, and neighbours correlated as a Gaussian of its grain correlates them.
    @Test func coarseNoiseIsCorrelated() throws {
        let side = 192
        let grey = Tensor(shape: [2, 3, side, side], values: [Float](repeating: 0.5, count: 6 * side * side))
        let record = DegradationRecord(steps: [
            .gaussianNoise(sigma: [20, 8], mixing: [[1, 0, 0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 1, 0, 0]], grain: [1, 0], seed: 6)
        ])
        let degrader = Degrader(try Degradation(named: "print"), scale: 1, device: "cpu", runtime: try .shared())
        let noise = try degrader.apply(record, to: onDevice(grey)).low.floats().values.map { Double($0 - 0.5) * 255 }
        func mean(_ picture: Int, dx: Int, dy: Int) -> Double {
            var sum = 0.0
            for y in 8..<(side - 8) {
                for x in 8..<(side - 8) {
                    let place = picture * 3 * side * side + y * side + x
                    sum += noise[place] * noise[place + dy * side + dx]
                }
            }
            return sum / Double((side - 16) * (side - 16))
        }
        // exp(−d² / 4σ²) at a distance of one and of two pixels; the estimates' own errors are about 2 %.
        for (dx, dy, expected) in [(0, 0, 1.0), (1, 0, 0.779), (0, 1, 0.779), (0, 2, 0.368)] {
            #expect(abs(mean(0, dx: dx, dy: dy) / 400 - expected) < 0.07, "\(dx), \(dy)")
        }
        #expect(abs(mean(1, dx: 0, dy: 0) / 64 - 1) < 0.05 && abs(mean(1, dx: 1, dy: 0) / 64) < 0.05)
        let plane = side * side
        #expect(Array(noise[3 * plane..<4 * plane]) == Array(noise[4 * plane..<5 * plane]))
        #expect(record.lines == ["Gaussian noise: sigma 20 / 8, colour / grey, grain 1 / 0, seed 6"])
    }

    @Test func trainingGetsPatches() throws {
        let folder = try Folder()
        try folder.makeShards()
        for (name, channels) in [("Compact", 3), ("SRCNN", 1)] {
            let network = try ArchitectureDescription(name: name).network(scale: 2)
            let sampler = PairSampler(
                try CropShards([folder.file("crops.safetensors")]), degradation: try Degradation(named: "real-esrgan"), network: network,
                device: "cpu", runtime: try .shared())
            var random = SplitMix(seed: 2)
            let pair = try sampler.pairs(3, side: 16, using: &random)
            #expect(try pair.low.shape == [3, channels, 16, 16])
            #expect(try pair.high.shape == [3, channels, 32, 32] && pair.target.shape == [3, channels, 32, 32])
            #expect(try pair.high.floats() != pair.target.floats())
        }
    }

    /// Batches are drawn from the pool, and a pool that was written down comes back to the bit.
    @Test func poolsSurviveACheckpoint() throws {
        let folder = try Folder()
        try folder.makeShards()
        let network = try ArchitectureDescription(name: "Compact").network(scale: 2)
        func sampler() throws -> PairSampler {
            PairSampler(
                try CropShards([folder.file("crops.safetensors")]), degradation: try Degradation(json: Data(#"{"name": "real-esrgan", "pool": 10, "fresh": 0.5}"#.utf8), from: "t"),
                network: network, device: "cpu", runtime: try .shared())
        }
        let first = try sampler()
        var random = SplitMix(seed: 4)
        var made: [[Float]] = []
        func pictures(_ pair: TrainingPair) throws -> [[Float]] {
            let high = try pair.high.floats().values
            return (0..<4).map { Array(high[$0 * 3072..<($0 + 1) * 3072]) }
        }
        for _ in 0..<3 { made += try pictures(first.pairs(4, side: 16, using: &random)) }
        // Now full, with twelve: what comes next was made before.
        let next = try pictures(first.pairs(4, side: 16, using: &random))
        #expect(next.allSatisfy { made.contains($0) } && Set(next).count == 4)
        for _ in 0..<5 { _ = try first.pairs(4, side: 16, using: &random) }

        let second = try sampler()
        try second.recallPool(first.rememberedPool)
        var other = random
        for _ in 0..<4 {
            let (a, b) = (try first.pairs(4, side: 16, using: &random), try second.pairs(4, side: 16, using: &other))
            #expect(try a.low.floats() == b.low.floats() && a.target.floats() == b.target.floats() && a.high.floats() == b.high.floats())
        }
        // Another patch size empties it.
        #expect(try first.pairs(4, side: 12, using: &random).low.shape == [4, 3, 12, 12])
        #expect(throws: AcuityError.self) { try second.recallPool([PairOrigin(state: 1, group: 2, side: 16, smooth: 0, index: 5)]) }
    }

    /// What a batch costs against a step, printed; a figure of the machine, so only on demand. In seconds of the processor on
    /// one thread: a machine that is busy with other things too hardly changes them.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["ACUITY_MEASURE"] != nil, "set ACUITY_MEASURE to time batches"))
    func batchesAreCheap() throws {
        let folder = try Folder()
        let writer = try ShardWriter(path: folder.file("large.safetensors"), cropSize: 256)
        for seed in 1...8 { try writer.append(crop: (0, 0), of: drawing(width: 256, height: 256, seed: UInt64(seed)), width: 256) }
        try writer.finish()
        let crops = try CropShards([folder.file("large.safetensors")])
        let runtime = try TorchRuntime.shared()
        try runtime.setThreads(1)
        func mean(_ count: Int, _ body: () throws -> Void) rethrows -> (mean: Double, most: Double) {
            try body()
            let times = try (0..<count).map { _ in
                let start = clock()
                try body()
                return Double(clock() - start) / 1000  // POSIX: microseconds
            }
            return (times.reduce(0, +) / Double(count), times.max() ?? 0)
        }
        for (features, convolutions, batch, side) in [(48, 8, 8, 48), (64, 16, 2, 32)] {
            let network = try ArchitectureDescription(
                name: "Compact", hyperparameters: ["features": .number(features), "convolutions": .number(convolutions)]
            ).network(scale: 4)
            var random = SplitMix(seed: 1)
            let weights = Dictionary(uniqueKeysWithValues: network.parameters.map { parameter in
                (parameter.key, Tensor(shape: parameter.shape, values: (0..<parameter.shape.reduce(1, *)).map { _ in random.normal() * 0.05 }))
            })
            let trained = try TorchNetwork(network, weights: weights, device: "cpu", requiresGradient: true, runtime: runtime)
            func sampler(_ json: String) throws -> PairSampler {
                PairSampler(crops, degradation: try Degradation(json: Data(json.utf8), from: "t"), network: network, device: "cpu", runtime: runtime)
            }
            let pair = try sampler(#""bicubic""#).pairs(batch, side: side, using: &random)
            let step = try mean(8) {
                let loss = try trained(pair.low, precision: .bf16).l1(to: pair.target)
                try loss.backward()
                try TorchOptimiser.zeroGradients(Array(trained.parameters.values))
            }.mean
            print("Compact \(features)×\(convolutions), \(batch) patches of \(side)²: forward and backward \(step) ms")
            for json in Degradation.models.map({ "\"\($0.name)\"" }) + [#"{"name": "real-esrgan", "pool": 0}"#] {
                let sampler = try sampler(json)
                for _ in 0..<(json.contains("esrgan") ? 64 / batch : 0) { _ = try sampler.pairs(batch, side: side, using: &random) }
                let cost = try mean(48) { _ = try sampler.pairs(batch, side: side, using: &random) }
                print("  \(json): mean \(cost.mean) ms, \(100 * cost.mean / step) % of it, most \(cost.most) ms")
            }
        }
    }
}
