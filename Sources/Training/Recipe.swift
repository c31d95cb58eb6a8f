// Recipe: everything that decides a training run, as a strict JSON file.

public import SuperResolution

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A training recipe. An unknown key is an error, so a misspelt one cannot pass for a default.
public struct Recipe: Sendable, Codable {
    /// What the model will be called; also the file's stem.
    public var name: String
    /// `{"name": "Compact", "features": 48, "convolutions": 8}`: the architecture and its hyper-parameters.
    public var architecture: ArchitectureDescription
    /// Enlargement factor, 1…8.
    public var scale: Int
    /// Length of the run on the clock; the learning rate follows it.
    public var minutes: Double
    /// Patches per step.
    public var batch: Int
    /// Side of the low-resolution patches in pixels: `[{"until": 0.5, "side": 32}, {"until": 1, "side": 64}]`, `until`
    /// being the fraction of the run; a single number is one stage.
    public var patch: [PatchStage]
    /// Fraction of the patches that are drawn as flat colours and gradients, so that flat areas stay flat; 0 is none.
    public var smooth: Double
    /// Whether patches are turned and mirrored at random (default true); text is not to be read in mirrors.
    public var turn: Bool
    /// How low resolution is made: `"bicubic"`, or an object with a name and what differs from the published settings:
    /// `{"name": "real-esrgan", "first": {"jpeg": [10, 95]}}`; see docs/degradations.md.
    public var degradation: Degradation
    /// Other kinds of batches beside those of `data` and `degradation`, which get the share that is left:
    /// `[{"share": 0.3, "degradation": "bicubic", "data": ["shards/photos.safetensors"]}]`.
    public var mixture: [MixturePart]
    /// The same crops as `data`'s as a larger network made them from their reductions, which targets are mixed with.
    public var distillation: Distillation?
    /// `l1` or `mse`, averaged over all samples.
    public var loss: Loss
    /// A loss of several balanced terms instead of `loss`, see ``Losses``.
    public var losses: Losses?
    /// Weights of a network of the same scale, of whatever architecture, whose output the term `teacher` of `losses` is drawn to.
    public var teacher: String?
    /// The last part of the run, as a fraction of it, that minimises `mse` whatever `loss` or `losses` say; 0 is none.
    public var mseFraction: Double
    public var optimiser: Optimiser
    /// The learning rate at the end as a fraction of its peak (cosine).
    public var finalRate: Double
    /// Steps over which the learning rate rises from 0.
    public var warmup: Int
    /// Decay of the running average of the weights, which is what is validated and released.
    public var ema: Double
    /// `bf16`: mixed precision where the device has a unit for matrices of it (a GPU, AMX), else fp32, which is faster there; or `fp32`.
    public var precision: Precision
    /// Weights to start from: every tensor whose key and shape fit is copied, so a ×2 body starts a ×4; a smaller network of
    /// the same architecture is grown without changing what it computes.
    public var warmStart: String?
    /// Plain 3×3 kernels train as several branches that ship as one kernel: `ecb` or `conv3xc`, see ``Reparameterisation``.
    public var reparameterise: Reparameterise?
    /// Steps after which channels whose ReLU has stopped firing get new kernels, again and again until two thirds of the run are over,
    /// see ``DeadChannels``; 0 leaves them dead.
    public var revive: Int
    /// `he`, `identity` (body kernels start near the identity, the last is small), `dirac` (the whole network does) or
    /// `residual` (body kernels and the last are small, for networks of residual blocks).
    public var initialisation: Initialisation
    /// Of weights, patches and everything random.
    public var seed: UInt64
    /// Shards of crops (`acuity dataset FOLDER -o SHARD`), relative to the working directory.
    public var data: [String]
    /// A shard of whole images (`acuity dataset FOLDER -o SHARD --whole`).
    public var validation: String
    /// Seconds between validations.
    public var validateEvery: Double
    /// Whether validation also measures on pictures that the degradation made, where it is another than bicubic. They are the same
    /// at every validation, and in every run with that degradation and scale.
    public var validateDegraded: Bool
    /// Seconds between checkpoints.
    public var checkpointEvery: Double

    public enum Loss: String, Sendable, Codable { case l1, mse }
    public enum Initialisation: String, Sendable, Codable { case he, identity, dirac, residual }
    public enum Reparameterise: String, Sendable, Codable { case ecb, conv3xc }

    /// Batches from other shards, of another degradation, or both; what is left out is as in the recipe.
    public struct MixturePart: Sendable, Codable {
        /// The probability that a batch is of this kind, above 0; all together below 1.
        public var share: Double
        /// Shards of crops; `nil` for the recipe's.
        public var data: [String]?
        /// `nil` for the recipe's.
        public var degradation: Degradation?

        enum CodingKeys: String, CodingKey, CaseIterable { case share, data, degradation }

        public init(from decoder: any Decoder) throws {
            try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "mixture")
            let container = try decoder.container(keyedBy: CodingKeys.self)
            share = try container.decode(Double.self, forKey: .share)
            data = try container.decodeIfPresent([String].self, forKey: .data)
            degradation = try container.decodeIfPresent(Degradation.self, forKey: .degradation)
        }
    }

    /// Targets that are partly what a teacher made of clean pictures (knowledge distillation, Hinton et al. 2015): it leaves out what
    /// nobody can know, which is most of what a gradient's noise comes from.
    public struct Distillation: Sendable, Codable, Hashable {
        /// Shards that `acuity distill` made of the recipe's `data`, in the same order.
        public var data: [String]
        /// The teacher's share of the target, above 0 and at most 1; the rest is the truth's.
        public var share: Double

        public init(from decoder: any Decoder) throws {
            try decoder.rejectUnknownKeys(["data", "share"], in: "distillation")
            let container = try decoder.container(keyedBy: CodingKeys.self)
            data = try container.decode([String].self, forKey: .data)
            share = try container.decode(Double.self, forKey: .share)
        }
    }

    public struct PatchStage: Sendable, Codable, Hashable {
        /// Fraction of the run at which the stage ends, up to 1.
        public var until: Double
        /// Pixels.
        public var side: Int

        public init(until: Double, side: Int) {
            self.until = until
            self.side = side
        }

        public init(from decoder: any Decoder) throws {
            try decoder.rejectUnknownKeys(["until", "side"], in: "patch")
            let container = try decoder.container(keyedBy: CodingKeys.self)
            until = try container.decode(Double.self, forKey: .until)
            side = try container.wholeNumber(forKey: .side)
        }
    }

    public struct Optimiser: Sendable, Codable, Hashable {
        public enum Name: String, Sendable, Codable { case adam, muon }
        /// `adam`, or `muon` for the body's kernels with Adam for the rest.
        public var name: Name
        /// Adam's peak learning rate.
        public var rate: Double
        /// Adam's decay rates.
        public var betas: [Double]
        /// Muon's peak learning rate.
        public var muonRate: Double
        /// Muon's momentum.
        public var momentum: Double
        /// Gradients longer than so many times their usual length are shortened to that; 0 leaves them.
        public var clip: Double

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, rate, betas, momentum, clip
            case muonRate = "muon_rate"
        }

        public init(from decoder: any Decoder) throws {
            try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "optimiser")
            let container = try decoder.container(keyedBy: CodingKeys.self)
            name = try container.decode(Name.self, forKey: .name)
            rate = try container.decode(Double.self, forKey: .rate)
            betas = try container.decodeIfPresent([Double].self, forKey: .betas) ?? [0.9, 0.99]
            muonRate = try container.decodeIfPresent(Double.self, forKey: .muonRate) ?? 0.005
            momentum = try container.decodeIfPresent(Double.self, forKey: .momentum) ?? 0.95
            clip = try container.decodeIfPresent(Double.self, forKey: .clip) ?? 3
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, architecture, scale, minutes, batch, patch, smooth, turn, degradation, mixture, distillation, loss, losses, teacher
        case mseFraction = "mse_fraction"
        case optimiser
        case finalRate = "final_rate"
        case warmup, ema, precision
        case warmStart = "warm_start"
        case reparameterise, revive, initialisation, seed, data, validation
        case validateEvery = "validate_every"
        case validateDegraded = "validate_degraded"
        case checkpointEvery = "checkpoint_every"
    }

    public init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "the recipe")
        let c = try decoder.container(keyedBy: CodingKeys.self)
        name = try c.decode(String.self, forKey: .name)
        architecture = try c.decode(ArchitectureDescription.self, forKey: .architecture)
        scale = try c.wholeNumber(forKey: .scale)
        minutes = try c.decode(Double.self, forKey: .minutes)
        batch = try c.wholeNumber(forKey: .batch)
        if let side = try? c.decode(Int.self, forKey: .patch) {
            patch = [PatchStage(until: 1, side: side)]
        } else {
            patch = try c.decode([PatchStage].self, forKey: .patch)
        }
        smooth = try c.decodeIfPresent(Double.self, forKey: .smooth) ?? 0
        turn = try c.decodeIfPresent(Bool.self, forKey: .turn) ?? true
        degradation = try c.decodeIfPresent(Degradation.self, forKey: .degradation) ?? Degradation(BicubicModel())
        mixture = try c.decodeIfPresent([MixturePart].self, forKey: .mixture) ?? []
        distillation = try c.decodeIfPresent(Distillation.self, forKey: .distillation)
        loss = try c.decodeIfPresent(Loss.self, forKey: .loss) ?? .l1
        losses = try c.decodeIfPresent(Losses.self, forKey: .losses)
        teacher = try c.decodeIfPresent(String.self, forKey: .teacher)
        if losses != nil, c.contains(.loss) {
            throw DecodingError.dataCorruptedError(forKey: .losses, in: c, debugDescription: "loss and losses exclude each other")
        }
        mseFraction = try c.decodeIfPresent(Double.self, forKey: .mseFraction) ?? 0
        optimiser = try c.decode(Optimiser.self, forKey: .optimiser)
        finalRate = try c.decodeIfPresent(Double.self, forKey: .finalRate) ?? 0.01
        warmup = try c.contains(.warmup) ? c.wholeNumber(forKey: .warmup) : 100
        ema = try c.decodeIfPresent(Double.self, forKey: .ema) ?? 0.999
        precision = try Precision(rawValue: c.decodeIfPresent(String.self, forKey: .precision) ?? "bf16")
            ?? { throw DecodingError.dataCorruptedError(forKey: .precision, in: c, debugDescription: "precision is bf16 or fp32") }()
        warmStart = try c.decodeIfPresent(String.self, forKey: .warmStart)
        reparameterise = try c.decodeIfPresent(Reparameterise.self, forKey: .reparameterise)
        revive = try c.contains(.revive) ? c.wholeNumber(forKey: .revive) : 0
        initialisation = try c.decodeIfPresent(Initialisation.self, forKey: .initialisation) ?? .he
        seed = try c.contains(.seed) ? c.wholeNumber(forKey: .seed) : 1
        data = try c.decode([String].self, forKey: .data)
        validation = try c.decode(String.self, forKey: .validation)
        validateEvery = try c.decodeIfPresent(Double.self, forKey: .validateEvery) ?? 60
        validateDegraded = try c.decodeIfPresent(Bool.self, forKey: .validateDegraded) ?? !(degradation.model is BicubicModel)
        checkpointEvery = try c.decodeIfPresent(Double.self, forKey: .checkpointEvery) ?? 60
    }

    public func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        try c.encode(name, forKey: .name)
        try c.encode(architecture, forKey: .architecture)
        try c.encode(scale, forKey: .scale)
        try c.encode(minutes, forKey: .minutes)
        try c.encode(batch, forKey: .batch)
        try c.encode(patch, forKey: .patch)
        try c.encode(smooth, forKey: .smooth)
        try c.encode(turn, forKey: .turn)
        try c.encode(degradation, forKey: .degradation)
        try c.encode(mixture, forKey: .mixture)
        try c.encodeIfPresent(distillation, forKey: .distillation)
        // Never both: the two exclude each other.
        if let losses { try c.encode(losses, forKey: .losses) } else { try c.encode(loss, forKey: .loss) }
        try c.encodeIfPresent(teacher, forKey: .teacher)
        try c.encode(mseFraction, forKey: .mseFraction)
        try c.encode(optimiser, forKey: .optimiser)
        try c.encode(finalRate, forKey: .finalRate)
        try c.encode(warmup, forKey: .warmup)
        try c.encode(ema, forKey: .ema)
        try c.encode(precision.rawValue, forKey: .precision)
        try c.encodeIfPresent(warmStart, forKey: .warmStart)
        try c.encodeIfPresent(reparameterise, forKey: .reparameterise)
        if revive > 0 { try c.encode(revive, forKey: .revive) }
        try c.encode(initialisation, forKey: .initialisation)
        try c.encode(seed, forKey: .seed)
        try c.encode(data, forKey: .data)
        try c.encode(validation, forKey: .validation)
        try c.encode(validateEvery, forKey: .validateEvery)
        try c.encode(validateDegraded, forKey: .validateDegraded)
        try c.encode(checkpointEvery, forKey: .checkpointEvery)
    }

    /// Reads and checks a recipe.
    /// - Throws: ``AcuityError`` with code `.training` naming the key at fault.
    public init(contentsOf path: String) throws {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { throw AcuityError(.file, "\(path): cannot be read") }
        do {
            self = try JSONDecoder().decode(Recipe.self, from: data)
        } catch let error as AcuityError {
            throw AcuityError(.training, "\(path): \(error.message)")
        } catch let error as DecodingError {
            throw AcuityError(.training, "\(path): \(error.reason)")
        }
        func require(_ condition: Bool, _ reason: String) throws {
            if !condition { throw AcuityError(.training, "\(path): \(reason)") }
        }
        try require((1...8).contains(scale), "scale is 1…8")
        try require(minutes > 0 && minutes.isFinite, "minutes is above 0")
        try require((1...4096).contains(batch), "batch is 1…4096")
        try require(!patch.isEmpty && patch.allSatisfy { (4...1024).contains($0.side) }, "patch sides are 4…1024")
        try require(patch.last?.until == 1, "the last patch stage ends at 1")
        try require((0...1).contains(smooth), "smooth is 0…1")
        try require(
            mixture.allSatisfy { $0.share > 0 } && mixture.reduce(0) { $0 + $1.share } < 1, "shares of mixture are above 0 and leave some of 1 to data")
        try require(distillation.map { $0.share > 0 && $0.share <= 1 } ?? true, "distillation.share is above 0 and at most 1")
        try require((0...1).contains(mseFraction), "mse_fraction is 0…1")
        try require((0...1).contains(finalRate), "final_rate is 0…1")
        try require(warmup >= 0, "warmup is not negative")
        try require((0..<1).contains(ema), "ema is at least 0 and below 1")
        if let fault = losses?.fault { throw AcuityError(.training, "\(path): \(fault)") }
        try require(losses?.gan == nil || mseFraction == 0, "mse_fraction and losses.gan exclude each other")
        try require((losses?.teacher ?? 0) == 0 || teacher != nil, "losses.teacher needs a teacher, the path of its weights")
        try require(teacher == nil || (losses?.teacher ?? 0) > 0, "teacher needs a share in losses, e.g. {\"l1\": 1, \"teacher\": 1}")
        try require(optimiser.rate > 0 && optimiser.muonRate > 0, "learning rates are above 0")
        try require(optimiser.clip == 0 || optimiser.clip >= 1, "clip is 0 or at least 1")
        try require(optimiser.betas.count == 2 && optimiser.betas.allSatisfy { (0..<1).contains($0) }, "betas are two numbers below 1")
        try require(!validateDegraded || !(degradation.model is BicubicModel), "validate_degraded needs another degradation than bicubic")
        try require(revive == 0 || revive >= TrainingState.grace, "revive is 0 or at least \(TrainingState.grace) steps")
        try require(revive == 0 || reparameterise == nil, "revive and reparameterise exclude each other")
        try require(validateEvery > 0 && checkpointEvery > 0, "validate_every and checkpoint_every are seconds above 0")
    }

    /// The patch side at a fraction of the run.
    func patchSide(at fraction: Double) -> Int {
        patch.first { fraction < $0.until }?.side ?? patch[patch.count - 1].side
    }
}

extension Decoder {
    /// Throws if an object has a key that is not in the list.
    func rejectUnknownKeys(_ known: [String], in place: String) throws {
        for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw DecodingError.dataCorrupted(.init(codingPath: codingPath, debugDescription: "unknown key \(key.stringValue) in \(place)"))
        }
    }
}

extension DecodingError {
    /// One line.
    var reason: String {
        func path(_ context: Context, _ key: String? = nil) -> String {
            (context.codingPath.map(\.stringValue) + [key].compactMap { $0 }).joined(separator: ".")
        }
        switch self {
        case .keyNotFound(let key, let context): return "\(path(context, key.stringValue)) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): return "\(path(context)) has the wrong type"
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty ? context.debugDescription : "\(path(context)): \(context.debugDescription)"
        @unknown default: return "does not parse"
        }
    }
}

extension KeyedDecodingContainer {
    /// For 2.5 or −1 where a whole number belongs Foundation throws an error of its own that becomes "not valid JSON",
    /// without the key; this names it.
    func wholeNumber<Number: FixedWidthInteger & Decodable>(forKey key: Key) throws -> Number {
        do {
            return try decode(Number.self, forKey: key)
        } catch let error where !(error is DecodingError) {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "not a whole number in range")
        }
    }
}

/// Any key of a JSON object.
private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
