// BenchmarkTests: the protocol on pictures whose scores are known.

import Evaluation
import SuperResolution
import Testing

@Suite struct BenchmarkTests {
    @Test func pairIsCroppedAndRounded() throws {
        let picture = Raster(width: 50, height: 41, channels: 3, samples: (0..<50 * 41 * 3).map { Float($0 % 251) / 255 })
        let pair = try Benchmark(scale: 4).pair(from: picture)
        #expect(pair.truth == picture.cropped(to: Region(x: 0, y: 0, width: 48, height: 40)))
        #expect((pair.low.width, pair.low.height, pair.low.channels) == (12, 10, 3))
        #expect(pair.low.samples.allSatisfy { abs($0 * 255 - ($0 * 255).rounded()) < 1e-4 && (0...1).contains($0) })
        #expect(throws: AcuityError.self) { try Benchmark(scale: 4).pair(from: Raster(width: 3, height: 9, channels: 1)) }
    }

    @Test func knownErrorGivesKnownPSNR() async throws {
        // A flat grey picture, enlarged five levels too bright: PSNR = 20 log10(255 / 5).
        let picture = Raster(width: 40, height: 40, channels: 1, filledWith: 100 / 255)
        let scores = try await Benchmark(scale: 2).measure(["flat"], load: { _ in picture }) { low in
            Raster(width: low.width * 2, height: low.height * 2, channels: 1, filledWith: low.samples[0] + 5 / 255)
        }
        #expect(abs(scores.psnrY - 34.15140352195873) < 1e-6)
        #expect(abs(scores.consistency - 34.15140352195873) < 1e-3)
        #expect(abs(scores.drift - 5) < 1e-3)
        #expect(scores.images.count == 1 && scores.images[0].width == 40)
    }

    /// Damage comes before the rounding, and at scale 1 it is all that happens.
    @Test func damageIsDone() throws {
        let picture = Raster(width: 16, height: 12, channels: 1, filledWith: 0.5)
        for scale in [1, 2] {
            let pair = try Benchmark(scale: scale, damage: { low in
                var low = low
                low.samples[0] = 0.1
                return low
            }).pair(from: picture)
            #expect(pair.truth == picture && pair.low.width == 16 / scale)
            #expect(abs(pair.low.samples[0] - 26 / 255) < 1e-6 && pair.low.samples.dropFirst().allSatisfy { abs($0 - 128 / 255) < 1e-6 })
        }
    }

    /// Another reduction takes bicubic's place, before the damage.
    @Test func reductionIsReplaced() throws {
        let picture = Raster(width: 9, height: 7, channels: 1, samples: (0..<63).map { Float($0) / 255 })
        let pair = try Benchmark(scale: 2, reduce: { truth in
            Resampling.nearest.resize(truth, width: truth.width / 2, height: truth.height / 2)
        }, damage: { low in
            var low = low
            low.samples[0] = 1
            return low
        }).pair(from: picture)
        #expect((pair.low.width, pair.low.height) == (4, 3) && pair.low.samples[0] == 1)
        let truth = pair.truth
        #expect(zip(pair.low.samples, Resampling.nearest.resize(truth, width: 4, height: 3).samples).dropFirst().allSatisfy { abs($0 - $1) < 1e-6 })
    }

    /// Mean and variance of a Poisson distribution are equal, on either side of where it is taken for a normal one; of none, none is counted.
    @Test(arguments: [0.5, 4, 50, 70, 400] as [Float]) func photonsAreCounted(_ mean: Float) {
        let picture = Raster(width: 300, height: 200, channels: 3, filledWith: 0.5)
        let counts = picture.counted(photons: 2 * mean).samples.map { Double($0 * 2 * mean) }
        let count = Double(counts.count)
        let average = counts.reduce(0, +) / count
        let variance = counts.reduce(0) { $0 + ($1 - average) * ($1 - average) } / count
        #expect(abs(average / Double(mean) - 1) < 0.02 && abs(variance / Double(mean) - 1) < 0.02)
        #expect(counts.allSatisfy { abs($0 - $0.rounded()) < 1e-3 })
        // Of a Poisson distribution of mean 0.5, e^−½ of all counts are 0.
        if mean == 0.5 { #expect(abs(Double(counts.filter { $0 < 0.5 }.count) / count - 0.60653) < 0.005) }
        #expect(Raster(width: 8, height: 8, channels: 1).counted(photons: 9).samples.allSatisfy { $0 == 0 })
    }

    @Test func noiseIsGaussian() {
        let picture = Raster(width: 300, height: 200, channels: 3, filledWith: 0.5)
        let noisy = picture.noisy(sigma: 25)
        let errors = noisy.samples.map { Double($0 - 0.5) * 255 }
        let count = Double(errors.count)
        let mean = errors.reduce(0, +) / count
        let deviation = (errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
        #expect(abs(mean) < 0.25 && abs(deviation - 25) < 0.25)
        // Of a normal distribution, 68.27 and 95.45 of a hundred.
        for (sigmas, share) in [(1.0, 0.6827), (2, 0.9545)] {
            #expect(abs(Double(errors.filter { abs($0) < 25 * sigmas }.count) / count - share) < 0.005)
        }
        // Neighbours and channels have nothing to do with each other.
        for distance in [1, 3, 900] {
            let product = zip(errors, errors.dropFirst(distance)).reduce(0) { $0 + $1.0 * $1.1 } / count / 625
            #expect(abs(product) < 0.01)
        }
        #expect(noisy == picture.noisy(sigma: 25))
    }

    @Test func errorsNameThePicture() async throws {
        let benchmark = try Benchmark(scale: 4)
        await #expect(throws: AcuityError(.image, "tiny.png: SSIM needs at least 11×11 pixels, 8×8 are left")) {
            try await benchmark.measure(["tiny.png"], load: { _ in Raster(width: 16, height: 16, channels: 1) }) {
                Resampling.nearest.resize($0, width: 16, height: 16)
            }
        }
        await #expect(throws: AcuityError.self) {
            try await benchmark.measure(["odd"], load: { _ in Raster(width: 64, height: 64, channels: 1) }) { $0 }
        }
        await #expect(throws: AcuityError.self) { try await benchmark.measure([], load: { _ in Raster(width: 1, height: 1, channels: 1) }) { $0 } }
        #expect(throws: AcuityError.self) { try Benchmark(scale: 0) }
    }
}
