// RealWeightsTests: realesr-general-x4v3, trained weights of the field: fp32 against the scalar kernels, bf16 against fp32.

import Foundation
import NativeEngine
import SuperResolution
import Testing

private let weightsPath = (ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data") + "/../peers/realesr-general-x4v3.safetensors"

/// 64 features, 32 convolutions, ×4 (Wang et al. 2021, Real-ESRGAN).
private func realesrGeneral() throws -> Model {
    struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }
    let file = try Data(contentsOf: URL(fileURLWithPath: weightsPath))
    let length = Int(file.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) })
    let body = file.dropFirst(8 + length)
    struct Header: Decodable {
        var entries: [String: Entry] = [:]
        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            for key in container.allKeys where key.stringValue != "__metadata__" {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            }
        }
    }
    var weights = StateDict()
    for (key, entry) in try JSONDecoder().decode(Header.self, from: file.dropFirst(8).prefix(length)).entries {
        let bytes = body.dropFirst(entry.data_offsets[0]).prefix(entry.data_offsets[1] - entry.data_offsets[0])
        var values = [Float](repeating: 0, count: bytes.count / 4)
        _ = values.withUnsafeMutableBytes { bytes.copyBytes(to: $0) }
        #expect(entry.dtype == "F32")
        weights[key] = Tensor(shape: entry.shape, values: values)
    }
    var net = NetworkBuilder(inputChannels: 3)
    var x = net.prelu(net.convolution(net.input, "body.0", outputs: 64), "body.1")
    for i in 1...32 { x = net.prelu(net.convolution(x, "body.\(2 * i)", outputs: 64), "body.\(2 * i + 1)") }
    x = net.pixelShuffle(net.convolution(x, "body.66", outputs: 48), 4)
    x = net.add(x, net.enlarge(net.input, 4, .nearest))
    return try Model(name: "realesr-general-x4v3", network: net.finish(x, architecture: "Compact"), weights: weights)
}

/// Edges, gradients and fine stripes in 8-bit steps.
private func picture(_ width: Int, _ height: Int) -> Raster {
    var raster = Raster(width: width, height: height, channels: 3)
    for y in 0..<height {
        for x in 0..<width {
            let distance = ((x - width / 2) * (x - width / 2) + (y - height / 2) * (y - height / 2))
            let disc: Float = distance < width * height / 16 ? 0.7 : 0.1
            let stripes: Float = (x / 3 + y / 2) % 2 == 0 ? 0.15 : 0
            for c in 0..<3 {
                let value = disc + stripes * Float(c) / 2 + Float(x) / Float(width) * 0.15
                raster[x, y, c] = (value * 255).rounded() / 255
            }
        }
    }
    return raster
}

@Test(.enabled(if: FileManager.default.fileExists(atPath: weightsPath), "needs ACUITY_DATA with peers/ beside it"))
func realWeights() async throws {
    let model = try realesrGeneral(), small = picture(24, 20)
    let scalar = try await NativeEngine(threads: 2, instructionSet: .scalar).prepare(model).run(small)
    for set in NativeEngine.InstructionSet.allCases where set.isAvailable {
        let engine = try NativeEngine(threads: 2, instructionSet: set)
        #expect(largestDifference(try await engine.prepare(model, precision: .fp32).run(small), scalar) <= 1e-4, "\(set)")
    }
    let best = try NativeEngine(), raster = picture(160, 120)
    let exact = try await best.prepare(model, precision: .fp32).run(raster)
    let rounded = try await best.prepare(model, precision: .bf16).run(raster)
    #expect(psnr(rounded, exact) >= 55)
    // Without a wish, whatever is fastest keeps the same promise.
    #expect(try await psnr(best.prepare(model).run(raster), exact) >= 55)
}
