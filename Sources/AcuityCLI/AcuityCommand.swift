// AcuityCommand: the root of the command line, its exit codes and its one-line errors.

import ArgumentParser
import Foundation
import NativeEngine
import SuperResolution

/// The version of the command and the library.
let acuityVersion = "0.1.0"

@main struct AcuityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acuity",
        abstract: "Make small pictures large and sharp, on your own processor.",
        discussion: """
            EXAMPLES
              acuity upscale kitten.jpg            writes kitten@4x.png beside it
              acuity upscale *.jpg -o big -s 2     twice as large, into the folder big
              acuity inspect kitten.jpg            what it is, and what to expect
              acuity models                        what is installed, and how good it is
              acuity evaluate -n fast -s 4 Set5    measure it yourself

            EXIT STATUS
              0 all done, 1 something failed (each failure is named), 2 wrong usage.
            """,
        version: acuityVersion,
        subcommands: [
            UpscaleCommand.self,
            InspectCommand.self,
            ModelsCommand.self,
            TextReportCommand.self,
            EvaluateCommand.self,
            EvaluateTextCommand.self,
            NiqeCommand.self,
            BenchCommand.self,
            DatasetCommand.self,
            DegradeCommand.self,
            TrainCommand.self,
            DistillCommand.self,
            InterpolateCommand.self,
            ReleaseCommand.self,
            TurnsCommand.self,
            ProbeCommand.self,
        ])

    static func main() async {
        NativeEngine.keepFreedMemory()
        do {
            var command = try parseAsRoot()
            if command is TrainCommand { restartWithQuietThreads() }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            exit(reporting: error)
        }
    }

    /// Begins the program anew with libgomp's threads asleep while they have nothing to do. It reads how they are to wait when it is loaded, and libvips
    /// loads it before any code of ours runs; while they spin, which is its way otherwise, training on all cores takes a third to two thirds longer.
    private static func restartWithQuietThreads() {
        #if os(Linux)
            guard getenv("OMP_WAIT_POLICY") == nil else { return }
            setenv("OMP_WAIT_POLICY", "passive", 1)
            execv("/proc/self/exe", CommandLine.unsafeArgv)
            // Without /proc it trains all the same, only more slowly.
        #endif
    }

    /// Prints help on standard output, any error as one line on standard error, and ends with 0, 1 or 2.
    private static func exit(reporting error: any Error) -> Never {
        switch error {
        case let error as AcuityError:
            report(error.message)
            Foundation.exit(error.code == .usage ? 2 : 1)
        case let code as ExitCode:
            Foundation.exit(code.rawValue)
        case is CancellationError:
            report("interrupted")
            Foundation.exit(1)
        default:
            let code = exitCode(for: error)
            if code.isSuccess { Self.exit(withError: error) }  // --help and --version
            let message = message(for: error)
            guard code == .validationFailure else {
                report(message.isEmpty ? String(describing: error) : message)
                Foundation.exit(1)
            }
            // ArgumentParser knows which subcommand it was: "See 'acuity upscale --help' for more information."
            let hint = fullMessage(for: error).split(whereSeparator: \.isNewline).last { $0.contains("--help") }
            report([message, hint.map { String($0.drop { $0 == " " }) }].compactMap { $0 }.joined(separator: ". "))
            Foundation.exit(2)
        }
    }
}

/// Writes `acuity: message` on standard error, on one line.
func report(_ message: String) {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    FileHandle.standardError.write(Data("acuity: \(line)\n".utf8))
}
