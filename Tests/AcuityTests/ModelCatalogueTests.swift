// ModelCatalogueTests: installed models by name and scale, from a folder that each test makes and from the executable.

import Acuity
import Foundation
import Hashing
import Testing

@Suite struct ModelCatalogueTests {
    @Test func listsModelsOfTheFolderByNameAndScale() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 4)
        try folder.add("tiny", scale: 2)
        try folder.add("small", scale: 3)
        let embedded = try ModelCatalogue(folder: nil).entries().map(\.name)
        let entries = try folder.catalogue.entries().filter { !embedded.contains($0.name) }
        #expect(entries.map { "\($0.name)-x\($0.scale)" } == ["small-x3", "tiny-x2", "tiny-x4"])
        #expect(entries.map(\.card.purpose) == ["tests", "tests", "tests"])
        let file = try Data(contentsOf: folder.url.appendingPathComponent("tiny-x2.safetensors"))
        #expect(entries[1].bytes == file.count)
    }

    @Test func readsAModelWithItsCard() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        let model = try folder.catalogue.model(named: "tiny", scale: 2)
        #expect(model.name == "tiny")
        #expect(model.network.architecture == "Compact")
        #expect(model.network.scale == 2)
        #expect(model.network.parameterCount == Self.tinyParameters)
        #expect(model.card?.name == "tiny")
        #expect(try folder.catalogue.models(named: "tiny").keys.sorted() == [2])
    }

    /// 3→4, slopes, 4→4, slopes, 4→12, each convolution 3×3 with bias.
    private static let tinyParameters = (3 * 4 * 9 + 4) + 4 + (4 * 4 * 9 + 4) + 4 + (4 * 12 * 9 + 12)

    @Test func aFolderComesBeforeWhatIsEmbedded() throws {
        let folder = try ModelFolder()
        try folder.add("fast", scale: 2)
        let entry = try #require(folder.catalogue.entries().first { $0.name == "fast" && $0.scale == 2 })
        #expect(entry.card.purpose == "tests")
        #expect(try folder.catalogue.model(entry).network.parameterCount == Self.tinyParameters)
    }

    @Test func anUnknownNameListsTheKnownAndTheNearest() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        try folder.add("zebra", scale: 2)
        let near = try error { try folder.catalogue.models(named: "tyni") }
        #expect(near.code == .usage)
        #expect(near.message.contains("tiny") && near.message.contains("zebra"))
        #expect(near.message.hasSuffix("did you mean tiny?"))
        let far = try error { try folder.catalogue.models(named: "hippopotamus") }
        #expect(far.code == .usage)
        #expect(!far.message.contains("did you mean"))
        #expect(try error { try folder.catalogue.models(named: "") }.code == .usage)
    }

    @Test func aMissingScaleNamesThoseThatExist() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        try folder.add("tiny", scale: 4)
        let error = try error { try folder.catalogue.model(named: "tiny", scale: 3) }
        #expect(error.code == .usage)
        #expect(error.message == "tiny has no scale 3, only 2, 4")
    }

    @Test func aBrokenCardIsNamed() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        try Data("{ not JSON".utf8).write(to: folder.url.appendingPathComponent("tiny-x2.json"))
        let broken = try error { try folder.catalogue.entries() }
        #expect(broken.code == .weights)
        #expect(broken.message.contains("tiny-x2.json"))

        try Data(#"{"name": "tiny"}"#.utf8).write(to: folder.url.appendingPathComponent("tiny-x2.json"))
        let incomplete = try error { try folder.catalogue.entries() }
        #expect(incomplete.code == .weights)
        #expect(incomplete.message.contains("tiny-x2.json"))
    }

    @Test func aCardWithoutWeightsIsNoModel() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        try FileManager.default.removeItem(at: folder.url.appendingPathComponent("tiny-x2.safetensors"))
        #expect(try !folder.catalogue.entries().contains { $0.name == "tiny" })
        #expect(try error { try folder.catalogue.models(named: "tiny") }.code == .usage)
    }

    @Test func damagedWeightsAreRefused() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        let weights = folder.url.appendingPathComponent("tiny-x2.safetensors")
        try Data(contentsOf: weights).dropLast(100).write(to: weights)
        #expect(try error { try folder.catalogue.model(named: "tiny", scale: 2) }.code == .weights)
    }

    @Test func weightsOfAnotherScaleThanTheCardSaysAreRefused() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2, cardScale: 3)
        let error = try error { try folder.catalogue.models(named: "tiny") }
        #expect(error.code == .weights)
        #expect(error.message.contains("tiny"))
    }

    @Test func aFolderThatCannotBeReadIsNamed() throws {
        let error = try error { try ModelCatalogue(folder: "/nowhere/models").entries() }
        #expect(error.code == .file)
        #expect(error.message.contains("/nowhere/models"))
    }

    @Test func aPathIsAWeightsFile() throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 3)
        let path = folder.url.appendingPathComponent("tiny-x3.safetensors").path
        let models = try ModelCatalogue(folder: nil).models(named: path)
        #expect(models.keys.sorted() == [3])
        #expect(models[3]?.name == "tiny-x3")
        #expect(models[3]?.card == nil)
        #expect(try error { try ModelCatalogue(folder: nil).models(named: "absent.pth") }.code == .file)
        #expect(try error { try ModelCatalogue(folder: nil).models(named: "./absent") }.code == .file)
    }
}

/// What is embedded against the files in `Models/`.
@Suite struct EmbeddedModelTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL
    /// `fast-x2`, …
    static let released: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("Models").path)) ?? []
        return files.filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }.sorted()
    }()

    @Test func everyReleasedModelIsEmbedded() throws {
        #expect(try ModelCatalogue(folder: nil).entries().map { "\($0.name)-x\($0.scale)" }.sorted() == Self.released)
    }

    @Test(arguments: released) func cardAndWeightsAgree(stem: String) throws {
        let file = try Data(contentsOf: Self.root.appendingPathComponent("Models/\(stem).safetensors"))
        let entry = try #require(ModelCatalogue(folder: nil).entries().first { "\($0.name)-x\($0.scale)" == stem })
        let model = try ModelCatalogue(folder: nil).model(entry)
        #expect(entry.bytes == file.count)
        #expect(entry.card.sha256 == SHA256.hex(file))
        #expect(entry.card.parameters == model.network.parameterCount)
        #expect(entry.card.architecture == model.network.architecture)
        #expect(model.weights == (try Model(checkpoint: Checkpoint(file, name: stem), name: entry.name, scale: entry.scale).weights))
        let recipe = try Data(contentsOf: Self.root.appendingPathComponent("Recipes/\(entry.card.recipe)"))
        #expect(entry.card.recipeHash == SHA256.hex(recipe))
    }

    /// Our own rendered picture, made small by bicubic and enlarged again: mean squared error, all channels.
    @Test(arguments: released) func beatsLanczos(stem: String) async throws {
        let entry = try #require(ModelCatalogue(folder: nil).entries().first { "\($0.name)-x\($0.scale)" == stem })
        let truth = try Picture(contentsOf: Self.root.appendingPathComponent("Examples/mug.png").path).pixels.raster
            .cropped(to: Region(x: 32, y: 32, width: 192, height: 192))
        let side = 192 / entry.scale
        let small = PixelBuffer(Resampling.bicubic.resize(truth, width: side, height: side), depth: .eight)
        func error(_ method: Upscaler.Method) async throws -> Double {
            let result = try await Upscaler(method, target: .factor(Double(entry.scale))).upscale(small).raster
            return zip(result.samples, truth.samples).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(truth.samples.count)
        }
        let network = try await error(.network(NativeEngine(), [entry.scale: ModelCatalogue(folder: nil).model(entry)]))
        // Where nothing is enlarged nothing is lost either: a level of 255.
        let lanczos = entry.scale > 1 ? try await error(.resampling(.lanczos3)) : 1 / (255 * 255)
        #expect(network < lanczos)
    }
}

/// Models between a faithful one and one that invents.
@Suite struct StrengthTests {
    @Test(arguments: [(nil, 0.5), (0, 0.125), (0.25, 0.21875), (1, 0.5)] as [(Double?, Float)])
    func weightsAreWeighed(strength: Double?, bias: Float) throws {
        let folder = try ModelFolder()
        try folder.add("plain", scale: 2, bias: 0.125)
        try folder.add("bold", scale: 2, bias: 0.5, faithful: "plain")
        let model = try #require(folder.catalogue.models(named: "bold", strength: strength)[2])
        #expect(model.weights["body.4.bias"]?.values == [Float](repeating: bias, count: 12))
        #expect(model.name == "bold" && model.card?.name == (strength == 0 ? "plain" : "bold"))
    }

    /// The faithful model's name says the same; a scale at which nothing invents is not taken for one that does.
    @Test func eitherNameWillDo() throws {
        let folder = try ModelFolder()
        try folder.add("plain", scale: 2, bias: 0.125)
        try folder.add("plain", scale: 4, bias: 0.125)
        try folder.add("bold", scale: 2, bias: 0.5, faithful: "plain")
        let quarter = try folder.catalogue.models(named: "plain", strength: 0.25)
        #expect(quarter.keys.sorted() == [2])
        #expect(quarter[2]?.weights["body.4.bias"]?.values == [Float](repeating: 0.21875, count: 12))
        // What invents is treated as such, under whichever name.
        #expect(quarter[2]?.name == "plain" && quarter[2]?.card?.name == "bold")
        for strength in [nil, 0] as [Double?] {
            let models = try folder.catalogue.models(named: "plain", strength: strength)
            #expect(models.keys.sorted() == [2, 4])
            #expect(models[2]?.weights["body.4.bias"]?.values == [Float](repeating: 0.125, count: 12))
            #expect(models[2]?.card?.name == "plain")
        }
    }

    @Test func whatCannotBeWeighedIsRefused() throws {
        let folder = try ModelFolder()
        try folder.add("plain", scale: 2)
        try folder.add("single", scale: 2)
        try folder.add("bold", scale: 2, faithful: "plain")
        try folder.add("bold", scale: 4, faithful: "plain")
        try folder.add("alone", scale: 2, faithful: "nobody")
        let file = folder.url.appendingPathComponent("plain-x2.safetensors").path
        for (name, strength) in [("single", 0.5), ("bold", 0.5), ("alone", 0.5), (file, 0.5)] {
            #expect(try error { try folder.catalogue.models(named: name, strength: strength) }.code == .usage)
        }
        try FileManager.default.removeItem(at: folder.url.appendingPathComponent("bold-x4.json"))
        for strength in [-0.1, 1.1, .nan] { #expect(try error { try folder.catalogue.models(named: "bold", strength: strength) }.message.contains("strength")) }
        #expect(throws: AcuityError.self) { try Upscaler.Method.named("lanczos3", strength: 0.5) }
    }
}

/// What the README shows to programmers.
@Suite struct LibrarySnippetTests {
    /// A network whose weights are all zero adds nothing to the nearest enlargement of its picture.
    @Test func runsWithAWeightsFile() async throws {
        let folder = try ModelFolder()
        try folder.add("tiny", scale: 2)
        let kitten = folder.url.appendingPathComponent("kitten.png").path
        let enlarged = folder.url.appendingPathComponent("kitten@2x.png").path
        try picture.write(to: kitten)

        let upscaler = try Upscaler(model: .named(folder.url.appendingPathComponent("tiny-x2.safetensors").path), scale: 2)
        let picture = try Picture(contentsOf: kitten)
        try await upscaler.upscale(picture).write(to: enlarged)

        #expect(try Picture(contentsOf: enlarged).pixels == repeated(picture.pixels, 2))
    }

    @Test(.enabled(if: EmbeddedModelTests.released.contains("fast-x4"), "needs Models/fast-x4.safetensors"))
    func runsAsWritten() async throws {
        let folder = try ModelFolder()
        let kitten = folder.url.appendingPathComponent("kitten.jpg").path
        let enlarged = folder.url.appendingPathComponent("kitten@4x.png").path
        try picture.write(to: kitten)

        let upscaler = try Upscaler(model: .named("fast"), scale: 4)
        let picture = try Picture(contentsOf: kitten)
        try await upscaler.upscale(picture).write(to: enlarged)

        let result = try Picture(contentsOf: enlarged)
        #expect((result.width, result.height) == (4 * picture.width, 4 * picture.height))
    }

    /// A gradient with an edge.
    private var picture: Picture {
        let (width, height) = (24, 17)
        let bytes = (0..<width * height * 3).map { i in UInt8((i / 3 % width) * 7 + (i / 3 / width > 8 ? 60 : 0) + i % 3 * 10) }
        return Picture(pixels: PixelBuffer(width: width, height: height, channels: 3, depth: .eight, bytes: bytes))
    }
}

/// Every pixel `factor` times across and down.
private func repeated(_ pixels: PixelBuffer, _ factor: Int) -> PixelBuffer {
    var bytes: [UInt8] = []
    for y in 0..<pixels.height * factor {
        for x in 0..<pixels.width * factor {
            let start = (y / factor * pixels.width + x / factor) * pixels.channels
            bytes += pixels.bytes[start..<start + pixels.channels]
        }
    }
    return PixelBuffer(
        width: pixels.width * factor, height: pixels.height * factor, channels: pixels.channels, depth: .eight, bytes: bytes)
}

/// A folder of released models that vanishes with its value.
private final class ModelFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-models-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    var catalogue: ModelCatalogue { ModelCatalogue(folder: url.path) }

    /// A Compact network of 4 features and 1 hidden convolution whose weights are all zero, with a card.
    /// - Parameter bias: of the last layer, so that the network adds it to the nearest enlargement.
    func add(_ name: String, scale: Int, cardScale: Int? = nil, bias: Float = 0, faithful: String? = nil) throws {
        let shapes = [
            "body.0.weight": [4, 3, 3, 3], "body.0.bias": [4], "body.1.weight": [4],
            "body.2.weight": [4, 4, 3, 3], "body.2.bias": [4], "body.3.weight": [4],
            "body.4.weight": [3 * scale * scale, 4, 3, 3], "body.4.bias": [3 * scale * scale],
        ]
        var file = SafetensorsWriter()
        for (key, shape) in shapes {
            try file.add(key, Tensor(shape: shape, values: [Float](repeating: key == "body.4.bias" ? bias : 0, count: shape.reduce(1, *))))
        }
        let card = ModelCard(
            name: name, version: "1", architecture: "Compact", scale: cardScale ?? scale, purpose: "tests", parameters: 0,
            trainingData: "none", recipe: "none.json", recipeHash: "", steps: 0, trainingMinutes: 0, hardware: "none",
            date: "2000-01-01", licence: "none", sha256: "", metrics: [], faithful: faithful)
        let stem = url.appendingPathComponent("\(name)-x\(scale)").path
        try file.write(to: stem + ".safetensors")
        try JSONEncoder().encode(card).write(to: URL(fileURLWithPath: stem + ".json"))
    }
}

/// The error that the body must throw.
private func error(_ body: () throws -> some Any) throws -> AcuityError {
    try #require(#expect(throws: AcuityError.self) { _ = try body() })
}
