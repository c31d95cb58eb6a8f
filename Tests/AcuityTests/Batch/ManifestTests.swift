// ManifestTests: what a manifest remembers across processes that end at any moment.

import Acuity
import Foundation
import SuperResolution
import Testing

@Suite struct ManifestTests {
    private let folder: String
    private let settings = ["model": "bicubic", "size": "2x"]

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-manifest-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, _ name: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name)) }

    /// SHA-256 of "input" and "output", by coreutils' sha256sum.
    private let outputHash = "e0ee8bb50685e05fa0f47ed04203ae953fdfd055f5bd2892ea186504254f8c3a"
    private let hash = "c96c6d5be8d08a12e7b5cdc1b207fa6b2430974c86803d8891675e76fd992c20"

    private func record(_ verdict: String, extra: String = "") -> String {
        """
        {"input":"in.png","input_file":{"bytes":5,"changed":1,"sha256":"\(hash)"},"output":"out.png","settings":{"model":"bicubic","size":"2x"},"verdict":"\(verdict)"\(extra)}

        """
    }

    private func finished(settings: [String: String]? = nil) throws -> BatchRecord? {
        try Manifest(folder + "/m.jsonl").finished(input: folder + "/in.png", output: folder + "/out.png", settings: settings ?? self.settings)
    }

    @Test func anOutputBehindABegunIsFinished() throws {
        try write("input", "in.png")
        try write(record("begun"), "m.jsonl")
        #expect(try finished() == nil)
        try write("output", "out.png")
        #expect(try finished()?.verdict == .done)
        #expect(try finished(settings: ["model": "bicubic", "size": "4x"]) == nil)
        // It has been entered, with its hash.
        let text = try String(contentsOfFile: folder + "/m.jsonl", encoding: .utf8)
        #expect(text.contains("\"verdict\":\"done\"") && text.contains(outputHash))
        try write("changed", "in.png")
        #expect(try finished() == nil)
    }

    @Test func theFileToBeReplacedIsNoResult() throws {
        try write("input", "in.png")
        try write("output", "out.png")
        try write(record("begun", extra: ",\"replaces\":\"\(outputHash)\""), "m.jsonl")
        #expect(try finished() == nil)
        try write("another", "out.png")
        #expect(try finished()?.verdict == .done)
    }

    @Test func whatIsDoneMustStillBeThere() throws {
        try write("input", "in.png")
        try write("output", "out.png")
        try write(record("done", extra: ",\"output_file\":{\"bytes\":6,\"changed\":1,\"sha256\":\"\(outputHash)\"}"), "m.jsonl")
        #expect(try finished() != nil)
        try write("spoilt", "out.png")
        #expect(try finished() == nil)
        try FileManager.default.removeItem(atPath: folder + "/out.png")
        #expect(try finished() == nil)
    }

    @Test func failuresAreTriedAgain() throws {
        try write("input", "in.png")
        try write(record("failed"), "m.jsonl")
        #expect(try finished() == nil)
    }

    @Test func aTornLineIsPassedOver() throws {
        try write("input", "in.png")
        try write("output", "out.png")
        try write("{\"process\":999999999}\n" + record("begun") + "{\"input\":\"other", "m.jsonl")
        #expect(try finished()?.verdict == .done)
        #expect(try finished()?.verdict == .done)
    }

    @Test(arguments: ["a diary\n", "{\"input\":1}", "\u{0}\u{1}\n\u{2}\n"]) func otherFilesAreNotTouched(_ text: String) throws {
        try write(text, "m.jsonl")
        #expect(throws: AcuityError.self) { try Manifest(folder + "/m.jsonl") }
        #expect(try String(contentsOfFile: folder + "/m.jsonl", encoding: .utf8) == text)
    }

    @Test func oneProcessAtATime() throws {
        let first = try Manifest(folder + "/m.jsonl")
        #expect(throws: AcuityError.self) { try Manifest(folder + "/m.jsonl") }
        _ = first.path
    }

    /// Remains of a process that lives no more go; those of others stay.
    @Test func deletesWhatADeadProcessLeftBehind() throws {
        try write("{\"process\":999999999}\n" + record("begun"), "m.jsonl")
        for name in [".acuity-999999999-7.part", ".acuity-999999998-7.part", "precious.part"] { try write("x", name) }
        _ = try Manifest(folder + "/m.jsonl")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [".acuity-999999998-7.part", "m.jsonl", "precious.part"])
    }
}
