// ImageFormatTests: every format that this libvips knows is recognised, written, and read again.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct ImageFormatTests {
    private func ramp(_ channels: Int, _ depth: PixelBuffer.Depth) -> PixelBuffer {
        var samples: [Float] = []
        for i in 0..<40 * 24 {
            for c in 0..<channels { samples.append(Float(i % 40 * 5 + i / 40 * 2 + c * 3) / 255) }
        }
        return PixelBuffer(Raster(width: 40, height: 24, channels: channels, samples: samples), depth: depth)
    }

    /// Debian's libvips knows them all; elsewhere some may be missing, and that is said. Deep Zoom is only written.
    @Test(arguments: ImageFormat.allCases.filter { $0 != .deepZoom }) func everyFormatIsWrittenAndRead(_ format: ImageFormat) throws {
        guard format.isWritable else {
            print("SKIPPED: \(format.name) cannot be written by the libvips here")
            let error = #expect(throws: AcuityError.self) { try Picture.format(for: "a." + format.fileExtension, options: .init()) }
            #expect(error?.code == .usage)
            return
        }
        let folder = try TemporaryFolder()
        for depth in [PixelBuffer.Depth.eight, .sixteen] {
            for hasAlpha in [false, true] {
                let colour = ramp(3, depth)
                let opacity = PixelBuffer(width: 40, height: 24, channels: 1, depth: .eight, bytes: (0..<960).map { $0 % 40 < 20 ? 255 : 0 })
                let alpha = hasAlpha ? PixelBuffer(opacity.raster, depth: depth) : nil
                let path = try folder.file("\(depth)\(hasAlpha)." + format.fileExtension)
                try Picture(pixels: colour, alpha: alpha).write(to: path)
                #expect(try ImageFormat(contentsOf: path) == format)
                let again = try Picture(contentsOf: path)
                #expect(again.format == format && again.width == 40 && again.height == 24)
                #expect((again.alpha != nil) == (hasAlpha && format.holdsAlpha), "\(path)")
                if depth == .sixteen { #expect((again.pixels.depth == .sixteen) == (format.deepest > 8), "\(path)") }
                let tolerance: Float = format == .gif ? 0.13 : 0.06
                let (a, b) = (again.pixels.raster.samples, colour.raster.samples)
                let places = (0..<2880).filter { !hasAlpha || $0 / 3 % 40 < 18 }
                let worst: Float = places.map { abs(a[$0] - b[$0]) }.max() ?? 0
                #expect(worst < tolerance, "\(path): \(worst)")
                // Without transparency there is white where nothing was.
                if hasAlpha, !format.holdsAlpha { #expect(again.pixels.raster.samples[30 * 3] > 0.97) }
            }
        }
    }

    @Test(arguments: [ImageFormat.png, .tiff, .webp, .jxl, .jp2, .bmp, .ppm]) func losslessIsExact(_ format: ImageFormat) throws {
        guard format.isWritable else { return }
        let folder = try TemporaryFolder()
        var random = Noise(state: 3)
        let depth: PixelBuffer.Depth = format.deepest > 8 ? .sixteen : .eight
        var noise: [Float] = []
        for _ in 0..<459 { noise.append(Float(random.next() % 65536) / 65535) }
        let pixels = PixelBuffer(Raster(width: 17, height: 9, channels: 3, samples: noise), depth: depth)
        var options = Picture.WritingOptions()
        options.lossless = true
        let path = try folder.file("a." + format.fileExtension)
        try Picture(pixels: pixels).write(to: path, options: options)
        #expect(try Picture(contentsOf: path).pixels == pixels)
    }

    @Test func whatAFormatCannotDoIsSaid() throws {
        let folder = try TemporaryFolder()
        let picture = Picture(pixels: ramp(3, .eight))
        func message(_ name: String, _ change: (inout Picture.WritingOptions) -> Void) throws -> String {
            var options = Picture.WritingOptions()
            change(&options)
            let error = #expect(throws: AcuityError.self) { try picture.write(to: folder.file(name), options: options) }
            #expect(error?.code == .usage)
            return error?.message ?? ""
        }
        #expect(try message("a.jpg") { $0.lossless = true }.contains("without loss"))
        #expect(try message("a.png") { $0.targetBytes = 1000 }.contains("no quality"))
        #expect(try message("a.png") { $0.effort = 10 }.contains("between 0 and 9"))
        #expect(folder.names.isEmpty)
    }

    @Test(arguments: [ImageFormat.jpeg, .webp, .avif, .jxl, .jp2]) func targetSizeIsMet(_ format: ImageFormat) throws {
        guard format.isWritable else { return }
        let folder = try TemporaryFolder()
        var random = Noise(state: 11)
        var grain: [Float] = []
        for i in 0..<96 * 96 * 3 {
            let noise = Float(random.next() % 50) / 255
            grain.append(Float(i / 3 % 96) / 120 + noise)
        }
        let pixels = PixelBuffer(Raster(width: 96, height: 96, channels: 3, samples: grain), depth: .eight)
        let path = try folder.file("a." + format.fileExtension)
        func size() throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }
        var options = Picture.WritingOptions(quality: 95, overwrite: true)
        try Picture(pixels: pixels).write(to: path, options: options)
        let full = try size()
        options.targetBytes = full / 2
        try Picture(pixels: pixels).write(to: path, options: options)
        let half = try size()
        // Small enough, and not needlessly small: the next quality up would not have fitted.
        #expect(half <= full / 2 && half > full / 4, "\(format.name): \(half) of \(full)")
        options.targetBytes = 40
        let error = #expect(throws: AcuityError.self) { try Picture(pixels: pixels).write(to: path, options: options) }
        let message = error?.message ?? ""
        #expect(message.contains("40 bytes"))
        #expect(try size() == half, "the file that was there is kept")
    }

    /// JPEG's frame header says how chroma is sampled.
    @Test func subsamplingIsWhatWasAskedFor() throws {
        let folder = try TemporaryFolder()
        for (subsampling, quality, expected) in [
            (Picture.WritingOptions.Subsampling.full, 50, 0x11), (.half, 95, 0x22), (.automatic, 95, 0x11), (.automatic, 60, 0x22),
        ] as [(Picture.WritingOptions.Subsampling, Int, UInt8)] {
            var options = Picture.WritingOptions(quality: quality, overwrite: true)
            options.subsampling = subsampling
            let path = try folder.file("a.jpg")
            try Picture(pixels: ramp(3, .eight)).write(to: path, options: options)
            let file = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
            let frame = try #require(file.indices.dropLast().first { file[$0] == 0xFF && (file[$0 + 1] == 0xC0 || file[$0 + 1] == 0xC2) })
            #expect(file[frame + 11] == expected, "\(subsampling) at \(quality)")
        }
    }

    @Test func effortMakesSmallerFiles() throws {
        let folder = try TemporaryFolder()
        func size(_ effort: Int) throws -> Int {
            var options = Picture.WritingOptions(overwrite: true)
            options.effort = effort
            try Picture(pixels: ramp(3, .eight)).write(to: folder.file("a.png"), options: options)
            return try Data(contentsOf: URL(fileURLWithPath: folder.file("a.png"))).count
        }
        #expect(try size(9) < size(0))
    }

    @Test func theBackgroundShowsThrough() throws {
        let folder = try TemporaryFolder()
        let clear = PixelBuffer(width: 16, height: 16, channels: 1, depth: .eight)
        let picture = Picture(pixels: PixelBuffer(width: 16, height: 16, channels: 3, depth: .eight), alpha: clear)
        var options = Picture.WritingOptions()
        options.background = [10, 200, 30]
        for name in ["a.ppm", "a.bmp"] where ImageFormat(named: String(name.dropFirst(2)))!.isWritable {
            try picture.write(to: folder.file(name), options: options)
            #expect(try Picture(contentsOf: folder.file(name)).pixels.bytes.prefix(3) == [10, 200, 30])
        }
    }

    /// Associated alpha: the colours in the file are multiplied with it.
    @Test func premultipliedAlphaIsDividedOut() throws {
        let file = tiff(width: 2, height: 1, samples: [100, 50, 25, 128, 200, 100, 0, 255], photometric: 2, channels: 4, extraSamples: 1)
        let picture = try Picture(data: file)
        #expect(picture.alpha?.bytes == [128, 255])
        #expect(zip(picture.pixels.bytes, [199, 100, 50, 200, 100, 0]).allSatisfy { abs(Int($0) - $1) <= 1 })
        let plain = try Picture(data: tiff(width: 2, height: 1, samples: [100, 50, 25, 128, 200, 100, 0, 255], photometric: 2, channels: 4, extraSamples: 2))
        #expect(plain.pixels.bytes == [100, 50, 25, 200, 100, 0])
    }
}
