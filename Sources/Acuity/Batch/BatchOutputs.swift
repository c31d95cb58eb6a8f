// BatchOutputs: where the output of every picture of a batch goes, and how it is called.

package import Imaging
package import SuperResolution

/// The rule by which inputs get their outputs.
package struct BatchOutputs: Sendable {
    package enum Place: Sendable, Hashable {
        /// In the folder of each input.
        case besideInputs
        /// In this folder, the inputs' tree kept below it.
        case folder(String)
        /// This very file, for a single input.
        case file(String)
    }

    package var place: Place
    package var name: NameTemplate
    /// What a name is filled with.
    package var target: Upscaler.Target
    package var model: String
    /// `nil`: what the name says of a ``Place/file(_:)``; else PNG, and animations and documents of pages keep theirs.
    package var format: ImageFormat?
    /// The input's own format, where it can be written.
    package var keepsFormat: Bool

    package init(place: Place, name: NameTemplate, target: Upscaler.Target, model: String, format: ImageFormat?, keepsFormat: Bool = false) {
        self.place = place
        self.name = name
        self.target = target
        self.model = model
        self.format = format ?? name.literalExtension.flatMap(ImageFormat.init(named:))
        self.keepsFormat = keepsFormat
    }

    /// The format of most outputs; nil where names or inputs decide.
    package var usualFormat: ImageFormat? { place.isFile || keepsFormat ? nil : format ?? .png }

    /// - Parameter isShared: whether the picture's output needs the whole of the input's name, as ``sharing(_:)`` says.
    /// - Throws: ``AcuityError`` where the format is the input's and that cannot be told, or the name is too long.
    func destination(of picture: FoundPicture, isShared: Bool) throws -> (path: String, format: ImageFormat?) {
        var format = format
        if keepsFormat {
            let own = try ImageFormat(contentsOf: picture.path)
            format = own.isWritable ? own : .png
        }
        if case .file(let path) = place { return (path, format) }
        if format == nil { format = sequenceFormat(of: picture) }
        return (try path(of: picture, format: format ?? .png, isShared: isShared), format ?? .png)
    }

    /// The input's format, if it holds several pictures that this format can hold again.
    private func sequenceFormat(of picture: FoundPicture) -> ImageFormat? {
        // What cannot be read is said when it is read.
        guard let own = try? ImageFormat(contentsOf: picture.path), own.holdsSequences, own.isWritable,
            let header = try? PictureHeader(contentsOf: picture.path), header.frames > 1
        else { return nil }
        return own
    }

    /// Where the output would go if the input's name told its format, likeliest first: good enough to recognise outputs
    /// among inputs.
    func likelyDestinations(of picture: FoundPicture) -> [String] {
        let own = ImageFormat(named: FileName(picture.fileName).pathExtension).flatMap { $0.isWritable ? $0 : nil } ?? .png
        var formats = [keepsFormat ? own : format ?? .png]
        if format == nil, own.holdsSequences { formats.append(own) }
        return [false, true].flatMap { isShared in formats.compactMap { try? path(of: picture, format: $0, isShared: isShared) } }
    }

    /// The pictures, by absolute path, that would get the same output as another of a different name: their whole name
    /// stands for `{stem}`. It depends on which pictures there are, not on their order.
    func sharing(_ pictures: [FoundPicture]) -> Set<String> {
        guard !place.isFile else { return [] }
        let claims = Dictionary(grouping: pictures) { likelyDestinations(of: $0).first.map(standardPath) }
        return claims.reduce(into: []) { result, claim in
            guard claim.key != nil, Set(claim.value.map(\.fileName)).count > 1 else { return }
            result.formUnion(claim.value.map { standardPath($0.path) })
        }
    }

    private func path(of picture: FoundPicture, format: ImageFormat, isShared: Bool) throws -> String {
        let file = FileName(picture.fileName)
        let name = name.name { field in
            switch field {
            case .stem: isShared ? picture.fileName : file.stem
            case .ext: format.fileExtension
            case .scale: target.scaleText ?? ""
            case .size: target.sizeText
            case .model: model
            case .source: file.pathExtension.lowercased()
            }
        }
        let last = FileName.last(of: name)
        guard last.utf8.count <= 255 else {
            throw AcuityError(.file, "\(picture.path): its output's name would have \(last.utf8.count) bytes, more than a file's name can have (255); --name can shorten it")
        }
        switch place {
        case .besideInputs: return picture.folder + name
        case .folder(let folder):
            return (folder.hasSuffix("/") ? folder : folder + "/") + (picture.tree.isEmpty ? "" : picture.tree + "/") + name
        case .file(let path): return path
        }
    }
}

extension BatchOutputs.Place {
    var isFile: Bool { if case .file = self { true } else { false } }
}

/// A file's name in its two parts.
struct FileName {
    let stem: String
    /// Without the dot; empty where there is none.
    let pathExtension: String

    init(_ name: String) {
        if let dot = name.lastIndex(of: "."), dot > name.startIndex {
            (stem, pathExtension) = (String(name[..<dot]), String(name[name.index(after: dot)...]))
        } else {
            (stem, pathExtension) = (name, "")
        }
    }

    static func last(of path: String) -> Substring { path.split(separator: "/").last ?? "" }
}

extension Upscaler.Target {
    /// A factor as a name holds it; nil where a size was asked for.
    package var scaleText: String? {
        guard case .factor(let factor) = self else { return nil }
        return factor == factor.rounded() ? String(Int(factor)) : String(factor)
    }

    /// E.g. `4x`, `800w`, `600h`, `1920px`.
    package var sizeText: String {
        switch self {
        case .factor: (scaleText ?? "") + "x"
        case .width(let n): "\(n)w"
        case .height(let n): "\(n)h"
        case .longEdge(let n): "\(n)px"
        case .fit(let width, let height): "\(width)x\(height)"
        }
    }
}
