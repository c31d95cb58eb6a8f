// MemoryBudgetTests: what a batch takes at once, and how pictures that do not fit are treated.

import Acuity
import Foundation
import Synchronization
import Testing

@Suite struct MemoryBudgetTests {
    /// A texture: for areas of one colour no engine is asked.
    private func pixels(_ side: Int) -> PixelBuffer {
        PixelBuffer(width: side, height: side, channels: 3, depth: .eight, bytes: (0..<side * side * 3).map { UInt8($0 % 7 * 30) })
    }

    /// An engine that counts how many pictures it is given, and how large they are, at once.
    private final class Watcher: Engine, PreparedModel {
        let name = "watcher"
        let model: Model
        let precision = Precision.fp32
        let state = Mutex((now: 0, most: 0, runs: 0))

        init() throws { model = try #require(try ModelCatalogue().models(named: "fast")[2]) }

        func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel { self }

        func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
            state.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.runs + 1) }
            try await Task.sleep(for: .milliseconds(20))
            state.withLock { $0.now -= 1 }
            return Resampling.nearest.resize(raster, width: raster.width * 2, height: raster.height * 2)
        }
    }

    @Test func picturesUnderWayFitTheBudget() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-memory-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var pictures: [FoundPicture] = []
        for index in 0..<4 {
            let path = folder.appendingPathComponent("\(index).png").path
            try Picture(pixels: pixels(1600)).write(to: path)
            pictures.append(FoundPicture(path: path))
        }
        // The engine is offered a picture for each of its threads, and one more.
        for (memory, most) in [(240, 1...1), (1000, 2...ProcessInfo.processInfo.activeProcessorCount + 1)] {
            let watcher = try Watcher()
            let upscaler = try Upscaler(.network(watcher, [2: watcher.model]), target: .factor(2))
            let outputs = BatchOutputs(
                place: .besideInputs, name: try NameTemplate("{stem}_\(memory).{ext}"), target: .factor(2), model: "watcher", format: nil)
            let batch = try Batch(.init(upscaler: upscaler, outputs: outputs, memory: ByteCount(memory << 20)))
            let summary = try await batch.run(pictures) { _ in }
            #expect(summary.done == 4 && summary.failed == 0)
            #expect(most.contains(watcher.state.withLock(\.most)), "\(memory) MB")
        }
    }

    /// The estimate bounds what the buffers take: both sides of the last pass at least, and no more than a few times that.
    @Test(arguments: [1.5, 2, 4, 8]) func theEstimateIsOfTheRightSize(_ factor: Double) throws {
        let watcher = try Watcher()
        let upscaler = try Upscaler(.network(watcher, [2: watcher.model]), target: .factor(factor))
        let side = 1000
        let output = Int(Double(side * side * 3) * factor * factor)
        let estimate = try upscaler.memory(width: side, height: side, channels: 3, depth: 1)
        #expect(estimate >= output + side * side * 3)
        #expect(estimate < 4 * output + 300 << 20)
    }
}
