// SHA256: the hash of FIPS 180-4, by which a manifest names its files and a model card its weights; computed by the system's
// library, which uses the processor's own instructions for it.

#if canImport(CryptoKit)
import CryptoKit
#else
import CCrypto
#endif

/// The SHA-256 of bytes that come piece by piece.
package struct SHA256: ~Copyable {
#if canImport(CryptoKit)
    private var state = CryptoKit.SHA256()
#else
    private let context: OpaquePointer
#endif

    package init() {
#if !canImport(CryptoKit)
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            fatalError("no SHA-256 in libcrypto")
        }
        self.context = context
#endif
    }

#if !canImport(CryptoKit)
    deinit { EVP_MD_CTX_free(context) }
#endif

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
#if canImport(CryptoKit)
        state.update(bufferPointer: bytes)
#else
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
#endif
    }

    /// The hash of all that came, 64 lower-case hexadecimal digits.
    package consuming func hex() -> String {
#if canImport(CryptoKit)
        let digest = Array(state.finalize())
#else
        var digest = [UInt8](repeating: 0, count: 32)
        EVP_DigestFinal_ex(context, &digest, nil)
#endif
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The hash of some bytes, 64 lower-case hexadecimal digits.
    package static func hex(_ bytes: some Collection<UInt8>) -> String {
        var hash = SHA256()
        if bytes.withContiguousStorageIfAvailable({ hash.update(UnsafeRawBufferPointer($0)) }) == nil {
            Array(bytes).withUnsafeBytes { hash.update($0) }
        }
        return hash.hex()
    }
}
