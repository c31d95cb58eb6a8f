// EvaluateTextCommand: `acuity evaluate-text`, how well text, drawings and photographs come through, method by method.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import SuperResolution
import Training

struct EvaluateTextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate-text",
        abstract: "Measure how well text, logos and drawings come through, read by Tesseract.",
        discussion: """
            Lines of words in fonts and words that training never sees, x-heights of 5 to 10 pixels, reduced and damaged in \
            four ways, are enlarged and read by Tesseract (--psm 7): character error rate, and letters that are wrong though \
            Tesseract is sure of them (confidence 90 or more). Then the word pictures of Text_words10, drawn logos, charts \
            and line art (PSNR-Y, flat areas that stay exactly flat, the width of a hard step in pixels), and Set14. The ground truth is read too: \
            what even it is misread by is no method's fault.

            EXAMPLES
              acuity evaluate-text -s 4
              acuity evaluate-text -s 2 -n lanczos3 -n fast -n runs/text-x2/final.safetensors --json
            """,
        shouldDisplay: false)

    @Option(name: [.customShort("n"), .customLong("model")], help: ArgumentHelp(
        "A method, an installed model or a weights file; repeatable (default: lanczos3 and all installed but srcnn).", valueName: "model"))
    var models: [String] = []

    @Option(name: [.short, .long], help: "A whole number, 2 to 8.")
    var scale = 4

    @Option(help: "How many lines.")
    var lines = 300

    @Option(help: "How many drawings.")
    var drawings = 45

    @Option(help: "Where eval/ lies (default: $ACUITY_DATA, else ../shared/data); sets that are not there are left out.")
    var data: String?

    @Option(help: "Seed of the drawn pictures.")
    var seed: UInt64 = 8

    @Option(name: [.customShort("j"), .long], help: "Threads of a network, and readers at a time (default: all cores).")
    var threads: Int?

    @Option(help: "A folder to keep the lines and words that were read and the drawings in.")
    var keep: String?

    @Flag(help: "Have the lines read without their colours: Tesseract looks for letters in each channel, and gives whole lines up where one of them is unclear.")
    var grey = false

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func validate() throws {
        if !(2...8).contains(scale) { throw ValidationError("--scale is 2 to 8") }
        if !(1...100_000).contains(lines) { throw ValidationError("--lines is 1 to 100000") }
        if !(1...100_000).contains(drawings) { throw ValidationError("--drawings is 1 to 100000") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is 1 to 1024") }
    }

    func run() async throws {
        let tesseract = try Tesseract()
        let fonts = InstalledFonts.all()
        let own = fonts.filter { $0.split == .heldOut }
        let names = try models.isEmpty ? ["lanczos3"] + Set(ModelCatalogue().entries().map(\.name)).subtracting(["srcnn"]).sorted() : models
        let methods = try names.map { name in
            (name: name, upscaler: try Upscaler(.named(name, threads: threads), target: .factor(Double(scale))))
        }
        let folder = keep.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { if keep == nil { try? FileManager.default.removeItem(at: folder) } }
        let benchmark = TextBenchmark(scale: scale, tesseract: tesseract, jobs: threads ?? ProcessInfo.processInfo.activeProcessorCount, folder: folder, isGrey: grey)
        let lines = try benchmark.lines(lines, fonts: fonts, seed: seed)
        let drawings = try benchmark.drawings(drawings, fonts: fonts, seed: seed)
        var report = Report(
            scale: scale, tesseract: tesseract.version, lines: lines.count, letters: lines.reduce(0) { $0 + $1.truth.text.count },
            fonts: Set(lines.map(\.truth.font)).count, heldOut: !own.isEmpty)
        if own.isEmpty { Self.warn("none of the fonts is of the held-out part: lines are drawn in fonts that training sees (docs/data.md lists packages)") }

        report.rows.append(.init(method: "ground truth", scores: try await benchmark.score(lines, name: "truth", enlarge: nil)))
        let root = data ?? ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data"
        func set(_ name: String) -> String? {
            let path = root + "/eval/" + name
            return FileManager.default.fileExists(atPath: path) ? path : nil
        }
        let (words, photographs) = (set("Text_words10"), set("Set14"))
        if words == nil || photographs == nil { Self.warn("\(root)/eval: \(words == nil ? "no Text_words10" : "")\(words == nil && photographs == nil ? ", " : "")\(photographs == nil ? "no Set14" : "")") }
        for (number, method) in methods.enumerated() {
            let enlarge = method.upscaler.enlarging(depth: .eight)
            do {
                var row = Report.Row(method: method.name, scores: try await benchmark.score(lines, name: "method\(number)", enlarge: enlarge))
                if let words { (row.wordsRight, row.words) = try await benchmark.wordsRead(in: words, name: "method\(number)", enlarge: enlarge) }
                let drawn = try await benchmark.drawingScore(drawings, name: "method\(number)", enlarge: enlarge)
                (row.drawingsPSNR, row.flat, row.flatDeviation, row.stepWidth) = (drawn.psnr, drawn.flat, drawn.deviation, drawn.step)
                if let photographs {
                    row.set14 = try await Benchmark(scale: scale).measure(PictureFolder.pictures(in: photographs), load: PictureFolder.load, enlarge: enlarge).psnrY
                }
                report.rows.append(row)
            } catch let error as AcuityError where error.code == .health {
                // A method that ruins one of the pictures has no figures; the others have theirs.
                report.refused[method.name] = error.message
            }
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(report.text)
        }
    }

    private static func warn(_ message: String) { AcuityCLI.report(message) }

    /// What is printed.
    struct Report: Encodable {
        struct Row: Encodable {
            let method: String
            /// By what was done to the lines.
            let damages: [String: ReadingScore]
            let errorRate: Double
            let errorRates: [String: Double]
            let sureErrors: Int
            let sureLetters: Int
            var wordsRight: Int?
            var words: Int?
            var drawingsPSNR: Double?
            var flat: Double?
            var flatDeviation: Double?
            var stepWidth: Double?
            var set14: Double?

            init(method: String, scores: [TextBenchmark.Damage: ReadingScore]) {
                self.method = method
                let all = scores.values.reduce(ReadingScore(), +)
                damages = Dictionary(uniqueKeysWithValues: scores.map { ($0.rawValue, $1) })
                errorRates = damages.mapValues(\.errorRate)
                (errorRate, sureErrors, sureLetters) = (all.errorRate, all.sureErrors, all.sureLetters)
            }
        }

        let scale: Int
        let tesseract: String
        let lines: Int
        let letters: Int
        let fonts: Int
        let heldOut: Bool
        var rows: [Row] = []
        /// Methods whose result failed the health check on one of the pictures, and what it said.
        var refused: [String: String] = [:]

        var text: String {
            func cell(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
            func share(_ value: Double?) -> String { value.map { String(format: "%.1f %%", 100 * $0) } ?? "–" }
            func number(_ value: Double?, _ digits: Int) -> String { value.map { String(format: "%.\(digits)f", $0) } ?? "–" }
            let damages = TextBenchmark.Damage.allCases.map(\.rawValue)
            let width = max(14, rows.map(\.method.count).max() ?? 0)
            let head = ["letters wrong"] + damages + ["sure, wrong", "words", "drawings dB", "flat", "off by", "step px", "Set14 dB"]
            var result = ["×\(scale), \(lines) lines, \(letters) letters, \(fonts) fonts\(heldOut ? " that training never sees" : ""), Tesseract \(tesseract)"]
            result.append(String(repeating: " ", count: width) + head.map { cell($0, max($0.count, 8) + 2) }.joined())
            for row in rows {
                let cells = [share(row.errorRate)] + damages.map { share(row.errorRates[$0]) } + [
                    "\(row.sureErrors)/\(row.sureLetters)", row.wordsRight.map { "\($0)/\(row.words ?? 0)" } ?? "–", number(row.drawingsPSNR, 2),
                    row.flat.map { String(format: "%.2f %%", 100 * $0) } ?? "–", number(row.flatDeviation, 1), number(row.stepWidth, 2), number(row.set14, 2),
                ]
                result.append(row.method + String(repeating: " ", count: width - row.method.count) + zip(head, cells).map { cell($1, max($0.count, 8) + 2) }.joined())
            }
            result += refused.sorted { $0.key < $1.key }.map { "\($0): no figures: \($1)" }
            return result.joined(separator: "\n")
        }
    }
}
