// RecipeTests: a recipe means what it says or is refused by the name of its key.

import Foundation
import SuperResolution
import Testing
import Training

@Suite struct RecipeTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    private func refusal(_ changes: [String: Any?]) throws -> String {
        let path = try folder.recipe(changes, name: UUID().uuidString)
        let error = #expect(throws: AcuityError.self, "\(changes)") { try Recipe(contentsOf: path).network() }
        #expect(error?.message.contains("\n") == false)
        return error?.message ?? ""
    }

    @Test func defaults() throws {
        let recipe = try Recipe(contentsOf: folder.recipe())
        #expect(recipe.patch == [Recipe.PatchStage(until: 1, side: 12)])
        #expect(recipe.ema == 0.999 && recipe.finalRate == 0.01 && recipe.seed == 1 && recipe.mseFraction == 0 && recipe.warmStart == nil)
        #expect(recipe.turn && recipe.losses == nil)
        #expect(recipe.optimiser.betas == [0.9, 0.99] && recipe.optimiser.muonRate == 0.005 && recipe.optimiser.momentum == 0.95 && recipe.optimiser.clip == 3)
        #expect(try recipe.network().scale == 2)
        let half = try Recipe(contentsOf: folder.recipe(["precision": String?.none]))
        #expect(half.precision == .bf16)
    }

    @Test func textIsNotTurned() throws {
        let recipe = try Recipe(contentsOf: folder.recipe(["turn": false, "loss": Any?.none, "losses": ["l1": 1, "gradient": 0.5, "edge": 0.25]]))
        #expect(!recipe.turn && recipe.losses?.edge == 0.25)
        let again = try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe))
        #expect(!again.turn && again.losses == recipe.losses)
        #expect(try refusal(["turn": 2]).contains("turn"))
        #expect(try refusal(["loss": Any?.none, "losses": ["l1": 1, "edge": -1]]).contains("a share is not negative"))
        #expect(try refusal(["loss": Any?.none, "losses": ["l1": 1, "calm": [1, 5]]]).contains("losses.calm needs perceptual or gan"))
        #expect(try refusal(["loss": Any?.none, "losses": ["l1": 1, "gan": ["share": 1], "calm": [5, 1]]]).contains("two rising numbers"))
    }

    @Test func stages() throws {
        let recipe = try Recipe(contentsOf: folder.recipe(["patch": [["until": 0.25, "side": 16], ["until": 1, "side": 32]]]))
        #expect(recipe.patch == [.init(until: 0.25, side: 16), .init(until: 1, side: 32)])
    }

    @Test(arguments: ["name", "architecture", "scale", "minutes", "batch", "patch", "optimiser", "data", "validation"])
    func missing(key: String) throws { #expect(try refusal([key: Any?.none]).contains(key)) }

    @Test func unknownKeys() throws {
        #expect(try refusal(["leraning_rate": 1]).contains("leraning_rate"))
        #expect(try refusal(["optimiser": ["name": "adam", "rate": 0.1, "beta": 1]]).contains("beta"))
        #expect(try refusal(["patch": [["until": 1, "side": 16, "sdie": 2]]]).contains("sdie"))
        #expect(try refusal(["architecture": ["name": "Compact", "feature": 8]]).contains("feature"))
    }

    @Test func wrongTypes() throws {
        for (key, value) in [("scale", "two"), ("minutes", "long"), ("data", "one"), ("batch", "2"), ("name", 3), ("seed", -1), ("seed", 1.5), ("scale", 2.5), ("batch", 1e30), ("warmup", 2.5), ("patch", "all")] as [(String, Any)] {
            let message = try refusal([key: value])
            #expect(message.contains(key), "\(message)")
        }
    }

    @Test func oddValues() throws {
        let odd: [(String, Any)] = [
            ("minutes", 0), ("minutes", -3), ("patch", 0), ("patch", -8), ("patch", 100_000), ("patch", [] as [Int]),
            ("batch", 0), ("batch", -1), ("scale", 0), ("scale", 9), ("loss", "l3"), ("precision", "fp8"), ("initialisation", "zeros"),
            ("mse_fraction", 1.5), ("final_rate", -1), ("warmup", -1), ("ema", 1), ("validate_every", 0), ("checkpoint_every", -1),
        ]
        #expect(try refusal(["validate_degraded": true]).contains("validate_degraded needs another degradation than bicubic"))
        #expect(try refusal(["validate_degraded": 1]).contains("validate_degraded"))
        for (key, value) in odd { #expect(try refusal([key: value]).contains(key)) }
        _ = try refusal(["optimiser": ["name": "sgd", "rate": 0.1]])
        _ = try refusal(["optimiser": ["name": "adam", "rate": 0]])
        _ = try refusal(["optimiser": ["name": "adam", "rate": 0.1, "betas": [0.9]]])
        _ = try refusal(["optimiser": ["name": "adam", "rate": 0.1, "clip": 0.5]])
        _ = try refusal(["optimiser": ["name": "adam", "rate": 0.1, "betas": [0.9, 1.1]]])
        _ = try refusal(["patch": [["until": 0.5, "side": 16]]])
        _ = try refusal(["architecture": ["name": "Unheard"]])
        _ = try refusal(["architecture": ["name": "Compact", "features": -8]])
    }

    @Test func notJSON() throws {
        for text in ["", "{", "[]", "null", "\u{0}", "{\"name\": }"] {
            let path = try folder.write(text, to: "broken.json")
            #expect(throws: AcuityError.self) { try Recipe(contentsOf: path) }
        }
        #expect(throws: AcuityError.self) { try Recipe(contentsOf: folder.path) }
        #expect(throws: AcuityError.self) { try Recipe(contentsOf: folder.file("absent.json")) }
    }

    /// The recipes that ship can be read.
    @Test func shipped() throws {
        let recipes = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Recipes").path
        for name in try FileManager.default.subpathsOfDirectory(atPath: recipes) where name.hasSuffix(".json") {
            let recipe = try Recipe(contentsOf: recipes + "/" + name)
            #expect(URL(fileURLWithPath: name).lastPathComponent == recipe.name + ".json")
            #expect(try recipe.network().parameterCount > 0)
        }
    }
}
