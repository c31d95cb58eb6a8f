// TrainingOperations: losses and whatever else only a training step needs.

internal import CTorch

extension TorchTensor {
    private var table: AcuityTrainingTable { runtime.table.training }

    /// The same values outside any graph, not copied.
    public func detached() throws -> TorchTensor { try runtime.tensor { table.detach(handle, $0, $1) } }
}
