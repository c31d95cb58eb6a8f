// ModelCatalogue: the models that are installed: embedded in the executable, or in the folder that ACUITY_MODELS names.
import CModels
public import FoundationEssentials
public import SuperResolution

/// Finds released models by name and scale.
public struct ModelCatalogue: Sendable {
    /// A model with its card, its weights not yet read.
    public struct Entry: Sendable {
        public let name: String
        public let scale: Int
        public let card: ModelCard
        /// Size of the weights file.
        public let bytes: Int
        fileprivate let source: Source
    }

    fileprivate enum Source: Sendable {
        case embedded(Int)
        case file(String)
    }

    private let folder: String?

    /// - Parameter folder: models there come before embedded ones of the same name and scale; `ACUITY_MODELS` unless given.
    public init(folder: String? = ProcessInfo.processInfo.environment["ACUITY_MODELS"]) { self.folder = folder == "" ? nil : folder }

    /// Everything installed, by name and scale.
    /// - Throws: ``AcuityError``: `.file` if the folder cannot be read, `.weights` for a card that does not parse.
    public func entries() throws -> [Entry] {
        var found: [String: Entry] = [:]
        for index in 0..<acuity_model_count() {
            let model = acuity_model_at(index)
            let name = String(cString: model.name)
            let card = try Self.card(Data(bytes: model.card, count: model.card_size), name: "\(name)-x\(model.scale).json")
            found["\(name)-x\(model.scale)"] = Entry(name: name, scale: Int(model.scale), card: card, bytes: model.weights_size, source: .embedded(index))
        }
        if let folder {
            guard let files = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
                throw AcuityError(.file, "\(folder): cannot be read (ACUITY_MODELS)")
            }
            for file in files where file.hasSuffix(".json") {
                let stem = "\(folder)/\(file.dropLast(5))"
                guard let data = try? Data(contentsOf: URL(filePath: stem + ".json")) else { throw AcuityError(.file, "\(stem).json: cannot be read") }
                guard let size = try? FileManager.default.attributesOfItem(atPath: stem + ".safetensors")[.size] as? Int else { continue }
                let card = try Self.card(data, name: stem + ".json")
                found["\(card.name)-x\(card.scale)"] = Entry(name: card.name, scale: card.scale, card: card, bytes: size, source: .file(stem + ".safetensors"))
            }
        }
        return found.values.sorted { ($0.name, $0.scale) < ($1.name, $1.scale) }
    }

    /// One model.
    /// - Throws: ``AcuityError``: `.usage` for an unknown name or scale, listing what is known; `.weights`.
    public func model(named name: String, scale: Int) throws -> Model {
        let entries = try entries(named: name)
        guard let entry = entries.first(where: { $0.scale == scale }) else {
            throw AcuityError(.usage, "\(name) has no scale \(scale), only \(entries.map { String($0.scale) }.joined(separator: ", "))")
        }
        return try model(entry)
    }

    /// All scales of a model; or, for a path with a slash or a suffix of weights files, the model in that file.
    /// - Parameter strength: 0…1 between a faithful model and the one that was trained further from it to invent detail, by their
    ///   weights; either's name will do, and 0 is the faithful one itself. Scales at which only the faithful one exists are left out then, unless the strength is 0.
    /// - Throws: ``AcuityError``: `.usage` for an unknown name, listing what is known, and for a strength where there is nothing
    ///   to weigh; `.file`; `.weights`.
    public func models(named name: String, strength: Double? = nil) throws -> [Int: Model] {
        if Self.isPath(name) {
            guard strength == nil else { throw AcuityError(.usage, "strength is for installed models; acuity interpolate weighs two weights files") }
            let model = try Model.load(path: name)
            return [model.network.scale: model]
        }
        if let strength, !(0...1).contains(strength) { throw AcuityError(.usage, "strength \(strength): must lie between 0 and 1") }
        var models: [Int: Model] = [:]
        let entries = try entries(named: name)
        for entry in entries {
            // Asked for invention, no scale comes without it: the pipeline takes another one and shrinks.
            if let strength, strength > 0, try ends(of: entry) == nil { continue }
            models[entry.scale] = try model(entry, strength: strength)
        }
        guard !models.isEmpty else { throw Self.hasNoStrength(name) }
        return models
    }

    /// What the weights of a model say of themselves, at every scale it has; for a path, as ``models(named:strength:)`` takes it, those in that file.
    /// - Throws: as there.
    package func metadata(named name: String) throws -> [[String: String]] {
        if Self.isPath(name) { return [try Checkpoint.load(path: name).metadata] }
        return try entries(named: name).map { try checkpoint($0).metadata }
    }

    private static func isPath(_ name: String) -> Bool {
        name.contains("/") || [".safetensors", ".pth", ".pt", ".ckpt"].contains(where: name.lowercased().hasSuffix)
    }

    private func checkpoint(_ entry: Entry) throws -> Checkpoint {
        switch entry.source {
        case .embedded(let index):
            let model = acuity_model_at(index)
            return try Checkpoint(Data(bytes: model.weights, count: model.weights_size), name: entry.name)
        case .file(let path): return try Checkpoint.load(path: path)
        }
    }

    /// Reads an entry's weights.
    /// - Parameter strength: see ``models(named:strength:)``.
    public func model(_ entry: Entry, strength: Double? = nil) throws -> Model {
        let model = try Model(checkpoint: checkpoint(entry), name: entry.name, scale: entry.scale, card: entry.card)
        guard model.network.scale == entry.scale else {
            throw AcuityError(.weights, "\(entry.name): the card says scale \(entry.scale), the weights \(model.network.scale)")
        }
        guard let strength else { return model }
        guard let (faithful, inventing) = try ends(of: entry) else {
            if strength == 0 { return model }
            throw Self.hasNoStrength(entry.name)
        }
        func end(_ name: String) throws -> Model { try name == entry.name ? model : self.model(named: name, scale: entry.scale) }
        let ends = (faithful: try end(faithful), inventing: try end(inventing))
        let weights = try ends.faithful.weights.interpolated(with: ends.inventing.weights, share: strength)
        // However little of it there is, it invents, and is treated like that; with none of it, it is the faithful one under either name.
        return try Model(name: entry.name, network: model.network, weights: weights, card: (strength > 0 ? ends.inventing : ends.faithful).card)
    }

    /// The names of the two models that a strength lies between, of which the entry is one.
    private func ends(of entry: Entry) throws -> (faithful: String, inventing: String)? {
        if let faithful = entry.card.faithful { return (faithful, entry.name) }
        return try entries().first { $0.card.faithful == entry.name && $0.scale == entry.scale }.map { (entry.name, $0.name) }
    }

    private static func hasNoStrength(_ name: String) -> AcuityError {
        AcuityError(.usage, "\(name) has no strength: it has no counterpart that invents more, or less, to be weighed against")
    }

    private func entries(named name: String) throws -> [Entry] {
        let all = try entries()
        let entries = all.filter { $0.name == name }
        if !entries.isEmpty { return entries }
        let names = Set(all.map(\.name)).sorted()
        let nearest = names.min { Self.distance($0, name) < Self.distance($1, name) }
        let hint = nearest.map { Self.distance($0, name) <= 2 ? "; did you mean \($0)?" : "" } ?? ""
        let known = names.isEmpty ? "none are installed" : "installed are " + names.joined(separator: ", ")
        throw AcuityError(.usage, "no model \(name); \(known)\(hint)")
    }

    private static func card(_ data: Data, name: String) throws -> ModelCard {
        do {
            return try JSONDecoder().decode(ModelCard.self, from: data)
        } catch DecodingError.keyNotFound(let key, _) {
            throw AcuityError(.weights, "\(name): no \(key.stringValue)")
        } catch {
            throw AcuityError(.weights, "\(name): is not a model card")
        }
    }

    /// Levenshtein's distance.
    private static func distance(_ a: String, _ b: String) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var last = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() { (last, row[j + 1]) = (row[j + 1], min(row[j] + 1, row[j + 1] + 1, last + (x == y ? 0 : 1))) }
        }
        return row[b.count]
    }
}
