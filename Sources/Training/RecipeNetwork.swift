// RecipeNetwork: the network that a recipe names, and its fresh weights.

public import SuperResolution

extension Recipe {
    /// The network.
    public func network() throws -> Network { try architecture.network(scale: scale) }

    /// Weights before the first step: drawn as `initialisation` says, then overwritten by what fits of `warm_start`.
    func freshWeights(of network: Network, using random: inout SplitMix) throws -> StateDict {
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
                case .dirac:
                    tensor.scale(by: 0.1)
                    tensor.addIdentity()
                }
                weights[parameter.key] = tensor
            }
        }
        if let warmStart {
            let file = try TensorFile(contentsOf: warmStart)
            var copied = 0
            for parameter in network.parameters {
                if let entry = file.entries[parameter.key], entry.type == "F32", entry.shape == parameter.shape {
                    weights[parameter.key] = try file.floats(parameter.key)
                    copied += 1
                }
            }
            guard copied > 0 else { throw AcuityError(.training, "\(warmStart): no tensor fits \(network.architecture)") }
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
