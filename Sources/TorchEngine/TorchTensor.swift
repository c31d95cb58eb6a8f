// TorchTensor: one tensor of libtorch, and the operations that networks and training are made of.

internal import CTorch
public import SuperResolution

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A tensor of libtorch, with its place in the graph of gradients. Images are N×C×H×W.
///
/// Not Sendable: a tensor stays with the thread that trains or runs the network.
public final class TorchTensor {
    let handle: OpaquePointer
    let runtime: TorchRuntime

    /// Takes ownership of a +1 reference.
    init(owning handle: OpaquePointer, runtime: TorchRuntime) {
        self.handle = handle
        self.runtime = runtime
    }

    deinit { runtime.table.release(handle) }

    private var table: AcuityTorchTable { _read { yield runtime.table } }

    // MARK: - Memory

    /// Element types that cross between Swift and libtorch.
    public enum Element: Sendable {
        case uint8
        case float32
        case bfloat16

        var code: AcuityDType {
            switch self {
            case .uint8: ACUITY_UINT8
            case .float32: ACUITY_FLOAT32
            case .bfloat16: ACUITY_BFLOAT16
            }
        }
    }

    /// Copies bytes to a device as a uint8 tensor.
    public convenience init(bytes: [UInt8], shape: [Int], device: String, runtime: TorchRuntime) throws {
        let made = try bytes.withUnsafeBytes { try Self.make($0, ACUITY_UINT8, shape, device, runtime) }
        self.init(owning: made, runtime: runtime)
    }

    /// Copies mapped or other bytes to a device as a uint8 tensor.
    public convenience init(data: Data, shape: [Int], device: String, runtime: TorchRuntime) throws {
        let made = try data.withUnsafeBytes { try Self.make($0, ACUITY_UINT8, shape, device, runtime) }
        self.init(owning: made, runtime: runtime)
    }

    /// Copies floats to a device.
    public convenience init(_ tensor: Tensor, device: String, runtime: TorchRuntime) throws {
        let made = try tensor.values.withUnsafeBytes { try Self.make($0, ACUITY_FLOAT32, tensor.shape, device, runtime) }
        self.init(owning: made, runtime: runtime)
    }

    private static func make(
        _ data: UnsafeRawBufferPointer, _ type: AcuityDType, _ shape: [Int], _ device: String, _ runtime: TorchRuntime
    ) throws -> OpaquePointer {
        var handle: OpaquePointer?
        let shape = shape.map(Int64.init)
        var nothing: UInt8 = 0
        try runtime.check { error in
            withUnsafePointer(to: &nothing) { empty in
                runtime.table.from_memory(
                    data.baseAddress ?? UnsafeRawPointer(empty), Int64(data.count), type, shape, Int32(shape.count), device, &handle, error)
            }
        }
        guard let handle else { throw AcuityError(.torch, "libtorch: no result") }
        return handle
    }

    /// Length along each dimension.
    public var shape: [Int] {
        get throws {
            var rank: Int32 = 0
            let sizes = try [Int64](unsafeUninitializedCapacity: 8) { buffer, count in
                guard let base = buffer.baseAddress else { return }
                try runtime.check { table.shape(handle, base, &rank, $0) }
                count = Int(rank)
            }
            return sizes.map(Int.init)
        }
    }

    /// A copy in Swift's memory, as floats in row-major order.
    public func floats() throws -> Tensor {
        let shape = try shape
        let count = shape.reduce(1, *)
        let values = try [Float](unsafeUninitializedCapacity: count) { buffer, initialised in
            guard let base = buffer.baseAddress else { return }
            try runtime.check { table.to_memory(handle, ACUITY_FLOAT32, base, Int64(count * 4), $0) }
            initialised = count
        }
        return Tensor(shape: shape, values: values)
    }

    /// A copy in Swift's memory, as bytes in row-major order.
    public func bytes() throws -> [UInt8] {
        let count = try shape.reduce(1, *)
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            guard let base = buffer.baseAddress else { return }
            try runtime.check { table.to_memory(handle, ACUITY_UINT8, base, Int64(count), $0) }
            initialised = count
        }
    }

    /// The value of a tensor with one element; waits for the device.
    public func item() throws -> Double {
        var value = 0.0
        try runtime.check { table.item(handle, &value, $0) }
        return value
    }

    // MARK: - Graph

    /// The same values as another type, differentiable; images and kernels become channels-last where asked.
    public func converted(to element: Element, channelsLast: Bool = false) throws -> TorchTensor {
        try runtime.tensor { table.convert(handle, element.code, channelsLast ? 1 : 0, $0, $1) }
    }

    /// A copy that is a leaf of the graph.
    public func leaf(requiresGradient: Bool) throws -> TorchTensor {
        try runtime.tensor { table.leaf(handle, requiresGradient ? 1 : 0, $0, $1) }
    }

    /// Overwrites the values, outside any graph.
    public func assign(_ source: TorchTensor) throws {
        try runtime.check { table.assign(handle, source.handle, $0) }
    }

    /// What ``backward()`` left on a leaf.
    public func gradient() throws -> TorchTensor { try runtime.tensor { table.gradient(handle, $0, $1) } }

    /// Adds the gradients of this scalar to every leaf that asks for them.
    public func backward() throws { try runtime.check { table.backward(handle, $0) } }

    // MARK: - Network operations

    /// Convolution with "same" padding, in the type of its weight.
    public func convolution(
        _ weight: TorchTensor, bias: TorchTensor?, stride: Int = 1, groups: Int = 1, padding: Convolution.Padding = .zeros
    ) throws -> TorchTensor {
        try runtime.tensor {
            table.convolution(handle, weight.handle, bias?.handle, Int64(stride), Int64(groups), padding == .replicate ? 1 : 0, $0, $1)
        }
    }

    /// Transposed convolution whose output is `stride` times the input; see ``SuperResolution/TransposedConvolution``.
    public func transposedConvolution(_ weight: TorchTensor, bias: TorchTensor?, stride: Int) throws -> TorchTensor {
        try runtime.tensor { table.transposed_convolution(handle, weight.handle, bias?.handle, Int64(stride), $0, $1) }
    }

    public func prelu(_ slope: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.prelu(handle, slope.handle, $0, $1) }
    }

    public func leakyReLU(slope: Float) throws -> TorchTensor {
        try runtime.tensor { table.leaky_relu(handle, Double(slope), $0, $1) }
    }

    public func activation(_ function: Operation.Activation) throws -> TorchTensor {
        let code =
            switch function {
            case .relu: ACUITY_RELU
            case .gelu: ACUITY_GELU
            case .silu: ACUITY_SILU
            case .mish: ACUITY_MISH
            case .sigmoid: ACUITY_SIGMOID
            case .tanh: ACUITY_TANH
            }
        return try runtime.tensor { table.activation(handle, code, $0, $1) }
    }

    public func adding(_ other: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.add(handle, other.handle, $0, $1) }
    }

    public func multiplied(by other: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.multiply(handle, other.handle, $0, $1) }
    }

    /// `self × factor + offset`.
    public func scaled(by factor: Float, offset: Float = 0) throws -> TorchTensor {
        try runtime.tensor { table.scale(handle, Double(factor), Double(offset), $0, $1) }
    }

    /// Along channels.
    public static func concatenate(_ tensors: [TorchTensor]) throws -> TorchTensor {
        guard let first = tensors.first else { throw AcuityError(.torch, "nothing to concatenate") }
        let handles = tensors.map { Optional($0.handle) }
        return try first.runtime.tensor { first.table.concatenate(handles, Int32(handles.count), $0, $1) }
    }

    public func slice(dimension: Int = 1, first: Int, count: Int) throws -> TorchTensor {
        try runtime.tensor { table.slice(handle, Int64(dimension), Int64(first), Int64(count), $0, $1) }
    }

    public func pixelShuffle(_ factor: Int) throws -> TorchTensor {
        try runtime.tensor { table.pixel_shuffle(handle, Int64(factor), $0, $1) }
    }

    public func pixelUnshuffle(_ factor: Int) throws -> TorchTensor {
        try runtime.tensor { table.pixel_unshuffle(handle, Int64(factor), $0, $1) }
    }

    public func enlargedNearest(_ factor: Int) throws -> TorchTensor {
        try runtime.tensor { table.nearest(handle, Int64(factor), $0, $1) }
    }

    /// `vertical · self · horizontalᵀ` in fp32: any separable resampling.
    public func separable(vertical: TorchTensor, horizontal: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { table.separable(handle, vertical.handle, horizontal.handle, $0, $1) }
    }

    public func normalised(
        _ n: Normalisation, weight: TorchTensor, bias: TorchTensor, mean: TorchTensor?, variance: TorchTensor?
    ) throws -> TorchTensor {
        let (kind, groups) =
            switch n.kind {
            case .layer: (ACUITY_NORM_LAYER, 1)
            case .group(let groups): (ACUITY_NORM_GROUP, groups)
            case .batch: (ACUITY_NORM_BATCH, 1)
            }
        return try runtime.tensor {
            table.normalise(
                handle, kind, Int64(groups), Double(n.epsilon), weight.handle, bias.handle, mean?.handle, variance?.handle, $0, $1)
        }
    }

    // MARK: - Images

    /// N×H×W×C bytes as N×C×H×W floats in 0…1.
    public func image() throws -> TorchTensor { try runtime.tensor { table.image(handle, $0, $1) } }

    /// Clipped to 0…1 and rounded to 8 bits.
    public func quantised() throws -> TorchTensor { try runtime.tensor { table.quantise(handle, $0, $1) } }

    /// Y of ITU-R BT.601, studio swing, divided by 255.
    public func luma() throws -> TorchTensor { try runtime.tensor { table.luma(handle, $0, $1) } }

    // MARK: - Training

    /// Mean absolute difference.
    public func l1(to target: TorchTensor) throws -> TorchTensor { try runtime.tensor { table.loss(handle, target.handle, 1, $0, $1) } }

    /// Mean squared difference.
    public func mse(to target: TorchTensor) throws -> TorchTensor { try runtime.tensor { table.loss(handle, target.handle, 2, $0, $1) } }
}

/// Updates of many parameters in one call each.
public enum TorchOptimiser {
    /// Forgets all gradients.
    public static func zeroGradients(_ parameters: [TorchTensor]) throws {
        guard let runtime = parameters.first?.runtime else { return }
        let p = parameters.map { Optional($0.handle) }
        try runtime.check { runtime.table.zero_gradients(p, Int32(p.count), $0) }
    }

    /// Shortens all gradients together, where they are longer than `limit` times their usual norm, to that length.
    ///
    /// A rare batch may leave a gradient a thousand times as long as the others'; an optimiser with momentum would follow it for a
    /// hundred steps.
    /// - Parameters:
    ///   - parameters: each with a gradient; their Euclidean norm counts together.
    ///   - usual: a scalar, the running mean of the norm after shortening; 0 before the first step.
    ///   - limit: at least 1.
    ///   - decay: of the running mean, 0…1.
    /// - Throws: ``AcuityError`` with code `.torch`, also where a parameter has no gradient.
    public static func limitGradients(of parameters: [TorchTensor], usual: TorchTensor, limit: Double, decay: Double = 0.98) throws {
        guard let runtime = parameters.first?.runtime else { return }
        let p = parameters.map { Optional($0.handle) }
        try runtime.check { runtime.table.training.limit_gradients(p, Int32(p.count), usual.handle, limit, decay, $0) }
    }

    /// One step of Adam (Kingma and Ba 2015). `step` counts from 1; the state starts as zeros.
    public static func adam(
        _ parameters: [TorchTensor], first: [TorchTensor], second: [TorchTensor], rate: Double, betas: (Double, Double),
        epsilon: Double = 1e-8, step: Int
    ) throws {
        guard let runtime = parameters.first?.runtime, first.count == parameters.count, second.count == parameters.count else { return }
        let (p, m, v) = (parameters.map { Optional($0.handle) }, first.map { Optional($0.handle) }, second.map { Optional($0.handle) })
        try runtime.check {
            runtime.table.adam(p, m, v, Int32(p.count), rate, betas.0, betas.1, epsilon, Int64(step), $0)
        }
    }

    /// One step of Muon (Jordan et al. 2024) on kernels seen as (outputs, rest) matrices. The momentum starts as zeros.
    public static func muon(_ parameters: [TorchTensor], momentum: [TorchTensor], rate: Double, beta: Double = 0.95) throws {
        guard let runtime = parameters.first?.runtime, momentum.count == parameters.count else { return }
        let (p, m) = (parameters.map { Optional($0.handle) }, momentum.map { Optional($0.handle) })
        try runtime.check { runtime.table.muon(p, m, Int32(p.count), rate, beta, $0) }
    }

    /// `average = decay · average + (1 − decay) · parameter`.
    public static func average(_ averages: [TorchTensor], of parameters: [TorchTensor], decay: Double) throws {
        guard let runtime = parameters.first?.runtime, averages.count == parameters.count else { return }
        let (a, p) = (averages.map { Optional($0.handle) }, parameters.map { Optional($0.handle) })
        try runtime.check { runtime.table.average(a, p, Int32(a.count), decay, $0) }
    }
}
