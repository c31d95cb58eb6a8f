// DegradationOperations: what turns sharp pictures into the ones that a network learns from.

internal import CTorch

extension TorchTensor {
    private var table: AcuityDegradationTable { runtime.table.degradation }

    /// Clipped to a range.
    public func clamped(to range: ClosedRange<Double>) throws -> TorchTensor {
        try runtime.tensor { table.clamp(handle, range.lowerBound, range.upperBound, $0, $1) }
    }
}
