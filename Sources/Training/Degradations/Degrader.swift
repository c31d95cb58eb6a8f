// Degrader: runs degradations on a device.

import SuperResolution
public import TorchEngine

/// Draws a degradation for one batch after another and carries it out on the training device.
public final class Degrader {
    public let degradation: Degradation
    public let scale: Int
    private let reduction: BicubicReduction

    public init(_ degradation: Degradation, scale: Int, device: String, runtime: TorchRuntime) {
        self.degradation = degradation
        self.scale = scale
        reduction = BicubicReduction(scale: scale, device: device, runtime: runtime)
    }

    /// - Parameter high: N×3×H×W, 0…1, H and W multiples of the scale.
    /// - Returns: the low resolution (8-bit values), the ground truth for losses on pixels and features (sharpened where the
    ///   model does so, otherwise `high` itself), and all that was drawn.
    /// - Throws: ``AcuityError`` with code `.torch` or `.training`.
    public func callAsFunction(_ high: TorchTensor, using random: inout SplitMix) throws -> (low: TorchTensor, target: TorchTensor, record: DegradationRecord) {
        let shape = try high.shape
        guard shape.count == 4, shape[1] == 3, shape[2] >= scale, shape[3] >= scale, shape[2] % scale == 0, shape[3] % scale == 0 else {
            throw AcuityError(.training, "degradation: pictures of shape \(shape); N×3×H×W with sides that are multiples of \(scale) are needed")
        }
        let record = degradation.model.draw(batch: shape[0], height: shape[2], width: shape[3], scale: scale, using: &random)
        let (low, target) = try apply(record, to: high)
        return (low, target, record)
    }

    /// Carries out what was drawn before: the same result again.
    public func apply(_ record: DegradationRecord, to high: TorchTensor) throws -> (low: TorchTensor, target: TorchTensor) {
        let target = try record.unsharpMask?.apply(to: high) ?? high
        var low = target
        for step in record.steps { low = try step.apply(to: low, reduction: reduction) }
        return (low, target)
    }
}
