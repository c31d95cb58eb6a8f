// MixedSampler: batches of several kinds, each from its own shards and by its own degradation.

package import SuperResolution
package import TorchEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The samplers of a recipe: that of its `data` and `degradation`, and one for each part of its `mixture`.
package final class MixedSampler {
    /// What is drawn from, in the recipe's order, and what a teacher made.
    package let shards: [CropShards]
    private let samplers: [PairSampler]
    /// Of the parts of the mixture; the first sampler has what they leave.
    private let shares: [Double]

    /// - Throws: ``AcuityError`` if shards cannot be read, or their crops are smaller than the recipe's patches.
    package init(_ recipe: Recipe, network: Network, device: String, runtime: TorchRuntime) throws {
        let own = (data: recipe.data, degradation: recipe.degradation)
        let kinds = [own] + recipe.mixture.map { (data: $0.data ?? own.data, degradation: $0.degradation ?? own.degradation) }
        var opened: [[String]: CropShards] = [:]
        let drawn = try kinds.map { kind in
            let crops = try opened[kind.data] ?? CropShards(kind.data)
            opened[kind.data] = crops
            for stage in recipe.patch where stage.side * recipe.scale > crops.size {
                throw AcuityError(.training, "\(recipe.name): patches of \(stage.side) × \(recipe.scale) pixels do not fit crops of \(crops.size)")
            }
            return crops
        }
        let distilled = try recipe.distillation.map { PairSampler.Distilled(crops: try CropShards($0.data), share: Float($0.share)) }
        if let distilled, distilled.crops.count != drawn[0].count || distilled.crops.size != drawn[0].size {
            throw AcuityError(.training, "\(recipe.name): distillation has \(distilled.crops.count) crops of \(distilled.crops.size) pixels, data \(drawn[0].count) of \(drawn[0].size)")
        }
        shards = drawn + [distilled?.crops].compactMap(\.self)
        samplers = zip(drawn, kinds).map { crops, kind in
            PairSampler(
                crops, degradation: kind.degradation, network: network, turns: recipe.turn, distilled: kind.data == own.data ? distilled : nil,
                device: device, runtime: runtime)
        }
        shares = recipe.mixture.map(\.share)
    }

    /// A batch of one kind, see ``PairSampler/pairs(_:side:smooth:using:)``.
    package func pairs(_ batch: Int, side: Int, smooth: Double = 0, using random: inout SplitMix) throws -> TrainingPair {
        var chosen = 0
        if !shares.isEmpty {
            var left = Double.random(in: 0..<1, using: &random)
            for (index, share) in shares.enumerated() where chosen == 0 {
                if left < share { chosen = index + 1 }
                left -= share
            }
        }
        return try samplers[chosen].pairs(batch, side: side, smooth: smooth, using: &random)
    }

    /// The pools of all samplers, as JSON, see ``PairSampler/rememberedPool``.
    package func rememberedPools() throws -> String { String(decoding: try JSONEncoder().encode(samplers.map(\.rememberedPool)), as: UTF8.self) }

    /// Makes the pools of a checkpoint again.
    package func recallPools(_ text: String) throws {
        guard let pools = try? JSONDecoder().decode([[PairOrigin]].self, from: Data(text.utf8)), pools.count == samplers.count else {
            throw AcuityError(.training, "the checkpoint's pool of pairs is damaged")
        }
        for (sampler, pool) in zip(samplers, pools) { try sampler.recallPool(pool) }
    }
}
