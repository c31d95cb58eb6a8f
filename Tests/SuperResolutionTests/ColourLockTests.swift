// ColourLockTests: shifts of colour that were put there, to be taken out; detail, to be left alone.

import SuperResolution
import Testing

@Suite struct ColourLockTests {
    /// Smooth in the large, with a grain of ±0.05 that changes from pixel to pixel.
    private func picture(_ width: Int, _ height: Int, scale: Int, shift: (Float, Float) -> Float) -> PixelBuffer {
        var raster = Raster(width: width * scale, height: height * scale, channels: 3)
        for y in 0..<raster.height {
            for x in 0..<raster.width {
                let (u, v) = ((Float(x) + 0.5) / Float(scale), (Float(y) + 0.5) / Float(scale))
                for c in 0..<3 {
                    let grain: Float = (x + y) % 2 == 0 ? 0.05 : -0.05
                    raster.samples[(y * raster.width + x) * 3 + c] = 0.3 + 0.002 * u + 0.001 * v + Float(c) * 0.1 + grain + shift(u, v)
                }
            }
        }
        return PixelBuffer(raster, depth: .sixteen)
    }

    /// The result as it comes through the lock, both pictures in strips of some rows.
    private func locked(_ result: PixelBuffer, like input: PixelBuffer, scale: Int, depth: PixelBuffer.Depth, rows: Int) async throws -> PixelBuffer {
        // A network has seen the input's rows before it gives the result's.
        let seen = MeasuredRows(Strips(input, rows: rows), block: ColourLock.block)
        while try await seen.next() != nil {}
        return try await ColourLockedRows(Strips(result, rows: rows), like: seen, scale: scale, depth: depth).collect()
    }

    @Test(arguments: [(100, 70, 4), (64, 64, 2), (7, 13, 3), (1, 1, 4), (8, 200, 1)]) func takesShiftsOut(width: Int, height: Int, scale: Int) async throws {
        let input = picture(width, height, scale: 1) { _, _ in 0 }
        let truth = picture(width, height, scale: scale) { _, _ in 0 }
        // A cast that differs slowly from place to place.
        let cast = picture(width, height, scale: scale) { u, v in 0.04 + 0.0002 * u - 0.0001 * v }
        let corrected = try await locked(cast, like: input, scale: scale, depth: .sixteen, rows: 1000)
        #expect(try await locked(cast, like: input, scale: scale, depth: .sixteen, rows: 7) == corrected)
        let (a, b) = (corrected.raster.samples, truth.raster.samples)
        // A picture of an odd number of pixels has a grain whose mean is not nought.
        let tolerance: Float = width * height > 100 ? 0.004 : 0.06
        #expect(zip(a, b).allSatisfy { abs($0 - $1) < tolerance })
        // The grain stays: neighbours differ as before.
        for i in stride(from: 0, to: a.count - 3, by: 3) where (i / 3 + 1) % (width * scale) != 0 {
            #expect(abs((a[i] - a[i + 3]) - (b[i] - b[i + 3])) < 0.002)
        }
    }

    @Test func leavesWhatIsRightAlone() async throws {
        let input = picture(50, 40, scale: 1) { _, _ in 0 }
        let result = picture(50, 40, scale: 2) { _, _ in 0 }
        let corrected = try await locked(result, like: input, scale: 2, depth: .eight, rows: 16)
        #expect(corrected.depth == .eight)
        #expect(zip(corrected.raster.samples, result.raster.samples).allSatisfy { abs($0 - $1) < 0.005 })
    }

    /// σ 0.2 (51 levels): a mean over a block is uncertain by six levels, mixed with its neighbours' by two.
    @Test(arguments: [Float(0), 0.2]) func doubtsTheMeansOfNoise(cast: Float) async throws {
        var random = SplitMix(state: 5)
        var noisy = Raster(width: 128, height: 128, channels: 3)
        for i in noisy.samples.indices {
            // Twelve equal chances: as good as normal, variance 1.
            noisy.samples[i] = 0.5 + 0.2 * ((0..<12).reduce(-6) { sum, _ in sum + Float.random(in: 0..<1, using: &random) })
        }
        var result = Raster(width: 256, height: 256, channels: 3)
        for i in result.samples.indices { result.samples[i] = 0.5 + cast }
        // Not clipped, as a picture with such noise would be.
        let corrected = try await locked(PixelBuffer(result, depth: .sixteen), like: PixelBuffer(noisy, depth: .sixteen), scale: 2, depth: .sixteen, rows: 32).raster.samples
        let errors = corrected.map { abs($0 - 0.5) }
        if cast == 0 {
            // The noise of the means, all of which would be added otherwise, is 0.0094.
            #expect((errors.reduce(0) { $0 + $1 * $1 } / Float(errors.count)).squareRoot() < 0.006)
        } else {
            // What stands out from the noise is taken out as ever.
            #expect(errors.reduce(0, +) / Float(errors.count) < 0.01)
        }
    }
}
