// ReleaseGateTests: every fault that the gate exists for is refused, and a good model passes.

import Evaluation
import SuperResolution
import Testing

@Suite struct ReleaseGateTests {
    private func scores(psnr: Double, consistency: Double = 45, drift: Double = 0.1) -> Scores {
        let image = ImageScore(
            name: "a", width: 100, height: 100, psnrY: psnr, ssimY: 0.9, consistency: consistency, drift: drift, seconds: 1)
        return Scores(scale: 4, images: [image])
    }

    private func good() -> ReleaseGate.Measurements {
        ReleaseGate.Measurements(
            sets: [.init(name: "Set5", scores: scores(psnr: 31), lanczos: scores(psnr: 28.8))], flatDeviation: 1, checkerboard: 0.01)
    }

    private func card(psnr: Double, dataset: String = "Set5") -> ModelCard {
        ModelCard(
            name: "fast", version: "1", architecture: "Compact", scale: 4, purpose: "", parameters: 1, trainingData: "", recipe: "",
            recipeHash: "", steps: 1, trainingMinutes: 1, hardware: "", date: "", licence: "", sha256: "",
            metrics: [.init(dataset: dataset, name: "psnr_y", value: psnr, images: 5)])
    }

    @Test func goodModelPasses() {
        #expect(ReleaseGate().shortcomings(of: good(), shipped: nil).isEmpty)
        #expect(ReleaseGate().shortcomings(of: good(), shipped: card(psnr: 31)).isEmpty)
    }

    @Test func everyFaultIsNamed() {
        func lines(_ change: (inout ReleaseGate.Measurements) -> Void, shipped: ModelCard? = nil) -> [String] {
            var measured = good()
            change(&measured)
            return ReleaseGate().shortcomings(of: measured, shipped: shipped)
        }
        #expect(lines { $0.sets = [] }.count == 1)
        #expect(lines { $0.sets = [.init(name: "Set5", scores: scores(psnr: 28.8), lanczos: scores(psnr: 28.8))] }.count == 1)
        #expect(lines { $0.sets = [.init(name: "Set5", scores: scores(psnr: .nan), lanczos: scores(psnr: 28.8))] }.count == 1)
        #expect(lines { $0.sets = [.init(name: "Set5", scores: scores(psnr: 31, consistency: 39.9), lanczos: scores(psnr: 28))] }.count == 1)
        #expect(lines { $0.sets = [.init(name: "Set5", scores: scores(psnr: 31, drift: 1.1), lanczos: scores(psnr: 28))] }.count == 1)
        #expect(lines { $0.flatDeviation = 2 }.count == 1)
        #expect(lines { $0.checkerboard = 0.3 }.count == 1)
        #expect(lines({ _ in }, shipped: card(psnr: 31.01)).count == 1)
        #expect(lines({ _ in }, shipped: card(psnr: 31, dataset: "Set14")).count == 1)
    }

    @Test func flatProbeSeesOneWrongSample() async throws {
        let clean = try await Probe.flatDeviation(side: 8) { $0 }
        let spoiled = try await Probe.flatDeviation(side: 8) { raster in
            var raster = raster
            raster.samples[0] = raster.samples[0] > 0.5 ? raster.samples[0] - 3 / 255 : raster.samples[0] + 3 / 255
            return raster
        }
        #expect(clean == 0 && spoiled == 3)
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

    @Test func measuresAndReportsForTheCard() async throws {
        let picture = Raster(width: 64, height: 48, channels: 3, samples: (0..<64 * 48 * 3).map { Float(($0 * 37) % 256) / 255 })
        let measured = try await ReleaseGate().measure(
            scale: 2, sets: [.init(name: "Own", pictures: ["a", "b"])], load: { _ in picture },
            enlarge: { Resampling.lanczos3.resize($0, width: $0.width * 2, height: $0.height * 2) })
        #expect(measured.metrics.map(\.name) == ["psnr_y", "ssim_y", "lr_psnr", "mean_drift", "largest_deviation", "checkerboard"])
        #expect(measured.metrics[0].dataset == "Own" && measured.metrics[0].images == 2)
        // Lanczos-3 does not beat itself.
        #expect(ReleaseGate().shortcomings(of: measured, shipped: nil).contains { $0.contains("does not beat Lanczos-3") })
    }
}
