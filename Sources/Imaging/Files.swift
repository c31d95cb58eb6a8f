// Files: input files judged before they are read, and output files that appear whole or not at all.

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif
import FoundationEssentials
import SuperResolution
import Synchronization

/// Which file a path led to, whatever its name, and when it was last changed.
package struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let inode: UInt64
    /// Seconds and nanoseconds since 1970.
    let modified: [Int]

    package static func == (a: FileIdentity, b: FileIdentity) -> Bool { a.device == b.device && a.inode == b.inode }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(device)
        hasher.combine(inode)
    }

    fileprivate init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        #if canImport(Darwin)
        modified = [status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec]
        #else
        modified = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        #endif
    }
}

/// A regular, readable, non-empty file.
final class InputFile {
    let descriptor: Int32
    let identity: FileIdentity
    let size: Int

    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw AcuityError(.file, "\(path): \(reason(errno))") }
        var status = stat()
        let found = fstat(descriptor, &status)
        identity = FileIdentity(status)
        size = Int(status.st_size)
        let kind = status.st_mode & S_IFMT
        // Whole by now: `deinit` runs after a failure, too, and closes the file.
        if found != 0 || kind != S_IFREG || status.st_size == 0 {
            let what = kind == S_IFDIR ? "is a folder" : kind == S_IFREG ? "is empty" : "is not a regular file"
            throw AcuityError(.file, "\(path): \(what)")
        }
    }

    deinit { close(descriptor) }

    /// The first bytes.
    func head() throws -> [UInt8] {
        let bytes = bytes(at: 0, count: 32)
        guard !bytes.isEmpty else { throw AcuityError(.file, reason(errno)) }
        return bytes
    }

    /// The bytes at a place; fewer where the file ends or cannot be read.
    func bytes(at offset: Int, count: Int) -> [UInt8] { Imaging.bytes(of: descriptor, at: offset, count: count) }
}

/// A file under construction, in the folder of its destination under another name.
final class OutputFile {
    let descriptor: Int32
    private let temporary: String
    private let destination: String
    private let overwrite: Bool
    private var isOpen = true

    /// Judges the destination and creates the temporary file.
    /// - Parameter protected: files that must survive, whatever name they go by.
    init(_ path: String, overwrite: Bool, protecting protected: [FileIdentity]) throws {
        destination = try OutputFile.judge(path, overwrite: overwrite, protecting: protected)
        self.overwrite = overwrite
        temporary = OutputFile.folder(of: destination) + ".acuity-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).part"
        descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw AcuityError(.file, "\(path): \(reason(errno))") }
        UnfinishedFiles.add(temporary)
    }

    /// Where `path` really leads, if a file may be put there.
    static func judge(_ path: String, overwrite: Bool, protecting protected: [FileIdentity]) throws -> String {
        var destination = path
        if let resolved = realpath(path, nil) {
            destination = String(cString: resolved)
            free(resolved)
        }
        var status = stat()
        if stat(destination, &status) == 0 {
            let kind = status.st_mode & S_IFMT
            if kind == S_IFDIR { throw AcuityError(.file, "\(path): is a folder") }
            // A rename would put a file in the place of a device or a pipe.
            guard kind == S_IFREG else { throw AcuityError(.file, "\(path): is not a regular file") }
            if protected.contains(FileIdentity(status)) { throw AcuityError(.file, "\(path): is the input, which is never overwritten") }
            if !overwrite { throw AcuityError(.file, "\(path): exists already (--overwrite replaces it)") }
        }
        let folder = folder(of: destination)
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw AcuityError(.file, "\(path): the folder \(folder) does not exist")
        }
        guard access(folder, W_OK) == 0 else { throw AcuityError(.file, "\(path): \(reason(errno)) in the folder \(folder)") }
        return destination
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "./" }
        return String(path[...slash])
    }

    func bytes(at offset: Int, count: Int) -> [UInt8] { Imaging.bytes(of: descriptor, at: offset, count: count) }

    var size: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Writes `bytes` at a place, making the file longer if need be.
    func write(_ bytes: [UInt8], at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset + done)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure() }
            done += count
        }
    }

    func truncate(to size: Int) throws {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw failure() }
    }

    /// Makes room at a place by moving what follows.
    func insert(_ bytes: [UInt8], at offset: Int) throws {
        var end = size
        while end > offset {
            let start = max(offset, end - 1 << 22)
            let block = self.bytes(at: start, count: end - start)
            guard block.count == end - start else { throw failure() }
            try write(block, at: start + bytes.count)
            end = start
        }
        try write(bytes, at: offset)
    }

    /// Puts the finished file in its place.
    /// - Parameter source: the file whose time of change it takes over.
    func commit(as source: FileIdentity? = nil) throws {
        if let modified = source?.modified {
            let time = timespec(tv_sec: modified[0], tv_nsec: modified[1])
            // Some file systems keep no times; that is no reason to fail.
            _ = withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
                times.initialize(repeating: time)
                return futimens(descriptor, times.baseAddress)
            }
        }
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else { throw failure() }
        isOpen = false
        guard close(descriptor) == 0 else { throw failure() }
        if !overwrite {
            // A hard link fails where a file has appeared meanwhile; some file systems have none.
            if link(temporary, destination) == 0 {
                unlink(temporary)
                UnfinishedFiles.remove(temporary)
                return
            }
            if errno == EEXIST { throw AcuityError(.file, "\(destination): exists already (--overwrite replaces it)") }
        }
        guard rename(temporary, destination) == 0 else { throw failure() }
        UnfinishedFiles.remove(temporary)
    }

    private func failure() -> AcuityError { AcuityError(.file, "\(destination): \(reason(errno))") }

    deinit {
        if isOpen { close(descriptor) }
        if UnfinishedFiles.remove(temporary) { unlink(temporary) }
    }
}

/// The temporary files of this process, so that an interrupted one leaves nothing behind.
public enum UnfinishedFiles {
    private static let paths = Mutex<Set<String>>([])

    package static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }

    @discardableResult
    package static func remove(_ path: String) -> Bool { paths.withLock { $0.remove(path) != nil } }

    /// Deletes them all; for the handler of an interrupt, just before the process ends.
    public static func deleteAll() {
        paths.withLock { paths in
            // Some are folders.
            for path in paths where unlink(path) != 0 { try? FileManager.default.removeItem(atPath: path) }
            paths.removeAll()
        }
    }
}

/// Bytes of an open file at a place; fewer where it ends or cannot be read.
private func bytes(of descriptor: Int32, at offset: Int, count: Int) -> [UInt8] {
    guard count > 0, offset >= 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
        done = 0
        while done < count {
            let read = pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset + done))
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { return }
            done += read
        }
    }
}

/// A system error in words.
func reason(_ code: Int32) -> String {
    switch code {
    case ENOENT: "no such file"
    case EACCES, EPERM: "permission denied"
    case ENOSPC: "no space left on the disk"
    default: String(cString: strerror(code)).lowercased()
    }
}
