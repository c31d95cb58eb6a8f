// PictureMeasuresTests: every measure against pictures that were given what it is to find.

import Acuity
import Foundation
import Testing

@Suite struct PictureMeasuresTests {
    /// Our own sample pictures.
    static func example(_ name: String) throws -> PixelBuffer {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../Examples").standardizedFileURL
        return try Picture(contentsOf: root.appendingPathComponent(name).path).pixels
    }

    /// A field of overlapping discs in random greys, each edge as wide as one pixel: structure at all scales.
    static func leaves(side: Int, seed: UInt64 = 1) -> Raster {
        var random = Random(state: seed)
        var raster = Raster(width: side, height: side, channels: 1, filledWith: 0.5)
        for _ in 0..<side * 3 {
            // Radii fall with the cube, as in photographs (Lee, Mumford, Huang 2001).
            let radius = min(Double(side) / 4, 2 / (1 - random.next() * 0.9999).squareRoot())
            let (x, y, grey) = (random.next() * Double(side), random.next() * Double(side), Float(0.1 + 0.8 * random.next()))
            for row in max(0, Int(y - radius - 1))..<min(side, Int(y + radius + 2)) {
                for column in max(0, Int(x - radius - 1))..<min(side, Int(x + radius + 2)) {
                    let distance = ((Double(column) + 0.5 - x) * (Double(column) + 0.5 - x) + (Double(row) + 0.5 - y) * (Double(row) + 0.5 - y)).squareRoot()
                    let cover = Float(min(1, max(0, radius - distance + 0.5)))
                    raster[column, row, 0] += (grey - raster[column, row, 0]) * cover
                }
            }
        }
        return raster
    }

    private struct Random {
        var state: UInt64

        /// 0 ..< 1, by xorshift64*.
        mutating func next() -> Double {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return Double((state &* 2_685_821_657_736_338_717) >> 11) / 9_007_199_254_740_992
        }

        /// Standard normal, by Box and Muller.
        mutating func gaussian() -> Double { (-2 * log(1 - next())).squareRoot() * cos(2 * .pi * next()) }
    }

    private func measures(_ raster: Raster) -> PictureMeasures { PictureMeasures(PixelBuffer(raster, depth: .eight)) }

    private func blurred(_ raster: Raster, _ sigma: Double) -> Raster {
        let reach = Int(4 * sigma) + 1
        let weights = (-reach...reach).map { Float(exp(-Double($0 * $0) / 2 / sigma / sigma)) }
        let total = weights.reduce(0, +)
        func pass(_ raster: Raster, _ dx: Int, _ dy: Int) -> Raster {
            var result = raster
            for y in 0..<raster.height {
                for x in 0..<raster.width {
                    var sum: Float = 0
                    for k in -reach...reach {
                        sum += weights[k + reach] * raster[min(max(0, x + k * dx), raster.width - 1), min(max(0, y + k * dy), raster.height - 1), 0]
                    }
                    result[x, y, 0] = sum / total
                }
            }
            return result
        }
        return pass(pass(raster, 1, 0), 0, 1)
    }

    @Test(arguments: [3.0, 6, 12, 25]) func noise(_ sigma: Double) {
        var random = Random(state: 7)
        var raster = blurred(Self.leaves(side: 256), 2)
        for i in raster.samples.indices { raster.samples[i] = 0.25 + 0.5 * raster.samples[i] + Float(random.gaussian() * sigma / 255) }
        let found = measures(raster).noise
        #expect(abs(found - sigma) < 0.2 * sigma, "\(found)")
    }

    @Test func aCleanPictureHasNoNoise() throws {
        #expect(try PictureMeasures(Self.example("mug.png")).noise < 1)
    }

    /// Discs on a plain ground, so that edges do not disturb each other.
    @Test(arguments: [1.0, 1.5, 2, 3]) func blur(_ sigma: Double) throws {
        var raster = Raster(width: 256, height: 256, channels: 1, filledWith: 0.2)
        for y in 0..<256 { for x in 0..<256 where hypot(Double(x % 128) - 64, Double(y % 128) - 64) < 40 { raster[x, y, 0] = 0.8 } }
        let found = try #require(measures(blurred(raster, sigma)).blur)
        #expect(abs(found - sigma) < 0.2 * sigma, "\(found)")
        #expect(try #require(measures(raster).blur) < 0.6)
    }

    @Test(arguments: [(2, Resampling.bicubic), (2, .bilinear), (2, .lanczos3), (3, .bicubic), (4, .bicubic), (4, .lanczos3)])
    func resolutionOfWhatWasEnlarged(_ scale: Int, _ method: Resampling) throws {
        let small = Self.leaves(side: 160)
        let found = try #require(measures(method.resize(small, width: 160 * scale, height: 160 * scale)).resolution)
        // Bilinear interpolation blurs on top.
        #expect(abs(found - 1 / Double(scale)) < 0.35 / Double(scale), "\(found)")
    }

    @Test func resolutionOfWhatWasNot() throws {
        #expect(measures(Self.leaves(side: 256)).resolution == 1)
        #expect(measures(Raster(width: 256, height: 256, channels: 1, filledWith: 0.5)).resolution == nil)
    }

    @Test(arguments: [2, 3, 5, 8]) func repeatedPixels(_ scale: Int) {
        let found = measures(Resampling.nearest.resize(Self.leaves(side: 100), width: 100 * scale, height: 100 * scale))
        #expect(found.repetition == scale)
        #expect(found.resolution == 1 / Double(scale))
    }

    @Test func textAndLineArt() throws {
        #expect(measures(Self.leaves(side: 256)).textShare < 0.2)
        #expect(try PictureMeasures(Self.example("harbour.png")).textShare < 0.4)
        // Strokes of two pixels in an irregular pattern, as in print.
        var raster = Raster(width: 256, height: 256, channels: 1, filledWith: 1)
        for y in 0..<256 { for x in 0..<256 where y / 2 % 4 < 3 && (x / 2 * 7 + x / 34 * 3 + y / 8 * 5) % 5 == 0 { raster[x, y, 0] = 0 } }
        #expect(measures(raster).textShare > 0.7)
    }

    /// Letters of a few pixels have no two brightnesses, but a paper; a photograph with much sky has no letters on it.
    @Test func smallPrintIsADrawing() throws {
        var page = Raster(width: 320, height: 320, channels: 1, filledWith: 0.93)
        for y in 0..<320 { for x in 0..<320 where y % 16 < 7 && x % 40 < 33 && (x / 2 * 7 + y / 16 * 3 + y % 16 * 5) % 4 == 0 { page[x, y, 0] = 0.1 } }
        let small = measures(Resampling.bicubic.resize(page, width: 110, height: 110))
        #expect(small.textShare < 0.5 && small.isDrawn)
        var sky = Self.leaves(side: 256)
        for y in 0..<150 { for x in 0..<256 { sky[x, y, 0] = 0.8 } }
        #expect(!measures(sky).isDrawn && !measures(Self.leaves(side: 256)).isDrawn)
        #expect(try !PictureMeasures(Self.example("harbour.png")).isDrawn)
        #expect(try PictureMeasures(Self.example("logo.png")).isDrawn)
        // Black letters on nothing are black everywhere.
        let letters = PixelBuffer(Raster(width: 320, height: 320, channels: 1, filledWith: 0), depth: .eight)
        let opacity = PixelBuffer(Raster(width: 320, height: 320, channels: 1, samples: page.samples.map { $0 < 0.5 ? 1 : 0 }), depth: .eight)
        #expect(PictureMeasures(letters, alpha: opacity).isDrawn && !PictureMeasures(letters).isDrawn)
    }

    /// A picture after a JPEG, cut out at some other place than a block's corner.
    private func compressed(_ name: String, _ quality: Int) throws -> PixelBuffer {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-blocks-\(UUID().uuidString).jpg").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Picture(pixels: Self.example(name)).write(to: path, options: .init(quality: quality))
        let decoded = try Picture(contentsOf: path).pixels
        return PixelBuffer(decoded.raster(of: Region(x: 3, y: 5, width: decoded.width - 3, height: decoded.height - 5)), depth: .eight)
    }

    @Test(arguments: [("harbour.png", 20, 5...35), ("harbour.png", 50, 35...75), ("logo.png", 20, 5...55)])
    func blocksOfAJPEG(_ name: String, _ quality: Int, _ expected: ClosedRange<Int>) throws {
        let found = try #require(PictureMeasures(compressed(name, quality)).blockQuality)
        #expect(expected.contains(found), "\(found)")
    }

    @Test func noBlocksWithoutJPEG() throws {
        for name in ["harbour.png", "lighthouse.png", "mug.png", "logo.png"] {
            #expect(try PictureMeasures(Self.example(name)).blockQuality == nil, "\(name)")
            #expect(try PictureMeasures(compressed(name, 92)).blockQuality == nil, "\(name), quality 92")
        }
        let leaves = Self.leaves(side: 256)
        for scale in [1, 2, 4, 8] {
            let repeated = Resampling.nearest.resize(leaves, width: 256 * scale, height: 256 * scale)
            #expect(measures(repeated).blockQuality == nil, "pixels repeated \(scale) times")
        }
    }

    @Test func shareOfWhiteAndBlack() {
        var raster = Raster(width: 100, height: 100, channels: 1, filledWith: 0.5)
        for x in 0..<100 {
            for y in 0..<10 { raster[x, y, 0] = 1 }
            for y in 10..<15 { raster[x, y, 0] = 0 }
        }
        let found = measures(raster)
        #expect(abs(found.white - 0.1) < 1e-9 && abs(found.black - 0.05) < 1e-9)
    }

    @Test(arguments: [(1, 1), (3, 200), (63, 63), (17, 64)]) func smallPicturesAreNoTrouble(_ width: Int, _ height: Int) {
        let found = measures(Raster(width: width, height: height, channels: 1, samples: (0..<width * height).map { Float($0 % 7) / 7 }))
        #expect(found.noise.isFinite && found.textShare.isFinite)
    }
}
