// WritingTests: what is written can be read again, and nothing is ever half written or lost.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct WritingTests {
    private func noise(_ width: Int, _ height: Int, _ channels: Int, _ depth: PixelBuffer.Depth) -> PixelBuffer {
        var random = Noise(state: 5)
        let samples = (0..<width * height * channels).map { _ in Float(random.next() % 65536) / 65535 }
        return PixelBuffer(Raster(width: width, height: height, channels: channels, samples: samples), depth: depth)
    }

    @Test(arguments: ["png", "tif"], [1, 3]) func losslessFormatsAreExact(_ format: String, _ channels: Int) throws {
        let folder = try TemporaryFolder()
        for depth in [PixelBuffer.Depth.eight, .sixteen] {
            for (width, height) in [(1, 1), (7, 13), (3000, 1), (64, 50)] {
                for hasAlpha in [false, true] {
                    let picture = Picture(
                        pixels: noise(width, height, channels, depth), alpha: hasAlpha ? noise(width, height, 1, depth) : nil)
                    let path = try folder.file("\(width)\(depth)\(hasAlpha).\(format)")
                    try picture.write(to: path)
                    let again = try Picture(contentsOf: path)
                    #expect(again.pixels == picture.pixels && again.alpha == picture.alpha, "\(path)")
                }
            }
        }
    }

    @Test func lossyFormatsAreClose() throws {
        let folder = try TemporaryFolder()
        let ramp = Raster(width: 60, height: 40, channels: 3, samples: (0..<7200).map { Float($0 / 3 % 60) / 60 })
        for depth in [PixelBuffer.Depth.eight, .sixteen] {
            for name in ["\(depth).jpg", "\(depth).webp"] {
                try Picture(pixels: PixelBuffer(ramp, depth: depth)).write(to: folder.file(name))
                let again = try Picture(contentsOf: folder.file(name)).pixels
                #expect(again.depth == .eight && again.channels == 3)
                #expect(zip(again.raster.samples, ramp.samples).allSatisfy { abs($0 - $1) < 0.06 }, "\(name)")
            }
        }
        let grey = PixelBuffer(width: 9, height: 9, channels: 1, depth: .eight, bytes: [UInt8](repeating: 77, count: 81))
        try Picture(pixels: grey).write(to: folder.file("grey.jpg"))
        #expect(try Picture(contentsOf: folder.file("grey.jpg")).pixels.channels == 1)
    }

    @Test func alphaInJPEGIsLaidOnWhite() throws {
        let folder = try TemporaryFolder()
        let black = PixelBuffer(width: 32, height: 16, channels: 3, depth: .eight)
        let alpha = PixelBuffer(width: 32, height: 16, channels: 1, depth: .eight, bytes: (0..<512).map { $0 % 32 < 16 ? 0 : 128 })
        try Picture(pixels: black, alpha: alpha).write(to: folder.file("a.jpg"))
        let result = try Picture(contentsOf: folder.file("a.jpg"))
        #expect(result.alpha == nil)
        #expect(abs(result.pixels.raster[4, 8, 0] - 1) < 0.02 && abs(result.pixels.raster[28, 8, 1] - 127.0 / 255) < 0.02)
    }

    @Test func nothingIsOverwrittenUnasked() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.png")
        let picture = Picture(pixels: noise(4, 4, 3, .eight))
        try picture.write(to: path)
        let error = #expect(throws: AcuityError.self) { try picture.write(to: path) }
        let message = error?.message ?? ""
        #expect(error?.code == .file && message.contains("exists"))
        try picture.write(to: path, options: .init(overwrite: true))

        // The input by its own name, by a link and by another path.
        let read = try Picture(contentsOf: path)
        try FileManager.default.createSymbolicLink(atPath: folder.file("link.png"), withDestinationPath: path)
        try FileManager.default.linkItem(atPath: path, toPath: folder.file("hard.png"))
        for other in [path, folder.path + "/../" + (folder.path as NSString).lastPathComponent + "/a.png", try folder.file("link.png"), try folder.file("hard.png")] {
            let error = #expect(throws: AcuityError.self) { try read.write(to: other, options: .init(overwrite: true)) }
            let message = error?.message ?? ""
            #expect(message.contains("never overwritten"))
        }
        #expect(folder.names == ["a.png", "hard.png", "link.png"])
    }

    @Test func badDestinationsLeaveNothingBehind() throws {
        let folder = try TemporaryFolder()
        let picture = Picture(pixels: noise(4, 4, 3, .eight))
        for path in [folder.path + "/missing/a.png", folder.path, folder.path + "/a", folder.path + "/a.txt", folder.path + "/a.xyz"] {
            #expect(throws: AcuityError.self) { try picture.write(to: path) }
        }
        #expect(throws: AcuityError.self) { try picture.write(to: folder.file("a.jpg"), options: .init(quality: 0)) }
        let wide = Picture(pixels: PixelBuffer(width: 70000, height: 1, channels: 1, depth: .eight))
        let error = #expect(throws: AcuityError.self) { try wide.write(to: folder.file("wide.jpg")) }
        let message = error?.message ?? ""
        #expect(message.contains("more than JPEG can hold"))
        #expect(throws: AcuityError.self) { try wide.write(to: folder.file("wide.webp")) }
        #expect(folder.names.isEmpty)
        try wide.write(to: folder.file("wide.png"))
        #expect(try Picture(contentsOf: folder.file("wide.png")).width == 70000)
    }

    /// `/dev/null` must stay what it is, even for an administrator.
    @Test func aPipeOrDeviceIsNotReplaced() throws {
        let folder = try TemporaryFolder()
        let pipe = try folder.file("pipe.png")
        try #require(mkfifo(pipe, 0o600) == 0)
        let error = #expect(throws: AcuityError.self) {
            try Picture(pixels: noise(4, 4, 3, .eight)).write(to: pipe, options: .init(overwrite: true))
        }
        #expect(error?.message.hasSuffix("is not a regular file") == true)
        var status = stat()
        #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        #expect(folder.names == ["pipe.png"])
    }

    @Test func metadataGoesAlong() throws {
        let folder = try TemporaryFolder()
        let source = try Picture(data: tiff(width: 2, height: 2, samples: [1, 2, 3, 4], photometric: 1, channels: 1))
        let metadata = try #require(source.metadata)
        let large = Picture(pixels: noise(20, 20, 1, .eight), metadata: metadata)
        for name in ["a.jpg", "a.png", "a.webp", "a.tif"] {
            try large.write(to: folder.file(name))
            let again = try Picture(contentsOf: folder.file(name))
            #expect(again.width == 20 && again.height == 20)
            // The source says nothing of its resolution; 72 dots per inch stand for that.
            #expect(abs((again.metadata?.resolution ?? 0) - 72 / 25.4) < 0.02, "\(name)")
        }
    }
}
