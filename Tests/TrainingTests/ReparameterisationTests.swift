// ReparameterisationTests: merged kernels against the branches run one by one, their start, their gradients, and resuming.

import Foundation
import SuperResolution
import Testing
import TorchEngine

import Training

@Suite(.serialized, .enabled(if: hasTorch, torchMissing)) struct ReparameterisationTests {
    private func random(_ shape: [Int], seed: UInt64, scale: Float = 1) -> Tensor {
        var generator = SplitMix(seed: seed)
        return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float.random(in: -scale...scale, using: &generator) })
    }

    /// One convolution with 5 inputs and 7 outputs, and its branches, away from their start.
    private func example(_ kind: Recipe.Reparameterise) throws -> (Network, StateDict, Reparameterisation, TorchRuntime) {
        let runtime = try TorchRuntime.shared()
        var net = NetworkBuilder(inputChannels: 3)
        let x = net.convolution(net.convolution(net.input, "in", outputs: 5, kernel: 1), "c", outputs: 7)
        let network = try net.finish(net.convolution(x, "out", outputs: 3, kernel: 1), architecture: "test")
        var weights = StateDict()
        for (n, parameter) in network.parameters.enumerated() { weights[parameter.key] = random(parameter.shape, seed: UInt64(n + 1), scale: 0.5) }
        var generator = SplitMix(seed: 9)
        let made = try Reparameterisation(kind, of: network, weights: weights, device: "cpu", runtime: runtime, using: &generator)
        return (network, weights, made, runtime)
    }

    @Test(arguments: ["ecb", "conv3xc"])
    func startsAsThePlainKernel(kind: String) throws {
        let (_, weights, made, _) = try example(#require(.init(rawValue: kind)))
        let merged = try made.merged()
        #expect(Array(merged.keys) == ["c.weight"])
        let kernel = try #require(merged["c.weight"]).floats(), plain = try #require(weights["c.weight"])
        #expect(kernel.shape == plain.shape)
        for (a, b) in zip(kernel.values, plain.values) { #expect(abs(a - b) < 1e-5) }
    }

    /// The branches as the papers draw them: convolution after convolution on pictures, then a sum.
    @Test(arguments: ["ecb", "conv3xc"])
    func mergedEqualsBranches(kind: String) throws {
        let (_, _, made, runtime) = try example(#require(.init(rawValue: kind)))
        let b = try #require(made.branches.first)
        var seed: UInt64 = 30
        func perturb(_ tensor: TorchTensor) throws {
            seed += 1
            try tensor.assign(TorchTensor(random(tensor.shape, seed: seed, scale: 0.4), device: "cpu", runtime: runtime))
        }
        for tensor in [b.plain, b.first, b.middle, b.last, b.skip].compactMap(\.self) + b.edges.flatMap({ [$0.kernel, $0.factor] }) { try perturb(tensor) }

        let x = try TorchTensor(random([2, 5, 9, 8], seed: 4), device: "cpu", runtime: runtime)
        /// A matrix as a 1×1 convolution.
        func pointwise(_ matrix: TorchTensor) throws -> TorchTensor {
            let values = try matrix.floats()
            return try TorchTensor(Tensor(shape: values.shape + [1, 1], values: values.values), device: "cpu", runtime: runtime)
        }
        var sum = try x.convolution(pointwise(b.first), bias: nil).convolution(b.middle, bias: nil)
        if let last = b.last, let skip = b.skip {
            sum = try sum.convolution(pointwise(last), bias: nil).adding(x.convolution(pointwise(skip), bias: nil))
        }
        if let plain = b.plain { sum = try sum.adding(x.convolution(plain, bias: nil)) }
        for ((kernel, factor), name) in zip(b.edges, ["sobel x", "sobel y", "laplacian"]) {
            let taps: [Float] =
                switch name {
                case "sobel x": [1, 0, -1, 2, 0, -2, 1, 0, -1]
                case "sobel y": [1, 2, 1, 0, 0, 0, -1, -2, -1]
                default: [0, 1, 0, 1, -4, 1, 0, 1, 0]
                }
            // Depth-wise, with its factor.
            let depthwise = try factor.floats().values.flatMap { f in taps.map { $0 * f } }
            let filter = try TorchTensor(Tensor(shape: [7, 1, 3, 3], values: depthwise), device: "cpu", runtime: runtime)
            sum = try sum.adding(x.convolution(pointwise(kernel), bias: nil).convolution(filter, bias: nil, groups: 7))
        }
        let merged = try #require(made.merged()["c.weight"])
        let result = try x.convolution(merged, bias: nil).floats(), expected = try sum.floats()
        #expect(result.shape == expected.shape)
        let largest = zip(result.values, expected.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        let scale = expected.values.reduce(1) { max($0, abs($1)) }
        #expect(largest < 1e-5 * scale, "differs by \(largest) of \(scale)")
    }

    /// Every branch receives a gradient that is somewhere not zero.
    @Test(arguments: ["ecb", "conv3xc"])
    func everyBranchLearns(kind: String) throws {
        let (network, weights, made, runtime) = try example(#require(.init(rawValue: kind)))
        let trained = try TorchNetwork(network, weights: weights, requiresGradient: true, runtime: runtime)
        let x = try TorchTensor(random([1, 3, 8, 8], seed: 5), device: "cpu", runtime: runtime)
        let target = try TorchTensor(random([1, 3, 8, 8], seed: 6), device: "cpu", runtime: runtime)
        let output = try trained(x, replacing: made.merged())
        let plain = try trained(x).floats()
        for (a, b) in zip(try output.floats().values, plain.values) { #expect(abs(a - b) < 1e-4) }
        try output.mse(to: target).backward()
        for b in made.branches {
            for tensor in [b.plain, b.first, b.middle, b.last, b.skip].compactMap(\.self) + b.edges.flatMap({ [$0.kernel, $0.factor] }) {
                #expect(try tensor.gradient().floats().values.contains { abs($0) > 1e-9 })
            }
        }
    }

    private func run(_ folder: Folder, _ recipe: [String: Any?], in directory: String, steps: Int, resume: Bool = false, stopAfter: Int = .max) throws {
        oneRun.lock()
        defer { oneRun.unlock() }
        var asked = 0
        try train(
            Recipe(contentsOf: folder.recipe(recipe)), directory: folder.file(directory), steps: steps, threads: 1, resume: resume,
            shouldStop: {
                asked += 1
                return asked >= stopAfter
            }, log: { _ in })
    }

    @Test(arguments: ["ecb", "conv3xc"], ["adam", "muon"])
    func trainsAndResumes(kind: String, optimiser: String) throws {
        let folder = try Folder()
        try folder.makeShards()
        let recipe: [String: Any?] = ["reparameterise": kind, "optimiser": ["name": optimiser, "rate": 0.002]]
        try run(folder, recipe, in: "whole", steps: 8)
        try run(folder, recipe, in: "pieces", steps: 8, stopAfter: 3)
        try run(folder, recipe, in: "pieces", steps: 8, resume: true)
        func weights(_ name: String) throws -> StateDict { try SafetensorsFile(path: folder.file(name)).weights() }
        #expect(try weights("whole/checkpoint.safetensors") == weights("pieces/checkpoint.safetensors"))
        let released = try weights("pieces/final.safetensors")
        // What ships is the plain network, moved from where it started.
        let plain = try Compact(features: 8, convolutions: 2, scale: 2).network()
        #expect(Set(released.keys) == Set(plain.parameters.map(\.key)))
        try run(folder, ["optimiser": ["name": optimiser, "rate": 0.002]], in: "plain", steps: 8)
        #expect(try weights("plain/final.safetensors") != released)
    }

    @Test func refusals() throws {
        let folder = try Folder()
        try folder.makeShards()
        #expect(throws: AcuityError.self) { try Recipe(contentsOf: folder.recipe(["reparameterise": "acb"])) }
        #expect(throws: AcuityError.self, "no 3×3") {
            try run(folder, ["reparameterise": "ecb", "architecture": ["name": "SRCNN", "kernel2": 1, "channels": 3]], in: "none", steps: 1)
        }
    }
}
