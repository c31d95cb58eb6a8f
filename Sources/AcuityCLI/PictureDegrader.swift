// PictureDegrader: training's degradations applied to whole pictures, one by one.

import Foundation
import Imaging
import SuperResolution
import TorchEngine
import Training

/// Makes low resolutions of pictures as training does, for `acuity degrade` and `acuity evaluate --degradation`.
struct PictureDegrader: Sendable {
    let degradation: Degradation
    let scale: Int
    private let runtime: TorchRuntime
    private let device: String

    /// - Parameter scale: 1…8.
    /// - Throws: ``AcuityError`` with code `.torch` when libtorch or the device is not there.
    init(_ degradation: Degradation, scale: Int, device: String = "cpu") throws {
        (self.degradation, self.scale, self.device) = (degradation, scale, device)
        do {
            runtime = try TorchRuntime.shared()
        } catch let error as AcuityError {
            throw AcuityError(.torch, "degradations run on libtorch: \(error.message)")
        }
        if device.hasPrefix("cuda"), try runtime.cudaDevices() == 0 { throw AcuityError(.torch, "\(device): libtorch sees no CUDA device") }
    }

    /// What one picture became.
    struct Result {
        /// Three channels of 8 bit, `scale` times smaller than the original.
        let low: PixelBuffer
        let record: DegradationRecord
    }

    /// - Parameter original: three channels of 8 bit; width and height are multiples of the scale.
    func callAsFunction(_ original: PixelBuffer, seed: UInt64) throws -> Result {
        let high = try TorchTensor(bytes: original.bytes, shape: [1, original.height, original.width, 3], device: device, runtime: runtime).image()
        var random = SplitMix(seed: seed)
        let made = try Degrader(degradation, scale: scale, device: device, runtime: runtime)(high, using: &random)
        let planes = try made.low.floats().values
        let plane = planes.count / 3
        let bytes = (0..<plane * 3).map { UInt8(min(255, max(0, (planes[$0 % 3 * plane + $0 / 3] * 255).rounded()))) }
        return Result(
            low: PixelBuffer(width: original.width / scale, height: original.height / scale, channels: 3, depth: .eight, bytes: bytes), record: made.record)
    }
}

extension Degradation {
    /// - Parameter argument: a model's name, or settings as in a recipe: a JSON object or the path of a file that holds one.
    /// - Parameter option: what the argument was given to, for messages.
    init(argument: String, option: String) throws {
        if argument.hasPrefix("{") {
            try self.init(json: Data(argument.utf8), from: option)
        } else if argument.hasSuffix(".json") {
            guard let text = try? Data(contentsOf: URL(fileURLWithPath: argument)) else { throw AcuityError(.file, "\(argument): cannot be read") }
            try self.init(json: text, from: argument)
        } else {
            try self.init(named: argument)
        }
    }
}
