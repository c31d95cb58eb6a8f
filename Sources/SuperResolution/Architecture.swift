// Architecture: the protocol that a family of networks conforms to, and how one is found for a checkpoint.

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
    ///   - scale: from metadata or the caller, for architectures whose weights do not tell it (SRCNN, FSRCNN).
    /// - Throws: ``AcuityError`` with code `.weights`; code `.usage` where a scale is needed and none was given.
    init(weights: StateDict, scale: Int?) throws

    /// Hyper-parameters from a recipe; those that are not named take their usual value.
    /// - Throws: ``AcuityError`` with code `.network` naming the value at fault.
    init(_ hyperparameters: inout Hyperparameters, scale: Int) throws

    /// The graph.
    /// - Throws: ``AcuityError`` with code `.network` where hyper-parameters are out of range or do not fit together.
    func network() throws -> Network
}

extension Architecture {
    public static func canonical(_ weights: StateDict) -> StateDict { weights }
}

/// Every architecture that Acuity knows.
public enum Architectures {
    /// In the order in which they are tried on a checkpoint.
    public static let all: [any Architecture.Type] = [
        Compact.self, RRDBNet.self, MSRResNet.self, EDSR.self, SRResNet.self, SPAN.self, SRCNN.self, FSRCNN.self,
    ]

    /// The architecture of that name.
    public static func named(_ name: String) -> (any Architecture.Type)? { all.first { $0.name == name } }

    /// Finds the architecture of a checkpoint from its keys and shapes.
    /// - Parameters:
    ///   - weights: any keys and shapes.
    ///   - scale: used where the weights do not tell the scale.
    /// - Returns: the network, and the weights under the keys that it uses.
    /// - Throws: ``AcuityError`` with code `.weights` (unknown architecture, shapes that do not fit) or `.usage` (the
    ///   scale is needed).
    public static func makeNetwork(for weights: StateDict, scale: Int?) throws -> (network: Network, weights: StateDict) {
        guard let architecture = all.first(where: { $0.detects(weights) }) else {
            let keys = weights.keys.sorted().prefix(3).joined(separator: ", ")
            throw AcuityError(
                .weights,
                "unknown architecture (keys \(keys.isEmpty ? "none" : keys), …); known are \(all.map { $0.name }.joined(separator: ", "))")
        }
        let canonical = architecture.canonical(weights)
        do {
            let network = try architecture.init(weights: canonical, scale: scale).network()
            // A weight that nothing reads means a variant that would silently give wrong pictures.
            if let unused = Set(canonical.keys).subtracting(network.parameters.map(\.key)).min() {
                throw AcuityError(.weights, "\(architecture.name) has no weight \(unused)")
            }
            return (network, canonical)
        } catch let error as AcuityError where error.code == .network {
            throw AcuityError(.weights, "\(architecture.name): \(error.message)")
        }
    }
}

// MARK: - Helpers for the files in Architectures/

extension StateDict {
    /// The shape of a tensor of a given rank whose sides are all at least 1.
    func shape(_ key: String, rank: Int) throws -> [Int] {
        guard let tensor = self[key] else { throw AcuityError(.weights, "no weight \(key)") }
        guard tensor.shape.count == rank, tensor.shape.allSatisfy({ $0 > 0 }) else {
            throw AcuityError(.weights, "\(key) has shape \(tensor.shape), \(rank) dimensions are needed")
        }
        return tensor.shape
    }

    func rank(_ key: String) -> Int? { self[key]?.shape.count }

    /// How many keys there are in a row, from 0.
    func count(_ key: (Int) -> String) -> Int {
        var count = 0
        while self[key(count)] != nil { count += 1 }
        return count
    }

    /// The factor of a pixel shuffle that turns `outputs` channels into `channels`.
    func pixelShuffleFactor(_ key: String, from outputs: Int, to channels: Int) throws -> Int {
        guard channels > 0, let factor = networkScales.first(where: { outputs.isMultiple(of: channels) && outputs / channels == $0 * $0 }) else {
            throw AcuityError(.weights, "\(key) has \(outputs) outputs, which no whole scale explains")
        }
        return factor
    }
}

extension Network.Colour {
    /// One channel is luma, three are RGB.
    init(channels: Int) throws {
        switch channels {
        case 1: self = .luma
        case 3: self = .rgb
        default: throw AcuityError(.network, "networks take 1 or 3 channels, not \(channels)")
        }
    }

    var channels: Int { self == .luma ? 1 : 3 }
}

extension NetworkBuilder {
    /// `scale · conv2(ReLU(conv1(x))) + x`: the residual block of EDSR; with slopes `act.weight` for the ReLU where `prelu` is set.
    mutating func residualBlock(_ x: Value, _ key: String, scale factor: Float = 1, prelu hasSlopes: Bool = false) -> Value {
        let features = channels(x)
        var y = convolution(x, "\(key).conv1", outputs: features)
        y = hasSlopes ? prelu(y, "\(key).act") : activation(y, .relu)
        y = convolution(y, "\(key).conv2", outputs: features)
        return add(factor == 1 ? y : scale(y, by: factor), x)
    }
}

/// Throws an error of code `.network` unless `value` lies in `range`.
func require(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
        throw AcuityError(.network, "\(name) is \(value), not \(range.lowerBound) to \(range.upperBound)")
    }
}

/// Scales that any network may have.
let networkScales = 1...16
