// RowUpscalingTests: enlarging a file row by row gives the file that enlarging it whole gives.

import Acuity
import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct RowUpscalingTests {
    /// A path in a folder of its own.
    private func folder() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-rows-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path + "/"
    }

    /// Waves and grain; a checkerboard of holes of many sizes as alpha.
    private func picture(_ width: Int, _ height: Int, _ channels: Int, _ depth: PixelBuffer.Depth, hasAlpha: Bool, grain: Float = 0.1) -> Picture {
        var raster = Raster(width: width, height: height, channels: channels)
        var alpha = Raster(width: width, height: height, channels: 1)
        var state: UInt64 = 9
        for i in raster.samples.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let (x, y) = (i / channels % width, i / channels / width)
            raster.samples[i] = 0.5 + 0.3 * Float(sin(Double(x) / 7 + Double(y) / 11 + Double(i % channels))) + Float(state >> 40) / Float(1 << 24) * grain
        }
        for i in alpha.samples.indices { alpha.samples[i] = [0, 0.5, 1, 1][(i % width / 20 + i / width / 90) % 4] }
        return Picture(pixels: PixelBuffer(raster, depth: depth), alpha: hasAlpha ? PixelBuffer(alpha, depth: depth) : nil)
    }

    private func compare(_ input: String, to name: String, _ upscaler: Upscaler, options: Picture.WritingOptions = .init(), in folder: String) async throws {
        let (byRows, whole) = (folder + "rows-" + name, folder + "whole-" + name)
        let file = upscaler.locksJPEG ? JPEGCoefficients(contentsOf: input) : nil
        let (remarks, _) = try await upscaler.upscale(PictureRows(contentsOf: input, stripBytes: 20_000), of: file, to: byRows, options: options)
        let expected = try await upscaler.upscale(PictureSequence(contentsOf: input), of: file).write(to: whole, options: options)
        #expect(remarks == expected)
        let (a, b) = (try Picture(contentsOf: byRows), try Picture(contentsOf: whole))
        #expect(a.alpha == b.alpha && a.metadata?.profile == b.metadata?.profile && a.metadata?.exif == b.metadata?.exif)
        #expect((a.width, a.height, a.pixels.channels, a.pixels.depth) == (b.width, b.height, b.pixels.channels, b.pixels.depth))
        if a.alpha == nil {
            #expect(a.pixels == b.pixels, "\(name)")
        } else if let alpha = a.alpha?.raster.samples {
            // Colours that nobody sees may differ.
            let (one, two, channels) = (a.pixels.raster.samples, b.pixels.raster.samples, a.pixels.channels)
            #expect(one.indices.allSatisfy { alpha[$0 / channels] == 0 || one[$0] == two[$0] }, "\(name)")
        }
        try FileManager.default.removeItem(atPath: byRows)
        try FileManager.default.removeItem(atPath: whole)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.hasSuffix(".part") })
    }

    @Test(arguments: [false, true]) func filesAreTheSame(network: Bool) async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Tiles of one height either way, so that roundings of the network are the same.
        let upscaler = try Upscaler(network ? .named("fast", threads: 2) : .resampling(.lanczos3), target: .factor(2), tiles: network ? .side(128) : .automatic, precision: .fp32)
        for (name, channels, depth, hasAlpha) in [("rgb.png", 3, PixelBuffer.Depth.eight, false), ("grey.png", 1, .sixteen, false), ("rgba.png", 3, .eight, true), ("a.tif", 1, .sixteen, true)] {
            let input = folder + name
            try picture(70, 900, channels, depth, hasAlpha: hasAlpha).write(to: input)
            for output in ["o.png", "o.tif", "o.jpg", "o.ppm"] { try await compare(input, to: output, upscaler, in: folder) }
        }
    }

    /// Held to a JPEG file, of whatever orientation, where rows wait for those below them.
    @Test(arguments: [1, 2, 3, 6]) func heldPicturesAreTheSame(scale: Int) async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let upscaler = try Upscaler(
            .named(scale == 1 ? "restore" : "fast", threads: 2), target: .factor(Double(scale)), tiles: .side(128), precision: .fp32, locksJPEG: true)
        for (orientation, channels) in [(1, 3), (6, 3), (3, 1)] {
            let input = folder + "in-\(orientation).jpg"
            try picture(70, 330, channels, .eight, hasAlpha: false, grain: 0.01).write(to: input)
            let plain = [UInt8](try Data(contentsOf: URL(fileURLWithPath: input)))
            let exif: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, UInt8(orientation), 0, 0, 0, 0, 0, 0, 0]
            let turned = Array(plain[..<2]) + [0xFF, 0xE1, 0, UInt8(exif.count + 8)] + Array("Exif\0\0".utf8) + exif + plain[2...]
            try Data(turned).write(to: URL(fileURLWithPath: input))
            try await compare(input, to: "o.png", upscaler, in: folder)
            let free = try Upscaler(upscaler.method, target: upscaler.target, tiles: .side(128), precision: .fp32, locksJPEG: false)
            let (held, other) = (try await upscaler.upscale(Picture(contentsOf: input), of: JPEGCoefficients(contentsOf: input)), try await free.upscale(Picture(contentsOf: input)))
            let isHeld = held.pixels != other.pixels
            #expect(isHeld, "\(orientation)")
        }
    }

    @Test func profilesMetadataAndTurnedPicturesAreTheSame() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let plain = folder + "plain.jpg"
        try picture(90, 300, 3, .eight, hasAlpha: false).write(to: plain)
        // EXIF with orientation 6, in front of everything.
        let exif: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]
        let segment = [0xFF, 0xE1, 0, UInt8(exif.count + 8)] + Array("Exif\0\0".utf8) + exif
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: plain)))
        bytes.insert(contentsOf: segment, at: 2)
        let turned = folder + "turned.jpg"
        try Data(bytes).write(to: URL(fileURLWithPath: turned))
        let upscaler = try Upscaler(.resampling(.bicubic), target: .factor(1.5))
        for output in ["o.jpg", "o.png", "o.tif"] { try await compare(turned, to: output, upscaler, in: folder) }
        #expect(try PictureRows(contentsOf: turned).width == 300)
        var options = Picture.WritingOptions()
        options.resolution = .scaled
        try await compare(turned, to: "dpi.jpg", upscaler, options: options, in: folder)
        options.pyramid = true
        try await compare(turned, to: "pyramid.tif", upscaler, options: options, in: folder)
    }

    @Test func nothingIsLeftOfWhatFailsOrIsCancelled() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let input = folder + "in.png"
        try picture(200, 900, 3, .eight, hasAlpha: false).write(to: input)
        let upscaler = try Upscaler(.resampling(.lanczos3), target: .factor(2))
        // The file ends in the middle.
        let half = folder + "half.png"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: input))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: half))
        for name in ["o.png", "o.dzi"] {
            await #expect { try await upscaler.upscale(PictureRows(contentsOf: half, stripBytes: 20_000), to: folder + name, options: .init()) } throws: {
                ($0 as? AcuityError)?.message.contains("half.png") == true
            }
            let cancelled = Task {
                try await upscaler.upscale(PictureRows(contentsOf: input, stripBytes: 20_000), to: folder + name, options: .init(), begin: { withUnsafeCurrentTask { $0?.cancel() } })
            }
            await #expect(throws: CancellationError.self) { try await cancelled.value }
        }
        try picture(10, 10, 3, .eight, hasAlpha: false).write(to: folder + "there.png")
        await #expect(throws: AcuityError.self) { try await upscaler.upscale(PictureRows(contentsOf: input), to: folder + "there.png", options: .init()) }
        // The encoder may still be ending.
        for _ in 0..<100 where try FileManager.default.contentsOfDirectory(atPath: folder).count > 3 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["half.png", "in.png", "there.png"])
    }

    @Test func deepZoomIsAPyramidOfTiles() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let upscaler = try Upscaler(.resampling(.bicubic), target: .factor(2))
        for (hasAlpha, ending) in [(false, "jpg"), (true, "png")] {
            let input = folder + "in.png"
            try picture(200, 300, 3, .eight, hasAlpha: hasAlpha).write(to: input, options: .init(overwrite: true))
            let options = Picture.WritingOptions(quality: 60, overwrite: hasAlpha)
            _ = try await upscaler.upscale(PictureRows(contentsOf: input), to: folder + "map.dzi", options: options)
            let description = try String(contentsOfFile: folder + "map.dzi", encoding: .utf8)
            #expect(description.contains("Width=\"400\"") && description.contains("Height=\"600\"") && description.contains("Format=\"\(ending)\""))
            // 2¹⁰ ≥ 600, tiles of 254 pixels that overlap by one.
            let tile = try Picture(contentsOf: folder + "map_files/10/0_0.\(ending)")
            #expect((tile.width, tile.height) == (255, 255))
            #expect((tile.alpha != nil) == hasAlpha)
            #expect(try Picture(contentsOf: folder + "map_files/0/0_0.\(ending)").width == 1)
        }
        await #expect(throws: AcuityError.self) { try await upscaler.upscale(PictureRows(contentsOf: folder + "in.png"), to: folder + "map.dzi", options: .init()) }
        // The same from memory.
        let before = try Data(contentsOf: URL(fileURLWithPath: folder + "map_files/10/1_1.png"))
        try await upscaler.upscale(PictureSequence(contentsOf: folder + "in.png")).write(to: folder + "map.dzi", options: .init(quality: 60, overwrite: true))
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "map_files/10/1_1.png")) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["in.png", "map.dzi", "map_files"])
    }
}
