// TrainingOperations: losses, features and discriminators, tensor by tensor: whatever only a training step needs.

internal import CTorch
import SuperResolution

extension TorchTensor {
    private var table: AcuityTrainingTable { runtime.table.training }

    /// The same values outside any graph, not copied.
    public func detached() throws -> TorchTensor { try runtime.tensor { table.detach(handle, $0, $1) } }

    // MARK: - Gradients at chosen tensors

    /// The same values outside any graph, not copied, as a leaf that collects gradients: where a loss is cut off from the network before it.
    public func watched() throws -> TorchTensor { try runtime.tensor { table.watch(handle, $0, $1) } }

    /// The gradient of this scalar with respect to a ``watched()`` tensor. No other leaf's gradient changes.
    /// - Parameter keepingGraph: whether the graph can be walked again.
    public func gradient(at leaf: TorchTensor, keepingGraph: Bool = false) throws -> TorchTensor {
        try backward(to: [leaf], keepingGraph: keepingGraph)
        let result = try leaf.gradient()
        try TorchOptimiser.zeroGradients([leaf])
        return result
    }

    /// Adds the gradients of this scalar to the given leaves and to no others.
    public func backward(to leaves: [TorchTensor], keepingGraph: Bool = false) throws {
        if leaves.isEmpty { return }
        let handles = leaves.map { Optional($0.handle) }
        try runtime.check { table.backward_to(handle, nil, handles, Int32(handles.count), keepingGraph ? 1 : 0, $0) }
    }

    /// Goes on backwards from here with the gradient that a later part of the graph has left, to every leaf that asks for it.
    public func backward(with gradient: TorchTensor) throws {
        try runtime.check { table.backward_to(handle, gradient.handle, nil, 0, 0, $0) }
    }

    // MARK: - Scalars

    /// The mean of all elements, fp32.
    public func mean() throws -> TorchTensor { try runtime.tensor { table.mean(handle, $0, $1) } }

    /// The Euclidean norm of all elements, fp32, outside any graph.
    public func norm() throws -> TorchTensor { try runtime.tensor { table.norm(handle, $0, $1) } }

    /// The values of several scalars, read with one wait for the device.
    public static func values(of scalars: [TorchTensor]) throws -> [Double] {
        guard let first = scalars.first else { return [] }
        let handles = scalars.map { Optional($0.handle) }
        return try first.runtime.tensor { first.table.stack(handles, Int32(handles.count), $0, $1) }.floats().values.map(Double.init)
    }

    /// Mean of √((self − target)² + ε²).
    public func charbonnier(to target: TorchTensor, epsilon: Double) throws -> TorchTensor {
        try runtime.tensor { table.charbonnier(handle, target.handle, epsilon, $0, $1) }
    }

    /// Mean over the pictures of a batch of 10·log₁₀(mse + floor), dB: the negative PSNR (Chen et al. 2021, HINet), which counts
    /// a picture's error in proportion to how large it is already, until it comes near the square root of the floor.
    public func logMSE(to target: TorchTensor, floor: Double) throws -> TorchTensor {
        try runtime.tensor { table.log_mse(handle, target.handle, floor, $0, $1) }
    }

    /// L1 between Sobel's horizontal and vertical derivatives of every channel, in intensity per pixel, borders repeated. On a processor the
    /// target passes no gradient.
    public func gradientL1(to target: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.gradient_l1(handle, target.handle, $0, $1) }
    }

    /// Mean of e·|self − target|, e being the target's edges, 0…1: the largest step from a pixel to the next, over all channels and both
    /// axes, one pixel widened to every side.
    public func edgeL1(to target: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.edge_l1(handle, target.handle, $0, $1) }
    }

    /// Mean absolute difference as a multiple of the target's mean magnitude.
    public func relativeL1(to target: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.relative_l1(handle, target.handle, $0, $1) }
    }

    /// Mean binary cross-entropy of these logits against "real" (1) or "made" (0).
    public func logistic(real: Bool) throws -> TorchTensor { try runtime.tensor { table.logistic(handle, real ? 1 : 0, $0, $1) } }

    /// Mean cross-entropy of N×K logits against N classes, bytes.
    public func crossEntropy(_ classes: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.cross_entropy(handle, classes.handle, $0, $1) }
    }

    /// Mean probability that these logits say, outside any graph.
    public func meanProbability() throws -> TorchTensor { try runtime.tensor { table.sigmoid_mean(handle, $0, $1) } }

    // MARK: - Pictures and features

    /// Real and imaginary parts of the orthonormal two-dimensional Fourier transform of every plane: N×C×H×(W/2+1)×2.
    public func spectrum() throws -> TorchTensor { try runtime.tensor { table.spectrum(handle, $0, $1) } }

    /// LDL's map of artefacts, N×1×H×W, outside any graph: `self` is the output, `average` that of the averaged weights.
    public func artefactMap(target: TorchTensor, average: TorchTensor, window: Int = 7) throws -> TorchTensor {
        try runtime.tensor { table.artefact_map(target.handle, handle, average.handle, Int64(window), $0, $1) }
    }

    /// Convolution with zero padding of `padding` pixels on every side, in the type of its weight.
    public func convolution(_ weight: TorchTensor, bias: TorchTensor?, stride: Int, zeroPadding padding: Int) throws -> TorchTensor {
        try runtime.tensor { table.padded_convolution(handle, weight.handle, bias?.handle, Int64(stride), Int64(padding), $0, $1) }
    }

    /// - Parameter ceiling: whether a window that hangs over the border counts.
    public func maxPooled(_ kernel: Int, stride: Int, ceiling: Bool = false) throws -> TorchTensor {
        try runtime.tensor { table.max_pool(handle, Int64(kernel), Int64(stride), ceiling ? 1 : 0, $0, $1) }
    }

    /// Bilinear enlargement with half-pixel centres and clamped borders, in the tensor's own type.
    public func enlargedBilinear(_ factor: Int) throws -> TorchTensor { try runtime.tensor { table.bilinear(handle, Int64(factor), $0, $1) } }

    /// `self · weightᵀ + bias`, all but the first dimension taken as one.
    public func linear(_ weight: TorchTensor, bias: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.linear(handle, weight.handle, bias.handle, $0, $1) }
    }

    /// One batch from several.
    public static func batches(_ tensors: [TorchTensor]) throws -> TorchTensor {
        guard let first = tensors.first else { throw AcuityError(.torch, "nothing to make a batch of") }
        let handles = tensors.map { Optional($0.handle) }
        return try first.runtime.tensor { first.table.batches(handles, Int32(handles.count), $0, $1) }
    }

    /// Mean over height and width: N×C.
    public func pooled() throws -> TorchTensor { try runtime.tensor { table.pool(handle, $0, $1) } }

    /// Every pixel's channels divided by their Euclidean norm, fp32.
    public func unitChannels() throws -> TorchTensor { try runtime.tensor { table.unit_channels(handle, $0, $1) } }

    // MARK: - Discriminators

    /// Batch norm by the batch's own statistics, which move the running `mean` and `variance`.
    public func batchNormalised(
        weight: TorchTensor, bias: TorchTensor, mean: TorchTensor, variance: TorchTensor, momentum: Double = 0.1, epsilon: Double = 1e-5
    ) throws -> TorchTensor {
        try runtime.tensor {
            table.batch_norm(handle, weight.handle, bias.handle, mean.handle, variance.handle, momentum, epsilon, $0, $1)
        }
    }

    /// This weight divided by its largest singular value, after one step of power iteration on `u` (outputs) and `v` (the rest), which are
    /// overwritten (Miyato et al. 2018). The gradient goes through the division too.
    public func spectrallyNormalised(u: TorchTensor, v: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.spectral_norm(handle, u.handle, v.handle, $0, $1) }
    }

    // MARK: - Re-parameterisation

    /// Sums of products by Einstein's convention, as PyTorch's `einsum`, e.g. `om,mnyx,ni->oiyx`.
    public static func einsum(_ equation: String, _ tensors: [TorchTensor]) throws -> TorchTensor {
        guard let first = tensors.first else { throw AcuityError(.torch, "nothing to sum") }
        let handles = tensors.map { Optional($0.handle) }
        return try first.runtime.tensor { first.table.einsum(equation, handles, Int32(handles.count), $0, $1) }
    }
}
