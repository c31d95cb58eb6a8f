// TorchRuntime: opens the libtorch plug-in and holds its table of functions.

internal import CTorch
import SuperResolution

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// libtorch, opened once per process.
///
/// The plug-in (`Sources/CTorch/plugin`, compiled by its `build.sh` against the machine's libtorch) is looked for at
/// `$ACUITY_TORCH`, then in `$XDG_CACHE_HOME/acuity` (default `~/.cache/acuity`), then beside the executable.
public final class TorchRuntime: Sendable {
    /// Constant function pointers, never written again.
    nonisolated(unsafe) let table: AcuityTorchTable
    /// Where the plug-in was found.
    public let path: String

    /// The file name that `build.sh` gives the plug-in; the number is that of the table.
    public static var fileName: String { "libacuity_torch-\(ACUITY_TORCH_ABI).so" }

    private static let opened: Result<TorchRuntime, AcuityError> = Result { () throws(AcuityError) in try TorchRuntime() }

    /// The process's libtorch.
    /// - Throws: ``AcuityError`` with code `.torch` when it is not installed or does not fit.
    public static func shared() throws -> TorchRuntime { try opened.get() }

    private init() throws(AcuityError) {
        let environment = ProcessInfo.processInfo.environment
        var candidates: [String] = []
        if let explicit = environment["ACUITY_TORCH"], !explicit.isEmpty {
            candidates = [explicit]
        } else {
            let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/root") + "/.cache"
            candidates = [cache + "/acuity/" + Self.fileName]
            if let executable = CommandLine.arguments.first, let slash = executable.lastIndex(of: "/") {
                candidates.append(executable[...slash] + Self.fileName)
            }
        }
        guard let path = candidates.first(where: { access($0, R_OK) == 0 }) else {
            if candidates.count == 1 { throw AcuityError(.torch, "\(candidates[0]): no such libtorch plug-in (from ACUITY_TORCH)") }
            throw AcuityError(.torch, "libtorch is not installed; ./run test or ./run train installs it")
        }
        // libgomp's threads spin between operations by default, which starves them and everyone else once a core is shared. It reads this when it is
        // loaded: a program that has it already must be started like that.
        setenv("OMP_WAIT_POLICY", "passive", 0)
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw AcuityError(.torch, "\(path): \(dlerror().map { String(cString: $0) } ?? "cannot be opened")")
        }
        guard let symbol = dlsym(library, "acuity_torch_table") else {
            throw AcuityError(.torch, "\(path): not a libtorch plug-in of Acuity")
        }
        typealias Entry = @convention(c) () -> UnsafePointer<AcuityTorchTable>
        let entry = unsafeBitCast(symbol, to: Entry.self)
        // Another version's table may be shorter, so only its first two numbers are read.
        let header = UnsafeRawPointer(entry()).assumingMemoryBound(to: Int32.self)
        guard header[0] == ACUITY_TORCH_ABI, Int(header[1]) == MemoryLayout<AcuityTorchTable>.size else {
            throw AcuityError(.torch, "\(path): built for another version of Acuity; run Sources/CTorch/plugin/build.sh again")
        }
        table = entry().pointee
        self.path = path
    }

    /// libtorch's version, e.g. `2.13.0`.
    public var version: String { String(cString: table.version) }

    /// Number of CUDA devices that libtorch can use.
    public func cudaDevices() throws -> Int {
        var count: Int32 = 0
        try check { table.cuda_devices(&count, $0) }
        return Int(count)
    }

    /// Threads that one operation may use on the CPU.
    public func setThreads(_ count: Int) throws { try check { table.set_threads(Int32(clamping: max(1, count)), $0) } }

    /// Seeds libtorch's random generators.
    public func seed(_ seed: UInt64) throws { try check { table.seed(seed, $0) } }

    /// The state of a device's random generator, to be saved and given back.
    public func randomState(device: String = "cpu") throws -> [UInt8] {
        let state = try tensor { table.random_state(device, $0, $1) }
        return try state.bytes()
    }

    public func setRandomState(_ state: [UInt8], device: String = "cpu") throws {
        let tensor = try TorchTensor(bytes: state, shape: [state.count], device: "cpu", runtime: self)
        try check { table.set_random_state(device, tensor.handle, $0) }
    }

    /// Waits until a device has finished the work given to it.
    public func synchronise(device: String) throws { try check { table.synchronise(device, $0) } }

    // MARK: - Calls

    /// Makes one call and turns its error buffer into an error.
    func check(_ call: (UnsafeMutablePointer<CChar>) -> AcuityStatus) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(ACUITY_TORCH_ERROR_CAPACITY)) { buffer in
            guard let error = buffer.baseAddress else { return }
            error.initialize(to: 0)
            if call(error) != 0 { throw AcuityError(.torch, "libtorch: " + String(cString: error)) }
        }
    }

    /// Makes one call whose result is a tensor (+1).
    func tensor(_ call: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<CChar>) -> AcuityStatus) throws -> TorchTensor {
        var handle: OpaquePointer?
        try check { error in withUnsafeMutablePointer(to: &handle) { call($0, error) } }
        guard let handle else { throw AcuityError(.torch, "libtorch: no result") }
        return TorchTensor(owning: handle, runtime: self)
    }
}
