// TurnsCommand: `acuity turns`, one network kept ready and timed on request, so that a script can measure it in turns
// with other programs. Hidden: it serves Benchmarks/peers.py and Benchmarks/check.py.

import Acuity
import ArgumentParser
import Foundation
import SuperResolution

struct TurnsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "turns",
        abstract: "Run a network once for every line on standard input and print its milliseconds.",
        discussion: "Prints \"ready\" when the weights are packed and the network has run once.",
        shouldDisplay: false)

    @Option(name: [.customShort("n"), .customLong("model")], help: "An installed model or a weights file.")
    var model: String

    @Option(name: [.customShort("s"), .customLong("scale")], help: "Which of the model's scales; its largest if not given.")
    var scale: Int?

    @Option(help: "fp32 or bf16; the engine's choice if not given.")
    var precision: String?

    @Option(help: "Width and height of the input in pixels.")
    var side = 256

    @Option(help: "Height of the input in pixels, where it is another.")
    var height: Int?

    @Option(help: "The input as raw 32-bit floats: rows of interleaved samples, 0…1. Mid-grey if not given.")
    var input: String?

    @Option(help: "Where to write the result of the first run, in the same form.")
    var output: String?

    @Option(name: [.customShort("j"), .customLong("threads")], help: "Threads; one per processor if not given.")
    var threads: Int?

    func run() async throws {
        for length in [side, height ?? side] where !(1...8192).contains(length) {
            throw AcuityError(.usage, "side \(length): must be 1 to 8192 pixels")
        }
        guard case .network(let engine, let models) = try Upscaler.Method.named(model, threads: threads) else {
            throw AcuityError(.usage, "model \(model): not a network")
        }
        guard let chosen = scale ?? models.keys.max(), let model = models[chosen] else {
            throw AcuityError(.usage, "model \(model): has no scale \(scale ?? 0)")
        }
        let prepared = try engine.prepare(model, precision: try chosenPrecision())
        let raster = try raster(channels: model.network.colour == .rgb ? 3 : 1)
        let result = try await prepared.run(raster)
        if let output { try result.samples.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: output)) } }

        say("ready")
        while readLine() != nil {
            let time = try await ContinuousClock().measure { _ = try await prepared.run(raster) }
            say(String(time / .milliseconds(1)))
        }
    }

    private func chosenPrecision() throws -> Precision? {
        guard let precision else { return nil }
        guard let known = Precision(rawValue: precision) else { throw AcuityError(.usage, "precision \(precision): fp32 or bf16") }
        return known
    }

    private func raster(channels: Int) throws -> Raster {
        let height = height ?? side
        guard let input else { return Raster(width: side, height: height, channels: channels, filledWith: 0.5) }
        let count = side * height * channels
        guard let data = FileManager.default.contents(atPath: input), data.count == 4 * count else {
            throw AcuityError(.file, "\(input): not \(count) floats")
        }
        var samples = [Float](repeating: 0, count: count)
        _ = samples.withUnsafeMutableBytes { data.copyBytes(to: $0) }
        return Raster(width: side, height: height, channels: channels, samples: samples)
    }

    /// The reader waits for every line.
    private func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
