// Reparameterisation: 3×3 convolutions that train as several branches and ship as one kernel.

package import SuperResolution
package import TorchEngine

/// Trains every plain 3×3 kernel of a network as a sum of branches.
///
/// The branches are merged into one kernel by tensor operations on the weights at every step, and the gradient flows back
/// through the merge ("online" re-parameterisation, Hu et al. 2022): the pictures only meet the merged kernel, so a step
/// costs hardly more than the plain network's, and what is averaged, validated and released is the plain network.
/// A bias stays one plain bias: biases of inner branches would add up to nothing else.
///
/// - `ecb`: ECBSR's edge-oriented block (Zhang et al. 2021): 3×3, 1×1 → 3×3 twice as wide, and 1×1 → Sobel along x, along y
///   and Laplacian, each edge filter scaled per channel. Its identity is a constant, which the start of the 3×3 holds.
/// - `conv3xc`: SPAN's block (Wan et al. 2024): 1×1 → 3×3 → 1×1, twice as wide inside, beside a 1×1 skip.
///
/// Branches start so that their sum is the kernel that the plain network would have started with.
package final class Reparameterisation {
    /// One kernel's branches, leaves of the graph of gradients.
    package struct Branches {
        /// The kernel that they add up to.
        package let key: String
        /// (outputs, inputs, 3, 3); the whole of `ecb`'s plain branch.
        package let plain: TorchTensor?
        /// 1×1, as (wide, inputs).
        package let first: TorchTensor
        /// (outputs or wide, wide, 3, 3).
        package let middle: TorchTensor
        /// 1×1, as (outputs, wide); `conv3xc` only.
        package let last: TorchTensor?
        /// 1×1, as (outputs, inputs); `conv3xc` only.
        package let skip: TorchTensor?
        /// For each of ``Reparameterisation/edges``: 1×1 as (outputs, inputs) and a factor per output; `ecb` only.
        package let edges: [(kernel: TorchTensor, factor: TorchTensor)]

        /// Every leaf under the name that checkpoints use.
        var leaves: [(name: String, tensor: TorchTensor)] {
            var result: [(String, TorchTensor)] = []
            for (name, tensor) in [("plain", plain), ("first", first), ("middle", middle), ("last", last), ("skip", skip)] {
                if let tensor { result.append(("\(key)/\(name)", tensor)) }
            }
            for (index, edge) in edges.enumerated() {
                result.append(("\(key)/edge\(index)", edge.kernel))
                result.append(("\(key)/factor\(index)", edge.factor))
            }
            return result
        }
    }

    /// Sobel along x and along y, and the Laplacian, with ECBSR's signs.
    package static let edges: [[Float]] = [
        [1, 0, -1, 2, 0, -2, 1, 0, -1],
        [1, 2, 1, 0, 0, 0, -1, -2, -1],
        [0, 1, 0, 1, -4, 1, 0, 1, 0],
    ]

    package let branches: [Branches]
    /// `edges` and a kernel that is 1 in the middle, each (3, 3).
    private let masks: [TorchTensor]
    private let centre: TorchTensor

    /// - Parameters:
    ///   - weights: of the plain network, before the first step.
    ///   - random: the branches' start is drawn from it.
    package init(
        _ kind: Recipe.Reparameterise, of network: Network, weights: StateDict, device: String, runtime: TorchRuntime, using random: inout SplitMix
    ) throws {
        func constant(_ values: [Float]) throws -> TorchTensor { try TorchTensor(Tensor(shape: [3, 3], values: values), device: device, runtime: runtime) }
        masks = try Self.edges.map(constant)
        centre = try constant([0, 0, 0, 0, 1, 0, 0, 0, 0])

        var branches: [Branches] = []
        for c in network.plainConvolutions {
            let key = c.key + ".weight"
            guard let kernel = weights[key] else { throw AcuityError(.weights, "\(key): missing") }
            branches.append(try Self.branches(kind, key, kernel, device: device, runtime: runtime, using: &random))
        }
        guard !branches.isEmpty else { throw AcuityError(.training, "reparameterise: \(network.architecture) has no plain 3×3 convolution") }
        self.branches = branches
    }

    private static func branches(
        _ kind: Recipe.Reparameterise, _ key: String, _ kernel: Tensor, device: String, runtime: TorchRuntime, using random: inout SplitMix
    ) throws -> Branches {
        let (outputs, inputs) = (kernel.shape[0], kernel.shape[1])
        /// PyTorch's usual variance, 1 / (3 fan-in).
        func draw(_ shape: Int..., fanIn: Int) -> Tensor {
            let deviation = (1 / Float(3 * fanIn)).squareRoot()
            return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in random.normal() * deviation })
        }
        func leaf(_ tensor: Tensor) throws -> TorchTensor { try TorchTensor(tensor, device: device, runtime: runtime).leaf(requiresGradient: true) }

        switch kind {
        case .ecb:
            let wide = 2 * outputs
            let first = draw(wide, inputs, fanIn: inputs), middle = draw(outputs, wide, 3, 3, fanIn: wide * 9)
            var plain = kernel
            plain.subtract(product(middle, first))
            var made: [(TorchTensor, TorchTensor)] = []
            for mask in edges {
                let edge = draw(outputs, inputs, fanIn: inputs)
                let factor = Tensor(shape: [outputs], values: (0..<outputs).map { _ in random.normal() * 1e-3 })
                for o in 0..<outputs {
                    for i in 0..<inputs {
                        for tap in 0..<9 { plain.values[(o * inputs + i) * 9 + tap] -= factor.values[o] * mask[tap] * edge.values[o * inputs + i] }
                    }
                }
                made.append((try leaf(edge), try leaf(factor)))
            }
            return try Branches(key: key, plain: leaf(plain), first: leaf(first), middle: leaf(middle), last: nil, skip: nil, edges: made)

        case .conv3xc:
            // first = [I; R], last = [I 0]: the product is the middle's upper half times first, so its upper left block can
            // be chosen to make it the kernel.
            let (wideInputs, wideOutputs) = (2 * inputs, 2 * outputs)
            var first = draw(wideInputs, inputs, fanIn: inputs), middle = draw(wideOutputs, wideInputs, 3, 3, fanIn: wideInputs * 9)
            var last = Tensor(shape: [outputs, wideOutputs], values: [Float](repeating: 0, count: outputs * wideOutputs))
            for row in 0..<inputs {
                for column in 0..<inputs { first.values[row * inputs + column] = row == column ? 1 : 0 }
            }
            for o in 0..<outputs { last.values[o * wideOutputs + o] = 1 }
            for o in 0..<outputs {
                for i in 0..<inputs {
                    for tap in 0..<9 {
                        var rest: Float = 0
                        for m in inputs..<wideInputs { rest += middle.values[(o * wideInputs + m) * 9 + tap] * first.values[m * inputs + i] }
                        middle.values[(o * wideInputs + i) * 9 + tap] = kernel.values[(o * inputs + i) * 9 + tap] - rest
                    }
                }
            }
            let skip = Tensor(shape: [outputs, inputs], values: [Float](repeating: 0, count: outputs * inputs))
            return try Branches(key: key, plain: nil, first: leaf(first), middle: leaf(middle), last: leaf(last), skip: leaf(skip), edges: [])
        }
    }

    /// `middle · first`, tap by tap: (outputs, inputs, 3, 3).
    private static func product(_ middle: Tensor, _ first: Tensor) -> Tensor {
        let (outputs, wide, inputs) = (middle.shape[0], middle.shape[1], first.shape[1])
        var values = [Float](repeating: 0, count: outputs * inputs * 9)
        for o in 0..<outputs {
            for m in 0..<wide {
                for i in 0..<inputs {
                    let weight = first.values[m * inputs + i]
                    for tap in 0..<9 { values[(o * inputs + i) * 9 + tap] += middle.values[(o * wide + m) * 9 + tap] * weight }
                }
            }
        }
        return Tensor(shape: [outputs, inputs, 3, 3], values: values)
    }

    /// Every leaf, with the key of the kernel that it is a part of.
    var leaves: [(name: String, key: String, tensor: TorchTensor)] {
        branches.flatMap { branch in branch.leaves.map { ($0.name, branch.key, $0.tensor) } }
    }

    /// The kernels that the branches add up to, with their place in the graph of gradients.
    package func merged() throws -> [String: TorchTensor] {
        var result: [String: TorchTensor] = [:]
        for b in branches {
            var kernel: TorchTensor
            if let last = b.last, let skip = b.skip {
                kernel = try .einsum("om,mnyx,ni->oiyx", [last, b.middle, b.first])
                kernel = try kernel.adding(.einsum("oi,yx->oiyx", [skip, centre]))
            } else {
                kernel = try .einsum("onyx,ni->oiyx", [b.middle, b.first])
                if let plain = b.plain { kernel = try kernel.adding(plain) }
                for (mask, edge) in zip(masks, b.edges) {
                    kernel = try kernel.adding(.einsum("oi,o,yx->oiyx", [edge.kernel, edge.factor, mask]))
                }
            }
            result[b.key] = try kernel.converted(to: .float32, channelsLast: true)
        }
        return result
    }
}

extension Network {
    /// 3×3 convolutions of stride 1 without groups, zeros around the border.
    var plainConvolutions: [Convolution] {
        operations.compactMap {
            guard case .convolution(_, let c) = $0, c.kernelHeight == 3, c.kernelWidth == 3, c.stride == 1, c.groups == 1, c.padding == .zeros else { return nil }
            return c
        }
    }
}

extension Tensor {
    fileprivate mutating func subtract(_ other: Tensor) {
        for index in values.indices { values[index] -= other.values[index] }
    }
}
