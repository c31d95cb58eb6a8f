// Pictures: what the dataset tests look at: our own samples, changed as people change pictures.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

/// The folder of evaluation sets.
let evaluationFolder = ProcessInfo.processInfo.environment["ACUITY_DATA"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../../shared/data").standardizedFileURL.path
let hasEvaluation = FileManager.default.fileExists(atPath: evaluationFolder + "/eval/Set5")
let evaluationMissing: Comment = "needs ACUITY_DATA with eval/Set5 and eval/BSD100"

/// One of Examples/.
func example(_ name: String) throws -> PixelBuffer {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../..").standardizedFileURL
    return try rgb(Picture(contentsOf: root.appendingPathComponent("Examples/\(name)").path).pixels)
}

func rgb(_ pixels: PixelBuffer) -> PixelBuffer {
    guard pixels.channels == 1 else { return pixels }
    return PixelBuffer(width: pixels.width, height: pixels.height, channels: 3, depth: .eight, bytes: pixels.bytes.flatMap { [$0, $0, $0] })
}

func plane(_ pixels: PixelBuffer) throws -> LumaPlane { try #require(LumaPlane(pixels)) }

extension PixelBuffer {
    func mirrored() -> PixelBuffer {
        var bytes: [UInt8] = []
        for y in 0..<height {
            for x in (0..<width).reversed() { bytes += self.bytes[((y * width + x) * channels)..<((y * width + x + 1) * channels)] }
        }
        return PixelBuffer(width: width, height: height, channels: channels, depth: .eight, bytes: bytes)
    }

    func scaled(_ factor: Double) throws -> PixelBuffer {
        try Resampling.bicubic.resize(self, width: Int((Double(width) * factor).rounded()), height: Int((Double(height) * factor).rounded()))
    }

    /// A part, by fractions of the sides.
    func part(_ x: Double, _ y: Double, _ width: Double, _ height: Double) -> PixelBuffer {
        let region = Region(
            x: Int(x * Double(self.width)), y: Int(y * Double(self.height)), width: Int(width * Double(self.width)), height: Int(height * Double(self.height)))
        return PixelBuffer(raster(of: region), depth: .eight)
    }

    /// Written as JPEG and read again.
    func compressed(_ quality: Int, in folder: Folder) throws -> PixelBuffer {
        let path = folder.file("\(UUID().uuidString).jpg")
        try Picture(pixels: self).write(to: path, options: .init(quality: quality))
        return try rgb(Picture(contentsOf: path).pixels)
    }

    /// In the middle of a larger picture of noisy colour.
    func surrounded(by margin: Double) -> PixelBuffer {
        let (wide, high) = (Int(Double(width) * (1 + 2 * margin)), Int(Double(height) * (1 + 2 * margin)))
        var random = SplitMix(seed: 5)
        var result = PixelBuffer(
            width: wide, height: high, channels: 3, depth: .eight,
            bytes: (0..<(wide * high)).flatMap { i in [UInt8(clamping: i % wide * 200 / wide), UInt8(clamping: 60 + i / wide % 90), UInt8.random(in: 0...255, using: &random)] })
        result.write(raster, x: (wide - width) / 2, y: (high - height) / 2)
        return result
    }
}
