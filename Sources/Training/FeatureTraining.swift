// FeatureTraining: a small feature extractor of our own, for a perceptual loss that needs nobody's weights.

import SuperResolution
import TorchEngine

/// How ``trainFeatures(shards:output:minutes:steps:seed:device:threads:log:)`` went.
public struct FeatureTrainingResult: Sendable {
    public let steps: Int
    /// Over the last 50 batches.
    public let crossEntropy: Double
    /// Share of patches whose class was named right over the last 50 batches; chance is 1/12.
    public let accuracy: Double
}

/// The task: which of twelve things happened to a patch? Reduced by 1, 2, 3 or 4 and enlarged again (bicubic), with noise of 0, 4 or 12 levels.
///
/// Whoever can tell looks at just what a perceptual loss should look at: edges, texture, grain. It knows nothing of objects, so its features
/// are poorer than those of networks trained on named pictures.
private struct DamageTask {
    static let reductions = [1, 2, 3, 4]
    static let noises: [Float] = [0, 4 / 255, 12 / 255]
    static let classes = reductions.count * noises.count
    /// Patch side: a multiple of every reduction.
    static let side = 48
    static let patchesPerClass = 2

    let crops: CropShards
    let device: String
    let runtime: TorchRuntime
    /// Reduction and enlargement in one, H×H, by factor.
    private var matrices: [Int: TorchTensor] = [:]

    init(_ crops: CropShards, device: String, runtime: TorchRuntime) throws {
        (self.crops, self.device, self.runtime) = (crops, device, runtime)
        for factor in Self.reductions where factor > 1 {
            let (down, up) = (Resampling.bicubic.matrix(from: Self.side, to: Self.side / factor), Resampling.bicubic.matrix(from: Self.side / factor, to: Self.side))
            let (n, m) = (Self.side, Self.side / factor)
            var product = [Float](repeating: 0, count: n * n)
            for row in 0..<n {
                for k in 0..<m {
                    for column in 0..<n { product[row * n + column] += up.values[row * m + k] * down.values[k * n + column] }
                }
            }
            matrices[factor] = try TorchTensor(Tensor(shape: [n, n], values: product), device: device, runtime: runtime)
        }
    }

    /// N×3×48×48 with rounded values, and N classes.
    func batch(using random: inout SplitMix) throws -> (pictures: TorchTensor, classes: [UInt8]) {
        var (parts, classes): ([TorchTensor], [UInt8]) = ([], [])
        let count = Self.patchesPerClass * Self.noises.count
        let shape = [count, 3, Self.side, Self.side]
        for (index, factor) in Self.reductions.enumerated() {
            let bytes = try crops.batch(count, side: Self.side, using: &random)
            var x = try TorchTensor(bytes: bytes, shape: [count, Self.side, Self.side, 3], device: device, runtime: runtime).image()
            if let matrix = matrices[factor] { x = try x.separable(vertical: matrix, horizontal: matrix) }
            var noise = [Float](repeating: 0, count: shape.reduce(1, *))
            for patch in 0..<count {
                let level = patch / Self.patchesPerClass
                classes.append(UInt8(index * Self.noises.count + level))
                let size = noise.count / count
                if level > 0 { for i in (patch * size)..<((patch + 1) * size) { noise[i] = random.normal() * Self.noises[level] } }
            }
            parts.append(try x.adding(TorchTensor(Tensor(shape: shape, values: noise), device: device, runtime: runtime)).quantised())
        }
        return (try TorchTensor.batches(parts), classes)
    }
}

/// Trains the extractor and writes it as one safetensors file, which ``PerceptualFeatures`` reads.
///
/// Four stages of two 3×3 convolutions with ReLU, 24, 48, 96 and 128 wide, max-pooling between them; about half a million weights.
/// Blocking: call it on a thread of its own.
/// - Parameters:
///   - shards: crops of at least 48 pixels.
///   - minutes: length of the run; `steps` overrides it.
/// - Throws: ``AcuityError``: `.torch`, `.file` or `.training`.
public func trainFeatures(
    shards: [String], output: String, minutes: Double = 5, steps: Int? = nil, seed: UInt64 = 1, device: String = "cpu", threads: Int? = nil,
    log: (String) -> Void
) throws -> FeatureTrainingResult {
    let runtime = try TorchRuntime.shared()
    if let threads { try runtime.setThreads(threads) }
    let task = try DamageTask(CropShards(shards), device: device, runtime: runtime)
    var random = SplitMix(seed: seed)

    var parameters: [(key: String, tensor: TorchTensor)] = []
    func add(_ key: String, _ shape: [Int]) throws {
        let deviation = (2 / Float(max(1, shape.dropFirst().reduce(1, *)))).squareRoot()
        for (suffix, shape, scale) in [(".weight", shape, deviation), (".bias", [shape[0]], 0)] {
            let values = (0..<shape.reduce(1, *)).map { _ in scale > 0 ? random.normal() * scale : 0 }
            parameters.append((key + suffix, try TorchTensor(Tensor(shape: shape, values: values), device: device, runtime: runtime)
                .converted(to: .float32, channelsLast: true).leaf(requiresGradient: true)))
        }
    }
    var width = 3
    for (stage, next) in [24, 48, 96, 128].enumerated() {
        try add("stages.\(stage).0", [next, width, 3, 3])
        try add("stages.\(stage).1", [next, next, 3, 3])
        width = next
    }
    try add("head", [DamageTask.classes, width])
    let (byKey, tensors) = (Dictionary(uniqueKeysWithValues: parameters), parameters.map(\.tensor))
    func weight(_ key: String) throws -> TorchTensor {
        guard let tensor = byKey[key] else { throw AcuityError(.training, "\(key): no such weight") }
        return tensor
    }
    func forward(_ pictures: TorchTensor) throws -> TorchTensor {
        var x = try pictures.scaled(by: 4, offset: -2).converted(to: .float32, channelsLast: true)
        for stage in 0..<4 {
            if stage > 0 { x = try x.maxPooled(2, stride: 2) }
            for layer in 0..<2 {
                let key = "stages.\(stage).\(layer)"
                x = try x.convolution(weight(key + ".weight"), bias: weight(key + ".bias"), stride: 1, zeroPadding: 1).activation(.relu)
            }
        }
        return try x.pooled().linear(weight("head.weight"), bias: weight("head.bias"))
    }

    let (first, second) = (try tensors.map { try $0.scaled(by: 0).leaf(requiresGradient: false) }, try tensors.map { try $0.scaled(by: 0).leaf(requiresGradient: false) })
    let clock = ContinuousClock()
    let start = clock.now
    var (step, reported) = (0, 0.0)
    var recent: [(loss: Double, accuracy: Double)] = []
    func mean(_ value: ((loss: Double, accuracy: Double)) -> Double) -> Double { recent.map(value).reduce(0, +) / Double(max(1, recent.count)) }
    while true {
        let minutesSpent = (clock.now - start) / .seconds(60)
        let fraction = steps.map { Double(step) / Double(max(1, $0)) } ?? minutesSpent / minutes
        if fraction >= 1 { break }
        step += 1
        let (pictures, classes) = try task.batch(using: &random)
        let logits = try forward(pictures)
        let loss = try logits.crossEntropy(TorchTensor(bytes: classes, shape: [classes.count], device: device, runtime: runtime))
        try loss.backward(to: tensors)
        let rate = 1e-3 * min(1, Double(step) / 50) * (0.02 + 0.98 * (1 + cosine(.pi * fraction)) / 2)
        try TorchOptimiser.adam(tensors, first: first, second: second, rate: rate, betas: (0.9, 0.99), step: step)
        try TorchOptimiser.zeroGradients(tensors)
        if device == "cpu" || step % 16 == 0 {
            let (value, said) = (try loss.item(), try logits.floats())
            guard value.isFinite else { throw AcuityError(.training, "the extractor's loss is not finite at step \(step)") }
            let right = classes.enumerated().filter { index, name in
                let row = said.values[(index * DamageTask.classes)..<((index + 1) * DamageTask.classes)]
                return row.indices.max { row[$0] < row[$1] } == row.startIndex + Int(name)
            }.count
            recent.append((value, Double(right) / Double(classes.count)))
            if recent.count > 50 { recent.removeFirst() }
        }
        if minutesSpent - reported > 0.25 {
            reported = minutesSpent
            log("step \(step)  cross-entropy \(fixed(mean { $0.loss }, 3))  right \(fixed(100 * mean { $0.accuracy }, 1)) %")
        }
    }
    var writer = SafetensorsWriter(metadata: ["format": "acuity-features", "steps": String(step), "accuracy": String(mean { $0.accuracy })])
    for (key, tensor) in parameters {
        let values = try tensor.floats()
        guard values.values.allSatisfy(\.isFinite) else { throw AcuityError(.training, "\(key) is not finite at step \(step)") }
        try writer.add(key, values)
    }
    try writer.write(to: output)
    return FeatureTrainingResult(steps: step, crossEntropy: mean { $0.loss }, accuracy: mean { $0.accuracy })
}
