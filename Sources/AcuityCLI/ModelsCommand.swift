// ModelsCommand: `acuity models`, what is installed and how good it is.
import Acuity
import ArgumentParser
import Foundation
import SuperResolution

struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List the installed models: name, scale, purpose, size, licence, figures.",
        discussion: """
            Models are built into the command; the folder in ACUITY_MODELS adds to them or replaces them.

            EXAMPLES
              acuity models            a table
              acuity models --json     the whole cards, for a script
            """)

    @Flag(help: "Print the model cards as one JSON array.") var json = false

    func run() async throws {
        let entries = try ModelCatalogue().entries()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(entries.map(\.card)), as: UTF8.self))
            return
        }
        if entries.isEmpty {
            print("no models are installed; nearest, bilinear, bicubic and lanczos3 need none")
            return
        }
        var rows = [["name", "scale", "size", "licence", "PSNR-Y in dB", "purpose"]]
        for entry in entries {
            // Whole sets of clean pictures; their parts and the damaged ones are on the card.
            let figures = entry.card.metrics.filter { $0.name == "psnr_y" && !$0.dataset.contains(",") }.prefix(3)
                .map { "\($0.dataset) \(String(format: "%.2f", $0.value))" }.joined(separator: "  ")
            rows.append([entry.name, "x\(entry.scale)", "\((entry.bytes + 1023) / 1024) kB", entry.card.licence, figures, entry.card.purpose + (entry.card.faithful.map { " (--strength weighs it against \($0))" } ?? "")])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
        }
    }
}
