// GridMeans: what a checkerboard is made of.

import SuperResolution
package import TorchEngine

/// Means of a picture at each place within the grid that its network's pixel shuffle leaves, over squares of ``side`` low-resolution pixels.
///
/// A network that invents texture tends to put it down in step with that grid: a pattern of `scale` pixels, which discriminators of patches
/// hardly see. A pattern that keeps its place within a square stays in these means; texture that does not averages away.
package final class GridMeans {
    /// Low-resolution pixels; squares at the right and lower border are smaller.
    package static let side = 8
    private let scale: Int
    private let device: String
    private let runtime: TorchRuntime
    private var matrices: [Int: TorchTensor] = [:]

    package init(scale: Int, device: String, runtime: TorchRuntime) {
        (self.scale, self.device, self.runtime) = (scale, device, runtime)
    }

    /// - Parameter x: N×C×H×W, sides multiples of the scale.
    /// - Returns: N×(C·scale²)×⌈H / 8·scale⌉×⌈W / 8·scale⌉.
    package func callAsFunction(_ x: TorchTensor) throws -> TorchTensor {
        let places = try x.pixelUnshuffle(scale)
        let shape = try places.shape
        return try places.separable(vertical: matrix(shape[2]), horizontal: matrix(shape[3]))
    }

    private func matrix(_ length: Int) throws -> TorchTensor {
        if let matrix = matrices[length] { return matrix }
        let squares = (length + Self.side - 1) / Self.side
        var values = [Float](repeating: 0, count: squares * length)
        for square in 0..<squares {
            let members = (square * Self.side)..<min(length, (square + 1) * Self.side)
            for member in members { values[square * length + member] = 1 / Float(members.count) }
        }
        let matrix = try TorchTensor(Tensor(shape: [squares, length], values: values), device: device, runtime: runtime)
        matrices[length] = matrix
        return matrix
    }
}
