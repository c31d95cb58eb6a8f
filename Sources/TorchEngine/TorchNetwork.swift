// TorchNetwork: the forward function of a Network over libtorch, with gradients.

public import SuperResolution

/// A network whose parameters are tensors of libtorch.
public final class TorchNetwork {
    public let network: Network
    public let runtime: TorchRuntime
    public let device: String
    /// By checkpoint key, in fp32.
    public let parameters: [String: TorchTensor]
    /// For every value, the operation that reads it last.
    private let lastUse: [Int]
    private var matrices: [MatrixKey: TorchTensor] = [:]
    /// For a convolution, the PReLU that is the only reader of its output, where the device does both at once.
    private var fusedPReLU: [Int: (index: Int, key: String)] = [:]

    private struct MatrixKey: Hashable {
        let input: Int
        let output: Int
        let method: Resampling
    }

    /// - Parameters:
    ///   - weights: every key of the network's parameters.
    ///   - requiresGradient: whether trainable parameters collect gradients.
    public init(
        _ network: Network, weights: StateDict, device: String = "cpu", requiresGradient: Bool = false, runtime: TorchRuntime
    ) throws {
        var parameters: [String: TorchTensor] = [:]
        for parameter in network.parameters {
            guard let weight = weights[parameter.key], weight.shape == parameter.shape else {
                throw AcuityError(.weights, "\(parameter.key): missing or not of shape \(parameter.shape)")
            }
            parameters[parameter.key] = try TorchTensor(weight, device: device, runtime: runtime)
                .converted(to: .float32, channelsLast: true)
                .leaf(requiresGradient: requiresGradient && parameter.isTrainable)
        }
        self.network = network
        self.runtime = runtime
        self.device = device
        self.parameters = parameters
        var lastUse = Array(network.operations.indices)
        for (index, operation) in network.operations.enumerated() {
            for operand in operation.operands { lastUse[operand.index] = index }
        }
        lastUse[network.output.index] = Int.max
        self.lastUse = lastUse
        if device.hasPrefix("cuda"), try runtime.hasFusedKernels() { fusedPReLU = Self.fusedPReLU(of: network) }
    }

    private static func fusedPReLU(of network: Network) -> [Int: (index: Int, key: String)] {
        var readers = [Int](repeating: 0, count: network.operations.count)
        for operation in network.operations { for operand in operation.operands { readers[operand.index] += 1 } }
        readers[network.output.index] += 1
        var result: [Int: (index: Int, key: String)] = [:]
        for (index, operation) in network.operations.enumerated() {
            guard case .prelu(let x, let key, let channels) = operation, readers[x.index] == 1, case .convolution(_, let c) = network.operations[x.index],
                c.hasBias, c.stride == 1, c.groups == 1, c.padding == .zeros, c.outputs % 8 == 0, channels == c.outputs
            else { continue }
            result[x.index] = (index, key)
        }
        return result
    }

    /// Runs the network.
    ///
    /// With `.bf16` kernels are cast for the call and so decide the type of convolutions and what follows them, as
    /// PyTorch's autocast would; sums with the input stay in fp32.
    /// - Parameters:
    ///   - x: N×C×H×W in fp32.
    ///   - replacing: tensors to use instead of the parameters of these keys, e.g. kernels made of branches.
    /// - Returns: N×C×(scale·H)×(scale·W).
    public func callAsFunction(_ x: TorchTensor, precision: Precision = .fp32, replacing: [String: TorchTensor] = [:]) throws -> TorchTensor {
        var values = [TorchTensor?](repeating: nil, count: network.operations.count)

        func value(_ v: Network.Value) throws -> TorchTensor {
            guard let tensor = values[v.index] else { throw AcuityError(.network, "value \(v.index) is read before it is made") }
            return tensor
        }
        func weight(_ key: String) throws -> TorchTensor {
            guard let tensor = replacing[key] ?? parameters[key] else { throw AcuityError(.network, "\(key): no such parameter") }
            return tensor
        }
        func kernel(_ key: String) throws -> TorchTensor {
            let tensor = try weight(key)
            return precision == .bf16 ? try tensor.converted(to: .bfloat16) : tensor
        }

        for (index, operation) in network.operations.enumerated() where values[index] == nil {
            let result: TorchTensor
            switch operation {
            case .convolution(let x, let c) where precision == .bf16 && fusedPReLU[index] != nil:
                guard let activation = fusedPReLU[index] else { continue }
                values[activation.index] = try value(x).convolutionPReLU(
                    kernel(c.key + ".weight"), bias: weight(c.key + ".bias"), slope: weight(activation.key + ".weight"))
                for operand in operation.operands where lastUse[operand.index] == index { values[operand.index] = nil }
                continue
            case .input:
                result = try x.converted(to: .float32, channelsLast: true)
            case .convolution(let x, let c):
                result = try value(x).convolution(
                    kernel(c.key + ".weight"), bias: c.hasBias ? kernel(c.key + ".bias") : nil, stride: c.stride,
                    groups: c.groups, padding: c.padding)
            case .transposedConvolution(let x, let c):
                result = try value(x).transposedConvolution(
                    kernel(c.key + ".weight"), bias: c.hasBias ? kernel(c.key + ".bias") : nil, stride: c.stride)
            case .prelu(let x, let key, _):
                result = try value(x).prelu(weight(key + ".weight"))
            case .leakyReLU(let x, let slope):
                result = try value(x).leakyReLU(slope: slope)
            case .activation(let x, let function):
                result = try value(x).activation(function)
            case .add(let a, let b):
                result = try value(a).adding(value(b))
            case .multiply(let a, let b):
                result = try value(a).multiplied(by: value(b))
            case .scale(let x, let factor, let offset):
                result = try value(x).scaled(by: factor, offset: offset)
            case .shift(let x, let offsets):
                let constant = try TorchTensor(Tensor(shape: [1, offsets.count, 1, 1], values: offsets), device: device, runtime: runtime)
                result = try value(x).adding(constant)
            case .concatenate(let parts):
                result = try TorchTensor.concatenate(parts.map(value))
            case .slice(let x, let first, let count):
                result = try value(x).slice(first: first, count: count)
            case .pixelShuffle(let x, let factor):
                result = try value(x).pixelShuffle(factor)
            case .pixelUnshuffle(let x, let factor):
                result = try value(x).pixelUnshuffle(factor)
            case .enlarge(let x, let factor, .nearest):
                result = try value(x).enlargedNearest(factor)
            case .enlarge(let x, let factor, let method):
                let input = try value(x)
                let shape = try input.shape
                let resampling: Resampling = method == .bilinear ? .bilinear : .bicubic
                result = try input.separable(
                    vertical: matrix(from: shape[2], to: shape[2] * factor, resampling),
                    horizontal: matrix(from: shape[3], to: shape[3] * factor, resampling))
            case .normalise(let x, let n):
                let batch = n.kind == .batch
                result = try value(x).normalised(
                    n, weight: weight(n.key + ".weight"), bias: weight(n.key + ".bias"),
                    mean: batch ? weight(n.key + ".running_mean") : nil, variance: batch ? weight(n.key + ".running_var") : nil)
            }
            values[index] = result
            for operand in operation.operands where lastUse[operand.index] == index { values[operand.index] = nil }
        }
        return try value(network.output)
    }

    private func matrix(from input: Int, to output: Int, _ method: Resampling) throws -> TorchTensor {
        let key = MatrixKey(input: input, output: output, method: method)
        if let matrix = matrices[key] { return matrix }
        if matrices.count > 64 { matrices.removeAll() }
        let matrix = try TorchTensor(method.matrix(from: input, to: output), device: device, runtime: runtime)
        matrices[key] = matrix
        return matrix
    }

    /// The parameters' values in Swift's memory.
    public func weights() throws -> StateDict { try parameters.mapValues { try $0.floats() } }
}

extension Resampling {
    /// The taps as a dense `output × input` matrix.
    public func matrix(from input: Int, to output: Int) -> Tensor {
        let taps = taps(from: input, to: output)
        var values = [Float](repeating: 0, count: output * input)
        for row in 0..<output {
            for k in 0..<taps.count {
                values[row * input + Int(taps.indices[row * taps.count + k])] += taps.weights[row * taps.count + k]
            }
        }
        return Tensor(shape: [output, input], values: values)
    }
}
