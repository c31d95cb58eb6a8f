// PixelBufferTests: pixels into floats and back, exactly.

import SuperResolution
import Testing

@Suite struct PixelBufferTests {
    @Test func everyValueSurvivesTheRoundTrip() {
        let eight = PixelBuffer(width: 256, height: 1, channels: 1, depth: .eight, bytes: (0...255).map { $0 })
        #expect(PixelBuffer(eight.raster, depth: .eight) == eight)
        #expect(abs(eight.raster.samples[128] - 128.0 / 255) < 1e-6)

        var sixteen = PixelBuffer(width: 256, height: 256, channels: 1, depth: .sixteen)
        sixteen.withUnsafeMutableBytes { bytes in
            for i in 0...65535 { bytes.assumingMemoryBound(to: UInt16.self)[i] = UInt16(i) }
        }
        #expect(PixelBuffer(sixteen.raster, depth: .sixteen) == sixteen)
        #expect(sixteen.raster.samples[65535] == 1)
    }

    @Test func writingClipsAndRounds() {
        let values: [Float] = [-1, 0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1, 7, .infinity, -.infinity, .nan]
        let raster = Raster(width: values.count, height: 1, channels: 1, samples: values)
        #expect(PixelBuffer(raster, depth: .eight).bytes == [0, 0, 0, 1, 254, 255, 255, 255, 0, 0])
    }

    @Test(arguments: [PixelBuffer.Depth.eight, .sixteen]) func regionsAreReadAndWrittenWhereTheyBelong(_ depth: PixelBuffer.Depth) {
        let whole = PixelBuffer(noise(width: 13, height: 11, channels: 3), depth: depth)
        let region = Region(x: 4, y: 2, width: 7, height: 5)
        #expect(whole.raster(of: region) == whole.raster.cropped(to: region))

        var copy = PixelBuffer(width: 13, height: 11, channels: 3, depth: depth)
        for y in stride(from: 0, to: 11, by: 4) {
            for x in stride(from: 0, to: 13, by: 5) {
                // The source reaches past the buffer at the right and bottom and is cut there.
                let tile = Region(x: x, y: y, width: min(5, 13 - x), height: min(4, 11 - y))
                var raster = Raster(width: 7, height: 6, channels: 3, filledWith: 0.5)
                let part = whole.raster(of: tile)
                for v in 0..<tile.height {
                    for u in 0..<tile.width { for c in 0..<3 { raster[u + 1, v + 2, c] = part[u, v, c] } }
                }
                copy.write(raster, from: Region(x: 1, y: 2, width: 5, height: 4), x: x, y: y)
            }
        }
        #expect(copy == whole)
    }
}
