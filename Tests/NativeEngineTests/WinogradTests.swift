// WinogradTests: 3×3 convolutions by Winograd's algorithm against the scalar kernels' direct ones, over a grid of shapes.

import NativeEngine
import SuperResolution
import Testing

private func engine(_ set: NativeEngine.InstructionSet, threads: Int = 2) throws -> NativeEngine {
    try NativeEngine(threads: threads, instructionSet: set)
}

/// Input → `inputs` channels → the tested layer with everything that is fused into it → 3 channels.
private func network(
    inputs: Int, outputs: Int, padding: Convolution.Padding = .zeros, leaky: Bool = false, residual: Bool = false
) throws -> Network {
    var net = NetworkBuilder(inputChannels: 3)
    var x = net.convolution(net.input, "a", outputs: inputs, kernel: 1)
    let skip = residual ? net.convolution(net.input, "s", outputs: outputs, kernel: 1) : x
    x = net.convolution(x, "b", outputs: outputs, padding: padding)
    x = leaky ? net.leakyReLU(x, slope: 0.2) : net.prelu(x, "p")
    if residual { x = net.add(net.scale(x, by: 0.7), skip) }
    x = net.convolution(x, "c", outputs: 3, kernel: 1)
    return try net.finish(x, architecture: "Test")
}

private func range(_ raster: Raster) -> Float { max(1e-3, (raster.samples.max() ?? 0) - (raster.samples.min() ?? 0)) }

/// Those with vectors of their own width.
private let sets = [NativeEngine.InstructionSet.neon, .avx2, .avx512].filter(\.isAvailable)

@Suite(.enabled(if: !sets.isEmpty, "needs vector instructions"))
struct WinogradTests {
    /// Difference of Winograd's from the scalar direct convolution, relative to the output's range.
    private func check(_ model: Model, _ rasters: [Raster], _ what: String, tolerance: Float = 2e-5) async throws {
        let reference = try engine(.scalar).prepare(model, precision: .fp32)
        let ways = try sets.map { set in
            let engine = try engine(set)
            return (
                set, direct: try engine.prepare(model, precision: .fp32, winograd: false), prepared: try engine.prepare(model, precision: .fp32)
            )
        }
        var different: Set<NativeEngine.InstructionSet> = []
        for raster in rasters {
            let expected = try await reference.run(raster)
            for (set, direct, prepared) in ways {
                let result = try await prepared.run(raster)
                let relative = largestDifference(result, expected) / range(expected)
                #expect(relative <= tolerance, "\(what), \(raster.width)×\(raster.height), \(set)")
                if try await direct.run(raster) != result { different.insert(set) }
            }
        }
        // Rounding gives away that the algorithm was another one.
        #expect(different.count == sets.count, "\(what): not Winograd's algorithm")
    }

    @Test(arguments: [16, 24, 32, 48, 64, 80])
    func channels(count: Int) async throws {
        for other in [16, 24, 64, 80] {
            try await check(randomModel(network(inputs: count, outputs: other)), [randomRaster(13, 7), randomRaster(66, 5)], "\(count) → \(other)")
        }
        try await check(randomModel(network(inputs: 130, outputs: count)), [randomRaster(31, 9)], "130 → \(count)")
        try await check(randomModel(network(inputs: count, outputs: 130)), [randomRaster(31, 9)], "\(count) → 130")
    }

    @Test(arguments: [Convolution.Padding.zeros, .replicate])
    func sizes(padding: Convolution.Padding) async throws {
        for (residual, leaky) in [(false, true), (true, false), (true, true)] {
            let model = try randomModel(network(inputs: 24, outputs: 32, padding: padding, leaky: leaky, residual: residual))
            let rasters = (Array(1...20) + Array(61...70)).flatMap { side in
                [randomRaster(side, 1 + side % 9), randomRaster(1 + (side + 3) % 10, side), randomRaster(side, side)]
            }
            try await check(model, rasters, "\(padding), residual \(residual)")
        }
    }

    /// The last convolution of a network goes through scratch memory to the raster, with 12, 48 and 27 channels.
    @Test(arguments: [2, 3, 4])
    func tails(factor: Int) async throws {
        let model = try randomModel(Running.compact(features: 64, convolutions: 3, factor: factor))
        try await check(model, [randomRaster(1, 1), randomRaster(37, 22), randomRaster(70, 13), randomRaster(8, 33)], "tail ×\(factor)", tolerance: 1e-4)
    }

    /// Several sources, slots read by direct convolutions too, and a picture among the sources.
    @Test func denseBlocks() async throws {
        var net = NetworkBuilder(inputChannels: 3)
        let a = net.convolution(net.input, "a", outputs: 64)
        let b = net.leakyReLU(net.convolution(a, "b", outputs: 32), slope: 0.2)
        let c = net.leakyReLU(net.convolution(net.concatenate([a, b]), "c", outputs: 33), slope: 0.2)
        let d = net.add(net.scale(net.convolution(net.concatenate([a, b, c]), "d", outputs: 64), by: 0.2), a)
        let e = net.convolution(net.enlarge(d, 2, .nearest), "e", outputs: 64, padding: .replicate)
        let f = net.convolution(net.concatenate([net.enlarge(net.input, 2, .nearest), e]), "f", outputs: 32)
        let g = net.convolution(net.convolution(f, "g", outputs: 16, kernel: 5), "h", outputs: 3)
        try await check(randomModel(net.finish(g, architecture: "Test")), [randomRaster(26, 14), randomRaster(5, 41)], "dense blocks", tolerance: 1e-4)
    }

    /// Whatever the strips and the threads, the sums are the same.
    @Test(arguments: sets) func stripsAndThreads(set: NativeEngine.InstructionSet) async throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 32)
        let skip = x
        for i in 0..<3 { x = net.prelu(net.convolution(x, "b\(i)", outputs: 48, padding: i == 1 ? .replicate : .zeros), "p\(i)") }
        x = net.add(net.convolution(x, "c", outputs: 32), skip)
        // Rows that are made where the enlarged picture has them, with a residual there.
        let shuffled = net.pixelShuffle(net.convolution(x, "s", outputs: 128), 2)
        x = net.add(net.leakyReLU(net.convolution(net.enlarge(x, 2, .nearest), "e", outputs: 32), slope: 0.2), shuffled)
        x = net.convolution(net.enlarge(x, 2, .bicubic), "d", outputs: 12)
        let model = try randomModel(net.finish(net.pixelShuffle(x, 2), architecture: "Test"))
        let raster = randomRaster(34, 59)
        var first: Raster?
        for threads in [1, 2, 3] {
            guard let prepared = try engine(set, threads: threads).prepare(model, precision: .fp32) as? NativeModel else {
                throw AcuityError(.usage, "not a native model")
            }
            for rows in [1 << 20, 1, 2, 3, 4, 7, 8, 17] {
                let result = try await prepared.run(raster, stripRows: rows) { _ in }
                if first == nil { first = result }
                #expect(result == first, "\(threads) threads, strips of \(rows) rows")
            }
            #expect(try await prepared.run(raster) == first)
        }
        try await check(model, [raster], "strips", tolerance: 1e-4)
    }

    /// Without a wish, fp32 for networks of wide 3×3 convolutions, unless there is a matrix unit, and bf16 (where it exists) for others.
    @Test func choice() throws {
        let best = try NativeEngine(threads: 1)
        guard best.instructionSet >= .avx512 else {
            #expect(try best.prepare(randomModel(Running.compact(features: 64, convolutions: 4)), precision: .bf16).precision == .fp32)
            return
        }
        let wide: Precision = best.instructionSet == .amx ? .bf16 : .fp32
        let other: Precision = best.instructionSet >= .avx512bf16 ? .bf16 : .fp32
        #expect(try best.prepare(randomModel(Running.compact(features: 64, convolutions: 4)), precision: nil).precision == wide)
        #expect(try best.prepare(randomModel(Running.compact(features: 16, convolutions: 4)), precision: nil).precision == other)
        #expect(try best.prepare(randomModel(Running.compact(features: 64, convolutions: 4)), precision: .bf16).precision == other)
    }
}
