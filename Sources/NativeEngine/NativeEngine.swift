// NativeEngine: our own convolution engine. Packs a model's weights for the processor at hand and runs it on all cores.

import CKernels
public import SuperResolution

/// Runs networks with the fastest kernels that this processor has.
///
/// Convolutions have bias, activation and residual sum fused into them. In fp32 with vector instructions, 3×3 convolutions run by
/// Winograd's algorithm, which needs a fifth of the multiplications; all others are direct. Rows flow through all layers
/// in strips, so memory does not grow with a picture's height and nothing is computed twice. One engine owns one set
/// of threads, which one run has to itself and several at once share.
public final class NativeEngine: Engine {
    /// Sets of instructions that the kernels are written for, each for x86 including those before it.
    public enum InstructionSet: String, Sendable, Hashable, CaseIterable, Comparable {
        /// Plain C, the reference.
        case scalar
        /// ARM's Advanced SIMD.
        case neon
        /// AVX2 with FMA.
        case avx2
        /// AVX-512 F, BW and VL.
        case avx512
        /// AVX-512 with `vdpbf16ps`.
        case avx512bf16
        /// The matrix unit (AMX) with bf16, where Linux gives it.
        case amx

        /// Whether this processor has it.
        public var isAvailable: Bool { acuity_has(kernels) }

        /// The best one that this processor has.
        public static var best: InstructionSet { allCases.last(where: \.isAvailable) ?? .scalar }

        public static func < (a: InstructionSet, b: InstructionSet) -> Bool { a.kernels.rawValue < b.kernels.rawValue }

        var kernels: acuity_isa {
            switch self {
            case .scalar: acuity_scalar
            case .neon: acuity_neon
            case .avx2: acuity_avx2
            case .avx512: acuity_avx512
            case .avx512bf16: acuity_avx512bf16
            case .amx: acuity_amx
            }
        }
    }

    public let name = "native"
    public let keepsStrips = true
    public let instructionSet: InstructionSet
    public let threads: Int
    let sharing: ThreadSharing

    /// Starts the engine's threads.
    /// - Parameters:
    ///   - threads: 1…1024; `nil` for one per processor.
    ///   - instructionSet: `nil` for what the environment's `ACUITY_ISA` names, or else the best available.
    /// - Throws: ``AcuityError`` with code `.usage` for an instruction set that does not exist or is not there.
    public init(threads: Int? = nil, instructionSet: InstructionSet? = nil) throws {
        let chosen = try instructionSet ?? Self.fromEnvironment() ?? .best
        guard chosen.isAvailable else {
            throw AcuityError(.usage, "this processor has no \(chosen.rawValue), the best it has is \(InstructionSet.best.rawValue)")
        }
        let count = threads ?? Int(acuity_processor_count())
        guard (1...1024).contains(count) else { throw AcuityError(.usage, "cannot run on \(count) threads, 1…1024 are possible") }
        self.instructionSet = chosen
        sharing = try ThreadSharing(threads: count)
        self.threads = sharing.all.threads
    }

    /// How many runs wait for threads.
    package var waitingRuns: Int { sharing.waiting }

    /// Tiles of a picture, tens of megabytes each, come and go by the hundred. The C library would give each back to the system and have
    /// the next one filled with zeros again, page by page: a fifth of the time of a large picture. For programs, when they start; the
    /// setting is the whole process's.
    package static func keepFreedMemory() { acuity_keep_freed_memory() }

    /// Bytes that the whole process has allocated and not freed, whatever the allocator keeps; nil where it does not say.
    package static var allocatedBytes: Int? {
        let bytes = acuity_allocated_bytes()
        return bytes < 0 ? nil : Int(bytes)
    }

    /// - Parameter precision: `nil` is fp32 for a network through whose convolutions the picture itself flows (SRCNN,
    ///   ESRGAN), because bf16 would round the picture; also where fp32 is the faster one: where most multiplications are
    ///   in 3×3 convolutions with stride 1, at least 32 channels in and out, at most twice as many in as out, no larger
    ///   than the input, by Winograd's algorithm and there is no matrix unit. Else it is bf16. Where the instruction set has no bf16 it becomes fp32,
    ///   and ``PreparedModel/precision`` says so.
    public func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel {
        let network = model.network
        let half = network.addsToPicture && !isFasterInFp32(network)
        return try prepare(model, precision: precision ?? (half ? .bf16 : .fp32), winograd: true)
    }

    /// - Parameter winograd: false for direct convolutions only, whatever is faster.
    package func prepare(_ model: Model, precision: Precision, winograd: Bool) throws -> any PreparedModel {
        let half = instructionSet >= .avx512bf16 && precision == .bf16
        return NativeModel(model: model, program: try Program(model, instructionSet: instructionSet, half: half, winograd: winograd), sharing: sharing)
    }

    /// bf16 multiplies twice as fast, Winograd's algorithm needs a fifth of the multiplications. The matrix unit is faster than both.
    private func isFasterInFp32(_ network: Network) -> Bool {
        if instructionSet == .amx { return false }
        guard acuity_winograd_steps(instructionSet.kernels) != nil else { return true }
        var all = 0.0, fast = 0.0
        for (i, operation) in network.operations.enumerated() {
            guard case .convolution(_, let c) = operation else { continue }
            let shape = network.shapes[i], area = Double(shape.up * shape.up) / Double(shape.down * shape.down)
            let count = Double(c.inputs / c.groups * c.outputs * c.kernelHeight * c.kernelWidth) * area
            all += count
            let isSquare = c.kernelHeight == 3 && c.kernelWidth == 3 && c.stride == 1 && c.groups == 1
            if isSquare, c.inputs >= 32, c.outputs >= 32, c.inputs <= 2 * c.outputs, shape.up <= shape.down { fast += count }
        }
        return fast > all / 2
    }

    private static func fromEnvironment() throws -> InstructionSet? {
        guard let pointer = acuity_environment("ACUITY_ISA") else { return nil }
        let name = String(cString: pointer)
        if name.isEmpty { return nil }
        guard let set = InstructionSet(rawValue: name) else {
            throw AcuityError(.usage, "ACUITY_ISA=\(name): known are \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return set
    }
}

extension Network {
    /// Whether the result is the enlarged picture plus what the convolutions add to it, as in Compact.
    package var addsToPicture: Bool {
        func isPicture(_ value: Value) -> Bool {
            switch operations[value.index] {
            case .input: true
            case .enlarge(let x, _, _), .scale(let x, _, _), .slice(let x, _, _): isPicture(x)
            default: false
            }
        }
        guard case .add(let a, let b) = operations[output.index] else { return false }
        return isPicture(a) || isPicture(b)
    }
}
