// OutputOptions: the options of `acuity upscale` that say how a result is written: format, quality, size of the file, metadata.

import ArgumentParser
import Imaging
import SuperResolution

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("f"), .customLong("format")], help: ArgumentHelp(
        "png, jpg, webp, tif, gif, avif, heic, jxl, jp2, bmp, ppm, or same (as the input). Default: what the output's name says, else png; animations and documents keep their format.", valueName: "format"))
    var format: String?

    @Option(parsing: .unconditional, help: ArgumentHelp(
        "1 to 100, for formats with loss. Default: 92; HEIC and AVIF 85; JPEG 2000 without loss.", valueName: "quality"))
    var quality: Int?

    @Flag(help: "Lose nothing: WebP, JPEG XL and JPEG 2000 (PNG, TIFF, BMP and PPM never do).")
    var lossless = false

    @Option(parsing: .unconditional, help: ArgumentHelp("How hard to look for a small file, 0 (fast) to 9.", valueName: "effort"))
    var effort: Int?

    @Option(help: ArgumentHelp(
        "444 keeps colour as fine as brightness, 420 halves it, auto decides by the quality. WebP is always 420, with 444 more carefully.", valueName: "chroma"))
    var subsampling = Picture.WritingOptions.Subsampling.automatic.rawValue

    @Option(help: ArgumentHelp("The largest file that will do, such as 500KB or 2MB: the best quality below it is found.", valueName: "size"))
    var targetSize: String?

    @Option(help: ArgumentHelp("What transparent pictures are laid on in JPEG, BMP and PPM: white, black, grey or #RRGGBB.", valueName: "colour"))
    var background = "white"

    @Flag(help: "Leave EXIF, XMP, IPTC and file times behind; a colour profile stays where the colours need it.")
    var strip = false

    @Option(help: ArgumentHelp("Dots per inch: keep, scale (prints as large as before), or a number.", valueName: "dpi"))
    var dpi = "keep"

    /// - Throws: ``AcuityError`` with code `.usage` for a value that makes no sense.
    func writingOptions(overwrite: Bool) throws -> Picture.WritingOptions {
        var options = Picture.WritingOptions(quality: quality, overwrite: overwrite)
        if let quality, !(1...100).contains(quality) { throw AcuityError(.usage, "quality \(quality): must lie between 1 and 100") }
        if let effort, !(0...9).contains(effort) { throw AcuityError(.usage, "effort \(effort): must lie between 0 and 9") }
        if let format, format != "same" {
            guard let known = ImageFormat(named: format) else {
                throw AcuityError(.usage, "format \(format): must be one of \(ImageFormat.writableNames), or same")
            }
            options.format = known
        }
        guard let chroma = Picture.WritingOptions.Subsampling(rawValue: subsampling.replacing(":", with: "")) else {
            throw AcuityError(.usage, "subsampling \(subsampling): must be auto, 444 or 420")
        }
        options.lossless = lossless
        options.effort = effort
        options.subsampling = chroma
        options.targetBytes = try targetSize.map(Self.bytes)
        options.background = try Self.colour(background)
        options.strip = strip
        switch dpi {
        case "keep": options.resolution = .kept
        case "scale": options.resolution = .scaled
        default:
            guard let dots = Double(dpi) else { throw AcuityError(.usage, "dpi \(dpi): must be keep, scale or a number") }
            options.resolution = .dotsPerInch(dots)
        }
        // What the format cannot do is said before any picture is read.
        if let format = options.format { _ = try Picture.format(for: "", options: Picture.WritingOptions(like: options, format: format)) }
        return options
    }

    /// The format for the result of one input, where neither the options nor the output's name decide.
    func format(of input: PictureSequence) -> ImageFormat {
        let isKept = format == "same" || input.pictures.count > 1
        return isKept ? input.format.flatMap { $0.isWritable ? $0 : nil } ?? .png : .png
    }

    /// `500KB`, `1.5 MB`, `64KiB`, `100000`: a thousand unless an `i` makes it 1024.
    static func bytes(_ text: String) throws -> Int {
        let units: [(String, Double)] = [
            ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000),
            ("k", 1000), ("m", 1_000_000), ("g", 1_000_000_000), ("b", 1), ("", 1),
        ]
        let word = text.lowercased().filter { $0 != " " }
        for (unit, factor) in units where word.hasSuffix(unit) {
            guard let number = Double(word.dropLast(unit.count)), number.isFinite, number > 0, number * factor >= 1, number * factor < 1e15 else { break }
            return Int(number * factor)
        }
        throw AcuityError(.usage, "target size \(text): must be a number of bytes, such as 500KB or 2MB")
    }

    /// A colour's red, green and blue.
    static func colour(_ text: String) throws -> [UInt8] {
        switch text.lowercased() {
        case "white": return [255, 255, 255]
        case "black": return [0, 0, 0]
        case "grey", "gray": return [128, 128, 128]
        default:
            let digits = text.hasPrefix("#") ? String(text.dropFirst()) : text
            guard digits.count == 6, digits.allSatisfy(\.isHexDigit), let number = UInt32(digits, radix: 16) else {
                throw AcuityError(.usage, "background \(text): must be white, black, grey or #RRGGBB")
            }
            return [UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)]
        }
    }
}

extension Picture.WritingOptions {
    fileprivate init(like other: Picture.WritingOptions, format: ImageFormat) {
        self = other
        self.format = format
    }
}
