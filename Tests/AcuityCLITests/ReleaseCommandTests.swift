// ReleaseCommandTests: `acuity release` on checkpoints that must be refused, and on sets small enough to be quick.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

@Suite struct ReleaseCommandTests {
    /// A folder with three tiny sets, a recipe, and a ×2 checkpoint of Compact whose convolutions are zero: nearest
    /// neighbour, plus `bias`.
    private func scene(bias: Float = 0) throws -> Folder {
        let folder = try Folder()
        for (number, set) in ["Set5", "Set14", "BSD100", "RealSRSet", "RealESRGAN_inputs"].enumerated() {
            let place = folder.url.appendingPathComponent("data/eval/\(set)")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try Self.wave(number).write(to: place.appendingPathComponent("wave.png"))
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

    private static func wave(_ number: Int) -> Data {
        PNG.data(96, 96, .rgb) { x, y, c in
            128 + Int(100 * sin(Double(x * (c + 2) + 40 * number) / 9) * cos(Double(y * (number + 1)) / 8)) + (x * y * 7 + 3 * x) % 9
        }
    }

    private let arguments = [
        "release", "final.safetensors", "--name", "tiny", "--recipe", "recipe.json", "--data", "data", "--purpose", "a test",
        "--training-data", "none", "--sources-unknown",
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

    /// The profile for text has lines read. A reader that reads nothing leaves every letter wrong, as many as after Lanczos-3 and not half of them.
    @Test func textIsRead() throws {
        let folder = try scene()
        let without = try Command.run(arguments + ["--profile", "text"], in: folder.url, environment: ["ACUITY_TESSERACT": "/nowhere/reader"])
        #expect(without.status == 1 && without.errorLines == ["acuity: /nowhere/reader: no such program (ACUITY_TESSERACT)"])
        guard TextRendering.isAvailable else { return }
        let reader = folder.url.appendingPathComponent("reader").path
        try folder.write(Data("#!/bin/sh\n[ \"$1\" = --version ] && echo 'tesseract 5.9'\n[ \"$1\" = --list-langs ] && echo eng\nexit 0\n".utf8), "reader")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: reader)
        let run = try Command.run(arguments + ["--profile", "text"], in: folder.url, environment: ["ACUITY_TESSERACT": reader])
        #expect(run.status == 1 && (run.errors.contains("lines: letters read wrong 100.0 %, at most 50.0 %") || run.errors.contains("no font that training never sees")), "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("Models").path).isEmpty)
    }

    @Test func refusesATint() throws {
        let folder = try scene(bias: 0.02)
        let run = try Command.run(arguments, in: folder.url)
        #expect(run.status == 1)
        #expect(run.errors.contains("flat colours: largest deviation 5") && run.errors.contains("mean colour drifts"), "\(run.errors)")
        #expect(!run.errors.contains("did not say which pictures"))
    }

    /// The shipped model with a cast, and with a checkerboard, put into the bias of its last convolution.
    @Test func refusesSpoiledCopiesOfAShippedModel() throws {
        let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Models/fast-x2.safetensors").standardizedFileURL
        let weights = try Checkpoint.load(path: shipped.path).weights
        let last = try #require(weights.keys.first { $0.hasSuffix(".bias") && weights[$0]?.shape == [12] })
        // Channel-major order of the pixel shuffle: red, green, blue, four places each.
        for (change, reasons, absent) in [
            ([4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0] as [Float], ["flat colours: largest deviation 4", "mean colour drifts"], "checkerboard"),
            ([3, -3, -3, 3, 3, -3, -3, 3, 3, -3, -3, 3], ["gradient: pixel-shuffle pattern 3.", "spectrum stands out"], "drifts"),
        ] {
            let folder = try scene()
            var writer = SafetensorsWriter(metadata: ["steps": "100", "minutes": "1.5", "scale": "2"])
            for (key, tensor) in weights {
                var tensor = tensor
                if key == last { for index in 0..<12 { tensor.values[index] += change[index] / 255 } }
                try writer.add(key, tensor)
            }
            try folder.write(writer.data(), "final.safetensors")
            let run = try Command.run(arguments, in: folder.url)
            #expect(run.status == 1)
            for reason in reasons { #expect(run.errors.contains(reason), "\(run.errors)") }
            #expect(!run.errors.contains(absent), "\(run.errors)")
        }
    }

    /// The checkpoint's record names a picture of Set5, enlarged by a third.
    @Test func refusesWhatWasTrainedOnAnEvaluationPicture() throws {
        let folder = try scene()
        let picture = try Picture(contentsOf: folder.url.appendingPathComponent("data/eval/Set5/wave.png").path).pixels.raster
        let larger = Resampling.bicubic.resize(picture, width: 128, height: 128)
        let bytes = larger.samples.map { UInt8(min(max($0, 0), 1) * 255 + 0.5) }
        let hash = PerceptualHash(try #require(LumaPlane(bytes: bytes, width: 128, height: 128, channels: 3)))
        let loaded = try Checkpoint.load(path: folder.url.appendingPathComponent("final.safetensors").path)
        func run(_ metadata: [String: String], _ arguments: [String]) throws -> Outcome {
            var writer = SafetensorsWriter(metadata: ["steps": "100", "minutes": "1.5"].merging(metadata) { $1 })
            for (key, tensor) in loaded.weights { try writer.add(key, tensor) }
            try folder.write(writer.data(), "final.safetensors")
            return try Command.run(arguments, in: folder.url)
        }
        let without = arguments.filter { $0 != "--sources-unknown" }
        let trained = try run(["acuity.sources": "0123456789abcdef,\(hash.hex)"], without)
        #expect(trained.errors.contains("trained on evaluation pictures") && trained.errors.contains("Set5/wave.png"), "\(trained.errors)")
        #expect(!trained.errors.contains("Set14/wave.png"))
        let clean = try run(["acuity.sources": "0123456789abcdef"], without + ["--json"])
        #expect(clean.status == 1 && !clean.errors.contains("trained on evaluation") && !clean.errors.contains("does not say"), "\(clean.errors)")
        let verdict = try #require(try JSONSerialization.jsonObject(with: Data(clean.output.utf8)) as? [String: Any])
        #expect(verdict["released"] as? Bool == false && (verdict["metrics"] as? [Any])?.count ?? 0 > 20)
        #expect((verdict["shortcomings"] as? [String])?.allSatisfy { clean.errors.contains($0) } == true)
        let silent = try run([:], without)
        #expect(silent.errors.contains("does not say which pictures it was trained on"), "\(silent.errors)")
        let partly = try run(["acuity.sources": "0123456789abcdef", "acuity.sources.unknown": "old.safetensors"], without)
        #expect(partly.errors.contains("trained also on old.safetensors"), "\(partly.errors)")
        #expect(try run(["acuity.sources": "nonsense"], without).errorLines.count == 1)
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
        #expect(try Command.run(arguments + ["--profile", "pretty"], in: folder.url).status == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.appendingPathComponent("Models").path).isEmpty)
    }
}
