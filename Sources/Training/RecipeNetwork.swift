// RecipeNetwork: the network that a recipe names, and its fresh weights.

public import SuperResolution

extension Recipe {
    /// The network.
    /// - Throws: ``AcuityError`` with code `.training` naming the hyper-parameter at fault.
    public func network() throws -> Network {
        guard case .text(let architectureName)? = architecture["name"] else {
            throw AcuityError(.training, "\(name): architecture.name is missing")
        }
        func number(_ key: String, default fallback: Int? = nil) throws -> Int {
            switch architecture[key] {
            case .number(let value) where (1...4096).contains(value): return value
            case nil: if let fallback { return fallback } else { throw AcuityError(.training, "\(name): architecture.\(key) is missing") }
            default: throw AcuityError(.training, "\(name): architecture.\(key) is a number 1…4096")
            }
        }
        func allow(_ keys: [String]) throws {
            for key in architecture.keys.sorted() where key != "name" && !keys.contains(key) {
                throw AcuityError(.training, "\(name): \(architectureName) has no hyper-parameter \(key)")
            }
        }
        switch architectureName {
        case "Compact":
            try allow(["features", "convolutions"])
            return try compact(features: number("features"), convolutions: number("convolutions"))
        case "SRCNN":
            try allow(["features", "middle", "kernel"])
            return try srcnn(features: number("features", default: 64), middle: number("middle", default: 32), kernel: number("kernel", default: 5))
        default:
            throw AcuityError(.training, "\(name): unknown architecture \(architectureName)")
        }
    }

    private func compact(features: Int, convolutions: Int) throws -> Network {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.input
        for index in 0...convolutions {
            x = net.convolution(x, "body.\(2 * index)", outputs: features)
            x = net.prelu(x, "body.\(2 * index + 1)")
        }
        x = net.convolution(x, "body.\(2 * convolutions + 2)", outputs: 3 * scale * scale)
        x = net.pixelShuffle(x, scale)
        x = net.add(x, net.enlarge(net.input, scale, .nearest))
        return try net.finish(x, architecture: "Compact")
    }

    private func srcnn(features: Int, middle: Int, kernel: Int) throws -> Network {
        var net = NetworkBuilder(inputChannels: 1)
        var x = net.enlarge(net.input, scale, .bicubic)
        x = net.activation(net.convolution(x, "conv1", outputs: features, kernel: 9, padding: .replicate), .relu)
        x = net.activation(net.convolution(x, "conv2", outputs: middle, kernel: kernel, padding: .replicate), .relu)
        x = net.convolution(x, "conv3", outputs: 1, kernel: 5, padding: .replicate)
        return try net.finish(x, architecture: "SRCNN", colour: .luma)
    }

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
