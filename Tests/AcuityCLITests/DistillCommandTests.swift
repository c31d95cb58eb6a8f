// DistillCommandTests: `acuity distill` as a process: crop by crop what the teacher makes, and mistakes.

import Foundation
import SuperResolution
import Testing
import Training

@Suite struct DistillCommandTests {
    let folder: Folder
    private let side = 48
    /// Two crops of other waves.
    private let crops: [[UInt8]]

    init() throws {
        folder = try Folder()
        let side = side
        crops = (0..<2).map { crop in
            (0..<side * side * 3).map { index in
                let (x, y, channel) = (index / 3 % side, index / 3 / side, index % 3)
                return UInt8((x * (7 + crop) + y * (5 + channel)) % 97 + 60)
            }
        }
        let writer = try ShardWriter(path: path("crops.safetensors"), cropSize: side)
        for crop in crops { try writer.append(crop: (0, 0), of: crop, width: side) }
        try writer.finish(metadata: [ShardMetadata.sources: "00000000000000ff"])
    }

    private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }
    private func run(_ arguments: String...) throws -> Outcome { try Command.run(["distill"] + arguments, in: folder.url) }

    @Test func everyCropIsWhatTheTeacherMakes() throws {
        let outcome = try run("crops.safetensors", "-n", "bicubic", "-s", "2", "-o", "taught.safetensors")
        #expect(outcome.status == 0 && outcome.output == "taught.safetensors: 2 crops of 48 pixels\n", "\(outcome.errors)")
        let taught = try CropShards([path("taught.safetensors")])
        #expect(taught.count == 2 && taught.size == side && taught.sources.map(\.hex) == ["00000000000000ff"])
        for (index, crop) in crops.enumerated() {
            let truth = PixelBuffer(width: side, height: side, channels: 3, depth: .eight, bytes: crop)
            let low = PixelBuffer(Resampling.bicubic.resize(truth.raster, width: side / 2, height: side / 2), depth: .eight)
            let expected = PixelBuffer(Resampling.bicubic.resize(low.raster, width: side, height: side), depth: .eight)
            let worst = zip(taught.crop(index), expected.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 255
            #expect(worst <= 1, "crop \(index)")
        }
    }

    /// A network in several positions makes something else than in one, about as good.
    @Test func aNetworkTeachesInSeveralPositions() throws {
        for count in ["1", "2"] {
            let outcome = try run("crops.safetensors", "-n", "fast", "-s", "2", "-o", "\(count).safetensors", "--self-ensemble", count)
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        let (once, twice) = (try CropShards([path("1.safetensors")]).crop(0), try CropShards([path("2.safetensors")]).crop(0))
        #expect(once != twice)
        // The pictures that the teacher was trained on stand in the result, too.
        let sources = try CropShards([path("1.safetensors")]).sources
        #expect(sources.count > 100 && sources.contains { $0.hex == "00000000000000ff" })
        #expect(zip(once, twice).map { abs(Int($0) - Int($1)) }.reduce(0, +) < 3 * once.count)
    }

    @Test(arguments: [
        (["none.safetensors", "-n", "fast", "-s", "2"], 1, "none.safetensors"), (["crops.safetensors", "-n", "nobody", "-s", "2"], 2, "nobody"),
        (["crops.safetensors", "-n", "fast", "-s", "9"], 2, "scale 9"), (["crops.safetensors", "-n", "fast", "-s", "5"], 1, "no multiple of 5"),
        (["crops.safetensors", "-n", "fast", "-s", "2", "--self-ensemble", "3"], 2, "self-ensemble 3"),
        (["crops.safetensors", "-n", "bicubic", "-s", "2", "--self-ensemble", "2"], 2, "bicubic"),
    ])
    func mistakesAreOneLine(_ arguments: [String], _ status: Int, _ part: String) throws {
        let outcome = try Command.run(["distill"] + arguments + ["-o", "out.safetensors"], in: folder.url)
        #expect(Int(outcome.status) == status && outcome.errorLines.count == 1 && outcome.errors.contains(part), "\(outcome.errors)")
        #expect(folder.listing == ["crops.safetensors"])
    }

    @Test func anExistingShardStays() throws {
        let before = try folder.read("crops.safetensors")
        let outcome = try run("crops.safetensors", "-n", "bicubic", "-s", "2", "-o", "crops.safetensors")
        #expect(outcome.status == 1 && outcome.errors.contains("exists already"))
        #expect(try folder.read("crops.safetensors") == before)
    }
}
