// PerceptualFeatures: frozen networks whose features stand in for the eye: SqueezeNet, VGG-19, and our own extractor.

package import SuperResolution
package import TorchEngine

/// Features of pictures by a frozen network, for the perceptual loss (Johnson et al. 2016) and for a perceptual distance.
///
/// The keys of the weights decide which network it is: SqueezeNet 1.0 or VGG-19 with torchvision's keys, or the extractor that
/// ``trainFeatures(shards:output:minutes:steps:seed:device:threads:log:)`` makes.
package final class PerceptualFeatures {
    package enum Kind: String, Sendable { case squeezeNet = "SqueezeNet 1.0", vgg19 = "VGG-19", own = "own extractor" }
    package let kind: Kind

    /// One step of the network.
    enum Stage {
        case convolution(String, stride: Int, padding: Int)
        /// Squeeze 1×1, then 1×1 beside 3×3 (Iandola et al. 2016).
        case fire(String)
        case pool(Int, stride: Int, ceiling: Bool)

        var key: String? {
            switch self {
            case .convolution(let key, _, _), .fire(let key): key
            case .pool: nil
            }
        }
    }

    private let stages: [Stage]
    /// Layers of the loss and of the distance; names are checkpoint keys.
    private let lossLayers: [String: Double]
    private let distanceLayers: Set<String>
    /// Whether layers are compared as multiples of their own magnitude; not where published weights per layer allow for it.
    private let isRelative: Bool
    private let weights: [String: TorchTensor]
    private let rounded: [String: TorchTensor]
    private let shift: TorchTensor
    private let factor: TorchTensor

    /// - Parameters:
    ///   - path: a weights file.
    ///   - layers: weights by layer for the loss instead of the usual ones: Real-ESRGAN's for VGG-19, equal ones elsewhere.
    ///   - precision: of the loss; the distance is always fp32.
    /// - Throws: ``AcuityError``: `.file`, `.weights`, or `.training` for a layer that the network has not.
    package init(path: String, layers: [String: Double]? = nil, precision: Precision = .fp32, device: String, runtime: TorchRuntime) throws {
        let saved = try Checkpoint.load(path: path).weights
        let (kind, stages, usual) = try Self.recognise(saved, path)
        self.kind = kind
        let names = stages.compactMap(\.key)
        for layer in (layers ?? usual).keys where !names.contains(layer) {
            throw AcuityError(.training, "\(path): no layer \(layer); \(kind.rawValue) has \(names.joined(separator: ", "))")
        }
        let used = Set(usual.keys).union((layers ?? usual).keys)
        lossLayers = layers ?? usual
        distanceLayers = Set(usual.keys)
        isRelative = kind != .vgg19
        // What lies behind the last layer in use is never run.
        let last = stages.lastIndex { $0.key.map(used.contains) ?? false } ?? 0
        self.stages = Array(stages[...last])

        var weights: [String: TorchTensor] = [:]
        for (key, tensor) in saved where names.contains(where: { key.hasPrefix($0 + ".") }) {
            guard tensor.values.allSatisfy(\.isFinite) else { throw AcuityError(.weights, "\(path): \(key) is not finite") }
            weights[key] = try TorchTensor(tensor, device: device, runtime: runtime).converted(to: .float32, channelsLast: true)
        }
        self.weights = weights
        rounded = precision == .bf16 ? try weights.mapValues { try $0.converted(to: .bfloat16) } : weights

        // Every network was trained on pictures of its own scale.
        let (mean, deviation): ([Float], [Float]) =
            switch kind {
            case .squeezeNet: ([123 / 255, 117 / 255, 104 / 255], [1 / 255, 1 / 255, 1 / 255])
            case .vgg19: ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            case .own: ([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
            }
        func channels(_ values: [Float]) throws -> TorchTensor {
            try TorchTensor(Tensor(shape: [1, 3, 1, 1], values: values), device: device, runtime: runtime)
        }
        shift = try channels(mean.map { -$0 })
        factor = try channels(deviation.map { 1 / $0 })
    }

    /// Sum over layers of the L1 between features before the ReLU; the target gets no gradient where it asks for none.
    /// - Parameter x: N×3×H×W in 0…1, sides of at least 32.
    package func loss(_ x: TorchTensor, to target: TorchTensor) throws -> TorchTensor {
        let (a, b) = (try features(x, rounded, lossLayers.keys.contains), try features(target, rounded, lossLayers.keys.contains))
        let terms = try zip(a, b).map { p, q in
            try (isRelative ? p.tensor.relativeL1(to: q.tensor) : p.tensor.l1(to: q.tensor)).scaled(by: Float(lossLayers[p.name] ?? 0))
        }
        guard let first = terms.first else { throw AcuityError(.training, "the perceptual loss has no layer") }
        return try terms.dropFirst().reduce(first) { try $0.adding($1) }
    }

    /// How many places along each axis a wandering loss begins at.
    private static let places = 8

    /// The loss of all but some of the first and last rows and columns.
    ///
    /// Features are taken at every second, fourth and eighth pixel, and what lies between counts less. In step with a pixel shuffle that
    /// would be the same places of its grid in every patch, where texture tends to become a screen of dots: so the
    /// first pixel wanders over 8×8 places from step to step.
    package func loss(_ x: TorchTensor, to target: TorchTensor, step: Int) throws -> TorchTensor {
        let shape = try x.shape
        func wandered(_ x: TorchTensor) throws -> TorchTensor {
            let (rows, columns) = (max(1, min(Self.places, shape[2] - 31)), max(1, min(Self.places, shape[3] - 31)))
            return try x.slice(dimension: 3, first: step % columns, count: shape[3] - columns + 1)
                .slice(dimension: 2, first: step / columns % rows, count: shape[2] - rows + 1)
        }
        return try loss(wandered(x), to: wandered(target))
    }

    /// The form of LPIPS without its learned weights (Zhang et al. 2018): at every pixel of every layer, after the ReLU, features become
    /// unit vectors; their squared distance, summed over channels, mean over pixels and layers. 0 for equal pictures.
    package func distance(_ x: TorchTensor, to target: TorchTensor) throws -> TorchTensor {
        func unit(_ x: TorchTensor) throws -> [TorchTensor] {
            try features(x, weights, distanceLayers.contains).map { try $0.tensor.activation(.relu).unitChannels() }
        }
        let terms = try zip(unit(x), unit(target)).map { a, b in try a.mse(to: b).scaled(by: Float(a.shape[1])) }
        guard let first = terms.first else { throw AcuityError(.training, "the perceptual distance has no layer") }
        return try terms.dropFirst().reduce(first) { try $0.adding($1) }.scaled(by: 1 / Float(terms.count))
    }

    /// The wanted layers before their ReLU.
    func features(_ x: TorchTensor, _ weights: [String: TorchTensor], _ isWanted: (String) -> Bool) throws -> [(name: String, tensor: TorchTensor)] {
        func weight(_ key: String) throws -> TorchTensor {
            guard let tensor = weights[key] else { throw AcuityError(.weights, "\(key): no such weight") }
            return tensor
        }
        func convolution(_ x: TorchTensor, _ key: String, stride: Int = 1, padding: Int = 0) throws -> TorchTensor {
            try x.convolution(weight(key + ".weight"), bias: weight(key + ".bias"), stride: stride, zeroPadding: padding)
        }
        var x = try x.adding(shift).multiplied(by: factor).converted(to: .float32, channelsLast: true)
        var result: [(String, TorchTensor)] = []
        for stage in stages {
            switch stage {
            case .convolution(let key, let stride, let padding):
                x = try convolution(x, key, stride: stride, padding: padding)
            case .fire(let key):
                let squeezed = try convolution(x, key + ".squeeze").activation(.relu)
                x = try TorchTensor.concatenate([
                    convolution(squeezed, key + ".expand1x1"), convolution(squeezed, key + ".expand3x3", padding: 1),
                ])
            case .pool(let kernel, let stride, let ceiling):
                x = try x.maxPooled(kernel, stride: stride, ceiling: ceiling)
                continue
            }
            if let key = stage.key, isWanted(key) { result.append((key, x)) }
            x = try x.activation(.relu)
        }
        return result
    }

    private static func recognise(_ weights: StateDict, _ path: String) throws -> (Kind, [Stage], [String: Double]) {
        func shape(_ key: String) -> [Int] { weights[key]?.shape ?? [] }
        if shape("features.0.weight") == [96, 3, 7, 7], shape("features.12.expand3x3.weight") == [256, 64, 3, 3] {
            let pool = Stage.pool(3, stride: 2, ceiling: true)
            let stages: [Stage] =
                [.convolution("features.0", stride: 2, padding: 0), pool, .fire("features.3"), .fire("features.4"), .fire("features.5"), pool]
                + (7...10).map { .fire("features.\($0)") } + [pool, .fire("features.12")]
            return (.squeezeNet, stages, ["features.0": 1, "features.4": 1, "features.5": 1, "features.8": 1, "features.10": 1])
        }
        if shape("features.0.weight") == [64, 3, 3, 3], shape("features.34.weight") == [512, 512, 3, 3] {
            let blocks = [[0, 2], [5, 7], [10, 12, 14, 16], [19, 21, 23, 25], [28, 30, 32, 34]]
            let stages = blocks.flatMap { $0.map { Stage.convolution("features.\($0)", stride: 1, padding: 1) } + [.pool(2, stride: 2, ceiling: false)] }
            // conv1_2, conv2_2, conv3_4, conv4_4 and conv5_4 of Real-ESRGAN.
            return (.vgg19, stages, ["features.2": 0.1, "features.7": 0.1, "features.16": 1, "features.25": 1, "features.34": 1])
        }
        if shape("stages.0.0.weight").count == 4 {
            var stages: [Stage] = []
            var layers: [String: Double] = [:]
            for stage in 0..<8 {
                guard shape("stages.\(stage).0.weight").count == 4, shape("stages.\(stage).1.weight").count == 4 else { break }
                if stage > 0 { stages.append(.pool(2, stride: 2, ceiling: false)) }
                stages += [.convolution("stages.\(stage).0", stride: 1, padding: 1), .convolution("stages.\(stage).1", stride: 1, padding: 1)]
                layers["stages.\(stage).1"] = 1
            }
            return (.own, stages, layers)
        }
        throw AcuityError(.weights, "\(path): neither SqueezeNet 1.0, nor VGG-19, nor an extractor of acuity-trainer")
    }
}
