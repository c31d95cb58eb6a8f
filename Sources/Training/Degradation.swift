// Degradation: how training and validation make low resolution, by tensor operations on the device.

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

/// Random pairs of low and high resolution from crops.
final class PairSampler {
    private let crops: CropShards
    private let reduction: BicubicReduction
    private let network: Network
    private let device: String
    private let runtime: TorchRuntime
    /// On a GPU all crops, so that a step copies next to nothing from the host.
    private var resident: TorchTensor?

    init(_ crops: CropShards, network: Network, device: String, runtime: TorchRuntime) {
        self.crops = crops
        self.network = network
        self.device = device
        self.runtime = runtime
        reduction = BicubicReduction(scale: network.scale, device: device, runtime: runtime)
    }

    /// - Parameters:
    ///   - side: low-resolution pixels.
    ///   - smooth: see ``Recipe/smooth``.
    /// - Returns: N×C×side×side and N×C×(scale·side)×(scale·side), C being 1 for a luma network.
    func pairs(_ batch: Int, side: Int, smooth: Double = 0, using random: inout SplitMix) throws -> (low: TorchTensor, high: TorchTensor) {
        let scale = network.scale
        // Low resolution is made from a wider region, so that the mirrored border stays out of the patch (the filter reaches 2½ pixels).
        let margin = max(0, min(3, (crops.size / scale - side) / 2))
        let wide = side + 2 * margin
        let image = try patches(batch, side: wide * scale, smooth: smooth, using: &random).image()
        var low = try reduction(image).centre(margin: margin, side: side)
        var high = try image.centre(margin: margin * scale, side: side * scale)
        if network.colour == .luma { (low, high) = (try low.luma(), try high.luma()) }
        return (low, high)
    }

    /// batch×side×side×3 bytes on the device.
    private func patches(_ batch: Int, side: Int, smooth: Double, using random: inout SplitMix) throws -> TorchTensor {
        guard device != "cpu" else {
            let bytes = try crops.batch(batch, side: side, smooth: smooth, using: &random)
            return try TorchTensor(bytes: bytes, shape: [batch, side, side, 3], device: device, runtime: runtime)
        }
        let source = try resident ?? crops.tensor(device: device, runtime: runtime)
        resident = source
        return try crops.draw(batch, side: side, smooth: smooth, using: &random).patches(of: source, side: side)
    }
}

extension [CropShards.Draw] {
    /// Cuts and draws these patches on the device where the crops lie.
    package func patches(of crops: TorchTensor, side: Int) throws -> TorchTensor {
        let patches = try crops.patches(map { if case .patch(let pick) = $0 { pick } else { .init(crop: 0, x: 0, y: 0, turn: 0) } }, side: side)
        try patches.drawFields(enumerated().compactMap { if case .field(let corners) = $0.element { ($0.offset, corners) } else { nil } })
        return patches
    }
}

extension TorchTensor {
    /// The square that is left when `margin` pixels go on every side.
    fileprivate func centre(margin: Int, side: Int) throws -> TorchTensor {
        if margin == 0 { return self }
        return try slice(dimension: 2, first: margin, count: side).slice(dimension: 3, first: margin, count: side)
    }
}
