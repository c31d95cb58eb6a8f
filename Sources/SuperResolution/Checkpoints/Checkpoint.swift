// Checkpoint: a weights file of any format, and the model in it.
public import FoundationEssentials

/// Weights and what their file says about them.
public struct Checkpoint: Sendable {
    public enum Format: String, Sendable, Hashable {
        case safetensors
        /// PyTorch's `torch.save`.
        case pth
    }
    public let format: Format
    public let weights: StateDict
    /// Free text of safetensors files, e.g. `scale`; empty for `.pth`.
    public let metadata: [String: String]

    /// Reads a weights file; its content decides the format, not its name.
    /// - Throws: ``AcuityError`` with code `.file` or `.weights`.
    public static func load(path: String) throws -> Checkpoint {
        try Checkpoint(try readFile(path), name: path)
    }

    /// Reads the bytes of a weights file.
    /// - Parameter name: what errors call it.
    /// - Throws: ``AcuityError`` with code `.weights`.
    public init(_ data: Data, name: String) throws {
        if PyTorchFile.recognises(data) {
            (format, metadata) = (.pth, [:])
            weights = Self.withoutModulePrefix(try PyTorchFile.weights(data, name: name))
        } else {
            let file = try SafetensorsFile(data, name: name)
            (format, metadata) = (.safetensors, file.metadata)
            weights = Self.withoutModulePrefix(Self.averageOfRun(try file.weights()))
        }
    }

    /// A run's own checkpoint holds the running average, which is what would be released, beside all that goes on from there.
    private static func averageOfRun(_ weights: StateDict) -> StateDict {
        let average = weights.filter { $0.key.hasPrefix("average/") }
        return average.isEmpty ? weights : StateDict(uniqueKeysWithValues: average.map { (String($0.key.dropFirst(8)), $0.value) })
    }

    /// `DataParallel` puts `module.` before every key.
    private static func withoutModulePrefix(_ weights: StateDict) -> StateDict {
        guard weights.keys.allSatisfy({ $0.hasPrefix("module.") }) else { return weights }
        return StateDict(uniqueKeysWithValues: weights.map { (String($0.key.dropFirst(7)), $0.value) })
    }
}

extension Model {
    /// Reads a model from a weights file of any known format and architecture.
    /// - Parameter scale: for architectures whose weights do not tell it, if the file's metadata does not either.
    /// - Throws: ``AcuityError`` with code `.file`, `.weights`, or `.usage` where the scale is needed.
    public static func load(path: String, scale: Int? = nil) throws -> Model {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let stem = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
        return try Model(checkpoint: Checkpoint.load(path: path), name: stem, scale: scale)
    }

    /// The model in a checkpoint.
    public init(checkpoint: Checkpoint, name: String, scale: Int? = nil, card: ModelCard? = nil) throws {
        do {
            let found = try Architectures.makeNetwork(
                for: checkpoint.weights, scale: scale ?? card?.scale ?? checkpoint.metadata["scale"].flatMap { Int($0) })
            try self.init(name: name, network: found.network, weights: found.weights, card: card)
        } catch let error as AcuityError where !error.message.hasPrefix(name) {
            throw AcuityError(error.code, "\(name): \(error.message)")
        }
    }
}
