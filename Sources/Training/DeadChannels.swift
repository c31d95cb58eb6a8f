// DeadChannels: hidden channels whose ReLU has stopped firing, found by their gradient, and given a new start.

package import SuperResolution

/// Channels of a convolution before a ReLU that give zero on every picture: no gradient reaches their kernels any more, and they stay
/// as they are (Lu et al. 2019, "Dying ReLU and Initialization"). Large steps kill them by the dozen: under Muon at 0.005
/// 414 of the 1024 of a 64×16 MSRResNet died, most of them in seven blocks, which showed only in its quality.
package struct DeadChannels: Sendable, Equatable {
    /// Channels of one convolution.
    package struct Layer: Sendable, Equatable {
        /// Of the convolution, without `.weight`.
        package let key: String
        /// Those that are dead.
        package let channels: [Int]
        /// The convolutions that read them.
        package let readers: [String]
    }

    package let layers: [Layer]
    /// Channels before a ReLU, dead or alive.
    package let total: Int

    package var count: Int { layers.reduce(0) { $0 + $1.channels.count } }

    /// As a share of the network's largest: a running mean of gradients below this has had none for hundreds of steps (0.95⁴⁰⁰).
    static let threshold: Float = 1e-9

    /// - Parameter gradients: running means of the gradients of kernels by key, as optimisers keep them; layers without are left out.
    package init(of network: Network, gradients: (String) throws -> Tensor?) rethrows {
        var found: [(layer: Hidden, rows: [Float])] = []
        for layer in network.hiddenReLUs {
            guard let gradient = try gradients(layer.key + ".weight"), let outputs = gradient.shape.first, outputs > 0 else { continue }
            let row = gradient.values.count / outputs
            found.append((layer, (0..<outputs).map { o in gradient.values[(o * row)..<((o + 1) * row)].reduce(0) { max($0, abs($1)) } }))
        }
        total = found.reduce(0) { $0 + $1.rows.count }
        let largest = found.flatMap(\.rows).max() ?? 0
        layers = found.compactMap { layer, rows in
            let dead = rows.indices.filter { rows[$0] <= largest * Self.threshold }
            return dead.isEmpty ? nil : Layer(key: layer.key, channels: dead, readers: layer.readers)
        }
    }

    /// New kernels for the dead channels, which those who read them ignore at first: the network computes what it did, and gradients
    /// reach the readers at once, the kernels after the next step.
    /// - Parameters:
    ///   - weights: by key; tensors that change are replaced.
    ///   - random: draws the kernels as He et al. do.
    /// - Returns: the keys of what changed.
    package func revive(_ weights: inout StateDict, using random: inout SplitMix) -> Set<String> {
        var changed: Set<String> = []
        for layer in layers {
            guard var kernel = weights[layer.key + ".weight"] else { continue }
            let row = kernel.shape.dropFirst().reduce(1, *)
            let deviation = (2 / Float(max(1, row))).squareRoot()
            for channel in layer.channels {
                for index in (channel * row)..<((channel + 1) * row) { kernel.values[index] = random.normal() * deviation }
            }
            weights[layer.key + ".weight"] = kernel
            changed.insert(layer.key + ".weight")
            weights.clear(layer.key + ".bias", at: layer.channels, &changed)
            for reader in layer.readers { weights.clearInputs(reader + ".weight", of: layer.channels, &changed) }
        }
        return changed
    }

    /// The same places of the optimiser's running means, set to zero: what they remember is of other kernels.
    package func forget(_ means: inout StateDict) -> Set<String> {
        var changed: Set<String> = []
        for layer in layers {
            means.clear(layer.key + ".weight", at: layer.channels, &changed)
            means.clear(layer.key + ".bias", at: layer.channels, &changed)
            for reader in layer.readers { means.clearInputs(reader + ".weight", of: layer.channels, &changed) }
        }
        return changed
    }
}

/// A convolution before a ReLU, and the convolutions that read what it gives.
private struct Hidden {
    let key: String
    let readers: [String]
}

extension Network {
    /// Where nothing but convolutions without groups reads the ReLU, so that a channel can be left out by zeros in their kernels.
    fileprivate var hiddenReLUs: [Hidden] {
        operations.indices.compactMap { index in
            guard case .activation(let x, .relu) = operations[index], case .convolution(_, let convolution) = operations[x.index],
                output.index != index
            else { return nil }
            func readers(of value: Int) -> [Operation] { operations.filter { $0.operands.contains { $0.index == value } } }
            guard readers(of: x.index).count == 1 else { return nil }
            let keys = readers(of: index).map { operation -> String? in
                if case .convolution(_, let c) = operation, c.groups == 1 { c.key } else { nil }
            }
            guard !keys.isEmpty, !keys.contains(nil) else { return nil }
            return Hidden(key: convolution.key, readers: keys.compactMap { $0 })
        }
    }
}

extension StateDict {
    /// Zeros in the rows given.
    fileprivate mutating func clear(_ key: String, at rows: [Int], _ changed: inout Set<String>) {
        guard var tensor = self[key], let count = tensor.shape.first, count > 0 else { return }
        let row = tensor.values.count / count
        for index in rows { for place in (index * row)..<((index + 1) * row) { tensor.values[place] = 0 } }
        self[key] = tensor
        changed.insert(key)
    }

    /// Zeros in a kernel's columns of the inputs given.
    fileprivate mutating func clearInputs(_ key: String, of inputs: [Int], _ changed: inout Set<String>) {
        guard var kernel = self[key], kernel.shape.count == 4 else { return }
        let taps = kernel.shape[2] * kernel.shape[3]
        for output in 0..<kernel.shape[0] {
            for input in inputs {
                let first = (output * kernel.shape[1] + input) * taps
                for place in first..<(first + taps) { kernel.values[place] = 0 }
            }
        }
        self[key] = kernel
        changed.insert(key)
    }
}
