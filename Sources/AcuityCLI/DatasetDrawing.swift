// DatasetDrawing: `acuity dataset --synthetic`, drawn pictures with their strings as labels.

import Foundation
import Imaging
import SuperResolution
import Training

extension DatasetCommand {
    /// Draws `count` pictures into a shard of crops.
    func draw(_ kind: SyntheticPicture.Kind) throws -> DatasetSummary {
        let start = ContinuousClock.now
        let count = count ?? 0
        let fonts = kind == .lineart ? [] : Fonts.installed()
        if kind != .lineart { _ = try TextRendering.coverage(of: "A", font: "sans", pixels: 16) }  // Before anything is written.
        let writer = try makeWriter(output, cropSize: crop, pictures: [], hashes: 0)
        var summary = DatasetSummary(kind: kind.rawValue, folders: [], seed: seed, crop: crop, selection: "drawn")
        summary.output = output
        summary.found = count
        var labels: [[SyntheticPicture.Label]] = []
        var sheet = ContactSheet()
        let progress = ProgressLine(label: "dataset")
        defer { progress.finish() }

        let (size, seed) = (crop, seed)
        try inOrder(
            count, threads: workers,
            work: { index in
                Result {
                    try SyntheticPicture(kind, size: size, seed: nameHash("\(kind.rawValue) \(index)", seed: seed), fonts: fonts) { text, font, pixels in
                        try TextRendering.coverage(of: text, font: font, pixels: pixels).flatMap { TextMask(width: $0.width, height: $0.height, coverage: $0.bytes) }
                    }
                }
            },
            consume: { index, result in
                let picture = try result.get()
                progress.show(Double(index) / Double(count))
                try writer.append(crop: (0, 0), of: picture.bytes, width: size)
                labels.append(picture.labels)
                if contactSheet != nil {
                    sheet.add(ContactSheet.thumbnail(of: picture.bytes, width: size, height: size), to: "kept", order: UInt64(index))
                }
            })
        progress.finish()

        summary.pictures = count
        summary.crops = writer.count
        summary.bytes = writer.byteCount
        if kind != .lineart { summary.labels = labels.reduce(0) { $0 + $1.count } }
        if let contactSheet { summary.contactSheet = try write(sheet, to: contactSheet) ? contactSheet : nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Nothing was photographed, so there are no sources; the key says that this is known.
        try writer.finish(
            metadata: [ShardMetadata.sources: "", ShardMetadata.summary: try summary.metadata()],
            labels: kind == .lineart ? [] : [UInt8](try encoder.encode(labels)))
        UnfinishedFiles.remove(writer.temporary)
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }
}

/// The fonts of the system.
private enum Fonts {
    /// Families with their styles that can write English, as fontconfig lists them; generic ones where it cannot be asked.
    static func installed() -> [String] {
        let generic = ["sans", "serif", "monospace"].flatMap { [$0, "\($0) bold", "\($0) italic"] }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["fc-list", ":lang=en:scalable=true", "family", "style"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return generic }
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // `DejaVu Sans,DejaVu Sans Condensed:style=Condensed Bold,Bold`: the first of each.
        let fonts = Set(output.split(separator: "\n").compactMap { line -> String? in
            let pieces = line.components(separatedBy: ":style=")
            guard let family = pieces[0].split(separator: ",").first, !family.isEmpty else { return nil }
            let style = pieces.count > 1 ? pieces[1].split(separator: ",").first.map(String.init) ?? "" : ""
            return "\(family.replacingOccurrences(of: "\\", with: "")), \(style)"
        })
        let symbols = ["symbol", "dingbat", "emoji", "d050000", "icon", "music", "math"]
        let usable = fonts.filter { font in !symbols.contains { font.lowercased().contains($0) } }.sorted()
        return usable.isEmpty ? generic : usable
    }
}
