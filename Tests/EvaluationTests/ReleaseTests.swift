// ReleaseTests: what a release writes is what was measured, and a failed one leaves nothing behind.

import Evaluation
import Foundation
import SuperResolution
import Testing

@Suite struct ReleaseTests {
    private let card = ModelCard(
        name: "tiny", version: "3", architecture: "SRCNN", scale: 2, purpose: "a test", parameters: 1, trainingData: "none", recipe: "r.json",
        recipeHash: "", steps: 1, trainingMinutes: 1, hardware: "", date: "2026-01-01", licence: "Apache-2.0", sha256: "", metrics: [])

    private func folder() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-release-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    @Test func writesWeightsAndCard() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try Release.shippedCard(name: "tiny", scale: 2, in: folder.path) == nil)
        try Release(weights: Data("abc".utf8), card: card).write(into: folder.path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["tiny-x2.json", "tiny-x2.safetensors"])
        let shipped = try Release.shippedCard(name: "tiny", scale: 2, in: folder.path)
        #expect(shipped?.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(shipped?.version == "3" && shipped?.name == "tiny")
        try Data("{}".utf8).write(to: folder.appendingPathComponent("tiny-x2.json"))
        #expect(throws: AcuityError.self) { try Release.shippedCard(name: "tiny", scale: 2, in: folder.path) }
    }

    @Test func failsWithoutTraces() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: AcuityError.self) { try Release(weights: Data(), card: card).write(into: folder.path + "/none") }
        // A folder where the card belongs: the rename fails, and the staged files go.
        try FileManager.default.createDirectory(at: folder.appendingPathComponent("tiny-x2.safetensors"), withIntermediateDirectories: true)
        #expect(throws: AcuityError.self) { try Release(weights: Data(), card: card).write(into: folder.path) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tiny-x2.safetensors"])
    }

    @Test func weightsAreRoundedToHalfPrecision() throws {
        let model = try Compact.zero(scale: 2, bias: 0.1)
        let file = try SafetensorsFile(Release.weightsFile(of: model), name: "tiny")
        #expect(file.entries.values.allSatisfy { $0.type == .f16 })
        #expect(file.metadata["scale"] == "2" && file.metadata["architecture"] == "Compact")
        let weights = try file.weights()
        #expect(Set(weights.keys) == Set(model.weights.keys))
        // 0.1 in half precision.
        #expect(weights["body.2.bias"]?.values.first == 0.0999755859375)
    }
}

extension Compact {
    /// A Compact network whose convolutions are all zero, apart from the last bias.
    static func zero(scale: Int, bias: Float) throws -> Model {
        var weights: StateDict = [:]
        func add(_ key: String, _ shape: [Int], _ value: Float = 0) {
            weights[key] = Tensor(shape: shape, values: [Float](repeating: value, count: shape.reduce(1, *)))
        }
        add("body.0.weight", [8, 3, 3, 3])
        add("body.0.bias", [8])
        add("body.1.weight", [8])
        add("body.2.weight", [3 * scale * scale, 8, 3, 3])
        add("body.2.bias", [3 * scale * scale], bias)
        let found = try Architectures.makeNetwork(for: weights, scale: scale)
        return try Model(name: "tiny", network: found.network, weights: found.weights)
    }
}
