// ReleasedWeightsTests: a network that others trained, the native engine against libtorch on photographs.

import Foundation
import Imaging
import NativeEngine
import SuperResolution
import Testing
import TorchEngine

private let data = ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data"
private let peers = data + "/../peers"
private let hasPeers = FileManager.default.fileExists(atPath: peers + "/realesr-general-x4v3.pth")
private let hasPictures = FileManager.default.fileExists(atPath: data + "/eval/RealSRSet")

@Suite(.enabled(if: hasTorch, torchMissing), .enabled(if: hasPeers && hasPictures, "needs ACUITY_DATA"))
struct ReleasedWeights {
    @Test func bothFormatsAreTheSame() throws {
        let pth = try Model.load(path: peers + "/realesr-general-x4v3.pth")
        let safetensors = try Model.load(path: peers + "/realesr-general-x4v3.safetensors")
        #expect(pth.network == safetensors.network)
        #expect(pth.weights == safetensors.weights)
        #expect(pth.network.scale == 4 && pth.network.parameterCount == 1_213_296)
    }

    @Test(arguments: ["butterfly", "comic2", "oldphoto2"])
    func nativeAgainstTorch(picture: String) async throws {
        let model = try Model.load(path: peers + "/realesr-general-x4v3.pth")
        let whole = try Picture(contentsOf: "\(data)/eval/RealSRSet/\(picture).png").pixels.raster
        let side = min(112, whole.width, whole.height)
        let raster = whole.cropped(to: Region(x: (whole.width - side) / 2, y: (whole.height - side) / 2, width: side, height: side))
        let reference = try await TorchEngine().prepare(model, precision: .fp32).run(raster)

        let native = try NativeEngine(threads: 2)
        let exact = try await native.prepare(model, precision: .fp32).run(raster)
        let difference = largestDifference(exact, reference)
        #expect(difference <= 1e-4)
        var line = "\(picture) \(side)×\(side): native fp32 differs by \(difference) at most"

        let half = try native.prepare(model, precision: .bf16)
        let rounded = psnr(try await half.run(raster), reference)
        #expect(rounded >= 55)
        line += ", native \(half.precision) \(rounded) dB"

        let torchHalf = psnr(try await TorchEngine().prepare(model, precision: .bf16).run(raster), reference)
        print(line + ", libtorch bf16 \(torchHalf) dB")
    }
}
