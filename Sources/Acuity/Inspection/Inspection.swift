// Inspection: what a picture file is, what may be expected of enlarging it, and with what.

import Foundation
import Imaging
import SuperResolution

/// Everything that `acuity inspect` says about a file.
package struct Inspection: Sendable, Codable, Hashable {
    package var file: String
    package var bytes: Int
    package var format: String
    /// Of the upright picture.
    package var width: Int
    package var height: Int
    /// Frames of an animation or pages of a document; what follows is said of the first.
    package var frames: Int
    /// Bits per sample; 32 are floats.
    package var depth: Int
    package var isGrey: Bool
    package var isCMYK: Bool
    /// The name of the colour profile.
    package var profile: String?
    package var hasAlpha: Bool
    /// What the file carries, of `ICC`, `EXIF`, `XMP` and `IPTC`.
    package var carries: [String]
    /// Of a JPEG, 1…100, by its quantisation tables.
    package var jpegQuality: Int?
    /// Of a JPEG that the picture was before, by the blocks that show, see ``PictureMeasures/blockQuality``.
    package var blockQuality: Int?
    /// σ, levels of 255.
    package var noise: Double
    /// σ of the sharpest edges, pixels.
    package var blur: Double?
    /// Pixels that would do to hold what is there; nil where there is too little structure to tell.
    package var realWidth: Int?
    package var realHeight: Int?
    /// Shares, 0…1.
    package var textShare: Double
    package var whiteShare: Double
    package var blackShare: Double
    /// The model that suits it best among the installed ones.
    package var model: String
    /// The largest factor that the picture supports, 1…4.
    package var factor: Double
    /// Why this model and this factor.
    package var reasons: [String]
    /// What no enlargement can bring back.
    package var limits: [String]

    /// Reads and measures a picture.
    /// - Throws: ``AcuityError`` as reading the picture does, or where the installed models cannot be listed.
    package init(contentsOf path: String, catalogue: ModelCatalogue = ModelCatalogue()) throws {
        let header = try PictureHeader(contentsOf: path)
        let picture = try Picture(contentsOf: path)
        let quality = header.format == .jpeg ? JPEGHeader.quality(ofFile: path) : nil
        // Colours under transparent pixels are nobody's to see.
        let measures = PictureMeasures(picture.alpha.map { picture.pixels.bled(under: $0) } ?? picture.pixels, alpha: picture.alpha)
        let support = EnlargementSupport(measures, width: picture.width, height: picture.height, jpegQuality: quality)
        let choice = Inspection.choice(measures, jpegQuality: quality, among: try catalogue.entries())

        file = path
        bytes = fileSize(path)
        format = header.format.rawValue
        (width, height) = (picture.width, picture.height)
        frames = header.frames
        depth = header.depth
        isCMYK = header.isCMYK
        profile = header.profile
        isGrey = picture.pixels.channels == 1
        hasAlpha = picture.alpha != nil
        carries = header.fields
        jpegQuality = quality
        blockQuality = measures.blockQuality
        noise = measures.noise
        blur = measures.blur
        realWidth = measures.resolution.map { max(1, Int((Double(picture.width) * $0).rounded())) }
        realHeight = measures.resolution.map { max(1, Int((Double(picture.height) * $0).rounded())) }
        textShare = measures.textShare
        (whiteShare, blackShare) = (measures.white, measures.black)
        model = choice.model
        factor = support.factor
        reasons = [choice.reason] + (support.reasons.isEmpty ? ["×4 because nothing speaks against it; beyond that detail is invented"] : support.reasons)
        limits = Inspection.limits(measures, jpegQuality: quality, picture)
    }

    /// The model by what the gate held it to: text for text, restoring ones for damaged pictures, faithful ones else.
    private static func choice(_ measures: PictureMeasures, jpegQuality: Int?, among entries: [ModelCatalogue.Entry]) -> (model: String, reason: String) {
        let (wanted, what): (String, String) =
            if measures.isDrawn {
                ("text", "most of it looks like text or line art")
            } else if measures.noise > 4 || min(jpegQuality ?? 100, measures.blockQuality ?? 100) < 75 {
                ("restore", "it is \(measures.noise > 4 ? "noisy" : (jpegQuality ?? 100) < 75 ? "compressed" : "compressed, or was")")
            } else {
                ("faithful", "it is clean")
            }
        func best(_ profile: String) -> String? {
            let names = Set(entries.filter { ($0.card.profile ?? "faithful") == profile }.map(\.name))
            if names.contains(Upscaler.Method.defaultName) { return Upscaler.Method.defaultName }
            func figure(_ name: String) -> Double {
                entries.filter { $0.name == name }.flatMap(\.card.metrics).filter { $0.name == "psnr_y" }.map(\.value).max() ?? 0
            }
            return names.max { (figure($0), $1) < (figure($1), $0) }
        }
        if let model = best(wanted) {
            let grain = wanted == "restore" && measures.noise > 4 ? "; --denoise 0.5 leaves it half of its grain" : ""
            return (model, "\(model) because \(what)\(grain)")
        }
        if let model = best("faithful") {
            return (model, "\(model), although \(what), because no model for that is installed")
        }
        return entries.first.map { ($0.name, "\($0.name), the only one installed") } ?? ("lanczos3", "lanczos3 because no model is installed")
    }

    private static func limits(_ measures: PictureMeasures, jpegQuality: Int?, _ picture: Picture) -> [String] {
        func percent(_ share: Double) -> String { share >= 0.1 ? "\(Int((share * 100).rounded())) %" : "\((share * 1000).rounded() / 10) %" }
        var limits: [String] = []
        if let resolution = measures.resolution, resolution < 0.9 {
            limits.append("detail finer than \((1 / resolution * 10).rounded() / 10) pixels: there is none in the file")
        }
        if let quality = jpegQuality, quality < 75 {
            limits.append("texture and colour edges that JPEG quality \(quality) has dropped")
        } else if measures.blockQuality != nil {
            limits.append("texture and colour edges that were dropped when it was compressed before")
        }
        if measures.noise > 4 { limits.append("detail weaker than the noise, of σ \(Int(measures.noise.rounded())) at most") }
        // Drawings are white and black on purpose.
        if !measures.isDrawn {
            if measures.white > 0.01 { limits.append("what was in the \(percent(measures.white)) of pixels that are pure white") }
            if measures.black > 0.01 { limits.append("what was in the \(percent(measures.black)) of pixels that are pure black") }
        }
        if picture.pixels.depth == .eight, picture.format == .gif { limits.append("colours that the palette of a GIF has dropped") }
        limits.append("faces, writing and patterns of fewer pixels than it takes to tell them apart: what a network draws there is a guess")
        return limits
    }
}

/// The beginning of a JPEG file, beyond the profiles that may come first.
enum JPEGHeader {
    /// The quality it was written with, 1…100; nil if it does not tell.
    static func quality(ofFile path: String) -> Int? {
        guard let file = FileHandle(forReadingAtPath: path), let head = try? file.read(upToCount: 1 << 21) else { return nil }
        return jpegQuality(of: [UInt8](head))
    }
}
