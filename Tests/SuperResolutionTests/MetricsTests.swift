// MetricsTests: PSNR-Y and SSIM-Y against figures computed with numpy in double precision (full 2-D window).

import SuperResolution
import Testing

@Suite struct MetricsTests {
    /// The pictures that the numpy script builds: a ramp with noise of a linear congruential generator.
    private func picture(_ width: Int, _ height: Int, _ channels: Int, seed: Int) -> Raster {
        var state = seed
        var samples = [Float]()
        for y in 0..<height {
            for x in 0..<width {
                for channel in 0..<channels {
                    state = (state * 1_103_515_245 + 12345) % (1 << 31)
                    samples.append(Float((x * 7 + y * 5 + channel * 40) % 200 + (state >> 16) % 40) / 255)
                }
            }
        }
        return Raster(width: width, height: height, channels: channels, samples: samples)
    }

    @Test func colourMatchesNumpy() throws {
        let (a, b) = (picture(37, 29, 3, seed: 1), picture(37, 29, 3, seed: 2))
        #expect(abs(try Metrics.psnrY(a, against: b) - 28.815858657090374) < 1e-6)
        #expect(abs(try Metrics.ssimY(a, against: b) - 0.838999350618318) < 1e-8)
        #expect(abs(try Metrics.psnrY(a, against: b, crop: 4) - 28.753665740882003) < 1e-6)
        #expect(abs(try Metrics.ssimY(a, against: b, crop: 4) - 0.8595424361663855) < 1e-8)
        #expect(abs(try Metrics.psnr(a, against: b) - 23.90942719729342) < 1e-4)
    }

    @Test func lumaOfGreyIsItsValue() throws {
        let (a, b) = (picture(20, 18, 1, seed: 3), picture(20, 18, 1, seed: 4))
        #expect(abs(try Metrics.psnrY(a, against: b) - 24.126958934542863) < 1e-6)
        #expect(abs(try Metrics.ssimY(a, against: b) - 0.6507138173565415) < 1e-8)
    }

    @Test func resultIsClippedAndRoundedFirst() throws {
        let truth = picture(16, 16, 3, seed: 5)
        var near = truth
        for index in near.samples.indices { near.samples[index] += 0.4 / 255 }
        #expect(try Metrics.psnrY(near, against: truth) == .infinity)
        var far = Raster(width: 16, height: 16, channels: 3, filledWith: 1)
        let white = far
        for index in far.samples.indices { far.samples[index] = 7 }
        #expect(try Metrics.psnrY(far, against: white) == .infinity)
        #expect(try Metrics.ssimY(far, against: white) == 1)
    }

    @Test func refusesWhatCannotBeCompared() {
        let (small, large) = (picture(16, 16, 3, seed: 1), picture(17, 16, 3, seed: 1))
        #expect(throws: AcuityError.self) { try Metrics.psnrY(small, against: large) }
        #expect(throws: AcuityError.self) { try Metrics.psnrY(small, against: small, crop: 8) }
        #expect(throws: AcuityError.self) { try Metrics.ssimY(small, against: small, crop: 3) }
        #expect(throws: AcuityError.self) { try Metrics.psnr(small, against: large) }
        #expect(throws: AcuityError.self) { try Metrics.psnrY(small, against: picture(16, 16, 1, seed: 1)) }
    }
}
