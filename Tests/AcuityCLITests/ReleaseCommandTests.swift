// ReleaseCommandTests: `acuity release` on checkpoints that must be refused, and on sets small enough to be quick.

import Foundation
import SuperResolution
import Testing

@Suite struct ReleaseCommandTests {
    /// A folder with three tiny sets, a recipe, and a ×2 checkpoint of Compact whose convolutions are zero: nearest
    /// neighbour, plus `bias`.
    private func scene(bias: Float = 0) throws -> Folder {
        let folder = try Folder()
        for set in ["Set5", "Set14", "BSD100"] {
            let place = folder.url.appendingPathComponent("data/eval/\(set)")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try PNG.data(48, 48, .rgb) { x, y, c in 128 + Int(100 * sin(Double(x * (c + 2)) / 6) * cos(Double(y) / 5)) }
                .write(to: place.appendingPathComponent("wave.png"))
        }
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("Models"), withIntermediateDirectories: true)
        try folder.write(Data("{}".utf8), "recipe.json")
        var writer = SafetensorsWriter(metadata: ["steps": "100", "minutes": "1.5"])
        func add(_ key: String, _ shape: [Int], _ value: Float = 0) throws {
            try writer.add(key, Tensor(shape: shape, values: [Float](repeating: value, count: shape.reduce(1, *))))
        }
        try add("body.0.weight", [8, 3, 3, 3])
        try add("body.0.bias", [8])
        try add("body.1.weight", [8])
        try add("body.2.weight", [12, 8, 3, 3])
        try add("body.2.bias", [12], bias)
        try folder.write(writer.data(), "final.safetensors")
        return folder
    }

    private let arguments = [
        "release", "final.safetensors", "--name", "tiny", "--recipe", "recipe.json", "--data", "data", "--purpose", "a test",
        "--training-data", "none",
    ]

    @Test func refusesNearestNeighbourAndSaysWhy() throws {
        let folder = try scene()
        let run = try Command.run(arguments, in: folder.url)
        #expect(run.status == 1)
        for set in ["Set5", "Set14", "BSD100"] { #expect(run.errors.contains("tiny-x2: \(set): PSNR-Y"), "\(run.errors)") }
        #expect(run.errors.contains("pixel-shuffle pattern"))
        #expect(!run.errors.contains("flat colours"))
        #expect(run.errorLines.last?.hasSuffix("tiny-x2 is not released; nothing was written") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("Models").path).isEmpty)
    }

    @Test func refusesATint() throws {
        let folder = try scene(bias: 0.02)
        let run = try Command.run(arguments, in: folder.url)
        #expect(run.status == 1)
        #expect(run.errors.contains("flat colours come out up to 5") && run.errors.contains("mean colour drifts"), "\(run.errors)")
    }

    @Test func refusesIncompleteRequests() throws {
        let folder = try scene()
        for (change, status) in [
            (["--name", "Tiny Model"], Int32(2)), (["--purpose", ""], 2), (["--recipe", "none.json"], 1), (["--data", "nowhere"], 1),
        ] {
            let run = try Command.run(arguments + change, in: folder.url)
            #expect(run.status == status && run.errorLines.count == 1, "\(change): \(run.errors)")
        }
        try folder.write(Data("not weights".utf8), "final.safetensors")
        let run = try Command.run(arguments, in: folder.url)
        #expect(run.status == 1 && run.errorLines.count == 1, "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("Models").path).isEmpty)
    }
}
