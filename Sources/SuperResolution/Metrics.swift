// Metrics: how close a result is to the ground truth: PSNR and SSIM on luma, as the papers report them.

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Full-reference measures of the literature's protocol.
///
/// Both pictures are clipped and rounded to 8 bit first. Y is ITU-R BT.601 studio swing, as MATLAB's `rgb2ycbcr`, in
/// floating point and not rounded (the convention of RCAN's script and BasicSR; older papers rounded Y, which reads
/// up to 0.07 dB lower). The luma of a grey picture is its grey value, 0…255, as in the scripts behind the published
/// Set14 figures (one of its fourteen pictures is grey).
public enum Metrics {
    /// Peak signal-to-noise ratio on Y in decibel, peak 255; infinite for equal pictures.
    /// - Parameter crop: pixels left out on every side, by convention the scale.
    /// - Throws: ``AcuityError`` with code `.image` when shapes differ or nothing is left after cropping.
    public static func psnrY(_ result: Raster, against truth: Raster, crop: Int = 0) throws -> Double {
        psnr(try luma(result, crop: crop), try lumaOfTruth(truth, like: result, crop: crop))
    }

    /// Structural similarity on Y (Wang et al. 2004): 11×11 Gaussian window with σ 1.5 where it fits entirely,
    /// K₁ = 0.01, K₂ = 0.03, range 255; mean over the map, at most 1.
    /// - Parameter crop: pixels left out on every side, by convention the scale.
    /// - Throws: ``AcuityError`` with code `.image` when shapes differ or less than 11×11 pixels are left.
    public static func ssimY(_ result: Raster, against truth: Raster, crop: Int = 0) throws -> Double {
        try ssim(try luma(result, crop: crop), try lumaOfTruth(truth, like: result, crop: crop))
    }

    /// Peak signal-to-noise ratio in decibel over all samples as they are, peak 1; infinite for equal rasters.
    /// - Throws: ``AcuityError`` with code `.image` when shapes differ.
    public static func psnr(_ a: Raster, against b: Raster) throws -> Double {
        guard a.width == b.width, a.height == b.height, a.channels == b.channels else {
            throw AcuityError(.image, "cannot compare \(shape(a)) with \(shape(b))")
        }
        var sum = 0.0
        for (x, y) in zip(a.samples, b.samples) {
            let difference = Double(x) - Double(y)
            sum += difference * difference
        }
        return 10 * log10(Double(max(1, a.samples.count)) / sum)
    }

    // MARK: - Luma

    /// Luma on the 8-bit scale, row by row.
    struct Luma {
        let width: Int
        let height: Int
        let values: [Double]
    }

    private static func luma(_ raster: Raster, crop: Int) throws -> Luma {
        guard crop >= 0, raster.width > 2 * crop, raster.height > 2 * crop else {
            throw AcuityError(.image, "nothing is left of \(raster.width)×\(raster.height) pixels without a border of \(crop)")
        }
        guard raster.channels == 1 || raster.channels == 3 else {
            throw AcuityError(.image, "luma needs 1 or 3 channels, not \(raster.channels)")
        }
        let (width, height, channels) = (raster.width - 2 * crop, raster.height - 2 * crop, raster.channels)
        var values = [Double](repeating: 0, count: width * height)
        raster.samples.withUnsafeBufferPointer { samples in
            for y in 0..<height {
                var source = ((y + crop) * raster.width + crop) * channels
                for x in 0..<width {
                    let red = level(samples[source])
                    if channels == 3 {
                        let (green, blue) = (level(samples[source + 1]), level(samples[source + 2]))
                        values[y * width + x] = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
                    } else {
                        values[y * width + x] = red
                    }
                    source += channels
                }
            }
        }
        return Luma(width: width, height: height, values: values)
    }

    private static func lumaOfTruth(_ truth: Raster, like result: Raster, crop: Int) throws -> Luma {
        guard truth.width == result.width, truth.height == result.height, truth.channels == result.channels else {
            throw AcuityError(.image, "cannot compare \(shape(result)) with \(shape(truth))")
        }
        return try luma(truth, crop: crop)
    }

    /// The 8-bit level that a sample is written as; 0 for NaN.
    private static func level(_ sample: Float) -> Double {
        Double((min(max(sample, 0), 1) * 255 + 0.5).rounded(.down))
    }

    private static func shape(_ raster: Raster) -> String { "\(raster.width)×\(raster.height)×\(raster.channels)" }

    // MARK: - Measures on luma

    private static func psnr(_ a: Luma, _ b: Luma) -> Double {
        var sum = 0.0
        for (x, y) in zip(a.values, b.values) { sum += (x - y) * (x - y) }
        return 10 * log10(255 * 255 * Double(a.values.count) / sum)
    }

    private static func ssim(_ a: Luma, _ b: Luma) throws -> Double {
        let taps = 11
        guard a.width >= taps, a.height >= taps else {
            throw AcuityError(.image, "SSIM needs at least 11×11 pixels, \(a.width)×\(a.height) are left")
        }
        let variance = 1.5 * 1.5
        var window = (0..<taps).map { tap -> Double in
            let distance = Double(tap - taps / 2)
            return exp(-distance * distance / (2 * variance))
        }
        let total = window.reduce(0, +)
        window = window.map { $0 / total }

        let (width, height) = (a.width - taps + 1, a.height - taps + 1)
        let (c1, c2) = (0.01 * 255 * 0.01 * 255, 0.03 * 255 * 0.03 * 255)
        // The window is separable: five moments of a row are filtered down the columns first, then along the row.
        var rows = [Double](repeating: 0, count: 5 * a.width)
        var sum = 0.0
        a.values.withUnsafeBufferPointer { a0 in
            b.values.withUnsafeBufferPointer { b0 in
                rows.withUnsafeMutableBufferPointer { moments in
                    let w = a.width
                    for y in 0..<height {
                        moments.update(repeating: 0)
                        for (tap, weight) in window.enumerated() {
                            let start = (y + tap) * w
                            for x in 0..<w {
                                let (p, q) = (a0[start + x], b0[start + x])
                                moments[x] += weight * p
                                moments[w + x] += weight * q
                                moments[2 * w + x] += weight * p * p
                                moments[3 * w + x] += weight * q * q
                                moments[4 * w + x] += weight * p * q
                            }
                        }
                        for x in 0..<width {
                            var (p, q, pp, qq, pq) = (0.0, 0.0, 0.0, 0.0, 0.0)
                            for tap in 0..<taps {
                                let weight = window[tap]
                                p += weight * moments[x + tap]
                                q += weight * moments[w + x + tap]
                                pp += weight * moments[2 * w + x + tap]
                                qq += weight * moments[3 * w + x + tap]
                                pq += weight * moments[4 * w + x + tap]
                            }
                            let luminance = (2 * p * q + c1) / (p * p + q * q + c1)
                            let structure = (2 * (pq - p * q) + c2) / (pp - p * p + qq - q * q + c2)
                            sum += luminance * structure
                        }
                    }
                }
            }
        }
        return sum / Double(width * height)
    }
}
