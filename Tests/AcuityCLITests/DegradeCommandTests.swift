// DegradeCommandTests: `acuity degrade` as a process: pictures, the printed parameters, mistakes.

import Foundation
import Imaging
import SuperResolution
import Testing

/// Whether the command finds libtorch; asked of the command itself, as the tests know nothing of it.
let hasTorch: Bool = {
    guard let folder = try? Folder(), (try? degradable(in: folder)) != nil,
        let outcome = try? Command.run(["degrade", "in.png", "-o", "out.png", "-m", "bicubic"], in: folder.url)
    else { return false }
    return outcome.status == 0
}()

private func degradable(in folder: Folder) throws {
    let samples: [Float] = (0..<3330).map { index in
        let (x, y, channel) = (index / 3 % 37, index / 111, index % 3)
        let level: Int = (7 * x + 5 * y + 40 * channel) % 256
        return Float(level) / 255
    }
    let picture = Picture(pixels: PixelBuffer(Raster(width: 37, height: 30, channels: 3, samples: samples), depth: .eight))
    try picture.write(to: folder.url.appendingPathComponent("in.png").path)
}

@Suite struct DegradeCommandTests {
    let folder: Folder

    init() throws {
        folder = try Folder()
        try degradable(in: folder)
    }

    private func run(_ arguments: String...) throws -> Outcome { try Command.run(["degrade", "in.png"] + arguments, in: folder.url) }
    private func read(_ name: String) throws -> Data { try Data(contentsOf: folder.url.appendingPathComponent(name)) }

    @Test(.enabled(if: hasTorch, "needs libtorch: ./run test installs it"), arguments: ["bicubic", "classical", "bsrgan", "real-esrgan", "camera", "screenshot"])
    func everyModelIsSeeded(model: String) throws {
        for (name, seed) in [("a", "5"), ("b", "5"), ("c", "6")] {
            let outcome = try run("-o", "\(name).png", "--model", model, "--scale", "4", "--seed", seed)
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
            #expect(outcome.output.hasPrefix("\(name).png: \(model), scale 4, seed \(seed), 9×7\n  1. "))
        }
        let low = try Picture(contentsOf: folder.url.appendingPathComponent("a.png").path)
        #expect(low.width == 9 && low.height == 7)
        #expect(try read("a.png") == read("b.png"))
        #expect(try (read("a.png") == read("c.png")) == (model == "bicubic"))
    }

    @Test(.enabled(if: hasTorch, "needs libtorch: ./run test installs it"))
    func variantsAndTheirRecords() throws {
        let outcome = try run("-o", "v.png", "--count", "3", "--seed", "10", "--json", "-s", "2", "--model", #"{"name": "real-esrgan", "second": {"jpeg": [20, 20]}}"#)
        #expect(outcome.status == 0)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 3)
        for (index, line) in lines.enumerated() {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["output"] as? String == "v-\(index + 1).png" && object["seed"] as? Int == 10 + index)
            #expect(object["width"] as? Int == 18 && object["height"] as? Int == 15)
            let steps = try #require((object["record"] as? [String: Any])?["steps"] as? [[String: Any]])
            let qualities = steps.compactMap { ($0["jpeg"] as? [String: Any])?["quality"] as? [Int] }
            #expect(qualities.count == 2 && qualities.last == [20])
        }
        // A variant's seed alone gives the variant.
        #expect(try run("-o", "again.png", "--seed", "11", "-s", "2", "--model", #"{"name": "real-esrgan", "second": {"jpeg": [20, 20]}}"#).status == 0)
        #expect(try read("again.png") == read("v-2.png") && read("v-1.png") != read("v-2.png"))
    }

    @Test(.enabled(if: hasTorch, "needs libtorch: ./run test installs it"))
    func comparisonShowsBoth() throws {
        #expect(try run("-o", "look.png", "--compare", "--model", "bicubic", "-s", "3").status == 0)
        let look = try Picture(contentsOf: folder.url.appendingPathComponent("look.png").path).pixels.raster
        let original = try Picture(contentsOf: folder.url.appendingPathComponent("in.png").path).pixels.raster
        #expect(look.width == 36 * 2 + 8 && look.height == 30)
        #expect(look.cropped(to: Region(x: 0, y: 0, width: 36, height: 30)) == original.cropped(to: Region(x: 0, y: 0, width: 36, height: 30)))
        #expect(look[44, 0, 0] == look[46, 2, 0] && look[40, 5, 1] == 1)
    }

    @Test(arguments: [
        (["-o", "x.png", "--model", "blurry"], 1, "no degradation blurry; known are bicubic"),
        (["-o", "x.png", "--model", #"{"name": "camera", "lens": 1}"#], 1, "unknown key lens in degradation camera"),
        (["-o", "x.png", "--model", "missing.json"], 1, "missing.json: cannot be read"),
        (["-o", "x.png", "--scale", "9"], 2, "--scale is 1 to 8"),
        (["-o", "x.png", "--count", "0"], 2, "--count is 1 to 1000"),
        (["-o", "x.doc"], 2, "x.doc"),
        (["-o", "in.png"], 1, "in.png: is the input"),
        (["-o", "none/x.png"], 1, "folder none/ does not exist"),
        ([], 2, "--output"),
    ] as [([String], Int32, String)])
    func mistakesAreNamed(arguments: [String], status: Int32, reason: String) throws {
        let outcome = try Command.run(["degrade", "in.png"] + arguments, in: folder.url)
        #expect(outcome.status == status && outcome.errorLines.count == 1 && outcome.errors.contains(reason), "\(outcome.errors)")
        #expect(outcome.output.isEmpty && !FileManager.default.fileExists(atPath: folder.url.appendingPathComponent("x.png").path))
    }
}
