// EvaluateCommand: `acuity evaluate`, PSNR-Y and SSIM-Y of a method on a folder of ground truth.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import Imaging
import SuperResolution

struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure a model against ground truth: PSNR and SSIM, as papers report them.",
        discussion: """
            Each picture of the folder is cropped to a multiple of SCALE, shrunk by MATLAB's bicubic, rounded to 8 bit, \
            enlarged again, rounded to 8 bit, and compared with the original on luma (float Y, grey pictures as they \
            are), without a border of SCALE pixels. The figures are means over the pictures.

            EXAMPLES
              acuity evaluate -n fast -s 4 Set5
              acuity evaluate -n bicubic -s 2 Set14 --per-image
              acuity evaluate -n realesr-general-x4v3.pth -s 4 BSD100 --json
              acuity evaluate -n restore -s 4 Set14 --noise 10 --jpeg 30
            """)

    @Option(name: [.customShort("n"), .customLong("model")], help: ArgumentHelp(
        "What enlarges: an installed model, nearest, bilinear, bicubic, lanczos3, or a weights file.", valueName: "model"))
    var model: String

    @Option(name: [.customShort("s"), .customLong("scale")], parsing: .unconditional, help: ArgumentHelp("A whole number, 1 to 16.", valueName: "scale"))
    var scale: Int

    @Argument(help: ArgumentHelp("Folder of ground-truth pictures.", valueName: "hr-folder"))
    var folder: String

    @Option(parsing: .unconditional, help: ArgumentHelp("Compress the small pictures as JPEG of this quality, colours halved (4:2:0), before they are enlarged.", valueName: "quality"))
    var jpeg: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Add Gaussian noise of this standard deviation, in levels of 255, to the small pictures first.", valueName: "sigma"))
    var noise: Float?

    @Option(parsing: .unconditional, help: ArgumentHelp("As with acuity upscale.", valueName: "share"))
    var strength: Double?

    @Flag(help: "One JSON object on standard output.")
    var json = false

    @Flag(help: "Also the figures of every picture.")
    var perImage = false

    @Option(name: [.customShort("j"), .customLong("threads")], parsing: .unconditional, help: ArgumentHelp(
        "Threads that the network runs on. Default: all cores.", valueName: "threads"))
    var threads: Int?

    func run() async throws {
        if let jpeg, !(1...100).contains(jpeg) { throw AcuityError(.usage, "jpeg \(jpeg): must lie between 1 and 100") }
        if let noise, !(0...255).contains(noise) { throw AcuityError(.usage, "noise \(noise): must lie between 0 and 255") }
        let benchmark = try Benchmark(scale: scale, damage: { [noise, jpeg] low in
            let noisy = noise.map { low.noisy(sigma: $0) } ?? low
            return try jpeg.map { try noisy.compressed(quality: $0) } ?? noisy
        })
        if let threads, !(1...1024).contains(threads) { throw AcuityError(.usage, "threads \(threads): must lie between 1 and 1024") }
        let upscaler = try Upscaler(.named(model, strength: strength, threads: threads), target: .factor(Double(scale)))
        let pictures = try PictureFolder.pictures(in: folder)
        // Packing the weights happens once and is not part of the speed.
        _ = try await upscaler.upscale(PixelBuffer(Raster(width: 16, height: 16, channels: 3), depth: .eight))

        let scores = try await benchmark.measure(
            pictures, load: PictureFolder.load, enlarge: upscaler.enlarging(depth: .eight)
        ) { image in
            if perImage && !json { print(Self.line(image.name, image.psnrY, image.ssimY, image.seconds)) }
        }
        if json {
            print(try String(decoding: Self.encoder.encode(Report(model: model, scores: scores, perImage: perImage)), as: UTF8.self))
        } else {
            let count = scores.images.count
            print(Self.line("\(model) ×\(scale), \(count) picture\(count == 1 ? "" : "s")", scores.psnrY, scores.ssimY, scores.seconds)
                + String(format: "  %.2f Mpx/s", scores.megapixelsPerSecond))
        }
    }

    private static func line(_ name: String, _ psnr: Double, _ ssim: Double, _ seconds: Double) -> String {
        "\(name)  " + String(format: "PSNR-Y %.3f dB  SSIM-Y %.4f  %.2f s", psnr, ssim, seconds)
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return encoder
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        struct Image: Encodable {
            let name: String
            let psnr_y: Double
            let ssim_y: Double
            let seconds: Double
        }
        let model: String
        let scale: Int
        let images: Int
        let psnr_y: Double
        let ssim_y: Double
        let seconds: Double
        let megapixels_per_second: Double
        let per_image: [Image]?

        init(model: String, scores: Scores, perImage: Bool) {
            self.model = model
            scale = scores.scale
            images = scores.images.count
            psnr_y = scores.psnrY
            ssim_y = scores.ssimY
            seconds = scores.seconds
            megapixels_per_second = scores.megapixelsPerSecond
            per_image = perImage ? scores.images.map { Image(name: $0.name, psnr_y: $0.psnrY, ssim_y: $0.ssimY, seconds: $0.seconds) } : nil
        }
    }
}

extension Raster {
    /// Through a JPEG file and back, as cameras and sites write them: libjpeg's, colours halved (4:2:0).
    /// - Parameter quality: 1…100.
    func compressed(quality: Int) throws -> Raster {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).jpg").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var options = Picture.WritingOptions(quality: quality)
        options.subsampling = .half
        try Picture(pixels: PixelBuffer(self, depth: .eight)).write(to: path, options: options)
        return try Picture(contentsOf: path, colour: .sRGB).pixels.raster
    }
}
