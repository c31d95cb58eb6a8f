// DatasetCutting: photographs into a shard: read and judged on several threads, written in order.

import Foundation
import Imaging
import SuperResolution
import Training

/// A picture after reading and judging.
private struct PreparedPicture: Sendable {
    struct Crop: Sendable {
        let bytes: [UInt8]
        let difficulty: Float
    }
    /// Why it is left out, and the same in words.
    var drop: (reason: DropReason, words: String)?
    var refusal: HeldOutPictures.Match?
    var signature: PictureSignature?
    var isHalved = false
    var crops: [Crop] = []
    /// Refused crops, with thumbnails where a contact sheet is wanted.
    var faults: [(reason: DropReason, thumbnail: [UInt8])] = []
    /// Of the picture, where a contact sheet is wanted.
    var thumbnail: [UInt8] = []
    /// For whole pictures, validation, and the classic choice of crops.
    var pixels: PixelBuffer?
}

extension DatasetCommand {
    /// JPEG pictures written with less are halved by `--shrink auto`.
    static let lowQuality = 85
    /// Most lines about single pictures of one kind.
    private static let lineLimit = 20

    /// Photographs into one shard, and another for validation where asked for.
    func cut() throws -> DatasetSummary {
        let start = ContinuousClock.now
        let list = try DatasetPictures(self)
        let pictures = list.pictures
        let training = pictures.count { !$0.isForValidation }
        guard training > 0 else { throw AcuityError(.file, "no pictures are left to train on: all are for validation") }
        let writer = try makeWriter(output, cropSize: whole ? nil : crop, pictures: whole ? pictures : [], hashes: training)
        let validationWriter = try validationOutput.map { try makeWriter($0, cropSize: nil, pictures: pictures.filter(\.isForValidation), hashes: 0) }
        // Whole pictures are for validation, and validating on an evaluation set is what one does.
        let evaluation = whole ? nil : try EvaluationSets(self)
        if let evaluation, evaluation.sets.isEmpty { report("no evaluation sets found ($ACUITY_DATA/eval, ../shared/data/eval, --exclude): none is kept out") }

        let selection = classic ? "classic" : (noFilter ? "unfiltered" : "filtered") + (hardestHalf ? ", hardest half" : "")
        var summary = DatasetSummary(kind: whole ? "whole" : "crops", folders: folders, seed: seed, crop: whole ? nil : crop, selection: selection)
        summary.output = output
        summary.found = pictures.count
        summary.evaluationSets = evaluation?.sets
        summary.licences = list.licences
        summary.listedButMissing = list.missing
        summary.validation = validationOutput.map { .init(output: $0) }

        var duplicates = DuplicateFinder(distance: duplicateDistance)
        var classicRandom = SplitMix(seed: seed)
        var sources: [PerceptualHash] = []
        var difficulties: [Float] = []
        var sheet = ContactSheet()
        var lines: [DropReason: Int] = [:]
        let wantsSheet = contactSheet != nil
        let progress = ProgressLine(label: "dataset")
        defer { progress.finish() }

        let command = self
        let heldOut = evaluation?.pictures
        try inOrder(pictures.count, threads: workers, work: { command.prepare(pictures[$0], heldOut: heldOut) }) { index, prepared in
            let picture = pictures[index]
            progress.show(Double(index) / Double(pictures.count))
            let order = nameHash(picture.name)

            func drop(_ reason: DropReason, _ words: String) throws {
                summary.leaveOut(picture: reason)
                if let refusal = prepared.refusal {
                    summary.refused.append(
                        .init(picture: picture.name, shows: refusal.name, how: refusal.kind + (refusal.isMirrored ? ", mirrored" : ""),
                              similarity: (refusal.similarity * 1000).rounded() / 1000))
                }
                if wantsSheet, !prepared.thumbnail.isEmpty {
                    sheet.add(prepared.thumbnail, to: "pictures left out, " + (DatasetSummary.pictureWords[reason] ?? reason.rawValue), order: order)
                }
                if reason == .evaluation, strict { throw AcuityError(.training, "\(picture.path): \(words); refused (--strict)") }
                // Refusals are all named; of the rest a few, for the counts follow.
                lines[reason, default: 0] += 1
                guard reason != .small, reason != .empty, reason == .evaluation || lines[reason, default: 0] <= Self.lineLimit else { return }
                progress.finish()
                report("\(picture.path): \(words); left out")
            }

            // The classic draw goes on over pictures that are refused, so that the others' crops stay what they were.
            var classicCrops: [(x: Int, y: Int)] = []
            if classic, let pixels = prepared.pixels {
                classicCrops = detailedCrops(of: pixels.bytes, width: pixels.width, height: pixels.height, size: crop, count: perImage, using: &classicRandom)
            }
            if let (reason, words) = prepared.drop { return try drop(reason, words) }
            if !keepDuplicates, !classic, !whole, let signature = prepared.signature, let other = duplicates.insert(signature, name: picture.name) {
                return try drop(.duplicate, "repeats \(other)")
            }
            if prepared.isHalved { summary.halved += 1 }
            if whole || picture.isForValidation {
                guard let pixels = prepared.pixels, let target = picture.isForValidation ? validationWriter : writer else { return }
                let stem = (picture.name as NSString).deletingPathExtension
                let name = whole ? (stem as NSString).lastPathComponent : stem
                try target.append(name: name, width: pixels.width, height: pixels.height, bytes: pixels.bytes)
                if whole { summary.pictures += 1 }
                return
            }
            for fault in prepared.faults {
                summary.leaveOut(crop: fault.reason)
                if wantsSheet {
                    sheet.add(fault.thumbnail, to: "crops left out, " + (DatasetSummary.cropWords[fault.reason] ?? ""), order: nameHash(picture.name, seed: UInt64(summary.cropsLeftOut.values.reduce(0, +))))
                }
            }
            if let pixels = prepared.pixels, classic {
                for place in classicCrops { try writer.append(crop: place, of: pixels.bytes, width: pixels.width) }
                if classicCrops.isEmpty { return try drop(.small, "") }
            } else {
                if prepared.crops.isEmpty { return try drop(.empty, "") }
                for one in prepared.crops {
                    try writer.append(crop: (0, 0), of: one.bytes, width: crop)
                    difficulties.append(one.difficulty)
                }
            }
            summary.pictures += 1
            if let signature = prepared.signature { sources.append(signature.hash) }
        }
        progress.finish()
        guard writer.count > 0 else { throw AcuityError(.training, summary.nothingLeft) }

        let kept = hardestHalf ? Self.hardest(difficulties) : Array(0..<writer.count)
        if wantsSheet, !whole {
            let all = writer.count
            let chosen = Set(kept)
            for index in Self.sample(kept) { sheet.add(thumbnail(try writer.crop(index)), to: "kept", order: UInt64(index), total: kept.count) }
            let easy = (0..<all).filter { !chosen.contains($0) }
            for index in Self.sample(easy) {
                sheet.add(thumbnail(try writer.crop(index)), to: "crops left out, " + (DatasetSummary.cropWords[.difficulty] ?? ""), order: UInt64(index), total: easy.count)
            }
        }
        if hardestHalf {
            guard !kept.isEmpty else { throw AcuityError(.training, "\(writer.count) crops are too few for --hardest-half") }
            summary.leaveOut(crop: .difficulty, count: writer.count - kept.count)
            try writer.keep(crops: kept)
        }
        summary.crops = whole ? 0 : writer.count
        summary.bytes = writer.byteCount

        if let contactSheet { summary.contactSheet = try write(sheet, to: contactSheet) ? contactSheet : nil }
        if let validationWriter {
            guard validationWriter.count > 0 else { throw AcuityError(.training, "no picture is left for validation; \(summary.nothingLeft)") }
            summary.validation?.pictures = validationWriter.count
            summary.validation?.bytes = validationWriter.byteCount
        }
        let metadata = [ShardMetadata.sources: ShardMetadata.list(sources), ShardMetadata.summary: try summary.metadata()]
        try validationWriter?.finish()
        try writer.finish(metadata: metadata)
        for temporary in [writer.temporary, validationWriter?.temporary].compactMap({ $0 }) { UnfinishedFiles.remove(temporary) }
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    /// A shard that vanishes when the process is interrupted.
    func makeWriter(_ path: String, cropSize: Int?, pictures: [DatasetPicture], hashes: Int) throws -> ShardWriter {
        // 17 characters a hash; a name and its shape for a whole picture; the rest is the summary.
        let room = 8192 + 17 * hashes + pictures.reduce(0) { $0 + 2 * $1.name.utf8.count + 100 }
        let writer = try ShardWriter(path: path, cropSize: cropSize, headerBytes: room, overwrite: overwrite)
        UnfinishedFiles.add(writer.temporary)
        return writer
    }

    /// Reads and judges one picture; on any thread.
    private func prepare(_ picture: DatasetPicture, heldOut: HeldOutPictures?) -> PreparedPicture {
        var prepared = PreparedPicture()
        let source: RGBPicture
        do {
            source = try RGBPicture(contentsOf: picture.path)
        } catch {
            let message = (error as? AcuityError)?.message ?? "\(error)"
            prepared.drop = (.unreadable, message.hasPrefix(picture.path + ": ") ? String(message.dropFirst(picture.path.count + 2)) : message)
            return prepared
        }
        var pixels = source.pixels
        if contactSheet != nil { prepared.thumbnail = ContactSheet.thumbnail(of: pixels.bytes, width: pixels.width, height: pixels.height) }
        if let entry = picture.entry {
            // A file may lie on its side and say so in its orientation.
            let sizes = [[entry.width, entry.height], [entry.height, entry.width]]
            guard sizes.contains([pixels.width, pixels.height]) else {
                prepared.drop = (.list, "is \(pixels.width)×\(pixels.height), listed as \(entry.width)×\(entry.height)")
                return prepared
            }
        }
        if whole {
            prepared.pixels = pixels
            prepared.signature = LumaPlane(pixels).map(PictureSignature.init)
            return prepared
        }
        let least = picture.isForValidation ? 32 : crop
        guard min(pixels.width, pixels.height) >= least else {
            prepared.drop = (.small, "")
            if classic { prepared.pixels = pixels }
            return prepared
        }
        guard let plane = LumaPlane(pixels) else { return prepared }
        prepared.signature = PictureSignature(plane)
        if classic { prepared.pixels = pixels }
        if let match = heldOut?.match(plane) {
            prepared.refusal = match
            prepared.drop = (.evaluation, "shows \(match.name) (\(match.kind)\(match.isMirrored ? ", mirrored" : ""))")
            return prepared
        }
        if classic { return prepared }
        if isToBeHalved(picture, source, least: least), let half = try? Resampling.bicubic.resize(pixels, width: pixels.width / 2, height: pixels.height / 2) {
            pixels = half
            prepared.isHalved = true
        }
        if picture.isForValidation {
            prepared.pixels = Self.middle(of: pixels, side: validationSize)
            return prepared
        }
        var random = SplitMix(seed: nameHash(picture.name, seed: seed))
        let filter = noFilter ? CropFilter.none : CropFilter()
        for choice in chooseCrops(of: pixels.bytes, width: pixels.width, height: pixels.height, size: crop, count: perImage, filter: filter, using: &random) {
            let bytes = cropBytes(of: pixels.bytes, width: pixels.width, x: choice.x, y: choice.y, size: crop)
            if let fault = choice.fault {
                prepared.faults.append((fault, contactSheet == nil ? [] : thumbnail(bytes)))
            } else if let range = try? grainRange() {
                let grain = Grain(sigma: range, using: &random)
                prepared.crops.append(.init(bytes: grain.added(to: bytes, width: crop, height: crop, using: &random), difficulty: 0))
            } else {
                prepared.crops.append(.init(bytes: bytes, difficulty: hardestHalf ? bicubicError(of: bytes, size: crop) : 0))
            }
        }
        return prepared
    }

    /// Only where crops still fit afterwards.
    private func isToBeHalved(_ picture: DatasetPicture, _ source: RGBPicture, least: Int) -> Bool {
        guard shrink != .never, source.format == .jpeg, min(source.pixels.width, source.pixels.height) / 2 >= least else { return false }
        if shrink == .always { return true }
        guard let file = try? FileHandle(forReadingFrom: URL(fileURLWithPath: picture.path)) else { return false }
        defer { try? file.close() }
        // The tables lie before the pixels, but after a profile and a preview.
        guard let head = try? file.read(upToCount: 1 << 20), let quality = jpegQuality(of: [UInt8](head)) else { return false }
        return quality < Self.lowQuality
    }

    private func thumbnail(_ bytes: [UInt8]) -> [UInt8] { ContactSheet.thumbnail(of: bytes, width: crop, height: crop) }

    private static func middle(of pixels: PixelBuffer, side: Int) -> PixelBuffer {
        let (width, height) = (min(side, pixels.width), min(side, pixels.height))
        let (x, y) = ((pixels.width - width) / 2, (pixels.height - height) / 2)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(width * height * 3)
        for row in y..<(y + height) {
            let first = (row * pixels.width + x) * 3
            bytes.append(contentsOf: pixels.bytes[first..<(first + width * 3)])
        }
        return PixelBuffer(width: width, height: height, channels: 3, depth: .eight, bytes: bytes)
    }

    /// The harder half without its hardest twentieth of all, in order of the shard.
    static func hardest(_ difficulties: [Float]) -> [Int] {
        let order = difficulties.indices.sorted { (difficulties[$1], $0) < (difficulties[$0], $1) }
        return order[(order.count / 20)..<((order.count + 1) / 2)].sorted()
    }

    /// Up to 48 of a list, evenly.
    private static func sample(_ list: [Int]) -> [Int] {
        let step = max(1, list.count / 48)
        return stride(from: 0, to: list.count, by: step).prefix(48).map { list[$0] }
    }

    /// Writes the contact sheet.
    /// - Returns: whether there was anything to show.
    func write(_ sheet: ContactSheet, to path: String) throws -> Bool {
        let left = sheet.groups.keys.filter { $0 != "kept" }.sorted()
        let render = { (text: String) -> TextMask? in
            guard let mask = try? TextRendering.coverage(of: text, font: "sans", pixels: 13) else { return nil }
            return TextMask(width: mask.width, height: mask.height, coverage: mask.bytes)
        }
        guard let picture = sheet.picture(order: ["kept"] + left, render: render) else { return false }
        try Picture(pixels: picture).write(to: path, options: .init(overwrite: overwrite))
        return true
    }
}
