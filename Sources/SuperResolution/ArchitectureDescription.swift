// ArchitectureDescription: an architecture with its hyper-parameters as training recipes write it.

/// A value of a hyper-parameter in a recipe.
public enum Hyperparameter: Sendable, Hashable, Codable {
    case number(Int)
    case text(String)

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a hyper-parameter is a whole number or a text")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }
}

/// Hyper-parameters by name. An ``Architecture`` takes out those it knows; what is left over is a mistake.
public struct Hyperparameters: Sendable {
    private(set) var values: [String: Hyperparameter]

    public init(_ values: [String: Hyperparameter]) { self.values = values }

    /// Takes out a whole number.
    public mutating func number(_ name: String, default standard: Int) throws -> Int {
        switch values.removeValue(forKey: name) {
        case nil: return standard
        case .number(let number): return number
        case .text(let text): throw AcuityError(.network, "\(name) is \"\(text)\", a whole number is needed")
        }
    }

    /// Takes out one of several words.
    public mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, default standard: Word) throws -> Word
    where Word.RawValue == String {
        switch values.removeValue(forKey: name) {
        case nil: return standard
        case .text(let text):
            if let word = Word(rawValue: text) { return word }
            throw AcuityError(.network, "\(name) is \"\(text)\", not one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        case .number(let number):
            throw AcuityError(.network, "\(name) is \(number), not one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }
}

/// An architecture and its hyper-parameters, e.g. `{"name": "Compact", "features": 48, "convolutions": 8}`.
///
/// Decoding is strict: a name, key or value that is not known is an error that says so. The scale is given apart,
/// because one recipe may train several.
public struct ArchitectureDescription: Sendable, Hashable, Codable {
    /// ``Architecture/name`` of one of ``Architectures/all``.
    public let name: String
    public let hyperparameters: [String: Hyperparameter]

    /// - Throws: ``AcuityError`` with code `.network` naming what is not known.
    public init(name: String, hyperparameters: [String: Hyperparameter] = [:]) throws {
        self.name = name
        self.hyperparameters = hyperparameters
        _ = try network(scale: 2)
    }

    public init(from decoder: any Decoder) throws {
        var values = try decoder.singleValueContainer().decode([String: Hyperparameter].self)
        guard case .text(let name) = values.removeValue(forKey: "name") else {
            throw AcuityError(.network, "an architecture needs a name, one of \(Architectures.all.map { $0.name }.joined(separator: ", "))")
        }
        try self.init(name: name, hyperparameters: values)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hyperparameters.merging(["name": .text(name)]) { _, name in name })
    }

    /// The network for one scale.
    /// - Throws: ``AcuityError`` with code `.network`.
    public func network(scale: Int) throws -> Network {
        guard let architecture = Architectures.named(name) else {
            throw AcuityError(.network, "no architecture \(name); known are \(Architectures.all.map { $0.name }.joined(separator: ", "))")
        }
        var rest = Hyperparameters(hyperparameters)
        let made = try architecture.init(&rest, scale: scale)
        if let unknown = rest.values.keys.min() {
            throw AcuityError(.network, "\(name) has no hyper-parameter \(unknown)")
        }
        return try made.network()
    }
}
