// EvaluateCommandTests: `acuity evaluate` on published figures, its JSON and its errors.

import Foundation
import Testing

@Suite struct EvaluateCommandTests {
    struct Report: Decodable {
        let model: String
        let scale: Int
        let images: Int
        let psnr_y: Double
        let ssim_y: Double
        let seconds: Double
        let megapixels_per_second: Double
    }

    struct Further: Decodable {
        let artefact_map: Double
        let niqe_own: Double?
        let niqe_own_truth: Double?
    }

    /// Figures that an independent numpy implementation of the protocol measured.
    @Test(
        .enabled(if: EvaluationData.has("Set5"), "needs Set5 in ACUITY_DATA"),
        arguments: [
            ("bicubic", 2, 33.682, 0.9305), ("bicubic", 3, 30.405, 0.8690), ("bicubic", 4, 28.431, 0.8113),
            ("lanczos3", 2, 34.323, 0.9366), ("lanczos3", 3, 30.830, 0.8757), ("lanczos3", 4, 28.812, 0.8183),
        ])
    func set5(model: String, scale: Int, psnr: Double, ssim: Double) throws {
        let run = try Command.run(["evaluate", "-n", model, "-s", "\(scale)", EvaluationData.set("Set5"), "--json"])
        #expect(run.status == 0, "\(run.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        #expect(report.model == model && report.scale == scale && report.images == 5)
        #expect(abs(report.psnr_y - psnr) < 0.005)
        #expect(abs(report.ssim_y - ssim) < 0.0005)
        #expect(report.seconds > 0 && report.megapixels_per_second > 0)
    }

    /// Noise of 20 levels alone is 22.1 dB in RGB, and 0.57 of it is left in Y (its weights' root of squares, studio swing); JPEG costs more the
    /// lower its quality.
    @Test func damagedPictures() throws {
        let folder = try Folder()
        try folder.write(PNG.data(160, 120, .rgb) { x, y, c in 128 + (x / 20 + y / 20 + c) % 2 * 40 - 20 }, "a.png")
        func psnr(_ arguments: [String]) throws -> Double {
            let run = try Command.run(["evaluate", "-n", "nearest", "-s", "1", ".", "--json"] + arguments, in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).psnr_y
        }
        let noisy = try psnr(["--noise", "20"])
        let root = (65.481 * 65.481 + 128.553 * 128.553 + 24.966 * 24.966).squareRoot() / 255
        #expect(abs(noisy - 20 * log10(255 / (20 * root))) < 0.15)
        let (fine, coarse) = (try psnr(["--jpeg", "90"]), try psnr(["--jpeg", "20"]))
        #expect(fine > coarse + 3 && coarse > 20)
        #expect(try psnr(["--noise", "20", "--jpeg", "90"]) < noisy + 0.5)
        #expect(try psnr(["--photons", "1000"]) > psnr(["--photons", "30"]) + 10)
    }

    /// Training's bicubic reduction is the protocol's, whose figure numpy measured; a camera's picture is the same every time, and worse.
    @Test(.enabled(if: EvaluationData.has("Set5") && hasTorch, "needs Set5 in ACUITY_DATA and libtorch: ./run test installs it"))
    func degradations() throws {
        func run(_ degradation: String) throws -> Outcome {
            try Command.run(["evaluate", "-n", "bicubic", "-s", "4", EvaluationData.set("Set5"), "--json", "--degradation", degradation])
        }
        func psnr(_ degradation: String) throws -> Double { try JSONDecoder().decode(Report.self, from: Data(run(degradation).output.utf8)).psnr_y }
        #expect(try abs(psnr("bicubic") - 28.431) < 0.01)
        let camera = try psnr("camera")
        #expect(try camera < 27 && psnr("camera") == camera)
        let unknown = try run("weather")
        #expect(unknown.status != 0 && unknown.errors.contains("weather"))
    }

    /// Nothing is worse than the truth itself; what nearest neighbour spoils is on the map.
    @Test func furtherMeasures() throws {
        let folder = try Folder()
        try folder.write(PNG.data(240, 200, .rgb) { x, y, c in (x * 7 + y * 13 + (x * y) % 97 + (x / 8 + y / 8) % 2 * 90 + c * 20) % 251 }, "a.png")
        func report(_ arguments: [String]) throws -> Further {
            let run = try Command.run(["evaluate", "-n", "nearest", ".", "--json"] + arguments, in: folder.url)
            #expect(run.status == 0, "\(run.errors)")
            return try JSONDecoder().decode(Further.self, from: Data(run.output.utf8))
        }
        let same = try report(["-s", "1", "--niqe", "--artefacts", "same"])
        #expect(same.artefact_map < 1e-12)
        let (own, truth) = (try #require(same.niqe_own), try #require(same.niqe_own_truth))
        #expect(own == truth && own > 0)
        let spoiled = try report(["-s", "2", "--niqe", "--artefacts", "spoiled"])
        #expect(spoiled.artefact_map > 0 && spoiled.niqe_own != spoiled.niqe_own_truth)
        let maps = try ["same/a.png", "spoiled/a.png"].map { try Data(contentsOf: folder.url.appendingPathComponent($0)) }
        #expect(maps[0] != maps[1])
        #expect(try report(["-s", "2"]).niqe_own == nil)
        let missing = try Command.run(["evaluate", "-n", "nearest", "-s", "2", ".", "--features", "none.safetensors"], in: folder.url)
        #expect(missing.status != 0 && missing.errors.split(separator: "\n").count == 1, "\(missing.errors)")
    }

    /// One of Set14's pictures is grey and counts as it is.
    @Test(.enabled(if: EvaluationData.has("Set14"), "needs Set14 in ACUITY_DATA"))
    func set14HasAGreyPicture() throws {
        let run = try Command.run(["evaluate", "-n", "bicubic", "-s", "4", EvaluationData.set("Set14"), "--json"])
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        #expect(abs(report.psnr_y - 25.997) < 0.005 && abs(report.ssim_y - 0.7031) < 0.0005)
    }

    @Test func errorsAreOneLine() throws {
        let folder = try Folder()
        for (arguments, status) in [
            (["-n", "bicubic", "-s", "4", "nowhere"], Int32(1)), (["-n", "bicubic", "-s", "4", "."], 1),
            (["-n", "bicubic", "-s", "4", ".", "--jpeg", "0"], 2), (["-n", "bicubic", "-s", "4", ".", "--noise", "-1"], 2),
            (["-n", "bicubic", "-s", "4", ".", "--strength", "0.5"], 2), (["-n", "bicubic", "-s", "4", ".", "--self-ensemble", "4"], 2), (["-n", "fast", "-s", "4", ".", "--denoise", "0.5"], 2), (["-n", "restore", "-s", "4", ".", "--denoise", "2"], 2), (["-n", "fast", "-s", "4", ".", "--self-ensemble", "3"], 2), (["-n", "no-such-model", "-s", "4", "."], 2), (["-n", "bicubic", "-s", "0", "."], 2),
        ] {
            if arguments[1] != "bicubic" { try folder.write(UpscaleCommandTests.photo, "a.png") }
            let run = try Command.run(["evaluate"] + arguments, in: folder.url)
            #expect(run.status == status, "\(arguments): \(run.errors)")
            #expect(run.errorLines.count == 1 && run.output.isEmpty)
        }
    }

    @Test func perImageAddsALineEach() throws {
        let folder = try Folder()
        for name in ["b.png", "a.png"] { try folder.write(PNG.data(40, 40, .rgb) { x, y, c in (x * 5 + y * 3 + c * 30) % 256 }, name) }
        let run = try Command.run(["evaluate", "-n", "bicubic", "-s", "2", ".", "--per-image"], in: folder.url)
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 3 && lines[0].contains("a.png") && lines[1].contains("b.png") && lines[2].contains("2 pictures"))
    }
}
