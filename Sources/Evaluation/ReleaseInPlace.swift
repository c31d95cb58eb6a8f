// ReleaseInPlace: what a network that cleans pictures and does not enlarge them is measured on: the input is the yardstick, not Lanczos-3.

import SuperResolution

extension ReleaseGate {
    /// Figures at scale 1. Where others have Lanczos-3's, findings have the input's own, which is what Lanczos-3 makes of it.
    func inPlace(
        sets: [PictureSet], real: [PictureSet], load: (String) throws -> Raster, enlarge: @escaping Enlarging, exact: Enlarging?, progress: (String) -> Void
    ) async throws -> [Finding] {
        progress("synthetic pictures")
        var findings = try await drawnInPlace(enlarge: enlarge, exact: exact)
        let benchmark = try Benchmark(scale: 1)
        for set in sets {
            progress("\(set.name): \(set.pictures.count) pictures")
            findings += kept(set.name, try await benchmark.measure(set.pictures, load: load, enlarge: enlarge))
        }
        for set in real {
            progress("\(set.name): \(set.pictures.count) real pictures")
            findings += try await unreferenced(set, scale: 1, load: load, enlarge: enlarge) { $0 }
        }
        return findings
    }

    /// Flat colours, steps and letters, which have nothing to be cleaned.
    private func drawnInPlace(enlarge: @escaping Enlarging, exact: Enlarging?) async throws -> [Finding] {
        let edges = HardCase.edges(scale: 1)
        var overshoot = 0.0
        for edge in edges {
            let result = try await enlarge(edge.picture.roundedTo8Bit())
            overshoot += Artefact.overshoot(result, low: edge.low, high: edge.high, border: 4) / Double(edges.count)
        }
        let letters = HardCase.text(scale: 1)
        var psnr = 0.0
        for picture in letters {
            let clean = picture.roundedTo8Bit()
            psnr += try Metrics.psnrY(try await enlarge(clean).roundedTo8Bit(), against: clean, crop: 1) / Double(letters.count)
        }
        return try await flatColours([enlarge, exact].compactMap(\.self)) + [
            Finding(
                "edges", "overshoot", "overshoot", overshoot, images: edges.count,
                .atMost(profile.overshoot, why: "ringing beyond both sides of a step, as a fraction of it")),
            Finding(
                "letters", "text_psnr_y", "PSNR-Y", psnr, unit: "dB", images: letters.count,
                .atLeast(profile.untouched, why: "what is clean stays as it is")),
        ]
    }

    /// How much of clean pictures stays as it is.
    private func kept(_ dataset: String, _ scores: Scores) -> [Finding] {
        [
            Finding(
                "\(dataset), clean", "psnr_y", "PSNR-Y", scores.psnrY, unit: "dB", images: scores.images.count,
                .atLeast(profile.untouched, why: "what is clean stays as it is")),
            Finding("\(dataset), clean", "ssim_y", "SSIM-Y", scores.ssimY, digits: 4, images: scores.images.count),
            Finding(
                "\(dataset), clean", "mean_drift", "largest drift of a picture's mean colour", scores.drift, unit: "levels", images: scores.images.count,
                .atMost(profile.drift, why: "mean colour drifts")),
        ]
    }
}
