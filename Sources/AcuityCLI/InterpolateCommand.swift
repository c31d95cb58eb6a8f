// InterpolateCommand: `acuity interpolate`, a network between two networks.

import ArgumentParser
import Foundation
import SuperResolution
import Training

struct InterpolateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interpolate",
        abstract: "Make the network between two networks of the same kind.",
        discussion: """
            Weights are mixed, not pictures. It works where one network was trained further from the other, or both from a third; \
            otherwise the result is noise, which measuring it tells.

            EXAMPLES
              acuity interpolate sharp.safetensors true.safetensors --share 0.3 -o between.safetensors
              acuity evaluate -n between.safetensors -s 4 Set5
            """)

    @Argument(help: ArgumentHelp("Where it begins: weights, or a run's checkpoint.", valueName: "weights")) var from: String
    @Argument(help: ArgumentHelp("Where it leads.", valueName: "weights")) var to: String
    @Option(help: ArgumentHelp("How far, 0 to 1.", valueName: "share")) var share: Double
    @Option(name: .shortAndLong, help: ArgumentHelp("The new weights file; must not be there yet.", valueName: "file")) var output: String

    func run() async throws {
        guard !FileManager.default.fileExists(atPath: output) else { throw AcuityError(.file, "\(output): exists already") }
        let (first, second) = (try Checkpoint.load(path: from), try Checkpoint.load(path: to))
        var metadata = first.metadata
        // Both were trained on what either was.
        let sources = Set([first, second].flatMap { ($0.metadata[ShardMetadata.sources] ?? "").split(separator: ",").map(String.init) })
        if !sources.isEmpty { metadata[ShardMetadata.sources] = sources.sorted().joined(separator: ",") }
        if let unknown = second.metadata[ShardMetadata.unknown] { metadata[ShardMetadata.unknown] = metadata[ShardMetadata.unknown] ?? unknown }
        metadata["interpolated"] = "\(share) towards \(URL(fileURLWithPath: to).lastPathComponent)"
        var writer = SafetensorsWriter(metadata: metadata)
        for (key, tensor) in try first.weights.interpolated(with: second.weights, share: share) { try writer.add(key, tensor) }
        try writer.write(to: output)
    }
}
