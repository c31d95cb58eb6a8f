// Digest: the SHA-256 of a file.

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif
import Hashing
import SuperResolution

/// Hashes of files.
package enum Digest {
    /// SHA-256 of a file's content, 64 lower-case hexadecimal digits; read in pieces, whatever the file's size.
    /// - Throws: ``AcuityError`` with code `.file` if it cannot be read.
    package static func sha256(ofFile path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw AcuityError(.file, "\(path): \(reason(errno))") }
        defer { close(descriptor) }
        var hash = SHA256()
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw AcuityError(.file, "\(path): \(reason(errno))") }
            if count == 0 { return hash.hex() }
            piece.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }
}
