// UpscalerTests: exact sizes, tiles without seams, colour on its way through networks, and the health check.

import SuperResolution
import Synchronization
import Testing

@Suite struct UpscalerTests {
    private func upscaler(_ models: [Model], _ target: Upscaler.Target, engine: NaiveEngine = NaiveEngine(), tiles: Tiling.Size = .automatic) throws -> Upscaler {
        try Upscaler(.network(engine, Dictionary(uniqueKeysWithValues: models.map { ($0.network.scale, $0) })), target: target, tiles: tiles)
    }

    @Test(arguments: [1, 3], [1, 2, 4]) func tiledEqualsUntiled(channels: Int, multiple: Int) async throws {
        let pixels = PixelBuffer(noise(width: 101, height: 71, channels: channels), depth: .eight)
        for networkChannels in [1, 3] {
            let model = try NaiveEngine.model(scale: 2, channels: networkChannels, multiple: multiple)
            let whole = try await upscaler([model], .factor(2), tiles: .whole).upscale(pixels)
            #expect(whole.width == 202 && whole.height == 142 && whole.channels == channels)
            for side in [32, 37, 50, 100] {
                let tiled = try await upscaler([model], .factor(2), tiles: .side(side)).upscale(pixels)
                let worst = zip(whole.bytes, tiled.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
                #expect(worst <= 1, "\(channels) channels through \(networkChannels), tiles of \(side)")
            }
        }
    }

    @Test(arguments: [(1, 1), (7, 13), (300, 1), (31, 40)]) func anySizeAndFactorComesOutExactly(_ width: Int, _ height: Int) async throws {
        let models = try [2, 3, 4].map { try NaiveEngine.model(scale: $0) }
        let pixels = PixelBuffer(noise(width: width, height: height, channels: 3), depth: .sixteen)
        for factor in [0.25, 0.5, 1, 1.3, 2, 2.5, 4, 7.77, 16] {
            let result = try await upscaler(models, .factor(factor)).upscale(pixels)
            #expect(result.width == max(1, Int((Double(width) * factor).rounded())))
            #expect(result.height == max(1, Int((Double(height) * factor).rounded())))
            #expect(result.depth == .sixteen)
            let classical = try await Upscaler(.resampling(.bicubic), target: .factor(factor)).upscale(pixels)
            #expect((classical.width, classical.height) == (result.width, result.height))
        }
    }

    @Test func targetsInPixels() throws {
        func size(_ target: Upscaler.Target) throws -> [Int] {
            let size = try Upscaler(.resampling(.bicubic), target: target).outputSize(width: 640, height: 427)
            return [size.width, size.height]
        }
        #expect(try size(.width(1000)) == [1000, 667])
        #expect(try size(.height(1000)) == [1499, 1000])
        #expect(try size(.longEdge(1280)) == [1280, 854])
        #expect(throws: AcuityError.self) { try size(.width(100_000)) }
        #expect(throws: AcuityError.self) { try size(.width(Int.max)) }
    }

    @Test(arguments: [0, -1, Double.nan, 1000, .infinity, 0.2]) func senselessFactorsAreUsageErrors(_ factor: Double) {
        let error = #expect(throws: AcuityError.self) { try Upscaler(.resampling(.bicubic), target: .factor(factor)) }
        #expect(error?.code == .usage)
    }

    @Test func tooManyPixelsAreRefusedBeforeAnyWork() async throws {
        let upscaler = try Upscaler(.resampling(.bicubic), target: .factor(16), maximumPixels: 10_000)
        await #expect(throws: AcuityError.self) { try await upscaler.upscale(PixelBuffer(width: 10, height: 10, channels: 1, depth: .eight)) }
    }

    /// A network with zero padding darkens what lies at its border; the frame keeps that away from the picture.
    @Test func theRimOfAFlatPictureStaysFlat() async throws {
        for (width, height) in [(40, 30), (3, 1), (1, 1)] {
            let pixels = PixelBuffer(Raster(width: width, height: height, channels: 3, filledWith: 1), depth: .eight)
            let result = try await upscaler([NaiveEngine.model(scale: 2)], .factor(2)).upscale(pixels)
            #expect(result.bytes.allSatisfy { $0 == 255 }, "\(width)×\(height)")
        }
    }

    /// The smallest scale that reaches the target runs; the largest again and again where none does.
    @Test func theRightNetworksRun() async throws {
        let models = try [2, 3, 4].map { try NaiveEngine.model(scale: $0) }
        let pixels = PixelBuffer(noise(width: 10, height: 10, channels: 3), depth: .eight)
        // The network looks two pixels far, so it sees a frame of two pixels on either side.
        for (factor, widths) in [(1.5, [14]), (2.0, [14]), (2.1, [14]), (4.0, [14]), (8.0, [14, 44]), (16.0, [14, 44]), (0.5, []), (1.0, [])] {
            let seen = Mutex<[Int]>([])
            let engine = NaiveEngine(observe: { raster in seen.withLock { $0.append(raster.width) } })
            _ = try await upscaler(models, .factor(factor), engine: engine).upscale(pixels)
            #expect(seen.withLock { $0 } == widths, "factor \(factor)")
        }
    }

    @Test func aNetworkOfScaleOneRestoresWithoutEnlarging() async throws {
        let seen = Mutex(0)
        let engine = NaiveEngine(observe: { _ in seen.withLock { $0 += 1 } })
        let pixels = PixelBuffer(noise(width: 10, height: 10, channels: 3), depth: .eight)
        let result = try await upscaler([NaiveEngine.model(scale: 1), NaiveEngine.model(scale: 2)], .factor(1), engine: engine).upscale(pixels)
        #expect((result.width, result.height, seen.withLock { $0 }) == (10, 10, 1))
    }

    /// One that was released to restore does so at the same size even if it can only enlarge; others do not.
    @Test(arguments: [("restore", 1), ("gan", 0), (nil, 0)] as [(String?, Int)])
    func aRestorerCleansAtTheSameSize(profile: String?, runs: Int) async throws {
        var model = try NaiveEngine.model(scale: 4)
        let card = ModelCard(
            name: "r", version: "1", architecture: "", scale: 4, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
            trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile)
        model = try Model(name: "r", network: model.network, weights: model.weights, card: card)
        let seen = Mutex(0)
        let engine = NaiveEngine(observe: { _ in seen.withLock { $0 += 1 } })
        let pixels = PixelBuffer(noise(width: 10, height: 10, channels: 3), depth: .eight)
        let result = try await upscaler([model], .factor(1), engine: engine).upscale(pixels)
        #expect((result.width, result.height, seen.withLock { $0 }) == (10, 10, runs))
        _ = try await upscaler([model], .factor(0.5), engine: engine).upscale(pixels)
        #expect(seen.withLock { $0 } == runs)
    }

    /// Restorers, and what was trained on from them, keep to a JPEG file unless told otherwise.
    @Test(arguments: [("restore", nil, true), ("gan", "restore", true), ("gan", "photo", false), ("faithful", nil, false)] as [(String, String?, Bool)])
    func restorersKeepToTheirFiles(profile: String, faithful: String?, locks: Bool) throws {
        var model = try NaiveEngine.model(scale: 4)
        let card = ModelCard(
            name: "r", version: "1", architecture: "", scale: 4, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
            trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile, faithful: faithful)
        model = try Model(name: "r", network: model.network, weights: model.weights, card: card)
        #expect(try upscaler([model], .factor(4)).locksJPEG == locks)
        #expect(try !Upscaler(.network(NaiveEngine(), [4: model]), target: .factor(4), locksJPEG: false).locksJPEG)
    }

    @Test(arguments: [
        (Upscaler.Target.fit(width: 100, height: 100), 40, 30, 100, 75), (.fit(width: 100, height: 60), 40, 30, 80, 60), (.fit(width: 10, height: 99), 40, 30, 10, 8),
        (.width(20), 6000, 4000, 20, 13), (.longEdge(1), 6000, 4000, 1, 1), (.height(33), 7, 11, 21, 33), (.factor(8), 7, 13, 56, 104), (.factor(0.25), 7, 13, 2, 3),
    ])
    func sizesAreExact(_ target: Upscaler.Target, _ width: Int, _ height: Int, _ resultWidth: Int, _ resultHeight: Int) throws {
        let size = try Upscaler(.resampling(.bicubic), target: target).outputSize(width: width, height: height)
        #expect(size == (resultWidth, resultHeight))
    }

    @Test func sizesBeyondReachAreRefused() throws {
        #expect(throws: AcuityError.self) { try Upscaler(.resampling(.bicubic), target: .fit(width: 0, height: 9)) }
        #expect(throws: AcuityError.self) { try Upscaler(.resampling(.bicubic), target: .fit(width: 900, height: 900)).outputSize(width: 50, height: 50) }
    }

    /// A grey picture stays what a grey network makes of it; a colour one keeps its chroma.
    @Test func coloursSurviveForeignNetworks() async throws {
        let flat = Raster(width: 40, height: 40, channels: 3, samples: (0..<1600).flatMap { _ in [0.8, 0.3, 0.1] as [Float] })
        let pixels = PixelBuffer(flat, depth: .eight)
        let result = try await upscaler([NaiveEngine.model(scale: 2, channels: 1)], .factor(2)).upscale(pixels).raster
        for (c, value) in [Float(0.8), 0.3, 0.1].enumerated() { #expect(abs(result[40, 40, c] - value) < 0.004) }

        let grey = PixelBuffer(noise(width: 20, height: 20, channels: 1), depth: .sixteen)
        let direct = try await upscaler([NaiveEngine.model(scale: 2, channels: 1)], .factor(2)).upscale(grey)
        let throughRGB = try await upscaler([NaiveEngine.model(scale: 2, channels: 3)], .factor(2)).upscale(grey)
        #expect(zip(direct.raster.samples, throughRGB.raster.samples).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test(arguments: [NaiveEngine.Fault.notANumber, .black, .drift, .noise]) func aRuinedTileIsRunAgainInFP32OrRefused(_ fault: NaiveEngine.Fault) async throws {
        // Left half dark, right half bright, so that the reversed picture differs.
        var raster = noise(width: 64, height: 64, channels: 3)
        for y in 0..<64 { for x in 0..<64 { for c in 0..<3 { raster[x, y, c] = raster[x, y, c] * 0.2 + (x < 32 ? 0.1 : 0.7) } } }
        let pixels = PixelBuffer(raster, depth: .eight)
        let model = try NaiveEngine.model(scale: 2)
        let sound = try await upscaler([model], .factor(2)).upscale(pixels)
        let rescued = try await upscaler([model], .factor(2), engine: NaiveEngine(fault: (fault, .none))).upscale(pixels)
        let isRescued = rescued == sound  // Not inside the expectation, which would print both pictures.
        #expect(isRescued)
        let error = await #expect(throws: AcuityError.self) {
            try await upscaler([model], .factor(2), engine: NaiveEngine(fault: (fault, fault))).upscale(pixels)
        }
        #expect(error?.code == .health)
    }

    /// Stripes of one pixel, either way, are no drift of colours, whichever rows of a picture are looked at.
    @Test(arguments: [true, false], [2, 3]) func stripesOfOnePixelAreSound(_ isHorizontal: Bool, _ scale: Int) async throws {
        var raster = Raster(width: 64, height: 64, channels: 3)
        for y in 0..<64 { for x in 0..<64 { for c in 0..<3 { raster[x, y, c] = (isHorizontal ? y : x) % 2 == 0 ? 0.1 : 0.9 } } }
        let pixels = PixelBuffer(raster, depth: .eight)
        let result = try await upscaler([NaiveEngine.model(scale: scale)], .factor(Double(scale))).upscale(pixels)
        #expect(result.width == 64 * scale)
    }

    @Test func progressRisesToOne() async throws {
        let seen = Mutex<[Double]>([])
        let upscaler = try upscaler([NaiveEngine.model(scale: 2)], .factor(3.5), tiles: .side(32))
        _ = try await upscaler.upscale(PixelBuffer(noise(width: 70, height: 50, channels: 3), depth: .eight)) { fraction in
            seen.withLock { $0.append(fraction) }
        }
        let fractions = seen.withLock { $0 }
        #expect(fractions == fractions.sorted() && fractions.last == 1 && fractions.count > 4)
    }

    @Test func cancellingStopsBetweenTiles() async throws {
        let count = Mutex(0)
        let engine = NaiveEngine(observe: { _ in count.withLock { $0 += 1 } })
        let upscaler = try upscaler([NaiveEngine.model(scale: 2)], .factor(2), engine: engine, tiles: .side(32))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await upscaler.upscale(PixelBuffer(noise(width: 200, height: 200, channels: 3), depth: .eight))
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(count.withLock { $0 } == 0)
    }

    @Test func lumaIsThatOfMATLAB() {
        // rgb2ycbcr([1 0 0; 0 1 0; 0 0 1; 1 1 1; 0 0 0]) × 255
        let raster = Raster(width: 5, height: 1, channels: 3, samples: [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
        for (value, expected) in zip(raster.luma.samples, [81.481, 144.553, 40.966, 235, 16] as [Float]) { #expect(abs(value * 255 - expected) < 1e-3) }
        let picture = noise(width: 9, height: 4, channels: 3)
        #expect(zip(picture.replacingLuma(with: picture.luma).samples, picture.samples).allSatisfy { abs($0 - $1) < 1e-6 })
        var brighter = picture.luma
        for i in brighter.samples.indices { brighter.samples[i] += 0.1 }
        #expect(zip(picture.replacingLuma(with: brighter).luma.samples, brighter.samples).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
