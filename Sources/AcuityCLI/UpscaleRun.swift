// UpscaleRun: a batch as a person sees it: search, manifest, progress, failures by name, Ctrl-C, the report at the end.

import Acuity
import ArgumentParser
import Foundation
import Imaging
import SuperResolution
import Synchronization

/// One call of `acuity upscale`.
struct UpscaleRun {
    let inputs: [String]
    var batch: Batch.Options
    let isRecursive: Bool
    let manifest: String?
    let isWatching: Bool
    let json: Bool
    let verbose: Bool

    /// From so many pictures on a manifest is kept unasked.
    private static let manyPictures = 10

    /// - Throws: `ExitCode(1)` if any picture failed, `ExitCode(130)` if the batch was interrupted.
    mutating func run() async throws {
        var search = PictureSearch(isRecursive: isRecursive)
        if case .folder(let folder) = batch.outputs.place { search.excluded = standardPath(folder) }
        if isWatching {
            guard inputs.allSatisfy(isFolder) else { throw AcuityError(.usage, "--watch takes folders only") }
            batch.skipsExisting = !batch.writing.overwrite
        }
        let found = search.pictures(of: inputs)
        try openManifest(found.pictures.count)
        let work = try Batch(batch)
        let pictures = work.withoutOutputs(found.pictures)
        let report = UpscaleReport(count: pictures.count, json: json, verbose: verbose)
        Interruption.deleteUnfinishedFiles()
        if isWatching {
            try await watch(work, search, report)
            return
        }
        for failure in found.failures { report.fail(BatchRecord(input: failure.input, verdict: .failed, error: failure.error.message)) }
        if verbose, found.others > 0 { note("\(found.others) files are no pictures by their names") }
        if pictures.count > 1 {
            Interruption.finishFirst {
                note("interrupted; finishing the pictures in hand (Ctrl-C again ends at once)")
                work.stop()
            }
        }
        let summary = try await work.run(pictures) { report.take($0) }
        report.conclude(summary, manifest: batch.manifest?.path)
        if summary.left > 0 {
            note("to go on: \(wayOn)")
            throw ExitCode(130)
        }
        if report.failures > 0 { throw ExitCode(1) }
    }

    /// The same command, with what makes it go on.
    private var wayOn: String {
        var words = CommandLine.arguments
        words[0] = words[0].split(separator: "/").last.map(String.init) ?? "acuity"
        let option = batch.manifest == nil ? "--skip-existing" : "--resume"
        if !words.contains(option) { words.append(option) }
        return words.map(quoted).joined(separator: " ")
    }

    private mutating func openManifest(_ count: Int) throws {
        let isAsked = manifest != nil || batch.resumes
        guard isAsked || isWatching || PictureSearch.needsSearch(inputs) || count >= Self.manyPictures else { return }
        do {
            let path = manifest ?? defaultManifest
            batch.manifest = try Manifest(path)
            if batch.resumes, batch.manifest?.isEmpty == true { note("\(path): nothing in the manifest yet; beginning from the start") }
        } catch let error as AcuityError where !isAsked {
            note("going on without a manifest: \(error.message)")
        }
    }

    /// Among the outputs.
    private var defaultManifest: String {
        let folder: String
        switch batch.outputs.place {
        case .folder(let path): folder = path
        case .file(let path): folder = URL(fileURLWithPath: path).deletingLastPathComponent().relativePath
        case .besideInputs: folder = inputs.count == 1 && isFolder(inputs[0]) ? inputs[0] : "."
        }
        return (folder.hasSuffix("/") ? folder : folder + "/") + Manifest.defaultName
    }

    // MARK: - Watching

    /// Enlarges what is in the folders and what appears there, until interrupted.
    private func watch(_ work: Batch, _ search: PictureSearch, _ report: UpscaleReport) async throws {
        Interruption.finishFirst { work.stop() }
        note("watching \(inputs.joined(separator: ", ")); Ctrl-C ends")
        var watched = WatchedFolders(inputs, search: search)
        while !work.isStopped {
            let pictures = work.withoutOutputs(watched.settled())
            if !pictures.isEmpty { report.conclude(try await work.run(pictures, among: work.withoutOutputs(watched.pictures)) { report.take($0) }, manifest: nil) }
            try await Task.sleep(for: .milliseconds(500))
        }
        if report.failures > 0 { throw ExitCode(1) }
    }
}

/// A word as a shell reads it back.
private func quoted(_ word: String) -> String {
    let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "@%+=:,./-_".contains($0) }
    return plain && !word.isEmpty ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
}

func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}

/// Prints what becomes of the pictures.
final class UpscaleReport: Sendable {
    private let json: Bool
    private let verbose: Bool
    private let isBatch: Bool
    private let line = ProgressLine(label: "")
    private let failed = Mutex<[String]>([])
    /// How many pictures each remark was made on.
    private let remarked = Mutex<[String: Int]>([:])
    /// Pictures that were enlarged beyond what they support.
    private let advised = Mutex(0)
    /// Failures that fit on a screen have been seen as they came.
    private static let screen = 20

    init(count: Int, json: Bool, verbose: Bool) {
        self.json = json
        self.verbose = verbose
        isBatch = count > 1
    }

    var failures: Int { failed.withLock(\.count) }

    func take(_ event: Batch.Event) {
        switch event {
        case .progress(let progress):
            let picture = progress.picture
            line.show(progress.fraction, label: isBatch ? "[\(min(progress.settled + 1, progress.count))/\(progress.count)] \(picture)" : picture, left: progress.left)
        case .settled(let record, let earlier):
            line.finish()
            if record.verdict == .failed { return fail(record) }
            // In a batch each remark is made once, and counted.
            for remark in record.remarks ?? [] where !earlier {
                let count = remarked.withLock { counts in
                    counts[remark, default: 0] += 1
                    return counts[remark] ?? 0
                }
                if count == 1 || verbose { note("\(record.output ?? record.input): \(remark)") }
            }
            if let advice = record.advice {
                advised.withLock { $0 += 1 }
                if !isBatch || verbose { note("\(record.input): \(advice)") }
            }
            if json {
                write(record)
            } else if verbose {
                let output = record.output ?? ""
                switch record.verdict {
                case .done where earlier: note("\(record.input): done before, \(output)")
                case .skipped: note("\(record.input): passed over, \(output) exists")
                default:
                    note("\(output): \(record.width ?? 0)×\(record.height ?? 0), \(seconds(record.seconds)) s, of which enlarging \(seconds(record.secondsEnlarging)) s")
                }
            }
        }
    }

    func fail(_ record: BatchRecord) {
        let message = record.error ?? record.input
        failed.withLock { $0.append(message) }
        note(message)
        if json { write(record) }
    }

    private func write(_ record: BatchRecord) {
        guard let line = try? record.line() else { return }
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }

    /// The last word on a batch of several pictures.
    func conclude(_ summary: Batch.Summary, manifest: String?) {
        line.finish()
        guard isBatch else { return }
        var counts = ["\(summary.done) done"]
        if summary.earlier > 0 { counts.append("\(summary.earlier) done before") }
        if summary.skipped > 0 { counts.append("\(summary.skipped) passed over") }
        let failed = failed.withLock { $0 }
        if !failed.isEmpty { counts.append("\(failed.count) failed") }
        if summary.left > 0 { counts.append("\(summary.left) left") }
        let megapixels = Double(summary.pixels) / 1e6
        let rate = summary.done > 0 ? String(format: " (%.1f megapixels a second)", megapixels / max(summary.seconds, 1e-3)) : ""
        let time = summary.seconds < 10 ? String(format: "%.1f s", summary.seconds) : ProgressLine.duration(summary.seconds)
        note("\(counts.joined(separator: ", ")) in \(time)\(rate)" + (manifest.map { "; manifest: \($0)" } ?? ""))
        for (remark, count) in remarked.withLock({ $0 }).sorted(by: { $0.key < $1.key }) where count > 1 { note("\(count) pictures: \(remark)") }
        let advised = advised.withLock { $0 }
        if advised > 0, !verbose { note("\(advised) of them support less than was asked for (-v names them, acuity inspect says why)") }
        let count = summary.done + summary.earlier + summary.skipped + failed.count
        if !failed.isEmpty, count > Self.screen {
            note("what failed:")
            for message in failed.prefix(100) { note("  " + message) }
            if failed.count > 100 { note("  and \(failed.count - 100) more" + (manifest == nil ? "" : ", in the manifest")) }
        }
    }
}

private func seconds(_ value: Double?) -> String { String(format: "%.2f", value ?? 0) }

func note(_ message: String) { FileHandle.standardError.write(Data("acuity: \(message)\n".utf8)) }
