// ReleaseCommand: `acuity release`, the gate between a trained checkpoint and what is shipped.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import Hashing
import NativeEngine
import SuperResolution
import Training

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Measure a checkpoint and release it, or refuse and say why.",
        discussion: """
            The weights are rounded to half precision and measured as they will be shipped: fidelity on held-out sets, real \
            pictures without ground truth, drawn hard cases (flat colours, gradients, edges, line screens, letters), speed. \
            A model that falls short anywhere, was trained on an evaluation picture, or is worse than what is shipped under \
            its name and scale, is refused with everything that fell short, and nothing is written. Otherwise \
            NAME-xSCALE.safetensors and its card NAME-xSCALE.json replace what was there; build again to ship them inside \
            the command. docs/release.md tells every measure, its threshold and why.

            EXAMPLES
              acuity release runs/fast-x4/final.safetensors --name fast \\
                --recipe Recipes/fast-x4.json
              acuity release final.safetensors --name srcnn \\
                --recipe Recipes/srcnn-x2.json --training-data "photographs, own" \\
                --purpose "the first network of them all, for comparison"

            EXIT STATUS
              0 released, 1 refused or failed, 2 wrong usage.
            """)

    @Argument(help: ArgumentHelp("Weights that a training run has finished with (final.safetensors).", valueName: "checkpoint"))
    var checkpoint: String

    @Option(help: "What people will call it with -n.")
    var name: String

    @Option(help: "The recipe that it was trained by; its file name and hash go on the card.")
    var recipe: String

    @Option(help: "One line for a person; by default that of the model it replaces.")
    var purpose: String?

    @Option(help: "What it was trained on: sources, counts, licence; by default as the model it replaces.")
    var trainingData: String?

    @Option(help: "Licence of the weights.")
    var licence = "Apache-2.0"

    @Option(help: "Where it was trained; by default as the checkpoint says, else this machine.")
    var hardware: String?

    @Option(help: "Training steps, where the checkpoint does not say.")
    var steps: Int?

    @Option(help: "Minutes of training, where the checkpoint does not say.")
    var minutes: Double?

    @Option(
        help: "What it is for, which decides the thresholds: faithful (the default), restore, gan or text.",
        transform: { text in
            guard let profile = ReleaseProfile.Name(rawValue: text) else { throw ValidationError("faithful, restore, gan or text") }
            return profile
        })
    var profile: ReleaseProfile.Name = .faithful

    @Option(help: ArgumentHelp("The released model that this one was trained further from, for --strength to weigh the two.", valueName: "name"))
    var faithful: String?

    @Flag(help: "Release although the checkpoint does not say which pictures it was trained on; the card will tell.")
    var sourcesUnknown = false

    @Flag(help: "One object with every figure and shortcoming on standard output.")
    var json = false

    @Option(help: "Folder of released models.")
    var models = "Models"

    @Option(help: "Folder that holds eval/Set5, Set14, BSD100, RealSRSet and RealESRGAN_inputs; by default $ACUITY_DATA, else ../shared/data.")
    var data: String?

    func validate() throws {
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789-")
        guard let first = name.first, first != "-", name.allSatisfy(allowed.contains) else {
            throw ValidationError("name \(name): lower-case letters, digits and hyphens")
        }
        for (option, text) in [("purpose", purpose), ("training-data", trainingData)] {
            if let text, text.isEmpty || text.contains(where: \.isNewline) { throw ValidationError("\(option) is one line") }
        }
    }

    func run() async throws {
        let loaded = try Checkpoint.load(path: checkpoint)
        let trained = try Model(checkpoint: loaded, name: name)
        let scale = trained.network.scale
        // What the trainer wrote into the header; nothing for a `.pth`.
        let metadata = loaded.metadata
        let recipeBytes = try Self.bytes(of: recipe)
        // Found out now, not after a minute of measuring.
        guard FileManager.default.isWritableFile(atPath: models) else { throw AcuityError(.file, "\(models): no such folder, or not to be written into") }
        let shipped = try Release.shippedCard(name: name, scale: scale, in: models)
        let faithful = faithful ?? shipped?.faithful
        if let faithful { try checkFaithful(faithful, trained) }
        let tesseract = ReleaseProfile(profile).misreading == nil ? nil : try Tesseract()

        guard let purpose = purpose ?? shipped?.purpose else { throw AcuityError(.usage, "--purpose is needed for a new model") }
        guard let trainingData = trainingData ?? shipped?.trainingData else {
            throw AcuityError(.usage, "--training-data is needed for a new model")
        }
        guard let steps = metadata["steps"].flatMap({ Int($0) }) ?? steps, let minutes = metadata["minutes"].flatMap({ Double($0) }) ?? minutes
        else { throw AcuityError(.usage, "\(checkpoint) does not say how long it was trained: --steps and --minutes are needed") }
        try checkRecipe(metadata["recipe"])

        // What is measured is read back from the very bytes that will be shipped.
        // The hashes of its training pictures go along, for models that start from it.
        let provenance = metadata.filter { $0.key == ShardMetadata.sources }
        let file = try Release.weightsFile(of: trained, metadata: ["name": name].merging(provenance) { name, _ in name })
        let stem = Release.stem(name: name, scale: scale)
        let model = try Model(checkpoint: Checkpoint(file, name: stem), name: name)

        let jpeg = LastJPEG()
        let pixels = try enlarging(model, of: jpeg)
        let gate = ReleaseGate(ReleaseProfile(profile, scale: scale))
        let (held, real) = (try pictureSets(["Set5", "Set14", "BSD100"]), try pictureSets(["RealSRSet", "RealESRGAN_inputs"]))
        let contaminated = try trainedOn(metadata, sets: held + real)
        var findings = try await gate.measure(
            scale: scale, sets: held, real: real, damages: Self.damages(jpeg), load: PictureFolder.load, enlarge: pixels, exact: enlarging(model, precision: .fp32), shipped: shippedEnlarging(stem, scale: scale, of: jpeg),
            progress: { report("measuring: \($0)") })
        if let tesseract { findings += try await gate.profile.readings(scale: scale, enlarge: try enlarging(model, depth: .eight), tesseract: tesseract) { report("measuring: \($0)") } }
        var shortcomings = gate.shortcomings(of: findings, shipped: shipped, trainedOn: contaminated)
        if let missing = missingSources(metadata) { shortcomings.insert(missing, at: 0) }

        var card = ModelCard(
            name: name, version: Self.version(after: shipped?.version), architecture: model.network.architecture, scale: scale,
            purpose: purpose, parameters: model.network.parameterCount, trainingData: trainingData,
            recipe: URL(fileURLWithPath: recipe).lastPathComponent, recipeHash: SHA256.hex(recipeBytes), steps: steps,
            trainingMinutes: (minutes * 10).rounded() / 10, hardware: hardware ?? metadata["hardware"] ?? Self.thisMachine,
            date: Self.today, licence: licence, sha256: "", metrics: findings.map(\.metric), profile: profile.rawValue, faithful: faithful)
        if sourcesUnknown, metadata[ShardMetadata.sources] == nil { card.trainingData += " (not recorded picture by picture)" }
        var verdict = Verdict(model: stem, profile: profile.rawValue, released: shortcomings.isEmpty, shortcomings: shortcomings, metrics: card.metrics)
        if shortcomings.isEmpty {
            let written = try Release(weights: file, card: card).write(into: models)
            (verdict.weights, verdict.card) = (written.weights, written.card)
            touchEmbedding(of: stem)
        }
        if json {
            print(try verdict.text)
        } else {
            print(findings.table)
            if shortcomings.isEmpty { print("released \(stem) version \(card.version): \(verdict.weights ?? ""), \(verdict.card ?? "")") }
        }
        guard shortcomings.isEmpty else {
            for line in shortcomings { report("\(stem): \(line)") }
            report("\(stem) is not released; nothing was written")
            throw ExitCode(1)
        }
    }

    /// What a restorer has to undo: JPEG as libjpeg writes it (4:2:0) by its quality, Gaussian noise by its deviation in levels of 255.
    private static func damages(_ file: LastJPEG) -> [ReleaseGate.Damage] {
        [10, 30, 50, 75, 90].map { quality in ReleaseGate.Damage(name: "JPEG \(quality)") { try file.compress($0, quality: quality) } }
        + [10, 25, 50].map { sigma in ReleaseGate.Damage(name: "noise \(sigma)") { $0.noisy(sigma: Float(sigma)) } }
    }

    /// What `--json` prints.
    private struct Verdict: Encodable {
        let model: String
        let profile: String
        let released: Bool
        let shortcomings: [String]
        let metrics: [ModelCard.Metric]
        var weights: String?
        var card: String?

        var text: String {
            get throws {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
                return String(decoding: try encoder.encode(self), as: UTF8.self)
            }
        }
    }

    /// The pipeline as it will be with the card that the model is to have.
    /// - Parameter file: what pictures may have come from.
    private func enlarging(_ model: Model, of file: LastJPEG? = nil, depth: PixelBuffer.Depth = .sixteen, precision: Precision? = nil) throws -> Enlarging {
        let scale = model.network.scale
        let upscaler = try Upscaler(
            .network(try NativeEngine(), [scale: model]), target: .factor(Double(scale)), precision: precision,
            locksColour: Model.mayShiftColours(profile: profile.rawValue, architecture: model.network.architecture), locksJPEG: profile == .restore, staysSoft: profile == .gan && faithful == "restore")
        let enlarge = upscaler.enlarging(depth: depth)
        return file?.holding(upscaler, enlarge) ?? enlarge
    }

    /// The model that would be replaced, to compare speeds; nil when there is none.
    private func shippedEnlarging(_ stem: String, scale: Int, of file: LastJPEG) throws -> Enlarging? {
        let path = "\(models)/\(stem).safetensors"
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try enlarging(Model(checkpoint: Checkpoint.load(path: path), name: name, scale: scale), of: file)
    }

    private func pictureSets(_ names: [String]) throws -> [ReleaseGate.PictureSet] {
        let root = data ?? ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data"
        return try names.map { set in
            ReleaseGate.PictureSet(name: set, pictures: try PictureFolder.pictures(in: "\(root)/eval/\(set)"))
        }
    }

    /// Why a checkpoint that does not say what it was trained on is refused; nil where it says so, or was said to be silent.
    private func missingSources(_ metadata: [String: String]) -> String? {
        if sourcesUnknown { return nil }
        if metadata[ShardMetadata.sources] == nil {
            return "the checkpoint does not say which pictures it was trained on (\(ShardMetadata.sources)); "
                + "make its shards again with acuity dataset, or say --sources-unknown"
        }
        return metadata[ShardMetadata.unknown].map { "trained also on \($0), which do not say which pictures they hold; make them again, or say --sources-unknown" }
    }

    /// Evaluation pictures among what the checkpoint was trained on.
    private func trainedOn(_ metadata: [String: String], sets: [ReleaseGate.PictureSet]) throws -> [String] {
        guard let list = metadata[ShardMetadata.sources] else { return [] }
        let sources = try ShardMetadata.hashes(list, of: checkpoint)
        return try sets.flatMap { set in
            try set.pictures.filter { path in
                let pixels = try PictureFolder.load(path)
                let bytes = PixelBuffer(pixels, depth: .eight).bytes
                guard let plane = LumaPlane(bytes: bytes, width: pixels.width, height: pixels.height, channels: pixels.channels) else { return false }
                let hash = PerceptualHash(plane)
                return sources.contains { min($0.distance(to: hash), $0.mirrored.distance(to: hash)) <= Self.sameness }
            }.map { "\(set.name)/\(URL(fileURLWithPath: $0).lastPathComponent)" }
        }
    }

    /// Bits in which hashes of one picture differ at most, rescaled and recompressed; those of two differ in 31 ± 4.
    private static let sameness = 6

    /// The build does not see that an embedded file has changed, so the source that embeds it is touched.
    private func touchEmbedding(of stem: String) {
        let source = URL(fileURLWithPath: models).appendingPathComponent("../Sources/CModels/CModels.c").standardizedFileURL.path
        guard let text = try? String(contentsOfFile: source, encoding: .utf8) else { return }
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: source)
        if !text.contains("\(stem).safetensors") { print("add \(stem) to \(source) to ship it inside the command") }
    }

    /// Only weights of the same shapes can be weighed.
    private func checkFaithful(_ name: String, _ model: Model) throws {
        let other = try ModelCatalogue(folder: models).model(named: name, scale: model.network.scale)
        _ = try other.weights.interpolated(with: model.weights, share: 1)
    }

    /// A card that names another recipe than the one that made the weights would be a lie.
    ///
    /// Where data lies, how long the clock ran and how often it was looked at are not part of what makes a recipe.
    private func checkRecipe(_ recorded: String?) throws {
        guard let recorded else { return }
        let different = try Recipe(contentsOf: recipe).differences(from: recorded, apart: Recipe.circumstances)
        guard different.isEmpty else {
            throw AcuityError(.training, "\(checkpoint) was not trained by \(recipe): \(different.joined(separator: ", ")) differ")
        }
    }

    private static func bytes(of path: String) throws -> Data {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else { throw AcuityError(.file, "\(path): cannot be read") }
        return data
    }

    /// 1, 2, 3, …
    private static func version(after shipped: String?) -> String { String((shipped.flatMap { Int($0) } ?? 0) + 1) }

    private static var today: String {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withFullDate]
        return formatter.string(from: Date())
    }

    /// E.g. `2 cores of Xeon …`.
    private static var thisMachine: String {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = info.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
        return "\(cores) core\(cores == 1 ? "" : "s") of \(model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "an unknown processor")"
    }
}
