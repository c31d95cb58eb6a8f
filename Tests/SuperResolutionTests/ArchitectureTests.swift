// Tests that every architecture is found again from weights of its shapes, and has the published number of parameters.
import FoundationEssentials
import SuperResolution
import Testing

/// Weights of a network's shapes, all zero.
func fabricate(_ network: Network) -> StateDict {
    var weights = StateDict()
    for parameter in network.parameters {
        weights[parameter.key] = Tensor(shape: parameter.shape, values: [Float](repeating: 0, count: parameter.shape.reduce(1, *)))
    }
    return weights
}

struct ArchitectureTests {
    static let sweep: [any Architecture] = [
        Compact(features: 8, convolutions: 2, scale: 2), Compact(features: 8, convolutions: 0, scale: 1, activation: .relu),
        Compact(features: 12, convolutions: 3, scale: 3, activation: .relu), Compact(features: 4, convolutions: 5, scale: 4, channels: 1),
        SRCNN(scale: 2), SRCNN(kernels: [9, 1, 5], scale: 3), SRCNN(kernels: [5, 3, 7], features: [6, 4], scale: 4, channels: 3),
        FSRCNN(scale: 2), FSRCNN(features: 8, shrunk: 4, mappings: 0, scale: 3), FSRCNN(features: 10, shrunk: 5, mappings: 2, scale: 4, channels: 3),
        RRDBNet(features: 8, blocks: 2, growth: 4), RRDBNet(features: 8, blocks: 1, growth: 4, unshuffle: 2),
        RRDBNet(features: 6, blocks: 3, growth: 4, unshuffle: 4), RRDBNet(features: 6, blocks: 1, growth: 2, steps: [2]),
        RRDBNet(features: 6, blocks: 1, growth: 2, steps: [3]), RRDBNet(features: 6, blocks: 1, growth: 2, steps: [2, 2, 2], channels: 1),
        RRDBNet(features: 6, blocks: 1, growth: 2, steps: []),
        MSRResNet(features: 6, blocks: 2, scale: 2), MSRResNet(features: 4, blocks: 1, scale: 3, channels: 1), MSRResNet(features: 5, blocks: 3, scale: 4),
        MSRResNet(features: 6, blocks: 2, scale: 4, ending: .direct), MSRResNet(features: 5, blocks: 2, scale: 2, activation: .prelu),
        MSRResNet(features: 4, blocks: 2, scale: 3, ending: .direct, activation: .prelu), MSRResNet(features: 4, blocks: 1, scale: 3, ending: .direct, channels: 1),
        EDSR(features: 6, blocks: 2, scale: 2), EDSR(features: 4, blocks: 1, scale: 3), EDSR(features: 4, blocks: 3, scale: 4),
        EDSR(features: 4, blocks: 1, scale: 1), EDSR(features: 4, blocks: 1, scale: 8),
        SRResNet(features: 6, blocks: 2, scale: 4), SRResNet(features: 4, blocks: 1, scale: 3), SRResNet(features: 4, blocks: 1, scale: 2),
        SPAN(features: 6, scale: 4), SPAN(features: 5, scale: 2, norm: false),
    ]

    @Test(arguments: sweep.indices)
    func isFoundFromItsWeights(index: Int) throws {
        let network = try Self.sweep[index].network()
        let weights = fabricate(network)
        #expect(Architectures.all.filter { $0.detects(weights) }.count == 1)
        let found = try Architectures.makeNetwork(for: weights, scale: network.scale)
        #expect(found.network == network)
        #expect(throws: Never.self) { try Model(name: "sweep", network: found.network, weights: found.weights) }
    }

    @Test(arguments: sweep.indices)
    func refusesMissingAndSurplusWeights(index: Int) throws {
        let network = try Self.sweep[index].network()
        let weights = fabricate(network)
        for key in weights.keys where key != "no_norm" {  // Without it, it is another variant.
            var damaged = weights
            damaged[key] = nil
            #expect(throws: AcuityError.self, "without \(key)") {
                let found = try Architectures.makeNetwork(for: damaged, scale: network.scale)
                _ = try Model(name: "damaged", network: found.network, weights: found.weights)
            }
        }
        var surplus = weights
        surplus["body.0.surplus"] = Tensor(shape: [1], values: [0])
        #expect(throws: AcuityError.self) { try Architectures.makeNetwork(for: surplus, scale: network.scale) }
    }

    /// Published counts: 16.70 M for RRDBNet, 57 281 and 8 129 for SRCNN (57 184 and 8 032 plus biases), 12 464 kernel
    /// weights for FSRCNN(56,12,4); Compact by hand: 1 792 + 32 · 36 928 + 27 696 + 33 · 64.
    @Test func parameterCounts() throws {
        #expect(try RRDBNet().network().parameterCount == 16_697_987)
        #expect(try SRCNN(scale: 3).network().parameterCount == 57_281)
        #expect(try SRCNN(kernels: [9, 1, 5], scale: 3).network().parameterCount == 8_129)
        #expect(try Compact(features: 64, convolutions: 32, scale: 4).network().parameterCount == 1_213_296)
        let fsrcnn = try FSRCNN(scale: 3).network()
        #expect(fsrcnn.parameters.filter { $0.shape.count == 4 }.reduce(0) { $0 + $1.shape.reduce(1, *) } == 12_464)
        #expect(fsrcnn.parameterCount == 12_464 + 173 + 172)  // biases, slopes
    }

    /// Counted from the authors' code: EDSR-baseline 1.37 M, 1.52 M for ×2, ×4, EDSR 43.09 M for ×4; MSRResNet and SRResNet
    /// 1.518 M and 1.547 M; SPAN 426 k merged.
    @Test func publishedCounts() throws {
        #expect(try EDSR(scale: 2).network().parameterCount == 1_369_859)
        #expect(try EDSR(scale: 4).network().parameterCount == 1_517_571)
        #expect(try EDSR(features: 256, blocks: 32, scale: 4).network().parameterCount == 43_089_923)
        #expect(try MSRResNet(scale: 4).network().parameterCount == 1_517_571)
        #expect(try SRResNet(scale: 4).network().parameterCount == 1_547_350)
        #expect(try SPAN(scale: 4).network().parameterCount == 426_288)
    }

    @Test func scalesAndColours() throws {
        #expect(try RRDBNet(scale: 2).network().scale == 2)
        #expect(try RRDBNet(scale: 2).network().sizeMultiple == 2)
        #expect(try RRDBNet(scale: 1).network().scale == 1)
        #expect(try RRDBNet(scale: 1).network().sizeMultiple == 4)
        #expect(try RRDBNet(scale: 2).network().parameters[0].shape == [64, 12, 3, 3])
        #expect(try RRDBNet(scale: 1).network().parameters[0].shape == [64, 48, 3, 3])
        #expect(try RRDBNet(scale: 8).network().scale == 8)
        #expect(try SRCNN(scale: 3).network().colour == .luma)
        #expect(try FSRCNN(scale: 3).network().scale == 3)
        #expect(try Compact(scale: 4).network().colour == .rgb)
    }

    @Test func scaleIsAskedForWhereWeightsDoNotTellIt() throws {
        for network in [try SRCNN(scale: 2).network(), try FSRCNN(scale: 2).network()] {
            #expect { try Architectures.makeNetwork(for: fabricate(network), scale: nil) } throws: { ($0 as? AcuityError)?.code == .usage }
        }
    }

    @Test func hyperparametersOutOfRangeAreErrors() {
        #expect(throws: AcuityError.self) { try Compact(features: 0, scale: 2).network() }
        #expect(throws: AcuityError.self) { try Compact(features: .max, scale: 2).network() }
        #expect(throws: AcuityError.self) { try Compact(convolutions: -1, scale: 2).network() }
        #expect(throws: AcuityError.self) { try Compact(scale: .max).network() }
        #expect(throws: AcuityError.self) { try Compact(scale: 2, channels: 4).network() }
        #expect(throws: AcuityError.self) { try SRCNN(kernels: [8, 1, 5], scale: 2).network() }
        #expect(throws: AcuityError.self) { try SRCNN(kernels: [9, 5], scale: 2).network() }
        #expect(throws: AcuityError.self) { try FSRCNN(mappings: -3, scale: 2).network() }
        #expect(throws: AcuityError.self) { try RRDBNet(scale: 5) }
        #expect(throws: AcuityError.self) { try MSRResNet(scale: 8).network() }
        #expect(throws: AcuityError.self) { try MSRResNet(scale: 4, channels: 2).network() }
        #expect(throws: AcuityError.self) { try EDSR(scale: 6).network() }
        #expect(throws: AcuityError.self) { try EDSR(features: .max, scale: 2).network() }
        #expect(throws: AcuityError.self) { try SRResNet(blocks: .min, scale: 2).network() }
        #expect(throws: AcuityError.self) { try SPAN(features: -1, scale: 2).network() }
        #expect(throws: AcuityError.self) { try RRDBNet(blocks: 0).network() }
    }

    @Test func unknownArchitectureNamesItsKeys() {
        let weights = ["layers.0.norm": Tensor(shape: [1], values: [0])]
        #expect { try Architectures.makeNetwork(for: weights, scale: 2) } throws: { "\($0)".contains("layers.0.norm") }
        #expect(throws: AcuityError.self) { try Architectures.makeNetwork(for: [:], scale: 2) }
    }
}

struct ArchitectureDescriptionTests {
    func decode(_ json: String) throws -> ArchitectureDescription {
        try JSONDecoder().decode(ArchitectureDescription.self, from: Data(json.utf8))
    }

    @Test func decodesAndRoundTrips() throws {
        let description = try decode(#"{"name":"Compact","features":48,"convolutions":8}"#)
        #expect(try description.network(scale: 4) == Compact(features: 48, convolutions: 8, scale: 4).network())
        #expect(try JSONDecoder().decode(ArchitectureDescription.self, from: JSONEncoder().encode(description)) == description)
        #expect(try decode(#"{"name":"SRCNN","kernel2":1}"#).network(scale: 3) == SRCNN(kernels: [9, 1, 5], scale: 3).network())
        #expect(try decode(#"{"name":"FSRCNN","mappings":2}"#).network(scale: 3) == FSRCNN(mappings: 2, scale: 3).network())
        #expect(try decode(#"{"name":"RRDBNet","blocks":6}"#).network(scale: 2) == RRDBNet(blocks: 6, scale: 2).network())
        #expect(
            try decode(#"{"name":"Compact","activation":"relu"}"#).network(scale: 2) == Compact(scale: 2, activation: .relu).network())
    }

    @Test(arguments: [
        #"{"features":48}"#, #"{"name":"Compacter"}"#, #"{"name":"Compact","feature":48}"#, #"{"name":"Compact","features":"48"}"#,
        #"{"name":"Compact","features":4.5}"#, #"{"name":"Compact","features":-1}"#, #"{"name":"Compact","activation":"gelu"}"#,
        #"{"name":"Compact","scale":4}"#,
    ])
    func isStrict(json: String) {
        #expect(throws: (any Error).self) { try decode(json) }
    }
}
