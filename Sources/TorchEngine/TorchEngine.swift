// TorchEngine: runs models for inference through libtorch, as a reference for the native engine and for CUDA machines.

public import SuperResolution
import Dispatch

/// An ``SuperResolution/Engine`` over libtorch.
public struct TorchEngine: Engine {
    public let name = "torch"
    private let runtime: TorchRuntime
    private let device: String

    /// - Parameters:
    ///   - device: `cpu`, `cuda` or `cuda:1`.
    ///   - threads: for the CPU; `nil` leaves libtorch's own choice.
    /// - Throws: ``AcuityError`` with code `.torch` when libtorch or the device is not there.
    public init(device: String = "cpu", threads: Int? = nil) throws {
        runtime = try TorchRuntime.shared()
        let devices = try runtime.cudaDevices()
        if device.hasPrefix("cuda"), devices == 0 { throw AcuityError(.torch, "\(device): libtorch sees no CUDA device") }
        if let threads { try runtime.setThreads(threads) }
        self.device = device
    }

    /// - Parameter precision: `nil` is fp32.
    public func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel {
        try TorchModel(model: model, precision: precision ?? .fp32, device: device, runtime: runtime)
    }
}

/// A model whose weights lie on the device. One queue of its own does the blocking work.
private final class TorchModel: PreparedModel, @unchecked Sendable {
    let model: Model
    let precision: Precision
    /// Only touched on `queue`, hence the unchecked conformance.
    private let network: TorchNetwork
    private let queue = DispatchQueue(label: "acuity.torch")

    init(model: Model, precision: Precision, device: String, runtime: TorchRuntime) throws {
        self.model = model
        self.precision = precision
        network = try TorchNetwork(model.network, weights: model.weights, device: device, runtime: runtime)
    }

    func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        try Task.checkCancellation()
        let result: Raster = try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try self.runBlocking(raster) }) }
        }
        progress(1)
        return result
    }

    private func runBlocking(_ raster: Raster) throws -> Raster {
        let (width, height, channels) = (raster.width, raster.height, raster.channels)
        guard channels == model.network.shapes[0].channels, width > 0, height > 0 else {
            throw AcuityError(.network, "\(model.name): given \(width)×\(height)×\(channels), reads \(model.network.shapes[0].channels) channels")
        }
        var planes = [Float](repeating: 0, count: raster.samples.count)
        for pixel in 0..<(width * height) {
            for channel in 0..<channels { planes[channel * width * height + pixel] = raster.samples[pixel * channels + channel] }
        }
        let input = try TorchTensor(
            Tensor(shape: [1, channels, height, width], values: planes), device: network.device, runtime: network.runtime)
        let output = try network(input, precision: precision).floats()
        let (h, w) = (output.shape[2], output.shape[3])
        var result = Raster(width: w, height: h, channels: channels)
        for channel in 0..<channels {
            for pixel in 0..<(w * h) { result.samples[pixel * channels + channel] = output.values[channel * w * h + pixel] }
        }
        return result
    }
}
