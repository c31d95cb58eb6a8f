// BenchCommand: `acuity bench`, the engine's speed as a share of the processor's.

import ArgumentParser
import Foundation
import NativeEngine
import SuperResolution

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure the engine on this machine.",
        discussion: """
            Runs well-known networks with random weights on a 256×256 picture, beside the processor's arithmetic peak \
            measured in the same run. GFLOP/s count a direct convolution: a multiplication and an addition are two. \
            Winograd's algorithm needs a fifth of the multiplications, so its share of the peak exceeds 100 %.

            EXAMPLES
              acuity bench                     a table, all processors
              acuity bench -j 1 --json         one thread, for a script
              acuity bench --network '{"name": "SPAN", "features": 32}' --scale 4
              ACUITY_ISA=avx2 acuity bench     scalar, neon, avx2, avx512, avx512bf16, amx
            """)

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Option(help: "An architecture as recipes write it, instead of the well-known networks; may be repeated.")
    var network: [String] = []

    @Option(help: "The scale of --network.")
    var scale = 4

    @Option(name: [.customShort("j"), .long], help: "Threads; one per processor if not given.")
    var threads: Int?

    @Option(help: "Only networks whose name contains this, e.g. RRDB.")
    var only = ""

    func run() async throws {
        let networks = try network.map { text in
            let description = try JSONDecoder().decode(ArchitectureDescription.self, from: Data(text.utf8))
            let values = description.hyperparameters.sorted { $0.key < $1.key }.map { _, value in
                switch value {
                case .number(let number): String(number)
                case .text(let word): word
                }
            }
            return (name: ([description.name] + values).joined(separator: " ") + " ×\(scale)", network: try description.network(scale: scale))
        }
        let benchmark = try EngineBenchmark(threads: threads, only: only, networks: networks)
        let report = try await benchmark.run { line in
            FileHandle.standardError.write(Data("measuring \(line)\n".utf8))
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
            return
        }
        print("\(report.cpu), \(report.threads) threads")
        for (name, rate) in [("fp32", report.peak.fp32), ("bf16", report.peak.bf16)] {
            if let rate { print("peak \(name): \(Int(rate.rounded())) GFLOP/s") }
        }
        print(row("network", "input", "precision", "algorithm", "GFLOP/s", "of peak", "ms"))
        for c in report.cases {
            print(row(
                c.network, c.input, c.precision, c.algorithm, String(format: "%.0f", c.gflops),
                c.shareOfPeak.map { String(format: "%.0f %%", 100 * $0) } ?? "", String(format: "%.1f", c.milliseconds)))
        }
    }

    private func row(_ network: String, _ input: String, _ precision: String, _ algorithm: String, _ numbers: String...) -> String {
        func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        let right = numbers.map { String(repeating: " ", count: max(0, 9 - $0.count)) + $0 }.joined()
        return pad(network, 24) + pad(input, 10) + pad(precision, 10) + pad(algorithm, 10) + right
    }
}
