// ReleaseCommand: `acuity release`, the gate between a trained checkpoint and what is shipped.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import NativeEngine
import SuperResolution
import Training

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Measure a checkpoint and release it, or refuse and say why.",
        discussion: """
            The weights are rounded to half precision and measured as they will be shipped: PSNR-Y and SSIM-Y on every \
            set, agreement with the input when shrunk again, flat colours, mean colour, pixel-shuffle patterns. A model \
            that does not beat Lanczos-3 on every set, or is worse than what is shipped under its name and scale, is \
            refused, and nothing is written. Otherwise NAME-xSCALE.safetensors and its card NAME-xSCALE.json replace \
            what was there; build again to ship them inside the command.

            EXAMPLES
              acuity release runs/fast-x4/final.safetensors --name fast --recipe Recipes/fast-x4.json
              acuity release final.safetensors --name srcnn --recipe Recipes/srcnn-x2.json \\
                --purpose "the first network of them all, for comparison" --training-data "photographs, own"

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

    @Option(help: "Folder of released models.")
    var models = "Models"

    @Option(help: "Folder that holds eval/Set5, eval/Set14 and eval/BSD100; by default $ACUITY_DATA, else ../shared/data.")
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
        let shipped = try Release.shippedCard(name: name, scale: scale, in: models)

        guard let purpose = purpose ?? shipped?.purpose else { throw AcuityError(.usage, "--purpose is needed for a new model") }
        guard let trainingData = trainingData ?? shipped?.trainingData else {
            throw AcuityError(.usage, "--training-data is needed for a new model")
        }
        guard let steps = metadata["steps"].flatMap({ Int($0) }) ?? steps, let minutes = metadata["minutes"].flatMap({ Double($0) }) ?? minutes
        else { throw AcuityError(.usage, "\(checkpoint) does not say how long it was trained: --steps and --minutes are needed") }
        try checkRecipe(metadata["recipe"])

        // What is measured is read back from the very bytes that will be shipped.
        let file = try Release.weightsFile(of: trained, metadata: ["name": name])
        let stem = Release.stem(name: name, scale: scale)
        let model = try Model(checkpoint: Checkpoint(file, name: stem), name: name)

        let upscaler = try Upscaler(.network(try NativeEngine(), [scale: model]), target: .factor(Double(scale)))
        let gate = ReleaseGate()
        let measured = try await gate.measure(
            scale: scale, sets: pictureSets(), load: PictureFolder.load,
            enlarge: upscaler.enlarging(depth: .sixteen), progress: { print($0) })
        let shortcomings = gate.shortcomings(of: measured, shipped: shipped)
        guard shortcomings.isEmpty else {
            for line in shortcomings { report("\(stem): \(line)") }
            report("\(stem) is not released; nothing was written")
            throw ExitCode(1)
        }

        let card = ModelCard(
            name: name, version: Self.version(after: shipped?.version), architecture: model.network.architecture, scale: scale,
            purpose: purpose, parameters: model.network.parameterCount, trainingData: trainingData,
            recipe: URL(fileURLWithPath: recipe).lastPathComponent, recipeHash: SHA256.hex(recipeBytes), steps: steps,
            trainingMinutes: (minutes * 10).rounded() / 10, hardware: hardware ?? metadata["hardware"] ?? Self.thisMachine,
            date: Self.today, licence: licence, sha256: "", metrics: measured.metrics)
        let written = try Release(weights: file, card: card).write(into: models)
        print("released \(stem) version \(card.version): \(written.weights), \(written.card)")
        touchEmbedding(of: stem)
    }

    private func pictureSets() throws -> [ReleaseGate.PictureSet] {
        let root = data ?? ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data"
        return try ["Set5", "Set14", "BSD100"].map { set in
            ReleaseGate.PictureSet(name: set, pictures: try PictureFolder.pictures(in: "\(root)/eval/\(set)"))
        }
    }

    /// The build does not see that an embedded file has changed, so the source that embeds it is touched.
    private func touchEmbedding(of stem: String) {
        let source = URL(fileURLWithPath: models).appendingPathComponent("../Sources/CModels/CModels.c").standardizedFileURL.path
        guard let text = try? String(contentsOfFile: source, encoding: .utf8) else { return }
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: source)
        if !text.contains("\(stem).safetensors") { print("add \(stem) to \(source) to ship it inside the command") }
    }

    /// A card that names another recipe than the one that made the weights would be a lie.
    ///
    /// Where data lies, how long the clock ran and how often it was looked at are not part of what makes a recipe.
    private func checkRecipe(_ recorded: String?) throws {
        guard let recorded else { return }
        let (claimed, used) = (try Recipe(contentsOf: recipe), try Self.decode(recorded, of: checkpoint))
        let apart: Set = ["name", "minutes", "data", "validation", "validate_every", "checkpoint_every"]
        let (a, b) = (try Self.fields(claimed), try Self.fields(used))
        let different = Set(a.keys).union(b.keys).subtracting(apart).filter { a[$0] != b[$0] }.sorted()
        guard different.isEmpty else {
            throw AcuityError(.training, "\(checkpoint) was not trained by \(recipe): \(different.joined(separator: ", ")) differ")
        }
    }

    private static func decode(_ text: String, of checkpoint: String) throws -> Recipe {
        do {
            return try JSONDecoder().decode(Recipe.self, from: Data(text.utf8))
        } catch {
            throw AcuityError(.training, "\(checkpoint): holds no readable recipe")
        }
    }

    /// Every field of a recipe, defaults included, as comparable text.
    private static func fields(_ recipe: Recipe) throws -> [String: Data] {
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(recipe)) as? [String: Any] ?? [:]
        return try object.mapValues { try JSONSerialization.data(withJSONObject: [$0], options: .sortedKeys) }
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
