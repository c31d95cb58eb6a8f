// Files: input files judged before they are read, and output files that appear whole or not at all.

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif
import SuperResolution
import Synchronization

/// Which file a path led to, whatever its name.
package struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let inode: UInt64

    fileprivate init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }
}

/// A regular, readable, non-empty file.
final class InputFile {
    let descriptor: Int32
    let identity: FileIdentity

    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw AcuityError(.file, "\(path): \(reason(errno))") }
        var status = stat()
        let found = fstat(descriptor, &status)
        identity = FileIdentity(status)
        let kind = status.st_mode & S_IFMT
        if found != 0 || kind != S_IFREG || status.st_size == 0 {
            close(descriptor)
            let what = kind == S_IFDIR ? "is a folder" : kind == S_IFREG ? "is empty" : "is not a regular file"
            throw AcuityError(.file, "\(path): \(what)")
        }
    }

    deinit { close(descriptor) }

    /// The first bytes.
    func head() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { throw AcuityError(.file, reason(errno)) }
        return Array(bytes.prefix(count))
    }
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

    /// Puts the finished file in its place.
    func commit() throws {
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
            for path in paths { unlink(path) }
            paths.removeAll()
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
