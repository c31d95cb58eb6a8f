// Architecture: the protocol that a family of networks conforms to, and the list of all of them.

/// A family of networks with its hyper-parameters, e.g. `Compact(features: 48, convolutions: 8, scale: 4)`.
///
/// One file per architecture in `Architectures/`: how a checkpoint is recognised by its keys, how hyper-parameters
/// follow from weight shapes, and the graph, written in the order of the paper.
public protocol Architecture: Sendable {
    /// The field's name, e.g. `Compact` for SRVGGNetCompact.
    static var name: String { get }

    /// Whether the keys of a checkpoint are those of this architecture (no false negatives).
    static func detects(_ weights: StateDict) -> Bool

    /// Renames old or foreign keys to those that ``network()`` uses; most architectures need nothing.
    static func canonical(_ weights: StateDict) -> StateDict

    /// Hyper-parameters from weight shapes.
    /// - Parameters:
    ///   - weights: canonical keys, untrusted: shapes may be anything.
    ///   - scale: from metadata or the caller, for architectures whose weights do not tell it (SRCNN).
    /// - Throws: ``AcuityError`` with code `.weights`.
    init(weights: StateDict, scale: Int?) throws

    /// The graph.
    func network() throws -> Network
}

extension Architecture {
    public static func canonical(_ weights: StateDict) -> StateDict { weights }
}
