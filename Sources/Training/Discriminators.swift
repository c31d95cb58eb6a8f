// Discriminators: the networks that tell made pictures from real ones: Real-ESRGAN's U-Net and ESRGAN's VGG.

package import SuperResolution
package import TorchEngine

/// A discriminator under the checkpoint keys of BasicSR.
///
/// `unet`: UNetDiscriminatorSN (Wang et al. 2021), spectral norm (Miyato et al. 2018) on `conv1`…`conv8`, a logit per pixel.
/// `vgg`: VGGStyleDiscriminator (Wang et al. 2018), batch norm in training mode, one logit per patch of 32, 64, 128 or 256 pixels.
package final class Discriminator {
    package enum Kind: Sendable, Hashable {
        case unet
        /// For square patches of `side` pixels.
        case vgg(side: Int)
    }

    /// What it says of a batch.
    package struct Verdict {
        /// N×1×H×W or N×1.
        package let logits: TorchTensor
        /// Activations on the way, for feature matching.
        package let features: [TorchTensor]
    }

    private struct Layer {
        let key: String
        let shape: [Int]
        var hasBias = false
        var isSpectral = false
    }

    package let kind: Kind
    /// Trainable, by checkpoint key.
    package let parameters: [(key: String, tensor: TorchTensor)]
    /// Running statistics and singular vectors, by checkpoint key.
    package let buffers: [(key: String, tensor: TorchTensor)]
    private let layers: [Layer]
    private let tensors: [String: TorchTensor]
    /// The weights of this step: spectrally normalised and in the precision of the step.
    private var prepared: [String: TorchTensor] = [:]

    /// - Parameters:
    ///   - features: width.
    ///   - weights: to start from; otherwise PyTorch's own initialisation, drawn from `random`.
    /// - Throws: ``AcuityError`` with code `.training` for a patch that the network does not take, `.weights` for weights that do not fit.
    package init(
        _ kind: Kind, inputChannels: Int, features: Int, weights: StateDict? = nil, using random: inout SplitMix, device: String, runtime: TorchRuntime
    ) throws {
        self.kind = kind
        let f = features
        var layers: [Layer] = []
        var norms: [(key: String, channels: Int)] = []
        switch kind {
        case .unet:
            layers.append(Layer(key: "conv0", shape: [f, inputChannels, 3, 3], hasBias: true))
            for (index, (i, o)) in [(f, 2 * f), (2 * f, 4 * f), (4 * f, 8 * f)].enumerated() {
                layers.append(Layer(key: "conv\(index + 1)", shape: [o, i, 4, 4], isSpectral: true))
            }
            for (index, (i, o)) in [(8 * f, 4 * f), (4 * f, 2 * f), (2 * f, f), (f, f), (f, f)].enumerated() {
                layers.append(Layer(key: "conv\(index + 4)", shape: [o, i, 3, 3], isSpectral: true))
            }
            layers.append(Layer(key: "conv9", shape: [1, f, 3, 3], hasBias: true))
        case .vgg(let side):
            guard [32, 64, 128, 256].contains(side) else {
                throw AcuityError(.training, "the vgg discriminator takes patches of 32, 64, 128 or 256 high-resolution pixels, not \(side)")
            }
            let stages = (side / 4).trailingZeroBitCount
            var width = inputChannels
            for stage in 0..<stages {
                let next = f * min(8, 1 << stage)
                layers.append(Layer(key: "conv\(stage)_0", shape: [next, width, 3, 3], hasBias: stage == 0))
                if stage > 0 { norms.append(("bn\(stage)_0", next)) }
                layers.append(Layer(key: "conv\(stage)_1", shape: [next, next, 4, 4]))
                norms.append(("bn\(stage)_1", next))
                width = next
            }
            layers.append(Layer(key: "linear1", shape: [100, width * 16], hasBias: true))
            layers.append(Layer(key: "linear2", shape: [1, 100], hasBias: true))
        }
        self.layers = layers

        var parameters: [(String, TorchTensor)] = []
        var buffers: [(String, TorchTensor)] = []
        func tensor(_ key: String, _ shape: [Int], trainable: Bool, _ fresh: () -> [Float]) throws -> TorchTensor {
            if let weights {
                guard let saved = weights[key], saved.shape == shape else { throw AcuityError(.weights, "\(key): missing or not of shape \(shape)") }
                return try TorchTensor(saved, device: device, runtime: runtime).converted(to: .float32, channelsLast: true).leaf(requiresGradient: trainable)
            }
            return try TorchTensor(Tensor(shape: shape, values: fresh()), device: device, runtime: runtime)
                .converted(to: .float32, channelsLast: true).leaf(requiresGradient: trainable)
        }
        for layer in layers {
            let fanIn = layer.shape.dropFirst().reduce(1, *)
            let bound = 1 / Float(fanIn).squareRoot()
            func uniform(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -bound...bound, using: &random) } }
            func direction(_ count: Int) -> [Float] {
                let values = (0..<count).map { _ in random.normal() }
                let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return values.map { $0 / max(length, 1e-12) }
            }
            let key = layer.key + (layer.isSpectral ? ".weight_orig" : ".weight")
            parameters.append((key, try tensor(key, layer.shape, trainable: true) { uniform(layer.shape.reduce(1, *)) }))
            if layer.hasBias {
                parameters.append((layer.key + ".bias", try tensor(layer.key + ".bias", [layer.shape[0]], trainable: true) { uniform(layer.shape[0]) }))
            }
            if layer.isSpectral {
                buffers.append((layer.key + ".weight_u", try tensor(layer.key + ".weight_u", [layer.shape[0]], trainable: false) { direction(layer.shape[0]) }))
                buffers.append((layer.key + ".weight_v", try tensor(layer.key + ".weight_v", [fanIn], trainable: false) { direction(fanIn) }))
            }
        }
        for (key, channels) in norms {
            func constant(_ name: String, _ value: Float, trainable: Bool) throws -> (String, TorchTensor) {
                (key + name, try tensor(key + name, [channels], trainable: trainable) { [Float](repeating: value, count: channels) })
            }
            parameters += [try constant(".weight", 1, trainable: true), try constant(".bias", 0, trainable: true)]
            buffers += [try constant(".running_mean", 0, trainable: false), try constant(".running_var", 1, trainable: false)]
        }
        self.parameters = parameters
        self.buffers = buffers
        tensors = Dictionary(uniqueKeysWithValues: parameters + buffers)
    }

    /// Number of trainable scalars.
    package var parameterCount: Int { layers.reduce(0) { $0 + $1.shape.reduce(1, *) + ($1.hasBias ? $1.shape[0] : 0) } }

    /// Makes the weights of one step: one power iteration and one cast, however many batches are judged.
    package func prepare(precision: Precision) throws {
        prepared.removeAll(keepingCapacity: true)
        for layer in layers {
            var weight: TorchTensor
            if layer.isSpectral {
                weight = try value(layer.key + ".weight_orig").spectrallyNormalised(u: value(layer.key + ".weight_u"), v: value(layer.key + ".weight_v"))
            } else {
                weight = try value(layer.key + ".weight")
            }
            var bias = layer.hasBias ? try value(layer.key + ".bias") : nil
            if precision == .bf16 {
                weight = try weight.converted(to: .bfloat16, channelsLast: true)
                bias = try bias?.converted(to: .bfloat16)
            }
            prepared[layer.key] = weight
            prepared[layer.key + ".bias"] = bias
        }
    }

    /// Forgets the weights of the step, and with them their graph.
    package func release() { prepared.removeAll(keepingCapacity: true) }

    /// Judges N×C×H×W with the prepared weights.
    package func callAsFunction(_ x: TorchTensor) throws -> Verdict {
        let x = try x.converted(to: .float32, channelsLast: true)
        switch kind {
        case .unet: return try unet(x)
        case .vgg: return try vgg(x)
        }
    }

    private func unet(_ x: TorchTensor) throws -> Verdict {
        let x0 = try convolution(x, "conv0").leakyReLU(slope: 0.2)
        let x1 = try convolution(x0, "conv1", stride: 2).leakyReLU(slope: 0.2)
        let x2 = try convolution(x1, "conv2", stride: 2).leakyReLU(slope: 0.2)
        let x3 = try convolution(x2, "conv3", stride: 2).leakyReLU(slope: 0.2)
        let x4 = try convolution(x3.enlargedBilinear(2), "conv4").leakyReLU(slope: 0.2).adding(x2)
        let x5 = try convolution(x4.enlargedBilinear(2), "conv5").leakyReLU(slope: 0.2).adding(x1)
        let x6 = try convolution(x5.enlargedBilinear(2), "conv6").leakyReLU(slope: 0.2).adding(x0)
        let x7 = try convolution(x6, "conv7").leakyReLU(slope: 0.2)
        let x8 = try convolution(x7, "conv8").leakyReLU(slope: 0.2)
        return Verdict(logits: try convolution(x8, "conv9"), features: [x0, x1, x2, x3, x4, x5, x6])
    }

    private func vgg(_ x: TorchTensor) throws -> Verdict {
        var x = x
        var features: [TorchTensor] = []
        for layer in layers where layer.key.hasPrefix("conv") {
            x = try convolution(x, layer.key, stride: layer.shape[2] == 4 ? 2 : 1)
            if layer.key != "conv0_0" {
                let norm = "bn" + layer.key.dropFirst(4)
                x = try x.batchNormalised(
                    weight: value(norm + ".weight"), bias: value(norm + ".bias"), mean: value(norm + ".running_mean"),
                    variance: value(norm + ".running_var"))
            }
            x = try x.leakyReLU(slope: 0.2)
            if layer.shape[2] == 4 { features.append(x) }
        }
        x = try x.linear(weight("linear1"), bias: weight("linear1.bias")).leakyReLU(slope: 0.2)
        return Verdict(logits: try x.linear(weight("linear2"), bias: weight("linear2.bias")), features: features)
    }

    private func convolution(_ x: TorchTensor, _ key: String, stride: Int = 1) throws -> TorchTensor {
        try x.convolution(weight(key), bias: prepared[key + ".bias"], stride: stride, zeroPadding: 1)
    }

    private func weight(_ key: String) throws -> TorchTensor {
        guard let tensor = prepared[key] else { throw AcuityError(.training, "the discriminator's \(key) is not prepared") }
        return tensor
    }

    private func value(_ key: String) throws -> TorchTensor {
        guard let tensor = tensors[key] else { throw AcuityError(.training, "the discriminator has no \(key)") }
        return tensor
    }
}
