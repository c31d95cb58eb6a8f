// AdversarialRunTests: runs with several losses, a discriminator and a teacher: resuming, refusals, failures, and what a run leaves.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

/// One after the other: each run decides libtorch's number of threads.
@Suite(.serialized, .enabled(if: hasTorch, torchMissing)) struct AdversarialRunTests {
    let folder: Folder

    init() throws {
        folder = try Folder()
        try folder.makeShards()
    }

    private static var plain: [String: Any?] { ["loss": String?.none, "losses": ["l1": 1, "fft": 0.2, "gradient": 0.1]] }

    /// Everything at once: balanced terms, artefact map, U-Net discriminator with matching, autoencoder and teacher.
    private func everything(_ changes: [String: Any] = [:]) throws -> [String: Any?] {
        var losses: [String: Any] = [
            "l1": 1, "charbonnier": 0.1, "mse": 0.1, "psnr": 0.1, "fft": 0.1, "gradient": 0.1, "artefact": 0.1, "teacher": 0.2,
            "autoencoder": ["weights": try teacher(), "share": 0.1] as [String: Any],
            "gan": ["share": 0.1, "features": 4, "matching": 0.1, "rate": 0.001] as [String: Any], "every": 3,
        ]
        losses.merge(changes) { $1 }
        return ["loss": String?.none, "losses": losses, "teacher": try teacher()]
    }

    private func teacher() throws -> String {
        let path = folder.file("teacher/final.safetensors")
        if !FileManager.default.fileExists(atPath: path) { _ = try run(in: "teacher", steps: 2) }
        return path
    }

    @discardableResult
    private func run(_ recipe: [String: Any?] = [:], in directory: String, steps: Int, resume: Bool = false, stopAfter: Int = .max) throws -> [TrainingEvent] {
        oneRun.lock()
        defer { oneRun.unlock() }
        var events: [TrainingEvent] = []
        var asked = 0
        try train(
            Recipe(contentsOf: folder.recipe(recipe)), directory: folder.file(directory), steps: steps, threads: 1, resume: resume,
            shouldStop: {
                asked += 1
                return asked >= stopAfter
            }, log: { events.append($0) })
        return events
    }

    private func weights(_ name: String) throws -> StateDict { try SafetensorsFile(path: folder.file(name)).weights() }

    @Test(arguments: ["vanilla", "relativistic"])
    func resumingChangesNothing(kind: String) throws {
        let gan: [String: Any] = ["share": 0.1, "features": 4, "matching": 0.1, "rate": 0.001, "kind": kind]
        let recipe = try everything(["gan": gan])
        try run(recipe, in: "whole", steps: 10)
        try run(recipe, in: "pieces", steps: 10, stopAfter: 4)
        try run(recipe, in: "pieces", steps: 10, resume: true)
        #expect(try weights("whole/checkpoint.safetensors") == weights("pieces/checkpoint.safetensors"))
        #expect(try weights("whole/checkpoint.safetensors").keys.contains("discriminator/conv1.weight_u"))
        let balance = try ["whole", "pieces"].map { try SafetensorsFile(path: folder.file($0 + "/checkpoint.safetensors")).metadata["balance"] }
        #expect(balance[0] == balance[1] && balance[0]?.contains("matching=") == true)
    }

    /// The discriminator learns, the generator feels it.
    @Test func termsTakePart() throws {
        let recipe = try everything()
        try run(recipe, in: "all", steps: 3)
        try run(["loss": "l1"], in: "l1", steps: 3)
        #expect(try weights("all/final.safetensors") != weights("l1/final.safetensors"))
        let before = try weights("all/checkpoint.safetensors")
        try run(recipe, in: "all", steps: 5, resume: true)
        #expect(try weights("all/checkpoint.safetensors")["discriminator/conv9.weight"] != before["discriminator/conv9.weight"])
    }

    /// A run's checkpoint hands its discriminator on: one that hardly learns is still the one that it was.
    @Test func takenOver() throws {
        let gan: [String: Any] = ["share": 0.1, "features": 4, "rate": 0.001]
        try run(everything(["gan": gan]), in: "first", steps: 3)
        let path = folder.file("first/checkpoint.safetensors")
        try run(everything(["gan": gan.merging(["rate": 1e-12, "weights": path]) { $1 }]), in: "second", steps: 1)
        let key = "discriminator/conv9.weight"
        #expect(try weights("second/checkpoint.safetensors")[key] == weights("first/checkpoint.safetensors")[key])
        try run(everything(["gan": gan.merging(["rate": 1e-12]) { $1 }]), in: "fresh", steps: 1)
        #expect(try weights("fresh/checkpoint.safetensors")[key] != weights("first/checkpoint.safetensors")[key])
    }

    /// During its head start the discriminator learns alone, afterwards both do.
    @Test func headStart() throws {
        let gan: [String: Any] = ["share": 0.1, "features": 4, "rate": 0.001, "head_start": 3]
        let recipe = try everything(["gan": gan])
        var checkpoints: [StateDict] = []
        for steps in [1, 3, 4] {
            try run(recipe, in: "run", steps: steps, resume: steps > 1)
            checkpoints.append(try weights("run/checkpoint.safetensors"))
        }
        let generator = "weights/body.0.weight", discriminator = "discriminator/conv9.weight"
        #expect(checkpoints[0][generator] != nil && checkpoints[0][generator] == checkpoints[1][generator])
        #expect(checkpoints[0][discriminator] != checkpoints[1][discriminator])
        #expect(checkpoints[1][generator] != checkpoints[2][generator])
    }

    /// A student that is drawn to its teacher alone comes nearer to it than to what it was.
    @Test func distillation() throws {
        try run(["batch": 8, "optimiser": ["name": "adam", "rate": 0.005], "ema": 0], in: "teacher", steps: 40)
        let recipe: [String: Any?] = [
            "loss": String?.none, "losses": ["teacher": 1], "teacher": folder.file("teacher/final.safetensors"), "ema": 0, "batch": 8,
            "optimiser": ["name": "adam", "rate": 0.005], "seed": 5,
        ]
        try run(recipe, in: "start", steps: 1)
        try run(recipe, in: "student", steps: 40)
        let low = try BicubicReduction(scale: 2, device: "cpu", runtime: TorchRuntime.shared())(
            TorchTensor(bytes: drawing(width: 40, height: 40, seed: 2), shape: [1, 40, 40, 3], device: "cpu", runtime: TorchRuntime.shared()).image())
        func output(_ name: String) throws -> TorchTensor {
            let model = try Model.load(path: folder.file(name + "/final.safetensors"))
            return try TorchNetwork(model.network, weights: model.weights, runtime: TorchRuntime.shared())(low)
        }
        let target = try output("teacher")
        #expect(try output("student").l1(to: target).item() < 0.5 * output("start").l1(to: target).item())
    }

    @Test func nonFiniteLossIsNamed() throws {
        // A teacher whose output overflows: the first thing that breaks is the term that reads it.
        _ = try teacher()
        let file = try SafetensorsFile(path: folder.file("teacher/final.safetensors"))
        var writer = SafetensorsWriter(metadata: file.metadata)
        for (key, tensor) in try file.weights() {
            try writer.add(key, key == "body.4.bias" ? Tensor(shape: tensor.shape, values: tensor.values.map { _ in 3e38 }) : tensor)
        }
        try writer.write(to: folder.file("loud.safetensors"))
        let error = #expect(throws: AcuityError.self) {
            try run(["loss": String?.none, "losses": ["l1": 1, "teacher": 1], "teacher": folder.file("loud.safetensors")], in: "loud", steps: 3)
        }
        #expect(error?.message.contains("not finite") == true && error?.message.hasSuffix("teacher") == true, "\(error?.message ?? "")")
    }

    @Test func changedRecipes() throws {
        try run(Self.plain, in: "run", steps: 1)
        for change: [String: Any?] in [["batch": 3], ["seed": 4], ["losses": ["l1": 1, "fft": 0.3]], ["optimiser": ["name": "adam", "rate": 0.002]]] {
            let error = #expect(throws: AcuityError.self) { try run(Self.plain.merging(change) { $1 }, in: "run", steps: 2, resume: true) }
            #expect(error?.message.contains(change.keys.first ?? "-") == true)
        }
        // How long and how often may change.
        try run(Self.plain.merging(["minutes": 9, "validate_every": 77, "name": "other"]) { $1 }, in: "run", steps: 2, resume: true)
    }

    /// What is missing or does not fit is said before the first step, in one line that names it.
    @Test func refusals() throws {
        _ = try teacher()
        let cases: [([String: Any?], String)] = [
            (["losses": ["l1": 1, "perceptual": ["weights": folder.file("none.safetensors")]]], "none.safetensors"),
            (["losses": ["l1": 1, "teacher": 1], "teacher": folder.file("none.safetensors")], "none.safetensors"),
            (["losses": ["l1": 1, "teacher": 1], "teacher": folder.file("teacher/final.safetensors"), "scale": 3], "×2"),
            (["losses": ["l1": 1, "teacher": 1]], "teacher"),
            (["losses": ["l1": 1], "teacher": "x"], "teacher"),
            (["losses": ["l1": 1, "gan": ["discriminator": "vgg"] as [String: Any]]], "24"),
            (["losses": ["l1": 1, "gan": [:] as [String: Any]], "patch": 10, "scale": 2], "20"),
            (["losses": ["l1": 1, "gan": ["genrator": 1]]], "genrator"),
            (["losses": ["gan": ["share": 1]]], "gan"),
            (["losses": ["l2": 1]], "l2"),
            (["losses": ["l1": -1]], "losses"),
            (["losses": [:] as [String: Any]], "losses"),
            (["losses": ["l1": 1], "loss": "l1"], "loss"),
            (["losses": ["l1": 1, "gan": [:] as [String: Any]], "mse_fraction": 0.1], "mse_fraction"),
            (["losses": ["l1": 1, "every": 0]], "every"),
            (["losses": ["l1": 1, "perceptual": ["weights": "x", "layers": [:] as [String: Any]]]], "layers"),
            (["data": [folder.file("none.safetensors")]], "none.safetensors"),
            (["validation": folder.file("none.safetensors")], "none.safetensors"),
            (["warm_start": folder.file("none.safetensors")], "none.safetensors"),
            (["patch": 30], "48"),
        ]
        for (change, word) in cases {
            let recipe = change["losses"] == nil ? change : ["loss": String?.none].merging(change) { $1 }
            let error = #expect(throws: AcuityError.self, "\(change)") { try run(recipe, in: "refused", steps: 1) }
            #expect(error?.message.contains(word) == true && error?.message.contains("\n") == false, "\(error?.message ?? "") should say \(word)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("refused/checkpoint.safetensors")))
    }

    // MARK: - The folder of a run

    @Test func record() throws {
        try run(Self.plain.merging(["validate_every": 1e-9]) { $1 }, in: "run", steps: 6, stopAfter: 4)
        // Lines of steps that were lost with the process.
        let lost = try folder.read("run/metrics.jsonl") + Data("{\"step\":999,\"minutes\":1,\"rate\":1,\"images_per_second\":1,\"loss\":{},\"weight\":{}}\n{\"st".utf8)
        try lost.write(to: URL(fileURLWithPath: folder.file("run/metrics.jsonl")))
        try run(Self.plain.merging(["validate_every": 1e-9]) { $1 }, in: "run", steps: 6, resume: true)
        let lines = String(decoding: try folder.read("run/metrics.jsonl"), as: UTF8.self).split(separator: "\n")
        let objects = try lines.map { try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
        #expect(objects.allSatisfy { ($0["step"] as? Int ?? 999) <= 6 } && objects.contains { $0["psnr_y"] is Double })
        let page = String(decoding: try folder.read("run/index.html"), as: UTF8.self)
        #expect(page.contains("<h1>test</h1>") && page.components(separatedBy: "data:image/png;base64,").count == 1 + 6 + 4)
        // The same patches after one and three steps, from before and after the break.
        #expect(page.contains("<th>1</th><th>3</th>"))
        let rounds = try ["1/0", "1/1", "3/0", "3/1"].map { try folder.read("run/rounds/\($0).png") }
        #expect(Set(rounds).count == 4)
        #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"))
    }

    /// zlib and CRC checked by whoever is at hand: Python.
    @Test func png() throws {
        for (width, height, channels) in [(1, 1, 1), (5, 3, 3), (200, 150, 3)] {
            let bytes = (0..<(width * height * channels)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let file = folder.file("picture.png")
            try SmallPicture(width: width, height: height, channels: channels, bytes: bytes).png.write(to: URL(fileURLWithPath: file))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["python3", "-c", """
                import struct, sys, zlib
                data = open(sys.argv[1], 'rb').read()
                assert data[:8] == b'\\x89PNG\\r\\n\\x1a\\n'
                at, pixels = 8, b''
                while at < len(data):
                    n, name = struct.unpack('>I4s', data[at:at + 8]); body = data[at + 8:at + 8 + n]
                    assert struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0] == zlib.crc32(name + body)
                    if name == b'IHDR': w, h, depth, kind = struct.unpack('>IIBB', body[:10])
                    if name == b'IDAT': pixels += body
                    at += 12 + n
                assert name == b'IEND' and depth == 8
                c = {0: 1, 2: 3}[kind]; rows = zlib.decompress(pixels); line = w * c + 1
                assert len(rows) == h * line and all(rows[y * line] == 0 for y in range(h))
                flat = b''.join(rows[y * line + 1:(y + 1) * line] for y in range(h))
                assert flat == bytes(i * 31 % 256 for i in range(w * h * c)), 'pixels'
                """, file]
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(width)×\(height)×\(channels)")
        }
    }

    // MARK: - Accidents, in processes of their own

    private var trainer: URL? {
        let url = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("acuity-trainer")
        if FileManager.default.isExecutableFile(atPath: url.path) { return url }
        print("acuity-trainer is not built, left out")
        return nil
    }

    /// Runs the trainer behind a shell command, killed when `isTime` says so.
    private func process(_ before: String, _ arguments: [String], killWhen isTime: (() -> Bool)? = nil) throws -> (status: Int32, error: String)? {
        guard let trainer else { return nil }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", before + "exec \"$0\" \"$@\"", trainer.path] + arguments
        process.standardError = pipe
        try process.run()
        if let isTime {
            while process.isRunning, !isTime() { usleep(2000) }
            kill(process.processIdentifier, SIGKILL)
        }
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// Killed twice in the middle of a GAN run: the end is that of a run that nobody killed, to the bit.
    @Test func killedRuns() throws {
        let recipe = try folder.recipe(try everything().merging(["checkpoint_every": 1e-9]) { $1 })
        let arguments = [recipe, "--threads", "1", "--steps", "40", "--resume", "--output"]
        guard try process("", arguments + [folder.file("whole")])?.status == 0 else { return }
        for round in 1...2 {
            let killed = try process("", arguments + [folder.file("killed")]) {
                let step = (try? SafetensorsFile(path: folder.file("killed/checkpoint.safetensors")).metadata["step"]).flatMap { $0 }.flatMap(Int.init) ?? 0
                return step >= 10 * round
            }
            #expect(killed?.status == SIGKILL)
        }
        let last = try process("", arguments + [folder.file("killed")])
        #expect(last?.status == 0 && last?.error.contains("resumed at step") == true)
        #expect(try weights("whole/checkpoint.safetensors") == weights("killed/checkpoint.safetensors"))
    }

    /// No room for the first checkpoint: refused at once. No room later: the last good checkpoint stays, whole.
    @Test func fullDisk() throws {
        let recipe = try folder.recipe()
        // `ulimit -f` counts blocks of 512 bytes in POSIX shells; a checkpoint here has more than 20 of them.
        guard let none = try process("ulimit -f 8; ", [recipe, "--output", folder.file("none"), "--threads", "1", "--steps", "5"]) else { return }
        #expect(none.status == 1 && none.error.contains("checkpoint.safetensors: cannot be written"), "\(none.error)")
        #expect(none.error.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.file("none/checkpoint.safetensors")))

        #expect(try process("", [recipe, "--output", folder.file("late"), "--threads", "1", "--steps", "3"])?.status == 0)
        let before = try folder.read("late/checkpoint.safetensors")
        let late = try process("ulimit -f 8; ", [recipe, "--output", folder.file("late"), "--threads", "1", "--steps", "9", "--resume"])
        #expect(late?.status == 1 && late?.error.contains("cannot be written") == true)
        #expect(try folder.read("late/checkpoint.safetensors") == before)
        // And nothing half-written lies about.
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.file("late")).sorted()
        #expect(left == ["checkpoint.safetensors", "final.safetensors", "index.html", "metrics.jsonl", "rounds"], "\(left)")
        #expect(try process("", [recipe, "--output", folder.file("late"), "--threads", "1", "--steps", "9", "--resume"])?.status == 0)
    }
}
