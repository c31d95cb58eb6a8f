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
        let bytes = try crops.batch(batch, side: wide * scale, smooth: smooth, using: &random)
        let image = try TorchTensor(bytes: bytes, shape: [batch, wide * scale, wide * scale, 3], device: device, runtime: runtime).image()
        var low = try reduction(image).centre(margin: margin, side: side)
        var high = try image.centre(margin: margin * scale, side: side * scale)
        if network.colour == .luma { (low, high) = (try low.luma(), try high.luma()) }
        return (low, high)
    }
}

extension TorchTensor {
    /// The square that is left when `margin` pixels go on every side.
    fileprivate func centre(margin: Int, side: Int) throws -> TorchTensor {
        if margin == 0 { return self }
        return try slice(dimension: 2, first: margin, count: side).slice(dimension: 3, first: margin, count: side)
    }
}
