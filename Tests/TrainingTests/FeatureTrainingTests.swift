// FeatureTrainingTests: the small extractor learns its task, and what it leaves can be used as a perceptual loss.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct FeatureTrainingTests {
    @Test func learnsAndServes() throws {
        let folder = try Folder()
        try folder.makeShards()
        let path = folder.file("features.safetensors")
        let result = try trainFeatures(shards: [folder.file("crops.safetensors")], output: path, steps: 60, log: { _ in })
        // Twelve classes: chance is 0.083.
        #expect(result.steps == 60 && result.accuracy > 0.15 && result.crossEntropy < 2.4, "\(result)")
        let features = try PerceptualFeatures(path: path, device: "cpu", runtime: TorchRuntime.shared())
        #expect(features.kind == .own)
        let truth = try TorchTensor(bytes: drawing(width: 64, height: 64, seed: 1), shape: [1, 64, 64, 3], device: "cpu", runtime: TorchRuntime.shared()).image()
        let small = try onDevice(formula([1, 3, 64, 64], 4)).scaled(by: 0.02).adding(truth), large = try onDevice(formula([1, 3, 64, 64], 4)).scaled(by: 0.2).adding(truth)
        #expect(try features.distance(truth, to: truth).item() < 1e-9)
        #expect(try features.distance(small, to: truth).item() < features.distance(large, to: truth).item())
        #expect(try features.loss(small, to: truth).item() < features.loss(large, to: truth).item())
        #expect(throws: AcuityError.self) { try trainFeatures(shards: [folder.file("none")], output: path, steps: 1, log: { _ in }) }
    }
}
