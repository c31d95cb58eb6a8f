// UpscalerEnlarging: measures exactly what users get: the pipeline with its tiles, colour conversions and rounding.

public import SuperResolution

extension Upscaler {
    /// The pipeline as something to measure. Its target must be the whole factor of the benchmark.
    /// - Parameter depth: what goes in and comes out: `.eight` for pictures, `.sixteen` for probes finer than a level.
    public func enlarging(depth: PixelBuffer.Depth) -> Enlarging {
        { try await upscale(PixelBuffer($0, depth: depth)).raster }
    }
}
