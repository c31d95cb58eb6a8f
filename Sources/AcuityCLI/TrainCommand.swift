// TrainCommand: `acuity train`, a recipe through libtorch.

import ArgumentParser
import Foundation
import SuperResolution
import Training

struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a network by a recipe.",
        discussion: """
            The output folder gets checkpoint.safetensors while it trains and final.safetensors at the end. Ctrl-C saves \
            and stops; --resume continues where it stopped, also with another --minutes.

            EXAMPLES
              acuity dataset photos -o shards/photos.safetensors
              acuity dataset Set5 -o shards/set5.safetensors --whole
              acuity train Recipes/fast-x2.json -o runs/fast-x2 --minutes 30

            EXIT STATUS
              0 finished, 1 failed, 2 wrong usage, 3 interrupted with its state saved.
            """)

    @Argument(help: "A recipe, see Recipes/.")
    var recipe: String

    @Option(name: [.short, .long], help: "The folder for checkpoints and the result (default: runs/NAME).")
    var output: String?

    @Option(help: "Length of the run in minutes instead of the recipe's.")
    var minutes: Double?

    @Option(help: "End the run, and drive its schedule, by this many steps instead of the clock: the same weights every time on one thread.")
    var steps: Int?

    @Option(help: "cpu, cuda or cuda:1.")
    var device = "cpu"

    @Option(name: [.customShort("j"), .long], help: "CPU threads (default: all cores).")
    var threads: Int?

    @Flag(help: "Continue from the folder's checkpoint if there is one.")
    var resume = false

    @Flag(help: "One JSON object per validation on standard output.")
    var json = false

    func validate() throws {
        if let minutes, !(minutes > 0 && minutes.isFinite) { throw ValidationError("--minutes is above 0") }
        if let steps, steps < 1 { throw ValidationError("--steps is at least 1") }
        if let threads, threads < 1 { throw ValidationError("--threads is at least 1") }
    }

    func run() async throws {
        let recipe = try Recipe(contentsOf: recipe)
        let directory = output ?? "runs/\(recipe.name)"
        let (minutes, steps, device, threads, resume) = (minutes, steps, device, threads, resume)
        let report = TrainingReport(json: json)
        TrainingInterruption.install()
        // Training blocks for hours: not on Swift's cooperative pool.
        let finished: Bool = try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                continuation.resume(
                    with: Result {
                        try train(
                            recipe, directory: directory, minutes: minutes, steps: steps, device: device, threads: threads, resume: resume,
                            shouldStop: { TrainingInterruption.isRequested }, log: { report($0) })
                    })
            }
            thread.stackSize = 16 << 20
            thread.start()
        }
        if !finished { throw ExitCode(3) }
    }
}
