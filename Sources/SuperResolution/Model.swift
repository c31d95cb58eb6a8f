// Model: a network with its weights, and the tensors that weights are made of.

/// A dense tensor of 32-bit floats in row-major order (PyTorch's contiguous layout).
public struct Tensor: Sendable, Equatable {
    public let shape: [Int]
    public var values: [Float]

    /// - Precondition: `values.count` is the product of `shape`.
    public init(shape: [Int], values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "a tensor needs as many values as its shape says")
        self.shape = shape
        self.values = values
    }
}

/// Weights by checkpoint key, as in PyTorch's `state_dict`.
public typealias StateDict = [String: Tensor]

/// A network together with the weights it reads and, for a released model, its card.
public struct Model: Sendable {
    /// What a person calls it: `fast`, or the weights file's stem.
    public let name: String
    public let network: Network
    /// Exactly the weights that ``Network/parameters`` lists, checked.
    public let weights: StateDict
    public let card: ModelCard?

    /// Checks that every weight of the network is there with the right shape and is finite.
    /// - Throws: ``AcuityError`` with code `.weights` naming the first key at fault.
    public init(name: String, network: Network, weights: StateDict, card: ModelCard? = nil) throws {
        var used = StateDict()
        for parameter in network.parameters {
            guard let tensor = weights[parameter.key] else {
                throw AcuityError(.weights, "\(name): no weight \(parameter.key)")
            }
            guard tensor.shape == parameter.shape else {
                throw AcuityError(.weights, "\(name): \(parameter.key) has shape \(tensor.shape), \(network.architecture) needs \(parameter.shape)")
            }
            guard tensor.values.allSatisfy(\.isFinite) else {
                throw AcuityError(.weights, "\(name): \(parameter.key) holds values that are not finite")
            }
            used[parameter.key] = tensor
        }
        self.name = name
        self.network = network
        self.weights = used
        self.card = card
    }
}
