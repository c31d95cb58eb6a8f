// DegradeCommand: `acuity degrade`, a picture as the training sees it.

import ArgumentParser
import Foundation
import Imaging
import SuperResolution
import TorchEngine
import Training

struct DegradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "degrade",
        abstract: "Show what training makes of a picture, and every parameter drawn.",
        discussion: """
            Applies one of training's degradations to a picture (its right and lower edge cut to a multiple of the scale, \
            transparency left out) and writes the low resolution. The same seed gives the same result. Needs libtorch.

            MODELS
            \(Degradation.models.map { "  \($0.name): \($0.purpose)" }.joined(separator: "\n"))

            EXAMPLES
              acuity degrade kitten.png -o low.png --model real-esrgan
              acuity degrade kitten.png -o low.png --model real-esrgan --seed 7 --count 5
              acuity degrade kitten.png -o look.png --model camera --scale 2 --compare
              acuity degrade kitten.png -o low.png --model '{"name": "classical", "jpeg": [10, 20]}'
            """)

    @Argument(help: "A picture.")
    var input: String

    @Option(name: [.short, .long], help: ArgumentHelp("The file to write; with --count NAME-1, NAME-2, ….", valueName: "path"))
    var output: String

    @Option(name: [.customShort("m"), .long], help: ArgumentHelp(
        "A model's name, or settings as in a recipe: a JSON object, or a file that holds one.", valueName: "model"))
    var model = "real-esrgan"

    @Option(name: [.customShort("s"), .long], help: "1 to 8.")
    var scale = 4

    @Option(help: "Seed of everything random.")
    var seed: UInt64 = 1

    @Option(help: "How many variants to make, with seeds from --seed on.")
    var count = 1

    @Flag(help: "Write the picture and, enlarged to its size by nearest neighbours, its low resolution side by side.")
    var compare = false

    @Option(help: "cpu, cuda or cuda:1.")
    var device = "cpu"

    @Flag(help: "Replace existing outputs.")
    var overwrite = false

    @Flag(help: "One JSON object per variant on standard output.")
    var json = false

    func validate() throws {
        if !(1...8).contains(scale) { throw ValidationError("--scale is 1 to 8") }
        if !(1...1000).contains(count) { throw ValidationError("--count is 1 to 1000") }
        if seed > .max - 1000 { throw ValidationError("--seed is too large") }
    }

    func run() async throws {
        let degradation = try Degradation(argument: model, option: "--model")
        let options = Picture.WritingOptions(overwrite: overwrite)
        _ = try Picture.format(for: output, options: options)
        let picture = try Picture(contentsOf: input, colour: .sRGB)
        let (width, height) = (picture.width / scale * scale, picture.height / scale * scale)
        guard width > 0, height > 0 else {
            throw AcuityError(.image, "\(input): \(picture.width)×\(picture.height) is too small for --scale \(scale)")
        }
        let outputs = (0..<count).map(path)
        for path in outputs {
            try picture.checkWriting(to: path, options: options, width: compare ? 2 * width + gap : width / scale, height: compare ? height : height / scale)
        }
        let degrader = try PictureDegrader(degradation, scale: scale, device: device)
        let original = PixelBuffer(width: width, height: height, channels: 3, depth: .eight, bytes: rgb(picture.pixels, width: width, height: height))
        for (index, path) in outputs.enumerated() {
            let made = try degrader(original, seed: seed + UInt64(index))
            var result = Picture(pixels: compare ? beside(original.bytes, made.low.bytes, width: width, height: height) : made.low)
            result.origin = picture.origin
            try result.write(to: path, options: options)
            try tell(made.record, degradation, path, seed: seed + UInt64(index), width: width / scale, height: height / scale)
        }
    }

    /// White pixels between the two pictures of a comparison.
    private var gap: Int { 8 }

    private func path(_ index: Int) -> String {
        if count == 1 { return output }
        let url = URL(fileURLWithPath: output)
        let name = "\(url.deletingPathExtension().lastPathComponent)-\(index + 1).\(url.pathExtension)"
        return output.contains("/") ? (output as NSString).deletingLastPathComponent + "/" + name : name
    }

    private func tell(_ record: DegradationRecord, _ degradation: Degradation, _ path: String, seed: UInt64, width: Int, height: Int) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let report = Report(
                input: input, output: path, degradation: degradation, scale: scale, seed: seed, width: width, height: height, record: record)
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print("\(path): \(degradation.name), scale \(scale), seed \(seed), \(width)×\(height)")
            for (number, line) in record.lines.enumerated() { print("  \(number + 1). \(line)") }
        }
    }

    private struct Report: Encodable {
        let input: String
        let output: String
        let degradation: Degradation
        let scale: Int
        let seed: UInt64
        let width: Int
        let height: Int
        let record: DegradationRecord
    }

    /// The upper left corner as three 8-bit channels.
    private func rgb(_ pixels: PixelBuffer, width: Int, height: Int) -> [UInt8] {
        let eight = pixels.depth == .eight ? pixels : PixelBuffer(pixels.raster, depth: .eight)
        var result = [UInt8]()
        result.reserveCapacity(width * height * 3)
        for y in 0..<height {
            let start = y * eight.width * eight.channels
            if eight.channels == 3 {
                result += eight.bytes[start..<start + width * 3]
            } else {
                for x in 0..<width { result += [UInt8](repeating: eight.bytes[start + x * eight.channels], count: 3) }
            }
        }
        return result
    }

    /// The original and the enlarged low resolution with a white gap.
    private func beside(_ original: [UInt8], _ low: [UInt8], width: Int, height: Int) -> PixelBuffer {
        var result = [UInt8]()
        result.reserveCapacity((2 * width + gap) * height * 3)
        for y in 0..<height {
            result += original[y * width * 3..<(y + 1) * width * 3]
            result += [UInt8](repeating: 255, count: gap * 3)
            let row = y / scale * (width / scale)
            for x in 0..<width {
                let pixel = (row + x / scale) * 3
                result += low[pixel..<pixel + 3]
            }
        }
        return PixelBuffer(width: 2 * width + gap, height: height, channels: 3, depth: .eight, bytes: result)
    }
}
