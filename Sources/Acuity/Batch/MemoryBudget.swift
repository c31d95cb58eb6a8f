// MemoryBudget: how many pictures a batch may hold at once: byte counts, and who waits for whom.

import SuperResolution
import Synchronization

/// A number of bytes as people write it: `2GB`, `512 MB`, `1.5GiB`, `800000000`.
package struct ByteCount: Sendable, Hashable, CustomStringConvertible {
    package let bytes: Int

    package init(_ bytes: Int) { self.bytes = bytes }

    /// - Throws: ``AcuityError`` with code `.usage`.
    package init(parsing text: String) throws {
        let word = text.filter { $0 != " " }
        let digits = word.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let units = ["": 1.0, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
            "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824, "tib": 1_099_511_627_776]
        guard let number = Double(digits), let unit = units[word.dropFirst(digits.count).lowercased()],
            case let bytes = number * unit, bytes >= 1, bytes < 1e15
        else { throw AcuityError(.usage, "\(text): must be a size such as 500MB or 2GB") }
        self.bytes = Int(bytes)
    }

    package var description: String {
        let (value, unit) = bytes < 1_000_000 ? (1e3, "kB") : bytes < 1_000_000_000 ? (1e6, "MB") : (1e9, "GB")
        let tenths = Int((Double(bytes) / value * 10).rounded())
        return (tenths % 10 == 0 || tenths >= 1000 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)") + " " + unit
    }
}

/// Bytes, or turns, that tasks take and give back; whoever asked first is served first.
final class Allowance: Sendable {
    private struct State {
        var free: Int
        var waiting: [(amount: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    let total: Int
    private let state: Mutex<State>

    init(_ total: Int) {
        self.total = total
        state = Mutex(State(free: total))
    }

    /// Runs `body` while holding `amount`; more than there is counts as everything there is.
    func holding<Result: Sendable>(_ amount: Int, _ body: () async throws -> Result) async rethrows -> Result {
        let amount = min(amount, total)
        await withCheckedContinuation { continuation in
            let isServed = state.withLock { state in
                guard state.waiting.isEmpty, state.free >= amount else {
                    state.waiting.append((amount, continuation))
                    return false
                }
                state.free -= amount
                return true
            }
            if isServed { continuation.resume() }
        }
        defer { giveBack(amount) }
        return try await body()
    }

    private func giveBack(_ amount: Int) {
        let served = state.withLock { state in
            state.free += amount
            var served: [CheckedContinuation<Void, Never>] = []
            while let next = state.waiting.first, next.amount <= state.free {
                state.free -= next.amount
                served.append(next.continuation)
                state.waiting.removeFirst()
            }
            return served
        }
        served.forEach { $0.resume() }
    }
}
