// Release: a model as it is shipped: half-precision weights and the card beside them.

public import Foundation
import Hashing
public import SuperResolution

/// Two files of the same stem: `<name>-x<scale>.safetensors` and `.json`.
public struct Release: Sendable {
    /// The bytes of the safetensors file.
    public let weights: Data
    public let card: ModelCard

    /// - Parameter card: its `sha256` is filled in here.
    public init(weights: Data, card: ModelCard) {
        var card = card
        card.sha256 = SHA256.hex(weights)
        self.weights = weights
        self.card = card
    }

    /// The files' common stem, e.g. `fast-x4`.
    public static func stem(name: String, scale: Int) -> String { "\(name)-x\(scale)" }

    /// A model's weights rounded to half precision, as a safetensors file.
    /// - Parameter metadata: written into the header, beside `architecture` and `scale`.
    /// - Throws: ``AcuityError`` with code `.weights`.
    public static func weightsFile(of model: Model, metadata: [String: String] = [:]) throws -> Data {
        var metadata = metadata
        metadata["architecture"] = model.network.architecture
        metadata["scale"] = String(model.network.scale)
        metadata["format"] = "pt"
        var writer = SafetensorsWriter(metadata: metadata)
        for (key, tensor) in model.weights { try writer.add(key, tensor, as: .f16) }
        return writer.data()
    }

    /// The card of what is shipped under a name and scale; nil when nothing is.
    /// - Throws: ``AcuityError`` with code `.file` when there is a card that cannot be read.
    public static func shippedCard(name: String, scale: Int, in folder: String) throws -> ModelCard? {
        let url = URL(fileURLWithPath: folder).appendingPathComponent(stem(name: name, scale: scale) + ".json")
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        do {
            return try JSONDecoder().decode(ModelCard.self, from: Data(contentsOf: url))
        } catch {
            throw AcuityError(.file, "\(url.path): is not a model card")
        }
    }

    /// Writes both files. Each appears whole or not at all, and none when either cannot be written.
    /// - Returns: the paths of the weights and of the card.
    /// - Throws: ``AcuityError`` with code `.file`.
    @discardableResult
    public func write(into folder: String) throws -> (weights: String, card: String) {
        let base = URL(fileURLWithPath: folder, isDirectory: true)
        let stem = Self.stem(name: card.name, scale: card.scale)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let files: [(URL, Data)]
        do {
            files = [
                (base.appendingPathComponent(stem + ".safetensors"), weights),
                (base.appendingPathComponent(stem + ".json"), try encoder.encode(card) + Data("\n".utf8)),
            ]
        } catch {
            throw AcuityError(.file, "\(stem): its figures do not fit into a card")
        }

        // Everything that can fail happens on files of other names; two renames remain.
        let staged = files.map { $0.0.deletingLastPathComponent().appendingPathComponent(".\($0.0.lastPathComponent).new") }
        do {
            for (file, place) in zip(files, staged) { try file.1.write(to: place) }
        } catch {
            for place in staged { try? FileManager.default.removeItem(at: place) }
            throw AcuityError(.file, "\(folder): cannot be written into")
        }
        for (file, place) in zip(files, staged) {
            guard rename(place.path, file.0.path) == 0 else {
                for place in staged { try? FileManager.default.removeItem(at: place) }
                throw AcuityError(.file, "\(file.0.path): cannot be written")
            }
        }
        return (files[0].0.path, files[1].0.path)
    }
}
