// RecipeLosses: the `losses` of a recipe: which terms, in what shares, and what they need.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Recipe {
    /// A loss of several terms: `{"l1": 1, "fft": 0.1, "perceptual": {"weights": "features.safetensors", "share": 1}}`.
    ///
    /// A number is a share: with `balance` on, how large the gradient of that term at the network's output is, as a multiple of that of
    /// the first term given, in the order below. With `balance` off it is the plain weight of the published recipes.
    public struct Losses: Sendable, Codable, Hashable {
        /// Mean absolute difference.
        public var l1: Double?
        /// Mean of √(d² + ε²), ε = 10⁻³ (Lai et al. 2017).
        public var charbonnier: Double?
        /// Mean squared difference.
        public var mse: Double?
        /// Negative PSNR of each picture (Chen et al. 2021, HINet): a decibel counts the same in a good picture as in a bad one. Errors below
        /// 0.8 level of 255 count less and less.
        public var psnr: Double?
        /// L1 after a frozen autoencoder, which forgives what the low resolution cannot tell (AESOP, Lee et al. 2025).
        public var autoencoder: WeightsTerm?
        /// L1 to the output of the recipe's `teacher`.
        public var teacher: Double?
        /// L1 between real and imaginary parts of orthonormal Fourier transforms, so that it does not grow with the patch.
        public var fft: Double?
        /// L1 between Sobel derivatives.
        public var gradient: Double?
        /// L1 that counts most at the target's edges, see ``TorchEngine/TorchTensor/edgeL1(to:)``.
        public var edge: Double?
        /// L1 between means at each place of the pixel-shuffle grid, see ``GridMeans``: against checkerboards.
        public var grid: Double?
        /// The same over rows and columns of 8 low-resolution pixels, the sum of both: against dots along edges.
        public var rows: Double?
        /// L1 between features of a frozen network.
        public var perceptual: Perceptual?
        /// L1 under LDL's map of artefacts (Liang et al. 2022).
        public var artefact: Double?
        /// A discriminator.
        public var gan: GAN?
        /// Standard deviations in levels of 255, two: where the truth varies less than the first, `perceptual` and `gan` do not look; from the
        /// second on they do, see ``TextureMask``.
        public var calm: [Double]?
        /// Whether shares are balanced by measured gradients (default true).
        public var balance: Bool
        /// Steps between measurements of the gradients (default 16).
        public var every: Int

        /// A term with a network of its own.
        public struct WeightsTerm: Sendable, Codable, Hashable {
            /// A weights file.
            public var weights: String
            public var share: Double

            enum CodingKeys: String, CodingKey, CaseIterable { case weights, share }

            public init(from decoder: any Decoder) throws {
                try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "losses.autoencoder")
                let c = try decoder.container(keyedBy: CodingKeys.self)
                weights = try c.decode(String.self, forKey: .weights)
                share = try c.decodeIfPresent(Double.self, forKey: .share) ?? 1
            }
        }

        public struct Perceptual: Sendable, Codable, Hashable {
            /// SqueezeNet 1.0 or VGG-19 with torchvision's keys, or an extractor of `acuity-trainer features`.
            public var weights: String
            public var share: Double
            /// Weights by layer, e.g. `{"features.2": 0.1, "features.16": 1}`; by default those of ``PerceptualFeatures``.
            public var layers: [String: Double]?

            enum CodingKeys: String, CodingKey, CaseIterable { case weights, share, layers }

            public init(from decoder: any Decoder) throws {
                try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "losses.perceptual")
                let c = try decoder.container(keyedBy: CodingKeys.self)
                weights = try c.decode(String.self, forKey: .weights)
                share = try c.decodeIfPresent(Double.self, forKey: .share) ?? 1
                layers = try c.decodeIfPresent([String: Double].self, forKey: .layers)
            }
        }

        public struct GAN: Sendable, Codable, Hashable {
            public enum Kind: String, Sendable, Codable { case vanilla, relativistic }
            public enum Network: String, Sendable, Codable { case unet, vgg }
            public var share: Double
            /// `vanilla` (Goodfellow et al. 2014, non-saturating) or `relativistic` average (Jolicoeur-Martineau 2018), as ESRGAN.
            public var kind: Kind
            /// `unet`: Real-ESRGAN's, with spectral norm, a verdict per pixel; `vgg`: ESRGAN's, with batch norm, one per patch.
            public var discriminator: Network
            /// Its width.
            public var features: Int
            /// Share of the L1 between the discriminator's own features of output and truth; 0 is none.
            public var matching: Double
            /// The discriminator's peak learning rate (Adam).
            public var rate: Double
            /// Its decay rates.
            public var betas: [Double]
            /// Weights for the discriminator to start from.
            public var weights: String?
            /// First steps in which only the discriminator learns: what a beginner says of a picture is noise to the generator.
            public var headStart: Int

            enum CodingKeys: String, CodingKey, CaseIterable {
                case share, kind, discriminator, features, matching, rate, betas, weights
                case headStart = "head_start"
            }

            public init(from decoder: any Decoder) throws {
                try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "losses.gan")
                let c = try decoder.container(keyedBy: CodingKeys.self)
                share = try c.decodeIfPresent(Double.self, forKey: .share) ?? 0.1
                kind = try c.decodeIfPresent(Kind.self, forKey: .kind) ?? .vanilla
                discriminator = try c.decodeIfPresent(Network.self, forKey: .discriminator) ?? .unet
                features = try c.contains(.features) ? c.wholeNumber(forKey: .features) : 32
                matching = try c.decodeIfPresent(Double.self, forKey: .matching) ?? 0
                rate = try c.decodeIfPresent(Double.self, forKey: .rate) ?? 1e-4
                betas = try c.decodeIfPresent([Double].self, forKey: .betas) ?? [0.9, 0.99]
                weights = try c.decodeIfPresent(String.self, forKey: .weights)
                headStart = try c.contains(.headStart) ? c.wholeNumber(forKey: .headStart) : 0
            }
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case l1, charbonnier, mse, psnr, autoencoder, teacher, fft, gradient, edge, grid, rows, perceptual, artefact, gan, calm, balance, every
        }

        public init(from decoder: any Decoder) throws {
            try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue), in: "losses")
            let c = try decoder.container(keyedBy: CodingKeys.self)
            l1 = try c.decodeIfPresent(Double.self, forKey: .l1)
            charbonnier = try c.decodeIfPresent(Double.self, forKey: .charbonnier)
            mse = try c.decodeIfPresent(Double.self, forKey: .mse)
            psnr = try c.decodeIfPresent(Double.self, forKey: .psnr)
            autoencoder = try c.decodeIfPresent(WeightsTerm.self, forKey: .autoencoder)
            teacher = try c.decodeIfPresent(Double.self, forKey: .teacher)
            fft = try c.decodeIfPresent(Double.self, forKey: .fft)
            gradient = try c.decodeIfPresent(Double.self, forKey: .gradient)
            edge = try c.decodeIfPresent(Double.self, forKey: .edge)
            grid = try c.decodeIfPresent(Double.self, forKey: .grid)
            rows = try c.decodeIfPresent(Double.self, forKey: .rows)
            perceptual = try c.decodeIfPresent(Perceptual.self, forKey: .perceptual)
            artefact = try c.decodeIfPresent(Double.self, forKey: .artefact)
            gan = try c.decodeIfPresent(GAN.self, forKey: .gan)
            calm = try c.decodeIfPresent([Double].self, forKey: .calm)
            balance = try c.decodeIfPresent(Bool.self, forKey: .balance) ?? true
            every = try c.contains(.every) ? c.wholeNumber(forKey: .every) : 16
        }

        /// Every term with its share, in the fixed order that decides which one the others are measured by.
        package var shares: [(name: String, share: Double)] {
            let all: [(String, Double?)] = [
                ("l1", l1), ("charbonnier", charbonnier), ("mse", mse), ("psnr", psnr), ("autoencoder", autoencoder?.share), ("teacher", teacher), ("fft", fft),
                ("gradient", gradient), ("edge", edge), ("grid", grid), ("rows", rows), ("perceptual", perceptual?.share), ("artefact", artefact), ("gan", gan?.share), ("matching", gan?.matching),
            ]
            return all.compactMap { name, share in share.flatMap { $0 > 0 ? (name, $0) : nil } }
        }

        /// What is wrong with the numbers, if anything.
        var fault: String? {
            let numbers = [l1, charbonnier, mse, psnr, autoencoder?.share, teacher, fft, gradient, edge, grid, rows, perceptual?.share, artefact, gan?.share, gan?.matching]
            if !numbers.allSatisfy({ $0.map { $0 >= 0 && $0.isFinite } ?? true }) { return "losses: a share is not negative" }
            if shares.isEmpty { return "losses names no term" }
            if every < 1 { return "losses.every is at least 1" }
            if let layers = perceptual?.layers, layers.isEmpty || !layers.values.allSatisfy({ $0 > 0 && $0.isFinite }) {
                return "losses.perceptual.layers are weights above 0"
            }
            if let first = shares.first?.name, ["artefact", "gan", "matching"].contains(first) { return "losses.\(first) needs a term such as l1 beside it" }
            if let calm {
                if calm.count != 2 || !(calm[0] >= 0 && calm[0] < calm[1] && calm[1] <= 127.5) { return "losses.calm are two rising numbers of 0…127.5" }
                if perceptual == nil, gan == nil { return "losses.calm needs perceptual or gan" }
            }
            guard let gan else { return nil }
            if gan.share == 0 { return "losses.gan.share is above 0" }
            if !(1...512).contains(gan.features) { return "losses.gan.features is 1…512" }
            if !(gan.rate > 0 && gan.rate.isFinite) { return "losses.gan.rate is above 0" }
            if gan.headStart < 0 { return "losses.gan.head_start is not negative" }
            if gan.betas.count != 2 || !gan.betas.allSatisfy({ (0..<1).contains($0) }) { return "losses.gan.betas are two numbers below 1" }
            return nil
        }
    }
}

extension Recipe {
    /// Keys that are no part of what makes a recipe: where data lies, how long the clock runs, how often the run is looked at.
    package static let circumstances: Set = ["name", "minutes", "data", "validation", "validate_every", "validate_degraded", "checkpoint_every"]

    /// The keys in which this recipe differs from a recorded one (JSON), defaults filled in on both sides.
    /// - Parameter apart: keys that are not compared.
    package func differences(from recorded: String, apart: Set<String>) throws -> [String] {
        func fields(_ recipe: Recipe) throws -> [String: Data] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            let object = try JSONDecoder().decode([String: JSONText].self, from: encoder.encode(recipe))
            return try object.mapValues { try encoder.encode($0) }
        }
        guard let old = try? JSONDecoder().decode(Recipe.self, from: Data(recorded.utf8)) else { return ["recipe that this version cannot read"] }
        let (a, b) = (try fields(self), try fields(old))
        return Set(a.keys).union(b.keys).subtracting(apart).filter { a[$0] != b[$0] }.sorted()
    }
}

/// Any JSON value, to be compared as text.
private indirect enum JSONText: Codable {
    case null, bool(Bool), number(Double), text(String), list([JSONText]), object([String: JSONText])

    init(from decoder: any Decoder) throws {
        let c = try decoder.singleValueContainer()
        if c.decodeNil() {
            self = .null
        } else if let value = try? c.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? c.decode(Double.self) {
            self = .number(value)
        } else if let value = try? c.decode(String.self) {
            self = .text(value)
        } else if let value = try? c.decode([JSONText].self) {
            self = .list(value)
        } else {
            self = .object(try c.decode([String: JSONText].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var c = encoder.singleValueContainer()
        switch self {
        case .null: try c.encodeNil()
        case .bool(let value): try c.encode(value)
        case .number(let value): try c.encode(value)
        case .text(let value): try c.encode(value)
        case .list(let value): try c.encode(value)
        case .object(let value): try c.encode(value)
        }
    }
}
