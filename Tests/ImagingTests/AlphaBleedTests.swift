// AlphaBleedTests: no dark or bright rims around transparency.

import Imaging
import SuperResolution
import Testing

@Suite struct AlphaBleedTests {
    /// A disc of one colour; under the transparent rest lies another.
    private func disc(hidden: Float, depth: PixelBuffer.Depth) -> (PixelBuffer, PixelBuffer) {
        let size = 61
        var colour = Raster(width: size, height: size, channels: 3)
        var alpha = Raster(width: size, height: size, channels: 1)
        for y in 0..<size {
            for x in 0..<size {
                let inside = (x - 30) * (x - 30) + (y - 30) * (y - 30) < 300
                alpha[x, y, 0] = inside ? 1 : 0
                for c in 0..<3 { colour[x, y, c] = inside ? [0.8, 0.4, 0.2][c] : hidden }
            }
        }
        return (PixelBuffer(colour, depth: depth), PixelBuffer(alpha, depth: depth))
    }

    @Test(arguments: [Float(0), 1], [PixelBuffer.Depth.eight, .sixteen]) func enlargedDiscHasItsColourEverywhere(_ hidden: Float, _ depth: PixelBuffer.Depth) {
        let (colour, alpha) = disc(hidden: hidden, depth: depth)
        let bled = colour.bled(under: alpha).raster
        let large = Resampling.lanczos3.resize(bled, width: 183, height: 183)
        var worst: Float = 0
        for i in 0..<183 * 183 {
            for c in 0..<3 { worst = max(worst, abs(large.samples[3 * i + c] - [0.8, 0.4, 0.2][c])) }
        }
        #expect(worst < 0.006, "a rim of \(worst)")
        // Without bleeding there is one, so the test can fail.
        let rim = Resampling.lanczos3.resize(colour.raster, width: 183, height: 183)
        let visible = Resampling.bicubic.resize(alpha.raster, width: 183, height: 183)
        let hasRim = (0..<183 * 183).contains { visible.samples[$0] > 0.5 && abs(rim.samples[3 * $0] - 0.8) > 0.05 }
        #expect(hasRim)
    }

    @Test func visiblePixelsStayAsTheyAre() {
        var random = Noise(state: 3)
        let colour = PixelBuffer(Raster(width: 37, height: 29, channels: 3, samples: (0..<3219).map { _ in Float(random.next() % 256) / 255 }), depth: .eight)
        let alpha = PixelBuffer(Raster(width: 37, height: 29, channels: 1, samples: (0..<1073).map { _ in Float(random.next() % 3) / 2 }), depth: .eight)
        let bled = colour.bled(under: alpha)
        for i in 0..<1073 where alpha.bytes[i] > 0 { #expect(bled.bytes[3 * i..<3 * i + 3] == colour.bytes[3 * i..<3 * i + 3]) }
        // Opaque, invisible and tiny pictures have nothing to fill, or nothing to fill with.
        let opaque = PixelBuffer(Raster(width: 37, height: 29, channels: 1, filledWith: 1), depth: .eight)
        #expect(colour.bled(under: opaque) == colour)
        #expect(colour.bled(under: PixelBuffer(width: 37, height: 29, channels: 1, depth: .eight)) == colour)
        let one = PixelBuffer(width: 1, height: 1, channels: 3, depth: .eight)
        #expect(one.bled(under: PixelBuffer(width: 1, height: 1, channels: 1, depth: .eight)) == one)
    }

    /// One visible pixel in a corner gives its colour to the whole picture.
    @Test func farAwayPixelsAreFilledToo() {
        var colour = Raster(width: 300, height: 5, channels: 3)
        var alpha = Raster(width: 300, height: 5, channels: 1)
        alpha[0, 0, 0] = 1
        for (c, value) in [Float(0.2), 0.6, 1].enumerated() { colour[0, 0, c] = value }
        let bled = PixelBuffer(colour, depth: .eight).bled(under: PixelBuffer(alpha, depth: .eight))
        #expect(stride(from: 0, to: bled.bytes.count, by: 3).allSatisfy { Array(bled.bytes[$0..<$0 + 3]) == [51, 153, 255] })
    }
}
