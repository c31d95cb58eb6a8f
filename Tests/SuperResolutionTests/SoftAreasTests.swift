// SoftAreasTests: where a picture is soft, what an inventing network makes of it is smoothed, and nowhere else.

import Foundation
import SuperResolution
import Testing

@Suite struct SoftAreasTests {
    /// Noise on the left, a slope without an edge on the right, and a faint texture, half soft, at the bottom.
    private static func picture(channels: Int, depth: PixelBuffer.Depth = .eight) -> PixelBuffer {
        let noise = noise(width: 60, height: 50, channels: channels)
        var raster = Raster(width: 60, height: 50, channels: channels)
        for y in 0..<50 {
            for x in 0..<60 {
                for c in 0..<channels {
                    let slope = 0.2 + Float(x + y) / 200
                    raster[x, y, c] = x < 20 ? noise[x, y, c] : slope + (y > 35 ? 7.5 / 255 * (noise[x, y, c] - 0.5) * 2 : 0)
                }
            }
        }
        return PixelBuffer(raster, depth: depth)
    }

    private static func upscaler(
        _ profile: String?, faithful: String? = "restore", channels: Int, scale: Int = 4, tiles: Tiling.Size = .automatic, staysSoft: Bool? = nil, radius: Int = 5
    ) throws -> Upscaler {
        var model = try NaiveEngine.model(scale: scale, channels: channels, radius: radius)
        if let profile {
            let card = ModelCard(
                name: "n", version: "1", architecture: "", scale: scale, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
                trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile, faithful: faithful)
            model = try Model(name: "n", network: model.network, weights: model.weights, card: card)
        }
        return try Upscaler(.network(NaiveEngine(), [scale: model]), target: .factor(Double(scale)), tiles: tiles, locksColour: false, locksJPEG: false, staysSoft: staysSoft)
    }

    /// What the smoothing is, pixel by pixel, away from the edges of the picture.
    private static func smoothed(_ result: Raster, like picture: Raster, scale: Int, x: Int, y: Int, channel: Int) -> (value: Float, share: Float) {
        let luma = picture.channels == 3 ? picture.luma : picture
        func softness(_ x: Int, _ y: Int) -> Float {
            var steepest: Float = 0
            for j in y - 3...y + 2 {
                for i in x - 3...x + 2 {
                    steepest = max(steepest, abs(luma[i + 1, j, 0] - luma[i, j, 0]), abs(luma[i, j + 1, 0] - luma[i, j, 0]))
                }
            }
            return min(max((9 / 255 - steepest) * 255 / 3, 0), 1)
        }
        let (px, py) = ((Float(x) + 0.5) / Float(scale) - 0.5, (Float(y) + 0.5) / Float(scale) - 0.5)
        let (i, j) = (Int(px), Int(py))
        let (u, v) = (px - Float(i), py - Float(j))
        let share = (softness(i, j) * (1 - u) + softness(i + 1, j) * u) * (1 - v) + (softness(i, j + 1) * (1 - u) + softness(i + 1, j + 1) * u) * v
        var (sum, weights) = (0.0, 0.0)
        let sigma = 0.4 * Double(scale)
        for b in -scale...scale {
            for a in -scale...scale {
                let weight = exp(-Double(a * a + b * b) / (2 * sigma * sigma))
                weights += weight
                sum += weight * Double(result[x + a, y + b, channel])
            }
        }
        return (result[x, y, channel] * (1 - share) + Float(sum / weights) * share, share)
    }

    @Test(arguments: [1, 3], [2, 4]) func softAreasAreSmoothed(channels: Int, scale: Int) async throws {
        let picture = Self.picture(channels: channels)
        let plain = try await Self.upscaler(nil, channels: channels, scale: scale).upscale(picture)
        let result = try await Self.upscaler("gan", channels: channels, scale: scale).upscale(picture)
        let (rough, input) = (plain.raster, picture.raster)
        var (soft, between, sharp, worst) = (0, 0, 0, 0 as Float)
        let columns = 60 * scale
        for y in 4 * scale..<46 * scale {
            for x in 4 * scale..<56 * scale {
                for c in 0..<channels {
                    let expected = Self.smoothed(rough, like: input, scale: scale, x: x, y: y, channel: c)
                    worst = max(worst, abs(expected.value * 255 - Float(result.bytes[(y * columns + x) * channels + c])))
                    if expected.share == 0 {
                        sharp += 1
                        #expect(result.bytes[(y * columns + x) * channels + c] == plain.bytes[(y * columns + x) * channels + c])
                    } else if expected.share == 1 { soft += 1 } else { between += 1 }
                }
            }
        }
        #expect(worst <= 0.51)
        #expect(soft > 300 * scale * scale && between > 60 * scale * scale && sharp > 300 * scale * scale, "the picture holds all three: \(soft), \(between), \(sharp)")
    }

    @Test func tilesAndStripsAreTheSame() async throws {
        for depth in [PixelBuffer.Depth.eight, .sixteen] {
            let picture = Self.picture(channels: 3, depth: depth)
            let whole = try await Self.upscaler("gan", channels: 3).upscale(picture)
            let tiled = try await Self.upscaler("gan", channels: 3, tiles: .side(32)).upscale(picture)
            let rows = try await Self.upscaler("gan", channels: 3, tiles: .side(32)).upscale(rows: Strips(picture, rows: 9)).collect()
            let (isTiled, isByRows) = (tiled == whole, rows == whole)
            #expect(isTiled && isByRows)
        }
    }

    /// Those that invent in clean pictures are right more often than not, and the faithful add no grain.
    @Test(arguments: [("gan", "fast", nil, false), ("gan", nil, nil, false), ("restore", nil, nil, false), ("gan", "restore", false, false), ("gan", "fast", true, true)]
        as [(String, String?, Bool?, Bool)])
    func whoIsSmoothed(profile: String, faithful: String?, asked: Bool?, isSmoothed: Bool) async throws {
        let picture = Self.picture(channels: 3)
        let result = try await Self.upscaler(profile, faithful: faithful, channels: 3, staysSoft: asked).upscale(picture)
        let plain = try await Self.upscaler(nil, channels: 3).upscale(picture)
        let isSame = result == plain
        #expect(isSame != isSmoothed)
    }
}
