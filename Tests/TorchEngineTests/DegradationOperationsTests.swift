// DegradationOperationsTests: the tensor operations of degradations against naive loops, closed formulas and libjpeg.

import Foundation
import Imaging
import SuperResolution
import Testing
import TorchEngine

/// A small generator for test pictures.
private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ (state >> 33)) &* 0xFF51_AFD7_ED55_8CCD
    }
}

/// N×C×H×W of random values.
private func random(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
    var random = Random(state: seed)
    return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float.random(in: 0...1, using: &random) })
}

private func constant(_ shape: [Int], _ channels: [Float]) -> Tensor {
    let plane = shape[2] * shape[3]
    return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { channels[$0 / plane % shape[1]] })
}

private func torch(_ tensor: Tensor) throws -> TorchTensor { try TorchTensor(tensor, device: "cpu", runtime: .shared()) }

private func difference(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } }

private func statistics(_ values: some Collection<Float>) -> (mean: Double, variance: Double) {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    return (mean, values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count))
}

private let harbour = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Examples/harbour.png").path

@Suite(.enabled(if: hasTorch, torchMissing)) struct BlurAndResize {
    /// Mirrored borders without the edge, or repeated ones where the picture is no larger than the reach.
    private func naiveBlur(_ x: Tensor, _ kernels: Tensor) -> [Float] {
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let (kh, kw) = (kernels.shape[1], kernels.shape[2])
        let isMirrored = h > kh / 2 && w > kw / 2
        func border(_ i: Int, _ count: Int) -> Int {
            if !isMirrored { return min(count - 1, max(0, i)) }
            return i < 0 ? -i : i >= count ? 2 * count - 2 - i : i
        }
        return (0..<n * c * h * w).map { index in
            let (px, py, plane) = (index % w, index / w % h, index / (w * h))
            let kernel = kernels.shape[0] == 1 ? 0 : plane / c
            var sum = 0.0
            for v in 0..<kh {
                for u in 0..<kw {
                    let (sx, sy) = (border(px + u - kw / 2, w), border(py + v - kh / 2, h))
                    sum += Double(kernels.values[(kernel * kh + v) * kw + u]) * Double(x.values[(plane * h + sy) * w + sx])
                }
            }
            return Float(sum)
        }
    }

    @Test(arguments: [(5, 5), (21, 21), (1, 9), (9, 1), (1, 1)], [(7, 5), (23, 80), (40, 131)])
    func everyPictureHasItsKernel(kernel: (Int, Int), size: (Int, Int)) throws {
        let x = random([2, 3, size.0, size.1])
        var kernels = random([2, kernel.0, kernel.1], seed: 9)
        // The second is smaller, in a margin of zeros.
        for i in 0..<kernel.0 * kernel.1 where i / kernel.1 == 0 && kernel.0 > 1 { kernels.values[kernel.0 * kernel.1 + i] = 0 }
        let result = try torch(x).blurred(kernels).floats()
        #expect(result.shape == x.shape)
        #expect(difference(result.values, naiveBlur(x, kernels)) < 2e-4)
    }

    @Test func oneKernelServesAll() throws {
        let (x, kernel) = (random([3, 1, 20, 33]), random([1, 3, 5], seed: 4))
        #expect(difference(try torch(x).blurred(kernel).floats().values, naiveBlur(x, kernel)) < 1e-5)
    }

    @Test func badKernelsAreErrors() throws {
        let x = try torch(random([2, 3, 8, 8]))
        #expect(throws: AcuityError.self) { try x.blurred(random([3, 3, 3])) }
        #expect(throws: AcuityError.self) { try x.blurred(random([2, 4, 4])) }
        #expect(throws: AcuityError.self) { try x.blurred(Tensor(shape: [2, 0, 0], values: [])) }
        #expect(throws: AcuityError.self) { try x.resized(height: 0, width: 4, by: .area) }
    }

    /// Kernels by definition: half-pixel centres, clamped borders, Keys with a = −0.75.
    private func naiveResize(_ x: Tensor, _ height: Int, _ width: Int, _ method: Interpolation) -> [Float] {
        let (planes, h, w) = (x.shape[0] * x.shape[1], x.shape[2], x.shape[3])
        func keys(_ t: Double) -> Double {
            let (t, a) = (abs(t), -0.75)
            return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0
        }
        func taps(_ i: Int, _ from: Int, _ to: Int) -> [(Int, Double)] {
            let centre = (Double(i) + 0.5) * Double(from) / Double(to) - 0.5
            let base = Int(centre.rounded(.down))
            switch method {
            case .nearest: return [(min(from - 1, Int((Double(i) + 0.5) * Double(from) / Double(to))), 1)]
            case .area:
                let (first, last) = (i * from / to, ((i + 1) * from + to - 1) / to)
                return (first..<last).map { ($0, 1 / Double(last - first)) }
            case .bilinear:
                let centre = max(0, centre)
                let base = Int(centre)
                return [(base, 1 - (centre - Double(base))), (min(from - 1, base + 1), centre - Double(base))]
            case .bicubic: return (-1...2).map { (min(from - 1, max(0, base + $0)), keys(centre - Double(base + $0))) }
            }
        }
        let (rows, columns) = ((0..<height).map { taps($0, h, height) }, (0..<width).map { taps($0, w, width) })
        return (0..<planes * height * width).map { index in
            let (column, row, plane) = (columns[index % width], rows[index / width % height], index / (width * height))
            var sum = 0.0
            for (y, v) in row { for (u, p) in column { sum += v * p * Double(x.values[(plane * h + y) * w + u]) } }
            return Float(sum)
        }
    }

    @Test(arguments: Interpolation.allCases, [(9, 7), (31, 12), (3, 40), (20, 17)])
    func resizingIsByDefinition(method: Interpolation, size: (Int, Int)) throws {
        let x = random([2, 3, 20, 17])
        let result = try torch(x).resized(height: size.0, width: size.1, by: method).floats()
        #expect(result.shape == [2, 3, size.0, size.1])
        #expect(difference(result.values, naiveResize(x, size.0, size.1, method)) < 1e-5)
    }

    /// Away from borders antialiased reduction is MATLAB's (which mirrors borders, where libtorch renormalises).
    @Test(arguments: [(Interpolation.bilinear, Resampling.bilinear), (.bicubic, .bicubic)])
    func antialiasingIsResampling(method: Interpolation, reference: Resampling) throws {
        let (h, w, height, width) = (60, 72, 20, 27)
        let x = random([1, 1, h, w])
        let result = try torch(x).resized(height: height, width: width, by: method, antialiased: true).floats()
        let expected = reference.resize(Raster(width: w, height: h, channels: 1, samples: x.values), width: width, height: height)
        for y in 3..<height - 3 {
            for u in 3..<width - 3 { #expect(abs(result.values[y * width + u] - expected[u, y, 0]) < 1e-5) }
        }
    }

    /// x + w (x − Gx) where that detail exceeds the threshold, blended by the softened mask: OpenCV's recipe of Real-ESRGAN.
    @Test func unsharpMaskIsByDefinition() throws {
        let x = random([1, 1, 30, 26])
        let taps: [Float] = [0.1, 0.2, 0.4, 0.2, 0.1]
        let kernel = Tensor(shape: [1, 5, 5], values: (0..<25).map { taps[$0 / 5] * taps[$0 % 5] })
        let soft = naiveBlur(x, kernel)
        let mask = Tensor(shape: x.shape, values: zip(x.values, soft).map { abs($0 - $1) > 0.2 ? 1 : 0 })
        let softMask = naiveBlur(mask, kernel)
        let expected = x.values.indices.map { i in
            let sharp = min(1, max(0, x.values[i] + 0.5 * (x.values[i] - soft[i])))
            return softMask[i] * sharp + (1 - softMask[i]) * x.values[i]
        }
        #expect(difference(try torch(x).unsharpMasked(taps: taps, weight: [0.5], threshold: 0.2).floats().values, expected) < 1e-5)
        let unmasked = x.values.indices.map { min(1, max(0, x.values[$0] + 0.5 * (x.values[$0] - soft[$0]))) }
        #expect(difference(try torch(x).unsharpMasked(taps: taps, weight: [0.5], threshold: nil).floats().values, unmasked) < 1e-5)
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct Noise {
    private let side = 256

    /// Mean and variance of what is added; the estimates' own errors are below 1 %.
    @Test func gaussianNoiseHasItsVariance() throws {
        let x = try torch(constant([2, 3, side, side], [0.5, 0.5, 0.5]))
        let identity: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 1]
        let result = try x.addingGaussianNoise(mixing: identity.map { $0 * 0.1 } + identity.map { $0 * 0.02 }, seed: 3).floats().values
        let plane = side * side
        for (picture, sigma) in [(0, 0.1), (1, 0.02)] {
            for channel in 0..<3 {
                let start = (picture * 3 + channel) * plane
                let s = statistics(result[start..<start + plane])
                #expect(abs(s.mean - 0.5) < 5 * sigma / Double(side))
                #expect(abs(s.variance / (sigma * sigma) - 1) < 0.03)
            }
        }
        let products = (0..<plane).map { (result[$0] - 0.5) * (result[plane + $0] - 0.5) }
        #expect(abs(statistics(products).mean) < 0.01 * 0.02)
    }

    /// The covariance of the channels is M Mᵀ; equal rows give grey noise.
    @Test func mixedNoiseHasItsCovariance() throws {
        let x = try torch(constant([1, 3, side, side], [0.5, 0.5, 0.5]))
        let m: [Float] = [0.05, 0.02, 0, -0.01, 0.04, 0.03, 0.02, 0, 0.06]
        let noise = try x.addingGaussianNoise(mixing: m, seed: 8).floats().values.map { $0 - 0.5 }
        let plane = side * side
        for a in 0..<3 {
            for b in 0..<3 {
                let expected = (0..<3).reduce(0) { $0 + Double(m[a * 3 + $1]) * Double(m[b * 3 + $1]) }
                let found = statistics((0..<plane).map { noise[a * plane + $0] * noise[b * plane + $0] }).mean
                #expect(abs(found - expected) < 1e-4, "\(a), \(b)")
            }
        }
        let grey = try x.addingGaussianNoise(mixing: [0.1, 0, 0, 0.1, 0, 0, 0.1, 0, 0], seed: 8).floats().values
        #expect(Array(grey[0..<plane]) == Array(grey[plane..<2 * plane]) && Array(grey[0..<plane]) == Array(grey[2 * plane..<3 * plane]))
    }

    /// A flat picture has one level, so v = 2⁰ = 1 … a ramp of 256 has v = 256, and the variance of the noise is signal / 256.
    @Test(arguments: [false, true]) func poissonVarianceFollowsTheSignal(grey: Bool) throws {
        let levels = 256
        let rows = 512
        // Every column is one level.
        let x = Tensor(shape: [1, 3, rows, levels], values: (0..<3 * rows * levels).map { Float($0 % levels) / 255 })
        let scale: Float = 1
        let result = try torch(x).addingPoissonNoise(scale: [scale], grey: [grey], seed: 5).floats().values
        let plane = rows * levels
        if grey { #expect(difference(Array(result[0..<plane]), Array(result[plane..<2 * plane])) < 1e-6) }
        var (ratios, means) = (0.0, 0.0)
        for column in stride(from: 8, to: levels, by: 8) {
            let signal = Double(column) / 255
            let channels = grey ? 1 : 3
            let samples = (0..<channels * rows).map { result[$0 / rows * plane + $0 % rows * levels + column] }
            let s = statistics(samples)
            means += (s.mean - signal) / (signal / 256 / Double(samples.count)).squareRoot()
            ratios += s.variance / (signal / 256)
        }
        let columns = Double(stride(from: 8, to: levels, by: 8).underestimatedCount)
        #expect(abs(ratios / columns - 1) < 0.05, "variance against signal: \(ratios / columns)")
        #expect(abs(means / columns) < 1, "bias in standard errors: \(means / columns)")
        // Black stays black.
        #expect((0..<rows).allSatisfy { result[$0 * levels] == 0 })
    }

    /// The noise is a count of photons: v times the noisy picture is whole.
    @Test func poissonNoiseIsCounted() throws {
        let x = Tensor(shape: [1, 3, 16, 16], values: (0..<768).map { Float($0 % 256 / 16) / 255 * 10 })
        let result = try torch(x).addingPoissonNoise(scale: [1], grey: [false], seed: 6).floats().values
        #expect(result.allSatisfy { abs($0 * 16 - ($0 * 16).rounded()) < 1e-3 })
        #expect(try torch(x).addingPoissonNoise(scale: [0], grey: [false], seed: 6).floats().values == x.values)
    }

    /// Variance shot · x + read².
    @Test func sensorNoiseHasItsVariance() throws {
        let x = try torch(constant([2, 1, side, side], [0.4]))
        let result = try x.addingSensorNoise(shot: [0.01, 0.001], read: [0.02, 0.05], seed: 2).floats().values
        let plane = side * side
        for (picture, variance) in [(0, 0.01 * 0.4 + 0.02 * 0.02), (1, 0.001 * 0.4 + 0.05 * 0.05)] {
            let s = statistics(result[picture * plane..<(picture + 1) * plane])
            #expect(abs(s.variance / variance - 1) < 0.03 && abs(s.mean - 0.4) < 0.002)
        }
    }

    @Test func seedsDecide() throws {
        let x = try torch(random([1, 3, 24, 24]))
        let operations: [(UInt64) throws -> TorchTensor] = [
            { try x.addingGaussianNoise(mixing: [0.1, 0, 0, 0, 0.1, 0, 0, 0, 0.1], seed: $0) },
            { try x.addingPoissonNoise(scale: [1], grey: [false], seed: $0) },
            { try x.addingSensorNoise(shot: [0.01], read: [0.01], seed: $0) },
            { try x.reduced(toColours: 16, dither: 0, seed: $0) },
        ]
        for (index, operation) in operations.enumerated() {
            let (a, b, c) = (try operation(7).floats(), try operation(7).floats(), try operation(8).floats())
            #expect(a == b && a != c, "operation \(index)")
        }
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct JPEG {
    /// Against libjpeg (through libvips, 4:2:0 below quality 90 and 4:4:4 from there on) on a picture whose sides are no
    /// multiples of a block: above 45 dB, where the loss of the compression itself is 25 to 40 dB.
    @Test(arguments: [10, 30, 50, 75, 89, 90, 95, 100])
    func isLibjpegs(quality: Int) throws {
        let picture = try Picture(contentsOf: harbour)
        let region = Region(x: 2, y: 3, width: 309, height: 229)
        let raster = picture.pixels.raster(of: region)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).jpg").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Picture(pixels: PixelBuffer(raster, depth: .eight)).write(to: path, options: .init(quality: quality))
        let expected = try Picture(contentsOf: path).pixels.raster

        let (w, h) = (region.width, region.height)
        let planar = Tensor(shape: [1, 3, h, w], values: (0..<3 * w * h).map { raster.samples[$0 % (w * h) * 3 + $0 / (w * h)] })
        // Beside another quality in the batch, which must not matter.
        let two = Tensor(shape: [2, 3, h, w], values: planar.values + planar.values)
        let result = try torch(two).jpeg(quality: [quality, 42], subsampled: quality < 90).floats().values
        func psnr(_ a: (Int) -> Float, _ b: (Int) -> Float) -> Double {
            let squares = (0..<3 * w * h).reduce(0.0) { $0 + Double(a($1) - b($1)) * Double(a($1) - b($1)) }
            return -10 * log10(squares / Double(3 * w * h))
        }
        let reference = { (i: Int) in expected.samples[i % (w * h) * 3 + i / (w * h)] }
        let agreement = psnr({ result[$0] }, reference)
        #expect(agreement > 45, "quality \(quality): \(agreement) dB")
        #expect(psnr({ planar.values[$0] }, reference) < agreement - 3 || quality == 100)
        // The wrong chroma sampling would be noticed.
        if quality == 89 || quality == 90 {
            let other = try torch(planar).jpeg(quality: [quality], subsampled: quality >= 90).floats().values
            #expect(psnr({ other[$0] }, reference) < 40)
        }
    }

    @Test func greyStaysGreyAndFlatStaysFlat() throws {
        let flat = try torch(constant([1, 3, 19, 21], [0.5, 0.5, 0.5])).jpeg(quality: [10], subsampled: true).floats()
        #expect(flat.shape == [1, 3, 19, 21])
        #expect(Set(flat.values).count == 1 && abs((flat.values.first ?? 0) - 0.5) < 0.03)
    }
}

@Suite(.enabled(if: hasTorch, torchMissing)) struct CameraOperations {
    @Test func transferCurveIsSRGBs() throws {
        let x = Tensor(shape: [1, 1, 1, 5], values: [0, 0.02, 0.04045, 0.5, 1])
        let linear = try torch(x).linearised()
        #expect(difference(try linear.floats().values, [0, 0.001548, 0.0031308, 0.2140411, 1]) < 1e-6)
        #expect(difference(try linear.delinearised().floats().values, x.values) < 1e-6)
    }

    @Test func mosaicIsRGGB() throws {
        let mosaic = try torch(constant([1, 3, 4, 6], [1, 2, 3])).mosaicked().floats()
        #expect(mosaic.shape == [1, 1, 4, 6])
        #expect(mosaic.values == [1, 2, 1, 2, 1, 2, 2, 3, 2, 3, 2, 3, 1, 2, 1, 2, 1, 2, 2, 3, 2, 3, 2, 3])
    }

    /// A flat field of any colour comes back as it was, at the borders too; sides may be odd.
    @Test(arguments: [(8, 8), (7, 9), (1, 1), (2, 3)]) func flatFieldsStayFlat(size: (Int, Int)) throws {
        let colour = constant([1, 3, size.0, size.1], [0.7, 0.2, 0.5])
        let result = try torch(colour).mosaicked().demosaicked().floats()
        if size.0 > 2 && size.1 > 2 {
            #expect(difference(result.values, colour.values) < 1e-6)
        } else {
            #expect(result.shape == colour.shape && result.values.allSatisfy(\.isFinite))
        }
    }

    /// Malvar's filters are exact on luminance ramps.
    @Test func rampsStayRamps() throws {
        let x = Tensor(shape: [1, 3, 12, 12], values: (0..<432).map { Float($0 % 12) * 0.05 + Float($0 / 12 % 12) * 0.02 })
        let result = try torch(x).mosaicked().demosaicked().floats().values
        for channel in 0..<3 {
            for y in 2..<10 { for u in 2..<10 { #expect(abs(result[channel * 144 + y * 12 + u] - x.values[y * 12 + u]) < 1e-5) } }
        }
    }

    @Test func gainsAreByChannel() throws {
        let result = try torch(constant([2, 3, 1, 1], [1, 1, 1])).multiplied(byChannel: [2, 3, 4, 5, 6, 7]).floats()
        #expect(result.values == [2, 3, 4, 5, 6, 7])
    }

    /// A ramp enlarged by f about its centre has 1/f of its slope (within 6 % of a step: libtorch's cubic has a = −0.75); the
    /// untouched channel stays.
    @Test func magnificationMovesOutwards() throws {
        let (w, h) = (41, 31)
        let x = Tensor(shape: [1, 3, h, w], values: (0..<3 * w * h).map { Float($0 % w) / 100 })
        let result = try torch(x).magnified([1.25, 1, 0.8], about: [0, 0]).floats().values
        for u in 12..<29 {
            let offset = Float(u) - 20
            let row = 15 * w
            #expect(abs(result[row + u] - (0.2 + offset / 125)) < 6e-4)
            #expect(abs(result[w * h + row + u] - x.values[row + u]) < 1e-5)
            #expect(abs(result[2 * w * h + row + u] - (0.2 + offset / 80)) < 6e-4)
        }
        // About the left edge that edge stays.
        let left = try torch(x).magnified([1.25, 1.25, 1.25], about: [-1, 0]).floats().values
        let expected: Float = 0.159  // the ramp at 20.5 / 1.25 − 0.5
        #expect(abs(left[15 * w + 20] - expected) < 6e-4)
    }

    @Test func vignettingIsTheLaw() throws {
        let (w, h) = (30, 40)
        let result = try torch(constant([2, 1, h, w], [1])).vignetted(strength: [0.3, 0.3], centre: [0, 0, -1, 1]).floats().values
        for (picture, cx, cy) in [(0, 15.0, 20.0), (1, 0.0, 40.0)] {
            for (px, py) in [(0, 0), (14, 19), (29, 39), (3, 30)] {
                let (dx, dy) = (Double(px) + 0.5 - cx, Double(py) + 0.5 - cy)
                let expected = 1 / pow(1 + 0.3 * (dx * dx + dy * dy) / 625, 2)
                #expect(abs(Double(result[(picture * h + py) * w + px]) - expected) < 1e-5)
            }
        }
    }

    @Test func palettesHaveTheirColours() throws {
        let x = random([2, 3, 40, 30])
        func colours(_ values: [Float], _ picture: Int) -> Set<[Float]> {
            Set((0..<1200).map { i in (0..<3).map { values[(picture * 3 + $0) * 1200 + i] } })
        }
        for dither in [0.0, 1] {
            let result = try torch(x).reduced(toColours: 12, dither: dither, seed: 4).floats().values
            #expect(colours(result, 0).count <= 12 && colours(result, 0).count > 8 && colours(result, 0) != colours(result, 1))
        }
        // A picture that has no more colours keeps them; dithering a flat one between two leaves its mean nearly as it was.
        let two = Tensor(shape: [1, 3, 32, 32], values: (0..<3072).map { $0 % 32 < 16 ? 0.2 : 0.8 })
        #expect(difference(try torch(two).reduced(toColours: 16, dither: 0, seed: 1).floats().values, two.values) < 0.5 / 255 + 1e-6)
        #expect(throws: AcuityError.self) { try torch(x).reduced(toColours: 300, dither: 0, seed: 1) }
    }

    /// Without dither every pixel takes the nearest of the colours that occur.
    @Test func palettesChooseTheNearest() throws {
        let x = random([1, 3, 24, 24])
        let result = try torch(x).reduced(toColours: 8, dither: 0, seed: 4).floats().values
        let colours = Set((0..<576).map { i in (0..<3).map { result[$0 * 576 + i] } })
        for i in 0..<576 {
            func distance(_ colour: [Float]) -> Float {
                var sum: Float = 0
                for channel in 0..<3 {
                    let d = x.values[channel * 576 + i] - colour[channel]
                    sum += d * d
                }
                return sum
            }
            let chosen = distance((0..<3).map { result[$0 * 576 + i] })
            #expect(colours.allSatisfy { chosen <= distance($0) + 1e-5 })
        }
    }
}
