// DegradationOperations: what turns sharp pictures into the ones that a network learns from.

internal import CTorch
public import SuperResolution

/// How ``TorchTensor/resized(height:width:by:antialiased:)`` interpolates; libtorch's conventions.
public enum Interpolation: String, Sendable, Codable, Hashable, CaseIterable {
    case nearest
    /// The mean over the source rectangle.
    case area
    case bilinear
    /// Keys with a = −0.75, where antialiased with −0.5.
    case bicubic

    var code: AcuityInterpolation {
        switch self {
        case .nearest: ACUITY_INTERPOLATE_NEAREST
        case .area: ACUITY_INTERPOLATE_AREA
        case .bilinear: ACUITY_INTERPOLATE_BILINEAR
        case .bicubic: ACUITY_INTERPOLATE_BICUBIC
        }
    }
}

/// Images are N×C×H×W, 0…1. Lists of parameters have one entry per picture of the batch. Random draws depend on their seed
/// (and the kind of device) alone.
extension TorchTensor {
    private var table: AcuityDegradationTable { runtime.table.degradation }

    /// Clipped to a range.
    public func clamped(to range: ClosedRange<Double>) throws -> TorchTensor {
        try runtime.tensor { table.clamp(handle, range.lowerBound, range.upperBound, $0, $1) }
    }

    /// Every picture correlated with its own kernel, or all with one. Borders are mirrored.
    /// - Parameter kernels: count × height × width, count being N or 1, the sides odd.
    public func blurred(_ kernels: Tensor) throws -> TorchTensor {
        guard kernels.shape.count == 3, kernels.shape.allSatisfy({ $0 > 0 }) else { throw AcuityError(.torch, "blur: kernels are count × height × width") }
        let shape = kernels.shape.map(Int64.init)
        return try kernels.values.withUnsafeBufferPointer { values in
            guard let base = values.baseAddress else { throw AcuityError(.torch, "blur: no kernels") }
            return try runtime.tensor { table.blur(handle, base, shape[0], shape[1], shape[2], $0, $1) }
        }
    }

    /// - Parameter antialiased: whether the kernels of `bilinear` and `bicubic` widen where the picture shrinks.
    public func resized(height: Int, width: Int, by method: Interpolation, antialiased: Bool = false) throws -> TorchTensor {
        try runtime.tensor { table.resize(handle, Int64(height), Int64(width), method.code, antialiased ? 1 : 0, $0, $1) }
    }

    /// Adds `mixing · n`, n being three standard normal draws per pixel.
    /// - Parameter mixing: nine numbers (a 3×3 matrix by rows) per picture, in units of 0…1.
    public func addingGaussianNoise(mixing: [Float], seed: UInt64) throws -> TorchTensor {
        try require(mixing.count == count() * 9, "noise: a 3×3 matrix per picture")
        return try runtime.tensor { table.gaussian_noise(handle, mixing, seed, $0, $1) }
    }

    /// Real-ESRGAN's Poisson noise: what is added is `scale` times the noise of as many photons as the picture has levels.
    public func addingPoissonNoise(scale: [Float], grey: [Bool], seed: UInt64) throws -> TorchTensor {
        let count = try count()
        try require(scale.count == count && grey.count == count, "noise: a scale per picture")
        return try runtime.tensor { table.poisson_noise(handle, scale, grey.map { $0 ? 1 : 0 }, seed, $0, $1) }
    }

    /// Adds a sensor's noise, of variance `shot · x + read²`, in linear light.
    public func addingSensorNoise(shot: [Float], read: [Float], seed: UInt64) throws -> TorchTensor {
        let count = try count()
        try require(shot.count == count && read.count == count, "noise: shot and read noise per picture")
        return try runtime.tensor { table.sensor_noise(handle, shot, read, seed, $0, $1) }
    }

    /// What baseline JPEG leaves of RGB, with libjpeg's tables, roundings and chroma upsampling.
    /// - Parameters:
    ///   - quality: 1…100.
    ///   - subsampled: 4:2:0, otherwise 4:4:4.
    public func jpeg(quality: [Int], subsampled: Bool) throws -> TorchTensor {
        try require(quality.count == count(), "JPEG: a quality per picture")
        return try runtime.tensor { table.jpeg(handle, quality.map(Int32.init(clamping:)), subsampled ? 1 : 0, $0, $1) }
    }

    /// From sRGB's transfer curve to linear light.
    public func linearised() throws -> TorchTensor { try runtime.tensor { table.linearise(handle, 0, $0, $1) } }

    /// From linear light to sRGB's transfer curve.
    public func delinearised() throws -> TorchTensor { try runtime.tensor { table.linearise(handle, 1, $0, $1) } }

    /// RGB behind an RGGB colour filter array: one channel.
    public func mosaicked() throws -> TorchTensor { try runtime.tensor { table.mosaic(handle, $0, $1) } }

    /// RGB from an RGGB mosaic (Malvar, He and Cutler 2004).
    public func demosaicked() throws -> TorchTensor { try runtime.tensor { table.demosaic(handle, $0, $1) } }

    /// Every channel times a factor of its own: `factors` is N × C.
    public func multiplied(byChannel factors: [Float]) throws -> TorchTensor {
        let shape = try shape
        try require(shape.count == 4 && factors.count == shape[0] * shape[1], "gains: a factor per channel")
        return try runtime.tensor { table.gains(handle, factors, $0, $1) }
    }

    /// Every channel enlarged about a centre by a factor of its own, the size staying.
    /// - Parameters:
    ///   - factors: N × C, above 0.
    ///   - centre: N × (x, y), −1…1 over the picture.
    public func magnified(_ factors: [Float], about centre: [Float]) throws -> TorchTensor {
        let shape = try shape
        try require(
            shape.count == 4 && factors.count == shape[0] * shape[1] && centre.count == shape[0] * 2 && factors.allSatisfy { $0 > 0 },
            "magnification: a factor above 0 per channel and a centre per picture")
        return try runtime.tensor { table.magnify(handle, factors, centre, $0, $1) }
    }

    /// Divided by `(1 + strength · r²)²`, r being 1 half a diagonal away from the centre: the cos⁴ law of lenses.
    public func vignetted(strength: [Float], centre: [Float]) throws -> TorchTensor {
        let count = try count()
        try require(strength.count == count && centre.count == count * 2, "vignette: a strength and a centre per picture")
        return try runtime.tensor { table.vignette(handle, strength, centre, $0, $1) }
    }

    /// Every picture in at most `colours` (2…256) colours of its own.
    /// - Parameter dither: strength of an 8×8 ordered dither, 0 for none.
    public func reduced(toColours colours: Int, dither: Double, seed: UInt64) throws -> TorchTensor {
        try runtime.tensor { table.palette(handle, Int64(colours), dither, seed, $0, $1) }
    }

    /// Unsharp masking: `x + weight · (x − soft)`, soft being the picture blurred.
    /// - Parameters:
    ///   - taps: an odd number of taps, used along both axes.
    ///   - weight: per picture.
    ///   - threshold: where given, only details above it (0…1) are sharpened, with a mask softened by the same blur.
    public func unsharpMasked(taps: [Float], weight: [Float], threshold: Double?) throws -> TorchTensor {
        try require(weight.count == count() && taps.count % 2 == 1, "unsharp mask: an odd number of taps and a weight per picture")
        return try runtime.tensor {
            table.unsharp(handle, taps, Int64(taps.count), weight, threshold ?? 0, threshold == nil ? 0 : 1, $0, $1)
        }
    }

    /// Pictures or batches as one batch.
    public static func joined(_ tensors: [TorchTensor]) throws -> TorchTensor {
        guard let first = tensors.first else { throw AcuityError(.torch, "no pictures for a batch") }
        let handles = tensors.map { Optional($0.handle) }
        return try first.runtime.tensor { first.table.join(handles, Int32(handles.count), $0, $1) }
    }

    private func count() throws -> Int { try shape.first ?? 0 }

    private func require(_ condition: Bool, _ reason: String) throws {
        if !condition { throw AcuityError(.torch, reason) }
    }
}
