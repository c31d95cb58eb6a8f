// Engine: what runs a model. NativeEngine and TorchEngine implement it; nothing above them knows which one it has.

/// Number formats in which an engine may compute.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    /// 32-bit floats throughout.
    case fp32
    /// bfloat16 activations and weights, 32-bit accumulation.
    case bf16
}

/// Runs networks.
public protocol Engine: Sendable {
    /// E.g. `native`.
    var name: String { get }

    /// Whether values inside a network exist a few rows at a time, so that memory grows with the area of a tile's input and output
    /// alone. Tiles are chosen accordingly.
    var keepsStrips: Bool { get }

    /// Packs the model's weights and plans its steps, once; the result runs any number of rasters.
    /// - Parameter precision: `nil` lets the engine choose the fastest that keeps its promise (55 dB PSNR against fp32).
    func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel
}

/// A model made ready by an engine. Safe to share between tasks; runs one raster at a time.
public protocol PreparedModel: Sendable {
    var model: Model { get }
    var precision: Precision { get }

    /// Runs the network on a whole raster.
    ///
    /// The blocking work happens on the engine's own threads, never on Swift's cooperative pool. Cancelling the task
    /// stops it within a fraction of a second with `CancellationError`.
    /// - Parameters:
    ///   - raster: as many channels as the network's input; sides are multiples of ``Network/sizeMultiple``.
    ///   - progress: called with the finished fraction, 0…1, from any thread, in increasing order.
    /// - Returns: a raster `scale` times as wide and high, not clipped to 0…1.
    func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster

    /// The same, of which a part is kept in compact form, clipped to 0…1 and rounded to nearest; NaN becomes 0.
    /// - Parameter kept: in the result.
    /// - Returns: the part, and whether all of it was finite.
    func run(
        _ raster: Raster, keeping kept: Region, depth: PixelBuffer.Depth, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> (pixels: PixelBuffer, isFinite: Bool)
}

extension Engine {
    public var keepsStrips: Bool { false }

    public func prepare(_ model: Model) throws -> any PreparedModel { try prepare(model, precision: nil) }
}

extension PreparedModel {
    public func run(_ raster: Raster) async throws -> Raster { try await run(raster) { _ in } }

    public func run(
        _ raster: Raster, keeping kept: Region, depth: PixelBuffer.Depth, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> (pixels: PixelBuffer, isFinite: Bool) {
        let output = try await run(raster, progress: progress)
        var pixels = PixelBuffer(unfilledWidth: kept.width, height: kept.height, channels: output.channels, depth: depth)
        let isFinite = pixels.write(output, from: kept, x: 0, y: 0)
        return (pixels, isFinite)
    }
}
