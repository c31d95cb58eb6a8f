// BlurKernelTests: kernels against numbers made with NumPy, closed-form moments and their frequency response.

import Foundation
import Testing
import Training

/// Sum, mean and covariance of a kernel.
private func moments(_ values: [Float], _ side: Int) -> (sum: Double, mean: [Double], xx: Double, yy: Double, xy: Double) {
    var (sum, mx, my, xx, yy, xy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for (index, value) in values.enumerated() {
        let (x, y, v) = (Double(index % side - side / 2), Double(index / side - side / 2), Double(value))
        sum += v
        mx += v * x
        my += v * y
        xx += v * x * x
        yy += v * y * y
        xy += v * x * y
    }
    return (sum, [mx, my], xx, yy, xy)
}

/// The gain at a frequency of `(u, v)` radians per pixel; kernels are symmetric.
private func response(_ values: [Float], _ side: Int, _ u: Double, _ v: Double) -> Double {
    values.enumerated().reduce(0) { sum, entry in
        let (x, y) = (Double(entry.offset % side - side / 2), Double(entry.offset / side - side / 2))
        return sum + Double(entry.element) * cos(u * x + v * y)
    }
}

@Suite struct BlurKernelTests {
    /// Places (row, column) of 9×9 kernels with sigma 2 × 0.8 turned by 0.6; from NumPy.
    @Test(arguments: [
        (BlurKernel.Kind.gaussian, 1.0, [0.1002585, 0.004373314, 0.0002313436, 0.0008995702, 0.05658408, 0.0717742]),
        (.gaussian, 1.7, [0.148241, 1.806033e-06, 1.074333e-16, 2.119579e-11, 0.07906822, 0.1152068]),
        (.plateau, 1.3, [0.09462791, 0.007976744, 0.003546472, 0.004857756, 0.04318584, 0.05942589]),
    ])
    func valuesAreNumPys(kind: BlurKernel.Kind, shape: Double, expected: [Double]) {
        let values = BlurKernel(kind, size: 9, sigma: [2, 0.8], rotation: 0.6, shape: shape).values()
        for ((row, column), value) in zip([(4, 4), (3, 6), (6, 2), (8, 8), (5, 4), (4, 5)], expected) {
            #expect(abs(Double(values[row * 9 + column]) - value) < 2e-7, "\(kind) \(shape) at \(row), \(column)")
        }
    }

    /// J₁ by its integral, in NumPy.
    @Test func sincIsNumPys() {
        let values = BlurKernel(.sinc, size: 13, cutoff: 1.9).values()
        for ((row, column), value) in zip([(6, 6), (6, 8), (3, 3), (0, 0), (10, 6)], [0.3205298, 0.002162902, 0.01931313, 0.002697272, 0.01342967]) {
            #expect(abs(Double(values[row * 13 + column]) - value) < 2e-6)
        }
    }

    @Test(arguments: [
        BlurKernel(.gaussian, size: 21, sigma: [3, 1], rotation: 1.1), BlurKernel(.gaussian, size: 7, sigma: [0.2, 0.2]),
        BlurKernel(.plateau, size: 15, sigma: [2, 2], shape: 1.5), BlurKernel(.sinc, size: 21, cutoff: 1.2),
        BlurKernel(.disc, size: 9, sigma: [2.7]), BlurKernel(.motion, size: 13, sigma: [9], rotation: 0.4, bend: 0.5), .identity,
    ])
    func kernelsSumToOne(kernel: BlurKernel) {
        for grid in [kernel.size, 25] {
            let values = kernel.values(on: grid)
            #expect(values.count == grid * grid && values.allSatisfy(\.isFinite))
            #expect(abs(moments(values, grid).sum - 1) < 1e-5, "\(kernel.kind) on \(grid)")
        }
        let (small, large) = (kernel.values(), kernel.values(on: 25))
        #expect(small[small.count / 2] == large[large.count / 2])
    }

    /// A Gaussian's covariance is R diag(σ₁², σ₂²) Rᵀ.
    @Test func anisotropicGaussianHasItsCovariance() {
        let (a, b, angle) = (2.5, 1.2, 0.7)
        let m = moments(BlurKernel(.gaussian, size: 41, sigma: [a, b], rotation: angle).values(), 41)
        let (c, s) = (cos(angle), sin(angle))
        #expect(abs(m.xx - (a * a * c * c + b * b * s * s)) < 0.01)
        #expect(abs(m.yy - (a * a * s * s + b * b * c * c)) < 0.01)
        #expect(abs(m.xy - (a * a - b * b) * c * s) < 0.01)
        #expect(abs(m.mean[0]) < 1e-5 && abs(m.mean[1]) < 1e-5)
    }

    /// A circular low-pass: nearly 1 below its cut-off in every direction, nearly 0 above it.
    @Test(arguments: [1.2, 2.0]) func sincPassesLowFrequencies(cutoff: Double) {
        let values = BlurKernel(.sinc, size: 21, cutoff: cutoff).values()
        for angle in stride(from: 0.0, to: 1.6, by: 0.4) {
            #expect(abs(response(values, 21, 0.6 * cutoff * cos(angle), 0.6 * cutoff * sin(angle)) - 1) < 0.15)
            #expect(abs(response(values, 21, 1.4 * cutoff * cos(angle), 1.4 * cutoff * sin(angle))) < 0.15)
        }
        #expect(abs(response(values, 21, cutoff, 0) - 0.5) < 0.1)
    }

    /// A disc of radius R has variance R²/4 along each axis (and the sampling's triangle adds 1/6).
    @Test(arguments: [1.5, 3.0, 6.0]) func discHasItsVariance(radius: Double) {
        let size = 2 * Int(radius.rounded(.up)) + 3
        let m = moments(BlurKernel(.disc, size: size, sigma: [radius]).values(), size)
        #expect(abs(m.xx - (radius * radius / 4 + 1.0 / 6)) < 0.06 && abs(m.yy - m.xx) < 1e-5)
    }

    /// A straight stroke of length L has variance L²/12 along its direction, and only the sampling's across.
    @Test(arguments: [0.0, 0.5, 1.2]) func motionHasItsVariance(direction: Double) {
        let length = 10.0
        let m = moments(BlurKernel(.motion, size: 15, sigma: [length], rotation: direction).values(), 15)
        let (c, s) = (cos(direction), sin(direction))
        let along = m.xx * c * c + 2 * m.xy * c * s + m.yy * s * s
        let across = m.xx * s * s - 2 * m.xy * c * s + m.yy * c * c
        #expect(abs(along - length * length / 12) < 0.45)
        #expect(across < 0.25)
    }
}
