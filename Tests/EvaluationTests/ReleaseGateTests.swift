// ReleaseGateTests: every fault that the gate exists for is refused, and a good model passes.

import Evaluation
import Foundation
import SuperResolution
import Testing

@Suite struct ReleaseGateTests {
    private let gate = ReleaseGate(ReleaseProfile(.faithful))

    private func card(psnr: Double, dataset: String = "Set5", profile: String? = nil) -> ModelCard {
        ModelCard(
            name: "fast", version: "1", architecture: "Compact", scale: 4, purpose: "", parameters: 1, trainingData: "", recipe: "",
            recipeHash: "", steps: 1, trainingMinutes: 1, hardware: "", date: "", licence: "", sha256: "",
            metrics: [.init(dataset: dataset, name: "psnr_y", value: psnr, images: 5)], profile: profile)
    }

    @Test func limitsNameWhatFallsShort() {
        func lines(_ value: Double, _ limit: Finding.Limit) -> [String] {
            Finding("Set5", "psnr_y", "PSNR-Y", value, unit: "dB", images: 5, limit).shortcomings
        }
        #expect(lines(31, .above(28.8, why: "")).isEmpty)
        #expect(lines(28.8, .above(28.8, why: "does not beat Lanczos-3")) == ["Set5: PSNR-Y 28.8 dB, more than 28.8 dB: does not beat Lanczos-3"])
        #expect(lines(40, .atLeast(40, why: "")).isEmpty && lines(39.9, .atLeast(40, why: "")).count == 1)
        #expect(lines(1, .atMost(1, why: "")).isEmpty && lines(1.1, .atMost(1, why: "")).count == 1)
        // Figures are judged as the card shows them.
        #expect(lines(1.0004, .atMost(1, why: "")).isEmpty)
        for limit in [Finding.Limit.above(0, why: ""), .atLeast(0, why: ""), .atMost(9, why: "")] { #expect(lines(.nan, limit).count == 1) }
    }

    @Test func allThatFallsShortIsListed() {
        let findings = [
            Finding("Set5", "psnr_y", "PSNR-Y", 28, images: 5, .above(28.8, why: "")),
            Finding("flat colours", "largest_deviation", "largest deviation", 5, images: 9, .atMost(1, why: "")),
            Finding("speed", "ms_per_megapixel", "time", 5, images: 1),
        ]
        let lines = gate.shortcomings(of: findings, shipped: card(psnr: 30), trainedOn: ["Set5/bird.png", "Set5/baby.png"])
        #expect(lines.count == 4, "\(lines)")
        #expect(lines[0].hasSuffix("Set5/baby.png, Set5/bird.png") && lines[3].contains("worse than the shipped fast ×4's 30.0"))
        #expect(gate.shortcomings(of: [], shipped: nil) == ["nothing was measured"])
        #expect(findings.table.contains("NO") && findings.table.split(separator: "\n").count == 4)
    }

    @Test func isComparedWithWhatIsShipped() {
        let good = [Finding("Set5", "psnr_y", "PSNR-Y", 31, images: 5, .above(28.8, why: ""))]
        #expect(gate.shortcomings(of: good, shipped: nil).isEmpty)
        #expect(gate.shortcomings(of: good, shipped: card(psnr: 31)).isEmpty)
        #expect(gate.shortcomings(of: good, shipped: card(psnr: 31.01)).count == 1)
        #expect(gate.shortcomings(of: good, shipped: card(psnr: 31, dataset: "Set14")).count == 1)
        // Another profile's figures do not compare.
        #expect(gate.shortcomings(of: good, shipped: card(psnr: 40, profile: "gan")).isEmpty)
    }

    @Test func oldCardsAreStillRead() throws {
        let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Models").standardizedFileURL
        let cards = try FileManager.default.contentsOfDirectory(atPath: models.path).filter { $0.hasSuffix(".json") }
        #expect(!cards.isEmpty)
        for card in cards { _ = try JSONDecoder().decode(ModelCard.self, from: Data(contentsOf: models.appendingPathComponent(card))) }
    }

    @Test func flatProbeSeesOneWrongSample() async throws {
        let clean = try await Probe.flatness(side: 8) { $0 }
        let spoiled = try await Probe.flatness(side: 8) { raster in
            var raster = raster
            raster.samples[0] = raster.samples[0] > 0.5 ? raster.samples[0] - 3 / 255 : raster.samples[0] + 3 / 255
            return raster
        }
        #expect(clean == (0, 0) && spoiled == (3, 3))
        let tinted = try await Probe.flatness(side: 8) { Raster(width: 8, height: 8, channels: 3, samples: $0.samples.map { max($0 - 2 / 255, 0) }) }
        #expect(tinted == (2, 0))
    }

    /// Nearest neighbour leaves, inside a pixel of slopes (a, b), the variance (a² + b²)(s² − 1) / 12 s².
    @Test(arguments: [2, 3, 4]) func checkerboardProbeMeasuresNearest(scale: Int) async throws {
        let slopes = [(0.35, 0.25), (0.15, 0.45), (0.3, 0.3)].map { (255 * $0.0 / 64, 255 * $0.1 / 64) }
        let s = Double(scale)
        let expected = slopes.map { ($0.0 * $0.0 + $0.1 * $0.1) * (s * s - 1) / (12 * s * s) }.max()!.squareRoot()
        let nearest = try await Probe.checkerboard(scale: scale) {
            Resampling.nearest.resize($0, width: $0.width * scale, height: $0.height * scale)
        }
        let bilinear = try await Probe.checkerboard(scale: scale) {
            Resampling.bilinear.resize($0, width: $0.width * scale, height: $0.height * scale)
        }
        #expect(abs(nearest - expected) < 1e-3)
        #expect(bilinear < 1e-3)
    }

    /// A photograph-like picture; the scene of every check on whole models.
    private static let picture = Raster(
        width: 192, height: 192, channels: 3,
        samples: (0..<(192 * 192 * 3)).map { index in
            let (x, y, c) = (index / 3 % 192, index / 3 / 192, index % 3)
            let wave: Double = 0.25 * sin(Double(x * (c + 2)) / 11) * cos(Double(y) / 7)
            let bars: Double = (x / 13 + y / 17) % 2 == 0 ? 0.12 : -0.12
            return Float(0.5 + wave + bars)
        })

    private func findings(exact: Enlarging? = nil, _ enlarge: @escaping Enlarging) async throws -> [Finding] {
        let set = [ReleaseGate.PictureSet(name: "Own", pictures: ["a"])]
        return try await gate.measure(scale: 2, sets: set, real: set, load: { _ in Self.picture }, enlarge: enlarge, exact: exact)
    }

    /// What fp32 shows on flat colours counts, though the faster arithmetic hides it.
    @Test func theWorseArithmeticCounts() async throws {
        let lanczos: Enlarging = { Resampling.lanczos3.resize($0, width: $0.width * 2, height: $0.height * 2) }
        let exact: Enlarging = { input in
            var result = try await lanczos(input)
            for index in stride(from: 0, to: result.samples.count, by: 3) { result.samples[index] += 4 / 255 }
            return result
        }
        let lines = gate.shortcomings(of: try await findings(exact: exact, lanczos), shipped: nil)
        #expect(lines.contains { $0.contains("flat colours: largest deviation 4") }, "\(lines)")
        #expect(!lines.contains { $0.contains("mean colour drifts") }, "\(lines)")
    }

    /// At scale 1 a network is held to its input: nearer to the truth where that is damaged, left alone where it is clean.
    @Test func cleansInPlace() async throws {
        let set = [ReleaseGate.PictureSet(name: "Own", pictures: ["a"])]
        let damages = [ReleaseGate.Damage(name: "noise 25") { $0.noisy(sigma: 25) }]
        let picture = Self.picture
        let truth = PixelBuffer(picture, depth: .eight).raster
        let gate = ReleaseGate(ReleaseProfile(.restore, scale: 1))
        func findings(_ clean: @escaping Enlarging) async throws -> [Finding] {
            try await gate.measure(scale: 1, sets: set, real: set, damages: damages, load: { _ in picture }, enlarge: clean)
        }
        // Whoever knows the truth moves damaged pictures half of the way to it.
        let better: Enlarging = { input in
            guard input.width == truth.width, input.height == truth.height else { return input }
            var result = input
            for index in result.samples.indices { result.samples[index] = (input.samples[index] + truth.samples[index]) / 2 }
            return result
        }
        let good = try await findings(better)
        #expect(gate.shortcomings(of: good, shipped: nil).isEmpty, "\(good.table)")
        let gain = try #require(good.first { $0.dataset == "Own, noise 25" })
        #expect(abs(gain.value - 6.02 - (gain.lanczos ?? 0)) < 0.3)
        #expect(good.contains { $0.dataset == "Own, clean" && $0.name == "psnr_y" })

        let idle = gate.shortcomings(of: try await findings { $0 }, shipped: nil)
        #expect(idle.count == 1 && idle[0].hasPrefix("Own, noise 25: PSNR-Y"), "\(idle)")
        let harmful = gate.shortcomings(of: try await findings { small in
            let half = Resampling.bicubic.resize(small, width: max(1, small.width / 2), height: max(1, small.height / 2))
            return Resampling.bicubic.resize(half, width: small.width, height: small.height)
        }, shipped: nil)
        #expect(harmful.contains { $0.hasPrefix("Own, clean: PSNR-Y") }, "\(harmful)")
        await #expect(throws: AcuityError.self) {
            _ = try await ReleaseGate(ReleaseProfile(.faithful, scale: 1)).measure(scale: 1, sets: set, real: set, load: { _ in picture }, enlarge: better)
        }
    }

    @Test func measuresAndReportsForTheCard() async throws {
        let lanczos: Enlarging = { Resampling.lanczos3.resize($0, width: $0.width * 2, height: $0.height * 2) }
        let findings = try await findings(lanczos)
        #expect(
            findings.map(\.name) == [
                "largest_deviation", "spread", "checkerboard", "overshoot", "moire", "moire", "text_psnr_y", "psnr_y", "ssim_y", "artefact_map", "lr_psnr", "mean_drift",
                "lr_psnr", "mean_drift", "niqe_own", "shuffle_pattern", "beyond_range", "soft_gradient", "ms_per_megapixel", "refused_results",
            ])
        #expect(findings.first { $0.name == "psnr_y" }?.metric.dataset == "Own")
        // Lanczos-3 does not beat itself, and the drawn photograph's hard bars make it miss the agreement by a little.
        let lines = gate.shortcomings(of: findings, shipped: nil)
        #expect(lines.count == 4 && lines.filter { $0.contains("Lanczos-3") }.count == 3 && lines[3].contains("agreement"), "\(lines)")
    }

    /// A colour cast and a checkerboard, put over a result that has neither.
    @Test func castAndCheckerboardAreNamed() async throws {
        let cast = try await findings { input in
            var result = Resampling.lanczos3.resize(input, width: input.width * 2, height: input.height * 2)
            for index in stride(from: 0, to: result.samples.count, by: 3) { result.samples[index] += 4 / 255 }
            return result
        }
        let castLines = gate.shortcomings(of: cast, shipped: nil)
        for reason in ["flat colours: largest deviation 4", "mean colour drifts"] { #expect(castLines.contains { $0.contains(reason) }, "\(castLines)") }
        #expect(!castLines.contains { $0.contains("checkerboard") })

        let board = try await findings { input in
            var result = Resampling.lanczos3.resize(input, width: input.width * 2, height: input.height * 2)
            for y in 0..<result.height {
                for x in 0..<result.width {
                    for c in 0..<3 { result[x, y, c] += (x + y) % 2 == 0 ? 3 / 255 : -3 / 255 }
                }
            }
            return result
        }
        let boardLines = gate.shortcomings(of: board, shipped: nil)
        #expect(boardLines.contains { $0.hasPrefix("gradient: pixel-shuffle pattern 3.") }, "\(boardLines)")
        #expect(boardLines.contains { $0.hasPrefix("Own: pixel-shuffle frequency") }, "\(boardLines)")
        #expect(!boardLines.contains { $0.contains("drifts") })
    }
}
