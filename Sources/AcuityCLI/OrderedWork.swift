// OrderedWork: work on several threads whose results are taken in order, with only a few waiting.

import Foundation

/// Works on 0 ..< `count` on `threads` threads and hands the results over on the calling thread, in order.
///
/// At most four results per thread are made ahead, so memory stays bounded however long the list is.
/// - Throws: what `consume` throws; work under way is waited for, the rest is not begun.
func inOrder<Result: Sendable>(
    _ count: Int, threads: Int, work: @escaping @Sendable (Int) -> Result, consume: (Int, Result) throws -> Void
) throws {
    let queue = OrderedResults<Result>(count: count, ahead: 4 * max(1, threads))
    let workers = (0..<max(1, min(threads, count))).map { _ in
        let thread = Thread {
            while let index = queue.next() { queue.deliver(index, work(index)) }
            queue.leave()
        }
        thread.stackSize = 8 << 20
        return thread
    }
    queue.enter(workers.count)
    workers.forEach { $0.start() }
    defer { queue.stop() }
    for index in 0..<count { try consume(index, queue.take(index)) }
}

/// All state is guarded by the condition.
private final class OrderedResults<Result: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let count: Int
    private let ahead: Int
    private var begun = 0
    private var taken = 0
    private var workers = 0
    private var isStopped = false
    private var results: [Int: Result] = [:]

    init(count: Int, ahead: Int) {
        self.count = count
        self.ahead = ahead
    }

    func enter(_ number: Int) { condition.withLock { workers = number } }

    func leave() {
        condition.withLock {
            workers -= 1
            condition.broadcast()
        }
    }

    /// The next piece of work, once it may begin; nil when there is none.
    func next() -> Int? {
        condition.withLock {
            while !isStopped, begun < count, begun >= taken + ahead { condition.wait() }
            guard !isStopped, begun < count else { return nil }
            begun += 1
            return begun - 1
        }
    }

    func deliver(_ index: Int, _ result: Result) {
        condition.withLock {
            results[index] = result
            condition.broadcast()
        }
    }

    func take(_ index: Int) -> Result {
        condition.withLock {
            while true {
                if let result = results.removeValue(forKey: index) {
                    taken = index + 1
                    condition.broadcast()
                    return result
                }
                condition.wait()
            }
        }
    }

    /// Begins nothing more and waits for what is under way.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.broadcast()
            while workers > 0 { condition.wait() }
        }
    }
}
