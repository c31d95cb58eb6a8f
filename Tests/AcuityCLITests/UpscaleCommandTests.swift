// UpscaleCommandTests: `acuity upscale` on every kind of input that people have, right and wrong.

import Foundation
import Testing

@Suite struct UpscaleCommandTests {
    /// A picture that is right, and what its enlargement's header must say.
    struct Good: Sendable, CustomTestStringConvertible {
        let name: String
        let data: Data
        var scale = "4"
        let expected: PNG.Header
        var testDescription: String { name }
    }

    static let good: [Good] = [
        Good(
            name: "1x1.png", data: PNG.data(1, 1, .rgb) { _, _, c in 60 * c + 50 },
            expected: .init(width: 4, height: 4, depth: 8, colour: 2)),
        Good(
            name: "7x13.png", data: PNG.data(7, 13, .rgb) { x, y, c in (x * 30 + y * 5 + c * 20) % 256 },
            expected: .init(width: 28, height: 52, depth: 8, colour: 2)),
        Good(
            name: "30000x1.png", data: PNG.data(30000, 1, .rgb) { x, _, c in (x / 100 + c * 20) % 256 }, scale: "2",
            expected: .init(width: 60000, height: 2, depth: 8, colour: 2)),
        Good(
            name: "rgba.png", data: PNG.data(24, 16, .rgba) { x, y, c in c == 3 ? (x < 12 ? 0 : 255) : (x * 8 + c * 20) % 256 },
            expected: .init(width: 96, height: 64, depth: 8, colour: 6)),
        Good(
            name: "palette.png",
            data: PNG.data(
                20, 20, .palette, palette: [255, 0, 0, 0, 255, 0, 0, 0, 255], transparency: [255, 0, 128]) { x, _, _ in x * 3 / 20 },
            expected: .init(width: 80, height: 80, depth: 8, colour: 6)),
        Good(
            name: "grey.png", data: PNG.data(20, 20, .grey) { x, y, _ in (x * 10 + y) % 256 },
            expected: .init(width: 80, height: 80, depth: 8, colour: 0)),
        Good(
            name: "grey-alpha.png", data: PNG.data(20, 20, .greyAlpha) { x, y, c in c == 1 ? y * 12 : x * 10 },
            expected: .init(width: 80, height: 80, depth: 8, colour: 4)),
        Good(
            name: "sixteen.png", data: PNG.data(20, 20, .rgb, depth: 16) { x, y, c in x * 3000 + y * 11 + c },
            expected: .init(width: 80, height: 80, depth: 16, colour: 2)),
        Good(name: "cmyk.jpg", data: cmyk, expected: .init(width: 64, height: 48, depth: 8, colour: 2)),
        Good(
            name: "fraction.png", data: PNG.data(21, 10, .rgb) { x, y, c in x + y + c }, scale: "1.5",
            expected: .init(width: 32, height: 15, depth: 8, colour: 2)),
    ]

    /// A classical method, and the default network where it is built in.
    static let methods = ["bicubic"] + (ReleasedModels.has("fast-x4") ? ["fast"] : [])

    @Test(arguments: good, methods) func enlarges(_ picture: Good, model: String) throws {
        let folder = try Folder()
        try folder.write(picture.data, picture.name)
        let run = try Command.run(["upscale", picture.name, "-o", "out.png", "-s", picture.scale, "-n", model], in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(folder.listing == [picture.name, "out.png"].sorted())
        #expect(try PNG.header(folder.read("out.png")) == picture.expected)
        #expect(try folder.read(picture.name) == picture.data)
    }

    /// What is not a picture, or not there.
    static let photo = PNG.data(20, 20, .rgb) { x, y, c in (x * 10 + y * 3 + c) % 256 }
    static let bad: [String: Data] = [
        "empty.png": Data(),
        "truncated.png": PNG.data(64, 64, .rgb) { x, y, c in (x * 7 + y * 3 + c) % 256 }.prefix(6000),
        "text.png": Data("this is not a picture\n".utf8),
        "truncated.jpg": cmyk.prefix(200),
        "header-only.png": photo.prefix(33),
        "garbage.webp": Data((0..<500).map { UInt8($0 * 37 % 256) }),
    ]

    @Test(arguments: bad.keys.sorted()) func refusesBrokenFiles(name: String) throws {
        let folder = try Folder()
        try folder.write(Self.bad[name] ?? Data(), name)
        let run = try Command.run(["upscale", name, "-n", "bicubic", "-o", "out.png"], in: folder.url)
        expectOneLine(run, status: 1, naming: name)
        #expect(folder.listing == [name])
    }

    @Test func refusesFolderAndMissingFile() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("sub.png"), withIntermediateDirectories: true)
        expectOneLine(try Command.run(["upscale", "sub.png", "-n", "bicubic", "-o", "out.png"], in: folder.url), status: 1, naming: "sub.png")
        expectOneLine(try Command.run(["upscale", "none.png", "-n", "bicubic", "-o", "out.png"], in: folder.url), status: 1, naming: "none.png")
        #expect(folder.listing == ["sub.png"])
    }

    @Test(.enabled(if: getuid() != 0, "permissions do not bind root")) func refusesWhatMayNotBeRead() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "locked.png")
        chmod(folder.url.appendingPathComponent("locked.png").path, 0)
        expectOneLine(
            try Command.run(["upscale", "locked.png", "-n", "bicubic", "-o", "out.png"], in: folder.url), status: 1, naming: "locked.png")
        #expect(folder.listing == ["locked.png"])
    }

    @Test func refusesMissingOutputFolder() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        let run = try Command.run(["upscale", "a.png", "-n", "bicubic", "-o", "none/out.png"], in: folder.url)
        expectOneLine(run, status: 1, naming: "none")
        #expect(folder.listing == ["a.png"])
    }

    @Test func makesTheFolderForItsOutputs() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        try folder.write(Self.photo, "b.png")
        expectOneLine(
            try Command.run(["upscale", "a.png", "b.png", "-n", "bicubic", "-o", "out.png"], in: folder.url), status: 2, naming: "out.png")
        expectOneLine(
            try Command.run(["upscale", "a.png", "b.png", "-n", "bicubic", "-o", "no/out"], in: folder.url), status: 1, naming: "no/out")
        expectOneLine(
            try Command.run(["upscale", "a.png", "-n", "bicubic", "--suffix", "../b"], in: folder.url), status: 2, naming: "../b")
        #expect(folder.listing == ["a.png", "b.png"])
        #expect(try Command.run(["upscale", "a.png", "b.png", "-n", "bicubic", "-o", "out"], in: folder.url).status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/out").sorted() == ["a@4x.png", "b@4x.png"])
    }

    @Test func keepsExistingOutputUnlessTold() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        try folder.write(Data("precious".utf8), "out.png")
        let run = try Command.run(["upscale", "a.png", "-n", "bicubic", "-o", "out.png"], in: folder.url)
        expectOneLine(run, status: 1, naming: "out.png")
        #expect(try folder.read("out.png") == Data("precious".utf8))
        #expect(try Command.run(["upscale", "a.png", "-n", "bicubic", "-o", "out.png", "--overwrite"], in: folder.url).status == 0)
        #expect(try PNG.header(folder.read("out.png"))?.width == 80)
        #expect(folder.listing == ["a.png", "out.png"])
    }

    @Test func neverOverwritesTheInput() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        let run = try Command.run(["upscale", "a.png", "-n", "bicubic", "-o", "./a.png", "--overwrite"], in: folder.url)
        #expect(run.status != 0 && run.errorLines.count == 1)
        #expect(try folder.read("a.png") == Self.photo)
        #expect(folder.listing == ["a.png"])
    }

    @Test(arguments: [["-s", "0"], ["-s", "-1"], ["-s", "nan"], ["-s", "1000"], ["-s", "x"], ["-n", "no-such-model"], ["--width", "0"], ["--fit", "9"], ["--fit", "0x9"], ["--fit", "9x9", "-s", "2"], ["--frobnicate"]])
    func refusesWrongUsage(_ options: [String]) throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        let model = options.contains("-n") ? [] : ["-n", "bicubic"]
        let run = try Command.run(["upscale", "a.png", "-o", "out.png"] + model + options, in: folder.url)
        expectOneLine(run, status: 2)
        #expect(folder.listing == ["a.png"])
    }

    @Test(arguments: [
        (["--fit", "90x50"], 50, 50, "@90x50"), (["--width", "5"], 5, 5, "@5w"), (["-s", "16"], 320, 320, "@16x"), (["-s", "8"], 160, 160, "@8x"), (["-s", "1"], 20, 20, "@1x"),
    ])
    func reachesAnySize(_ options: [String], _ width: Int, _ height: Int, _ name: String) throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        for model in Self.methods {
            let run = try Command.run(["upscale", "a.png", "-n", model, "--overwrite"] + options, in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            let header = try PNG.header(folder.read("a\(name).png"))
            #expect((header?.width, header?.height) == (width, height))
        }
    }

    /// A plain word where the factor is beyond the picture, and none where it is not.
    @Test func advises() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        #expect(try Command.run(["upscale", "a.png", "-n", "bicubic", "-s", "16"], in: folder.url).errors.contains("a.png: ×16 is beyond what the picture supports"))
        #expect(try Command.run(["upscale", "a.png", "-n", "bicubic", "-s", "4"], in: folder.url).errors.isEmpty)
    }

    @Test func inspects() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        try folder.write(Self.cmyk, "b.jpg")
        try folder.write(Data("no".utf8), "c.png")
        let text = try Command.run(["inspect", "a.png"], in: folder.url)
        #expect(text.status == 0 && text.output.contains("20×20") && text.output.contains("would choose"), "\(text.errors)")
        let run = try Command.run(["inspect", "a.png", "b.jpg", "c.png", "--json"], in: folder.url)
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("c.png: not a picture"))
        let objects = try run.output.split(separator: "\n").map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
        #expect(objects.compactMap { $0["width"] as? Int } == [20, 16])
        #expect(objects.last?["jpeg_quality"] is Int && objects.last?["format"] as? String == "jpeg")
    }

    @Test func oneBadInputDoesNotStopTheOthers() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        try folder.write(Data("no".utf8), "b.png")
        try folder.write(Self.photo, "c.png")
        let run = try Command.run(["upscale", "a.png", "b.png", "c.png", "-n", "bicubic"], in: folder.url)
        #expect(run.status == 1)
        #expect(run.errors.contains("b.png"))
        #expect(folder.listing == ["a.png", "a@4x.png", "b.png", "c.png", "c@4x.png"])
    }

    @Test func jsonIsOneObjectPerImage() throws {
        let folder = try Folder()
        try folder.write(Self.photo, "a.png")
        let run = try Command.run(["upscale", "a.png", "-n", "lanczos3", "-s", "2", "--json"], in: folder.url)
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 1)
        let object = try JSONSerialization.jsonObject(with: Data(lines.first.map(String.init)?.utf8 ?? "".utf8))
        #expect(object is [String: Any])
    }

    private func expectOneLine(_ run: Outcome, status: Int32, naming name: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(run.status == status, "\(run.errors)", sourceLocation: sourceLocation)
        #expect(run.errorLines.count == 1, "\(run.errors)", sourceLocation: sourceLocation)
        if let name { #expect(run.errors.contains(name), sourceLocation: sourceLocation) }
        #expect(run.output.isEmpty, sourceLocation: sourceLocation)
    }

    /// 16×12 pixels of one red, JPEG in CMYK.
    static let cmyk = Data(base64Encoded: """
        /9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFB
        gSFBUU/8AAFAgADAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQEC
        AwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dX
        Z3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4E
        QwBNAFkASwAAPwD9U6+PK+PK/VOiiiiiiiiiiiiv/9k=
        """, options: .ignoreUnknownCharacters)!
}
