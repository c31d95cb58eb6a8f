// DeviceOperations: feeding a device from crops that lie on it, and the rate at which it multiplies matrices.

internal import CTorch

extension TorchTensor {
    /// One square patch: its top left corner in a crop, and its symmetry: bits mirror x, mirror y, swap the axes.
    public struct Pick: Sendable, Hashable {
        public var crop: Int
        public var x: Int
        public var y: Int
        public var turn: Int

        public init(crop: Int, x: Int, y: Int, turn: Int) {
            self.crop = crop
            self.x = x
            self.y = y
            self.turn = turn
        }
    }

    /// Patches cut from this tensor of crops (n×size×size×3 uint8) on its device, without a copy from the host.
    /// - Returns: picks×side×side×3 uint8.
    /// - Throws: ``AcuityError`` with code `.torch` when a patch does not lie inside its crop.
    public func patches(_ picks: [Pick], side: Int) throws -> TorchTensor {
        let numbers = picks.flatMap { [Int64($0.crop), Int64($0.x), Int64($0.y), Int64($0.turn)] }
        return try runtime.tensor { runtime.table.device.patches(handle, numbers, Int64(picks.count), Int64(side), $0, $1) }
    }

    /// Replaces some of these patches (n×side×side×3 uint8) by smooth fields of colour.
    /// - Parameter fields: which patch, and four corners of RGB, 0…255: top left, bottom left, top right, bottom right.
    public func drawFields(_ fields: [(place: Int, corners: [Float])]) throws {
        guard !fields.isEmpty else { return }
        let places = fields.map { Int64($0.place) }
        let corners = (0..<4).flatMap { corner in fields.flatMap { $0.corners[(3 * corner)..<(3 * corner + 3)] } }
        try runtime.check { runtime.table.device.draw_fields(handle, places, corners, Int64(places.count), $0) }
    }
}

extension TorchTensor {
    /// Convolution with "same" padding and stride 1 in the type of its weight, then `bias` and PReLU with one `slope` per channel, both in
    /// fp32: on a GPU in fewer passes over memory than one after the other.
    func convolutionPReLU(_ weight: TorchTensor, bias: TorchTensor, slope: TorchTensor) throws -> TorchTensor {
        try runtime.tensor { runtime.table.device.convolution_prelu(handle, weight.handle, bias.handle, slope.handle, $0, $1) }
    }
}

extension TorchRuntime {
    /// Whether ``TorchTensor/convolutionPReLU(_:bias:slope:)`` is faster than its parts, and right: tried on the device the first time.
    func hasFusedKernels() throws -> Bool {
        var available: Int32 = 0
        try check { table.device.fused_available(&available, $0) }
        return available != 0
    }

    /// Whether the device has a unit for matrices of bf16 (a GPU, Intel's AMX). Where it has none, fp32 is faster and more exact.
    public func hasMatrixUnit(device: String) throws -> Bool {
        var available: Int32 = 0
        try check { table.device.has_matrix_unit(device, &available, $0) }
        return available != 0
    }

    /// The rate of a bf16 matrix product on a device, 10¹² operations per second, two per multiplication.
    public func matrixRate(device: String) throws -> Double {
        var rate = 0.0
        try check { table.device.matrix_rate(device, ACUITY_BFLOAT16, &rate, $0) }
        return rate
    }
}
