// NativeEngineTests: kernels against naive loops over a grid of shapes, and the engine's manners.

import Dispatch
import NativeEngine
import SuperResolution
import Synchronization
import Testing

/// Engines are shared by all tests: each has threads of its own.
private let engines: [(set: NativeEngine.InstructionSet, engine: NativeEngine)] = NativeEngine.InstructionSet.allCases
    .filter(\.isAvailable)
    .compactMap { set in (try? NativeEngine(threads: 2, instructionSet: set)).map { (set, $0) } }

private func check(_ model: Model, _ raster: Raster, fp32 tolerance: Float = 2e-5, bf16 coarse: Float = 0.05, _ what: String) async throws {
    let expected = naive(model, raster)
    for (set, engine) in engines {
        let exact = try await engine.prepare(model, precision: .fp32).run(raster)
        let difference = largestDifference(exact, expected)
        #expect(difference <= tolerance, "\(what), \(set) fp32, \(raster.width)×\(raster.height)")
        if set >= .avx512bf16 {
            let prepared = try engine.prepare(model, precision: .bf16)
            #expect(prepared.precision == .bf16)
            let rounded = largestDifference(try await prepared.run(raster), expected)
            #expect(rounded <= coarse, "\(what), bf16, \(raster.width)×\(raster.height)")
        }
    }
}

@Suite struct Convolutions {
    /// 3 → inputs → outputs → 3 channels, so that the tested layer stands between others.
    static func network(
        inputs: Int, outputs: Int, kernel: Int = 3, groups: Int = 1, padding: Convolution.Padding = .zeros, activation: Bool = true
    ) throws -> Network {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: inputs, kernel: 1)
        x = net.convolution(x, "b", outputs: outputs, kernel: kernel, groups: groups, padding: padding)
        if activation { x = net.prelu(x, "p") }
        x = net.convolution(x, "c", outputs: 3, kernel: 1)
        return try net.finish(x, architecture: "Test")
    }

    @Test(arguments: [1, 3, 5, 7, 9])
    func kernelSizes(kernel: Int) async throws {
        for padding in [Convolution.Padding.zeros, .replicate] {
            let model = try randomModel(Self.network(inputs: 20, outputs: 24, kernel: kernel, padding: padding))
            for size in [(1, 1), (2, 3), (13, 9), (31, 4)] { try await check(model, randomRaster(size.0, size.1), "\(kernel)×\(kernel) \(padding)") }
        }
    }

    @Test(arguments: [1, 2, 3, 7, 15, 16, 17, 32, 33, 48, 64, 65, 96, 130])
    func channels(count: Int) async throws {
        try await check(randomModel(Self.network(inputs: count, outputs: 20)), randomRaster(29, 5), "\(count) inputs")
        try await check(randomModel(Self.network(inputs: 6, outputs: count)), randomRaster(29, 5), "\(count) outputs")
    }

    @Test func widths() async throws {
        for outputs in [16, 32, 48, 64] {
            let model = try randomModel(Self.network(inputs: 16, outputs: outputs))
            for width in 1...70 { try await check(model, randomRaster(width, 2), "\(outputs) outputs") }
        }
    }

    @Test func tallKernel() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, Convolution(key: "a", inputs: 3, outputs: 18, kernelHeight: 5, kernelWidth: 1))
        x = net.convolution(x, Convolution(key: "b", inputs: 18, outputs: 3, kernelHeight: 1, kernelWidth: 7, hasBias: false))
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(19, 11), "5×1, 1×7")
    }

    @Test(arguments: [2, 3, 4])
    func strides(stride: Int) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 18, kernel: 5, stride: stride)
        x = net.convolution(x, "b", outputs: 3 * stride * stride)
        x = net.pixelShuffle(x, stride)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(stride * 15, stride * 7), "stride \(stride)")
    }

    @Test(arguments: [2, 4, 24])
    func groups(groups: Int) async throws {
        try await check(randomModel(Self.network(inputs: 24, outputs: 48, groups: groups)), randomRaster(17, 9), "\(groups) groups")
    }

    @Test(arguments: [(9, 4), (9, 3), (9, 2), (5, 1), (3, 2), (1, 2)])
    func transposed(kernel: Int, stride: Int) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 12)
        x = net.transposedConvolution(x, "b", outputs: 3, kernel: kernel, stride: stride)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(11, 6), "transposed \(kernel), stride \(stride)")
        // In the middle of a network, where it cannot write to the raster.
        x = net.convolution(net.prelu(x, "p"), "c", outputs: 3)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(11, 6), "transposed \(kernel), stride \(stride), inside")
    }

    @Test func residuals() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let first = net.convolution(net.input, "a", outputs: 40)
        var x = net.convolution(net.prelu(net.convolution(first, "b", outputs: 40), "p"), "c", outputs: 40)
        x = net.add(net.scale(x, by: 0.2), first)
        let y = net.add(first, net.leakyReLU(net.convolution(x, "d", outputs: 40, padding: .replicate), slope: 0.1))
        x = net.add(x, net.activation(y, .relu))
        x = net.scale(net.add(x, x), by: -0.5)
        x = net.convolution(x, "e", outputs: 3)
        x = net.add(net.scale(x, by: -1), net.input)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(37, 12), "residuals")
    }

    @Test func denseBlocks() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let a = net.convolution(net.input, "a", outputs: 20)
        let b = net.leakyReLU(net.convolution(a, "b", outputs: 12), slope: 0.2)
        let ab = net.concatenate([a, b])
        let c = net.leakyReLU(net.convolution(ab, "c", outputs: 33), slope: 0.2)
        let all = net.concatenate([ab, c, net.input])
        let d = net.add(net.convolution(all, "d", outputs: 20), a)
        let materialised = net.activation(net.concatenate([d, c]), .sigmoid)
        let x = net.convolution(materialised, "e", outputs: 3, kernel: 5)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(26, 14), "dense blocks")
    }

    /// The same tensor read with zeros and with replicated edges beyond its border.
    @Test func twoPaddings() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let a = net.convolution(net.input, "a", outputs: 16, padding: .replicate)
        let b = net.convolution(net.input, "b", outputs: 16, kernel: 5)
        let c = net.convolution(a, "c", outputs: 16), d = net.convolution(a, "d", outputs: 16, kernel: 7, padding: .replicate)
        let x = net.convolution(net.add(net.add(c, d), b), "e", outputs: 3)
        try await check(randomModel(net.finish(x, architecture: "Test")), randomRaster(21, 10), "two paddings")
    }
}

@Suite struct Operations {
    /// Input → features → the operation → back to three channels.
    private func check(_ what: String, scale: Int = 1, size: (Int, Int) = (10, 6), _ build: (inout NetworkBuilder, Network.Value) -> Network.Value) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let features = net.convolution(net.input, "first", outputs: 12)
        var x = build(&net, features)
        // Of one pixel, so that only the tested operation's rounding counts.
        if net.channels(x) != 3 { x = net.convolution(x, "last", outputs: 3, kernel: 1) }
        try await NativeEngineTests.check(randomModel(net.finish(x, architecture: "Test")), randomRaster(size.0, size.1), what)
    }

    @Test(arguments: [Operation.Activation.relu, .gelu, .silu, .mish, .sigmoid, .tanh])
    func activations(function: Operation.Activation) async throws {
        try await check("\(function)") { net, x in net.activation(net.scale(x, by: 3, offset: 0.5), function) }
    }

    /// `(a + b) × (sigmoid(a) − ½)` is found and done at once; what only resembles it is not.
    @Test func gate() async throws {
        for (name, offset) in [("gate", Float(-0.5)), ("no gate", -0.25)] {
            for size in [(10, 6), (21, 3)] {
                try await check(name, size: size) { net, x in
                    let y = net.convolution(x, "y", outputs: 12)
                    return net.multiply(net.add(y, x), net.scale(net.activation(y, .sigmoid), by: 1, offset: offset))
                }
            }
        }
        // Far from zero, in fp32: bf16's rounding would be magnified.
        for function in [Operation.Activation.silu, .sigmoid] {
            var net = NetworkBuilder(inputChannels: 3)
            let x = net.activation(net.scale(net.convolution(net.input, "c", outputs: 3), by: 400), function)
            let model = try randomModel(net.finish(net.scale(x, by: 1 / 400), architecture: "Test"))
            for (_, engine) in engines {
                let result = try await engine.prepare(model, precision: .fp32).run(randomRaster(9, 5))
                #expect(largestDifference(result, naive(model, randomRaster(9, 5))) < 2e-6)
            }
        }
    }

    @Test func arithmetic() async throws {
        try await check("multiply") { net, x in net.multiply(x, net.scale(x, by: 2, offset: 1)) }
        try await check("broadcast") { net, x in
            let gate = net.slice(x, first: 3, count: 1)
            return net.add(net.multiply(gate, x), net.scale(gate, by: 0.5))
        }
        try await check("slice") { net, x in net.slice(x, first: 2, count: 3) }
        try await check("prelu alone") { net, x in net.prelu(net.scale(x, by: 1, offset: 0.1), "p") }
        try await check("output is the input") { net, _ in net.input }
    }

    @Test func shuffles() async throws {
        try await check("pixel shuffle") { net, x in net.prelu(net.pixelShuffle(x, 2), "p") }
        try await check("pixel shuffle of the picture", size: (12, 6)) { net, x in
            net.pixelShuffle(net.convolution(net.pixelUnshuffle(x, 3), "u", outputs: 27), 3)
        }
        for factor in [2, 3, 4, 5] {
            try await check("tail ×\(factor)", size: (33, 5)) { net, x in
                let y = net.pixelShuffle(net.convolution(x, "t", outputs: 3 * factor * factor), factor)
                return net.add(net.enlarge(net.input, factor, .nearest), y)
            }
        }
    }

    @Test(arguments: [Operation.Enlargement.nearest, .bilinear, .bicubic])
    func enlargements(method: Operation.Enlargement) async throws {
        for factor in [2, 3, 4] {
            for size in [(1, 1), (2, 1), (7, 5)] {
                try await check("\(method) ×\(factor)", size: size) { net, x in net.add(net.enlarge(net.convolution(x, "t", outputs: 3), factor, method), net.enlarge(net.input, factor, method)) }
            }
        }
    }

    /// Enlargements in the middle of a network whose rows are made where they belong, with slopes before, after or on both sides.
    @Test(arguments: [2, 3, 4, 5, 6])
    func shufflesInside(factor: Int) async throws {
        for (channels, before, after) in [(16, false, false), (16, true, false), (32, false, true), (16, true, true), (12, false, true)] {
            for size in [(1, 1), (9, 5), (43, 4)] {
                try await check("inside ×\(factor), \(channels) channels", size: size) { net, x in
                    var y = net.convolution(x, "u", outputs: channels * factor * factor)
                    if before { y = net.leakyReLU(y, slope: 0.2) }
                    y = net.pixelShuffle(y, factor)
                    if after { y = net.prelu(y, "p") }
                    // Read by a convolution and as its residual.
                    return net.add(net.convolution(y, "v", outputs: channels, padding: .replicate), y)
                }
            }
        }
    }

    /// A convolution of what nearest neighbours have enlarged.
    @Test(arguments: [2, 3, 4, 5])
    func convolutionsOfEnlarged(factor: Int) async throws {
        for (channels, padding) in [(16, Convolution.Padding.zeros), (48, .replicate), (20, .zeros)] {
            for size in [(1, 1), (2, 3), (9, 5), (43, 4)] {
                try await check("enlarged ×\(factor), \(channels) channels, \(padding)", size: size) { net, x in
                    let other = net.pixelShuffle(net.convolution(x, "o", outputs: channels * factor * factor), factor)
                    let y = net.convolution(net.enlarge(net.convolution(x, "s", outputs: 18), factor, .nearest), "n", outputs: channels, padding: padding)
                    return net.add(net.leakyReLU(net.scale(y, by: 0.5), slope: 0.1), other)
                }
            }
        }
    }

    @Test func normalisations() async throws {
        try await check("layer") { net, x in net.normalise(x, "n", .layer, epsilon: 1e-3) }
        try await check("group") { net, x in net.normalise(x, "n", .group(groups: 3), epsilon: 1e-3) }
        try await check("batch") { net, x in net.normalise(x, "n", .batch) }
    }
}

@Suite struct Running {
    static func compact(features: Int = 32, convolutions: Int = 4, factor: Int = 4, channels: Int = 3) throws -> Network {
        var net = NetworkBuilder(inputChannels: channels)
        var x = net.prelu(net.convolution(net.input, "0", outputs: features), "0p")
        for i in 1...convolutions { x = net.prelu(net.convolution(x, "\(i)", outputs: features), "\(i)p") }
        x = net.pixelShuffle(net.convolution(x, "last", outputs: channels * factor * factor), factor)
        x = net.add(x, net.enlarge(net.input, factor, .nearest))
        return try net.finish(x, architecture: "Compact")
    }

    @Test func compactAgainstNaive() async throws {
        for (factor, channels) in [(2, 3), (3, 3), (4, 3), (4, 1), (1, 3)] {
            let model = try randomModel(Self.compact(factor: factor, channels: channels))
            for size in [(1, 1), (1, 40), (40, 1), (29, 23)] {
                try await check(model, randomRaster(size.0, size.1, channels), "Compact ×\(factor)")
            }
        }
    }

    /// Forty convolutions lag as many rows behind the picture as it has; what they lack in the end must not be made at once.
    @Test func buffersOfDeepNetworks() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 16)
        for i in 0..<40 { x = net.leakyReLU(net.convolution(x, "b\(i)", outputs: 16), slope: 0.2) }
        x = net.convolution(net.enlarge(x, 4, .nearest), "c", outputs: 16)
        let model = try randomModel(net.finish(net.convolution(x, "d", outputs: 3), architecture: "Test"))
        let raster = randomRaster(64, 256)
        for (set, engine) in engines {
            guard let prepared = try engine.prepare(model, precision: .fp32) as? NativeModel else { throw AcuityError(.usage, "not a native model") }
            _ = try await prepared.run(raster)
            let enlarged = 16 * raster.width * raster.height * 16 * MemoryLayout<Float>.size
            #expect((1..<enlarged / 2).contains(prepared.bufferBytes), "\(set)")
        }
    }

    /// Whatever the strips, the sums are the same.
    @Test func strips() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.pixelUnshuffle(net.input, 2), "a", outputs: 16, kernel: 5)
        let skip = x
        for i in 0..<3 { x = net.prelu(net.convolution(x, "b\(i)", outputs: 16), "p\(i)") }
        x = net.normalise(net.add(x, skip), "n", .group(groups: 2))
        x = net.convolution(net.enlarge(x, 2, .bicubic), "c", outputs: 12)
        x = net.add(net.pixelShuffle(x, 2), net.enlarge(net.input, 2, .bilinear))
        let model = try randomModel(net.finish(x, architecture: "Test"))
        let raster = randomRaster(34, 58)
        for (set, engine) in engines where set != .scalar {
            guard let prepared = try engine.prepare(model) as? NativeModel else { throw AcuityError(.usage, "not a native model") }
            let whole = try await prepared.run(raster, stripRows: 1 << 20) { _ in }
            for rows in [1, 2, 3, 8, 17] {
                let result = try await prepared.run(raster, stripRows: rows) { _ in }
                #expect(largestDifference(result, whole) == 0, "\(set), strips of \(rows) rows")
            }
            let byDefault = try await prepared.run(raster)
            #expect(largestDifference(byDefault, whole) == 0)
        }
    }

    @Test func repeatedRunsOfChangingSizes() async throws {
        let model = try randomModel(Self.compact())
        let prepared = try NativeEngine(threads: 3).prepare(model)
        let big = randomRaster(60, 50), small = randomRaster(20, 70)
        let first = (try await prepared.run(big), try await prepared.run(small))
        for _ in 0..<3 {
            #expect(try await prepared.run(big) == first.0)
            #expect(try await prepared.run(big) == first.0)
            #expect(try await prepared.run(small) == first.1)
        }
    }

    @Test func concurrentRuns() async throws {
        let engine = try NativeEngine(threads: 2)
        let a = try engine.prepare(randomModel(Self.compact(), seed: 1)), b = try engine.prepare(randomModel(Self.compact(factor: 2), seed: 2))
        let raster = randomRaster(50, 50)
        let alone = (try await a.run(raster), try await b.run(raster))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for i in 0..<12 {
                group.addTask { i % 2 == 0 ? try await a.run(raster) == alone.0 : try await b.run(raster) == alone.1 }
            }
            for try await same in group { #expect(same) }
        }
    }

    /// Two runs that wait for two threads get one each and run side by side: each goes on only once the other has begun.
    @Test(.timeLimit(.minutes(20))) func crowdedRuns() async throws {
        let engine = try NativeEngine(threads: 2)
        let prepared = try engine.prepare(randomModel(Self.compact())), raster = randomRaster(50, 50)
        let alone = try await prepared.run(raster)
        let mayGo = DispatchSemaphore(value: 0), begun = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
        let started = Fractions(), met = Fractions()
        let first = Task {
            try await prepared.run(raster) {
                started.append($0)
                if $0 == 0 { mayGo.wait() }
            }
        }
        while started.all.isEmpty { await Task.yield() }
        let pair = (0..<2).map { i in
            Task {
                try await prepared.run(raster) {
                    guard $0 == 0 else { return }
                    begun[1 - i].signal()
                    if begun[i].wait(timeout: .now() + 20) == .success { met.append(1) }
                }
            }
        }
        while engine.waitingRuns < 2 { await Task.yield() }
        mayGo.signal()
        #expect(try await first.value == alone)
        for run in pair { #expect(try await run.value == alone) }
        #expect(met.all.count == 2)
    }

    /// What the engine rounds itself is what a buffer makes of the floats.
    @Test func roundedRuns() async throws {
        var staged = NetworkBuilder(inputChannels: 3)
        var x = staged.pixelShuffle(staged.convolution(staged.input, "a", outputs: 64), 2)
        x = staged.convolution(staged.leakyReLU(x, slope: 0.1), "b", outputs: 3, kernel: 9)
        x = staged.add(x, staged.enlarge(staged.input, 2, .bilinear))
        // Values below 0 and above 1, too.
        let models = [try randomModel(Self.compact()), try randomModel(staged.finish(x, architecture: "Test")), try randomModel(Convolutions.network(inputs: 8, outputs: 20))]
        let raster = randomRaster(37, 41)
        for model in models {
            let scale = model.network.scale
            for (set, engine) in engines {
                let prepared = try engine.prepare(model), output = try await prepared.run(raster)
                for region in [Region(x: 0, y: 0, width: 37 * scale, height: 41 * scale), Region(x: 5, y: 3, width: 21, height: 36)] {
                    for depth in [PixelBuffer.Depth.eight, .sixteen] {
                        var expected = PixelBuffer(width: region.width, height: region.height, channels: 3, depth: depth)
                        expected.write(output, from: region, x: 0, y: 0)
                        let (pixels, isFinite) = try await prepared.run(raster, keeping: region, depth: depth) { _ in }
                        #expect(pixels == expected && isFinite, "\(set), \(model.network.architecture), \(depth)")
                    }
                }
            }
        }
    }

    @Test func roundedRunsSayWhatIsNotFinite() async throws {
        var raster = randomRaster(20, 20)
        raster.samples[3 * (20 * 10 + 10)] = .infinity
        let model = try randomModel(Convolutions.network(inputs: 8, outputs: 20))
        for (_, engine) in engines {
            let prepared = try engine.prepare(model, precision: .fp32)
            #expect(try await !prepared.run(raster, keeping: Region(x: 0, y: 0, width: 20, height: 20), depth: .eight) { _ in }.isFinite)
        }
    }

    @Test func threadCounts() async throws {
        let model = try randomModel(Self.compact()), raster = randomRaster(41, 30)
        let one = try await NativeEngine(threads: 1).prepare(model).run(raster)
        for threads in [2, 5, 16] { #expect(try await NativeEngine(threads: threads).prepare(model).run(raster) == one) }
    }

    /// Cancelled at the first sign of progress, the run ends long before its end.
    @Test func cancellation() async throws {
        let model = try randomModel(Self.compact(features: 64, convolutions: 16))
        let prepared = try NativeEngine(threads: 2).prepare(model)
        let fractions = Fractions(), raster = randomRaster(700, 2000)  // Seconds.
        // By the engine's own thread: others may have to wait for their turn until the run is over.
        let running = Mutex<Task<Raster, any Error>?>(nil)
        let task = Task {
            try await prepared.run(raster) { fraction in
                fractions.append(fraction)
                if fraction > 0 { running.withLock { $0?.cancel() } }
            }
        }
        running.withLock { $0 = task }
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(fractions.all.allSatisfy { $0 < 1 })
        // The engine is usable afterwards.
        _ = try await prepared.run(randomRaster(8, 8))
    }

    @Test func progressRisesToOne() async throws {
        let fractions = Fractions()
        _ = try await NativeEngine(threads: 2).prepare(randomModel(Self.compact())).run(randomRaster(40, 200)) { fractions.append($0) }
        let seen = fractions.all
        #expect(seen.count > 3)
        #expect(seen == seen.sorted())
        #expect(seen.first == 0 && seen.last == 1)
    }

    /// Only what is added to the picture may be rounded to bf16 unasked.
    @Test func defaultPrecision() throws {
        #expect(try Compact(features: 48, convolutions: 8, scale: 4).network().addsToPicture)
        let srcnn = try SRCNN(kernels: [9, 5, 5], features: [64, 32], scale: 2).network()
        #expect(!srcnn.addsToPicture)
        #expect(try NativeEngine(threads: 1).prepare(randomModel(srcnn)).precision == .fp32)
    }

    @Test func refusals() async throws {
        let model = try randomModel(Self.compact())
        let prepared = try NativeEngine(threads: 1).prepare(model)
        await #expect(throws: AcuityError.self) { try await prepared.run(randomRaster(4, 4, 1)) }
        await #expect(throws: AcuityError.self) { try await prepared.run(Raster(width: 0, height: 0, channels: 3)) }
        #expect(throws: AcuityError.self) { try NativeEngine(threads: 0) }
        #expect(throws: AcuityError.self) { try NativeEngine(threads: 1 << 40) }
        var net = NetworkBuilder(inputChannels: 3)
        let x = net.pixelShuffle(net.pixelUnshuffle(net.input, 2), 2)
        let even = try NativeEngine(threads: 1).prepare(randomModel(net.finish(x, architecture: "Test")))
        await #expect(throws: AcuityError.self) { try await even.run(randomRaster(4, 3)) }
        #expect(try await even.run(randomRaster(4, 2)) == randomRaster(4, 2))
    }

    @Test func bf16WhereItIsMissingBecomesFp32() async throws {
        let prepared = try NativeEngine(threads: 1, instructionSet: .scalar).prepare(randomModel(Self.compact()), precision: .bf16)
        #expect(prepared.precision == .fp32)
    }
}
