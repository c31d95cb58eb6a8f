// DatasetCommandTests: `acuity dataset` from end to end: layouts, splits, what is left out, what bad input gets.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

@Suite struct DatasetCommandTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    /// Sharp tiles of random colours: unlike for every seed, and good for every filter.
    private func photo(_ seed: UInt64, _ width: Int = 160, _ height: Int = 120) -> Data {
        PNG.data(width, height, .rgb) { x, y, channel in
            var random = SplitMix(seed: seed &* 1_000_003 &+ UInt64(x / 11 * 64 + y / 13) &* 31 &+ UInt64(channel))
            return Int(random.next() % 256)
        }
    }

    private func put(_ data: Data, _ name: String) throws {
        let url = folder.url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url)
    }

    private func dataset(_ arguments: String...) throws -> Outcome {
        // No evaluation sets but those that a test names.
        try put(photo(999), "eval/Own/held.png")
        return try Command.run(["dataset"] + arguments + (arguments.contains("--exclude") || arguments.contains("--synthetic") ? [] : ["--exclude", "eval"]), in: folder.url)
    }

    private func summary(_ run: Outcome) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run.errors)")
    }

    private func images(_ name: String) throws -> [String] { try ImageShard(folder.url.appendingPathComponent(name).path).images.map(\.name) }
    private func shard(_ name: String) throws -> SafetensorsFile { try SafetensorsFile(path: folder.url.appendingPathComponent(name).path) }

    @Test func mixOfFolders() throws {
        for seed in 0..<5 { try put(photo(UInt64(seed)), "a/deep/\(seed).png") }
        for seed in 5..<8 { try put(photo(UInt64(seed)), "b/\(seed).PNG") }
        try put(photo(2), "b/again.png")
        try put(photo(30, 40, 30), "b/tiny.png")
        try put(Data("no picture".utf8), "b/broken.jpg")
        try put(PNG.data(160, 120, .rgb) { _, _, _ in 90 }, "b/flat.png")
        try put(Data("text".utf8), "b/notes.txt")
        let run = try dataset("a", "b", "-o", "s.safetensors", "--crop", "64", "--json", "--contact-sheet", "sheet.png", "-j", "2")
        #expect(run.status == 0, "\(run.errors)")
        let json = try summary(run)
        #expect(json["found"] as? Int == 12 && json["pictures"] as? Int == 8)
        #expect(json["pictures_left_out"] as? [String: Int] == ["duplicate": 1, "small": 1, "unreadable": 1, "empty": 1])
        #expect((json["crops_left_out"] as? [String: Int])?["flat"] ?? 0 > 0)
        #expect(run.errorLines.contains { $0.contains("again.png: repeats deep/2.png") } && run.errorLines.contains { $0.contains("broken.jpg") })
        let file = try shard("s.safetensors")
        #expect(file.metadata["acuity.sources"]?.split(separator: ",").count == 8)
        #expect(file.metadata["acuity.summary"]?.contains(#""evaluation_sets":[{"name":"Own","pictures":1}]"#) == true)
        #expect(file.entries["crops"]?.shape == [json["crops"] as? Int ?? -1, 64, 64, 3])
        #expect(PNG.header(try folder.read("sheet.png"))?.width == 1204)
        // Again, on one thread: the same bytes; another seed: others.
        let first = try folder.read("s.safetensors")
        #expect(try dataset("a", "b", "-o", "s.safetensors", "--crop", "64").status == 1, "it exists")
        #expect(try folder.read("s.safetensors") == first)
        #expect(try dataset("a", "b", "-o", "s.safetensors", "--crop", "64", "--overwrite", "-j", "1").status == 0)
        #expect(try folder.read("s.safetensors") == first)
        #expect(try dataset("a", "b", "-o", "s.safetensors", "--crop", "64", "--overwrite", "--seed", "5").status == 0)
        #expect(try folder.read("s.safetensors") != first)
        #expect(folder.listing == ["a", "b", "eval", "s.safetensors", "sheet.png"])
    }

    /// The crops of version 0.1.0, drawn here as it drew them.
    @Test func classicCrops() throws {
        var pixels: [PixelBuffer] = []
        for seed in 0..<4 {
            try put(photo(UInt64(seed), 200, 150), "a/\(seed).png")
            pixels.append(try Picture(contentsOf: folder.url.appendingPathComponent("a/\(seed).png").path).pixels)
        }
        #expect(try dataset("a", "-o", "s.safetensors", "--classic", "--crop", "48", "--seed", "7").status == 0)
        var random = SplitMix(seed: 7)
        var expected: [UInt8] = []
        for picture in pixels {
            for place in detailedCrops(of: picture.bytes, width: 200, height: 150, size: 48, count: 12, using: &random) {
                expected += cropBytes(of: picture.bytes, width: 200, x: place.x, y: place.y, size: 48)
            }
        }
        #expect(try Array(shard("s.safetensors").bytes(of: "crops")) == expected)
    }

    @Test func evaluationPicturesAreRefused() throws {
        for seed in 0..<3 { try put(photo(UInt64(seed)), "a/\(seed).png") }
        let held = try Picture(data: [UInt8](photo(999))).pixels
        let smaller = try Resampling.bicubic.resize(held, width: 120, height: 90)
        try Picture(pixels: smaller).write(to: folder.url.appendingPathComponent("a/sneaky.jpg").path, options: .init(quality: 60))
        let run = try dataset("a", "-o", "s.safetensors", "--crop", "64", "--json")
        #expect(run.status == 0 && run.errorLines.contains { $0.contains("sneaky.jpg: shows Own/held.png") })
        let refused = try summary(run)["refused"] as? [[String: Any]]
        #expect(refused?.count == 1 && refused?[0]["picture"] as? String == "sneaky.jpg" && refused?[0]["shows"] as? String == "Own/held.png")
        #expect(try summary(run)["pictures"] as? Int == 3)
        let strict = try dataset("a", "-o", "t.safetensors", "--crop", "64", "--strict")
        #expect(strict.status == 1 && strict.errors.contains("sneaky.jpg") && strict.errors.contains("--strict"))
        #expect(folder.listing == ["a", "eval", "s.safetensors"])
        #expect(try dataset("a", "-o", "t.safetensors", "--exclude", "nowhere").errors.contains("nowhere: no such folder"))
    }

    @Test(.enabled(if: EvaluationData.has("Set5"), "needs ACUITY_DATA with eval/Set5")) func set5IsRefused() throws {
        let run = try dataset(EvaluationData.set("Set5"), "-o", "s.safetensors", "--crop", "96", "--exclude", EvaluationData.set("Set5"))
        #expect(run.status == 1 && run.errorLines.count == 6)
        #expect(run.errors.contains("none of the 5 pictures could be used: 5 showing evaluation pictures"))
        #expect(!folder.listing.contains("s.safetensors"))
        // To validate on it is another matter.
        #expect(try dataset(EvaluationData.set("Set5"), "-o", "v.safetensors", "--whole").status == 0)
        #expect(try images("v.safetensors") == ["baby", "bird", "butterfly", "head", "woman"])
    }

    @Test func splitByName() throws {
        for seed in 0..<30 { try put(photo(UInt64(seed), 80, 70), "a/\(seed).png") }
        func split() throws -> [String] {
            let run = try dataset("a", "-o", "s.safetensors", "--crop", "48", "--validation", "0.2", "--validation-output", "v.safetensors", "--validation-size", "64", "--overwrite")
            #expect(run.status == 0, "\(run.errors)")
            return try images("v.safetensors")
        }
        let first = try split()
        #expect((2...12).contains(first.count))
        let image = try #require(ImageShard(folder.url.appendingPathComponent("v.safetensors").path).images.first)
        #expect(image.width == 64 && image.height == 64)
        for seed in 30..<50 { try put(photo(UInt64(seed), 80, 70), "a/\(seed).png") }
        let more = try split()
        #expect(Set(more).isSuperset(of: first) && Set(more).subtracting(first).allSatisfy { (Int($0) ?? 0) >= 30 })
        // Of two pictures one trains and one validates, whatever the hashes say.
        try put(photo(1), "two/x.png")
        try put(photo(2), "two/y.png")
        #expect(try dataset("two", "-o", "t.safetensors", "--crop", "48", "--validation", "0.01", "--validation-output", "u.safetensors").status == 0)
        #expect(try images("u.safetensors").count == 1)
    }

    @Test func imageNetLayout() throws {
        for (part, classes) in [("train", ["n01440764", "n01443537"]), ("val", ["n01440764"])] {
            for (number, name) in classes.enumerated() {
                for seed in 0..<4 { try put(photo(UInt64(seed + 10 * number + (part == "val" ? 100 : 0))), "net/\(part)/\(name)/\(name)_\(seed).JPEG") }
            }
        }
        let run = try dataset("net", "--split", "train=train", "--split", "val=val", "--per-folder", "3", "-o", "s.safetensors", "--validation-output", "v.safetensors", "--crop", "64", "--json")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try summary(run)["pictures"] as? Int == 6)
        let validation = try images("v.safetensors")
        #expect(validation.count == 3 && validation.allSatisfy { $0.hasPrefix("val/n01440764/") })
        let wrong = try dataset("net", "--split", "val=test", "-o", "t.safetensors", "--validation-output", "u.safetensors")
        #expect(wrong.status == 1 && wrong.errors.contains("no pictures in a subfolder test"))
    }

    @Test func cocoLayout() throws {
        for seed in 0..<4 { try put(photo(UInt64(seed)), "coco/val2017/\(seed).png") }
        try put(photo(9), "coco/val2017/unlisted.png")
        func list(_ images: String) throws {
            try put(Data(#"{"licenses": [{"id": 4, "name": "BY"}, {"id": 1, "name": "NC"}], "images": [\#(images)], "annotations": []}"#.utf8), "coco/annotations/list.json")
        }
        func entry(_ name: String, _ licence: Int, width: Int = 160) -> String { #"{"file_name": "\#(name).png", "width": \#(width), "height": 120, "license": \#(licence), "id": 1}"# }
        try list([entry("0", 4), entry("1", 1), entry("2", 4, width: 161), entry("3", 4), entry("gone", 4)].joined(separator: ","))
        let arguments = ["coco/val2017", "--coco", "coco/annotations/list.json", "--crop", "64", "--json", "--overwrite", "--exclude", "eval", "-o", "s.safetensors"]
        try put(photo(999), "eval/Own/held.png")
        let json = try summary(Command.run(["dataset"] + arguments + ["--licence", "4"], in: folder.url))
        #expect(json["pictures"] as? Int == 2 && json["listed_but_missing"] as? Int == 1)
        #expect(json["pictures_left_out"] as? [String: Int] == ["list": 1] && json["licences"] as? [String: Int] == ["BY": 3])
        #expect(try summary(Command.run(["dataset"] + arguments, in: folder.url))["pictures"] as? Int == 3)
        let none = try Command.run(["dataset"] + arguments + ["--licence", "6"], in: folder.url)
        #expect(none.status == 2 && none.errors.contains("no licence 6"))
        try put(Data(#"{"images": [{"file_name"#.utf8), "coco/annotations/list.json")
        let broken = try Command.run(["dataset"] + arguments, in: folder.url)
        #expect(broken.status == 1 && broken.errorLines.count == 1 && broken.errors.contains("list.json: damaged JSON"), "\(broken.errors)")
    }

    @Test func hardestHalf() throws {
        for seed in 0..<12 { try put(photo(UInt64(seed)), "a/\(seed).png") }
        let all = try summary(dataset("a", "-o", "s.safetensors", "--crop", "48", "--json"))["crops"] as? Int ?? 0
        let json = try summary(dataset("a", "-o", "t.safetensors", "--crop", "48", "--json", "--hardest-half"))
        #expect(json["crops"] as? Int == (all + 1) / 2 - all / 20)
        let crops = { (name: String) in try [UInt8](shard(name).bytes(of: "crops")) }
        let (before, after) = try (crops("s.safetensors"), crops("t.safetensors"))
        let size = 48 * 48 * 3
        func errors(_ bytes: [UInt8]) -> [Float] { (0..<(bytes.count / size)).map { bicubicError(of: Array(bytes[($0 * size)..<(($0 + 1) * size)]), size: 48) } }
        let sorted = errors(before).sorted(by: >)
        #expect(errors(after).sorted(by: >) == Array(sorted[(all / 20)..<((all + 1) / 2)]))
    }

    @Test func jpegPicturesAreHalved() throws {
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("a"), withIntermediateDirectories: true)
        for (name, quality) in [("low", 60), ("high", 95)] {
            let picture = try Picture(data: [UInt8](photo(UInt64(quality), 320, 240)))
            try picture.write(to: folder.url.appendingPathComponent("a/\(name).jpg").path, options: .init(quality: quality))
        }
        func halved(_ how: String) throws -> Int? {
            try summary(dataset("a", "-o", "s.safetensors", "--crop", "64", "--json", "--overwrite", "--no-filter", "--shrink", how))["halved"] as? Int
        }
        #expect(try halved("auto") == 1 && halved("never") == 0 && halved("always") == 2)
    }

    @Test func nothingToWorkWith() throws {
        try FileManager.default.createDirectory(at: folder.url.appendingPathComponent("empty"), withIntermediateDirectories: true)
        try put(Data("no".utf8), "bad/a.jpg")
        try put(Data(), "bad/b.png")
        for (name, reason) in [("absent", "absent: no such folder"), ("empty", "empty: no pictures in there"), ("bad", "none of the 2 pictures could be used: 2 unreadable")] {
            let run = try dataset(name, "-o", "s.safetensors")
            #expect(run.status == 1 && run.errorLines.last?.contains(reason) == true, "\(run.errors)")
        }
        try put(photo(1), "good/a.png")
        let nowhere = try dataset("good", "-o", "no/such/s.safetensors", "--crop", "64")
        #expect(nowhere.status == 1 && nowhere.errorLines.count == 1 && nowhere.errors.contains("no/such/s.safetensors"))
        #expect(folder.listing == ["bad", "empty", "eval", "good"])
    }

    @Test(arguments: [
        ["-o", "s"], ["a", "-o", "s", "--crop", "3"], ["a", "-o", "s", "--validation", "0.1"], ["a", "-o", "s", "--split", "test=x"], ["a", "-o", "s", "--licence", "4"],
        ["a", "-o", "s", "--validation", "0.1", "--validation-output", "s"], ["--synthetic", "text", "-o", "s"], ["a", "--synthetic", "text", "--count", "3", "-o", "s"],
        ["a", "-o", "s", "--whole", "--classic"], ["a", "-o", "s", "--duplicate-distance", "16"], ["--synthetic", "poems", "--count", "3", "-o", "s"],
        ["a", "-o", "s", "--held-out"], ["a", "-o", "s", "--x-height", "5-9"], ["a", "-o", "s", "--grain", "6-1"], ["a", "-o", "s", "--grain", "1-60"], ["a", "-o", "s", "--grain", "1-6", "--whole"], ["--synthetic", "text", "--count", "3", "-o", "s", "--x-height", "9"],
        ["--synthetic", "text", "--count", "3", "-o", "s", "--x-height", "9-5"], ["--synthetic", "text", "--count", "3", "-o", "s", "--x-height", "1-5"],
    ])
    func wrongUsage(_ arguments: [String]) throws {
        let run = try Command.run(["dataset"] + arguments, in: folder.url)
        #expect(run.status == 2 && run.errorLines.count == 1, "\(run.errors)")
        #expect(folder.listing.isEmpty)
    }

    @Test func drawings() throws {
        let lines = try dataset("--synthetic", "lineart", "--count", "9", "--crop", "64", "-o", "l.safetensors", "-j", "1")
        #expect(lines.status == 0 && lines.output.contains("9 of 9 pictures, 9 crops of 64 pixels"))
        #expect(try dataset("--synthetic", "lineart", "--count", "9", "--crop", "64", "-o", "m.safetensors", "-j", "2").status == 0)
        #expect(try folder.read("l.safetensors") == folder.read("m.safetensors"))
        #expect(try CropShards([folder.url.appendingPathComponent("l.safetensors").path]).sources.isEmpty)
    }

    @Test(.enabled(if: TextRendering.isAvailable, "needs a libvips that draws text")) func drawnText() throws {
        let text = try dataset("--synthetic", "text", "--count", "6", "--crop", "128", "-o", "t.safetensors", "--json")
        #expect(text.status == 0, "\(text.errors)")
        let file = try shard("t.safetensors")
        let labels = try #require(JSONSerialization.jsonObject(with: file.bytes(of: "labels")) as? [[[String: Any]]])
        #expect(labels.count == 6 && labels.allSatisfy { !$0.isEmpty && $0.allSatisfy { ($0["text"] as? String)?.isEmpty == false && $0["width"] is Int } })
        #expect(try summary(text)["labels"] as? Int == labels.reduce(0) { $0 + $1.count })
        #expect(try CropShards([folder.url.appendingPathComponent("t.safetensors").path]).count == 6)
    }

    /// Held-out pictures share no word with the others, whole ones are named, and photographs under text are sources.
    @Test(.enabled(if: TextRendering.isAvailable, "needs a libvips that draws text")) func heldOutText() throws {
        for seed in 0..<4 { try put(photo(UInt64(seed), 160, 160), "a/\(seed).png") }
        #expect(try dataset("a", "-o", "p.safetensors", "--crop", "128").status == 0)
        let run = try dataset("--synthetic", "text", "--count", "5", "--crop", "128", "--x-height", "8-12", "--backgrounds", "p.safetensors", "-o", "t.safetensors")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try shard("t.safetensors").metadata["acuity.sources"] == shard("p.safetensors").metadata["acuity.sources"])
        let other = try dataset("--synthetic", "charts", "--count", "3", "--crop", "128", "--held-out", "--whole", "-o", "v.safetensors")
        #expect(other.status == 0, "\(other.errors)")
        #expect(try images("v.safetensors") == ["charts-00000", "charts-00001", "charts-00002"])
        let wrong = try dataset("--synthetic", "text", "--count", "5", "--crop", "64", "--backgrounds", "p.safetensors", "-o", "u.safetensors")
        #expect(wrong.status == 1 && wrong.errors.contains("--backgrounds holds crops of 128 pixels, not 64"))
    }

    /// A limit on the size of files stands for a full disk.
    @Test(arguments: ["photographs", "drawings"]) func fullDisk(_ what: String) throws {
        for seed in 0..<6 { try put(photo(UInt64(seed)), "a/\(seed).png") }
        let program = try #require(Command.executable).path
        let source = what == "drawings" ? "--synthetic lineart --count 200 --crop 128" : "a --crop 64 --exclude a/none"
        try put(photo(77), "a/none/x.png")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "ulimit -f 100; exec '\(program)' dataset \(source) -o s.safetensors 2>errors"]
        process.currentDirectoryURL = folder.url
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1)
        let errors = String(decoding: try folder.read("errors"), as: UTF8.self).split(separator: "\n")
        #expect(errors.last == "acuity: s.safetensors: cannot be written (is the disk full?)", "\(errors)")
        #expect(folder.listing == ["a", "errors"])
    }

    /// Sleeps where it stands: a suspended test goes on only when others have ended, and the dataset would grow meanwhile.
    @Test func interruptionLeavesNothing() throws {
        let process = Process()
        let program: URL = try #require(Command.executable)
        process.executableURL = program
        process.arguments = ["dataset", "--synthetic", "lineart", "--count", "100000", "-o", "s.safetensors"]
        process.currentDirectoryURL = folder.url
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 where folder.listing.isEmpty { usleep(50_000) }
        #expect(!folder.listing.isEmpty)
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130 && folder.listing.isEmpty)
    }
}
