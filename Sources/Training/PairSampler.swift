// PairSampler: random batches of low and high resolution for training, made on the device.

package import SuperResolution
package import TorchEngine

/// A batch: N×C×h×w and twice N×C×H×W, C being 1 for a luma network.
package struct TrainingPair {
    /// What the network sees.
    package var low: TorchTensor
    /// The ground truth, for discriminators.
    package var high: TorchTensor
    /// The ground truth for losses on pixels and features: sharpened where the degradation does so, else mixed with a teacher's result
    /// where the recipe says so, otherwise ``high`` itself.
    package var target: TorchTensor
}

/// Random pairs of low and high resolution from crops.
package final class PairSampler {
    /// The same crops as a teacher made them, and their share of the target.
    package struct Distilled {
        package let crops: CropShards
        package let share: Float
    }

    private let crops: CropShards
    private let distilled: Distilled?
    private let degrader: Degrader
    private let network: Network
    private let turns: Bool
    private let device: String
    private let runtime: TorchRuntime
    /// On a GPU all crops, so that a step copies next to nothing from the host.
    private var resident: (truth: TorchTensor?, distilled: TorchTensor?)

    /// - Parameter turns: see ``Recipe/turn``.
    package init(
        _ crops: CropShards, degradation: Degradation, network: Network, turns: Bool = true, distilled: Distilled? = nil, device: String,
        runtime: TorchRuntime
    ) {
        self.crops = crops
        self.distilled = distilled
        self.network = network
        self.turns = turns
        self.device = device
        self.runtime = runtime
        degrader = Degrader(degradation, scale: network.scale, device: device, runtime: runtime)
    }

    /// - Parameters:
    ///   - side: low-resolution pixels.
    ///   - smooth: see ``Recipe/smooth``.
    package func pairs(_ batch: Int, side: Int, smooth: Double = 0, using random: inout SplitMix) throws -> TrainingPair {
        let (size, fresh) = degrader.degradation.model.pairPool
        guard size > 0 else { return try made(batch, side: side, smooth: smooth, using: &random) }
        if pool.first.map({ $0.origin.side != side }) ?? false { pool = [] }
        if pool.count < max(size, batch) {
            let group = try fill(PairOrigin(state: random.state, group: batch, side: side, smooth: smooth, index: 0), using: &random)
            pool += group.entries
            return group.batch
        }
        let chosen = Array(pool.indices.shuffled(using: &random).prefix(batch))
        let pairs = chosen.map { pool[$0].pair }
        let drawn = TrainingPair(
            low: try .joined(pairs.map(\.low)), high: try .joined(pairs.map(\.high)), target: try .joined(pairs.map(\.target)))
        let count = max(1, min(batch, Int((Double(batch) * fresh).rounded())))
        let group = try fill(PairOrigin(state: random.state, group: count, side: side, smooth: smooth, index: 0), using: &random)
        for (index, entry) in zip(chosen, group.entries) { pool[index] = entry }
        return drawn
    }

    // MARK: - The pool

    private var pool: [(origin: PairOrigin, pair: TrainingPair)] = []

    private func fill(_ origin: PairOrigin, using random: inout SplitMix) throws -> (batch: TrainingPair, entries: [(origin: PairOrigin, pair: TrainingPair)]) {
        let batch = try made(origin.group, side: origin.side, smooth: origin.smooth, using: &random)
        let entries = try (0..<origin.group).map { index in
            var own = origin
            own.index = index
            func one(_ x: TorchTensor) throws -> TorchTensor { try x.slice(dimension: 0, first: index, count: 1).leaf(requiresGradient: false) }
            return (own, TrainingPair(low: try one(batch.low), high: try one(batch.high), target: try one(batch.target)))
        }
        return (batch, entries)
    }

    /// Where the pool's pairs come from: all that a checkpoint needs of them.
    package var rememberedPool: [PairOrigin] { pool.map(\.origin) }

    /// Makes the pool of a checkpoint again.
    package func recallPool(_ origins: [PairOrigin]) throws {
        guard origins.allSatisfy({ (1...4096).contains($0.group) && (0..<$0.group).contains($0.index) && $0.side > 0 }) else {
            throw AcuityError(.training, "the checkpoint's pool of pairs is damaged")
        }
        var groups: [UInt64: [(origin: PairOrigin, pair: TrainingPair)]] = [:]
        pool = try origins.map { origin in
            let group: [(origin: PairOrigin, pair: TrainingPair)]
            if let known = groups[origin.state] {
                group = known
            } else {
                var random = SplitMix(seed: origin.state)
                group = try fill(origin, using: &random).entries
                groups[origin.state] = group
            }
            guard origin.index < group.count else { throw AcuityError(.training, "the checkpoint's pool of pairs is damaged") }
            return group[origin.index]
        }
    }

    // MARK: - One batch

    private func made(_ batch: Int, side: Int, smooth: Double, using random: inout SplitMix) throws -> TrainingPair {
        let scale = network.scale
        // Low resolution is made from a wider region, so that the mirrored border stays out of the patch (bicubic's filter
        // reaches 2½ pixels; of wider blurs the border is a fair sample).
        let margin = max(0, min(3, (crops.size / scale - side) / 2))
        let wide = side + 2 * margin
        var same = random
        let image = try patches(batch, of: crops, \.resident.truth, side: wide * scale, smooth: smooth, using: &random).image()
        // The same draws again: crops, places, turns and smooth fields are those of the truth.
        let soft = try distilled.map { try patches(batch, of: $0.crops, \.resident.distilled, side: wide * scale, smooth: smooth, using: &same).image() }
        let made = try degrader(image, using: &random)
        func finished(_ x: TorchTensor, scale: Int) throws -> TorchTensor {
            let patch = try x.centre(margin: margin * scale, side: side * scale)
            return network.colour == .luma ? try patch.luma() : patch
        }
        let high = try finished(image, scale: scale)
        func target() throws -> TorchTensor {
            if made.record.unsharpMask != nil { return try finished(made.target, scale: scale) }
            guard let soft, let share = distilled?.share else { return high }
            return try high.scaled(by: 1 - share).adding(finished(soft, scale: scale).scaled(by: share))
        }
        return TrainingPair(low: try finished(made.low, scale: 1), high: high, target: try target())
    }

    /// batch×side×side×3 bytes on the device.
    private func patches(
        _ batch: Int, of crops: CropShards, _ kept: ReferenceWritableKeyPath<PairSampler, TorchTensor?>, side: Int, smooth: Double,
        using random: inout SplitMix
    ) throws -> TorchTensor {
        guard device != "cpu" else {
            let bytes = try crops.batch(batch, side: side, smooth: smooth, turns: turns, using: &random)
            return try TorchTensor(bytes: bytes, shape: [batch, side, side, 3], device: device, runtime: runtime)
        }
        let source = try self[keyPath: kept] ?? crops.tensor(device: device, runtime: runtime)
        self[keyPath: kept] = source
        return try crops.draw(batch, side: side, smooth: smooth, turns: turns, using: &random).patches(of: source, side: side)
    }
}

/// Where a pair of the pool comes from: the generator before its group was made, and its place there.
package struct PairOrigin: Codable {
    var state: UInt64
    var group: Int
    var side: Int
    var smooth: Double
    var index: Int

    package init(state: UInt64, group: Int, side: Int, smooth: Double, index: Int) {
        (self.state, self.group, self.side, self.smooth, self.index) = (state, group, side, smooth, index)
    }
}

extension [CropShards.Draw] {
    /// Cuts and draws these patches on the device where the crops lie.
    package func patches(of crops: TorchTensor, side: Int) throws -> TorchTensor {
        let patches = try crops.patches(map { if case .patch(let pick) = $0 { pick } else { .init(crop: 0, x: 0, y: 0, turn: 0) } }, side: side)
        try patches.drawFields(enumerated().compactMap { if case .field(let corners) = $0.element { ($0.offset, corners) } else { nil } })
        return patches
    }
}

extension TorchTensor {
    /// The square that is left when `margin` pixels go on every side.
    fileprivate func centre(margin: Int, side: Int) throws -> TorchTensor {
        if margin == 0 { return self }
        return try slice(dimension: 2, first: margin, count: side).slice(dimension: 3, first: margin, count: side)
    }
}
