// BatchFormatsTests: animations, documents, options of writing and what they cost, in batches.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct BatchFormatsTests {
    private static let classical = ["-n", "bicubic", "-s", "2"]

    /// Frames of stripes that move.
    private func frames(_ count: Int, side: Int = 20, animated: Bool) -> PictureSequence {
        let pictures = (0..<count).map { (frame: Int) -> Picture in
            let bytes = (0..<side * side * 3).map { (i: Int) -> UInt8 in (i / 3 + frame) % side < side / 2 ? 240 : 20 }
            return Picture(pixels: PixelBuffer(width: side, height: side, channels: 3, depth: .eight, bytes: bytes))
        }
        return PictureSequence(pictures: pictures, animation: animated ? .init(delays: [Int](repeating: 40, count: count), loops: 2) : nil)
    }

    /// A 16-bit picture, an animation, a document of pages and a picture in CMYK, in `in`.
    private func folder() throws -> Folder {
        let folder = try Folder()
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("in"), withIntermediateDirectories: true)
        try folder.write(PNG.data(20, 20, .rgb, depth: 16) { x, y, c in x * 3000 + y * 150 + c }, "in/deep.png")
        try folder.write(UpscaleCommandTests.cmyk, "in/print.jpg")
        try frames(5, animated: true).write(to: folder.url.path + "/in/moves.gif")
        try frames(3, animated: false).write(to: folder.url.path + "/in/pages.tif")
        return folder
    }

    private func outputs(_ folder: Folder, _ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/" + name).filter { !$0.hasSuffix(".jsonl") }.sorted()
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").compactMap { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    }

    @Test func sequencesKeepTheirFormatAmongPictures() throws {
        let folder = try folder()
        let run = try Command.run(["upscale", "in", "-o", "out", "--json"] + Self.classical, in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try outputs(folder, "out") == ["deep@2x.png", "moves@2x.gif", "pages@2x.tif", "print@2x.png"])
        let records = try objects(run.output)
        #expect(records.compactMap { $0["frames"] as? Int }.sorted() == [1, 1, 3, 5])
        let moves = try PictureSequence(contentsOf: folder.url.path + "/out/moves@2x.gif")
        #expect(moves.pictures.count == 5 && moves.width == 40 && moves.animation == .init(delays: [40, 40, 40, 40, 40], loops: 2))
        #expect(try PictureSequence(contentsOf: folder.url.path + "/out/pages@2x.tif").pictures.count == 3)
    }

    @Test func sameFormatIsEachOnesOwn() throws {
        let folder = try folder()
        #expect(try Command.run(["upscale", "in", "-o", "out", "-f", "same", "--name", "{stem}_{source}.{ext}"] + Self.classical, in: folder.url).status == 0)
        #expect(try outputs(folder, "out") == ["deep_png.png", "moves_gif.gif", "pages_tif.tif", "print_jpg.jpg"])
    }

    /// What was lost is said, on standard error, with --json and in the manifest.
    @Test func whatIsLostIsSaidOfEach() throws {
        let folder = try folder()
        let run = try Command.run(["upscale", "in", "-o", "out", "-f", "jpg", "--json"] + Self.classical, in: folder.url)
        #expect(run.status == 0)
        let expected = ["deep.png": "8 bits", "moves.gif": "first of 5", "pages.tif": "first of 3"]
        for records in [try objects(run.output), try objects(String(decoding: folder.read("out/acuity-manifest.jsonl"), as: UTF8.self))] {
            for (input, word) in expected {
                let record = try #require(records.first { ($0["input"] as? String)?.hasSuffix(input) == true && $0["verdict"] as? String == "done" })
                #expect((record["remarks"] as? [String])?.contains { $0.contains(word) } == true, "\(input)")
                #expect(record["frames"] as? Int == 1)
            }
        }
        for word in expected.values { #expect(run.errorLines.count { $0.contains(word) } == 1, "\(word): \(run.errors)") }
    }

    /// One remark on many pictures is one line and a count.
    @Test func remarksAreCounted() throws {
        let folder = try Folder()
        for index in 0..<4 { try folder.write(PNG.data(8, 8, .rgb, depth: 16) { x, y, c in x * 5000 + y * 700 + c + index }, "\(index).png") }
        let run = try Command.run(["upscale", "*.png", "-f", "webp"] + Self.classical, in: folder.url)
        #expect(run.status == 0 && run.errorLines.count { $0.contains("8 bits") } == 2, "\(run.errors)")
        #expect(run.errors.contains("4 pictures: WebP holds 8 bits"))
    }

    /// Whatever changes the output is part of the settings: the same is not done again, anything else is.
    @Test(arguments: [
        ["--quality", "70"], ["--lossless"], ["--effort", "1"], ["--subsampling", "444"], ["--target-size", "3KB"], ["--background", "black"],
        ["--strip"], ["--dpi", "300"],
    ])
    func everyOptionOfWritingIsPartOfTheSettings(_ option: [String]) throws {
        let folder = try folder()
        let arguments = ["upscale", "in", "-o", "out", "-f", "webp", "--overwrite"] + Self.classical
        #expect(try Command.run(arguments, in: folder.url).status == 0)
        let other = try Command.run(arguments + option + ["--resume"], in: folder.url)
        #expect(other.status == 0 && other.errors.contains("4 done in"), "\(other.errors)")
        let again = try Command.run(arguments + option + ["--resume"], in: folder.url)
        #expect(again.status == 0 && again.errors.contains("0 done, 4 done before"), "\(again.errors)")
    }

    /// An output has the time of its input; another of the same size and time is not taken for it.
    @Test func anotherFileOfTheSameSizeAndTimeIsNoResult() throws {
        let folder = try Folder()
        try folder.write(UpscaleCommandTests.photo, "a.png")
        let arguments = ["upscale", "a.png", "-o", "b.ppm", "-s", "2"]
        guard ImageFormat.ppm.isWritable else {
            print("SKIPPED: ppm cannot be written here")
            return
        }
        #expect(try Command.run(arguments + ["-n", "bicubic", "--manifest", "m.jsonl"], in: folder.url).status == 0)
        // libvips puts the time into a comment.
        func samples() throws -> Data { try folder.read("b.ppm").suffix(40 * 40 * 3) }
        let (first, size) = (try samples(), try folder.read("b.ppm").count)
        #expect(try Command.run(arguments + ["-n", "nearest", "--overwrite"], in: folder.url).status == 0)
        #expect(try folder.read("b.ppm").count == size && samples() != first)
        #expect(try Command.run(arguments + ["-n", "bicubic", "--manifest", "m.jsonl", "--resume", "--overwrite"], in: folder.url).status == 0)
        #expect(try samples() == first)
    }

    @Test func wrongOptionsAreSaidBeforeAnythingIsDone() throws {
        let folder = try folder()
        for options in [["--target-size", "3KB"], ["-f", "jpg", "--lossless"], ["--name", "{stem}.bmp", "--target-size", "3KB"]] {
            let run = try Command.run(["upscale", "in", "-o", "out"] + options + Self.classical, in: folder.url)
            #expect(run.status == 2 && run.errorLines.count == 1, "\(run.errors)")
            #expect(folder.listing == ["in"])
        }
    }

    /// All frames are in memory at once: an animation is judged by all of them, its first picture alone would fit.
    @Test func theBudgetCountsFrames() throws {
        let folder = try Folder()
        var still = frames(1, side: 200, animated: false)
        try still.write(to: folder.url.path + "/still.gif")
        still = frames(24, side: 200, animated: true)
        var options = Picture.WritingOptions()
        options.effort = 1
        try still.write(to: folder.url.path + "/moves.gif", options: options)
        let run = try Command.run(["upscale", "still.gif", "moves.gif", "-o", "out", "-n", "nearest", "-s", "4", "-f", "webp", "--memory", "300MB"], in: folder.url)
        #expect(run.status == 1 && run.errors.contains("moves.gif: needs about"), "\(run.errors)")
        #expect(try outputs(folder, "out") == ["still@4x.webp"])
    }

    @Test func inspectionKnowsFramesProfilesAndCMYK() throws {
        let folder = try folder()
        let run = try Command.run(["inspect", "in/deep.png", "in/moves.gif", "in/pages.tif", "in/print.jpg", "--json"], in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        let objects = try objects(run.output)
        #expect(objects.compactMap { $0["frames"] as? Int } == [1, 5, 3, 1])
        #expect(objects.compactMap { $0["depth"] as? Int } == [16, 8, 8, 8])
        #expect(objects.compactMap { $0["is_cmyk"] as? Bool ?? $0["is_c_m_y_k"] as? Bool } == [false, false, false, true])
        let text = try Command.run(["inspect", "in/moves.gif", "in/print.jpg"], in: folder.url).output
        #expect(text.contains("5, of which the first is measured") && text.contains("8 bit CMYK"))
    }
}
