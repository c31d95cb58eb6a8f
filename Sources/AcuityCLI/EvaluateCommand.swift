// EvaluateCommand: `acuity evaluate`, PSNR-Y and SSIM-Y of a method on a folder of ground truth.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import Hashing
import Imaging
import SuperResolution
import Synchronization
import Training

struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure a model against ground truth: PSNR and SSIM, as papers report them.",
        discussion: """
            Each picture of the folder is cropped to a multiple of SCALE, shrunk by MATLAB's bicubic, rounded to 8 bit, \
            enlarged again, rounded to 8 bit, and compared with the original on luma (float Y, grey pictures as they \
            are), without a border of SCALE pixels. The figures are means over the pictures.

            PSNR prefers soft results. How far a result is from the truth to the eye is measured by the features of a \
            network that was trained on something else (--features), how natural it is by the statistics of photographs \
            (--niqe), and what it has made worse than Lanczos-3 by the map of artefacts of LDL (--artefacts).

            EXAMPLES
              acuity evaluate -n fast -s 4 Set5
              acuity evaluate -n bicubic -s 2 Set14 --per-image
              acuity evaluate -n realesr-general-x4v3.pth -s 4 BSD100 --json
              acuity evaluate -n restore -s 4 Set14 --noise 10 --jpeg 30
              acuity evaluate -n restore -s 4 Set14 --degradation camera
              acuity evaluate -n srgan -s 4 BSD100 --niqe --features squeezenet1_0.safetensors --artefacts maps
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

    @Option(parsing: .unconditional, help: ArgumentHelp("Count this many photons where the small pictures are white (Poisson noise): 30 is a dark room, 1000 daylight.", valueName: "count"))
    var photons: Float?

    @Option(help: ArgumentHelp(
        "Make the small pictures by one of training's degradations instead of bicubic: a name such as camera or real-esrgan, a JSON object, or a file that holds one. Each picture has its own seed, the same every time. Needs libtorch.",
        valueName: "model"))
    var degradation: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("As with acuity upscale.", valueName: "share"))
    var strength: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp("As with acuity upscale.", valueName: "share"))
    var denoise = 1.0

    @Option(parsing: .unconditional, help: ArgumentHelp("As with acuity upscale.", valueName: "count"))
    var selfEnsemble = 1

    @Flag(inversion: .prefixedNo, help: "As with acuity upscale, where --jpeg made the small pictures.")
    var jpegLock: Bool?

    @Option(help: ArgumentHelp(
        "Also the perceptual distance (LPIPS without its learned weights) by the features of SqueezeNet 1.0 or VGG-19, a weights file with torchvision's keys. Needs libtorch.",
        valueName: "weights"))
    var features: String?

    @Flag(help: "Also NIQE-own of all results, and of the ground truth; lower is more natural.")
    var niqe = false

    @Option(help: ArgumentHelp("Write LDL's map of artefacts of every picture into a folder, white from 0.05 on.", valueName: "folder"))
    var artefacts: String?

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
        if let photons, !(0.1...1e6).contains(photons) { throw AcuityError(.usage, "photons \(photons): must lie between 0.1 and 1000000") }
        let file = LastJPEG()
        let benchmark = try Benchmark(scale: scale, reduce: try degraded(), damage: { [photons, noise, jpeg] low in
            let counted = photons.map { low.counted(photons: $0) } ?? low
            let noisy = noise.map { counted.noisy(sigma: $0) } ?? counted
            return try jpeg.map { try file.compress(noisy, quality: $0) } ?? noisy
        })
        if let threads, !(1...1024).contains(threads) { throw AcuityError(.usage, "threads \(threads): must lie between 1 and 1024") }
        let upscaler = try Upscaler(.named(model, strength: strength, threads: threads, selfEnsemble: selfEnsemble), target: .factor(Double(scale)), locksJPEG: jpegLock, denoise: denoise)
        let pictures = try PictureFolder.pictures(in: folder)
        // Packing the weights happens once and is not part of the speed.
        _ = try await upscaler.upscale(PixelBuffer(Raster(width: 16, height: 16, channels: 3), depth: .eight))

        let distance = try features.map { try FeatureDistance(weights: $0) }
        if let artefacts { try FileManager.default.createDirectory(atPath: artefacts, withIntermediateDirectories: true) }
        var further = Further()
        var (results, truths) = ([Raster](), [Raster]())
        let scores = try await benchmark.measure(pictures, load: PictureFolder.load, enlarge: file.holding(upscaler, upscaler.enlarging(depth: .eight))) { outcome in
            if let distance {
                let value = try distance(outcome.result, outcome.pair.truth, border: scale)
                further.distance = (further.distance ?? 0) + value / Double(pictures.count)
            }
            if niqe { (results, truths) = (results + [outcome.result], truths + [outcome.pair.truth]) }
            if let artefacts {
                let map = outcome.artefacts
                let shown = Raster(width: map.width, height: map.height, channels: 1, samples: map.samples.map { ($0 / 0.05).squareRoot() })
                let name = URL(fileURLWithPath: outcome.name).deletingPathExtension().lastPathComponent
                try Picture(pixels: PixelBuffer(shown, depth: .eight)).write(
                    to: "\(artefacts)/\(name).png", options: Picture.WritingOptions(overwrite: true))
            }
        } progress: { image in
            if perImage && !json { print(Self.line(image.name, image.psnrY, image.ssimY, image.seconds)) }
        }
        if niqe { further.naturalness = try (NaturalStatistics.score(results), NaturalStatistics.score(truths)) }
        if json {
            print(try String(decoding: Self.encoder.encode(Report(model: model, scores: scores, further: further, perImage: perImage)), as: UTF8.self))
        } else {
            let count = scores.images.count
            print(Self.line("\(model) ×\(scale), \(count) picture\(count == 1 ? "" : "s")", scores.psnrY, scores.ssimY, scores.seconds)
                + String(format: "  %.2f Mpx/s", scores.megapixelsPerSecond))
            if let distance = further.distance { print(String(format: "perceptual distance %.4f", distance)) }
            if let (own, truth) = further.naturalness { print(String(format: "NIQE-own %.2f, of the ground truth %.2f", own, truth)) }
            if artefacts != nil { print(String(format: "LDL's map of artefacts, mean %.5f", scores.artefacts)) }
        }
    }

    /// How `--degradation` makes a small picture, grey ones staying grey.
    private func degraded() throws -> Benchmark.Reduction? {
        guard let degradation else { return nil }
        guard scale <= 8 else { throw AcuityError(.usage, "scale \(scale): --degradation reaches to 8") }
        let degrader = try PictureDegrader(Degradation(argument: degradation, option: "--degradation"), scale: scale)
        return { truth in
            let original = PixelBuffer(truth.channels == 1 ? truth.greyAsRGB : truth, depth: .eight)
            // Seeded by the picture itself: its damage depends neither on its folder's other pictures nor on its name.
            let seed = UInt64(SHA256.hex(original.bytes).prefix(15), radix: 16) ?? 1
            let low = try degrader(original, seed: seed).low.raster
            return truth.channels == 1 ? low.greyFromRGB : low
        }
    }

    /// Measures that are only taken when they are asked for.
    private struct Further {
        var distance: Double?
        var naturalness: (own: Double, truth: Double)?
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
        let artefact_map: Double
        let perceptual: Double?
        let niqe_own: Double?
        let niqe_own_truth: Double?
        let per_image: [Image]?

        init(model: String, scores: Scores, further: Further, perImage: Bool) {
            self.model = model
            scale = scores.scale
            images = scores.images.count
            psnr_y = scores.psnrY
            ssim_y = scores.ssimY
            seconds = scores.seconds
            megapixels_per_second = scores.megapixelsPerSecond
            artefact_map = scores.artefacts
            perceptual = further.distance
            (niqe_own, niqe_own_truth) = (further.naturalness?.own, further.naturalness?.truth)
            per_image = perImage ? scores.images.map { Image(name: $0.name, psnr_y: $0.psnrY, ssim_y: $0.ssimY, seconds: $0.seconds) } : nil
        }
    }
}

/// The JPEG file that a picture went through last: what users have, beside the picture that it holds.
final class LastJPEG: Sendable {
    private let file = Mutex<(bytes: [UInt8], pixels: PixelBuffer)?>(nil)

    /// The picture through a JPEG file and back, as cameras and sites write them: libjpeg's, colours halved (4:2:0).
    /// - Parameter quality: 1…100.
    func compress(_ picture: Raster, quality: Int) throws -> Raster {
        let bytes = try picture.jpeg(quality: quality)
        let pixels = try Picture(data: bytes, colour: .sRGB).pixels
        file.withLock { $0 = (bytes, pixels) }
        return pixels.raster
    }

    /// What users get: with the file beside it, where the upscaler keeps to it.
    func holding(_ upscaler: Upscaler, _ enlarge: @escaping Enlarging) -> Enlarging {
        { [self] low in
            let result = try await enlarge(low)
            guard upscaler.locksJPEG, let file = file.withLock({ $0 }), file.pixels == PixelBuffer(low, depth: .eight),
                let coefficients = JPEGCoefficients(data: file.bytes)
            else { return result }
            return try await PixelBuffer(result, depth: .sixteen).held(to: coefficients, like: PixelBuffer(low, depth: .sixteen)).raster
        }
    }
}

extension Raster {
    /// As a JPEG file of cameras and sites: libjpeg's, colours halved (4:2:0).
    fileprivate func jpeg(quality: Int) throws -> [UInt8] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).jpg").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var options = Picture.WritingOptions(quality: quality)
        options.subsampling = .half
        try Picture(pixels: PixelBuffer(self, depth: .eight)).write(to: path, options: options)
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Through such a file and back.
    func compressed(quality: Int) throws -> Raster { try Picture(data: jpeg(quality: quality), colour: .sRGB).pixels.raster }
}
