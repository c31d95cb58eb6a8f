// GrainTests: grain's strength, colour and correlation on flat fields, by plain statistics.

import Testing
import Training

@Suite struct GrainTests {
    private let side = 200

    /// Differences from the flat colour, by channel.
    private func noise(_ grain: Grain, on level: UInt8, seed: UInt64 = 1) -> [[Double]] {
        var random = SplitMix(seed: seed)
        let flat = [UInt8](repeating: level, count: side * side * 3)
        let result = grain.added(to: flat, width: side, height: side, using: &random)
        return (0..<3).map { channel in stride(from: channel, to: result.count, by: 3).map { Double(result[$0]) - Double(level) } }
    }

    private func covariance(_ a: [Double], _ b: [Double]) -> Double {
        let (x, y) = (a.reduce(0, +) / Double(a.count), b.reduce(0, +) / Double(b.count))
        return zip(a, b).reduce(0) { $0 + ($1.0 - x) * ($1.1 - y) } / Double(a.count)
    }

    @Test(arguments: [0, 0.4, 0.8] as [Float]) func hasItsStrengthWhateverItsSoftness(softness: Float) {
        let channels = noise(Grain(sigma: 8, colour: 0.5, softness: softness), on: 128)
        for channel in channels {
            #expect(abs(covariance(channel, channel).squareRoot() - 8) < 0.15)
            #expect(abs(channel.reduce(0, +) / Double(channel.count)) < 0.15)
        }
    }

    @Test func isWeakerInShadowsAndLights() {
        let grain = Grain(sigma: 8, colour: 0, softness: 0)
        let (dark, light) = (noise(grain, on: 51)[0], noise(grain, on: 204)[0])
        // At a fifth and four fifths: 0.4 + 2.4 · 0.16.
        for channel in [dark, light] { #expect(abs(covariance(channel, channel).squareRoot() / 8 - 0.784) < 0.02) }
        // Half of the noise is clipped at either end, and what rounds to nothing: below half a level of σ 3.2.
        for end in [0, 255] as [UInt8] { #expect(abs(Double(noise(grain, on: end)[0].count { $0 == 0 }) / 40_000 - 0.562) < 0.02) }
    }

    @Test func colourIsWhatChannelsDoNotShare() {
        let grey = noise(Grain(sigma: 8, colour: 0, softness: 0), on: 128)
        #expect(grey[0] == grey[1] && grey[1] == grey[2])
        let coloured = noise(Grain(sigma: 8, colour: 0.6, softness: 0), on: 128)
        let variance = (covariance(coloured[0], coloured[0]) * covariance(coloured[1], coloured[1])).squareRoot()
        #expect(abs(covariance(coloured[0], coloured[1]) / variance - 0.64) < 0.02)
    }

    /// Neighbours of white noise after taps (t, 1, t): 2t / (1 + 2t²), t = exp(−1 / 2σ²).
    @Test func softGrainCorrelatesNeighbours() {
        let channel = noise(Grain(sigma: 12, colour: 0, softness: 0.8), on: 128)[0]
        let here = channel.indices.filter { $0 % side < side - 1 && $0 / side < side - 1 }
        let variance = covariance(channel, channel)
        for step in [1, side] {
            #expect(abs(covariance(here.map { channel[$0] }, here.map { channel[$0 + step] }) / variance - 0.645) < 0.02)
        }
    }
}
