// MixedSamplerTests: every part of a mixture has its share, its shards and its degradation, and survives a checkpoint.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct MixedSamplerTests {
    /// A shard of one crop, all of one grey.
    private func grey(_ level: UInt8, _ name: String, in folder: Folder, side: Int = 48) throws -> String {
        let crops = try ShardWriter(path: folder.file(name), cropSize: side)
        try crops.append(crop: (0, 0), of: [UInt8](repeating: level, count: side * side * 3), width: side)
        try crops.finish()
        return folder.file(name)
    }

    private func sampler(_ changes: [String: Any?], in folder: Folder) throws -> MixedSampler {
        let recipe = try Recipe(contentsOf: folder.recipe(changes))
        return try MixedSampler(recipe, network: recipe.network(), device: "cpu", runtime: .shared())
    }

    @Test func everyPartHasItsShareAndItsShards() throws {
        let folder = try Folder()
        try folder.makeShards()
        let mixture: [[String: Any]] = [
            ["share": 0.2, "data": [try grey(50, "a", in: folder)]], ["share": 0.3, "data": [try grey(200, "b", in: folder)], "degradation": "classical"],
        ]
        let sampler = try sampler(["data": [try grey(100, "own", in: folder)], "mixture": mixture], in: folder)
        var random = SplitMix(seed: 3)
        var counts: [Int: Int] = [:]
        for _ in 0..<400 {
            let pair = try sampler.pairs(2, side: 8, using: &random)
            let (low, high) = (try pair.low.floats().values, try pair.high.floats().values)
            let level = Int((high[0] * 255).rounded())
            // Whole batches are of one kind; flat pictures stay flat unless noise is added.
            #expect(high.allSatisfy { $0 == high[0] })
            if level != 200 { #expect(low.allSatisfy { abs($0 - high[0]) < 1e-6 }) }
            counts[level, default: 0] += 1
        }
        #expect(Set(counts.keys) == [50, 100, 200])
        // Three standard deviations of a binomial: 24, 27.5, 30.
        #expect(abs(counts[50, default: 0] - 80) < 24 && abs(counts[200, default: 0] - 120) < 28 && abs(counts[100, default: 0] - 200) < 30, "\(counts)")
    }

    /// Without a mixture nothing is drawn for the choice: earlier runs stay what they were.
    @Test func aPlainRecipeDrawsAsItsSamplerAlone() throws {
        let folder = try Folder()
        try folder.makeShards()
        let mixed = try sampler([:], in: folder)
        let recipe = try Recipe(contentsOf: folder.recipe())
        let alone = PairSampler(
            try CropShards(recipe.data), degradation: recipe.degradation, network: try recipe.network(), device: "cpu", runtime: try .shared())
        var (a, b) = (SplitMix(seed: 1), SplitMix(seed: 1))
        #expect(try mixed.pairs(3, side: 12, using: &a).low.floats() == alone.pairs(3, side: 12, using: &b).low.floats())
        #expect(a.state == b.state)
    }

    /// Targets are mixed with the teacher's crops at the same places in the same positions; what is read, and what is real, stay.
    @Test func distilledTargetsMatchTheirCrops() throws {
        let folder = try Folder()
        try folder.makeShards()
        let shard = try CropShards([folder.file("crops.safetensors")])
        // Half as bright as the truth, so that place and position show.
        func half(_ name: String, count: Int) throws -> String {
            let crops = try ShardWriter(path: folder.file(name), cropSize: shard.size)
            for index in 0..<count { try crops.append(crop: (0, 0), of: shard.crop(index).map { $0 / 2 }, width: shard.size) }
            try crops.finish()
            return folder.file(name)
        }
        func distilled(_ path: String) -> [String: Any] { ["distillation": ["data": [path], "share": 0.75] as [String: Any]] }
        let mixture: [[String: Any]] = [["share": 0.4, "data": [try grey(200, "other", in: folder)]]]
        let mixed = try sampler(distilled(half("half", count: shard.count)).merging(["mixture": mixture]) { $1 }, in: folder)
        let plain = try sampler(["mixture": mixture], in: folder)
        var (a, b) = (SplitMix(seed: 4), SplitMix(seed: 4))
        var kinds = Set<Bool>()
        for _ in 0..<20 {
            let (pair, truth) = (try mixed.pairs(3, side: 12, smooth: 0.3, using: &a), try plain.pairs(3, side: 12, smooth: 0.3, using: &b))
            #expect(a.state == b.state)
            #expect(try pair.low.floats() == truth.low.floats() && pair.high.floats() == truth.high.floats())
            let (target, high) = (try pair.target.floats().values, try truth.target.floats().values)
            // The other shard has no teacher; patches of ours are 1 − 0.75/2 times as bright but for rounding, smooth fields as they are.
            let isTaught = target != high
            kinds.insert(isTaught)
            guard isTaught else { continue }
            let patch = target.count / 3
            for index in 0..<3 {
                let (made, real) = (target[index * patch..<(index + 1) * patch], high[index * patch..<(index + 1) * patch])
                let isField = zip(made, real).allSatisfy { abs($0 - $1) < 1e-5 }
                #expect(isField || zip(made, real).allSatisfy { abs($0 - 0.625 * $1) < 0.75 / 255 })
            }
        }
        #expect(kinds == [true, false])
        let error = #expect(throws: AcuityError.self) { try sampler(distilled(half("fewer", count: shard.count - 1)), in: folder) }
        #expect(error?.message.contains("distillation has \(shard.count - 1) crops") == true)
    }

    @Test func poolsOfAllPartsSurviveACheckpoint() throws {
        let folder = try Folder()
        try folder.makeShards()
        let pooled: [String: Any] = ["name": "real-esrgan", "pool": 6]
        let changes: [String: Any?] = ["degradation": pooled, "mixture": [["share": 0.5, "degradation": ["name": "real-esrgan", "pool": 4, "sharpen": false] as [String: Any]]]]
        let (first, second) = (try sampler(changes, in: folder), try sampler(changes, in: folder))
        var random = SplitMix(seed: 5)
        for _ in 0..<12 { _ = try first.pairs(2, side: 12, using: &random) }
        try second.recallPools(first.rememberedPools())
        var other = random
        for _ in 0..<6 {
            #expect(try first.pairs(2, side: 12, using: &random).low.floats() == second.pairs(2, side: 12, using: &other).low.floats())
        }
        for text in ["", "[]", "[[]]", "[1, 2]", #"[[], [{"state":1,"group":2,"side":12,"smooth":0,"index":5}]]"#] {
            #expect(throws: AcuityError.self) { try second.recallPools(text) }
        }
    }

    @Test func wrongMixturesAreRefused() throws {
        let folder = try Folder()
        try folder.makeShards()
        let wrong: [(Any, String)] = [
            ([["share": 0]], "share"), ([["share": 0.6], ["share": 0.4]], "share"), ([["share": -0.5]], "share"), ([["degradation": "bicubic"]], "share"),
            ([["share": 0.5, "shards": ["a"]] as [String: Any]], "shards"), ([["share": 0.5, "degradation": "none"] as [String: Any]], "none"), ("bicubic", "mixture"),
        ]
        for (mixture, word) in wrong {
            let error = #expect(throws: AcuityError.self) { try Recipe(contentsOf: folder.recipe(["mixture": mixture])) }
            #expect(error?.message.contains(word) == true && error?.message.contains("\n") == false, "\(String(describing: error))")
        }
        let small = try grey(9, "small", in: folder, side: 16)
        for data in [small, folder.file("absent")] {
            #expect(throws: AcuityError.self) { try sampler(["mixture": [["share": 0.5, "data": [data]] as [String: Any]]], in: folder) }
        }
    }
}
