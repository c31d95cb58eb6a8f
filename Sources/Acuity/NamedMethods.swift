// NamedMethods: from the name that a person gives (`fast`, `lanczos3`, `my-model.pth`) to an upscaling method.

import NativeEngine
public import SuperResolution

extension Upscaler {
    /// Enlarges by a factor: `try Upscaler(model: .named("photo"), scale: 4)`.
    /// - Throws: ``AcuityError`` with code `.usage` for an unknown name or a factor outside 0.25…16.
    public init(model: Method, scale: Double) throws { try self.init(model, target: .factor(scale)) }
}

extension Upscaler.Method {
    /// What is used when nothing is asked for.
    public static let defaultName = "fast"

    /// A classical method (`nearest`, `bilinear`, `bicubic`, `lanczos3`), an installed model, or a weights file.
    /// - Parameters:
    ///   - strength: 0…1, how much a model that invents detail may invent, see ``ModelCatalogue/models(named:strength:)``.
    ///   - threads: how many the network runs on; all cores unless given.
    ///   - selfEnsemble: in how many positions the network sees a picture, 1, 2, 4 or 8, see ``SelfEnsemble``.
    /// - Throws: ``AcuityError``: `.usage` for an unknown name, or a strength or an ensemble that means nothing there, `.weights` for a file that cannot be used.
    public static func named(_ name: String, strength: Double? = nil, threads: Int? = nil, selfEnsemble: Int = 1) throws -> Upscaler.Method {
        if let resampling = Resampling(rawValue: name) {
            guard strength == nil else { throw AcuityError(.usage, "\(name) has no strength") }
            guard selfEnsemble == 1 else { throw AcuityError(.usage, "\(name) is the same in every position; a self-ensemble is for networks") }
            return .resampling(resampling)
        }
        return .network(try SelfEnsemble(NativeEngine(threads: threads), count: selfEnsemble), try ModelCatalogue().models(named: name, strength: strength))
    }
}
