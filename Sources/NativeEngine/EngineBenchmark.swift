// EngineBenchmark: how fast the engine runs well-known networks, as a share of what the processor can do.

import CKernels
public import SuperResolution

/// Measures networks with random weights beside the processor's arithmetic peak, turn by turn, so that a busy
/// machine disturbs both alike.
public struct EngineBenchmark: Sendable {
    /// What `acuity bench --json` prints.
    public struct Report: Sendable, Codable {
        /// GFLOP/s of register-only multiply-adds on all threads; absent where the processor lacks the instruction.
        public struct Peak: Sendable, Codable {
            public var fp32: Double?
            public var bf16: Double?
        }
        public struct Case: Sendable, Codable {
            /// E.g. `Compact 64×16 ×4`.
            public var network: String
            /// E.g. `256×256`.
            public var input: String
            public var precision: String
            /// How 3×3 convolutions run: `winograd` or `direct`.
            public var algorithm: String
            /// Best run, counted as direct convolution: a multiplication and an addition are two operations.
            public var gflops: Double
            /// `gflops` divided by the highest peak measured between this case's runs; above 1 where Winograd's algorithm
            /// saves multiplications that are counted all the same.
            public var shareOfPeak: Double?
            /// Best run.
            public var milliseconds: Double

            enum CodingKeys: String, CodingKey {
                case network, input, precision, algorithm, gflops
                case shareOfPeak = "share_of_peak"
                case milliseconds
            }
        }
        public var cpu: String
        public var threads: Int
        public var peak: Peak
        public var cases: [Case]
    }

    private let engine: NativeEngine
    private let side: Int
    private let rounds: Int
    private let only: String
    private let networks: [(name: String, network: Network)]

    /// - Parameters:
    ///   - threads: `nil` for one per processor.
    ///   - side: width and height of the input in pixels.
    ///   - rounds: how often each network runs.
    ///   - only: what the names of the networks to measure contain.
    ///   - networks: what is measured; empty for the usual ones. Weights are random.
    public init(
        threads: Int? = nil, side: Int = 256, rounds: Int = 9, only: String = "", networks: [(name: String, network: Network)] = []
    ) throws {
        self.networks = networks.isEmpty ? try Self.networks() : networks
        engine = try NativeEngine(threads: threads)
        self.only = only
        self.side = side
        self.rounds = max(1, rounds)
    }

    /// - Parameter progress: called with a line before each case.
    public func run(progress: @Sendable (String) -> Void = { _ in }) async throws -> Report {
        let raster = Self.picture(side: side)
        var report = Report(cpu: Self.processor, threads: engine.threads, peak: Report.Peak(), cases: [])
        var ways: [(precision: Precision, winograd: Bool)] = [(.fp32, false)]
        if engine.instructionSet >= .avx512bf16 { ways.insert((.bf16, false), at: 0) }
        if acuity_winograd_steps(engine.instructionSet.kernels) != nil { ways.insert((.fp32, true), at: 0) }
        for (name, network) in networks where only.isEmpty || name.contains(only) {
            let model = try Self.model(name, network)
            for (precision, winograd) in ways {
                let algorithm = winograd ? "winograd" : "direct"
                progress("\(name), \(precision.rawValue), \(algorithm)")
                let prepared = try engine.prepare(model, precision: precision, winograd: winograd)
                let operations = 2 * network.multiplicationsPerPixel * Double(side * side)
                _ = try await prepared.run(raster)
                var best = 0.0
                var highest: Double?
                for _ in 0..<rounds {
                    let start = acuity_seconds()
                    _ = try await prepared.run(raster)
                    best = max(best, operations / (acuity_seconds() - start) / 1e9)
                    if let rate = await peak(precision) { highest = max(highest ?? 0, rate) }
                }
                if let highest { note(highest, precision, &report.peak) }
                report.cases.append(Report.Case(
                    network: name, input: "\(side)×\(side)", precision: precision.rawValue, algorithm: algorithm,
                    gflops: best, shareOfPeak: highest.map { best / $0 }, milliseconds: operations / best / 1e6))
            }
        }
        return report
    }

    private func note(_ rate: Double, _ precision: Precision, _ peak: inout Report.Peak) {
        switch precision {
        case .fp32: peak.fp32 = max(peak.fp32 ?? 0, rate)
        case .bf16: peak.bf16 = max(peak.bf16 ?? 0, rate)
        }
    }

    /// GFLOP/s of all threads together, or `nil` where there is no such instruction.
    private func peak(_ precision: Precision) async -> Double? {
        let job = PeakJob(kernels: engine.instructionSet.kernels, half: precision == .bf16, threads: engine.threads)
        let start = acuity_seconds()
        await engine.sharing.all.run(job)
        let operations = job.operations.reduce(0, +)
        return operations > 0 ? operations / (acuity_seconds() - start) / 1e9 : nil
    }

    private final class PeakJob: PoolJob, @unchecked Sendable {
        let kernels: acuity_isa
        let half: Bool
        /// By thread.
        let operations: UnsafeMutableBufferPointer<Double>

        init(kernels: acuity_isa, half: Bool, threads: Int) {
            self.kernels = kernels
            self.half = half
            operations = .allocate(capacity: threads)
            operations.initialize(repeating: 0)
        }

        deinit { operations.deallocate() }

        func run(on pool: ThreadPool, thread: Int) { operations[thread] = acuity_peak(kernels, half, 8_000_000) }
    }

    // MARK: What is measured

    private static var processor: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            acuity_processor_name(buffer.baseAddress!, buffer.count)
            return String(cString: buffer.baseAddress!)
        }
    }

    /// realesr-general-x4v3 is Compact 64×32; random weights take as long as trained ones.
    static func networks() throws -> [(name: String, network: Network)] {
        [
            ("Compact 64×16 ×4", try compact(features: 64, convolutions: 16)),
            ("Compact 64×32 ×4", try compact(features: 64, convolutions: 32)),
            ("Compact 48×8 ×4", try compact(features: 48, convolutions: 8)),
            ("RRDB 3 blocks ×4", try rrdb(blocks: 3)),
        ]
    }

    static func compact(features: Int, convolutions: Int) throws -> Network {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.prelu(net.convolution(net.input, "body.0", outputs: features), "body.1")
        for i in 1...convolutions { x = net.prelu(net.convolution(x, "body.\(2 * i)", outputs: features), "body.\(2 * i + 1)") }
        x = net.pixelShuffle(net.convolution(x, "body.\(2 * convolutions + 2)", outputs: 48), 4)
        x = net.add(x, net.enlarge(net.input, 4, .nearest))
        return try net.finish(x, architecture: "Compact")
    }

    static func rrdb(blocks: Int) throws -> Network {
        var net = NetworkBuilder(inputChannels: 3)
        let first = net.convolution(net.input, "conv_first", outputs: 64)
        var x = first
        for block in 0..<blocks {
            let outer = x
            for dense in 1...3 {
                var features = [x]
                for i in 1...4 {
                    let y = net.convolution(net.concatenate(features), "body.\(block).rdb\(dense).conv\(i)", outputs: 32)
                    features.append(net.leakyReLU(y, slope: 0.2))
                }
                let y = net.convolution(net.concatenate(features), "body.\(block).rdb\(dense).conv5", outputs: 64)
                x = net.add(net.scale(y, by: 0.2), x)
            }
            x = net.add(net.scale(x, by: 0.2), outer)
        }
        x = net.add(first, net.convolution(x, "conv_body", outputs: 64))
        for i in 1...2 { x = net.leakyReLU(net.convolution(net.enlarge(x, 2, .nearest), "conv_up\(i)", outputs: 64), slope: 0.2) }
        x = net.leakyReLU(net.convolution(x, "conv_hr", outputs: 64), slope: 0.2)
        x = net.convolution(x, "conv_last", outputs: 3)
        return try net.finish(x, architecture: "RRDB")
    }

    /// Weights that keep the size of what flows through the network, from a fixed seed.
    static func model(_ name: String, _ network: Network) throws -> Model {
        var random = SplitMix(state: 1)
        var weights = StateDict()
        for parameter in network.parameters {
            let count = parameter.shape.reduce(1, *)
            switch parameter.initialisation {
            case .constant(let value): weights[parameter.key] = Tensor(shape: parameter.shape, values: [Float](repeating: value, count: count))
            case .kernel:
                let bound = (6 / Float(parameter.shape.dropFirst().reduce(1, *))).squareRoot()
                weights[parameter.key] = Tensor(shape: parameter.shape, values: (0..<count).map { _ in Float.random(in: -bound...bound, using: &random) })
            }
        }
        return try Model(name: name, network: network, weights: weights)
    }

    private static func picture(side: Int) -> Raster {
        var random = SplitMix(state: 2)
        return Raster(width: side, height: side, channels: 3, samples: (0..<(side * side * 3)).map { _ in Float.random(in: 0...1, using: &random) })
    }
}

/// Steele, Lea and Flood 2014: small, and the same numbers everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
