// PerceptualFeaturesTests: loss and distance against PyTorch's modules (Tests/References/training.py); what is not a known network is refused.

import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct PerceptualFeaturesTests {
    private var pair: (Tensor, Tensor) {
        let (a, b) = (formula([1, 3, 64, 72], 5).shifted(0.5), formula([1, 3, 64, 72], 6).shifted(0.5))
        return (a, Tensor(shape: a.shape, values: zip(a.values, b.values).map { 0.5 * $0 + 0.5 * $1 }))
    }

    @Test(.enabled(if: hasSqueezeNet, "needs features/squeezenet1_0.safetensors beside ACUITY_DATA"))
    func squeezeNet() throws {
        let features = try PerceptualFeatures(path: squeezeNetPath, device: "cpu", runtime: TorchRuntime.shared())
        #expect(features.kind == .squeezeNet)
        let (x, target) = (try onDevice(pair.0).watched(), try onDevice(pair.1))
        let loss = try features.loss(x, to: target)
        #expect(try isClose(loss.item(), 3.3125477))
        #expect(isClose(norm(try loss.gradient(at: x).floats()), 0.60893536, 1e-3))
        #expect(try isClose(features.distance(onDevice(pair.0), to: target).item(), 0.22632475))
        #expect(try features.distance(target, to: target).item() < 1e-9)
        // Step 8·3 + 5 begins at column 5 of row 3.
        func part(_ x: TorchTensor) throws -> TorchTensor { try x.slice(dimension: 3, first: 5, count: 65).slice(dimension: 2, first: 3, count: 57) }
        #expect(try isClose(features.loss(x, to: target, step: 29).item(), features.loss(part(x), to: part(target)).item()))
        #expect(throws: AcuityError.self) {
            try PerceptualFeatures(path: squeezeNetPath, layers: ["features.1": 1], device: "cpu", runtime: TorchRuntime.shared())
        }
        // bf16 is close.
        let rounded = try PerceptualFeatures(path: squeezeNetPath, precision: .bf16, device: "cpu", runtime: TorchRuntime.shared())
        #expect(try isClose(rounded.loss(onDevice(pair.0), to: target).item(), 3.3125477, 0.02))
    }

    /// VGG-19 by its key names, with narrow weights of our own making: the published layers, before the ReLU, L1 with the published weights.
    @Test func vgg() throws {
        let folder = try Folder()
        var writer = SafetensorsWriter(metadata: [:])
        let blocks = [[0, 2], [5, 7], [10, 12, 14, 16], [19, 21, 23, 25], [28, 30, 32, 34]]
        var (inputs, weights) = (3, StateDict())
        for (index, block) in blocks.enumerated() {
            // Only the first and the last shape decide; what lies between may be narrow.
            for layer in block {
                let outputs = layer == 0 ? 64 : layer == 34 ? 512 : layer == 32 ? 512 : 4 + index
                weights["features.\(layer).weight"] = formula([outputs, inputs, 3, 3], UInt64(layer + 1))
                weights["features.\(layer).bias"] = formula([outputs], UInt64(layer + 50))
                inputs = outputs
            }
        }
        for (key, tensor) in weights { try writer.add(key, tensor) }
        try writer.write(to: folder.file("vgg.safetensors"))
        let features = try PerceptualFeatures(path: folder.file("vgg.safetensors"), layers: ["features.2": 0.1, "features.7": 2], device: "cpu", runtime: TorchRuntime.shared())
        #expect(features.kind == .vgg19)

        // The same by loops.
        func convolve(_ x: Tensor, _ key: String) -> Tensor {
            let (w, b) = (weights[key + ".weight"]!, weights[key + ".bias"]!)
            let (c, h, width, o) = (x.shape[1], x.shape[2], x.shape[3], w.shape[0])
            var result = [Float](repeating: 0, count: o * h * width)
            for k in 0..<o {
                for y in 0..<h {
                    for u in 0..<width {
                        var sum = b.values[k]
                        for i in 0..<c {
                            for dy in 0..<3 where (0..<h).contains(y + dy - 1) {
                                for dx in 0..<3 where (0..<width).contains(u + dx - 1) {
                                    sum += w.values[((k * c + i) * 3 + dy) * 3 + dx] * x.values[(i * h + y + dy - 1) * width + u + dx - 1]
                                }
                            }
                        }
                        result[(k * h + y) * width + u] = sum
                    }
                }
            }
            return Tensor(shape: [1, o, h, width], values: result)
        }
        func relu(_ x: Tensor) -> Tensor { Tensor(shape: x.shape, values: x.values.map { max(0, $0) }) }
        func pool(_ x: Tensor) -> Tensor {
            let (c, h, w) = (x.shape[1], x.shape[2] / 2, x.shape[3] / 2)
            return Tensor(shape: [1, c, h, w], values: (0..<(c * h * w)).map { i in
                let (k, y, u) = (i / (h * w), i / w % h, i % w)
                return (0..<4).map { x.values[(k * 2 * h + 2 * y + $0 / 2) * 2 * w + 2 * u + $0 % 2] }.max() ?? 0
            })
        }
        func taps(_ x: Tensor) -> [Tensor] {
            let (mean, deviation): ([Float], [Float]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            let plane = x.shape[2] * x.shape[3]
            let scaled = Tensor(shape: x.shape, values: x.values.indices.map { (x.values[$0] - mean[$0 / plane]) / deviation[$0 / plane] })
            let a = convolve(relu(convolve(scaled, "features.0")), "features.2")
            let b = convolve(relu(convolve(pool(relu(a)), "features.5")), "features.7")
            return [a, b]
        }
        let (x, y) = (formula([1, 3, 32, 32], 1).shifted(0.5), formula([1, 3, 32, 32], 2).shifted(0.5))
        let distances = zip(taps(x), taps(y)).map { a, b in zip(a.values, b.values).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(a.values.count) }
        #expect(try isClose(features.loss(onDevice(x), to: onDevice(y)).item(), 0.1 * distances[0] + 2 * distances[1], 1e-3))
    }

    @Test func strangers() throws {
        let folder = try Folder()
        var writer = SafetensorsWriter(metadata: [:])
        try writer.add("features.0.weight", formula([8, 3, 3, 3], 1))
        try writer.write(to: folder.file("other.safetensors"))
        for name in ["other.safetensors", "absent.safetensors"] {
            let error = #expect(throws: AcuityError.self) { try PerceptualFeatures(path: folder.file(name), device: "cpu", runtime: TorchRuntime.shared()) }
            #expect(error?.message.contains(name) == true)
        }
    }
}
