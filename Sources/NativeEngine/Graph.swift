// Graph: a network with its weights in the few kinds of operation that the planner knows.

import SuperResolution

/// Operations in order; each names its operands by index.
struct Graph {
    enum Kind {
        case input
        case convolution(Kernel)
        /// Negative values are multiplied with a slope per channel: PReLU, leaky ReLU, ReLU.
        case leak([Float])
        case activation(Operation.Activation)
        case add
        case multiply
        /// `(a + b) × (sigmoid(a) − ½)`: SPAN's attention, found among the network's operations.
        case gate
        case scale(factor: Float, offset: Float)
        case concatenate
        case slice(first: Int)
        case shuffle(Int)
        case unshuffle(Int)
        case enlarge(Int, Operation.Enlargement)
        /// `x × weight + bias` per channel.
        case affine(weight: [Float], bias: [Float])
        case layerNorm(weight: [Float], bias: [Float], epsilon: Float)
        case groupNorm(groups: Int, weight: [Float], bias: [Float], epsilon: Float)
    }

    struct Node {
        var kind: Kind
        var operands: [Int]
        var channels: Int
        var up: Int
        var down: Int

        /// Multiplies and adds nothing but constants per channel.
        var isConstantPerChannel: Bool {
            switch kind {
            case .affine, .scale: true
            default: false
            }
        }
    }

    private(set) var nodes: [Node] = []
    private(set) var output = 0
    /// By node: the nodes that read it, once per operand; only those that lead to the output.
    private(set) var readers: [[Int]] = []

    init(_ model: Model) throws {
        let network = model.network
        var node = [Int](repeating: 0, count: network.operations.count)
        for (i, operation) in network.operations.enumerated() {
            let shape = network.shapes[i]
            let kinds = try Self.kinds(operation, model, channels: shape.channels)
            var operands = operation.operands.map { node[$0.index] }
            for (k, kind) in kinds.enumerated() {
                var made = Node(kind: kind, operands: operands, channels: shape.channels, up: shape.up, down: shape.down)
                if case .convolution(let kernel) = kind, k < kinds.count - 1, let x = operands.first {
                    // The convolution of a transposed convolution has the size of its input.
                    made.channels = kernel.outputs
                    made.up = nodes[x].up
                    made.down = nodes[x].down
                }
                nodes.append(made)
                operands = [nodes.count - 1]
            }
            node[i] = nodes.count - 1
        }
        output = node[network.output.index]
        for i in nodes.indices { findGate(i) }

        readers = [[Int]](repeating: [], count: nodes.count)
        var isNeeded = [Bool](repeating: false, count: nodes.count)
        isNeeded[output] = true
        for i in nodes.indices.reversed() where isNeeded[i] {
            for operand in nodes[i].operands {
                isNeeded[operand] = true
                readers[operand].append(i)
            }
        }
    }

    /// Turns `multiply(add(a, b), scale(sigmoid(a), 1, −½))` into one node.
    private mutating func findGate(_ i: Int) {
        guard case .multiply = nodes[i].kind, nodes[i].operands.count == 2 else { return }
        let (sum, gate) = (nodes[i].operands[0], nodes[i].operands[1])
        guard case .add = nodes[sum].kind, case .scale(1, -0.5) = nodes[gate].kind, let sigmoid = nodes[gate].operands.first,
            case .activation(.sigmoid) = nodes[sigmoid].kind, let a = nodes[sigmoid].operands.first, nodes[sum].operands.contains(a),
            let b = nodes[sum].operands.first(where: { $0 != a }), nodes[a].channels == nodes[b].channels
        else { return }
        nodes[i].kind = .gate
        nodes[i].operands = [a, b]
    }

    func isNeeded(_ i: Int) -> Bool { i == output || !readers[i].isEmpty }

    /// The one node that reads `i`, if nothing else does.
    func onlyReader(_ i: Int) -> Int? { i != output && readers[i].count == 1 ? readers[i][0] : nil }

    private static func kinds(_ operation: Operation, _ model: Model, channels: Int) throws -> [Kind] {
        func weight(_ key: String) throws -> [Float] {
            guard let tensor = model.weights[key] else { throw AcuityError(.weights, "\(model.name): no weight \(key)") }
            return tensor.values
        }
        switch operation {
        case .input: return [.input]
        case .convolution(_, let c):
            return [.convolution(try Kernel(c, weights: weight(c.key + ".weight"), bias: c.hasBias ? weight(c.key + ".bias") : nil))]
        case .transposedConvolution(_, let c):
            let kernel = try Kernel(c, weights: weight(c.key + ".weight"), bias: c.hasBias ? weight(c.key + ".bias") : nil)
            return [.convolution(kernel), .shuffle(c.stride)]
        case .prelu(_, let key, let slopes):
            let values = try weight(key + ".weight")
            return [.leak(slopes == 1 ? [Float](repeating: values.first ?? 0, count: channels) : values)]
        case .leakyReLU(_, let slope): return [.leak([Float](repeating: slope, count: channels))]
        case .activation(_, .relu): return [.leak([Float](repeating: 0, count: channels))]
        case .activation(_, let function): return [.activation(function)]
        case .add: return [.add]
        case .multiply: return [.multiply]
        case .scale(_, let factor, let offset): return [.scale(factor: factor, offset: offset)]
        case .shift(_, let offsets): return [.affine(weight: [Float](repeating: 1, count: channels), bias: offsets)]
        case .concatenate: return [.concatenate]
        case .slice(_, let first, _): return [.slice(first: first)]
        case .pixelShuffle(_, let factor): return [.shuffle(factor)]
        case .pixelUnshuffle(_, let factor): return [.unshuffle(factor)]
        case .enlarge(_, let factor, let method): return [.enlarge(factor, method)]
        case .normalise(_, let n):
            let (w, b) = (try weight(n.key + ".weight"), try weight(n.key + ".bias"))
            switch n.kind {
            case .layer: return [.layerNorm(weight: w, bias: b, epsilon: n.epsilon)]
            case .group(let groups): return [.groupNorm(groups: groups, weight: w, bias: b, epsilon: n.epsilon)]
            case .batch:
                let mean = try weight(n.key + ".running_mean"), variance = try weight(n.key + ".running_var")
                let factors = w.indices.map { w[$0] / (variance[$0] + n.epsilon).squareRoot() }
                return [.affine(weight: factors, bias: b.indices.map { b[$0] - mean[$0] * factors[$0] })]
            }
        }
    }
}
