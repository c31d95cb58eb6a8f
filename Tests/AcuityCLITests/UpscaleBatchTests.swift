// UpscaleBatchTests: folders, names, broken files, and batches that end at any moment and go on.

import Foundation
import Testing

@Suite struct UpscaleBatchTests {
    private static let classical = ["-n", "bicubic", "-s", "2"]

    private func picture(_ seed: Int, side: Int = 20) -> Data {
        PNG.data(side, side, .rgb) { x, y, c in (x * 10 + y * 3 + c * 40 + seed * 17) % 256 }
    }

    /// Pictures by path, their folders made.
    private func write(_ files: [String: Data], to folder: Folder) throws {
        for (name, data) in files {
            let url = folder.url.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: url)
        }
    }

    /// Every file below, by path; the manifest apart.
    private func files(_ folder: Folder, _ below: String = "") -> [String: Data] {
        let root = folder.url.appendingPathComponent(below).path
        var result: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: root) ?? FileManager.DirectoryEnumerator() {
            let path = root + "/" + name
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue, !name.hasSuffix("acuity-manifest.jsonl") else { continue }
            result[name] = FileManager.default.contents(atPath: path)
        }
        return result
    }

    private func records(_ folder: Folder, _ path: String) throws -> [[String: Any]] {
        try String(decoding: folder.read(path), as: UTF8.self).split(separator: "\n").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    // MARK: - What is taken, and where it goes

    @Test func keepsTheTreeOfAFolder() throws {
        let folder = try Folder()
        try write(
            [
                "in/a.png": picture(1), "in/sub/b.png": picture(2), "in/sub/è ñ # % 日本/c.png": picture(3), "in/.DS_Store": Data("x".utf8),
                "in/Thumbs.db": Data("x".utf8), "in/notes.txt": Data("x".utf8),
            ], to: folder)
        let run = try Command.run(["upscale", "in", "-r", "-o", "in/out"] + Self.classical, in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(files(folder, "in/out").keys.sorted() == ["a@2x.png", "sub/b@2x.png", "sub/è ñ # % 日本/c@2x.png"])
        let flat = try Command.run(["upscale", "in", "-o", "flat"] + Self.classical, in: folder.url)
        #expect(flat.status == 0)
        #expect(files(folder, "flat").keys.sorted() == ["a@2x.png"])
    }

    @Test func anOutputIsNoInput() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/b.png": picture(2)], to: folder)
        for size in ["2", "3", "3"] {
            let run = try Command.run(["upscale", "in", "-n", "bicubic", "-s", size, "--skip-existing"], in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
        }
        #expect(files(folder, "in").keys.sorted() == ["a.png", "a@2x.png", "a@3x.png", "b.png", "b@2x.png", "b@3x.png"])
    }

    @Test func expandsPatternsAndTemplates() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/x/b.png": picture(2), "in/x/b.txt": Data()], to: folder)
        let run = try Command.run(
            ["upscale", "in/**/*.png", "-o", "out", "--name", "{model}/{stem}-{source}_{scale}.{ext}", "-f", "tif"] + Self.classical, in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(files(folder, "out").keys.sorted() == ["bicubic/a-png_2.tif", "x/bicubic/b-png_2.tif"])
    }

    @Test(arguments: [
        (["--name", "{nope}.{ext}"], "nope"), (["--name", "../{stem}.{ext}"], ".."), (["--memory", "lots"], "lots"), (["--memory", "1MB"], "1 MB"),
        (["--name", "{stem}{scale}.{ext}", "-s", "2", "--suffix", "x"], "--suffix"), (["--skip-existing", "--overwrite"], "--overwrite"),
        (["a.png", "--watch"], "--watch"),
    ])
    func refusesWrongUsage(_ options: [String], _ word: String) throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "a.png": picture(1)], to: folder)
        let run = try Command.run(["upscale", "in", "-n", "bicubic"] + options, in: folder.url)
        #expect(run.status == 2 && run.errorLines.count == 1 && run.errors.contains(word), "\(run.errors)")
        #expect(files(folder).count == 2)
    }

    /// Names that would clash hold the whole of the input's, whatever the order in which inputs come.
    @Test func twoInputsDoNotShareAnOutput() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/a.jpg": UpscaleCommandTests.cmyk, "in/b.png": picture(2), "x/b.png": picture(3)], to: folder)
        for (output, inputs) in [("out", ["in"]), ("named", ["in/b.png", "in/a.png", "in/a.jpg"])] {
            let run = try Command.run(["upscale"] + inputs + ["-o", output, "-s", "2", "-n", "bicubic"], in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            #expect(files(folder, output).keys.sorted() == ["a.jpg@2x.png", "a.png@2x.png", "b@2x.png"])
        }
        let same = try Command.run(["upscale", "in", "-o", "same", "-f", "same"] + Self.classical, in: folder.url)
        #expect(same.status == 0 && files(folder, "same").keys.sorted() == ["a@2x.jpg", "a@2x.png", "b@2x.png"])
        let equal = try Command.run(["upscale", "in/b.png", "x/b.png", "-o", "equal"] + Self.classical, in: folder.url)
        #expect(equal.status == 1 && equal.errors.contains("x/b.png: its output equal/b@2x.png is also that of an earlier input, in/b.png"))
    }

    @Test func aNameMayBeTooLongForItsOutput() throws {
        let folder = try Folder()
        let (long, longest) = (String(repeating: "n", count: 247) + ".png", String(repeating: "日", count: 83) + ".png")
        try write([long: picture(1), longest: picture(2)], to: folder)
        let run = try Command.run(["upscale", long, longest] + Self.classical, in: folder.url)
        #expect(run.status == 1 && run.errors.contains("\(longest): its output's name would have 256 bytes"), "\(run.errors)")
        #expect(folder.listing.contains(long.replacingOccurrences(of: ".png", with: "@2x.png")))
    }

    @Test func whatIsNotThereIsNamed() throws {
        let folder = try Folder()
        try write(["in/notes.txt": Data(), "a.png": picture(1)], to: folder)
        let run = try Command.run(["upscale", "in", "*.jpg", "none.png", "a.png", "-o", "out"] + Self.classical, in: folder.url)
        #expect(run.status == 1)
        for message in ["in: no pictures in it", "*.jpg: no picture matches", "none.png: no such file"] { #expect(run.errors.contains(message)) }
        #expect(files(folder, "out").keys.sorted() == ["a@2x.png"])
    }

    @Test func aMissingFolderOfModelsIsAnError() throws {
        let folder = try Folder()
        try write(["a.png": picture(1)], to: folder)
        let run = try Command.run(["upscale", "a.png"], in: folder.url, environment: ["ACUITY_MODELS": "/no/such/folder"])
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("/no/such/folder"), "\(run.errors)")
        #expect(folder.listing == ["a.png"])
    }

    // MARK: - What is there already

    @Test func passesOverWhatExists() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/b.png": picture(2), "out/a@2x.png": Data("precious".utf8)], to: folder)
        let run = try Command.run(["upscale", "in", "-o", "out", "--skip-existing", "--json"] + Self.classical, in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try folder.read("out/a@2x.png") == Data("precious".utf8))
        let verdicts = try run.output.split(separator: "\n").map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])["verdict"] as? String }
        #expect(verdicts.compactMap { $0 }.sorted() == ["done", "skipped"])
    }

    @Test func aManifestTellsWhatBecameOfEveryPicture() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/b.png": Data("no".utf8)], to: folder)
        #expect(try Command.run(["upscale", "in", "-o", "out", "--manifest", "m.jsonl"] + Self.classical, in: folder.url).status == 1)
        let entries = try records(folder, "m.jsonl")
        let done = try #require(entries.first { $0["verdict"] as? String == "done" })
        #expect(done["input"] as? String == "in/a.png" && done["output"] as? String == "out/a@2x.png")
        #expect((done["settings"] as? [String: String])?["size"] == "2x" && (done["seconds"] as? Double ?? -1) >= 0)
        for (key, path) in [("input_file", "in/a.png"), ("output_file", "out/a@2x.png")] {
            let file = try #require(done[key] as? [String: Any])
            #expect(file["bytes"] as? Int == (try folder.read(path)).count && (file["sha256"] as? String)?.count == 64)
        }
        let failed = try #require(entries.first { $0["verdict"] as? String == "failed" })
        #expect(failed["input"] as? String == "in/b.png" && (failed["error"] as? String)?.contains("not a picture") == true)
    }

    /// The same batch named from elsewhere is the same batch; other settings are other work.
    @Test func goesOnFromAnotherFolder() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1), "in/b.png": picture(2)], to: folder)
        #expect(try Command.run(["upscale", "in", "-o", "out"] + Self.classical, in: folder.url).status == 0)
        let before = files(folder, "out")
        let root = folder.url.path
        let again = try Command.run(["upscale", root + "/in", "-o", root + "/out", "--resume"] + Self.classical, in: URL(fileURLWithPath: "/"))
        #expect(again.status == 0 && again.errors.contains("0 done, 2 done before"), "\(again.errors)")
        #expect(files(folder, "out") == before)
        let other = try Command.run(["upscale", "in", "-o", "out", "--resume", "-n", "nearest", "-s", "2"], in: folder.url)
        #expect(other.status == 1 && other.errors.contains("exists already"))
        // What has changed since is done again, if it may be.
        try write(["in/a.png": picture(7)], to: folder)
        let changed = try Command.run(["upscale", "in", "-o", "out", "--resume", "--overwrite"] + Self.classical, in: folder.url)
        #expect(changed.status == 0 && changed.errors.contains("1 done, 1 done before"), "\(changed.errors)")
    }

    /// A file of weights is known by its content, not its name.
    @Test(.enabled(if: ReleasedModels.has("fast-x2") && ReleasedModels.has("srcnn-x2"))) func otherWeightsAreOtherWork() throws {
        let folder = try Folder()
        let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Models").standardizedFileURL
        func weights(_ name: String) throws -> Data { try Data(contentsOf: models.appendingPathComponent(name + "-x2.safetensors")) }
        try write(["in/a.png": picture(1), "in/b.png": picture(2), "m.safetensors": weights("fast"), "other/m.safetensors": weights("srcnn")], to: folder)
        func run(_ model: String) throws -> String {
            let run = try Command.run(["upscale", "in", "-o", "out", "-s", "2", "--resume", "--overwrite", "-n", model], in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            return run.errors
        }
        #expect(try run("m.safetensors").contains("2 done in"))
        #expect(try run("./m.safetensors").contains("0 done, 2 done before"))
        #expect(try run("other/m.safetensors").contains("2 done in"))
    }

    // MARK: - Broken files and sudden ends

    /// Each broken in its own way.
    private static let broken: [String: Data] = {
        let whole = PNG.data(64, 64, .rgb) { x, y, c in (x * 7 + y * 3 + c) % 256 }
        var crc = whole
        crc[29] ^= 0xFF
        return [
            "empty.png": Data(), "text.png": Data("this is not a picture\n".utf8), "page.jpg": Data("<!DOCTYPE html><html></html>".utf8),
            "signature.png": whole.prefix(8), "header.png": whole.prefix(33), "half.png": whole.prefix(6000), "crc.png": crc,
            "half.jpg": UpscaleCommandTests.cmyk.prefix(200), "noise.jpg": Data([0xFF, 0xD8, 0xFF] + (0..<500).map { UInt8($0 * 37 % 256) }),
            "noise.webp": Data("RIFF\u{0}\u{1}\u{0}\u{0}WEBP".utf8) + Data((0..<500).map { UInt8($0 * 37 % 256) }),
            "offset.tif": Data([0x49, 0x49, 0x2A, 0, 0xFF, 0xFF, 0xFF, 0x7F]), "stub.gif": Data("GIF89a".utf8),
        ]
    }()

    private func batch(of count: Int, side: Int = 40) throws -> Folder {
        let folder = try Folder()
        var all: [String: Data] = [:]
        for index in 0..<count { all["in/\(index % 3)/\(index).png"] = picture(index, side: side + index % 7) }
        for (index, file) in Self.broken.sorted(by: { $0.key < $1.key }).enumerated() { all["in/\(index % 3)/\(file.key)"] = file.value }
        try write(all, to: folder)
        return folder
    }

    @Test func namesEveryBrokenFileAndDoesTheRest() throws {
        let folder = try batch(of: 30)
        let run = try Command.run(["upscale", "in", "-r", "-o", "out"] + Self.classical, in: folder.url)
        #expect(run.status == 1)
        #expect(files(folder, "out").count == 30)
        for name in Self.broken.keys { #expect(run.errorLines.contains { $0.hasPrefix("acuity: in/") && $0.contains("/\(name): ") }, "\(name)") }
        #expect(run.errors.contains("30 done, 12 failed"))
    }

    /// Killed at moments all over the batch, it goes on to the same final state, and does nothing twice.
    @Test(arguments: [1, 11, 35]) func goesOnAfterKill9(_ outputs: Int) throws {
        let folder = try batch(of: 40, side: 120)
        let arguments = ["upscale", "in", "-r", "-n", "lanczos3", "-s", "3", "-o"]
        #expect(try Command.run(arguments + ["whole"], in: folder.url).status == 1)
        let killed = try Command.run(arguments + ["out"], in: folder.url) { process, _ in
            while process.isRunning, files(folder, "out").count < outputs { usleep(500) }
            kill(process.processIdentifier, SIGKILL)
        }
        #expect(killed.status == 128 + SIGKILL || killed.status == 1)
        func inodes() throws -> [String: UInt64] {
            try files(folder, "out").filter { !$0.key.hasSuffix(".part") }.reduce(into: [:]) { result, file in
                let attributes = try FileManager.default.attributesOfItem(atPath: folder.url.appendingPathComponent("out/" + file.key).path)
                result[file.key] = attributes[.systemFileNumber] as? UInt64
            }
        }
        let before = try inodes()
        let resumed = try Command.run(arguments + ["out", "--resume"], in: folder.url)
        #expect(resumed.status == 1)
        let (after, isSame) = (try inodes(), files(folder, "out") == files(folder, "whole"))
        #expect(isSame)
        #expect(before.allSatisfy { after[$0.key] == $0.value })
        let done = try records(folder, "out/acuity-manifest.jsonl").filter { $0["verdict"] as? String == "done" }.compactMap { $0["input"] as? String }
        #expect(done.count == 40 && Set(done).count == 40)
    }

    @Test func controlCFinishesWhatIsInHand() throws {
        let folder = try batch(of: 60, side: 150)
        let arguments = ["upscale", "in", "-r", "-n", "lanczos3", "-s", "4", "-o", "out"]
        let run = try Command.run(arguments, in: folder.url) { process, _ in
            while process.isRunning, files(folder, "out").count < 3 { usleep(500) }
            kill(process.processIdentifier, SIGINT)
        }
        #expect(run.status == 130, "\(run.errors)")
        #expect(run.errors.contains("acuity upscale in -r -n lanczos3 -s 4 -o out --resume"))
        let entries = try records(folder, "out/acuity-manifest.jsonl")
        let (begun, done) = (entries.filter { $0["verdict"] as? String == "begun" }.count, entries.filter { $0["verdict"] as? String == "done" }.count)
        #expect(begun == done && done == files(folder, "out").count && done < 60)
        #expect(try Command.run(arguments + ["--resume"], in: folder.url).status == 1)
        #expect(files(folder, "out").count == 60)
    }

    @Test func watchesAFolder() throws {
        let folder = try Folder()
        try write(["in/a.png": picture(1)], to: folder)
        let run = try Command.run(["upscale", "in", "--watch", "-o", "out"] + Self.classical, in: folder.url) { process, _ in
            func wait(_ names: [String]) {
                for _ in 0..<400 where files(folder, "out").keys.sorted() != names { usleep(50_000) }
                #expect(files(folder, "out").keys.sorted() == names)
            }
            wait(["a@2x.png"])
            try write(["in/b.png": picture(2)], to: folder)
            wait(["a@2x.png", "b@2x.png"])
            kill(process.processIdentifier, SIGINT)
        }
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test func aPictureBeyondTheMemoryIsRefused() throws {
        let folder = try Folder()
        try write(["in/large.png": PNG.data(3000, 1000, .grey) { x, y, _ in (x + y) % 256 }, "in/small.png": picture(1)], to: folder)
        let run = try Command.run(["upscale", "in", "-o", "out", "-n", "bicubic", "-s", "8", "--memory", "300MB"], in: folder.url)
        #expect(run.status == 1 && run.errors.contains("in/large.png: needs about"), "\(run.errors)")
        #expect(files(folder, "out").keys.sorted() == ["small@8x.png"])
    }
}
