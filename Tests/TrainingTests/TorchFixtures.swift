// TorchFixtures: tensors from one formula that the PyTorch script in Tests/References shares, and plain loops over planes.

import Foundation
import SuperResolution
import TorchEngine

/// −0.5 … 0.5, from the index alone; `values` of Tests/References/training.py.
func formula(_ shape: [Int], _ seed: UInt64) -> Tensor {
    let count = shape.reduce(1, *)
    return Tensor(shape: shape, values: (0..<count).map { index in
        var x = (UInt64(index + 1) &* 2_654_435_761 &+ seed &* 40_503) % (1 << 32)
        x = (x ^ (x >> 15)) &* 2_246_822_519 % (1 << 32)
        return Float(Double(x) / 4_294_967_296 - 0.5)
    })
}

extension Tensor {
    func shifted(_ offset: Float) -> Tensor { Tensor(shape: shape, values: values.map { $0 + offset }) }
}

func onDevice(_ tensor: Tensor) throws -> TorchTensor { try TorchTensor(tensor, device: "cpu", runtime: TorchRuntime.shared()) }

func norm(_ tensor: Tensor) -> Double { tensor.values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }

func isClose(_ a: Double, _ b: Double, _ tolerance: Double = 1e-4) -> Bool { abs(a - b) <= tolerance * max(1e-3, abs(b)) }

/// libtorch's generator, which a checkpoint holds, belongs to the whole process: suites take turns.
let oneRun = NSRecursiveLock()

/// Path of a file of the shared data folder's neighbour, `features/…`.
var squeezeNetPath: String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized
    let data = ProcessInfo.processInfo.environment["ACUITY_DATA"].map { URL(fileURLWithPath: $0).absoluteURL } ?? root.appendingPathComponent("../shared/data")
    return data.appendingPathComponent("../features/squeezenet1_0.safetensors").standardized.path
}
let hasSqueezeNet = FileManager.default.fileExists(atPath: squeezeNetPath)
