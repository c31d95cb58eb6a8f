// TextureMask: where a picture has texture, so that whoever asks for texture asks for it there only.

import SuperResolution
package import TorchEngine

/// Where a picture has texture, by the standard deviation of its luma in windows of 8×8 pixels.
///
/// An adversary rewards what looks like detail, and features reward what resembles it, in skies and in backgrounds out of focus too: a
/// faint screen over everything. What both of them see is the output where the truth has texture and the truth itself where it is calm, so
/// that there only plain differences count.
package final class TextureMask {
    /// Side of the windows in high-resolution pixels.
    package static let window = 8
    private let low: Float
    private let high: Float
    private let device: String
    private let runtime: TorchRuntime
    private var matrices: [Int: TorchTensor] = [:]

    /// - Parameter levels: standard deviations of 255: calm up to the first, texture from the second on.
    package init(levels: [Double], device: String, runtime: TorchRuntime) {
        (low, high) = (Float(levels[0] / 255), Float(levels[1] / 255))
        (self.device, self.runtime) = (device, runtime)
    }

    /// - Parameter x: N×C×H×W, C 1 or 3, sides multiples of 8.
    /// - Returns: N×1×H×W, 0 where it is calm, 1 where it has texture, in between by the variance and from window to window. Takes no gradient.
    package func callAsFunction(_ x: TorchTensor) throws -> TorchTensor {
        let shape = try x.shape
        guard shape[2] % Self.window == 0, shape[3] % Self.window == 0 else {
            throw AcuityError(.training, "losses.calm takes patches of a multiple of \(Self.window) high-resolution pixels, not \(shape[3])×\(shape[2])")
        }
        // About mid-grey, so that fp32 holds the difference of squares.
        let luma = try (shape[1] == 3 ? x.detached().luma() : x.detached()).scaled(by: 1, offset: -0.5)
        let (vertical, horizontal) = (try means(shape[2]), try means(shape[3]))
        let mean = try luma.separable(vertical: vertical, horizontal: horizontal)
        let square = try luma.multiplied(by: luma).separable(vertical: vertical, horizontal: horizontal)
        let variance = try square.adding(mean.multiplied(by: mean).scaled(by: -1))
        let scale = 1 / (high * high - low * low)
        return try variance.scaled(by: scale, offset: -low * low * scale).clamped(to: 0...1).enlargedBilinear(Self.window)
    }

    /// The output where the mask is 1, the picture where it is 0.
    package static func composite(_ output: TorchTensor, on picture: TorchTensor, mask: TorchTensor) throws -> TorchTensor {
        try output.multiplied(by: mask).adding(picture.multiplied(by: mask.scaled(by: -1, offset: 1)))
    }

    private func means(_ length: Int) throws -> TorchTensor {
        if let matrix = matrices[length] { return matrix }
        let windows = length / Self.window
        let values = (0..<windows).flatMap { window in (0..<length).map { Float($0 / Self.window == window ? 1 : 0) / Float(Self.window) } }
        let matrix = try TorchTensor(Tensor(shape: [windows, length], values: values), device: device, runtime: runtime)
        matrices[length] = matrix
        return matrix
    }
}
