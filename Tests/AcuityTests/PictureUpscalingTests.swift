// PictureUpscalingTests: pictures with alpha: transparent logos keep their outlines and get no rim.

import Acuity
import Imaging
import SuperResolution
import Testing

@Suite struct PictureUpscalingTests {
    /// Coverage of a ring, a thin slanted line and a triangle, `side` pixels on a side, exact to a sixteenth.
    private func logo(side: Int) -> PixelBuffer {
        var raster = Raster(width: side, height: side, channels: 1)
        for y in 0..<side {
            for x in 0..<side {
                var inside = 0
                for part in 0..<16 {
                    let u = (Double(x) + (Double(part % 4) + 0.5) / 4) / Double(side), v = (Double(y) + (Double(part / 4) + 0.5) / 4) / Double(side)
                    let radius = ((u - 0.4) * (u - 0.4) + (v - 0.4) * (v - 0.4)).squareRoot()
                    let isLine = abs(v - 0.93 + 0.1 * u) < 0.012
                    let isTriangle = v < 0.9 && v > 0.55 && abs(u - 0.8) < (v - 0.55) / 2
                    if (0.18..<0.32).contains(radius) || isLine || isTriangle { inside += 1 }
                }
                raster[x, y, 0] = Float(inside) / 16
            }
        }
        return PixelBuffer(raster, depth: .eight)
    }

    /// A drawing's outlines come out far closer to the drawing than a filter brings them, and its one colour stays one colour.
    @Test(arguments: [("text", 4), ("text", 2), ("fast", 4), ("restore", 4)]) func aLogoKeepsItsOutlines(name: String, scale: Int) async throws {
        guard try ModelCatalogue(folder: nil).entries().contains(where: { $0.name == name && $0.scale == scale }) else {
            print("SKIPPED: \(name) ×\(scale) is not built in")
            return
        }
        let (small, truth) = (logo(side: 64), logo(side: 64 * scale))
        // Black hides under what is transparent, as editors leave it.
        let colour: [UInt8] = [20, 90, 200]
        let pixels = PixelBuffer(width: 64, height: 64, channels: 3, depth: .eight, bytes: small.bytes.flatMap { $0 == 0 ? [0, 0, 0] : colour })
        let result = try await Upscaler(.named(name, threads: 2), target: .factor(Double(scale))).upscale(Picture(pixels: pixels, alpha: small))
        let alpha = try #require(result.alpha)
        func error(_ made: PixelBuffer) -> Double {
            zip(made.bytes, truth.bytes).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) } / Double(truth.bytes.count)
        }
        let filtered = try Resampling.bicubic.resize(small, width: truth.width, height: truth.height)
        print("\(name) ×\(scale): alpha of a logo \(error(alpha)), by bicubic \(error(filtered))")
        #expect(error(alpha) < error(filtered) / 3, "\(error(alpha)) of \(error(filtered))")
        let off = alpha.bytes.indices.filter { alpha.bytes[$0] > 0 }.flatMap { place in (0..<3).map { abs(Int(result.pixels.bytes[3 * place + $0]) - Int(colour[$0])) } }
        #expect(off.max() ?? 0 <= 2)
    }
}
