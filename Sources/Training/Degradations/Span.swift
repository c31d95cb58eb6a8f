// Span: the ranges, weights and choices that degradation models are set by, and how they are drawn.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import SuperResolution

/// A range to draw from, `[low, high]` in JSON.
public struct Span: Sendable, Hashable, Codable {
    public var low: Double
    public var high: Double

    public init(_ low: Double, _ high: Double) {
        self.low = low
        self.high = high
    }

    public init(from decoder: any Decoder) throws {
        let ends = try decoder.singleValueContainer().decode([Double].self)
        guard ends.count == 2 else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "a range is [low, high]"))
        }
        self.init(ends[0], ends[1])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode([low, high])
    }

    /// Uniform.
    func draw(using random: inout SplitMix) -> Double { low < high ? Double.random(in: low...high, using: &random) : low }

    /// Uniform over whole numbers.
    func drawInteger(using random: inout SplitMix) -> Int { Int.random(in: Int(low)...max(Int(low), Int(high)), using: &random) }

    /// Uniform over logarithms.
    func drawLogarithmic(using random: inout SplitMix) -> Double {
        exponential(Span(logarithm(low), logarithm(high)).draw(using: &random))
    }

    /// On either side of 1 with equal chances, as Real-ESRGAN draws exponents.
    func drawAroundOne(using random: inout SplitMix) -> Double {
        Bool.random(using: &random) ? Span(min(low, 1), 1).draw(using: &random) : Span(1, max(1, high)).draw(using: &random)
    }

    /// - Throws: ``AcuityError`` with code `.training` unless `limits.lowerBound ≤ low ≤ high ≤ limits.upperBound`.
    func check(_ name: String, in limits: ClosedRange<Double>) throws {
        guard low <= high, limits.contains(low), limits.contains(high) else {
            throw AcuityError(.training, "\(name) is [\(short(low)), \(short(high))]; a range within \(short(limits.lowerBound))…\(short(limits.upperBound)) is needed")
        }
    }
}

/// Two to four significant digits' worth of a number, for people.
func short(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    if value == value.rounded() { return "\(Int(value))" }
    if abs(value) < 0.01 { return "\((value * 1e6).rounded() / 1e6)" }
    return "\((value * 1000).rounded() / 1000)"
}

extension SplitMix {
    mutating func happens(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    /// An index with the given weights, which are not negative and not all 0.
    mutating func choice(_ weights: [Double]) -> Int {
        var rest = Double.random(in: 0..<1, using: &self) * weights.reduce(0, +)
        for (index, weight) in weights.enumerated() where weight > 0 {
            rest -= weight
            if rest < 0 { return index }
        }
        return weights.lastIndex { $0 > 0 } ?? 0
    }

    mutating func choice<Element>(of elements: [Element], default standard: Element) -> Element {
        elements.randomElement(using: &self) ?? standard
    }

    /// For libtorch's generators; 32 bits, so that any reader of JSON keeps them.
    mutating func noiseSeed() -> UInt64 { next() >> 32 }
}

func checkProbability(_ value: Double, _ name: String) throws {
    guard (0...1).contains(value) else { throw AcuityError(.training, "\(name) is \(short(value)); a probability is 0…1") }
}

func checkWeights(_ values: [Double], _ name: String) throws {
    guard values.allSatisfy({ $0 >= 0 && $0.isFinite }), values.contains(where: { $0 > 0 }) else {
        throw AcuityError(.training, "\(name): weights are not negative and not all 0")
    }
}

// MARK: - JSON

/// A JSON tree, to lay given settings over the standard ones key by key.
enum JSONValue: Codable, Hashable {
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// A value's tree, its keys in snake case.
    init(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        self = try JSONDecoder().decode(JSONValue.self, from: encoder.encode(value))
    }

    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: JSONEncoder().encode(self))
    }

    /// This tree with the values of another one in their places.
    /// - Throws: ``AcuityError`` naming a key that this tree does not have.
    func overridden(by other: JSONValue, in place: String) throws -> JSONValue {
        guard case .object(var mine) = self, case .object(let theirs) = other else { return other }
        for (key, value) in theirs.sorted(by: { $0.key < $1.key }) {
            guard let standard = mine[key] else {
                throw AcuityError(.training, "unknown key \(key) in \(place); known are \(mine.keys.sorted().joined(separator: ", "))")
            }
            mine[key] = try standard.overridden(by: value, in: "\(place).\(key)")
        }
        return .object(mine)
    }
}
