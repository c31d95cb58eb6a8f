// DatasetDrawing: `acuity dataset --synthetic`, drawn pictures with their strings as labels.

import Foundation
import Imaging
import SuperResolution
import Training

extension DatasetCommand {
    /// Draws `count` pictures into a shard of crops, or of whole pictures.
    func draw(_ kind: SyntheticPicture.Kind) throws -> DatasetSummary {
        let start = ContinuousClock.now
        let count = count ?? 0
        let split: SyntheticSplit = heldOut ? .heldOut : .training
        let fonts = kind.hasText ? InstalledFonts.all() : []
        if kind.hasText {
            // Before anything is written.
            _ = try TextRendering.coverage(of: "A", font: "sans", pixels: 16)
            if !fonts.contains(where: { $0.split == split }) {
                report("none of the \(fonts.count) fonts found is of the \(split.rawValue) part: all are used (docs/data.md lists packages)")
            }
        }
        let photographs = try backgrounds.map { try CropShards([$0]) }
        if let photographs, photographs.size != crop { throw AcuityError(.training, "--backgrounds holds crops of \(photographs.size) pixels, not \(crop)") }
        var settings = SyntheticPicture.Settings(fonts: fonts, split: split, xHeight: try letterHeights(), isColoured: coloured)
        if let photographs {
            settings.backgrounds = { random in (try? photographs.batch(1, side: photographs.size, using: &random)) ?? [] }
        }
        let writer = try makeWriter(output, cropSize: whole ? nil : crop, pictures: [], hashes: (photographs?.sources.count ?? 0) + (whole ? 4 * count : 0))
        var summary = DatasetSummary(kind: kind.rawValue, folders: [], seed: seed, crop: crop, selection: split == .training ? "drawn" : "drawn, \(split.rawValue)")
        summary.output = output
        summary.found = count
        var labels: [[SyntheticPicture.Label]] = []
        var sheet = ContactSheet()
        let progress = ProgressLine(label: "dataset")
        defer { progress.finish() }

        let (size, seed, whole, drawn) = (crop, seed, whole, settings)
        try inOrder(
            count, threads: workers,
            work: { index in
                Result {
                    try SyntheticPicture(kind, size: size, seed: nameHash("\(kind.rawValue) \(index)", seed: seed), settings: drawn) { text, font, pixels in
                        try TextRendering.coverage(of: text, font: font, pixels: pixels).flatMap { TextMask(width: $0.width, height: $0.height, coverage: $0.bytes) }
                    }
                }
            },
            consume: { index, result in
                let picture = try result.get()
                progress.show(Double(index) / Double(count))
                if whole {
                    let digits = String(index)
                    try writer.append(
                        name: kind.rawValue + "-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits, width: size, height: size, bytes: picture.bytes)
                } else {
                    try writer.append(crop: (0, 0), of: picture.bytes, width: size)
                }
                labels.append(picture.labels)
                if contactSheet != nil {
                    sheet.add(ContactSheet.thumbnail(of: picture.bytes, width: size, height: size), to: "kept", order: UInt64(index))
                }
            })
        progress.finish()

        summary.pictures = count
        summary.crops = writer.count
        summary.bytes = writer.byteCount
        if kind.hasText { summary.labels = labels.reduce(0) { $0 + $1.count } }
        if let contactSheet { summary.contactSheet = try write(sheet, to: contactSheet) ? contactSheet : nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Of what is drawn nothing was photographed but the backgrounds; the key says that this is known.
        var metadata = [ShardMetadata.sources: ShardMetadata.list(photographs?.sources ?? []), ShardMetadata.summary: try summary.metadata()]
        if let backgrounds, photographs?.shardsWithoutSources.isEmpty == false { metadata[ShardMetadata.unknown] = URL(fileURLWithPath: backgrounds).lastPathComponent }
        try writer.finish(metadata: metadata, labels: kind.hasText && !whole ? [UInt8](try encoder.encode(labels)) : [])
        UnfinishedFiles.remove(writer.temporary)
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }
}
