// TorchTrainingTests: gradients against finite differences of naive loops, optimisers against plain Swift.

import SuperResolution
import Testing
import TorchEngine

@Suite(.enabled(if: hasTorch, torchMissing)) struct TorchGradients {
    /// Every differentiable operation in one small network.
    private func network() throws -> Network {
        var net = NetworkBuilder(inputChannels: 3)
        let a = net.prelu(net.convolution(net.input, "a", outputs: 4, kernel: 5, padding: .replicate), "p")
        let b = net.activation(net.convolution(a, "b", outputs: 4, groups: 2), .gelu)
        var x = net.normalise(net.add(a, b), "layer", .layer, epsilon: 0.1)
        x = net.multiply(x, net.activation(net.slice(x, first: 1, count: 1), .sigmoid))
        x = net.normalise(net.concatenate([x, net.activation(b, .tanh)]), "group", .group(groups: 2), epsilon: 0.1)
        x = net.normalise(net.pixelUnshuffle(x, 2), "batch", .batch)
        x = net.activation(net.convolution(x, "c", outputs: 16, kernel: 1, bias: false), .mish)
        x = net.add(net.activation(net.pixelShuffle(x, 2), .silu), net.leakyReLU(b, slope: 0.3))
        let large = net.transposedConvolution(x, "d", outputs: 3, kernel: 3, stride: 2)
        let bicubic = net.enlarge(net.convolution(x, "e", outputs: 3), 2, .bicubic)
        return try net.finish(net.add(net.scale(large, by: 0.5, offset: 0.1), net.add(bicubic, net.enlarge(net.input, 2, .nearest))), architecture: "Test")
    }

    @Test func finiteDifferences() throws {
        let network = try network()
        let model = try randomModel(network, seed: 3)
        let (input, target) = (randomRaster(4, 6), randomRaster(8, 12, seed: 9))
        func loss(_ weights: StateDict) throws -> Double {
            let output = naive(try Model(name: "moved", network: network, weights: weights), input)
            return zip(output.samples, target.samples).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / Double(target.samples.count)
        }

        let runtime = try TorchRuntime.shared()
        let torch = try TorchNetwork(network, weights: model.weights, requiresGradient: true, runtime: runtime)
        let value = try torch(planar(input, runtime)).mse(to: planar(target, runtime))
        try value.backward()
        #expect(abs(try value.item() - loss(model.weights)) < 1e-6)

        for parameter in network.parameters where parameter.isTrainable {
            let gradient = try #require(torch.parameters[parameter.key]).gradient().floats()
            #expect(gradient.shape == parameter.shape)
            let largest = gradient.values.map(abs).max() ?? 0
            #expect(largest > 0, "\(parameter.key)")
            for index in Set([0, gradient.values.count / 3, gradient.values.count - 1]) {
                var (up, down) = (model.weights, model.weights)
                up[parameter.key]?.values[index] += 1e-3
                down[parameter.key]?.values[index] -= 1e-3
                let slope = try (loss(up) - loss(down)) / 2e-3
                #expect(abs(Double(gradient.values[index]) - slope) < 0.01 * Double(largest) + 5e-5, "\(parameter.key)[\(index)]")
            }
        }
    }

    /// Mixed precision: gradients arrive in fp32 and close to those of fp32.
    @Test func mixedPrecision() throws {
        let network = try network()
        let model = try randomModel(network, seed: 3)
        let runtime = try TorchRuntime.shared()
        var gradients: [[String: Tensor]] = []
        for precision in [Precision.fp32, .bf16] {
            let torch = try TorchNetwork(network, weights: model.weights, requiresGradient: true, runtime: runtime)
            try torch(planar(randomRaster(4, 6), runtime), precision: precision).mse(to: planar(randomRaster(8, 12, seed: 9), runtime)).backward()
            gradients.append(try torch.parameters.filter { !$0.key.contains("running") }.mapValues { try $0.gradient().floats() })
        }
        for (key, exact) in gradients[0] {
            let rounded = try #require(gradients[1][key])
            let (dot, a, b) = zip(exact.values, rounded.values).reduce((0.0, 0.0, 0.0)) {
                ($0.0 + Double($1.0 * $1.1), $0.1 + Double($1.0 * $1.0), $0.2 + Double($1.1 * $1.1))
            }
            #expect(dot / (a * b).squareRoot() > 0.98, "\(key)")
        }
    }

    /// bf16 pictures that lie channels-last have loops of their own for PReLU.
    @Test func preluOfBFloat16() throws {
        let runtime = try TorchRuntime.shared()
        var random = Lcg(state: 5)
        let shape = [2, 24, 7, 5], slopes = (0..<24).map { _ in Float.random(in: -0.5...1.5, using: &random) }
        func drawn() -> [Float] { (0..<(2 * 24 * 35)).map { _ in rounded(Float.random(in: -2...2, using: &random)) } }
        let (values, pull) = (drawn(), drawn())
        let slope = try TorchTensor(Tensor(shape: [24], values: slopes), device: "cpu", runtime: runtime).leaf(requiresGradient: true)
        let x = try TorchTensor(Tensor(shape: shape, values: values), device: "cpu", runtime: runtime)
            .converted(to: .bfloat16, channelsLast: true).leaf(requiresGradient: true)
        let y = try x.prelu(slope)
        try y.backward(with: TorchTensor(Tensor(shape: shape, values: pull), device: "cpu", runtime: runtime).converted(to: .bfloat16, channelsLast: true))

        let (output, inner, outer) = (try y.floats().values, try x.gradient().floats().values, try slope.gradient().floats().values)
        var sums = [Double](repeating: 0, count: 24)
        for index in values.indices {
            let (channel, z, g) = (index / 35 % 24, values[index], pull[index])
            #expect(output[index] == rounded(z > 0 ? z : slopes[channel] * z))
            #expect(inner[index] == rounded(z > 0 ? g : slopes[channel] * g))
            if z <= 0 { sums[channel] += Double(z * g) }
        }
        for (found, expected) in zip(outer, sums) { #expect(abs(Double(found) - expected) < 1e-4) }
    }

    /// Where pictures lie channels-last, 3×3 convolutions in fp32 go by Winograd's algorithm, both ways; where they lie in planes, they are
    /// libtorch's own. Sides that are no multiples of a tile of 6, more tiles than fit into one strip, no bias.
    @Test(arguments: [([2, 16, 13, 12], 48, true), ([3, 64, 31, 50], 64, true), ([1, 32, 19, 131], 96, false), ([5, 48, 24, 24], 16, true)])
    func winograd(_ pictures: [Int], outputs: Int, hasBias: Bool) throws {
        let runtime = try TorchRuntime.shared()
        var random = Lcg(state: 11)
        func drawn(_ shape: [Int]) throws -> TorchTensor {
            try TorchTensor(Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) }), device: "cpu", runtime: runtime)
        }
        let (picture, kernels, biases) = (try drawn(pictures), try drawn([outputs, pictures[1], 3, 3]), try drawn([outputs]))
        let pull = try drawn([pictures[0], outputs] + pictures[2...])
        func results(channelsLast: Bool) throws -> [[Float]] {
            let x = try picture.converted(to: .float32, channelsLast: channelsLast).leaf(requiresGradient: true)
            let (weight, bias) = (try kernels.leaf(requiresGradient: true), try biases.leaf(requiresGradient: true))
            let y = try x.convolution(weight, bias: hasBias ? bias : nil)
            try y.backward(with: pull)
            return try ([y, x.gradient(), weight.gradient()] + (hasBias ? [bias.gradient()] : [])).map { try $0.floats().values }
        }
        let (direct, found) = (try results(channelsLast: false), try results(channelsLast: true))
        for (name, (a, b)) in zip(["output", "input", "kernels", "bias"], zip(direct, found)) {
            let error = zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
            let size = a.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(error < 3e-5 * size, "\(name)")
            #expect(name == "bias" || error > 0, "\(name): two algorithms that agree to the bit are one")
        }
    }

    /// To the nearest bf16, halves to even.
    private func rounded(_ x: Float) -> Float {
        let bits = x.bitPattern
        return Float(bitPattern: ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) << 16)
    }

    private func planar(_ raster: Raster, _ runtime: TorchRuntime) throws -> TorchTensor {
        let (w, h, c) = (raster.width, raster.height, raster.channels)
        let values = (0..<c).flatMap { channel in (0..<(w * h)).map { raster.samples[$0 * c + channel] } }
        return try TorchTensor(Tensor(shape: [1, c, h, w], values: values), device: "cpu", runtime: runtime)
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct TorchOptimisers {
    private func random(_ shape: [Int], seed: UInt64) -> Tensor {
        var random = Lcg(state: seed)
        return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) })
    }

    /// Steps down ‖p − t‖² / n, whose gradient is 2 (p − t) / n, and shows every parameter after every step.
    private func descend(
        _ shapes: [[Int]], steps: Int, update: ([TorchTensor], Int) throws -> Void, expect: ([[Double]], [[Double]], Int) -> [[Double]], tolerance: Double
    ) throws {
        let runtime = try TorchRuntime.shared()
        let start = shapes.enumerated().map { random($1, seed: UInt64($0) + 1) }
        let targets = shapes.enumerated().map { random($1, seed: UInt64($0) + 50) }
        let parameters = try start.map { try TorchTensor($0, device: "cpu", runtime: runtime).leaf(requiresGradient: true) }
        var plain = start.map { $0.values.map(Double.init) }
        for step in 1...steps {
            for (p, t) in zip(parameters, targets) { try p.mse(to: TorchTensor(t, device: "cpu", runtime: runtime)).backward() }
            try update(parameters, step)
            try TorchOptimiser.zeroGradients(parameters)
            let gradients = zip(plain, targets).map { p, t in zip(p, t.values).map { 2 * ($0 - Double($1)) / Double(p.count) } }
            plain = expect(plain, gradients, step)
            for (p, q) in zip(parameters, plain) {
                let difference = zip(try p.floats().values, q).map { abs(Double($0) - $1) }.max() ?? 0
                #expect(difference < tolerance, "step \(step)")
            }
        }
    }

    private func zeros(_ shapes: [[Int]]) throws -> [TorchTensor] {
        let runtime = try TorchRuntime.shared()
        return try shapes.map { try TorchTensor(Tensor(shape: $0, values: [Float](repeating: 0, count: $0.reduce(1, *))), device: "cpu", runtime: runtime) }
    }

    /// - Parameter numbers: whether what changes from step to step is read from the device, as in a recorded step.
    @Test(arguments: [false, true]) func adam(numbers: Bool) throws {
        let device = try StepNumbers(device: "cpu", runtime: TorchRuntime.shared())
        let shapes = [[5], [4, 3, 3, 3]]
        let (first, second) = (try zeros(shapes), try zeros(shapes))
        var (m, v) = (shapes.map { [Double](repeating: 0, count: $0.reduce(1, *)) }, shapes.map { [Double](repeating: 0, count: $0.reduce(1, *)) })
        try descend(
            shapes, steps: 5,
            update: {
                guard numbers else { return try TorchOptimiser.adam($0, first: first, second: second, rate: 0.01, betas: (0.9, 0.99), step: $1) }
                try device.set(rate: 0.01, betas: (0.9, 0.99), step: $1, muonRate: 1, decay: 0)
                try device.adam($0, first: first, second: second, betas: (0.9, 0.99))
            },
            expect: { parameters, gradients, step in
                parameters.indices.map { i in
                    parameters[i].indices.map { j in
                        let g = gradients[i][j]
                        m[i][j] = 0.9 * m[i][j] + 0.1 * g
                        v[i][j] = 0.99 * v[i][j] + 0.01 * g * g
                        let corrected = (power(0.9, step), power(0.99, step))
                        return parameters[i][j] - 0.01 * (m[i][j] / (1 - corrected.0)) / ((v[i][j] / (1 - corrected.1)).squareRoot() + 1e-8)
                    }
                }
            }, tolerance: 2e-6)
    }

    /// Gradients of known length, one of them a hundred times as long: it is shortened, all parameters alike, and the rest stays as it is.
    @Test func rareGradientsAreShortened() throws {
        let runtime = try TorchRuntime.shared()
        func tensor(_ values: [Float]) throws -> TorchTensor { try TorchTensor(Tensor(shape: [values.count], values: values), device: "cpu", runtime: runtime) }
        let usual = try TorchTensor(Tensor(shape: [], values: [0]), device: "cpu", runtime: runtime)
        var known = 0.0
        for (step, factor) in ([1, 1.5, 2.5, 100, 1] as [Double]).enumerated() {
            // mse over four values against 0 has the gradient x / 2: 3 and 4 give 2.5.
            let parameters = try [tensor([0, 0, 3, 0]), tensor([0, 4, 0, 0])].map { try $0.leaf(requiresGradient: true) }
            for parameter in parameters { try parameter.mse(to: tensor([0, 0, 0, 0])).scaled(by: Float(factor)).backward() }
            try TorchOptimiser.limitGradients(of: parameters, usual: usual, limit: 2, decay: 0.9)
            let length = 2.5 * factor
            if step == 0 { known = length }
            let kept = min(length, 2 * known)
            known = 0.9 * known + 0.1 * kept
            #expect(abs(try Double(usual.floats().values[0]) - known) < 1e-5)
            let gradients = try parameters.map { try $0.gradient().floats().values }
            #expect(abs(Double(gradients[0][2]) - kept * 0.6) < 1e-4 && abs(Double(gradients[1][1]) - kept * 0.8) < 1e-4, "step \(step)")
        }
    }

    /// Wide, tall and square matrices; two of one shape go through libtorch as a batch. From 32 rows on in bfloat16 where the processor can:
    /// values are about 0.02 / √36, and its rounding costs some hundredths of that in a step.
    @Test(arguments: [false, true], [([[4, 3, 3, 3], [8, 2, 1, 1], [4, 3, 3, 3], [6, 6, 1, 1]], 2e-5), ([[32, 4, 3, 3], [48, 33, 1, 1]], 8e-4)])
    func muon(numbers: Bool, _ example: (shapes: [[Int]], tolerance: Double)) throws {
        let device = try StepNumbers(device: "cpu", runtime: TorchRuntime.shared())
        try device.set(rate: 1, betas: (0.9, 0.99), step: 1, muonRate: 0.02, decay: 0)
        let shapes = example.shapes
        let momentum = try zeros(shapes)
        var m = shapes.map { [Double](repeating: 0, count: $0.reduce(1, *)) }
        try descend(
            shapes, steps: 4,
            update: { parameters, _ in
                if numbers {
                    try device.muon(parameters, momentum: momentum, beta: 0.9)
                } else {
                    try TorchOptimiser.muon(parameters, momentum: momentum, rate: 0.02, beta: 0.9)
                }
            },
            expect: { parameters, gradients, _ in
                parameters.indices.map { i in
                    m[i] = zip(m[i], gradients[i]).map { 0.9 * $0 + 0.1 * $1 }
                    let update = zip(m[i], gradients[i]).map { 0.9 * $0 + 0.1 * $1 }
                    let rows = shapes[i][0], columns = parameters[i].count / shapes[i][0]
                    let direction = orthogonalised(Matrix(rows: rows, columns: columns, values: update)).values
                    let factor = 0.02 * max(1, Double(rows) / Double(columns)).squareRoot()
                    return zip(parameters[i], direction).map { $0 - factor * $1 }
                }
            }, tolerance: example.tolerance)
    }

    #if arch(x86_64)
        /// Numbers below 1.2e-38 are zero to libtorch, which is a hundred times faster, and again themselves afterwards.
        @Test func denormalsAreFlushed() throws {
            let tiny = Float.leastNormalMagnitude / 16
            let x = try TorchTensor(Tensor(shape: [2], values: [tiny, 1e-30]), device: "cpu", runtime: TorchRuntime.shared())
            let doubled = try x.scaled(by: 2).floats().values
            #expect(doubled[0] == 0 && abs(doubled[1] / 2e-30 - 1) < 1e-6)
            #expect(try x.floats().values[0] * 2 > 0)
        }
    #endif

    @Test(arguments: [false, true]) func average(numbers: Bool) throws {
        let runtime = try TorchRuntime.shared()
        let (a, p) = (random([7], seed: 1), random([7], seed: 2))
        let averages = [try TorchTensor(a, device: "cpu", runtime: runtime)]
        let parameters = [try TorchTensor(p, device: "cpu", runtime: runtime)]
        if numbers {
            let device = try StepNumbers(device: "cpu", runtime: runtime)
            try device.set(rate: 1, betas: (0.9, 0.99), step: 1, muonRate: 1, decay: 0.75)
            try device.average(averages, of: parameters)
        } else {
            try TorchOptimiser.average(averages, of: parameters, decay: 0.75)
        }
        for (result, (x, y)) in zip(try averages[0].floats().values, zip(a.values, p.values)) { #expect(abs(result - (0.75 * x + 0.25 * y)) < 1e-6) }
    }

    private func power(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1.0) { product, _ in product * base } }
}

/// Just enough linear algebra for Newton–Schulz.
private struct Matrix {
    var rows: Int, columns: Int
    var values: [Double]

    var transposed: Matrix {
        Matrix(rows: columns, columns: rows, values: (0..<columns).flatMap { c in (0..<rows).map { values[$0 * columns + c] } })
    }

    static func * (a: Matrix, b: Matrix) -> Matrix {
        Matrix(rows: a.rows, columns: b.columns, values: (0..<a.rows).flatMap { r in
            (0..<b.columns).map { c in (0..<a.columns).reduce(0.0) { $0 + a.values[r * a.columns + $1] * b.values[$1 * b.columns + c] } }
        })
    }

    static func + (a: Matrix, b: Matrix) -> Matrix { Matrix(rows: a.rows, columns: a.columns, values: zip(a.values, b.values).map { $0 + $1 }) }
    static func * (a: Double, b: Matrix) -> Matrix { Matrix(rows: b.rows, columns: b.columns, values: b.values.map { a * $0 }) }
}

/// Jordan et al. 2024: X ← a X + (b A + c A²) X with A = X Xᵀ, five times, from X / ‖X‖.
private func orthogonalised(_ matrix: Matrix) -> Matrix {
    if matrix.rows > matrix.columns { return orthogonalised(matrix.transposed).transposed }
    var x = 1 / (matrix.values.reduce(0) { $0 + $1 * $1 }.squareRoot() + 1e-7) * matrix
    for _ in 0..<5 {
        let gram = x * x.transposed
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram * gram)) * x
    }
    return x
}
