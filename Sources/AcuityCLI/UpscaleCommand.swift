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
              acuity upscale photos -r -o large            a folder and all in it; the tree is kept
              acuity upscale 'scans/**/*.tif' -o out --name '{stem}_{size}.{ext}'
              acuity upscale photos -r -o large --resume   go on where a batch was interrupted

            A folder stands for the pictures in it, a quoted pattern for what matches it (** for any folders). One bad \
            picture never stops the others. Ctrl-C lets the pictures in hand be finished; a second one ends at once.

            EXIT STATUS
              0 all done
              1 some pictures failed; each is named with its reason
              2 wrong usage
              130 interrupted by Ctrl-C
            """)

    @Argument(help: ArgumentHelp("Pictures to enlarge, folders of them, or patterns.", valueName: "input"))
    var inputs: [String] = []

    @Option(name: [.customShort("i"), .customLong("input")], help: ArgumentHelp("Another way to name an input.", valueName: "input"))
    var moreInputs: [String] = []

    @Option(name: [.customShort("o"), .customLong("output")], help: ArgumentHelp(
        "Output file, or a folder (always a folder with several inputs; made if it is not there). Default: NAME@4x.png beside each input.", valueName: "path"))
    var output: String?

    @Option(name: [.customShort("s"), .customLong("scale"), .customLong("outscale")], parsing: .unconditional, help: ArgumentHelp(
        "Factor from 0.25 to 16; need not be whole. Default: 4.", valueName: "factor"))
    var scale: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp("Width of the result in pixels, instead of a factor; up to 16 times as large, or as small as you like.", valueName: "pixels"))
    var width: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Height of the result in pixels, instead of a factor.", valueName: "pixels"))
    var height: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Longer side of the result in pixels, instead of a factor.", valueName: "pixels"))
    var longEdge: Int?

    @Option(help: ArgumentHelp("Box that the result fits into, such as 1920x1080, instead of a factor; its shape is kept.", valueName: "WxH"))
    var fit: String?

    @Option(name: [.customShort("n"), .customLong("model"), .customLong("model-name"), .customLong("model_name")], help: ArgumentHelp(
        "An installed model (acuity models lists them), nearest, bilinear, bicubic, lanczos3, or a weights file.", valueName: "model"))
    var model = Upscaler.Method.defaultName

    @OptionGroup var writing: OutputOptions

    @Option(help: ArgumentHelp("NAME_SUFFIX instead of NAME@4x.", valueName: "suffix"))
    var suffix: String?

    @Option(help: ArgumentHelp(
        "How outputs are called, of {stem} {size} {scale} {model} {source} {ext}; slashes make folders. Default: {stem}@{size}.{ext}.", valueName: "template"))
    var name: String?

    @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Look into folders inside folders too; outputs keep their tree.")
    var recursive = false

    @Flag(help: "Pass over pictures whose outputs are there already.")
    var skipExisting = false

    @Flag(help: "Go on with an interrupted batch: what its manifest calls done, and is still there, is not done again.")
    var resume = false

    @Option(help: ArgumentHelp(
        "Journal of the batch, one JSON object a line. Default: acuity-manifest.jsonl among the outputs, for folders, patterns and from ten pictures on.",
        valueName: "file"))
    var manifest: String?

    @Option(help: ArgumentHelp("Memory that may be used, such as 2GB. Default: half of the machine's, more for a picture that alone needs more.", valueName: "size"))
    var memory: String?

    @Flag(help: "Stay, and enlarge whatever appears in the input folders, until Ctrl-C.")
    var watch = false

    @Option(name: [.customShort("t"), .customLong("tile")], parsing: .unconditional, help: ArgumentHelp(
        "Side of the tiles in pixels, at least 32; 0 chooses. Changes memory use, not the result.", valueName: "tile"))
    var tile = 0

    @Option(name: [.customShort("j"), .customLong("threads")], parsing: .unconditional, help: ArgumentHelp(
        "Threads that the network runs on. Default: all cores.", valueName: "threads"))
    var threads: Int?

    @Option(help: ArgumentHelp("fp32 or bf16. Default: the fastest that keeps 55 dB against fp32.", valueName: "precision"))
    var precision: String?

    @Option(parsing: .unconditional, help: ArgumentHelp(
        "How much may be invented, 0 to 1, where acuity models shows a model that invents detail and a faithful one that it is weighed against; either's name will do. Default: what the name says, 0 or 1.", valueName: "share"))
    var strength: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp(
        "How much of its noise and grain a picture loses, 0 to 1, by models trained to restore and by weights files: 0 gives all of the grain back, but not JPEG's blocks. Default: 1.",
        valueName: "share"))
    var denoise = 1.0

    @Option(name: [.customLong("self-ensemble"), .customLong("tta")], parsing: .unconditional, help: ArgumentHelp(
        "Show the network every picture in 2, 4 or 8 positions, turned and mirrored, and take the mean: a little truer, as many times as slow. Default: 1.",
        valueName: "count"))
    var selfEnsemble = 1

    @Flag(inversion: .prefixedNo, help: ArgumentHelp(
        "Tie local mean colours to the input's. Default: for models trained to invent, and for weights files."))
    var colorLock: Bool?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp(
        "Keep to what a JPEG file says, within its steps. Default: for models trained to restore."))
    var jpegLock: Bool?

    @Flag(help: "For textures laid side by side: every edge continues at the opposite one.")
    var seamless = false

    @Flag(help: "Replace existing outputs.")
    var overwrite = false

    @Flag(help: "One JSON object per picture on standard output.")
    var json = false

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Say on standard error what is done and how long it takes.")
    var verbose = false

    func run() async throws {
        let inputs = inputs + moreInputs
        guard !inputs.isEmpty else { throw AcuityError(.usage, "no input: acuity upscale INPUT...") }
        guard !(skipExisting && overwrite) else { throw AcuityError(.usage, "give one of --skip-existing and --overwrite") }
        let budget = try memory.map(ByteCount.init(parsing:))
        let template = try nameTemplate()
        let options = try writing.writingOptions(overwrite: overwrite)
        let upscaler = try makeUpscaler()
        if case .factor = upscaler.target {} else if template.holds(.scale) {
            throw AcuityError(.usage, "name \(name ?? ""): {scale} is known only with --scale; {size} always is")
        }
        let outputs = BatchOutputs(
            place: try place(for: inputs, options), name: template, target: upscaler.target, model: modelName,
            format: options.format, keepsFormat: writing.format == "same")
        // What the format cannot do is said before anything is done.
        if let format = outputs.usualFormat { try options.check(for: format) }
        if case .folder(let folder) = outputs.place { try make(folder) }
        var run = UpscaleRun(
            inputs: inputs,
            batch: Batch.Options(
                upscaler: upscaler, outputs: outputs, writing: options, weightsFile: FileManager.default.fileExists(atPath: model) ? model : nil,
                skipsExisting: skipExisting, resumes: resume, memory: budget),
            isRecursive: recursive, manifest: manifest, isWatching: watch, json: json, verbose: verbose)
        try await run.run()
    }

    // MARK: - What was asked for

    private func makeUpscaler() throws -> Upscaler {
        let targets: [Upscaler.Target?] =
            [scale.map { .factor($0) }, width.map { .width($0) }, height.map { .height($0) }, longEdge.map { .longEdge($0) }, try fit.map(box)]
        let target = targets.compactMap { $0 }
        guard target.count <= 1 else { throw AcuityError(.usage, "give one of --scale, --width, --height, --long-edge and --fit") }
        if let threads, threads < 1 || threads > 1024 { throw AcuityError(.usage, "threads \(threads): must lie between 1 and 1024") }
        guard tile == 0 || tile >= 32 else { throw AcuityError(.usage, "tile \(tile): must be 0 or at least 32") }
        let precision = try precision.map { name in
            guard let precision = Precision(rawValue: name) else { throw AcuityError(.usage, "precision \(name): must be fp32 or bf16") }
            return precision
        }
        return try Upscaler(
            .named(model, strength: strength, threads: threads, selfEnsemble: selfEnsemble), target: target.first ?? .factor(4),
            tiles: tile == 0 ? .automatic : .side(tile), precision: precision,
            locksColour: colorLock ?? (FileManager.default.fileExists(atPath: model) ? true : nil), locksJPEG: jpegLock, denoise: denoise, isSeamless: seamless)
    }

    private func box(_ text: String) throws -> Upscaler.Target {
        let sides = text.lowercased().split(omittingEmptySubsequences: false) { $0 == "x" || $0 == "×" }.map { Int($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1], width > 0, height > 0 else {
            throw AcuityError(.usage, "fit \(text): must be a box such as 1920x1080")
        }
        return .fit(width: width, height: height)
    }

    private func nameTemplate() throws -> NameTemplate {
        guard let suffix else { return try NameTemplate(name ?? "{stem}@{size}.{ext}") }
        guard name == nil else { throw AcuityError(.usage, "give one of --name and --suffix") }
        guard !suffix.contains(where: { "/{}".contains($0) }) else { throw AcuityError(.usage, "suffix \(suffix): must not hold slashes and braces") }
        return try NameTemplate("{stem}_\(suffix).{ext}")
    }

    /// What the model is called in names and in the manifest: a weights file without its folder and extension, a strength behind the
    /// model, what grain it was given back, a plus for a self-ensemble.
    private var modelName: String {
        let ensemble = (denoise < 1 ? "-denoise-\(denoise)" : "") + (selfEnsemble > 1 ? "+\(selfEnsemble)" : "")
        guard model.contains("/") || model.contains(".") else { return (strength.map { "\(model)-\($0)" } ?? model) + ensemble }
        return URL(fileURLWithPath: model).deletingPathExtension().lastPathComponent + ensemble
    }

    /// Where the outputs go. A folder for them may be yet to be made; its own folder must be there.
    private func place(for inputs: [String], _ options: Picture.WritingOptions) throws -> BatchOutputs.Place {
        guard let output else { return .besideInputs }
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: output, isDirectory: &isFolder)
        guard inputs.count > 1 || output.hasSuffix("/") || (exists && isFolder.boolValue) || watch || name != nil || PictureSearch.needsSearch(inputs) else {
            _ = try Picture.format(for: output, options: options)
            return .file(output)
        }
        let named = ImageFormat(named: URL(fileURLWithPath: output).pathExtension) != nil
        if inputs.count == 1, PictureSearch.needsSearch(inputs), exists ? !isFolder.boolValue : named {
            throw AcuityError(.file, "\(inputs[0]): stands for many pictures and needs a folder for its outputs, not \(output)")
        }
        guard exists ? isFolder.boolValue : !named else { throw AcuityError(.usage, "\(output): several inputs need a folder as their output") }
        return .folder(output)
    }

    private func make(_ folder: String) throws {
        guard !FileManager.default.fileExists(atPath: folder) else { return }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        } catch {
            throw AcuityError(.file, "\(folder): the folder cannot be made")
        }
    }
}
