// OutputOptionsTests: the options that say how a result is written, as a person gives them.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct OutputOptionsTests {
    private func upscale(_ arguments: [String], in folder: Folder) throws -> Outcome {
        try Command.run(["upscale", "a.png", "-n", "bicubic", "-s", "2"] + arguments, in: folder.url)
    }

    private func folder() throws -> Folder {
        let folder = try Folder()
        try folder.write(PNG.data(60, 60, .rgb) { x, y, c in (x * 31 + y * 17 + c * 50 + x * y) % 256 }, "a.png")
        return folder
    }

    @Test(arguments: ["jpg", "webp", "tif", "gif", "avif", "heic", "jxl", "jp2", "bmp", "ppm"]) func formatByNameOrOption(_ name: String) throws {
        let format = try #require(ImageFormat(named: name))
        let folder = try folder()
        let (byName, byOption) = (try upscale(["-o", "b." + name], in: folder), try upscale(["-f", name], in: folder))
        guard format.isWritable else {
            print("SKIPPED: \(name) cannot be written here")
            #expect(byName.status == 2 && byOption.status == 2 && byName.errors.contains("cannot be written by the libvips"))
            return
        }
        #expect(byName.status == 0 && byOption.status == 0, "\(byName.errors)\(byOption.errors)")
        for file in ["b." + name, "a@2x." + name] { #expect(try ImageFormat(contentsOf: folder.url.appendingPathComponent(file).path) == format) }
    }

    @Test func targetSize() throws {
        let folder = try folder()
        #expect(try upscale(["-o", "b.jpg", "--target-size", "4KB"], in: folder).status == 0)
        let size = try folder.read("b.jpg").count
        #expect(size <= 4000 && size > 2000, "\(size)")
        let run = try upscale(["-o", "c.jpg", "--target-size", "100B"], in: folder)
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("100 bytes"), "\(run.errors)")
        #expect(!folder.listing.contains("c.jpg"))
    }

    @Test(arguments: [
        ["-o", "b.png", "--target-size", "4KB"], ["-o", "b.jpg", "--target-size", "much"], ["-o", "b.jpg", "--lossless"],
        ["-o", "b.jpg", "--subsampling", "411"], ["-o", "b.jpg", "--effort", "12"], ["-o", "b.jpg", "--background", "#12"],
        ["-o", "b.jpg", "--dpi", "many"], ["-o", "b.jpg", "--dpi", "-5"], ["-o", "b.doc"], ["-f", "doc"], ["-f", "jpg", "--lossless"],
    ]) func wrongUsageIsSaidFirst(_ arguments: [String]) throws {
        let folder = try folder()
        let run = try upscale(arguments, in: folder)
        #expect(run.status == 2 && run.errorLines.count == 1, "\(run.errors)")
        #expect(folder.listing == ["a.png"])
    }

    /// The check of the issue, through the command: sixty frames in, sixty frames out.
    @Test(arguments: ["gif", "webp"]) func animationsKeepTheirFormatAndTiming(_ name: String) throws {
        let folder = try Folder()
        let pictures = (0..<60).map { (frame: Int) -> Picture in
            let colours = (0..<960).map { (i: Int) -> UInt8 in UInt8((i + frame * 16) % 256) }
            let opacity = (0..<320).map { (i: Int) -> UInt8 in i % 20 == frame % 20 || i % 20 < 10 ? 255 : 0 }
            return Picture(
                pixels: PixelBuffer(width: 20, height: 16, channels: 3, depth: .eight, bytes: colours),
                alpha: PixelBuffer(width: 20, height: 16, channels: 1, depth: .eight, bytes: opacity))
        }
        let animation = PictureSequence.Animation(delays: (0..<60).map { 30 + 10 * ($0 % 7) }, loops: 3)
        try PictureSequence(pictures: pictures, animation: animation).write(to: folder.url.path + "/a." + name)
        let run = try Command.run(["upscale", "a." + name, "-n", "bicubic", "-s", "2", "--json"], in: folder.url)
        #expect(run.status == 0 && run.output.contains("\"frames\":60"), "\(run.errors)")
        let result = try PictureSequence(contentsOf: folder.url.path + "/a@2x." + name)
        #expect(result.pictures.count == 60 && result.animation == animation)
        #expect(result.width == 40 && result.height == 32)
        for picture in result.pictures {
            let alpha = try #require(picture.alpha)
            #expect(alpha.bytes.contains(0) && alpha.bytes.contains(255))
        }
    }

    @Test func whatIsLostIsSaidAndCounted() throws {
        let folder = try Folder()
        try folder.write(PNG.data(8, 8, .rgb, depth: 16) { x, y, c in x * 5000 + y * 700 + c }, "a.png")
        let run = try upscale(["-o", "b.webp", "--json"], in: folder)
        #expect(run.status == 0 && run.errorLines.count == 1 && run.errors.contains("8 bits"), "\(run.errors)")
        #expect(run.output.contains("\"remarks\":[\"WebP holds 8 bits"))
    }
}
