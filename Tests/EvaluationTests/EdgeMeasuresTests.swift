// EdgeMeasuresTests: steps and flat areas of classical methods, whose widths are known.

import Evaluation
import SuperResolution
import Testing

@Suite struct EdgeMeasuresTests {
    private func enlarging(_ method: Resampling, _ scale: Int) -> Enlarging {
        { method.resize($0, width: $0.width * scale, height: $0.height * scale) }
    }

    @Test(arguments: [2, 4]) func stepWidths(scale: Int) async throws {
        // Nearest neighbour: from one pixel to the next, of which a tenth to nine tenths is 0.8.
        #expect(try await abs(EdgeMeasures.stepWidth(scale: scale, enlarge: enlarging(.nearest, scale)) - 0.8) < 0.02)
        // Samples of a ramp: 0, ¼, ¾, 1 at ×2, a tenth lying 0.4 from the first and nine tenths 0.6 from the third; 0, ⅛, ⅜, ⅝, ⅞, 1 at ×4.
        let ramp = scale == 2 ? 2.2 : 3.4
        #expect(try await abs(EdgeMeasures.stepWidth(scale: scale, enlarge: enlarging(.bilinear, scale)) - ramp) < 0.05)
        let cubic = try await EdgeMeasures.stepWidth(scale: scale, enlarge: enlarging(.bicubic, scale))
        #expect(cubic > 1 && cubic < ramp)
    }

    @Test func flatAreas() {
        var low = Raster(width: 20, height: 15, channels: 3, filledWith: 128.0 / 255)
        let high = Resampling.nearest.resize(low, width: 40, height: 30)
        let whole = EdgeMeasures.flatness(of: high, from: low, scale: 2)
        #expect(whole.pixels == 12 * 7 * 4 && whole.exact == whole.pixels && whole.deviation == 0)
        // One sample two levels off, in the middle.
        var spoiled = high
        spoiled[21, 15, 2] += 2 / 255
        let off = EdgeMeasures.flatness(of: spoiled, from: low, scale: 2)
        #expect(off.exact == off.pixels - 1 && abs(off.deviation - 2) < 1e-3)
        // What is near another colour is not flat.
        low[10, 7, 0] = 1
        #expect(EdgeMeasures.flatness(of: high, from: low, scale: 2).pixels == (84 - 9 * 7) * 4)
        #expect(EdgeMeasures.flatness(of: Raster(width: 4, height: 4, channels: 1), from: Raster(width: 2, height: 2, channels: 1), scale: 2).pixels == 0)
    }

    /// A ramp of 3 levels a pixel is soft, one of 7 is not; nearest neighbour turns each step of 3 into one of as much at every other pixel.
    @Test func softAreas() {
        func ramp(_ slope: Int) -> Raster {
            Raster(width: 33, height: 25, channels: 1, samples: (0..<33 * 25).map { Float($0 % 33 * slope) / 255 })
        }
        let low = ramp(3)
        let nearest = EdgeMeasures.softAreas(of: Resampling.nearest.resize(low, width: 66, height: 50), from: low, scale: 2)
        #expect(nearest.pixels == 32 * 24 && abs(nearest.energy - 9.0 / 2) < 1e-3)
        // Bilinear halves the steps: 1.5 levels at every pixel, but for the first, where the border is repeated: 0.75.
        let linear = EdgeMeasures.softAreas(of: Resampling.bilinear.resize(low, width: 66, height: 50), from: low, scale: 2)
        #expect(abs(linear.energy - (63 * 2.25 + 0.5625) / 64) < 1e-3)
        let steep = ramp(7)
        #expect(EdgeMeasures.softAreas(of: Resampling.nearest.resize(steep, width: 66, height: 50), from: steep, scale: 2).pixels == 0)
        // An edge makes its own square hard, and the one to its left that ends there.
        var edge = Raster(width: 33, height: 25, channels: 1, filledWith: 0.5)
        edge[16, 4, 0] = 1
        let flat = EdgeMeasures.softAreas(of: Resampling.nearest.resize(edge, width: 66, height: 50), from: edge, scale: 2)
        #expect(flat.pixels == (12 - 2) * 64 && flat.energy == 0)
    }
}
