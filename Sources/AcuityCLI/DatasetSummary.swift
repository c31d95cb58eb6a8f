// DatasetSummary: what a dataset command took, left out and why: for a person, for programs, and for the shard's header.

import Foundation
import SuperResolution
import Training

struct DatasetSummary: Codable, Sendable {
    struct Refusal: Codable, Sendable {
        let picture: String
        /// The evaluation picture, e.g. `Set5/baby.png`.
        let shows: String
        let how: String
        let similarity: Double
    }
    struct Validation: Codable, Sendable {
        let output: String
        var pictures = 0
        var bytes = 0
    }

    let tool = "acuity \(acuityVersion) dataset"
    var output: String?
    /// `crops`, `whole`, `text`, `logos` or `lineart`.
    let kind: String
    /// Names of the folders, without the path to them.
    let folders: [String]
    let seed: UInt64
    /// Side of the crops; nil for whole pictures.
    let crop: Int?
    /// How the crops were chosen: `filtered`, `unfiltered`, `hardest half` or `classic`.
    let selection: String
    /// Pictures found.
    var found = 0
    /// Pictures that gave something.
    var pictures = 0
    /// Crops written; 0 for whole pictures.
    var crops = 0
    var bytes = 0
    /// JPEG pictures that were halved.
    var halved = 0
    var picturesLeftOut: [String: Int] = [:]
    var cropsLeftOut: [String: Int] = [:]
    /// Evaluation sets that were kept out; nil where none was looked for.
    var evaluationSets: [EvaluationSets.Set]?
    var refused: [Refusal] = []
    /// Pictures by licence, from a COCO file.
    var licences: [String: Int] = [:]
    var listedButMissing = 0
    var validation: Validation?
    var contactSheet: String?
    /// Strings on drawn pictures.
    var labels: Int?
    var seconds: Double?

    enum CodingKeys: String, CodingKey {
        case tool, output, kind, folders, seed, crop, selection, found, pictures, crops, bytes, halved
        case picturesLeftOut = "pictures_left_out"
        case cropsLeftOut = "crops_left_out"
        case evaluationSets = "evaluation_sets"
        case refused, licences
        case listedButMissing = "listed_but_missing"
        case validation
        case contactSheet = "contact_sheet"
        case labels, seconds
    }

    init(kind: String, folders: [String], seed: UInt64, crop: Int?, selection: String) {
        self.kind = kind
        self.folders = folders.map { URL(fileURLWithPath: $0).standardizedFileURL.lastPathComponent }
        self.seed = seed
        self.crop = crop
        self.selection = selection
    }

    /// For the shard's header: what depends on the data alone, so that the same pictures give the same bytes.
    func metadata() throws -> String {
        var copy = self
        (copy.output, copy.contactSheet, copy.validation, copy.seconds) = (nil, nil, nil, nil)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(copy), as: UTF8.self)
    }

    mutating func leaveOut(picture reason: DropReason) { picturesLeftOut[reason.rawValue, default: 0] += 1 }
    mutating func leaveOut(crop reason: DropReason, count: Int = 1) {
        if count > 0 { cropsLeftOut[reason.rawValue, default: 0] += count }
    }

    /// Several lines for a person.
    var text: String {
        let what = crop.map { "\(crops) crops of \($0) pixels" } ?? "whole"
        var lines = ["\(output ?? ""): \(pictures) of \(found) pictures, \(what), \(bytes >> 20) MB"]
        func list(_ counts: [String: Int], _ words: [DropReason: String]) -> String {
            DropReason.allCases.compactMap { reason in counts[reason.rawValue].map { "\($0) \(words[reason] ?? reason.rawValue)" } }.joined(separator: ", ")
        }
        if !picturesLeftOut.isEmpty { lines.append("  pictures left out: " + list(picturesLeftOut, DatasetSummary.pictureWords)) }
        if !cropsLeftOut.isEmpty { lines.append("  crops left out: " + list(cropsLeftOut, DatasetSummary.cropWords)) }
        if halved > 0 { lines.append("  halved: \(halved) JPEG pictures") }
        if !licences.isEmpty { lines.append("  licences: " + licences.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")) }
        if listedButMissing > 0 { lines.append("  listed but not there: \(listedButMissing) pictures") }
        if let sets = evaluationSets {
            lines.append("  kept out: " + (sets.isEmpty ? "nothing, as no evaluation sets were found" : sets.map { "\($0.name) (\($0.pictures))" }.joined(separator: ", ")))
        }
        if let labels { lines.append("  labels: \(labels) strings") }
        if let validation { lines.append("  validation: \(validation.output): \(validation.pictures) pictures, \(validation.bytes >> 20) MB") }
        if let contactSheet { lines.append("  contact sheet: \(contactSheet)") }
        return lines.joined(separator: "\n")
    }

    /// Why nothing was left, on one line.
    var nothingLeft: String {
        let pictures = DropReason.allCases.compactMap { reason in
            picturesLeftOut[reason.rawValue].map { "\($0) \(DatasetSummary.pictureWords[reason] ?? reason.rawValue)" }
        }
        return "none of the \(found) pictures could be used: " + (pictures.isEmpty ? "no crops" : pictures.joined(separator: ", "))
    }

    static let pictureWords: [DropReason: String] = [
        .unreadable: "unreadable", .small: "smaller than a crop", .duplicate: "repeating another", .evaluation: "showing evaluation pictures",
        .list: "other than listed", .empty: "without a good crop",
    ]
    static let cropWords: [DropReason: String] = [
        .flat: "flat", .blurred: "blurred", .blocky: "block-compressed", .difficulty: "too easy or among the hardest twentieth",
    ]
}
