// InterpolationTests: weights between weights.

import FoundationEssentials
import SuperResolution
import Testing

@Suite struct InterpolationTests {
    private func checkpoint(_ weights: StateDict) throws -> Checkpoint {
        var writer = SafetensorsWriter()
        for (key, tensor) in weights { try writer.add(key, tensor) }
        return try Checkpoint(writer.data(), name: "test")
    }

    @Test func weightsAreMixed() throws {
        let a = try checkpoint(["x": Tensor(shape: [2], values: [1, -4]), "y": Tensor(shape: [1, 1], values: [0])])
        let b = try checkpoint(["x": Tensor(shape: [2], values: [3, 4]), "y": Tensor(shape: [1, 1], values: [8])])
        #expect(try a.interpolated(with: b, share: 0.25)["x"]?.values == [1.5, -2])
        #expect(try a.interpolated(with: b, share: 0.25)["y"]?.values == [2])
        #expect(try a.interpolated(with: b, share: 0)["x"]?.values == [1, -4])
        #expect(try a.interpolated(with: b, share: 1)["x"]?.values == [3, 4])
    }

    @Test func othersAreRefused() throws {
        let a = try checkpoint(["x": Tensor(shape: [2], values: [1, 2])])
        for other in [["x": Tensor(shape: [1, 2], values: [1, 2])], ["z": Tensor(shape: [2], values: [1, 2])]] {
            let b = try checkpoint(other)
            #expect { try a.interpolated(with: b, share: 0.5) } throws: { ($0 as? AcuityError)?.code == .weights }
        }
        #expect { try a.interpolated(with: a, share: 1.1) } throws: { ($0 as? AcuityError)?.code == .usage }
    }
}
