// DatasetCommand: `acuity dataset`, photographs or drawings into shards that training reads.

import ArgumentParser
import Foundation
import Imaging
import SuperResolution
import Training

struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Cut photographs into a shard for training.",
        discussion: """
            Every picture gives its most detailed crops; flat, blurred and block-compressed ones, repeated pictures and \
            pictures of the evaluation sets are left out and counted. With --whole the pictures go in uncut, for \
            validation. docs/data.md tells all.

            EXAMPLES
              acuity dataset photos more-photos -o shards/photos.safetensors
              acuity dataset Set5 -o shards/set5.safetensors --whole
              acuity dataset photos -o shards/train.safetensors \\
                --validation 0.02 --validation-output shards/valid.safetensors
              acuity dataset imagenet --split train=train --split val=val --per-folder 20 \\
                -o shards/imagenet.safetensors --validation-output shards/val.safetensors
              acuity dataset coco/train2017 --coco coco/annotations/captions_train2017.json \\
                --licence 4,5 -o shards/coco.safetensors
              acuity dataset --synthetic text --count 2000 -o shards/text.safetensors

            EXIT STATUS
              0 written, 1 nothing was written, 2 wrong usage.
            """)

    enum Shrink: String, ExpressibleByArgument, CaseIterable { case auto, never, always }
    enum Drawing: String, ExpressibleByArgument, CaseIterable {
        case text, logos, lineart, charts

        var kind: SyntheticPicture.Kind {
            switch self {
            case .text: .text
            case .logos: .logos
            case .lineart: .lineart
            case .charts: .charts
            }
        }
    }

    @Argument(help: "Folders of pictures, searched through.")
    var folders: [String] = []

    @Option(name: [.short, .long], help: "The shard to write (.safetensors).")
    var output: String

    @Flag(help: "Replace files that are there already.")
    var overwrite = false

    @Option(help: "Side of the square crops in pixels.")
    var crop = 256

    @Option(help: "Crops per picture, at most.")
    var perImage = 12

    @Flag(help: "Whole pictures instead of crops, for validation.")
    var whole = false

    @Option(help: "Seed of the random choice.")
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("A subfolder's part in the split, as ImageNet has them: train=NAME or val=NAME; repeatable.", valueName: "part=name"))
    var split: [String] = []

    @Option(help: "A COCO file: only the pictures it lists are taken; repeatable.")
    var coco: [String] = []

    @Option(help: "Of a COCO file's pictures only those under these licence numbers, e.g. 4,5.")
    var licence: String?

    @Option(help: "Pictures per folder, at most (ImageNet: per class), chosen by their names' hash.")
    var perFolder: Int?

    @Option(help: "A folder of evaluation pictures to keep out; repeatable (default: $ACUITY_DATA/eval, else ../shared/data/eval).")
    var exclude: [String] = []

    @Flag(help: "Fail when a picture shows one of an evaluation set, instead of leaving it out.")
    var strict = false

    @Option(help: "Pictures whose hashes differ in at most this many of 64 bits may repeat each other, 0 to 15.")
    var duplicateDistance = 8

    @Flag(help: "Keep pictures that repeat another.")
    var keepDuplicates = false

    @Option(help: "Halve JPEG pictures: auto (those of a quality below 85), never, always.")
    var shrink = Shrink.auto

    @Option(help: ArgumentHelp("Add grain to the crops, its σ in mid-grey in this range of 8-bit levels, up to 50.", valueName: "low-high"))
    var grain: String?

    @Flag(help: "Keep flat, blurred and block-compressed crops.")
    var noFilter = false

    @Flag(help: "Of all crops keep the half that is hardest to enlarge, less the hardest twentieth.")
    var hardestHalf = false

    @Flag(help: "Choose crops as version 0.1.0 did: one draw over all pictures, no filters, no halving, repeats kept.")
    var classic = false

    @Option(help: "The share of the pictures that goes into --validation-output, 0 to 0.5; the name decides.")
    var validation: Double?

    @Option(help: "The shard of validation pictures to write.")
    var validationOutput: String?

    @Option(help: "Validation pictures are cut to their middle, at most this many pixels a side.")
    var validationSize = 384

    @Option(help: "A picture (PNG, JPEG, …) of crops kept and left out, with the reasons.")
    var contactSheet: String?

    @Option(help: "Draw the pictures instead: text, logos, lineart or charts.")
    var synthetic: Drawing?

    @Option(help: ArgumentHelp("Height of a drawn x in pixels (default 5-24).", valueName: "low-high"))
    var xHeight: String?

    @Flag(help: "Draw with the fonts and words that training never sees.")
    var heldOut = false

    @Flag(help: "Paper of any colour, instead of mostly white, pale or black.")
    var coloured = false

    @Option(help: "A shard of photographs to write on.")
    var backgrounds: String?

    @Option(help: "How many pictures to draw.")
    var count: Int?

    @Option(name: [.customShort("j"), .long], help: "Threads (default: all cores).")
    var threads: Int?

    @Flag(help: "The summary as one JSON object on standard output.")
    var json = false

    func validate() throws {
        if !(16...4096).contains(crop) { throw ValidationError("--crop is 16 to 4096") }
        if !(1...10_000).contains(perImage) { throw ValidationError("--per-image is 1 to 10000") }
        if let perFolder, perFolder < 1 { throw ValidationError("--per-folder is at least 1") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads is 1 to 1024") }
        if !(0...15).contains(duplicateDistance) { throw ValidationError("--duplicate-distance is 0 to 15") }
        if !(32...8192).contains(validationSize) { throw ValidationError("--validation-size is 32 to 8192") }
        if let validation, !(validation > 0 && validation <= 0.5) { throw ValidationError("--validation is above 0 and at most 0.5") }
        let parts = try splitParts()
        let wantsValidation = validation != nil || parts.validation != nil
        if wantsValidation != (validationOutput != nil) {
            throw ValidationError("--validation-output goes with --validation or --split val=NAME")
        }
        if validation != nil, parts.validation != nil { throw ValidationError("--validation and --split val= exclude each other") }
        if output == validationOutput { throw ValidationError("--output and --validation-output are the same file") }
        if licence != nil, coco.isEmpty { throw ValidationError("--licence goes with --coco") }
        _ = try licenceNumbers()
        if try grainRange() != nil, synthetic != nil || whole || classic || hardestHalf { throw ValidationError("--grain goes with crops of photographs alone") }
        if synthetic == nil {
            if folders.isEmpty { throw ValidationError("name a folder of pictures, or --synthetic") }
            if count != nil || xHeight != nil || heldOut || coloured || backgrounds != nil {
                throw ValidationError("--count, --x-height, --held-out, --coloured and --backgrounds go with --synthetic")
            }
        } else {
            if !folders.isEmpty { throw ValidationError("--synthetic takes no folders") }
            guard let count, (1...10_000_000).contains(count) else { throw ValidationError("--synthetic needs --count, 1 to 10000000") }
            if classic || wantsValidation || hardestHalf || !coco.isEmpty || !split.isEmpty {
                throw ValidationError("--synthetic takes no choice of crops and no split")
            }
            _ = try letterHeights()
            if crop < 64 { throw ValidationError("--crop is at least 64 with --synthetic") }
        }
        if whole, classic || hardestHalf || wantsValidation { throw ValidationError("--whole takes no choice of crops and no split") }
        if classic, hardestHalf { throw ValidationError("--classic and --hardest-half exclude each other") }
        if classic, wantsValidation { throw ValidationError("--classic knows no split") }
    }

    /// Names of the subfolders for training and validation.
    func splitParts() throws -> (training: String?, validation: String?) {
        var (training, validation): (String?, String?) = (nil, nil)
        for part in split {
            let pieces = part.split(separator: "=", maxSplits: 1).map(String.init)
            switch pieces.first {
            case "train" where pieces.count == 2 && training == nil: training = pieces[1]
            case "val" where pieces.count == 2 && validation == nil: validation = pieces[1]
            default: throw ValidationError("--split is train=NAME or val=NAME, each once")
            }
        }
        return (training, validation)
    }

    /// Heights of a drawn x in pixels.
    func letterHeights() throws -> ClosedRange<Float> {
        guard let xHeight else { return 5...24 }
        guard let range = Self.range(xHeight, within: 3...400) else { throw ValidationError("--x-height is two numbers such as 5-24, 3 to 400") }
        return range
    }

    /// Standard deviations of grain in 8-bit levels.
    func grainRange() throws -> ClosedRange<Float>? {
        guard let grain else { return nil }
        guard let range = Self.range(grain, within: 0...50) else { throw ValidationError("--grain is two numbers such as 1-6, 0 to 50") }
        return range
    }

    private static func range(_ text: String, within limits: ClosedRange<Float>) -> ClosedRange<Float>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Float($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], low >= limits.lowerBound, low <= high, high <= limits.upperBound else { return nil }
        return low...high
    }

    func licenceNumbers() throws -> Set<Int>? {
        guard let licence else { return nil }
        let numbers = licence.split(separator: ",").map { Int($0) }
        guard !numbers.isEmpty, !numbers.contains(nil) else { throw ValidationError("--licence is a list of numbers such as 4,5") }
        return Set(numbers.compactMap { $0 })
    }

    func run() async throws {
        // A file that may not grow further is an error of that write, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        Interruption.deleteUnfinishedFiles()
        if let contactSheet {
            _ = try Picture.format(for: contactSheet, options: .init())
            if !overwrite, FileManager.default.fileExists(atPath: contactSheet) {
                throw AcuityError(.file, "\(contactSheet): exists already (--overwrite replaces it)")
            }
        }
        let command = self
        let summary = try await onThread {
            if let drawing = command.synthetic { return try command.draw(drawing.kind) }
            return try command.cut()
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(summary), as: UTF8.self))
        } else {
            print(summary.text)
        }
    }

    /// Number of threads to work on.
    var workers: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    /// Runs blocking work apart from Swift's cooperative pool.
    private func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: .init(catching: body)) }
            thread.stackSize = 16 << 20
            thread.start()
        }
    }
}
