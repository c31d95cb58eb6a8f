// ReleaseReadings: the part of the release gate that reads letters, with Tesseract.

import Acuity
import Evaluation
import Foundation
import SuperResolution
import Training

extension ReleaseProfile {
    /// How lines of unseen words in unseen fonts are read after enlarging; `acuity evaluate-text` measures the same lines with more besides.
    /// - Throws: ``AcuityError`` where no fonts or languages are there to draw and read them with.
    func readings(scale: Int, enlarge: @escaping Enlarging, tesseract: Tesseract, progress: (String) -> Void) async throws -> [Finding] {
        guard let misreading else { return [] }
        let fonts = InstalledFonts.all()
        guard fonts.contains(where: { $0.split == .heldOut }) else {
            throw AcuityError(.file, "no font that training never sees is installed; docs/data.md lists packages")
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let benchmark = TextBenchmark(scale: scale, tesseract: tesseract, jobs: ProcessInfo.processInfo.activeProcessorCount, folder: folder)
        let lines = try benchmark.lines(300, fonts: fonts, seed: 8)
        progress("\(lines.count) lines read by Tesseract \(tesseract.version)")
        let lanczos: Enlarging = { Resampling.lanczos3.resize($0, width: $0.width * scale, height: $0.height * scale) }
        func score(_ name: String, _ enlarge: Enlarging?) async throws -> ReadingScore {
            try await benchmark.score(lines, name: name, enlarge: enlarge).values.reduce(ReadingScore(), +)
        }
        let (truth, plain, own) = (try await score("truth", nil), try await score("lanczos", lanczos), try await score("own", enlarge))
        return [
            Finding(
                "lines", "letters_wrong", "letters read wrong", 100 * own.errorRate, unit: "%", digits: 2, images: lines.count, lanczos: 100 * plain.errorRate,
                .atMost(100 * misreading * plain.errorRate, why: "\(misreading) of Lanczos-3's figure")),
            Finding(
                "lines", "sure_letters_wrong", "letters wrong that the reader is sure of", Double(own.sureErrors), digits: 0, images: lines.count,
                lanczos: Double(plain.sureErrors)),
            Finding("lines", "letters_wrong_in_truth", "letters read wrong in the ground truth", 100 * truth.errorRate, unit: "%", digits: 2, images: lines.count),
        ]
    }
}
