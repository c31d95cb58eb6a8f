// NativeModel: a model prepared by NativeEngine, and one run of it.

import CKernels
package import SuperResolution
import Synchronization

package final class NativeModel: PreparedModel, @unchecked Sendable {
    package let model: Model
    package let precision: Precision
    private let program: Program
    private let sharing: ThreadSharing
    /// The buffers of the last runs, for the next ones of the same size; the latest comes last.
    private let kept = Mutex<[Execution]>([])

    /// Buffers up to this size in all are kept between runs.
    private static let keptBytes = 256 << 20

    /// Bytes of the buffers that are kept at the moment.
    package var bufferBytes: Int { kept.withLock { $0.reduce(0) { $0 + $1.bytes } } }

    init(model: Model, program: Program, sharing: ThreadSharing) {
        self.model = model
        self.program = program
        self.sharing = sharing
        precision = program.half ? .bf16 : .fp32
    }

    package func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        try await run(raster, stripRows: nil, progress: progress)
    }

    /// - Parameter stripRows: rows of the input taken at a time; `nil` for what suits the caches.
    package func run(_ raster: Raster, stripRows: Int?, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        let run = try await finished(raster, keeping: nil, stripRows: stripRows, progress: progress)
        let scale = model.network.scale
        return Raster(width: raster.width * scale, height: raster.height * scale, channels: raster.channels, samples: run.samples)
    }

    /// Rounded row by row, while the caches hold them.
    package func run(
        _ raster: Raster, keeping kept: Region, depth: PixelBuffer.Depth, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> (pixels: PixelBuffer, isFinite: Bool) {
        let run = try await finished(raster, keeping: (kept, depth), stripRows: nil, progress: progress)
        return (PixelBuffer(width: kept.width, height: kept.height, channels: raster.channels, depth: depth, bytes: run.bytes), run.isFinite)
    }

    private func finished(
        _ raster: Raster, keeping kept: (Region, PixelBuffer.Depth)?, stripRows: Int?, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> Run {
        guard raster.channels == program.channels else {
            throw AcuityError(.network, "\(model.name) takes \(program.channels) channels, is given \(raster.channels)")
        }
        let unit = program.sizeMultiple
        guard raster.width > 0, raster.height > 0, raster.width % unit == 0, raster.height % unit == 0 else {
            throw AcuityError(.network, "\(model.name) takes sides that are multiples of \(unit), is given \(raster.width)×\(raster.height)")
        }
        try Task.checkCancellation()
        let run = Run(of: self, on: raster, keeping: kept, stripRows: stripRows, progress: progress)
        await withTaskCancellationHandler {
            await sharing.withPool { await $0.run(run) }
        } onCancel: {
            run.cancelled.store(true, ordering: .relaxed)
        }
        guard run.isFinished else { throw CancellationError() }
        return run
    }

    private final class Run: PoolJob, @unchecked Sendable {
        let cancelled = Atomic(false)
        /// The result as it is, where no part of it is kept rounded.
        private(set) var samples: [Float] = []
        /// The part that is kept.
        private(set) var bytes: [UInt8] = []
        private(set) var isFinite = true
        private(set) var isFinished = false
        private let prepared: NativeModel
        private let raster: Raster
        private let kept: (part: Region, depth: PixelBuffer.Depth)?
        private let stripRows: Int?
        private let progress: @Sendable (Double) -> Void
        /// Set by thread 0 before the first barrier.
        private var execution: Execution?

        init(
            of prepared: NativeModel, on raster: Raster, keeping kept: (Region, PixelBuffer.Depth)?, stripRows: Int?,
            progress: @escaping @Sendable (Double) -> Void
        ) {
            self.prepared = prepared
            self.raster = raster
            self.kept = kept
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
            let execution = prepared.execution(for: raster, threads: pool.threads, stripRows: stripRows)
            func work(into output: Output) {
                raster.samples.withUnsafeBufferPointer { input in
                    execution.input = input.baseAddress!
                    execution.output = output
                    self.execution = execution
                    pool.barrier()
                    isFinished = execution.work(on: pool, thread: 0, stop: { self.cancelled.load(ordering: .relaxed) }, progress: progress)
                }
            }
            if let (part, depth) = kept {
                let count = part.width * part.height * raster.channels * depth.bytes
                bytes = [UInt8](unsafeUninitializedCapacity: count) { output, written in
                    let rounded = RoundedSamples(
                        output.baseAddress!, of: part, channels: raster.channels, depth: depth, instructionSet: prepared.program.instructionSet)
                    work(into: .samples(rounded))
                    isFinite = rounded.isFinite
                    written = isFinished ? count : 0
                }
            } else {
                let scale = prepared.model.network.scale, count = raster.samples.count * scale * scale
                samples = [Float](unsafeUninitializedCapacity: count) { output, written in
                    work(into: .raster(output.baseAddress!))
                    written = isFinished ? count : 0
                }
            }
            if isFinished, stripRows == nil { prepared.keep(execution) }
        }
    }

    private func execution(for raster: Raster, threads: Int, stripRows: Int?) -> Execution {
        let old = stripRows != nil ? nil : kept.withLock { kept in
            kept.lastIndex { $0.width == raster.width && $0.height == raster.height && $0.threads == threads }.map { kept.remove(at: $0) }
        }
        return old ?? Execution(program, width: raster.width, height: raster.height, threads: threads, stripRows: stripRows)
    }

    private func keep(_ execution: Execution) {
        kept.withLock { kept in
            kept.append(execution)
            while kept.reduce(0, { $0 + $1.bytes }) > Self.keptBytes { kept.removeFirst() }
        }
    }
}
