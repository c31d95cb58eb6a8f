// ResamplingTests: the classical methods against numbers made by an independent implementation of MATLAB's imresize.

import SuperResolution
import Testing

@Suite struct ResamplingTests {
    /// Seven samples, (7i² + 3i) mod 11 / 10, and what NumPy makes of them by the formulas of MATLAB's `imresize`.
    static let input: [Float] = [0, 1, 0.1, 0.6, 0.3, 0.3, 0.6]
    static let expected: [(Resampling, [Float])] = [
        (.bicubic, [0.393258, 0.404631, 0.444944]),
        (.bicubic, [-0.082465, 0.385254, 0.993855, 0.526465, 0.100977, 0.470522, 0.561997, 0.328613, 0.262760, 0.307010, 0.496289, 0.624740]),
        (.bicubic, [-0.101074, 0.120201, 0.680812, 0.999074, 0.622093, 0.138045, 0.199265, 0.517862, 0.582173, 0.411937, 0.287256, 0.262646, 0.295459, 0.415091, 0.566721, 0.630322]),
        (.lanczos3, [0.381571, 0.416078, 0.446323]),
        (.lanczos3, [-0.172930, 0.469086, 0.998721, 0.544272, 0.076033, 0.431842, 0.609791, 0.349739, 0.220182, 0.310587, 0.490705, 0.642918]),
        (.lanczos3, [-0.213608, 0.177446, 0.752103, 0.996946, 0.638496, 0.150414, 0.146118, 0.486456, 0.621877, 0.457119, 0.270228, 0.222244, 0.292371, 0.419396, 0.557953, 0.653219]),
        (.bilinear, [0.393750, 0.417647, 0.431250]),
        (.bilinear, [0, 0.375, 0.958333, 0.5125, 0.1625, 0.454167, 0.5125, 0.3375, 0.3, 0.3125, 0.4875, 0.6]),
        (.nearest, [1, 0.6, 0.3]),
        (.nearest, [0, 0, 1, 1, 0.1, 0.1, 0.6, 0.6, 0.3, 0.3, 0.3, 0.3, 0.6, 0.6]),
    ]

    @Test(arguments: expected.indices) func agreesWithMATLAB(_ index: Int) {
        let (method, expected) = Self.expected[index]
        // Both axes, with the samples in each of three channels at another height.
        let row = Raster(width: 7, height: 1, channels: 3, samples: Self.input.flatMap { [$0, 2 * $0, 1 - $0] })
        let wide = method.resize(row, width: expected.count, height: 1)
        let column = Raster(width: 1, height: 7, channels: 3, samples: row.samples)
        let high = method.resize(column, width: 1, height: expected.count)
        for (i, value) in expected.enumerated() {
            #expect(abs(wide[i, 0, 0] - value) < 2e-6)
            #expect(abs(wide[i, 0, 1] - 2 * value) < 4e-6)
            #expect(abs(wide[i, 0, 2] - (1 - value)) < 2e-6)
            #expect(abs(high[0, i, 0] - value) < 2e-6)
        }
    }

    /// Every pair of axes against a sum over all taps written out, at sizes around the vector width.
    @Test(arguments: Resampling.allCases) func separableEqualsDirectSum(_ method: Resampling) {
        for (width, height, newWidth, newHeight) in [(9, 17, 23, 8), (5, 3, 4, 33), (16, 8, 16, 3), (1, 1, 4, 4), (30, 1, 7, 5)] {
            let raster = noise(width: width, height: height, channels: 2)
            let (h, v) = (method.taps(from: width, to: newWidth), method.taps(from: height, to: newHeight))
            let result = method.resize(raster, width: newWidth, height: newHeight)
            var worst: Float = 0
            for y in 0..<newHeight {
                for x in 0..<newWidth {
                    for c in 0..<2 {
                        var sum: Float = 0
                        for j in 0..<v.count {
                            for i in 0..<h.count {
                                sum += v.weights[y * v.count + j] * h.weights[x * h.count + i]
                                    * raster[Int(h.indices[x * h.count + i]), Int(v.indices[y * v.count + j]), c]
                            }
                        }
                        worst = max(worst, abs(sum - result[x, y, c]))
                    }
                }
            }
            #expect(worst < 3e-6)
        }
    }

    @Test(arguments: Resampling.allCases) func weightsSumToOneAndIndicesStayInside(_ method: Resampling) {
        for (input, output) in [(1, 1), (1, 9), (2, 1), (3, 100), (100, 3), (641, 640), (7, 28)] {
            let taps = method.taps(from: input, to: output)
            #expect(taps.outputs == output)
            #expect(taps.indices.allSatisfy { (0..<Int32(input)).contains($0) })
            for i in 0..<output {
                #expect(abs(taps.weights[i * taps.count..<(i + 1) * taps.count].reduce(0, +) - 1) < 1e-5)
            }
        }
    }

    @Test func enlargingByAWholeFactorNeedsNoMoreTapsThanTheKernelIsWide() {
        #expect(Resampling.bicubic.taps(from: 10, to: 40).count == 4)
        #expect(Resampling.lanczos3.taps(from: 10, to: 20).count == 6)
        #expect(Resampling.bilinear.taps(from: 10, to: 20).count == 2)
    }

    @Test func stripsOfABufferEqualTheWhole() throws {
        let raster = noise(width: 700, height: 900, channels: 3)
        let pixels = PixelBuffer(raster, depth: .sixteen)
        for (width, height) in [(1500, 2000), (300, 301)] {
            let strips = try Resampling.lanczos3.resize(pixels, width: width, height: height)
            let whole = PixelBuffer(Resampling.lanczos3.resize(pixels.raster, width: width, height: height), depth: .sixteen)
            // The axes may be resampled in another order: one level of 65535.
            let isClose = zip(strips.raster.samples, whole.raster.samples).allSatisfy { abs($0 - $1) < 1.5 / 65535 }
            #expect(isClose)
        }
    }
}
