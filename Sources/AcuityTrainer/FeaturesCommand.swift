// FeaturesCommand: `acuity-trainer features`: trains the small feature extractor of the perceptual loss.

import SuperResolution
import Training

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Trains an extractor on shards of crops and ends.
func features(_ arguments: inout Arguments) -> Never {
    arguments.rest.removeFirst()
    let report = TrainingReport(json: false)
    let output = arguments.value(of: "--output")
    let (minutes, steps) = (arguments.number(of: "--minutes", Double.self) ?? 5, arguments.number(of: "--steps", Int.self))
    let (device, threads) = (arguments.value(of: "--device") ?? "cpu", arguments.number(of: "--threads", Int.self))
    guard let output, !arguments.rest.isEmpty, !arguments.rest.contains(where: { $0.hasPrefix("-") }) else { fail(usage, code: 2) }
    guard minutes > 0, minutes.isFinite, steps ?? 1 > 0 else { fail("acuity-trainer: --minutes and --steps are above 0", code: 2) }
    do {
        let result = try trainFeatures(
            shards: arguments.rest, output: output, minutes: minutes, steps: steps, device: device, threads: threads, log: { report(.message($0)) })
        report(.message("wrote \(output): \(result.steps) steps, cross-entropy \(result.crossEntropy), right \(100 * result.accuracy) %, chance 8.3 %"))
        exit(0)
    } catch {
        fail("acuity-trainer: \(error)", code: 1)
    }
}
