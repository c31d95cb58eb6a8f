// ProcessorDegradationTests: the processor's own loops for degradations: separated filters, random numbers from counters.

import Foundation
import SuperResolution
import Testing
import TorchEngine

private func torch(_ tensor: Tensor) throws -> TorchTensor { try TorchTensor(tensor, device: "cpu", runtime: .shared()) }

@Suite(.enabled(if: hasTorch, torchMissing)) struct SeparatedFilters {
    /// exp(−½ u²/a² − ½ v²/b²) along turned axes, sin(cr)/(cr)-like rings, a disc: the kernels that come apart into few terms, into
    /// many, and not at all.
    private func kernel(_ kind: String, side: Int) -> [Float] {
        let reach = side / 2
        let values = (0..<side * side).map { index -> Double in
            let (x, y) = (Double(index % side - reach), Double(index / side - reach))
            let (u, v) = (x * cos(0.6) + y * sin(0.6), y * cos(0.6) - x * sin(0.6))
            switch kind {
            case "isotropic": return exp(-(x * x + y * y) / 8)
            case "narrow": return exp(-(x * x + y * y) / 0.5)
            case "turned": return exp(-u * u / 18 - v * v / 2)
            case "thin": return exp(-u * u / 18 - v * v / 0.3)
            case "rings": return x == 0 && y == 0 ? 1 : sin(1.8 * hypot(x, y)) / (1.8 * hypot(x, y))
            default: return hypot(x, y) < Double(reach) - 0.5 ? 1 : 0
            }
        }
        let sum = values.reduce(0, +)
        return values.map { Float($0 / sum) }
    }

    /// Against sums in double precision over mirrored borders; a hundredth of an 8-bit level is allowed, and rounding.
    @Test(arguments: ["isotropic", "narrow", "turned", "thin", "rings", "disc"], [(9, 20, 30), (21, 37, 150), (21, 64, 64)])
    func areTheKernelsThemselves(kind: String, size: (Int, Int, Int)) throws {
        let (side, h, w) = size
        let x = Tensor(shape: [1, 1, h, w], values: (0..<h * w).map { Float(($0 * 7919 + $0 / w * 104_729 + $0 * $0 % 251) % 256) / 255 })
        let kernel = kernel(kind, side: side)
        let result = try torch(x).blurred(Tensor(shape: [1, side, side], values: kernel)).floats().values
        func mirrored(_ i: Int, _ count: Int) -> Int { i < 0 ? -i : i >= count ? 2 * count - 2 - i : i }
        var worst = 0.0
        for y in 0..<h {
            for u in 0..<w {
                var sum = 0.0
                for j in 0..<side {
                    for i in 0..<side {
                        sum += Double(kernel[j * side + i]) * Double(x.values[mirrored(y + j - side / 2, h) * w + mirrored(u + i - side / 2, w)])
                    }
                }
                worst = max(worst, abs(sum - Double(result[y * w + u])))
            }
        }
        #expect(worst < 5e-5, "\(kind) \(size): \(worst)")
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct CountedNoise {
    private let side = 512

    private func noise(seed: UInt64) throws -> [Float] {
        let grey = Tensor(shape: [2, 3, side, side], values: [Float](repeating: 0, count: 6 * side * side))
        let identity: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1]
        return try torch(grey).addingGaussianNoise(mixing: identity + identity, seed: seed).floats().values
    }

    /// Moments and the distribution function of a million and a half draws, each within five standard errors.
    @Test func isNormal() throws {
        let values = try noise(seed: 1).map(Double.init)
        let n = Double(values.count)
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1, 2), (3, 0, 15), (4, 3, 96)] {
            let moment = values.reduce(0) { $0 + pow($1, Double(power)) } / n
            #expect(abs(moment - expected) < 5 * (variance / n).squareRoot(), "moment \(power): \(moment)")
        }
        for limit in [-3.5, -2, -1, -0.3, 0, 0.3, 1, 2, 3.5] {
            let (part, expected) = (Double(values.count { $0 < limit }) / n, erfc(-limit / 2.0.squareRoot()) / 2)
            #expect(abs(part - expected) < 5 * (expected * (1 - expected) / n).squareRoot(), "below \(limit): \(part), not \(expected)")
        }
    }

    /// Neighbours, rows, channels, pictures and neighbouring seeds have nothing to do with each other.
    @Test func isIndependent() throws {
        let (values, other) = (try noise(seed: 1), try noise(seed: 2))
        let plane = side * side
        func correlation(_ a: [Float], _ b: [Float], lag: Int) -> Double {
            var sum = 0.0
            for i in 0..<a.count - lag { sum += Double(a[i]) * Double(b[i + lag]) }
            return sum / Double(a.count - lag)
        }
        let limit = 5 / Double(values.count - 3 * plane).squareRoot()
        for lag in [1, 2, 3, 16, side, side + 1, plane, 3 * plane] { #expect(abs(correlation(values, values, lag: lag)) < limit, "lag \(lag)") }
        for lag in [0, 1] { #expect(abs(correlation(values, other, lag: lag)) < limit, "seeds, lag \(lag)") }
    }
}
