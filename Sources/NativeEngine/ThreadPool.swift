// ThreadPool: the engine's own threads, and the bridge from them to Swift's tasks.

import CKernels
import SuperResolution

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
