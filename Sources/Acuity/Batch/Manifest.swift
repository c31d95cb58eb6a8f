// Manifest: the journal of a batch, one JSON object a line, from which an interrupted batch goes on.

import FoundationEssentials
import Imaging
import SuperResolution
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif

/// A file of ``BatchRecord``s that only grows; the last record of an input counts.
///
/// A record of verdict `begun` goes before every output. Outputs appear whole or not at all, so that whatever moment the
/// process ends at, its successor can tell: an output behind a `begun` is finished and needs only to be entered, no output
/// means that nothing has happened. A lock on the file keeps a second process away for as long as the first one lives.
package final class Manifest: Sendable {
    package static let defaultName = "acuity-manifest.jsonl"

    package let path: String
    /// Absolute; paths in the records are as seen from here, so that a batch can move as a whole.
    private let folder: String
    private let descriptor: Int32
    private let records: Mutex<[Key: BatchRecord]>

    /// Paths as they stand in the manifest: one picture may have been enlarged to several sizes.
    private struct Key: Hashable {
        let input: String
        let output: String?
    }

    /// Opens or creates the file, and locks it. Half-written files that its last process left behind are deleted.
    /// - Throws: ``AcuityError`` with code `.file` if it cannot be written, is not a manifest, or another process is at it.
    package init(_ path: String) throws {
        self.path = path
        let absolute = standardPath(path)
        folder = FoundPicture(path: absolute).folder
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o666)
        guard descriptor >= 0 else { throw AcuityError(.file, "\(path): the manifest cannot be opened: \(String(cString: strerror(errno)).lowercased())") }
        var known: [Key: BatchRecord] = [:]
        var processes = Set<Int32>()
        let isTorn: Bool
        do {
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw AcuityError(.file, "\(path): is not a regular file, and so no manifest")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw AcuityError(.file, "\(path): another batch is at work with this manifest")
            }
            guard let content = try? Data(contentsOf: URL(filePath: path)) else { throw AcuityError(.file, "\(path): the manifest cannot be read") }
            let lines = content.split(separator: UInt8(ascii: "\n"))
            var others = 0
            for line in lines {
                if let record = BatchRecord(line: line) {
                    Manifest.note(record, in: &known)
                } else if let run = try? JSONDecoder().decode(Run.self, from: Data(line)) {
                    processes.insert(run.process)
                } else {
                    others += 1
                }
            }
            // Every process may leave one torn line behind; a file of other things is somebody else's.
            guard others <= processes.count else { throw AcuityError(.file, "\(path): is not a manifest") }
            isTorn = content.last.map { $0 != UInt8(ascii: "\n") } ?? false
        } catch {
            close(descriptor)
            throw error
        }
        records = Mutex(known)
        // Whole by now: `deinit` runs after a failure, too, and closes the file.
        let unfinished = known.values.filter { $0.verdict == .begun }.compactMap(\.output)
        Manifest.deleteParts(of: processes, in: Set(unfinished.map { [folder] in FoundPicture(path: standardPath($0.hasPrefix("/") ? $0 : folder + $0)).folder }))
        if isTorn { try append("\n") }
        try append(String(decoding: JSONEncoder().encode(Run(process: getpid())), as: UTF8.self) + "\n")
    }

    deinit {
        fsync(descriptor)
        close(descriptor)
    }

    /// Who wrote the lines that follow.
    private struct Run: Codable { var process: Int32 }

    /// Temporary files are called `.acuity-PROCESS-NUMBER.part`; only those of processes that live no more are deleted.
    private static func deleteParts(of processes: Set<Int32>, in folders: Set<String>) {
        // A number may have gone to another process since; it is a namesake of ours at worst.
        let prefixes = processes.filter { $0 == getpid() || kill($0, 0) != 0 || !isOurs($0) }.map { ".acuity-\($0)-" }
        for folder in folders {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            where name.hasSuffix(".part") && prefixes.contains(where: name.hasPrefix) {
                unlink(folder + name)
            }
        }
    }

    /// Whether a living process runs the same program; assumed where the system does not say.
    private static func isOurs(_ process: Int32) -> Bool {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return true }
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe")) == own
    }

    private func append(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw AcuityError(.file, "\(path): the manifest cannot be written: \(String(cString: strerror(errno)).lowercased())") }
            bytes = bytes.dropFirst(count)
        }
    }

    // MARK: - Records

    private func key(_ path: String) -> String { relativePath(standardPath(path), from: folder) }

    /// Enters what became of a picture; `input` and `output` are paths as the process sees them.
    package func enter(_ record: BatchRecord) throws {
        var record = record
        record.input = key(record.input)
        record.output = record.output.map(key)
        try append(record.line() + "\n")
        records.withLock { Manifest.note(record, in: &$0) }
    }

    /// A failure does not undo what was done: it may be that the output is there already.
    private static func note(_ record: BatchRecord, in records: inout [Key: BatchRecord]) {
        let key = Key(input: record.input, output: record.output)
        if record.verdict == .failed, records[key]?.verdict == .done { return }
        records[key] = record
    }

    /// Whether any picture was ever entered.
    package var isEmpty: Bool { records.withLock(\.isEmpty) }

    /// Absolute paths of all outputs that have been written.
    package var outputs: Set<String> {
        records.withLock { Set($0.values.lazy.filter { $0.verdict == .done }.compactMap { $0.output.map { standardPath(self.folder + $0) } }) }
    }

    /// The picture's record, if it is done: same input, same settings, same output, all still there.
    ///
    /// An output that was finished without being entered, because the process ended just then, is entered now.
    package func finished(input: String, output: String, settings: [String: String]) throws -> BatchRecord? {
        guard var record = records.withLock({ $0[Key(input: key(input), output: key(output))] }), record.settings == settings,
            let before = record.inputFile, let now = BatchRecord.File(at: input, like: before), now.sha256 == before.sha256
        else { return nil }
        switch record.verdict {
        case .done:
            guard let written = record.outputFile, BatchRecord.File(at: output, like: written)?.sha256 == written.sha256 else { return nil }
        case .begun:
            guard let found = BatchRecord.File(at: output, like: nil), found.sha256 != record.replaces else { return nil }
            record.verdict = .done
            record.outputFile = found
            var entry = record
            (entry.input, entry.output) = (input, output)
            try enter(entry)
        case .failed, .skipped: return nil
        }
        (record.input, record.output) = (input, output)
        return record
    }
}

extension BatchRecord.File {
    /// The file at `path`; nil if it cannot be read.
    /// - Parameter known: its hash is taken over where size and time are still the same.
    init?(at path: String, like known: Self?) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        #if canImport(Darwin)
        let time = status.st_ctimespec
        #else
        let time = status.st_ctim
        #endif
        bytes = Int(status.st_size)
        changed = Double(time.tv_sec) + (Double(time.tv_nsec) / 1e3).rounded() / 1e6
        if let known, known.bytes == bytes, known.changed == changed {
            sha256 = known.sha256
        } else {
            guard let hash = try? Digest.sha256(ofFile: path) else { return nil }
            sha256 = hash
        }
    }
}
