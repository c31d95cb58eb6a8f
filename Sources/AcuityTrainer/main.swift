// acuity-trainer: `acuity train` without the rest, for machines that have libtorch but no Swift and no libvips.

import SuperResolution
import TorchEngine
import Training

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

let usage = """
    usage: acuity-trainer RECIPE --output DIR [--minutes M | --steps N] [--device cpu|cuda] [--threads N] [--resume] [--json]

    Trains the recipe and leaves checkpoint.safetensors and, at the end, final.safetensors in DIR.
    --minutes   overrides the recipe's
    --steps     ends the run, and drives its schedule, by this many steps: the same weights every time on one thread
    --resume    continue from DIR's checkpoint if there is one
    --measure   say which share of the device's bf16 matrix rate the steps reach; without a recipe only measure that rate
    --matrix-rate R  the rate, 10^12 operations per second, where it is known already
    --json      one object per validation on standard output

           acuity-trainer features SHARD... --output FILE [--minutes M | --steps N] [--device cpu|cuda] [--threads N]

    Trains a small feature extractor on crops, for the perceptual loss of recipes.

           acuity-trainer bench RECIPE [--steps N] [--threads N] [--device cpu|cuda]

    Times N steps of the recipe on a made-up batch and prints them as JSON; Benchmarks/training.py sets them against PyTorch.
    Exit: 0 finished, 1 failed, 2 wrong usage, 3 stopped by a signal after saving.

    """

/// Prints one line on standard error and ends.
func fail(_ message: String, code: Int32) -> Never {
    TrainingReport(json: false)(.message(message))
    exit(code)
}

/// The command line, taken apart option by option.
struct Arguments {
    var rest: [String]

    mutating func value(of option: String) -> String? {
        guard let index = rest.firstIndex(of: option) else { return nil }
        guard index + 1 < rest.count else { fail("acuity-trainer: \(option) needs a value", code: 2) }
        defer { rest.removeSubrange(index...(index + 1)) }
        return rest[index + 1]
    }

    mutating func number<Number: LosslessStringConvertible>(of option: String, _ type: Number.Type) -> Number? {
        value(of: option).map { text in
            guard let number = Number(text) else { fail("acuity-trainer: \(option) \(text) is not a number", code: 2) }
            return number
        }
    }

    mutating func flag(_ option: String) -> Bool {
        guard let index = rest.firstIndex(of: option) else { return false }
        rest.remove(at: index)
        return true
    }
}

var arguments = Arguments(rest: Array(CommandLine.arguments.dropFirst()))
if arguments.rest.isEmpty || arguments.flag("--help") || arguments.flag("-h") {
    print(usage, terminator: "")
    exit(CommandLine.arguments.count == 1 ? 2 : 0)
}
if arguments.rest.first == "bench" { benchmark(&arguments) }
if arguments.rest.first == "features" { features(&arguments) }
let output = arguments.value(of: "--output")
let minutes = arguments.number(of: "--minutes", Double.self)
let steps = arguments.number(of: "--steps", Int.self)
let device = arguments.value(of: "--device") ?? "cpu"
let threads = arguments.number(of: "--threads", Int.self)
let resume = arguments.flag("--resume")
let measuresRate = arguments.flag("--measure")
let knownRate = arguments.number(of: "--matrix-rate", Double.self)
let report = TrainingReport(json: arguments.flag("--json"))
if measuresRate, arguments.rest.isEmpty {
    do {
        print(try TorchRuntime.shared().matrixRate(device: device))
        exit(0)
    } catch {
        fail("acuity-trainer: \(error)", code: 1)
    }
}
guard let output, arguments.rest.count == 1, let recipePath = arguments.rest.first, !recipePath.hasPrefix("-") else { fail(usage, code: 2) }

do {
    TrainingInterruption.install()
    let recipe = try Recipe(contentsOf: recipePath)
    let rate = try measuresRate ? TorchRuntime.shared().matrixRate(device: device) : knownRate
    var throughput = try rate.map { try Throughput(recipe, matrixRate: $0) }
    let finished = try train(
        recipe, directory: output, minutes: minutes, steps: steps, device: device, threads: threads, resume: resume,
        shouldStop: { TrainingInterruption.isRequested },
        log: { event in
            report(event)
            throughput?.note(event)
        })
    if let line = throughput?.summary { report(.message(line)) }
    exit(finished ? 0 : 3)
} catch {
    fail("acuity-trainer: \(error)", code: 1)
}
