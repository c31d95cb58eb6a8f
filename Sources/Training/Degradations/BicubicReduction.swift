// BicubicReduction: the benchmarks' low resolution, by tensor operations on the device.

import SuperResolution
package import TorchEngine

/// MATLAB-style bicubic reduction by a whole factor: antialiased, mirrored borders, rounded to 8 bits.
package final class BicubicReduction {
    private let scale: Int
    private let device: String
    private let runtime: TorchRuntime
    private var matrices: [Int: TorchTensor] = [:]

    package init(scale: Int, device: String, runtime: TorchRuntime) {
        self.scale = scale
        self.device = device
        self.runtime = runtime
    }

    /// - Parameter x: N×3×H×W, sides multiples of the scale.
    package func callAsFunction(_ x: TorchTensor) throws -> TorchTensor {
        let shape = try x.shape
        return try x.separable(vertical: matrix(shape[2]), horizontal: matrix(shape[3])).quantised()
    }

    private func matrix(_ side: Int) throws -> TorchTensor {
        if let matrix = matrices[side] { return matrix }
        let matrix = try TorchTensor(Resampling.bicubic.matrix(from: side, to: side / scale), device: device, runtime: runtime)
        matrices[side] = matrix
        return matrix
    }
}
