// Interpolation: networks between two networks, by their weights.

extension StateDict {
    /// Weights between these and others: `(1 − share) · these + share · others`.
    ///
    /// Two networks that come from one, such as a model and what it was trained further into, are joined by networks that work, whose
    /// character changes steadily (Wang et al., ESRGAN, 2018, § 3.4; Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
    /// - Parameter share: 0…1.
    /// - Throws: ``AcuityError``: `.weights` where the two hold different tensors, `.usage` for another share.
    public func interpolated(with other: StateDict, share: Double) throws -> StateDict {
        guard (0...1).contains(share) else { throw AcuityError(.usage, "share \(share): must lie between 0 and 1") }
        if let key = Set(keys).symmetricDifference(other.keys).min() {
            throw AcuityError(.weights, "only one of the two networks has \(key)")
        }
        let share = Float(share)
        return try StateDict(uniqueKeysWithValues: map { key, tensor in
            guard let target = other[key], target.shape == tensor.shape else {
                throw AcuityError(.weights, "\(key) has different shapes in the two networks")
            }
            return (key, Tensor(shape: tensor.shape, values: zip(tensor.values, target.values).map { (1 - share) * $0 + share * $1 }))
        })
    }
}
