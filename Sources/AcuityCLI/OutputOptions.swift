// OutputOptions: the options of `acuity upscale` that say how a result is written: format, quality, size of the file, metadata.

import Acuity
import ArgumentParser
import Imaging
import SuperResolution

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("f"), .customLong("format")], help: ArgumentHelp(
        "png, jpg, webp, tif, gif, avif, heic, jxl, jp2, bmp, ppm, dzi, or same (as the input). Default: what the output's name says, else png; animations and documents keep their format.", valueName: "format"))
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

    @Flag(help: "Write TIFF with smaller copies for viewers, in tiles. (A name that ends in .dzi makes a Deep Zoom picture.)")
    var pyramid = false

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
        options.targetBytes = try targetSize.map { try ByteCount(parsing: $0).bytes }
        options.background = try Self.colour(background)
        options.strip = strip
        options.pyramid = pyramid
        switch dpi {
        case "keep": options.resolution = .kept
        case "scale": options.resolution = .scaled
        default:
            guard let dots = Double(dpi) else { throw AcuityError(.usage, "dpi \(dpi): must be keep, scale or a number") }
            options.resolution = .dotsPerInch(dots)
        }
        return options
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
