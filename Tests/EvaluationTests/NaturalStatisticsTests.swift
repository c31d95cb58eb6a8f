// NaturalStatisticsTests: NIQE's features against an independent computation, and that damage raises the score.

import Evaluation
import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct NaturalStatisticsTests {
    /// 8-bit waves with a fixed pattern of noise.
    private func picture(width: Int, height: Int) -> Raster {
        Raster(
            width: width, height: height, channels: 1,
            samples: (0..<(width * height)).map { index in
                let (x, y) = (index % width, index / width)
                let wave: Double = 60 * sin(Double(x) / 9) * cos(Double(y) / 7)
                let grain = Double((x * 73 + y * 151 + x * y * 17) % 64 - 32)
                return Float(min(max((128 + wave + grain + 0.5).rounded(.down), 0), 255)) / 255
            })
    }

    /// The second block of the picture above, by numpy: two-dimensional window, table search, MATLAB's bicubic reduction.
    private let expected = [
        6.409, 1.45698, 1.536, -0.18306, 0.89857, 0.61642, 1.487, -0.18077, 0.87401, 0.60158, 1.108, 0.04968, 0.52228,
        0.5791, 1.073, 0.01947, 0.51872, 0.54012, 2.118, 0.72892, 0.716, 0.046, 0.07636, 0.10085, 0.725, 0.01904,
        0.0857, 0.09615, 0.699, 0.01088, 0.0788, 0.08425, 0.74, -0.0048, 0.0941, 0.09133,
    ]

    @Test func featuresAgreeWithNumpy() throws {
        let blocks = try NaturalStatistics.blocks(of: picture(width: 200, height: 100))
        #expect(blocks.count == 2)
        // The window sees past the right edge of what is cropped to whole blocks, so the picture has exactly two of them.
        for (value, reference) in zip(blocks[1].features, expected) { #expect(abs(value - reference) < 0.002, "\(value) \(reference)") }
        #expect(abs(blocks[1].sharpness - 18.766755509246817) < 1e-3)
        #expect(throws: AcuityError.self) { try NaturalStatistics.blocks(of: Raster(width: 95, height: 200, channels: 3)) }
        #expect(try NaturalStatistics.blocks(of: Raster(width: 96, height: 96, channels: 3, filledWith: 0.5)).isEmpty)
    }

    /// Our own picture and, where they are, photographs: every kind of damage raises the score, and more of it raises it more.
    @Test(arguments: ["blur", "noise", "jpeg"]) func damageRaisesTheScore(kind: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let data = ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? folder.appendingPathComponent("../shared/data").path
        let photographs = ((try? FileManager.default.contentsOfDirectory(atPath: data + "/eval/BSD100")) ?? []).filter { $0.hasSuffix(".png") }.sorted()
        if photographs.isEmpty { print("damageRaisesTheScore: no \(data)/eval/BSD100, only our own picture") }
        var sets = [("Examples", try ["harbour.png", "lighthouse.png"].map { try Picture(contentsOf: folder.path + "/Examples/" + $0).pixels.raster })]
        if !photographs.isEmpty {
            sets.append(("BSD100", try photographs.prefix(12).map { try Picture(contentsOf: data + "/eval/BSD100/" + $0).pixels.raster }))
        }
        for (name, pictures) in sets {
            var strengths: [Double] = kind == "blur" ? [0, 1, 2, 4] : kind == "noise" ? [0, 10, 25, 50] : [0, 30, 15, 6]
            // A rendered picture has no grain, and light compression brings some: only strong compression is worse than none.
            if kind == "jpeg", name == "Examples" { strengths = [30, 15, 6] }
            let scores = try strengths.map { strength in
                try NaturalStatistics.score(pictures.map { strength == 0 ? $0 : try damaged($0, kind, strength) })
            }
            for (less, more) in zip(scores, scores.dropFirst()) { #expect(more > less + 0.1, "\(name), \(kind): \(scores)") }
        }
    }

    /// A Gaussian blur of that many pixels, noise of that many levels, or JPEG (libjpeg's) of that quality.
    private func damaged(_ picture: Raster, _ kind: String, _ strength: Double) throws -> Raster {
        var result = picture
        switch kind {
        case "blur":
            let reach = Int((3 * strength).rounded(.up))
            let taps = (-reach...reach).map { Float(exp(-0.5 * Double($0 * $0) / (strength * strength))) }
            let sum = taps.reduce(0, +)
            for vertical in [true, false] {
                let source = result
                for y in 0..<source.height {
                    for x in 0..<source.width {
                        for channel in 0..<source.channels {
                            var value: Float = 0
                            for (index, tap) in taps.enumerated() {
                                let offset = index - reach
                                let (sx, sy) = vertical ? (x, min(max(y + offset, 0), source.height - 1)) : (min(max(x + offset, 0), source.width - 1), y)
                                value += tap * source[sx, sy, channel]
                            }
                            result[x, y, channel] = value / sum
                        }
                    }
                }
            }
        case "noise":
            // Twelve uniform numbers from a linear congruential generator make a normal one.
            var state: UInt64 = 3
            for index in result.samples.indices {
                var sum: Float = -6
                for _ in 0..<12 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    sum += Float(state >> 40) / Float(1 << 24)
                }
                result.samples[index] += Float(strength / 255) * sum
            }
        default:
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).jpg").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Picture(pixels: PixelBuffer(picture, depth: .eight)).write(to: path, options: .init(quality: Int(strength)))
            return try Picture(contentsOf: path).pixels.raster
        }
        return result
    }

    @Test func distanceAgreesWithNumpy() throws {
        let fitted = try NaturalStatistics(fittedTo: NaturalStatistics.blocks(of: picture(width: 192, height: 96)).map(\.features))
        var diagonal = [Double](repeating: 0, count: 36 * 36)
        for index in 0..<36 { diagonal[index * 37] = 0.1 + 1.9 * Double(index) / 35 }
        let other = NaturalStatistics(mean: [Double](repeating: 1, count: 36), covariance: diagonal)
        #expect(abs(fitted.distance(to: other) - 18.03911150140623) < 0.01)
        #expect(abs(other.distance(to: fitted) - fitted.distance(to: other)) < 1e-9)
        #expect(fitted.distance(to: fitted) < 1e-6)
    }
}
