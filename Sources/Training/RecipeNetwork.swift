// RecipeNetwork: the network that a recipe names, and its fresh weights.

public import SuperResolution

extension Recipe {
    /// The network.
    public func network() throws -> Network { try architecture.network(scale: scale) }

    /// Weights before the first step: drawn as `initialisation` says, then overwritten by what fits of `warm_start`.
    /// - Parameter note: told in one line what a warm start copied and what it left.
    package func freshWeights(of network: Network, using random: inout SplitMix, note: (String) -> Void) throws -> StateDict {
        var weights = StateDict()
        let kernels = network.kernelKeys
        for parameter in network.parameters {
            let count = parameter.shape.reduce(1, *)
            switch parameter.initialisation {
            case .constant(let value):
                weights[parameter.key] = Tensor(shape: parameter.shape, values: [Float](repeating: value, count: count))
            case .kernel:
                // He et al. 2015: variance 2 / fan-in.
                let fanIn = parameter.shape.dropFirst().reduce(1, *)
                let deviation = Float(2 / Double(max(1, fanIn))).squareRoot()
                var tensor = Tensor(shape: parameter.shape, values: (0..<count).map { _ in random.normal() * deviation })
                let isLast = parameter.key == kernels.last
                let isBody = parameter.shape[0] == parameter.shape[1] && parameter.key != kernels.first && !isLast
                switch initialisation {
                case .he: break
                case .identity:
                    if isBody || isLast { tensor.scale(by: 0.1) }
                    if isBody { tensor.addIdentity() }
                case .residual: if isBody || isLast { tensor.scale(by: 0.1) }
                case .dirac:
                    tensor.scale(by: 0.1)
                    tensor.addIdentity()
                }
                weights[parameter.key] = tensor
            }
        }
        if let warmStart {
            var saved = try Checkpoint.load(path: warmStart).weights
            // Weights of others may come under their authors' keys.
            saved = (try? Architectures.makeNetwork(for: saved, scale: scale))?.weights ?? saved
            for (key, tensor) in saved where !tensor.values.allSatisfy(\.isFinite) {
                throw AcuityError(.training, "\(warmStart): \(key) is not finite")
            }
            if let grown = Growth.grown(saved, scale: scale, into: network, fresh: weights) {
                note("\(warmStart): grown into \(network.parameterCount) parameters")
                saved = grown
            }
            var left: [String] = []
            for parameter in network.parameters {
                if let tensor = saved[parameter.key], tensor.shape == parameter.shape {
                    weights[parameter.key] = tensor
                } else {
                    left.append(parameter.key + (saved[parameter.key].map { " (\($0.shape) there, \(parameter.shape) here)" } ?? " (not there)"))
                }
            }
            let copied = network.parameters.count - left.count
            guard copied > 0 else { throw AcuityError(.training, "\(warmStart): no tensor fits \(network.architecture)") }
            note("\(warmStart): \(copied) of \(network.parameters.count) tensors copied" + (left.isEmpty ? "" : ", left fresh: " + left.joined(separator: ", ")))
        }
        return weights
    }
}

extension Network {
    /// Keys of all convolution kernels in order.
    var kernelKeys: [String] { parameters.filter { $0.initialisation == .kernel }.map(\.key) }
}

extension Tensor {
    fileprivate mutating func scale(by factor: Float) {
        for index in values.indices { values[index] *= factor }
    }

    /// Adds 1 to the centre tap from input `i` to output `i`.
    fileprivate mutating func addIdentity() {
        let (outputs, inputs, height, width) = (shape[0], shape[1], shape[2], shape[3])
        for i in 0..<min(outputs, inputs) { values[((i * inputs + i) * height + height / 2) * width + width / 2] += 1 }
    }
}
