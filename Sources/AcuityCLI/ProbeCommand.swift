// ProbeCommand: `acuity probe`, reads one untrusted file after the other as the other commands would, so that a script can
// watch it do so with damaged ones. Hidden: it serves Benchmarks/fuzz.py.

import Acuity
import ArgumentParser
import Foundation
import Imaging
import NativeEngine
import SuperResolution
import Training

struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Read every file named on standard input and say what came of it.",
        discussion: """
            A line is KIND, a tab and a path: picture, weights, card, recipe, manifest, list or shard. A picture's line may go on with a tab and where \
            to write it again. The answer is one line: "read" and what, or "refused" and why. To the line "memory" the answer is the bytes that are
            allocated, 0 where nobody knows.
            """,
        shouldDisplay: false)

    @Option(help: "Pixels that a picture may have at most.")
    var pixels = 1 << 22

    func run() async throws {
        say("ready")
        while let line = readLine() {
            if line == "memory" {
                say("\(NativeEngine.allocatedBytes ?? 0)")
                continue
            }
            let words = line.split(separator: "\t").map(String.init)
            guard words.count > 1 else { throw AcuityError(.usage, "a line is KIND, a tab and a path") }
            do {
                say("read " + (try await probe(words[0], words[1], again: words.count > 2 ? words[2] : nil)))
            } catch let error as AcuityError {
                // More than a line is a fault in itself.
                say("refused " + error.message.replacingOccurrences(of: "\n", with: "\\n"))
            }
        }
    }

    private func probe(_ kind: String, _ path: String, again: String?) async throws -> String {
        switch kind {
        case "picture":
            let header = try PictureHeader(contentsOf: path)
            guard header.width * header.height <= pixels else { throw AcuityError(.image, "\(path): larger than is looked at here") }
            let inspection = try Inspection(contentsOf: path)
            let sequence = try PictureSequence(contentsOf: path, limits: ImageLimits(pixels: pixels))
            if let again {
                do {
                    try sequence.write(to: again, options: Picture.WritingOptions(overwrite: true))
                } catch let error as AcuityError {
                    return "\(inspection.width)×\(inspection.height), not written: \(error.message.replacingOccurrences(of: "\n", with: "\\n"))"
                }
            }
            return "\(inspection.width)×\(inspection.height), \(sequence.pictures.count)"
        case "weights":
            let model = try Model.load(path: path)
            return "\(model.network.architecture) ×\(model.network.scale)"
        case "card":
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            return "\(try ModelCatalogue(folder: folder).entries().count) models"
        case "recipe": return try Recipe(contentsOf: path).name
        case "manifest": return "\(try Manifest(path).outputs.count) outputs"
        case "list": return "\(try PictureList(contentsOf: path).entries.count) pictures"
        case "shard": return "\(try CropShards([path]).count) crops"
        default: throw AcuityError(.usage, "nothing is known of a \(kind)")
        }
    }

    /// The reader waits for every line.
    private func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
