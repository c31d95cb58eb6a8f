// ThreadPool: the engine's own threads, and the bridge from them to Swift's tasks.

import CKernels
import SuperResolution
import Synchronization

/// Work that all threads of a pool do together.
protocol PoolJob: AnyObject, Sendable {
    /// Called once on every thread, 0 ..< `pool.threads`.
    func run(on pool: ThreadPool, thread: Int)
}

/// Persistent threads that run one job after another.
final class ThreadPool: @unchecked Sendable {
    private let pool: OpaquePointer
    let threads: Int

    init(threads: Int) throws {
        guard let pool = acuity_pool_create(Int32(threads)) else { throw AcuityError(.usage, "cannot start threads") }
        self.pool = pool
        self.threads = Int(acuity_pool_threads(pool))
    }

    deinit { acuity_pool_release(pool) }

    /// Runs a job after those already waiting and returns when it is done.
    func run(_ job: any PoolJob) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let context = Unmanaged.passRetained(Submission(job: job, pool: self, continuation: continuation))
            acuity_pool_submit(
                pool,
                { context, thread in
                    let submission = Unmanaged<Submission>.fromOpaque(context).takeUnretainedValue()
                    submission.job.run(on: submission.pool, thread: Int(thread))
                },
                { context in
                    let submission = Unmanaged<Submission>.fromOpaque(context).takeRetainedValue()
                    submission.continuation.resume()
                },
                context.toOpaque())
        }
    }

    /// How many pieces of work have been taken from a thread's share since the last barrier; takes one more.
    func next(of owner: Int) -> Int { Int(acuity_pool_next(pool, Int32(owner))) }

    /// Waits until every thread of the job is here.
    func barrier() { acuity_pool_barrier(pool) }

    private final class Submission {
        let job: any PoolJob
        let pool: ThreadPool
        let continuation: CheckedContinuation<Void, Never>

        init(job: any PoolJob, pool: ThreadPool, continuation: CheckedContinuation<Void, Never>) {
            self.job = job
            self.pool = pool
            self.continuation = continuation
        }
    }
}

/// Who runs on how many of an engine's threads.
///
/// A run by itself has them all. Where more wait than could have two threads each, every one gets a thread of its own: nobody
/// waits at barriers, and what the runs' tasks do between them (files, copies) goes on beside the others' networks.
final class ThreadSharing: Sendable {
    private struct State {
        var waiting: [CheckedContinuation<ThreadPool, Never>] = []
        /// Pools of one thread, made when first needed, that nobody has.
        var idle: [ThreadPool] = []
        var singles = 0
        var isWhole = false
    }

    /// All threads.
    let all: ThreadPool
    private let state = Mutex(State())

    init(threads: Int) throws { all = try ThreadPool(threads: threads) }

    /// How many wait for threads.
    var waiting: Int { state.withLock(\.waiting.count) }

    /// Runs `body` on a pool of all threads or of one; who asked first is served first.
    func withPool<Result: Sendable>(_ body: (ThreadPool) async throws -> Result) async rethrows -> Result {
        let pool = await withCheckedContinuation { continuation in
            resume(state.withLock { state in
                state.waiting.append(continuation)
                return served(&state)
            })
        }
        defer {
            resume(state.withLock { state in
                if pool === all {
                    state.isWhole = false
                } else {
                    state.singles -= 1
                    state.idle.append(pool)
                }
                return served(&state)
            })
        }
        return try await body(pool)
    }

    private typealias Served = [(continuation: CheckedContinuation<ThreadPool, Never>, pool: ThreadPool)]

    private func resume(_ served: Served) { for one in served { one.continuation.resume(returning: one.pool) } }

    private func served(_ state: inout State) -> Served {
        var result: Served = []
        while !state.isWhole, state.singles < all.threads, !state.waiting.isEmpty {
            let isCrowd = state.singles > 0 || state.waiting.count * 2 > all.threads
            if all.threads > 1, isCrowd, let pool = state.idle.popLast() ?? (try? ThreadPool(threads: 1)) {
                state.singles += 1
                result.append((state.waiting.removeFirst(), pool))
            } else if state.singles == 0 {
                state.isWhole = true
                result.append((state.waiting.removeFirst(), all))
            } else {
                break
            }
        }
        return result
    }
}
