// TextReportCommandTests: `acuity text-report` and `evaluate-text` from end to end, with a fake reader and the real one.

import Acuity
import Foundation
import Imaging
import SuperResolution
import Testing

private let reader = try? Tesseract()
private let canReadText: Bool = reader?.languages.contains("eng") == true && TextRendering.isAvailable

@Suite struct TextReportCommandTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    /// Answers for the pictures `before.png` and `after.png` with these rows of left, top, width, height, confidence, text.
    private func fake(before: [String], after: [String]) throws -> [String: String] {
        func table(_ rows: [String], _ page: Int) -> String {
            rows.map { "5 \(page) 1 1 1 1 \($0)".replacingOccurrences(of: " ", with: "\\t") + "\\n" }.joined()
        }
        let script = """
            #!/bin/sh
            case "$1" in
            --version) echo "tesseract 5.9"; exit 0;;
            --list-langs) printf 'List:\\neng\\n' ; exit 0;;
            esac
            head -1 "$1" | grep -q 'before.png$' || exit 7
            printf '\(table(before, 1))\(table(after, 2))'
            """
        let path = folder.url.appendingPathComponent("reader").path
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        try PNG.data(40, 20, .rgb) { x, y, _ in (x * 7 + y * 13) % 256 }.write(to: folder.url.appendingPathComponent("a.png"))
        return ["ACUITY_TESSERACT": path]
    }

    private func run(_ arguments: String..., environment: [String: String]) throws -> Outcome {
        try Command.run(arguments, in: folder.url, environment: environment)
    }

    @Test func changesAreListed() throws {
        let environment = try fake(before: ["0 0 80 20 90 modern", "100 0 50 20 88 light"], after: ["0 0 80 20 93 modem", "100 0 50 20 95 light"])
        let run = try run("text-report", "a.png", "-n", "nearest", environment: environment)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.contains("1 word of 2 legible in the source read otherwise") && run.output.contains("“modern” (90) → “modem” (93)"))
        #expect(run.output.contains("0, 0, 20 × 5") && !run.output.contains("light"), "\(run.output)")
        #expect(folder.listing == ["a.png", "reader"])
        #expect(try self.run("text-report", "a.png", "-n", "nearest", "--all", environment: environment).output.contains("“light” (88) → “light” (95)"))
    }

    @Test func json() throws {
        let environment = try fake(before: ["0 0 80 20 20 mdrn"], after: ["0 0 80 20 93 modern", "200 0 40 20 99 more"])
        let run = try run("text-report", "a.png", "-n", "nearest", "-s", "2", "--json", environment: environment)
        let object = try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run.errors)")
        #expect(object["verdict"] as? String == "beyond-reading" && object["words"] as? Int == 2 && object["changed"] as? Int == 2 && object["legible"] as? Int == 0)
        let entries = try #require(object["entries"] as? [[String: Any]])
        #expect(entries[1]["change"] as? String == "appeared" && entries[1]["x"] as? Int == 100 && entries[1]["result"] as? String == "more" && entries[1]["source"] == nil)
        let words = try self.run("text-report", "a.png", "-n", "nearest", environment: environment)
        #expect(words.output.contains("the source is beyond reading (0 of 2 words legible): letters in the result are a guess, not a record"))
    }

    @Test func anEnlargementThatIsThere() throws {
        let environment = try fake(before: ["0 0 80 20 90 same"], after: ["0 0 80 20 93 same"])
        try PNG.data(80, 40, .rgb) { x, y, _ in (x + y) % 256 }.write(to: folder.url.appendingPathComponent("b.png"))
        let run = try run("text-report", "a.png", "--result", "b.png", environment: environment)
        #expect(run.status == 0 && run.output.contains("1 word legible in the source, all read the same"), "\(run.output)\(run.errors)")
        try PNG.data(80, 90, .rgb) { x, y, _ in (x + y) % 256 }.write(to: folder.url.appendingPathComponent("c.png"))
        let odd = try self.run("text-report", "a.png", "--result", "c.png", environment: environment)
        #expect(odd.status == 1 && odd.errorLines == ["acuity: c.png: 80×90 is no enlargement of 40×20"])
        #expect(try self.run("text-report", "a.png", "--result", "b.png", "-n", "fast", environment: environment).status == 2)
        #expect(try self.run("text-report", "a.png", "-s", "9", environment: environment).status == 2)
    }

    @Test func withoutTesseract() throws {
        _ = try fake(before: [], after: [])
        let run = try run("text-report", "a.png", "-n", "nearest", environment: ["PATH": folder.url.path, "ACUITY_TESSERACT": ""])
        #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("Tesseract is missing"), "\(run.errors)")
        let environment = try fake(before: [], after: [])
        let missing = try self.run("text-report", "none.png", environment: environment)
        #expect(missing.status == 1 && missing.errorLines.count == 1 && missing.errors.contains("none.png"))
        let language = try self.run("text-report", "a.png", "-n", "nearest", "-l", "tlh", environment: environment)
        #expect(language.status == 1 && language.errors.contains("no data for tlh; installed: eng"))
        #expect(try self.run("text-report", "a.png", "-n", "nearest", environment: environment).output.contains("no text was found"))
    }

    @Test(.enabled(if: canReadText, "needs tesseract-ocr with English and a libvips that draws text")) func withTesseract() throws {
        let mask = try #require(try TextRendering.coverage(of: "Every window was open", font: "sans", pixels: 24))
        let (width, height) = (mask.width + 40, mask.height + 40)
        try PNG.data(width, height, .rgb) { x, y, _ in
            let (u, v) = (x - 20, y - 20)
            return (0..<mask.width).contains(u) && (0..<mask.height).contains(v) ? 255 - Int(mask.bytes[v * mask.width + u]) : 255
        }.write(to: folder.url.appendingPathComponent("t.png"))
        let run = try Command.run(["text-report", "t.png", "-n", "nearest", "-s", "2", "--all", "--json"], in: folder.url)
        let object = try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run.errors)")
        let entries = try #require(object["entries"] as? [[String: Any]])
        #expect(entries.compactMap { $0["source"] as? String } == ["Every", "window", "was", "open"] && object["verdict"] as? String == "kept", "\(run.output)")
        // In pixels of the source: the first word begins where it was drawn.
        #expect(abs((entries.first?["x"] as? Int ?? 0) - 20) <= 3 && abs((entries.first?["y"] as? Int ?? 0) - 20) <= 4)
    }

    @Test(.enabled(if: canReadText, "needs tesseract-ocr with English and a libvips that draws text")) func evaluation() throws {
        let run = try Command.run(
            ["evaluate-text", "-s", "2", "-n", "nearest", "-n", "lanczos3", "--lines", "6", "--drawings", "3", "--data", "none", "--json"], in: folder.url)
        let object = try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any], "\(run.errors)")
        let rows = try #require(object["rows"] as? [[String: Any]])
        #expect(rows.compactMap { $0["method"] as? String } == ["ground truth", "nearest", "lanczos3"] && object["lines"] as? Int == 6)
        #expect((rows[0]["error_rate"] as? Double ?? 1) < 0.2 && rows[1]["flat"] as? Double == 1)
        #expect(abs((rows[1]["step_width"] as? Double ?? 0) - 0.8) < 0.02 && rows[2]["set14"] == nil)
        #expect(object["refused"] as? [String: String] == [:] && folder.listing.isEmpty)
        #expect(try Command.run(["evaluate-text", "-s", "9"], in: folder.url).status == 2)
    }

    /// What ruins the pictures has no figures, and takes nobody else's away.
    @Test(.enabled(if: canReadText, "needs tesseract-ocr with English and a libvips that draws text")) func evaluationOfARuinousModel() throws {
        let shipped = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Models/fast-x2.safetensors").standardizedFileURL
        let weights = try Checkpoint.load(path: shipped.path).weights
        var writer = SafetensorsWriter(metadata: ["scale": "2"])
        for (key, tensor) in weights {
            var tensor = tensor
            if key.hasSuffix(".bias"), tensor.shape == [12] { for index in tensor.values.indices { tensor.values[index] -= 0.5 } }
            try writer.add(key, tensor)
        }
        try folder.write(writer.data(), "ruin.safetensors")
        let arguments = ["evaluate-text", "-s", "2", "-n", "ruin.safetensors", "-n", "nearest", "--lines", "4", "--drawings", "3", "--data", "none"]
        let run = try Command.run(arguments, in: folder.url)
        let lines = run.output.split(separator: "\n")
        #expect(run.status == 0 && lines.contains { $0.hasPrefix("nearest ") }, "\(run.errors)")
        #expect(lines.last?.hasPrefix("ruin.safetensors: no figures: ruin") == true, "\(run.output)")
    }
}
