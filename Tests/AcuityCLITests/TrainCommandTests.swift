// TrainCommandTests: `acuity train` as a process.

import Foundation
import Testing

@Suite struct TrainCommandTests {
    #if os(Linux)
        /// It trains with libgomp's threads asleep while they have nothing to do, which has to be said before the program starts; and with the same
        /// arguments as before.
        @Test func threadsWaitQuietly() throws {
            let folder = try Folder()
            let recipe = folder.url.appendingPathComponent("recipe.json").path
            try #require(mkfifo(recipe, 0o600) == 0)
            var environment = ""
            let run = try Command.run(["train", "recipe.json", "-o", "out"], in: folder.url) { process, _ in
                // Opens once the command reads its recipe, and lets it wait.
                let pipe = open(recipe, O_WRONLY)
                environment = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/environ", encoding: .utf8)) ?? ""
                _ = "not a recipe".withCString { write(pipe, $0, strlen($0)) }
                close(pipe)
            }
            #expect(environment.split(separator: "\0").contains { $0.hasPrefix("OMP_WAIT_POLICY=") })
            #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("recipe.json"), "\(run.errors)")
        }
    #endif
}
