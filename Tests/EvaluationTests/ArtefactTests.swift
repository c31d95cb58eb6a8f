// ArtefactTests: each measure sees exactly the fault that was put into a clean picture.

import Evaluation
import Foundation
import SuperResolution
import Testing

@Suite struct ArtefactTests {
    /// A soft picture with some grain, enlarged by bicubic.
    private func enlarged(scale: Int) -> (result: Raster, input: Raster) {
        let side = 64
        var input = Raster(width: side, height: side, channels: 3)
        for index in input.samples.indices {
            let (x, y) = (index / 3 % side, index / 3 / side)
            input.samples[index] = Float(0.5 + 0.2 * sin(Double(x) / 5) * cos(Double(y) / 4)) + Float((x * 73 + y * 151 + x * y * 17) % 64 - 32) / 1000
        }
        return (Resampling.bicubic.resize(input, width: side * scale, height: side * scale), input)
    }

    /// LDL's formula window by window: the variance of 49 errors, mirrored at the borders, times the variance of all to the power 1/5.
    @Test func mapFollowsTheFormula() {
        let (width, height) = (13, 11)
        func picture(_ seed: Int) -> Raster {
            Raster(width: width, height: height, channels: 3, samples: (0..<width * height * 3).map { Float(($0 * 7919 + seed * 104_729 + $0 * $0 * 31) % 251) / 250 })
        }
        let (result, truth, other) = (picture(1), picture(2), picture(3))
        let map = Artefact.map(of: result, truth: truth, other: other)
        #expect((map.width, map.height, map.channels) == (width, height, 1))
        func error(_ picture: Raster, _ x: Int, _ y: Int) -> Double {
            let (x, y) = (x < 0 ? -x : x >= width ? 2 * width - 2 - x : x, y < 0 ? -y : y >= height ? 2 * height - 2 - y : y)
            return (0..<3).reduce(0) { $0 + Double(abs(picture[x, y, $1] - truth[x, y, $1])) }
        }
        func variance(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        }
        let places = (0..<height).flatMap { y in (0..<width).map { (x: $0, y: y) } }
        let whole = pow(variance(places.map { error(result, $0.x, $0.y) }), 0.2)
        var zeros = 0
        for (x, y) in places {
            let window = (-3...3).flatMap { dy in (-3...3).map { error(result, x + $0, y + dy) } }
            let expected = error(result, x, y) < error(other, x, y) ? 0 : whole * variance(window)
            zeros += expected == 0 ? 1 : 0
            #expect(abs(Double(map[x, y, 0]) - expected) < 1e-5)
        }
        #expect((20...120).contains(zeros))
        #expect(Artefact.map(of: truth, truth: truth, other: other).samples.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [2, 3, 4]) func shufflePatternIsItsAmplitude(scale: Int) {
        let (clean, _) = enlarged(scale: scale)
        #expect(Artefact.shufflePattern([clean], scale: scale) < 0.1)
        for amplitude in [1.0, 4] {
            var spoiled = clean
            for y in 0..<clean.height {
                for x in 0..<clean.width {
                    let value = Float(amplitude / 255 * cos(2 * .pi * Double(x) / Double(scale)))
                    for channel in 0..<3 { spoiled[x, y, channel] += value }
                }
            }
            let found = Artefact.shufflePattern([spoiled], scale: scale)
            #expect(abs(found - amplitude) < 0.05 * amplitude + 0.05, "×\(scale), \(amplitude): \(found)")
        }
        // A period that is none of the scale's is the picture's own.
        var other = clean
        for y in 0..<clean.height {
            for x in 0..<clean.width { other[x, y, 1] += Float(4.0 / 255 * cos(2 * .pi * Double(x) / (Double(scale) * 1.37))) }
        }
        #expect(Artefact.shufflePattern([other], scale: scale) < 0.2)
        // Edges of JPEG's blocks, every 8 pixels of the input, are its own too; a pattern is found beside them.
        var blocks = clean
        for y in 0..<clean.height {
            for x in stride(from: 0, to: clean.width, by: 8 * scale) { blocks[x, y, 1] -= 40.0 / 255 }
        }
        #expect(Artefact.shufflePattern([blocks], scale: scale) < 0.2)
        if scale > 2 {
            for y in 0..<clean.height {
                for x in 0..<clean.width { blocks[x, y, 1] += Float(3.0 / 255 * sin(2 * .pi * Double(x) / Double(scale))) }
            }
            #expect(abs(Artefact.shufflePattern([blocks], scale: scale) - 3) < 0.3)
        }
        #expect(Artefact.shufflePattern([clean], scale: 1) == 0 && Artefact.shufflePattern([], scale: 4) == 0)
    }

    @Test func overshootIsAFractionOfTheStep() {
        var step = Raster(width: 40, height: 40, channels: 3, filledWith: 0.25)
        for y in 0..<40 {
            for x in 20..<40 {
                for channel in 0..<3 { step[x, y, channel] = 0.75 }
            }
        }
        #expect(Artefact.overshoot(step, low: 0.25, high: 0.75, border: 4) == 0)
        step[21, 9, 2] = 0.85
        step[18, 9, 0] = 0.23
        #expect(abs(Artefact.overshoot(step, low: 0.25, high: 0.75, border: 4) - 0.2) < 1e-6)
        step[1, 1, 0] = 0  // The border does not count.
        #expect(abs(Artefact.overshoot(step, low: 0.25, high: 0.75, border: 4) - 0.2) < 1e-6)
    }

    @Test func beyondRangeSeesHalos() {
        let input = Raster(width: 8, height: 8, channels: 1, filledWith: 0.5)
        var result = Raster(width: 16, height: 16, channels: 1, filledWith: 0.5)
        #expect(Artefact.beyondRange(result, input: input, scale: 2) == 0)
        result[3, 3, 0] = 0.5 + 51.2 / 255
        #expect(abs(Artefact.beyondRange(result, input: input, scale: 2) - 0.2) < 1e-4)
        // Near a bright pixel, two pixels away, the same value is inside the range.
        var bright = input
        bright[3, 3, 0] = 1
        #expect(Artefact.beyondRange(result, input: bright, scale: 2) == 0)
    }

    /// Coarse lines where there should be none are moiré; the same fine lines are not.
    @Test func moireIsWhatIsCoarse() throws {
        let screen = HardCase.lineScreens(scale: 2)[0]
        let grey = Raster(width: screen.width, height: screen.height, channels: 3, filledWith: 0.5)
        #expect(Artefact.moire(screen, truth: screen, scale: 2) == 0 && Artefact.moire(grey, truth: grey, scale: 2) == 0)
        var beating = grey
        for y in 0..<grey.height {
            for x in 0..<grey.width {
                for channel in 0..<3 { beating[x, y, channel] += Float(20.0 / 255 * sin(2 * .pi * Double(x) / 48)) }
            }
        }
        let strength = Artefact.moire(beating, truth: grey, scale: 2)
        // A sine of amplitude 20 has the root mean square 14.1; averaging over a quarter of its period takes a tenth.
        #expect((11..<15).contains(strength), "\(strength)")
    }

    @Test func drawnPicturesAreWhatTheySay() throws {
        for scale in [2, 3, 4] {
            let text = HardCase.text(scale: scale)
            #expect(text.count == 4 && text.allSatisfy { $0.width % scale == 0 })
            for picture in text {
                let ink = Double(picture.samples.filter { $0 < 0.3 }.count) / Double(picture.samples.count)
                #expect((0.05..<0.95).contains(ink))
            }
            for (edge, low, high) in HardCase.edges(scale: scale) {
                #expect(edge.samples.min() == low && edge.samples.max() == high)
                let pair = try Benchmark(scale: scale).pair(from: edge)
                let nearest = Resampling.nearest.resize(edge, width: edge.width, height: edge.height)
                #expect(Artefact.overshoot(nearest, low: low, high: high, border: 4) < 1e-5 && pair.low.width * scale == edge.width)
            }
            let means = HardCase.lineScreens(scale: scale).map { $0.samples.reduce(0, +) / Float($0.samples.count) }
            #expect(means.allSatisfy { abs($0 - 0.5) < 0.02 }, "\(means)")
        }
    }
}
