// TextReportCommand: `acuity text-report`, where enlarging may have changed letters.

import Acuity
import ArgumentParser
import Foundation
import Imaging
import SuperResolution

struct TextReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "text-report",
        abstract: "List words that read otherwise after enlarging than before.",
        discussion: """
            The picture is enlarged by the model and by Lanczos, which invents nothing; Tesseract reads both, and words \
            whose letters differ are listed with their places and confidences. Neither reading is the truth: where they \
            differ, look. Where the source is beyond reading, letters in the result are a guess, and the report says so. \
            Tesseract has to be installed (tesseract-ocr; ./run text-report installs it). docs/text.md tells more.

            EXAMPLES
              acuity text-report label.jpg
              acuity text-report screen.png -n fast -s 2 --json
              acuity text-report letter.png --result letter@4x.png --language deu+eng

            EXIT STATUS
              0 compared, whatever was found; 1 nothing could be compared, 2 wrong usage.
            """)

    @Argument(help: ArgumentHelp("The picture before enlarging.", valueName: "image"))
    var image: String

    @Option(name: [.customShort("n"), .customLong("model")], help: ArgumentHelp(
        "What enlarges (default: text where it is installed, else fast).", valueName: "model"))
    var model: String?

    @Option(name: [.customShort("s"), .customLong("scale")], parsing: .unconditional, help: ArgumentHelp("The factor, 1 to 8.", valueName: "scale"))
    var scale = 4.0

    @Option(help: ArgumentHelp("The picture after enlarging, instead of enlarging it here.", valueName: "file"))
    var result: String?

    @Option(name: [.customShort("l"), .long], help: "Tesseract's names of the languages, joined by +.")
    var language = "eng"

    @Option(help: "How the text lies: sparse (labels, screens), page (columns, paragraphs), line, word.")
    var layout = Layout.sparse

    @Option(name: [.customShort("j"), .customLong("threads")], parsing: .unconditional, help: "Threads that the network runs on. Default: all cores.")
    var threads: Int?

    @Flag(help: "Also words that read the same.")
    var all = false

    @Flag(help: "One JSON object on standard output.")
    var json = false

    enum Layout: String, ExpressibleByArgument, CaseIterable {
        case sparse, page, line, word

        var mode: Tesseract.Layout {
            switch self {
            case .sparse: .sparse
            case .page: .page
            case .line: .line
            case .word: .word
            }
        }
    }

    func validate() throws {
        if !(1...8).contains(scale) { throw ValidationError("--scale is 1 to 8") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is 1 to 1024") }
        if result != nil, model != nil { throw ValidationError("--result and --model exclude each other") }
        if language.isEmpty { throw ValidationError("--language is a name such as eng or deu+eng") }
    }

    func run() async throws {
        let tesseract = try Tesseract()
        let source = try Self.onWhite(Picture(contentsOf: image, colour: .sRGB))
        let enlarged: PixelBuffer
        var name: String?
        if let result {
            enlarged = try Self.onWhite(Picture(contentsOf: result, colour: .sRGB))
            let (across, down) = (Double(enlarged.width) / Double(source.width), Double(enlarged.height) / Double(source.height))
            guard across >= 0.99, abs(across / down - 1) < 0.02 else {
                throw AcuityError(.image, "\(result): \(enlarged.width)×\(enlarged.height) is no enlargement of \(source.width)×\(source.height)")
            }
        } else {
            let installed = try ModelCatalogue().entries().map(\.name)
            let chosen = model ?? (installed.contains("text") ? "text" : Upscaler.Method.defaultName)
            name = chosen
            enlarged = try await Upscaler(.named(chosen, threads: threads), target: .factor(scale)).upscale(source)
        }
        let plain = try Resampling.lanczos3.resize(source, width: enlarged.width, height: enlarged.height, depth: .eight)

        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try [("before", plain), ("after", enlarged)].map { name, pixels in
            let path = folder.appendingPathComponent(name + ".png").path
            try Picture(pixels: PixelBuffer(pixels.raster, depth: .eight)).write(to: path)
            return path
        }
        let words = try tesseract.read(files, layout: layout.mode, language: language)
        let report = TextReport(source: words[0], result: words[1], factor: Double(enlarged.width) / Double(source.width))
        print(json ? try Self.json(report, of: self, model: name, tesseract: tesseract) : text(report, model: name))
    }

    /// Colours as they look on paper: recognisers expect no transparency.
    private static func onWhite(_ picture: Picture) throws -> PixelBuffer {
        guard let alpha = picture.alpha else { return picture.pixels }
        var colour = picture.pixels.raster
        let cover = alpha.raster
        for index in colour.samples.indices { colour.samples[index] = 1 + (colour.samples[index] - 1) * cover.samples[index / colour.channels] }
        return PixelBuffer(colour, depth: .eight)
    }

    // MARK: Words for a person

    private func text(_ report: TextReport, model: String?) -> String {
        func reading(_ text: String?, _ confidence: Double?) -> String { text.map { "“\($0)” (\(Int((confidence ?? 0).rounded())))" } ?? "nothing" }
        let shown = all ? report.entries : report.changes
        var lines = ["\(image), \(model.map { "by \($0)" } ?? "\(result ?? "")"): \(Self.verdict(report))"]
        if !shown.isEmpty { lines.append("  place (x, y, width × height), before → after, Tesseract's confidence in brackets") }
        for entry in shown {
            let place = "\(entry.x), \(entry.y), \(entry.width) × \(entry.height)".padding(toLength: 24, withPad: " ", startingAt: 0)
            let remark = switch entry.change {
            case .same: "  the same"
            case .changed, .vanished: entry.sourceIsLegible ? "" : "  the source is hardly legible here"
            case .appeared: "  not legible in the source"
            }
            lines.append("  \(place)\(reading(entry.source, entry.sourceConfidence)) → \(reading(entry.result, entry.resultConfidence))\(remark)")
        }
        return lines.joined(separator: "\n")
    }

    private static func verdict(_ report: TextReport) -> String {
        let legible = report.entries.filter(\.sourceIsLegible)
        func words(_ count: Int) -> String { "\(count) \(count == 1 ? "word" : "words")" }
        switch report.verdict {
        case .noText: return "no text was found, neither before nor after; for other scripts name the language (--language)"
        case .beyondReading:
            return "the source is beyond reading (\(legible.count) of \(words(report.entries.count)) legible): letters in the result are a guess, not a record"
        case .changed: return "\(words(legible.count { $0.change != .same })) of \(legible.count) legible in the source read otherwise; \(words(report.changes.count)) differ in all"
        case .kept:
            return legible.count == report.entries.count || report.changes.isEmpty
                ? "\(words(legible.count)) legible in the source, all read the same"
                : "\(words(legible.count)) legible in the source, all read the same; \(words(report.changes.count)) differ where the source is hardly legible"
        }
    }

    // MARK: And for a program

    private struct Object: Encodable {
        let image: String
        let result: String?
        let model: String?
        let tesseract: String
        let language: String
        let verdict: TextReport.Verdict
        let words: Int
        let legible: Int
        let changed: Int
        let entries: [TextReport.Entry]
    }

    private static func json(_ report: TextReport, of command: TextReportCommand, model: String?, tesseract: Tesseract) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(Object(
            image: command.image, result: command.result, model: model, tesseract: tesseract.version, language: command.language, verdict: report.verdict,
            words: report.entries.count, legible: report.entries.count(where: \.sourceIsLegible), changed: report.changes.count,
            entries: command.all ? report.entries : report.changes)), as: UTF8.self)
    }
}
