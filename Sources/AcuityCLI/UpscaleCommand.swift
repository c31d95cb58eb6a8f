// UpscaleCommand: `acuity upscale`, pictures in, larger pictures out.

import Acuity
import ArgumentParser
import Foundation
import Imaging
import SuperResolution

struct UpscaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upscale",
        abstract: "Enlarge pictures.",
        discussion: """
            Reads and writes JPEG, PNG, WebP, TIFF, GIF, AVIF, HEIC, JPEG XL, JPEG 2000, BMP and PPM, as far as the libvips \
            installed here does. Animations and documents of several pages are enlarged picture by picture. Transparency, \
            16 bits, colour profiles, EXIF, XMP, IPTC and resolution are kept; what a format cannot hold is said. An input is \
            never overwritten, an existing output only with --overwrite, and an output appears whole or not at all.

            EXAMPLES
              acuity upscale kitten.jpg                    writes kitten@4x.png beside it
              acuity upscale kitten.jpg -s 2 -o big.webp   twice as large, as WebP
              acuity upscale a.png b.png -o out --long-edge 3000
              acuity upscale kitten.jpg -n lanczos3        without a network
              acuity upscale kitten.jpg -n my-model.pth    with your own weights

            EXIT STATUS
              0 all done
              1 some pictures failed; each is named with its reason
              2 wrong usage
            """)

    @Argument(help: ArgumentHelp("Pictures to enlarge.", valueName: "input"))
    var inputs: [String] = []

    @Option(name: [.customShort("i"), .customLong("input")], help: ArgumentHelp("Another way to name an input.", valueName: "input"))
    var moreInputs: [String] = []

    @Option(name: [.customShort("o"), .customLong("output")], help: ArgumentHelp(
        "Output file, or a folder (always a folder with several inputs; made if it is not there). Default: NAME@4x.png beside each input.", valueName: "path"))
    var output: String?

    @Option(name: [.customShort("s"), .customLong("scale"), .customLong("outscale")], parsing: .unconditional, help: ArgumentHelp(
        "Factor from 0.25 to 16; need not be whole. Default: 4.", valueName: "factor"))
    var scale: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp("Width of the result in pixels, instead of a factor.", valueName: "pixels"))
    var width: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Height of the result in pixels, instead of a factor.", valueName: "pixels"))
    var height: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Longer side of the result in pixels, instead of a factor.", valueName: "pixels"))
    var longEdge: Int?

    @Option(name: [.customShort("n"), .customLong("model"), .customLong("model-name"), .customLong("model_name")], help: ArgumentHelp(
        "An installed model (acuity models lists them), nearest, bilinear, bicubic, lanczos3, or a weights file.", valueName: "model"))
    var model = Upscaler.Method.defaultName

    @OptionGroup var writing: OutputOptions

    @Option(help: ArgumentHelp("NAME_SUFFIX instead of NAME@4x.", valueName: "suffix"))
    var suffix: String?

    @Option(name: [.customShort("t"), .customLong("tile")], parsing: .unconditional, help: ArgumentHelp(
        "Side of the tiles in pixels, at least 32; 0 chooses. Changes memory use, not the result.", valueName: "tile"))
    var tile = 0

    @Option(name: [.customShort("j"), .customLong("threads")], parsing: .unconditional, help: ArgumentHelp(
        "Threads that the network runs on. Default: all cores.", valueName: "threads"))
    var threads: Int?

    @Option(help: ArgumentHelp("fp32 or bf16. Default: the fastest that keeps 55 dB against fp32.", valueName: "precision"))
    var precision: String?

    @Flag(help: "Replace existing outputs.")
    var overwrite = false

    @Flag(help: "One JSON object per picture on standard output.")
    var json = false

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Say on standard error what is done and how long it takes.")
    var verbose = false

    func run() async throws {
        let inputs = inputs + moreInputs
        guard !inputs.isEmpty else { throw AcuityError(.usage, "no input: acuity upscale INPUT...") }
        let options = try writing.writingOptions(overwrite: overwrite)
        let upscaler = try makeUpscaler()
        if let suffix, suffix.contains("/") { throw AcuityError(.usage, "suffix \(suffix): must not hold a slash") }
        if let output {
            if isFolder(inputs) {
                try makeFolder(output)
            } else {
                _ = try Picture.format(for: output, options: options)
            }
        }
        Interruption.deleteUnfinishedFiles()

        var failures = 0
        var written = Set<String>()
        for (index, input) in inputs.enumerated() {
            let line = ProgressLine(label: inputs.count > 1 ? "[\(index + 1)/\(inputs.count)] \(input)" : input)
            do {
                let report = try await upscale(input, with: upscaler, options: options, among: inputs, written: &written, progress: line)
                line.finish()
                if json { print(try report.line) } else if verbose { note("\(report.output): \(report.width)×\(report.height), \(seconds(report.seconds)) s") }
            } catch let error as CancellationError {
                line.finish()
                throw error
            } catch {
                line.finish()
                failures += 1
                let message = (error as? AcuityError)?.message ?? "\(input): \(error)"
                note(message.contains(input) ? message : "\(input): \(message)")
                if json { print(try Failure(input: input, error: message).line) }
            }
            fflush(nil)
        }
        if failures > 0 { throw ExitCode(1) }
    }

    // MARK: - What was asked for

    private func makeUpscaler() throws -> Upscaler {
        let targets: [Upscaler.Target] =
            [scale.map { .factor($0) }, width.map { .width($0) }, height.map { .height($0) }, longEdge.map { .longEdge($0) }].compactMap { $0 }
        guard targets.count <= 1 else { throw AcuityError(.usage, "give one of --scale, --width, --height and --long-edge") }
        if let threads, threads < 1 || threads > 1024 { throw AcuityError(.usage, "threads \(threads): must lie between 1 and 1024") }
        guard tile == 0 || tile >= 32 else { throw AcuityError(.usage, "tile \(tile): must be 0 or at least 32") }
        let precision = try precision.map { name in
            guard let precision = Precision(rawValue: name) else { throw AcuityError(.usage, "precision \(name): must be fp32 or bf16") }
            return precision
        }
        return try Upscaler(
            .named(model, threads: threads), target: targets.first ?? .factor(4),
            tiles: tile == 0 ? .automatic : .side(tile), precision: precision)
    }

    private func isFolder(_ inputs: [String]) -> Bool {
        guard let output else { return false }
        var isFolder: ObjCBool = false
        return inputs.count > 1 || output.hasSuffix("/") || (FileManager.default.fileExists(atPath: output, isDirectory: &isFolder) && isFolder.boolValue)
    }

    /// Makes the folder for the outputs if it is not there; its own folder must be.
    private func makeFolder(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        guard ImageFormat(named: URL(fileURLWithPath: path).pathExtension) == nil else {
            throw AcuityError(.usage, "\(path): several inputs need a folder as their output")
        }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        } catch {
            throw AcuityError(.file, "\(path): the folder cannot be made")
        }
    }

    /// Where the result of `input` goes.
    private func destination(of input: String, format: ImageFormat, among inputs: [String]) -> String {
        if let output, !isFolder(inputs) { return output }
        let url = URL(fileURLWithPath: input)
        let name = url.deletingPathExtension().lastPathComponent + (suffix.map { "_" + $0 } ?? sizeSuffix) + "." + format.fileExtension
        if let output { return (output.hasSuffix("/") ? output : output + "/") + name }
        let slash = input.lastIndex(of: "/")
        return (slash.map { String(input[...$0]) } ?? "") + name
    }

    private var sizeSuffix: String {
        if let width { return "@\(width)w" }
        if let height { return "@\(height)h" }
        if let longEdge { return "@\(longEdge)px" }
        let factor = scale ?? 4
        return factor == factor.rounded() ? "@\(Int(factor))x" : "@\(factor)x"
    }

    // MARK: - One picture

    private func upscale(
        _ input: String, with upscaler: Upscaler, options: Picture.WritingOptions, among inputs: [String],
        written: inout Set<String>, progress: ProgressLine
    ) async throws -> Report {
        let clock = ContinuousClock()
        let start = clock.now
        var options = options
        let picture = try PictureSequence(contentsOf: input)
        if options.format == nil, writing.format == "same" || output == nil || isFolder(inputs) { options.format = writing.format(of: picture) }
        let path = destination(of: input, format: options.format ?? .png, among: inputs)
        let identity = URL(fileURLWithPath: path).standardizedFileURL.path
        guard !written.contains(identity) else {
            throw AcuityError(.file, "\(input): its output \(path) is also that of an earlier input")
        }
        let size = try upscaler.outputSize(width: picture.width, height: picture.height)
        try picture.checkWriting(to: path, options: options, width: size.width, height: size.height)
        let read = clock.now
        let result = try await upscaler.upscale(picture) { progress.show($0) }
        let enlarged = clock.now
        let remarks = try result.write(to: path, options: options)
        written.insert(identity)
        let end = clock.now
        progress.finish()
        for remark in remarks { note("\(path): \(remark)") }
        if verbose {
            note("\(input): \(picture.width)×\(picture.height), read \(seconds(read - start)) s, enlarged \(seconds(enlarged - read)) s, written \(seconds(end - enlarged)) s")
        }
        return Report(
            input: input, output: path, model: model, width: result.width, height: result.height,
            seconds: (end - start) / .seconds(1), secondsEnlarging: (enlarged - read) / .seconds(1),
            frames: result.pictures.count, remarks: remarks)
    }

    private struct Report: Encodable {
        let input: String
        let output: String
        let model: String
        let width: Int
        let height: Int
        let seconds: Double
        let secondsEnlarging: Double
        let frames: Int
        /// What the output does not hold although the input did.
        let remarks: [String]
    }

    private struct Failure: Encodable {
        let input: String
        let error: String
    }
}

extension Encodable {
    /// One line of JSON.
    fileprivate var line: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return try String(decoding: encoder.encode(self), as: UTF8.self)
        }
    }
}

private func seconds(_ value: Double) -> String { String(format: "%.2f", value) }
private func seconds(_ value: Duration) -> String { seconds(value / .seconds(1)) }

private func note(_ message: String) { FileHandle.standardError.write(Data("acuity: \(message)\n".utf8)) }
