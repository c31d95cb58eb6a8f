// TorchEngineTests: every operation through libtorch against naive loops in double precision and against the native engine.

import NativeEngine
import SuperResolution
import Testing
import TorchEngine

/// Whether this machine has libtorch and the plug-in.
let hasTorch = (try? TorchRuntime.shared()) != nil
let torchMissing: Comment = "needs libtorch: ./run test installs it"

private let native = try? NativeEngine(threads: 1)

private func check(_ model: Model, _ raster: Raster, fp32 tolerance: Float = 1e-5, bf16 coarse: Float = 0.08, _ what: String) async throws {
    let expected = naive(model, raster)
    let engine = try TorchEngine()
    let exact = try await engine.prepare(model, precision: .fp32).run(raster)
    #expect(largestDifference(exact, expected) <= tolerance, "\(what), \(raster.width)×\(raster.height)")
    let rounded = try await engine.prepare(model, precision: .bf16).run(raster)
    #expect(largestDifference(rounded, expected) <= coarse, "\(what), bf16, \(raster.width)×\(raster.height)")
    if let native {
        let other = try await native.prepare(model, precision: .fp32).run(raster)
        #expect(largestDifference(exact, other) <= tolerance * 2, "\(what), native, \(raster.width)×\(raster.height)")
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct TorchConvolutions {
    @Test(arguments: [1, 3, 5, 7, 9], [Convolution.Padding.zeros, .replicate])
    func kernelSizes(kernel: Int, padding: Convolution.Padding) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 10, kernel: kernel, padding: padding)
        x = net.convolution(net.prelu(x, "p"), "b", outputs: 3, kernel: kernel, bias: false, padding: padding)
        let model = try randomModel(net.finish(x, architecture: "Test"))
        for size in [(1, 1), (2, 3), (13, 9)] { try await check(model, randomRaster(size.0, size.1), "\(kernel)×\(kernel) \(padding)") }
    }

    @Test func oblongKernels() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, Convolution(key: "a", inputs: 3, outputs: 8, kernelHeight: 5, kernelWidth: 1, padding: .replicate))
        x = net.convolution(x, Convolution(key: "b", inputs: 8, outputs: 3, kernelHeight: 1, kernelWidth: 7, hasBias: false))
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(9, 7), "5×1, 1×7")
    }

    @Test(arguments: [2, 4, 12])
    func groups(groups: Int) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 12, kernel: 1)
        x = net.convolution(x, "b", outputs: 24, groups: groups, padding: .replicate)
        x = net.convolution(x, "c", outputs: 3, kernel: 1)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(8, 6), "\(groups) groups")
    }

    @Test(arguments: [2, 3])
    func strides(stride: Int) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 8, kernel: 5, stride: stride)
        x = net.pixelShuffle(net.convolution(x, "b", outputs: 3 * stride * stride), stride)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(stride * 5, stride * 3), "stride \(stride)")
    }

    @Test(arguments: [(9, 4), (9, 3), (9, 2), (5, 1), (3, 2), (1, 2)])
    func transposed(kernel: Int, stride: Int) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let x = net.transposedConvolution(net.convolution(net.input, "a", outputs: 6), "b", outputs: 3, kernel: kernel, stride: stride)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(6, 5), "transposed \(kernel), stride \(stride)")
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct TorchOperations {
    /// Input → features → the operation → back to three channels.
    private func check(
        _ what: String, size: (Int, Int) = (8, 6), bf16 coarse: Float = 0.08, _ build: (inout NetworkBuilder, Network.Value) -> Network.Value
    ) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let features = net.convolution(net.input, "first", outputs: 12)
        var x = build(&net, features)
        if net.channels(x) != 3 { x = net.convolution(x, "last", outputs: 3) }
        try await TorchEngineTests.check(randomModel(net.finish(x, architecture: "Test")), randomRaster(size.0, size.1), bf16: coarse, what)
    }

    @Test(arguments: [Operation.Activation.relu, .gelu, .silu, .mish, .sigmoid, .tanh])
    func activations(function: Operation.Activation) async throws {
        try await check("\(function)", size: (5, 4)) { net, x in net.activation(net.scale(x, by: 2, offset: 0.5), function) }
    }

    @Test func rectifiers() async throws {
        try await check("leaky ReLU") { net, x in net.leakyReLU(x, slope: 0.2) }
        try await check("PReLU") { net, x in net.prelu(net.scale(x, by: -1, offset: 0.1), "p") }
    }

    @Test func arithmetic() async throws {
        try await check("multiply") { net, x in net.multiply(x, net.scale(x, by: 2, offset: 1)) }
        try await check("broadcast") { net, x in
            let gate = net.slice(x, first: 3, count: 1)
            return net.add(net.multiply(gate, x), net.scale(gate, by: 0.5))
        }
        try await check("slice") { net, x in net.slice(x, first: 2, count: 3) }
        try await check("concatenate") { net, x in net.concatenate([x, net.input, net.slice(x, first: 5, count: 2)]) }
        try await check("the input itself") { net, _ in net.input }
    }

    @Test func shuffles() async throws {
        try await check("pixel shuffle") { net, x in net.pixelShuffle(x, 2) }
        try await check("pixel unshuffle", size: (9, 6)) { net, x in
            net.pixelShuffle(net.convolution(net.pixelUnshuffle(x, 3), "u", outputs: 27), 3)
        }
    }

    @Test(arguments: [Operation.Enlargement.nearest, .bilinear, .bicubic], [2, 3, 4])
    func enlargements(method: Operation.Enlargement, factor: Int) async throws {
        for size in [(1, 1), (2, 1), (6, 5)] { try await check("\(method) ×\(factor)", size: size) { net, x in net.enlarge(x, factor, method) } }
    }

    @Test func normalisations() async throws {
        try await check("layer", bf16: 0.2) { net, x in net.normalise(x, "n", .layer, epsilon: 1e-3) }
        try await check("group", bf16: 0.2) { net, x in net.normalise(x, "n", .group(groups: 3), epsilon: 1e-3) }
        try await check("batch", bf16: 0.2) { net, x in net.normalise(x, "n", .batch) }
    }

    @Test func refusals() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let network = try net.finish(net.convolution(net.input, "a", outputs: 3), architecture: "Test")
        let prepared = try TorchEngine().prepare(randomModel(network))
        await #expect(throws: AcuityError.self) { try await prepared.run(randomRaster(4, 4, 1)) }
        await #expect(throws: AcuityError.self) { try await prepared.run(Raster(width: 0, height: 0, channels: 3)) }
        #expect(throws: AcuityError.self) { try TorchEngine(device: "abacus").prepare(randomModel(network)) }
        // libtorch's own complaints arrive as one line.
        let runtime = try TorchRuntime.shared()
        let a = try TorchTensor(Tensor(shape: [2, 3], values: [1, 2, 3, 4, 5, 6]), device: "cpu", runtime: runtime)
        let b = try TorchTensor(Tensor(shape: [4], values: [1, 2, 3, 4]), device: "cpu", runtime: runtime)
        let error = #expect(throws: AcuityError.self) { try a.adding(b) }
        #expect(error?.message.contains("\n") == false)
    }

    /// Halves are rounded up as MATLAB does, luma is BT.601 with studio swing.
    @Test func images() throws {
        let runtime = try TorchRuntime.shared()
        let values: [Float] = [-0.5, 0, 0.5 / 255 + 1e-6, 1.5 / 255 + 1e-6, 0.3, 1.2]
        let quantised = try TorchTensor(Tensor(shape: [6], values: values), device: "cpu", runtime: runtime).quantised().floats().values
        #expect(quantised == values.map { (min(max($0, 0), 1) * 255).rounded() / 255 })
        let rgb: [UInt8] = [255, 255, 255, 0, 0, 0, 255, 0, 0, 10, 200, 90]
        let luma = try TorchTensor(bytes: rgb, shape: [1, 2, 2, 3], device: "cpu", runtime: runtime).image().luma().floats()
        #expect(luma.shape == [1, 1, 2, 2])
        for (y, expected) in zip(luma.values, [235, 16, 81.481, 16 + (654.81 + 25710.6 + 2246.94) / 255]) {
            #expect(abs(Double(y) * 255 - expected) < 1e-3)
        }
    }
}
