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
}
