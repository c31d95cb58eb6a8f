// TorchGraph: work on a GPU that is recorded once and then repeated without the host launching every kernel again.

internal import CTorch
import SuperResolution

/// A recording of the calling thread's work on a CUDA device (a CUDA graph).
///
/// What is repeated reads and writes the same memory each time, so inputs are assigned to the tensors that were recorded, and the
/// tensors made while recording hold the newest results after ``replay()``. While it is recorded nothing may wait for the device or
/// copy from the host, and nothing is done.
public final class TorchGraph {
    private let handle: OpaquePointer
    private let runtime: TorchRuntime

    /// Records what `body` does. The thread needs a stream of its own: ``TorchRuntime/useOwnStream(device:)``.
    /// - Returns: the recording and what the body returned.
    public static func recording<Result>(_ runtime: TorchRuntime, _ body: () throws -> Result) throws -> (graph: TorchGraph, result: Result) {
        var handle: OpaquePointer?
        try runtime.check { error in withUnsafeMutablePointer(to: &handle) { runtime.table.graph.begin($0, error) } }
        guard let handle else { throw AcuityError(.torch, "libtorch: no recording") }
        let graph = TorchGraph(handle: handle, runtime: runtime)
        let result: Result
        do {
            result = try body()
        } catch {
            // The stream has to leave its recording state; what broke the recording is the reason worth telling.
            try? runtime.check { runtime.table.graph.end(handle, $0) }
            throw error
        }
        try runtime.check { runtime.table.graph.end(handle, $0) }
        return (graph, result)
    }

    private init(handle: OpaquePointer, runtime: TorchRuntime) {
        self.handle = handle
        self.runtime = runtime
    }

    deinit { runtime.table.graph.release(handle) }

    /// Does what was recorded. Returns before it is done.
    public func replay() throws { try runtime.check { runtime.table.graph.replay(handle, $0) } }
}

extension TorchRuntime {
    /// Whether steps can be recorded: a plug-in compiled with CUDA's headers.
    public var canRecord: Bool { table.graph.is_available != 0 }

    /// Gives the calling thread a stream of its own on a CUDA device, after all work so far; does nothing for the processor.
    public func useOwnStream(device: String) throws { try check { table.graph.use_stream(device, $0) } }
}

/// The numbers of an optimiser's step that change from one to the next, on the device, so that a recorded step can read them.
public final class StepNumbers {
    private let tensor: TorchTensor

    /// All zero until ``set(rate:betas:step:muonRate:decay:)``.
    public init(device: String, runtime: TorchRuntime) throws {
        let count = Int(ACUITY_NUMBER_COUNT)
        tensor = try TorchTensor(Tensor(shape: [count], values: [Float](repeating: 0, count: count)), device: device, runtime: runtime)
    }

    /// - Parameters:
    ///   - rate: Adam's.
    ///   - betas: Adam's.
    ///   - step: counts from 1.
    ///   - decay: of the running average.
    public func set(rate: Double, betas: (Double, Double), step: Int, muonRate: Double, decay: Double) throws {
        let first = 1 - power(betas.0, step), second = 1 - power(betas.1, step)
        let values = [rate / first, 1 / second.squareRoot(), muonRate, decay, 1 - decay].map(Float.init)
        try tensor.runtime.check { tensor.runtime.table.graph.set_numbers(tensor.handle, values, Int32(values.count), $0) }
    }

    /// One step of Adam; see ``TorchOptimiser/adam(_:first:second:rate:betas:epsilon:step:)``.
    public func adam(_ parameters: [TorchTensor], first: [TorchTensor], second: [TorchTensor], betas: (Double, Double), epsilon: Double = 1e-8) throws {
        guard let runtime = parameters.first?.runtime, first.count == parameters.count, second.count == parameters.count else { return }
        let (p, m, v) = (parameters.map { Optional($0.handle) }, first.map { Optional($0.handle) }, second.map { Optional($0.handle) })
        try runtime.check { runtime.table.graph.adam(p, m, v, Int32(p.count), betas.0, betas.1, epsilon, tensor.handle, $0) }
    }

    /// One step of Muon; see ``TorchOptimiser/muon(_:momentum:rate:beta:)``.
    public func muon(_ parameters: [TorchTensor], momentum: [TorchTensor], beta: Double) throws {
        guard let runtime = parameters.first?.runtime, momentum.count == parameters.count else { return }
        let (p, m) = (parameters.map { Optional($0.handle) }, momentum.map { Optional($0.handle) })
        try runtime.check { runtime.table.graph.muon(p, m, Int32(p.count), beta, tensor.handle, $0) }
    }

    /// One step of the running average; see ``TorchOptimiser/average(_:of:decay:)``.
    public func average(_ averages: [TorchTensor], of parameters: [TorchTensor]) throws {
        guard let runtime = parameters.first?.runtime, averages.count == parameters.count else { return }
        let (a, p) = (averages.map { Optional($0.handle) }, parameters.map { Optional($0.handle) })
        try runtime.check { runtime.table.graph.average(a, p, Int32(a.count), tensor.handle, $0) }
    }

    /// xⁿ for n ≥ 0, without Foundation.
    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            square *= square
            rest >>= 1
        }
        return result
    }
}
