// Degradation: the models by name, with settings that a recipe may change.

import SuperResolution

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A random model of how pictures lose resolution and quality. Its settings are its published parameters; `init()` is as published.
public protocol DegradationModel: Sendable, Codable {
    /// What recipes call it.
    static var name: String { get }
    /// One line for a person.
    static var purpose: String { get }

    init()

    /// - Throws: ``AcuityError`` with code `.training` naming a setting that is out of range.
    func check() throws

    /// How many pairs training keeps to draw batches from (0: none), and which part of a batch is then made anew.
    var pairPool: (size: Int, fresh: Double) { get }

    /// Draws every parameter for a batch. What changes sizes or order is drawn once for the batch, so that it stays one
    /// tensor; the rest per picture.
    /// - Parameters:
    ///   - height: of the ground truth, a multiple of the scale; so is the width.
    func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord
}

/// A degradation model with its settings: `"bicubic"` or `{"name": "real-esrgan", "first": {"jpeg": [10, 95]}}` in a recipe.
/// Keys that are left out keep their published values; a key that is not known is an error.
public struct Degradation: Sendable, Codable {
    public let model: any DegradationModel

    /// All models, in the order of the documentation.
    public static let models: [any DegradationModel.Type] = [
        BicubicModel.self, ClassicalModel.self, BSRGANModel.self, RealESRGANModel.self, CameraModel.self, ScreenshotModel.self, PrintModel.self,
    ]

    /// - Throws: ``AcuityError`` with code `.training` for settings out of range.
    public init(_ model: any DegradationModel) throws {
        try model.check()
        self.model = model
    }

    /// A model as published.
    /// - Throws: ``AcuityError`` with code `.training` where there is none of that name.
    public init(named name: String) throws { try self.init(Self.modelType(name).init()) }

    public var name: String { Swift.type(of: model).name }

    public init(from decoder: any Decoder) throws {
        switch try decoder.singleValueContainer().decode(JSONValue.self) {
        case .text(let name): try self.init(named: name)
        case .object(var settings):
            guard case .text(let name)? = settings.removeValue(forKey: "name") else {
                throw AcuityError(.training, "a degradation needs a name, one of \(Self.names)")
            }
            try self.init(Self.modelType(name).overridden(by: .object(settings)))
        default: throw AcuityError(.training, "a degradation is a name or an object with a name, one of \(Self.names)")
        }
    }

    /// A plain name where all settings are as published.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(model.tree())
    }

    /// Reads a JSON text.
    /// - Throws: ``AcuityError`` with code `.training`.
    public init(json: Data, from place: String) throws {
        do {
            self = try JSONDecoder().decode(Degradation.self, from: json)
        } catch let error as AcuityError {
            throw AcuityError(.training, "\(place): \(error.message)")
        } catch let error as DecodingError {
            throw AcuityError(.training, "\(place): \(error.reason)")
        }
    }

    private static var names: String { models.map { $0.name }.joined(separator: ", ") }

    private static func modelType(_ name: String) throws -> any DegradationModel.Type {
        guard let model = models.first(where: { $0.name == name }) else {
            throw AcuityError(.training, "no degradation \(name); known are \(names)")
        }
        return model
    }
}

extension DegradationModel {
    public var pairPool: (size: Int, fresh: Double) { (0, 1) }

    fileprivate static func overridden(by settings: JSONValue) throws -> Self {
        do {
            return try JSONValue(Self()).overridden(by: settings, in: "degradation \(name)").decoded(as: Self.self)
        } catch let error as DecodingError {
            throw AcuityError(.training, "degradation \(name): \(error.reason)")
        }
    }

    fileprivate func tree() throws -> JSONValue {
        let mine = try JSONValue(self)
        guard case .object(var settings) = mine, try mine != JSONValue(Self()) else { return .text(Self.name) }
        settings["name"] = .text(Self.name)
        return .object(settings)
    }
}

/// MATLAB-style bicubic reduction, rounded to 8 bits, and nothing else: the benchmarks' protocol.
public struct BicubicModel: DegradationModel {
    public static let name = "bicubic"
    public static let purpose = "bicubic reduction alone: clean pictures, the benchmarks' protocol"

    public init() {}

    public func check() throws {}

    public func draw(batch: Int, height: Int, width: Int, scale: Int, using random: inout SplitMix) -> DegradationRecord {
        DegradationRecord(steps: [.bicubic(scale: scale)])
    }
}
