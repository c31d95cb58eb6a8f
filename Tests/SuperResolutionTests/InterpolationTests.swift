// InterpolationTests: weights between weights.

import SuperResolution
import Testing

@Suite struct InterpolationTests {
    @Test func weightsAreMixed() throws {
        let a: StateDict = ["x": Tensor(shape: [2], values: [1, -4]), "y": Tensor(shape: [1, 1], values: [0])]
        let b: StateDict = ["x": Tensor(shape: [2], values: [3, 4]), "y": Tensor(shape: [1, 1], values: [8])]
        #expect(try a.interpolated(with: b, share: 0.25)["x"]?.values == [1.5, -2])
        #expect(try a.interpolated(with: b, share: 0.25)["y"]?.values == [2])
        #expect(try a.interpolated(with: b, share: 0)["x"]?.values == [1, -4])
        #expect(try a.interpolated(with: b, share: 1)["x"]?.values == [3, 4])
    }

    @Test func othersAreRefused() throws {
        let a: StateDict = ["x": Tensor(shape: [2], values: [1, 2])]
        for b: StateDict in [["x": Tensor(shape: [1, 2], values: [1, 2])], ["z": Tensor(shape: [2], values: [1, 2])]] {
            #expect { try a.interpolated(with: b, share: 0.5) } throws: { ($0 as? AcuityError)?.code == .weights }
        }
        #expect { try a.interpolated(with: a, share: 1.1) } throws: { ($0 as? AcuityError)?.code == .usage }
    }
}
