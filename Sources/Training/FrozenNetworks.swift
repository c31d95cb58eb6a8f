// FrozenNetworks: networks that take part in a loss and do not learn: the teacher and AESOP's autoencoder.

package import SuperResolution
package import TorchEngine

/// A larger network whose output is a target (distillation).
package final class Teacher {
    private let network: TorchNetwork
    private let precision: Precision

    /// - Throws: ``AcuityError``: `.file`, `.weights`, or `.training` where scale or colours differ from the student's.
    package init(_ path: String, network student: Network, precision: Precision, device: String, runtime: TorchRuntime) throws {
        network = try TorchNetwork.frozen(path, scale: student.scale, colour: student.colour, device: device, runtime: runtime)
        self.precision = precision
    }

    /// - Parameter low: N×C×h×w.
    package func callAsFunction(_ low: TorchTensor) throws -> TorchTensor { try network(low, precision: precision).detached() }
}

/// Bicubic reduction, then a super-resolution network: what is left of a picture is what its low resolution can tell (AESOP, Lee et al. 2025).
/// An L1 behind it asks for the right expectation and leaves texture to the other terms.
package final class Autoencoder {
    private let decoder: TorchNetwork
    private let precision: Precision
    private let device: String
    private let runtime: TorchRuntime
    private var matrices: [Int: TorchTensor] = [:]

    package init(_ path: String, network student: Network, precision: Precision, device: String, runtime: TorchRuntime) throws {
        decoder = try TorchNetwork.frozen(path, scale: student.scale, colour: student.colour, device: device, runtime: runtime)
        (self.precision, self.device, self.runtime) = (precision, device, runtime)
    }

    /// - Parameter x: N×C×H×W, sides multiples of the scale.
    package func callAsFunction(_ x: TorchTensor) throws -> TorchTensor {
        let shape = try x.shape
        // Not rounded to 8 bits: the gradient has to pass.
        let low = try x.separable(vertical: matrix(shape[2]), horizontal: matrix(shape[3]))
        return try decoder(low, precision: precision)
    }

    private func matrix(_ side: Int) throws -> TorchTensor {
        if let matrix = matrices[side] { return matrix }
        let matrix = try TorchTensor(Resampling.bicubic.matrix(from: side, to: side / decoder.network.scale), device: device, runtime: runtime)
        matrices[side] = matrix
        return matrix
    }
}

extension TorchNetwork {
    /// A network from a weights file, without gradients for its weights.
    fileprivate static func frozen(
        _ path: String, scale: Int, colour: Network.Colour, device: String, runtime: TorchRuntime
    ) throws -> TorchNetwork {
        let model = try Model.load(path: path, scale: scale)
        guard model.network.scale == scale, model.network.colour == colour else {
            throw AcuityError(.training, "\(path): ×\(model.network.scale), \(model.network.colour.rawValue); the recipe is ×\(scale), \(colour.rawValue)")
        }
        return try TorchNetwork(model.network, weights: model.weights, device: device, runtime: runtime)
    }
}
