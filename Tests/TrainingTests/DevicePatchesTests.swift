// DevicePatchesTests: patches gathered on a device are those that the host copies, and the device's rate is measured.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct DevicePatchesTests {
    /// The processor stands in for the GPU: the same operations of libtorch.
    @Test func gatherEqualsCopy() throws {
        let folder = try Folder()
        try folder.makeShards()
        let runtime = try TorchRuntime.shared()
        let shards = try CropShards([folder.file("crops.safetensors"), folder.file("crops.safetensors")])
        let resident = try shards.tensor(device: "cpu", runtime: runtime)
        for (smooth, side) in [(0.0, 17), (0.5, 48), (1, 5)] {
            var (host, device) = (SplitMix(seed: 9), SplitMix(seed: 9))
            let copied = try shards.batch(40, side: side, smooth: smooth, using: &host)
            let gathered = try shards.draw(40, side: side, smooth: smooth, using: &device).patches(of: resident, side: side)
            #expect(try gathered.shape == [40, side, side, 3])
            let worst = zip(try gathered.bytes(), copied).map { abs(Int($0) - Int($1)) }.max()
            // A field may round the other way; a copied sample may not differ at all.
            #expect(try #require(worst) <= (smooth == 0 ? 0 : 1), "smooth \(smooth), side \(side)")
            #expect(host.state == device.state)
        }
        #expect(throws: AcuityError.self) { try resident.patches([.init(crop: 8, x: 0, y: 0, turn: 0)], side: 4) }
        #expect(throws: AcuityError.self) { try resident.patches([.init(crop: 0, x: 45, y: 0, turn: 0)], side: 4) }
    }

    @Test func throughputIsAShareOfTheMatrixRate() throws {
        // The rate is measured on random matrices, of libtorch's generator.
        oneRun.lock()
        defer { oneRun.unlock() }
        #expect(try TorchRuntime.shared().matrixRate(device: "cpu") > 0)
        let folder = try Folder()
        let recipe = try Recipe(contentsOf: folder.recipe(["architecture": ["name": "Compact", "features": 8, "convolutions": 2], "patch": 10]))
        var throughput = try Throughput(recipe, matrixRate: 0.001)
        #expect(throughput.summary == nil)
        throughput.note(imagesPerSecond: 100, at: 0.5)
        // ×2 Compact with 8 features and 2 hidden convolutions: 9 · (3 · 8 + 2 · 8 · 8 + 8 · 12) multiplications per pixel.
        let expected = 6.0 * 9 * (24 + 128 + 96) * 100 * 100 * 1e-12
        #expect(abs(try #require(throughput.rate) - expected) < 1e-12)
        #expect(throughput.summary?.contains("% of the 0.001 TFLOP/s") == true)
    }

    /// A checkpoint of a GPU holds the state of a GPU's generator, 16 bytes; the processor goes on from it all the same.
    @Test func checkpointOfAnotherDeviceIsTakenUp() throws {
        oneRun.lock()
        defer { oneRun.unlock() }
        let folder = try Folder()
        try folder.makeShards()
        let recipe = try Recipe(contentsOf: folder.recipe())
        let run = folder.file("run")
        var steps = 0
        try train(recipe, directory: run, steps: 8, threads: 1, shouldStop: { steps += 1; return steps == 3 }, log: { _ in })
        let path = run + "/checkpoint.safetensors"
        let saved = try SafetensorsFile(path: path)
        var writer = SafetensorsWriter(metadata: saved.metadata)
        for (name, entry) in saved.entries where name != "random/torch" {
            try writer.add(name, entry.type, shape: entry.shape, bytes: saved.bytes(of: name))
        }
        try writer.add("random/torch", .u8, shape: [16], bytes: Data(repeating: 3, count: 16))
        try writer.write(to: path)
        var messages = [String]()
        let finished = try train(recipe, directory: run, steps: 8, threads: 1, resume: true) { if case .message(let text) = $0 { messages.append(text) } }
        #expect(finished && messages.contains("resumed at step 3"), "\(messages)")
    }
}
