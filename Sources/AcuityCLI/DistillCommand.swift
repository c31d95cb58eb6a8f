// DistillCommand: `acuity distill`, a shard of crops as a network makes them from their reductions.

import Acuity
import ArgumentParser
import Evaluation
import Foundation
import SuperResolution
import Training

struct DistillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distill",
        abstract: "Make targets for training a network from what a better one makes of the same pictures.",
        discussion: """
            Shrinks every crop of a shard by MATLAB's bicubic, enlarges it again by a model, and writes a shard of the results, crop by \
            crop in the same order. A recipe names it under distillation, beside the shard itself under data.

            EXAMPLE
              acuity distill shards/photos.safetensors -n photo -s 4 --self-ensemble 8 -o shards/photos-taught.safetensors
            """)

    @Argument(help: ArgumentHelp("A shard of crops.", valueName: "shard")) var shard: String

    @Option(name: [.customShort("n"), .customLong("model")], help: ArgumentHelp("The teacher: an installed model or a weights file.", valueName: "model"))
    var model: String

    @Option(name: .shortAndLong, parsing: .unconditional, help: ArgumentHelp("A whole number, 2 to 8.", valueName: "scale")) var scale: Int

    @Option(parsing: .unconditional, help: ArgumentHelp("As with acuity upscale.", valueName: "count")) var selfEnsemble = 1

    @Option(name: .shortAndLong, help: ArgumentHelp("The shard to write.", valueName: "file")) var output: String

    @Flag(help: "Replace an existing file.") var overwrite = false

    @Option(name: [.customShort("j"), .customLong("threads")], parsing: .unconditional, help: ArgumentHelp(
        "Threads that the network runs on. Default: all cores.", valueName: "threads"))
    var threads: Int?

    func run() async throws {
        // A file that may not grow further is an error of that write, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        if let threads, !(1...1024).contains(threads) { throw AcuityError(.usage, "threads \(threads): must lie between 1 and 1024") }
        guard (2...8).contains(scale) else { throw AcuityError(.usage, "scale \(scale): must be 2…8") }
        let crops = try CropShards([shard])
        guard crops.size % scale == 0 else { throw AcuityError(.training, "\(shard): crops of \(crops.size) pixels are no multiple of \(scale)") }
        let upscaler = try Upscaler(.named(model, threads: threads, selfEnsemble: selfEnsemble), target: .factor(Double(scale)))
        let benchmark = try Benchmark(scale: scale)
        let writer = try ShardWriter(path: output, cropSize: crops.size, headerBytes: 1 << 16, overwrite: overwrite)
        Interruption.deleteUnfinishedFiles()
        for index in 0..<crops.count {
            let crop = PixelBuffer(width: crops.size, height: crops.size, channels: 3, depth: .eight, bytes: crops.crop(index))
            let low = try benchmark.pair(from: crop.raster).low
            let made = try await upscaler.upscale(PixelBuffer(low, depth: .eight))
            try writer.append(crop: (0, 0), of: made.bytes, width: crops.size)
        }
        // What the teacher was trained on is in what it makes.
        let taught = Resampling(rawValue: model) == nil ? try ModelCatalogue().metadata(named: model) : []
        var metadata = try CropShards.provenance(of: [crops], learntFrom: taught.map { (URL(fileURLWithPath: model).lastPathComponent, $0) })
        metadata["distilled"] = "\(model) ×\(scale), \(selfEnsemble) positions"
        try writer.finish(metadata: metadata)
        print("\(output): \(crops.count) crops of \(crops.size) pixels")
    }
}
