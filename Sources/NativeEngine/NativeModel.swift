// NativeModel: a model prepared by NativeEngine, and one run of it.

import CKernels
package import SuperResolution
import Synchronization

package final class NativeModel: PreparedModel, @unchecked Sendable {
    package let model: Model
    package let precision: Precision
    private let program: Program
    private let pool: ThreadPool
    /// The buffers of the last run, for the next one of the same size. Only the pool's thread 0 touches it, in a job.
    private var last: Execution?

    /// Buffers up to this size are kept between runs.
    private static let keptBytes = 256 << 20

    init(model: Model, program: Program, pool: ThreadPool) {
        self.model = model
        self.program = program
        self.pool = pool
        precision = program.half ? .bf16 : .fp32
    }

    package func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        try await run(raster, stripRows: nil, progress: progress)
    }

    /// - Parameter stripRows: rows of the input taken at a time; `nil` for what suits the caches.
    package func run(_ raster: Raster, stripRows: Int?, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        guard raster.channels == program.channels else {
            throw AcuityError(.network, "\(model.name) takes \(program.channels) channels, is given \(raster.channels)")
        }
        let unit = program.sizeMultiple
        guard raster.width > 0, raster.height > 0, raster.width % unit == 0, raster.height % unit == 0 else {
            throw AcuityError(.network, "\(model.name) takes sides that are multiples of \(unit), is given \(raster.width)×\(raster.height)")
        }
        try Task.checkCancellation()
        let run = Run(of: self, on: raster, stripRows: stripRows, progress: progress)
        await withTaskCancellationHandler {
            await pool.run(run)
        } onCancel: {
            run.cancelled.store(true, ordering: .relaxed)
        }
        guard run.finished else { throw CancellationError() }
        let scale = model.network.scale
        return Raster(width: raster.width * scale, height: raster.height * scale, channels: raster.channels, samples: run.samples)
    }

    private final class Run: PoolJob, @unchecked Sendable {
        let cancelled = Atomic(false)
        private(set) var samples: [Float] = []
        private(set) var finished = false
        private let prepared: NativeModel
        private let raster: Raster
        private let stripRows: Int?
        private let progress: @Sendable (Double) -> Void
        /// Set by thread 0 before the first barrier.
        private var execution: Execution?

        init(of prepared: NativeModel, on raster: Raster, stripRows: Int?, progress: @escaping @Sendable (Double) -> Void) {
            self.prepared = prepared
            self.raster = raster
            self.stripRows = stripRows
            self.progress = progress
        }

        func run(on pool: ThreadPool, thread: Int) {
            guard thread == 0 else {
                pool.barrier()
                guard let execution else { return }
                _ = execution.work(on: pool, thread: thread, stop: { self.cancelled.load(ordering: .relaxed) }, progress: { _ in })
                return
            }
            if cancelled.load(ordering: .relaxed) {
                pool.barrier()
                return
            }
            let scale = prepared.model.network.scale
            let count = raster.samples.count * scale * scale
            let execution = prepared.execution(for: raster, stripRows: stripRows)
            raster.samples.withUnsafeBufferPointer { input in
                samples = [Float](unsafeUninitializedCapacity: count) { output, written in
                    execution.input = input.baseAddress!
                    execution.output = output.baseAddress!
                    self.execution = execution
                    pool.barrier()
                    finished = execution.work(
                        on: pool, thread: 0, stop: { self.cancelled.load(ordering: .relaxed) }, progress: progress)
                    written = finished ? count : 0
                }
            }
        }
    }

    private func execution(for raster: Raster, stripRows: Int?) -> Execution {
        if stripRows == nil, let last, last.width == raster.width, last.height == raster.height { return last }
        last = nil
        let execution = Execution(program, width: raster.width, height: raster.height, threads: pool.threads, stripRows: stripRows)
        if stripRows == nil, execution.bytes <= Self.keptBytes { last = execution }
        return execution
    }
}
