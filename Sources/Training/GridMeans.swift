// GridMeans: what a checkerboard is made of.

import SuperResolution
package import TorchEngine

/// Means of a picture at each place within the grid that its network's pixel shuffle leaves, over boxes of low-resolution pixels.
///
/// A network that invents texture tends to put it down in step with that grid: a pattern of `scale` pixels, which discriminators of patches
/// hardly see. A pattern that keeps its place within a box stays in these means; texture that does not averages away. Squares of 8 see a
/// screen of dots; rows of dots along an edge are seen by boxes that are as long and one pixel wide.
package final class GridMeans {
    private let scale: Int
    private let width: Int
    private let height: Int
    private let device: String
    private let runtime: TorchRuntime
    private var matrices: [[Int]: TorchTensor] = [:]

    /// - Parameters:
    ///   - width: of a box, in low-resolution pixels; those at the right border may be narrower.
    ///   - height: likewise; those at the lower border may be lower.
    package init(scale: Int, width: Int = 8, height: Int = 8, device: String, runtime: TorchRuntime) {
        (self.scale, self.width, self.height, self.device, self.runtime) = (scale, width, height, device, runtime)
    }

    /// - Parameter x: N×C×H×W, sides multiples of the scale.
    /// - Returns: N×(C·scale²)×⌈H / height·scale⌉×⌈W / width·scale⌉.
    package func callAsFunction(_ x: TorchTensor) throws -> TorchTensor {
        let places = try x.pixelUnshuffle(scale)
        let shape = try places.shape
        return try places.separable(vertical: matrix(shape[2], height), horizontal: matrix(shape[3], width))
    }

    /// Means over `side` numbers each of `length`.
    private func matrix(_ length: Int, _ side: Int) throws -> TorchTensor {
        if let matrix = matrices[[length, side]] { return matrix }
        let boxes = (length + side - 1) / side
        var values = [Float](repeating: 0, count: boxes * length)
        for box in 0..<boxes {
            let members = (box * side)..<min(length, (box + 1) * side)
            for member in members { values[box * length + member] = 1 / Float(members.count) }
        }
        let matrix = try TorchTensor(Tensor(shape: [boxes, length], values: values), device: device, runtime: runtime)
        matrices[[length, side]] = matrix
        return matrix
    }
}
