// BenchmarkCommand: `acuity-trainer bench`: how long a training step takes, to be set against the same step in PyTorch.

import SuperResolution
import Training

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Times the steps of a recipe, prints one JSON object and ends.
func benchmark(_ arguments: inout Arguments) -> Never {
    arguments.rest.removeFirst()
    let steps = arguments.number(of: "--steps", Int.self) ?? 20
    let threads = arguments.number(of: "--threads", Int.self)
    let device = arguments.value(of: "--device") ?? "cpu"
    guard arguments.rest.count == 1, let path = arguments.rest.first, !path.hasPrefix("-") else { fail(usage, code: 2) }
    do {
        let result = try timeSteps(Recipe(contentsOf: path), steps: steps, device: device, threads: threads)
        print(
            "{\"name\":\"\(result.name)\",\"parameters\":\(result.parameters),\"milliseconds\":\(result.milliseconds),"
                + "\"batch_milliseconds\":\(result.batchMilliseconds.map { "\($0)" } ?? "null"),\"libtorch\":\"\(result.libtorch)\"}")
        exit(0)
    } catch {
        fail("acuity-trainer: \(error)", code: 1)
    }
}
