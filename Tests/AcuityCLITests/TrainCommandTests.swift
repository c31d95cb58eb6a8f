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
                // The command waits for a writer, and reads an empty recipe once that has come and gone.
                let name = "/proc/\(process.processIdentifier)/environ"
                for _ in 0..<2000 where !environment.contains("OMP_WAIT_POLICY=") && process.isRunning {
                    environment = (try? String(contentsOfFile: name, encoding: .utf8)) ?? ""
                    usleep(5000)
                }
                var pipe: Int32 = -1
                for _ in 0..<2000 where pipe < 0 && process.isRunning {
                    pipe = open(recipe, O_WRONLY | O_NONBLOCK)
                    if pipe < 0 { usleep(5000) }
                }
                close(pipe)
                if pipe < 0 { process.terminate() }
            }
            #expect(environment.split(separator: "\0").contains { $0.hasPrefix("OMP_WAIT_POLICY=") })
            #expect(run.status == 1 && run.errorLines.count == 1 && run.errors.contains("recipe.json"), "\(run.errors)")
        }
    #endif
}
