// GrainRowsTests: what a network took for noise comes back as far as it is everywhere, against the same written out for a whole picture.

import Foundation
import SuperResolution
import Testing

@Suite struct GrainRowsTests {
    /// A scene without grain.
    private static func scene(_ width: Int, _ height: Int, channels: Int) -> Raster {
        var raster = Raster(width: width, height: height, channels: channels)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels { raster[x, y, c] = 0.5 + 0.2 * Float(sin(Double(x) / 23 + Double(c)) * cos(Double(y) / 17)) }
            }
        }
        return raster
    }

    /// The scene with grain of up to so much everywhere, several times as much in some blocks.
    private static func grainy(_ width: Int, _ height: Int, channels: Int, grain: Float = 0.06, inBlocks times: Float = 4) -> Raster {
        let (noise, scene) = (noise(width: width, height: height, channels: channels, seed: 9), scene(width, height, channels: channels))
        var raster = scene
        for y in 0..<height {
            for x in 0..<width {
                let strength = x / 8 % 5 == 2 && y / 8 % 3 == 1 ? times * grain : grain
                for c in 0..<channels { raster[x, y, c] += strength * (noise[x, y, c] - 0.5) }
            }
        }
        return raster
    }

    /// Rows that come a few at a time.
    private final class Strips: RowSource {
        let pixels: PixelBuffer, count: Int
        var row = 0
        var width: Int { pixels.width }
        var height: Int { pixels.height }
        var channels: Int { pixels.channels }
        var depth: PixelBuffer.Depth { pixels.depth }

        init(_ pixels: PixelBuffer, _ count: Int) { (self.pixels, self.count) = (pixels, count) }

        func next() -> PixelBuffer? {
            guard row < height else { return nil }
            defer { row = min(height, row + count) }
            return pixels.cropped(to: Region(x: 0, y: row, width: width, height: min(count, height - row)))
        }
    }

    /// Rows of a result that pull the input's as networks do: those below them by so many.
    private final class Result: RowSource {
        let rows: Strips, input: KeptRows, ahead: Int
        var pulled = 0
        var width: Int { rows.width }
        var height: Int { rows.height }
        var channels: Int { rows.channels }
        var depth: PixelBuffer.Depth { rows.depth }

        init(_ pixels: PixelBuffer, _ count: Int, of input: KeptRows, ahead: Int) { (rows, self.input, self.ahead) = (Strips(pixels, count), input, ahead) }

        func next() async throws -> PixelBuffer? {
            let strip = rows.next()
            let needed = min(input.height, (rows.row * input.height + height - 1) / height + ahead)
            while pulled < needed, let strip = try await input.next() { pulled += strip.height }
            return strip
        }
    }

    /// The same for a whole picture at once.
    private static func expected(_ result: PixelBuffer, like input: PixelBuffer, share: Float) -> Raster {
        let (made, source) = (result.raster, input.raster)
        var loss = Resampling.bicubic.resize(made, width: source.width, height: source.height)
        for i in loss.samples.indices { loss.samples[i] = source.samples[i] - loss.samples[i] }
        let (columns, rows) = ((source.width + 7) / 8, (source.height + 7) / 8)
        var sizes = [[Double]](repeating: [Double](repeating: 0, count: columns), count: rows)
        for row in 0..<rows {
            for column in 0..<columns {
                var (sum, count) = (0.0, 0.0)
                for y in row * 8..<min(source.height, row * 8 + 8) {
                    for x in column * 8..<min(source.width, column * 8 + 8) {
                        for c in 0..<source.channels { (sum, count) = (sum + pow(Double(loss[x, y, c]), 2), count + 1) }
                    }
                }
                sizes[row][column] = sqrt(sum / count)
            }
        }
        var raw = sizes
        for row in 0..<rows {
            for column in 0..<columns {
                var around: [Double] = []
                for j in max(0, row - 4)...min(rows - 1, row + 4) { around += sizes[j][max(0, column - 4)...min(columns - 1, column + 4)] }
                around.sort()
                raw[row][column] = min(1, 1.2 * around[(around.count - 1) / 4] / max(1e-9, sizes[row][column]))
            }
        }
        var shares = raw
        for row in 0..<rows {
            for column in 0..<columns {
                var least = 1.0
                for j in max(0, row - 1)...min(rows - 1, row + 1) {
                    for i in max(0, column - 1)...min(columns - 1, column + 1) { least = min(least, raw[j][i]) }
                }
                shares[row][column] = least
            }
        }
        for y in 0..<source.height {
            for x in 0..<source.width {
                let (u, v) = (min(max((Double(x) + 0.5) / 8 - 0.5, 0), Double(columns - 1)), min(max((Double(y) + 0.5) / 8 - 0.5, 0), Double(rows - 1)))
                let (i, j) = (min(Int(u), max(0, columns - 2)), min(Int(v), max(0, rows - 2)))
                let (k, l) = (min(i + 1, columns - 1), min(j + 1, rows - 1))
                let upper = shares[j][i] + (shares[j][k] - shares[j][i]) * (u - Double(i))
                let lower = shares[l][i] + (shares[l][k] - shares[l][i]) * (u - Double(i))
                for c in 0..<source.channels { loss[x, y, c] *= share * Float(upper + (lower - upper) * (v - Double(j))) }
            }
        }
        let change = Resampling.bicubic.resize(loss, width: made.width, height: made.height)
        var sum = made
        for i in sum.samples.indices { sum.samples[i] = min(max(sum.samples[i] + change.samples[i], 0), 1) }
        return sum
    }

    /// Sizes that are no multiple of a block, or less than one; results of several strips; input that comes late and in pieces.
    @Test(arguments: [(61, 45, 3, 1), (61, 45, 1, 2), (50, 95, 3, 4), (7, 5, 3, 4), (9, 1, 1, 1), (700, 430, 3, 4)])
    func asForAWholePicture(_ width: Int, _ height: Int, _ channels: Int, _ scale: Int) async throws {
        let source = PixelBuffer(Self.grainy(width, height, channels: channels), depth: .eight)
        let made = PixelBuffer(
            Resampling.bicubic.resize(Self.scene(width, height, channels: channels), width: width * scale, height: height * scale), depth: .sixteen)
        let expected = Self.expected(made, like: source, share: 0.7)
        let input = KeptRows(Strips(source, 5))
        let result = try await GrainRows(Result(made, 11, of: input, ahead: 6), like: input, share: 0.7, depth: .eight).collect()
        #expect(result.width == width * scale && result.height == height * scale && result.depth == .eight)
        let worst = zip(result.bytes, expected.samples).reduce(Float(0)) { max($0, abs(Float($1.0) - $1.1 * 255)) }
        #expect(worst < 0.51, "\(worst)")
        let change = zip(expected.samples, made.raster.samples).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(change > (height > 1 ? 0.01 : 0.0005), "\(change)")
    }

    /// Shrunk again, a result with all of an even grain has it; with half of it, half.
    @Test(arguments: [1, 2, 4]) func evenGrainComesBack(scale: Int) async throws {
        let scene = Self.scene(96, 80, channels: 3), noise = noise(width: 96, height: 80, channels: 3, seed: 4)
        var raster = scene
        for i in raster.samples.indices { raster.samples[i] += 0.2 * (noise.samples[i] - 0.5) }
        let source = PixelBuffer(raster, depth: .sixteen)
        let made = PixelBuffer(Resampling.bicubic.resize(scene, width: 96 * scale, height: 80 * scale), depth: .sixteen)
        let grain = Raster(width: 96, height: 80, channels: 3, samples: zip(raster.samples, scene.samples).map { $0 - $1 })
        func part(of shrunk: Raster) -> Double {
            var (with, without) = (0.0, 0.0)
            for i in grain.samples.indices {
                with += Double(shrunk.samples[i] * grain.samples[i])
                without += Double(grain.samples[i] * grain.samples[i])
            }
            return with / without
        }
        // The finest grain does not survive being enlarged and shrunk.
        let there = Resampling.bicubic.resize(grain, width: 96 * scale, height: 80 * scale)
        let all = part(of: Resampling.bicubic.resize(there, width: 96, height: 80))
        for share in [1.0, 0.5, 0] {
            let input = KeptRows(BufferRows(source))
            let result = try await GrainRows(Result(made, 16, of: input, ahead: 6), like: input, share: share, depth: .sixteen).collect()
            var shrunk = Resampling.bicubic.resize(result.raster, width: 96, height: 80)
            for i in shrunk.samples.indices { shrunk.samples[i] -= scene.samples[i] }
            let back = part(of: shrunk)
            #expect(back > 0.93 * share * all - 0.005 && back < share * all + 0.005, "\(share) of \(all): \(back)")
        }
    }

    /// What is lost at an edge alone, where all around is calm, is no grain.
    @Test func compressionStaysAway() async throws {
        let scene = Self.scene(120, 96, channels: 1), noise = noise(width: 120, height: 96, channels: 1)
        var raster = scene
        for y in 0..<96 { for x in 56..<64 { raster[x, y, 0] += 0.2 * (noise[x, y, 0] - 0.5) } }
        let made = PixelBuffer(scene, depth: .sixteen)
        let input = KeptRows(BufferRows(PixelBuffer(raster, depth: .sixteen)))
        let result = try await GrainRows(Result(made, 96, of: input, ahead: 6), like: input, share: 1, depth: .sixteen).collect()
        let worst = zip(result.raster.samples, scene.samples).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(worst < 0.001, "\(worst)")
    }

    private static func upscaler(_ profile: String?, denoise: Double, target: Upscaler.Target = .factor(4), isSeamless: Bool = false) throws -> Upscaler {
        var model = try NaiveEngine.model(scale: 4, radius: 5)
        if let profile {
            let card = ModelCard(
                name: "n", version: "1", architecture: "", scale: 4, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
                trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile)
            model = try Model(name: "n", network: model.network, weights: model.weights, card: card)
        }
        return try Upscaler(.network(NaiveEngine(), [4: model]), target: target, denoise: denoise, isSeamless: isSeamless)
    }

    /// How near a result, shrunk again, is to its input.
    private static func distance(_ result: PixelBuffer, _ source: Raster) -> Double {
        let shrunk = Resampling.bicubic.resize(result.raster, width: source.width, height: source.height)
        return zip(shrunk.samples, source.samples).reduce(0) { $0 + pow(Double($1.0 - $1.1), 2) } / Double(source.samples.count)
    }

    /// The engine blurs: given its grain back, a result is nearer to what it was made of, whole or by rows, at any size, with any edges.
    @Test(arguments: ["restore", nil], [4.0, 3, 1, 6]) func upscalersGiveGrainBack(_ profile: String?, factor: Double) async throws {
        let source = Self.grainy(70, 60, channels: 3, grain: 0.3, inBlocks: 1), pixels = PixelBuffer(source, depth: .eight)
        var distances: [Double] = []
        for denoise in [1, 0.5, 0] {
            let upscaler = try Self.upscaler(profile, denoise: denoise, target: .factor(factor))
            let result = try await upscaler.upscale(pixels)
            #expect(result.depth == .eight && result.width == Int(70 * factor))
            #expect(try await upscaler.upscale(rows: Strips(pixels, 7)).collect() == result)
            distances.append(Self.distance(result, source))
        }
        if profile != nil || factor > 1 { #expect(distances[2] < 0.6 * distances[0] && distances[1] < 0.9 * distances[0], "\(distances)") }
        let opacity = PixelBuffer(Self.grainy(70, 60, channels: 1), depth: .eight)
        let (all, none) = (try Self.upscaler(profile, denoise: 0, target: .factor(factor)), try Self.upscaler(profile, denoise: 1, target: .factor(factor)))
        #expect(try await all.upscale(opacity: opacity) == none.upscale(opacity: opacity))
    }

    @Test func seamlessTexturesKeepTheirEdges() async throws {
        let source = Self.grainy(64, 64, channels: 3, grain: 0.3, inBlocks: 1), pixels = PixelBuffer(source, depth: .eight)
        let upscaler = try Self.upscaler("restore", denoise: 0, isSeamless: true)
        let result = try await upscaler.upscale(pixels)
        // Moved by half its size around, the texture is enlarged alike.
        let moved = PixelBuffer(
            width: 64, height: 64, channels: 3, depth: .eight,
            bytes: (0..<64 * 64 * 3).map { i in pixels.bytes[((i / 192 + 32) % 64 * 64 + (i / 3 % 64 + 32) % 64) * 3 + i % 3] })
        let other = try await upscaler.upscale(moved)
        var worst = 0
        for y in 0..<256 {
            for x in 0..<256 {
                for c in 0..<3 {
                    let (a, b) = (result.bytes[(y * 256 + x) * 3 + c], other.bytes[((y + 128) % 256 * 256 + (x + 128) % 256) * 3 + c])
                    worst = max(worst, abs(Int(a) - Int(b)))
                }
            }
        }
        #expect(worst <= 1, "\(worst)")
        #expect(Self.distance(result, source) < 0.6 * Self.distance(try await Self.upscaler("restore", denoise: 1, isSeamless: true).upscale(pixels), source))
    }

    @Test func onlyWhereGrainIsTaken() throws {
        for profile in ["clean", "text", "gan"] {
            #expect(throws: AcuityError.self) { try Self.upscaler(profile, denoise: 0.5) }
            _ = try Self.upscaler(profile, denoise: 1)
        }
        #expect(throws: AcuityError.self) { try Upscaler(.resampling(.bicubic), target: .factor(2), denoise: 0.5) }
        for denoise in [-0.1, 1.1, .nan] { #expect(throws: AcuityError.self) { try Self.upscaler("restore", denoise: denoise) } }
    }
}
