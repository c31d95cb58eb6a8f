// ProgressLine: one line on standard error with the finished share and the time left, and what an interrupt does.

import Foundation
import Imaging
import Synchronization

/// A line that is drawn over itself, only when standard error is a terminal.
final class ProgressLine: Sendable {
    private struct State {
        var lastShown: ContinuousClock.Instant?
        var isVisible = false
    }

    private let label: String
    private let start = ContinuousClock.now
    private let isTerminal = isatty(FileHandle.standardError.fileDescriptor) != 0
    private let state = Mutex(State())

    init(label: String) { self.label = label }

    /// Draws the line, at most ten times a second.
    /// - Parameters:
    ///   - label: instead of the line's own.
    ///   - left: seconds; estimated from the time passed if not given.
    func show(_ fraction: Double, label: String? = nil, left: Double? = nil) {
        guard isTerminal else { return }
        let now = ContinuousClock.now
        state.withLock { state in
            if let last = state.lastShown, now - last < .milliseconds(100) { return }
            state.lastShown = now
            state.isVisible = true
            let elapsed = (now - start) / .seconds(1)
            let guess = fraction > 0.02 && elapsed > 0.5 ? elapsed / fraction * (1 - fraction) : nil
            var text = "\(label ?? self.label)  \(Int(fraction * 100)) %"
            if let left = left ?? guess { text += "  \(ProgressLine.duration(left)) left" }
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
        }
    }

    /// Takes the line away.
    func finish() {
        state.withLock { state in
            if state.isVisible { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
            state.isVisible = false
        }
    }

    static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds, 1e8).rounded(.up))
        if whole < 60 { return "\(whole) s" }
        return whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole / 60 % 60) min"
    }
}

enum Interruption {
    private static let sources = Mutex<[any DispatchSourceSignal]>([])
    /// What the first Ctrl-C does instead of ending the process.
    private static let first = Mutex<(@Sendable () -> Void)?>(nil)

    /// From now on a first Ctrl-C runs `body`, and only a second one ends the process.
    static func finishFirst(_ body: @escaping @Sendable () -> Void) { first.withLock { $0 = body } }

    /// From now on Ctrl-C and `kill` remove half-written files before the process ends, with the shell's exit codes.
    static func deleteUnfinishedFiles() {
        sources.withLock { sources in
            guard sources.isEmpty else { return }
            for number in [SIGINT, SIGTERM, SIGHUP] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler {
                    let body = number == SIGINT ? first.withLock { first in
                        defer { first = nil }
                        return first
                    } : nil
                    if let body { return body() }
                    UnfinishedFiles.deleteAll()
                    FileHandle.standardError.write(Data("\nacuity: interrupted\n".utf8))
                    _exit(128 + number)
                }
                source.resume()
                sources.append(source)
            }
        }
    }
}
