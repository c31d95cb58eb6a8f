// SelfEnsembleTests: the mean over turned pictures, against one taken by hand.

import SuperResolution
import Synchronization
import Testing

@Suite struct SelfEnsembleTests {
    /// A network that treats every position differently: it carries each row and column on into the next one.
    private struct Smearing: Engine, PreparedModel {
        let name = "smearing"
        let model: Model
        let precision = Precision.fp32
        let runs = Counter()

        init(scale: Int) throws { model = try NaiveEngine.model(scale: scale) }

        func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel { self }

        func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
            runs.count.withLock { $0 += 1 }
            progress(0.5)
            progress(1)
            return smeared(raster)
        }

        func smeared(_ raster: Raster) -> Raster {
            let scale = model.network.scale
            var result = Raster(width: raster.width * scale, height: raster.height * scale, channels: raster.channels)
            for y in 0..<result.height {
                for x in 0..<result.width {
                    for c in 0..<raster.channels {
                        let before = x > 0 ? 0.5 * result[x - 1, y, c] : 0
                        let above = y > 0 ? 0.2 * result[x, y - 1, c] : 0
                        result[x, y, c] = 0.3 * raster[x / scale, y / scale, c] + before + above
                    }
                }
            }
            return result
        }
    }

    private final class Counter: Sendable { let count = Mutex(0) }

    /// A quarter turn, so often, after a mirroring of columns or not: pixel by pixel, and back.
    private func turned(_ raster: Raster, quarters: Int, mirrored: Bool) -> Raster {
        var result = raster
        if mirrored { result = remade(raster, width: raster.width, height: raster.height) { x, y in (raster.width - 1 - x, y) } }
        for _ in 0..<quarters {
            let before = result
            result = remade(before, width: before.height, height: before.width) { x, y in (y, before.height - 1 - x) }
        }
        return result
    }

    private func remade(_ raster: Raster, width: Int, height: Int, from place: (Int, Int) -> (x: Int, y: Int)) -> Raster {
        var result = Raster(width: width, height: height, channels: raster.channels)
        for y in 0..<height {
            for x in 0..<width {
                let source = place(x, y)
                for c in 0..<raster.channels { result[x, y, c] = raster[source.x, source.y, c] }
            }
        }
        return result
    }

    private func worst(_ a: Raster, _ b: Raster) -> Float {
        guard (a.width, a.height, a.channels) == (b.width, b.height, b.channels) else { return .infinity }
        return zip(a.samples, b.samples).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(arguments: [1, 3], [1, 2]) func eightPositionsAreTheMeanOfAll(channels: Int, scale: Int) async throws {
        let raster = noise(width: 11, height: 6, channels: channels)
        let network = try Smearing(scale: scale)
        var expected = Raster(width: 11 * scale, height: 6 * scale, channels: channels)
        for mirrored in [false, true] {
            for quarters in 0..<4 {
                let made = network.smeared(turned(raster, quarters: quarters, mirrored: mirrored))
                // Turned on to a full circle; a mirroring undoes itself.
                let back = turned(turned(made, quarters: (4 - quarters) % 4, mirrored: false), quarters: 0, mirrored: mirrored)
                for index in expected.samples.indices { expected.samples[index] += back.samples[index] / 8 }
            }
        }
        let result = try await SelfEnsemble(network, count: 8).prepare(network.model, precision: nil).run(raster)
        #expect(worst(result, expected) < 1e-6)
        #expect(network.runs.count.withLock { $0 } == 8)
    }

    /// What so many positions promise: the picture laid otherwise gives the result laid so. Two treat both axes alike, four half turns, too.
    @Test(arguments: [(1, 0, false, false), (2, 1, true, true), (4, 2, false, true), (4, 1, true, true), (4, 3, true, true), (2, 2, false, false), (8, 1, false, true), (8, 0, true, true)])
    func positionsAreAlike(_ count: Int, _ quarters: Int, _ mirrored: Bool, _ alike: Bool) async throws {
        let raster = noise(width: 9, height: 7, channels: 3)
        let network = try Smearing(scale: 2)
        let model = try SelfEnsemble(network, count: count).prepare(network.model, precision: nil)
        let first = turned(try await model.run(raster), quarters: quarters, mirrored: mirrored)
        let second = try await model.run(turned(raster, quarters: quarters, mirrored: mirrored))
        if quarters == 0, !mirrored { return #expect(worst(first, network.smeared(raster)) == 0) }
        #expect((worst(first, second) < 1e-6) == alike)
    }

    @Test func progressRisesToOne() async throws {
        let network = try Smearing(scale: 2)
        let seen = Mutex<[Double]>([])
        _ = try await SelfEnsemble(network, count: 4).prepare(network.model, precision: nil).run(noise(width: 4, height: 4, channels: 3)) { done in
            seen.withLock { $0.append(done) }
        }
        #expect(seen.withLock { $0 } == [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1])
    }

    /// Tiles, frames and strips are the pipeline's, whatever the engine.
    @Test func tilesGiveTheSame() async throws {
        let model = try NaiveEngine.model(scale: 2)
        let pixels = PixelBuffer(noise(width: 70, height: 45, channels: 3), depth: .eight)
        let engine = try SelfEnsemble(NaiveEngine(), count: 8)
        let whole = try await Upscaler(.network(engine, [2: model]), target: .factor(2), tiles: .whole).upscale(pixels)
        let tiled = try await Upscaler(.network(engine, [2: model]), target: .factor(2), tiles: .side(32)).upscale(pixels)
        #expect(zip(whole.bytes, tiled.bytes).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
        // This network treats all positions alike, so that the mean is what it makes.
        let plain = try await Upscaler(.network(NaiveEngine(), [2: model]), target: .factor(2), tiles: .whole).upscale(pixels)
        #expect(zip(whole.bytes, plain.bytes).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }

    @Test(arguments: [-1, 0, 3, 5, 16]) func otherCountsAreUsageErrors(count: Int) {
        let error = #expect(throws: AcuityError.self) { try SelfEnsemble(NaiveEngine(), count: count) }
        #expect(error?.code == .usage && error?.message.contains("\(count)") == true)
    }
}
