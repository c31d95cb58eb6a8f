// PipelineFixtures: rasters of noise, and an engine whose only network is a convolution written out naively.

import SuperResolution

/// Reproducible noise in 0…1.
func noise(width: Int, height: Int, channels: Int, seed: UInt64 = 1) -> Raster {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    let samples = (0..<width * height * channels).map { _ -> Float in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Float(state >> 40) / Float(1 << 24)
    }
    return Raster(width: width, height: height, channels: channels, samples: samples)
}

/// Runs two 3×3 convolutions (a blur with zero padding, twice), then enlarges by repeating pixels; on demand wrongly.
struct NaiveEngine: Engine {
    enum Fault: Sendable { case none, notANumber, black, drift, noise }

    let name = "naive"
    /// What goes wrong in bf16 and in fp32.
    var fault: (bf16: Fault, fp32: Fault) = (.none, .none)
    /// What it adds to everything.
    var offset: Float = 0
    /// Called with every input.
    var observe: @Sendable (Raster) -> Void = { _ in }

    func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel {
        NaiveModel(model: model, precision: precision ?? .bf16, engine: self)
    }

    /// A network with the receptive field of what this engine does, or a wider one, taking pixels on a grid of `multiple`.
    static func model(scale: Int, channels: Int = 3, multiple: Int = 1, radius: Int = 2) throws -> Model {
        var net = NetworkBuilder(inputChannels: channels)
        var x = multiple == 1 ? net.input : net.pixelUnshuffle(net.input, multiple)
        for layer in 0..<radius { x = net.convolution(x, "\(layer)", outputs: channels, bias: false) }
        x = net.enlarge(x, scale * multiple, .nearest)
        let network = try net.finish(x, architecture: "Naive", colour: channels == 1 ? .luma : .rgb)
        var weights = StateDict()
        for p in network.parameters { weights[p.key] = Tensor(shape: p.shape, values: [Float](repeating: 0, count: p.shape.reduce(1, *))) }
        return try Model(name: "naive", network: network, weights: weights)
    }
}

private struct NaiveModel: PreparedModel {
    let model: Model
    let precision: Precision
    let engine: NaiveEngine

    func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        engine.observe(raster)
        let blurred = blur(blur(raster))
        let scale = model.network.scale
        var result = Raster(width: raster.width * scale, height: raster.height * scale, channels: raster.channels)
        for y in 0..<result.height {
            for x in 0..<result.width {
                for c in 0..<result.channels { result[x, y, c] = blurred[x / scale, y / scale, c] }
            }
        }
        if engine.offset != 0 { for i in result.samples.indices { result.samples[i] += engine.offset } }
        switch precision == .fp32 ? engine.fault.fp32 : engine.fault.bf16 {
        case .none: break
        case .notANumber: result.samples[result.height / 2 * result.stride + result.stride / 2] = .infinity  // In the middle.
        case .black: result = Raster(width: result.width, height: result.height, channels: result.channels)
        case .drift: for i in result.samples.indices where i % result.channels == 0 { result.samples[i] += 0.3 }
        case .noise: result.samples.reverse()
        }
        progress(1)
        return result
    }

    private func blur(_ raster: Raster) -> Raster {
        let kernel: [Float] = [0.05, 0.1, 0.05, 0.1, 0.4, 0.1, 0.05, 0.1, 0.05]
        var result = Raster(width: raster.width, height: raster.height, channels: raster.channels)
        for y in 0..<raster.height {
            for x in 0..<raster.width {
                for c in 0..<raster.channels {
                    var sum: Float = 0
                    for j in -1...1 {
                        for i in -1...1 where (0..<raster.width).contains(x + i) && (0..<raster.height).contains(y + j) {
                            sum += kernel[(j + 1) * 3 + i + 1] * raster[x + i, y + j, c]
                        }
                    }
                    result[x, y, c] = sum
                }
            }
        }
        return result
    }
}

/// A picture in memory as strips of some rows, the last one less high.
final class Strips: RowSource {
    private let pixels: PixelBuffer
    private let rows: Int
    private(set) var given = 0
    var width: Int { pixels.width }
    var height: Int { pixels.height }
    var channels: Int { pixels.channels }
    var depth: PixelBuffer.Depth { pixels.depth }

    init(_ pixels: PixelBuffer, rows: Int) { (self.pixels, self.rows) = (pixels, rows) }

    func next() async throws -> PixelBuffer? {
        guard given < height else { return nil }
        let strip = pixels.cropped(to: Region(x: 0, y: given, width: width, height: min(rows, height - given)))
        given += strip.height
        return strip
    }
}
