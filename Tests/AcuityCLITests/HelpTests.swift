// HelpTests: the help of every subcommand, the version, and the exit codes of wrong usage.

import Foundation
import Testing

@Suite struct HelpTests {
    @Test(arguments: ["upscale", "inspect", "models", "evaluate", "bench", "dataset", "distill", "train", "release"])
    func everySubcommandTeaches(_ name: String) throws {
        let run = try Command.run([name, "--help"])
        #expect(run.status == 0)
        #expect(run.output.contains("USAGE: acuity \(name)"))
        #expect(run.output.contains("acuity \(name) "), "an example")
        #expect(run.output.contains("EXAMPLE"))
        #expect(run.errors.isEmpty)
    }

    @Test func rootListsSubcommandsAndVersion() throws {
        let help = try Command.run(["--help"])
        #expect(help.status == 0)
        for name in ["upscale", "inspect", "models", "evaluate", "bench", "dataset", "distill", "train", "release"] { #expect(help.output.contains("\n  \(name) ")) }
        let version = try Command.run(["--version"])
        #expect(version.status == 0)
        #expect(version.output.split(separator: ".").count == 3)
    }

    @Test(arguments: [["frobnicate"], ["evaluate"], ["evaluate", "--nope"], ["evaluate", "-n", "bicubic", "-s", "x", "."], ["release"]])
    func wrongUsageEndsWithTwo(_ arguments: [String]) throws {
        let run = try Command.run(arguments)
        #expect(run.status == 2)
        #expect(run.errorLines.count == 1 && run.errors.hasPrefix("acuity: "), "\(run.errors)")
        #expect(run.output.isEmpty)
    }
}
