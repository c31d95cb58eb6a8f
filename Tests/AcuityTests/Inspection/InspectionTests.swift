// InspectionTests: what is said about files that were made to deserve it.

import Acuity
import Foundation
import Testing

@Suite struct InspectionTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-inspect-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func inspect(_ pixels: PixelBuffer, _ name: String, quality: Int = 92) throws -> Inspection {
        let path = folder.appendingPathComponent(name).path
        try Picture(pixels: pixels).write(to: path, options: .init(quality: quality, overwrite: true))
        return try Inspection(contentsOf: path)
    }

    private var leaves: Raster { PictureMeasuresTests.leaves(side: 192) }

    @Test func aSoundPictureSupportsFourTimes() throws {
        let found = try inspect(PixelBuffer(leaves, depth: .sixteen), "a.png")
        #expect((found.format, found.width, found.height, found.depth, found.isGrey, found.hasAlpha) == ("png", 192, 192, 16, true, false))
        #expect(found.factor == 4 && found.jpegQuality == nil && found.realWidth == 192)
        #expect(found.model == "fast" && found.reasons.contains { $0.contains("clean") })
    }

    @Test func anEnlargedOneSupportsLess() throws {
        let found = try inspect(PixelBuffer(Resampling.bicubic.resize(leaves, width: 576, height: 576), depth: .eight), "b.png")
        #expect(found.factor == 1)
        #expect((140...245).contains(try #require(found.realWidth)))
        #expect(found.limits.contains { $0.contains("finer than") })
    }

    @Test(arguments: [25, 60, 90]) func theQualityOfAJPEGIsFound(_ quality: Int) throws {
        let found = try inspect(PixelBuffer(leaves, depth: .eight), "c.jpg", quality: quality)
        #expect(abs(try #require(found.jpegQuality) - quality) <= 2)
        #expect(found.reasons.contains { $0.contains("JPEG quality") } == (quality < 50))
        #expect(found.model == (quality < 75 ? "restore" : "fast"))
    }

    /// A PNG that was a JPEG is no clean picture.
    @Test func earlierCompressionIsSaid() throws {
        let path = folder.appendingPathComponent("d.jpg").path
        try Picture(pixels: PictureMeasuresTests.example("harbour.png")).write(to: path, options: .init(quality: 20))
        let found = try inspect(Picture(contentsOf: path).pixels, "d.png")
        #expect(found.jpegQuality == nil && found.blockQuality != nil)
        #expect(found.model == "restore" && found.factor < 4 && found.reasons.contains { $0.contains("compressed before") })
    }

    /// Noise is a reason to clean, and not always unwelcome.
    @Test func noiseIsSaid() throws {
        var noisy = try PictureMeasuresTests.example("harbour.png").raster, state: UInt64 = 3
        for i in noisy.samples.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            noisy.samples[i] += 0.25 * (Float(state >> 40) / Float(1 << 24) - 0.5)
        }
        let found = try inspect(PixelBuffer(noisy, depth: .eight), "e.png")
        #expect(found.model == "restore" && found.noise > 4)
        #expect(found.reasons.contains { $0.contains("noisy") && $0.contains("--denoise") })
    }

    @Test func adviceComesWhereTheFactorIsTooLarge() throws {
        let sound = EnlargementSupport(PictureMeasures(PixelBuffer(leaves, depth: .eight)), width: 192, height: 192, jpegQuality: nil)
        #expect(sound.advice(enlarging: 4) == nil && sound.advice(enlarging: 0.5) == nil)
        #expect(try #require(sound.advice(enlarging: 16)).hasPrefix("×16 is beyond what the picture supports: it supports about ×4;"))
        let poor = EnlargementSupport(PictureMeasures(PixelBuffer(leaves, depth: .eight)), width: 192, height: 192, jpegQuality: 20)
        #expect(try #require(poor.advice(enlarging: 4)).contains("JPEG quality 20"))
    }
}
