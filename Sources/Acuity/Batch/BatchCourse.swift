// BatchCourse: how far a batch is, how long the rest will take, and what has become of its pictures.

import SuperResolution
import Synchronization

extension Batch {
    package enum Event: Sendable {
        /// A picture has come to its end. `earlier`: an earlier run had done it.
        case settled(BatchRecord, earlier: Bool)
        /// How far everything is.
        case progress(Progress)
    }

    /// Counts of pictures, and how they add up.
    package struct Summary: Sendable, Hashable {
        package var done = 0
        /// Done by an earlier run.
        package var earlier = 0
        package var skipped = 0
        package var failed = 0
        /// Not begun, because the batch was stopped.
        package var left = 0
        package var seconds = 0.0
        /// Output pixels of what was done.
        package var pixels = 0
    }

    /// Where a batch stands.
    package struct Progress: Sendable, Hashable {
        package var settled: Int
        package var count: Int
        /// 0…1, by the sizes of the files.
        package var fraction: Double
        /// Seconds; nil as long as nothing can be said.
        package var left: Double?
        /// The picture that the news is of.
        package var picture: String
    }
}

/// Keeps count of a batch under way.
final class BatchCourse: Sendable {
    private struct State {
        var summary = Batch.Summary()
        var settled = 0
        /// Bytes of files that have come to their end, and of those among them that cost work.
        var bytes = 0
        var workedBytes = 0
        /// Finished fractions of pictures under way, by place.
        var fractions: [Int: Double] = [:]
    }

    private let paths: [String]
    /// Of the files; a stand-in for work that costs nothing to know.
    private let sizes: [Int]
    private let total: Int
    private let start = ContinuousClock.now
    private let report: @Sendable (Batch.Event) -> Void
    private let state = Mutex(State())
    /// Held while reporting, so that reports do not overtake each other.
    private let turn = Mutex(())

    init(_ pictures: [FoundPicture], report: @escaping @Sendable (Batch.Event) -> Void) {
        paths = pictures.map(\.path)
        sizes = pictures.map { max(1, fileSize($0.path)) }
        total = max(1, sizes.reduce(0, +))
        self.report = report
    }

    private var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    var summary: Batch.Summary {
        var summary = state.withLock(\.summary)
        summary.left = paths.count - summary.done - summary.earlier - summary.skipped - summary.failed
        summary.seconds = elapsed
        return summary
    }

    /// A picture under way is finished by a fraction, 0…1.
    func advance(_ index: Int, _ fraction: Double) {
        let progress = state.withLock { state in
            state.fractions[index] = fraction
            return standing(state, index)
        }
        turn.withLock { _ in report(.progress(progress)) }
    }

    func settle(_ index: Int, _ record: BatchRecord, earlier: Bool) {
        let progress = state.withLock { state in
            state.settled += 1
            state.bytes += sizes[index]
            state.fractions[index] = nil
            switch record.verdict {
            case .done where earlier: state.summary.earlier += 1
            case .done:
                state.summary.done += 1
                state.summary.pixels += (record.width ?? 0) * (record.height ?? 0)
                state.workedBytes += sizes[index]
            case .skipped: state.summary.skipped += 1
            case .failed, .begun: state.summary.failed += 1
            }
            return standing(state, index)
        }
        turn.withLock { _ in
            report(.settled(record, earlier: earlier))
            report(.progress(progress))
        }
    }

    private func standing(_ state: State, _ index: Int) -> Batch.Progress {
        let underWay = state.fractions.reduce(0) { $0 + Double(sizes[$1.key]) * $1.value }
        let (past, worked) = (Double(state.bytes) + underWay, Double(state.workedBytes) + underWay)
        let elapsed = elapsed
        // Before the first second, or hundredth, any guess is wild.
        let isKnown = elapsed > 1 && worked > 0.01 * Double(total - state.bytes + state.workedBytes)
        return Batch.Progress(
            settled: state.settled, count: paths.count, fraction: past / Double(total),
            left: isKnown ? elapsed * (Double(total) - past) / worked : nil, picture: paths[index])
    }
}
