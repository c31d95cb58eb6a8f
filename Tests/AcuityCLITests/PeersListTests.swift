// PeersListTests: what people complain about in other enlargers, for single pictures, each a test of its own.

import Acuity
import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct PeersListTests {
    /// A classical method, and the default network where it is built in.
    static let methods = UpscaleCommandTests.methods

    /// Flat grey and pure white come out as they were, without a grid, in tiles too.
    @Test(arguments: [128, 255], methods) func flatFieldsStayFlat(_ value: Int, model: String) throws {
        let folder = try Folder()
        try folder.write(PNG.data(70, 70, .rgb) { _, _, _ in value }, "a.png")
        let run = try Command.run(["upscale", "a.png", "-o", "b.png", "-s", "2", "-t", "32", "-n", model], in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        let bytes = try folder.picture("b.png").pixels.bytes
        #expect(bytes.allSatisfy { abs(Int($0) - value) <= 1 } && Set(bytes.map { Int($0) }).count <= 2)
        #expect(bytes.allSatisfy { $0 == bytes[0] } || model != "bicubic")
    }

    @Test(arguments: [(1, 1), (7, 13), (31, 37), (101, 3)], methods) func oddSizesAndFactorsAreExact(_ size: (Int, Int), model: String) throws {
        let folder = try Folder()
        try folder.write(PNG.data(size.0, size.1, .rgb) { x, y, c in (x * 20 + y * 9 + c * 30) % 256 }, "a.png")
        for factor in ["2", "3", "1.5", "8"] {
            #expect(try Command.run(["upscale", "a.png", "-o", "b.png", "-s", factor, "-n", model, "--overwrite"], in: folder.url).status == 0)
            let header = try #require(try PNG.header(folder.read("b.png")))
            let scale = Double(factor)!
            #expect(header.width == Int((Double(size.0) * scale).rounded()) && header.height == Int((Double(size.1) * scale).rounded()))
        }
    }

    @Test(arguments: methods) func transparencyIsComposedForJPEG(_ model: String) throws {
        let folder = try Folder()
        try folder.write(PNG.data(40, 40, .rgba) { x, _, c in c == 3 ? (x < 20 ? 0 : 255) : (c == 0 ? 200 : 20) }, "a.png")
        for (colour, expected) in [("white", [255, 255, 255]), ("#102030", [16, 32, 48])] {
            let run = try Command.run(["upscale", "a.png", "-o", "b.jpg", "-s", "2", "-n", model, "--background", colour, "--overwrite"], in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            let picture = try folder.picture("b.jpg")
            #expect(picture.alpha == nil && picture.pixels.channels == 3)
            for y in stride(from: 4, to: 76, by: 6) {
                for (x, colour) in [(10, expected), (60, [200, 20, 20])] {
                    let place = (y * 80 + x) * 3
                    #expect((0..<3).allSatisfy { abs(Int(picture.pixels.bytes[place + $0]) - colour[$0]) < 8 }, "column \(x), row \(y)")
                }
            }
        }
    }

    @Test(arguments: methods) func greyStaysGrey(_ model: String) throws {
        let folder = try Folder()
        try folder.write(PNG.data(30, 30, .grey) { x, y, _ in (x * 7 + y * 3) % 256 }, "a.png")
        for name in ["b.png", "b.jpg", "b.tif"] {
            #expect(try Command.run(["upscale", "a.png", "-o", name, "-s", "2", "-n", model], in: folder.url).status == 0)
            #expect(try folder.picture(name).pixels.channels == 1, "\(name)")
        }
    }

    /// A palette with transparency, over which a network must not stumble.
    @Test(arguments: methods) func palettesWithTransparency(_ model: String) throws {
        let folder = try Folder()
        let data = PNG.data(30, 30, .palette, palette: [250, 0, 0, 0, 250, 0], transparency: [0, 255]) { x, _, _ in x < 15 ? 0 : 1 }
        try folder.write(data, "a.png")
        #expect(try Command.run(["upscale", "a.png", "-o", "b.png", "-s", "2", "-n", model], in: folder.url).status == 0)
        let picture = try folder.picture("b.png")
        let alpha = try #require(picture.alpha)
        #expect(alpha.bytes[30 * 60 + 5] == 0 && alpha.bytes[30 * 60 + 55] == 255)
        let place = (30 * 60 + 55) * 3
        #expect(picture.pixels.bytes[place] < 20 && picture.pixels.bytes[place + 1] > 230)
    }

    /// Sixteen bits of which only the lowest eight are used: a path through eight bits would leave nothing.
    @Test(arguments: methods) func darkSixteenBitPicturesKeepTheirSteps(_ model: String) throws {
        let folder = try Folder()
        try folder.write(PNG.data(24, 24, .grey, depth: 16) { x, y, _ in x * 9 + y }, "a.png")
        #expect(try Command.run(["upscale", "a.png", "-o", "b.png", "-s", "2", "-n", model], in: folder.url).status == 0)
        let pixels = try folder.picture("b.png").pixels
        #expect(pixels.depth == .sixteen)
        let samples = pixels.raster.samples.map { ($0 * 65535).rounded() }
        #expect(Set(samples).count > 100 && (samples.max() ?? 0) < 2000)
        if model == "bicubic" { #expect((samples.max() ?? 0) <= 256 && samples[20 * 48 + 40] > samples[20 * 48 + 8] + 100) }
    }

    @Test func displayP3ComesBackAsDisplayP3() throws {
        let vips = ["/usr/bin/vips", "/usr/local/bin/vips"].first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let vips else {
            print("SKIPPED: the vips command is not installed")
            return
        }
        let folder = try Folder()
        try folder.write(PNG.data(32, 32, .rgb) { x, y, c in (x * 5 + y * 2 + c * 40) % 256 }, "a.png")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: vips)
        process.arguments = ["icc_transform", "a.png", "p3.jpg", "p3", "--input-profile", "srgb"]
        process.currentDirectoryURL = folder.url
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        for name in ["b.png", "b.jpg", "b.tif", "b.webp"] {
            #expect(try Command.run(["upscale", "p3.jpg", "-o", name, "-s", "2", "-n", "bicubic"], in: folder.url).status == 0)
            #expect(try folder.picture(name).metadata?.profile == folder.picture("p3.jpg").metadata?.profile, "\(name)")
        }
    }

    @Test(arguments: ["è ñ # %.png", "日本 写真.png", "-dash.png", "a'b\"c.png", "percent%20.png"]) func unusualNamesWork(_ name: String) throws {
        let folder = try Folder()
        try folder.write(UpscaleCommandTests.photo, name)
        let run = try Command.run(["upscale", "./" + name, "-n", "bicubic", "-s", "2"], in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(folder.listing.contains(name.replacingOccurrences(of: ".png", with: "@2x.png")), "\(folder.listing)")
    }

    /// The name of the result would be longer than file systems allow.
    @Test func namesTooLongGetOneLine() throws {
        let folder = try Folder()
        let name = String(repeating: "n", count: 250) + ".png"
        try folder.write(UpscaleCommandTests.photo, name)
        let run = try Command.run(["upscale", name, "-n", "bicubic"], in: folder.url)
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("more than a file's name can have"), "\(run.errors)")
        #expect(folder.listing == [name])
        let missing = try Command.run(["upscale", String(repeating: "x", count: 300) + ".png", "-n", "bicubic"], in: folder.url)
        #expect(missing.status == 1 && missing.errorLines.count == 1)
    }

    /// A path longer than 255 characters in all is nothing special.
    @Test func longPathsWork() throws {
        let folder = try Folder()
        let deep = (0..<4).map { _ in String(repeating: "d", count: 100) }.joined(separator: "/")
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent(deep), withIntermediateDirectories: true)
        try folder.write(UpscaleCommandTests.photo, deep + "/a.png")
        #expect(try Command.run(["upscale", deep + "/a.png", "-n", "bicubic", "-s", "2"], in: folder.url).status == 0)
        #expect(try PNG.header(folder.read(deep + "/a@2x.png"))?.width == 40)
    }

    /// The models are in the command: no folder has to be beside it or around it.
    @Test(.enabled(if: ReleasedModels.has("fast-x4"))) func anyWorkingFolderWillDo() throws {
        let folder = try Folder()
        let elsewhere = try Folder()
        try folder.write(UpscaleCommandTests.photo, "a.png")
        let run = try Command.run(["upscale", folder.url.path + "/a.png", "-s", "2"], in: elsewhere.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(elsewhere.listing.isEmpty && folder.listing == ["a.png", "a@2x.png"])
    }
}

extension Folder {
    func picture(_ name: String) throws -> Picture { try Picture(contentsOf: url.appendingPathComponent(name).path) }
}
