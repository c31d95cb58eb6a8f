// Resampling: the classical methods of changing an image's size (nearest, bilinear, bicubic, Lanczos-3).

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A classical resampling filter, with the conventions of MATLAB's `imresize`.
///
/// Pixel centres lie at half-integers, so output `x` looks at input position `(x + ½) · input / output`. Where the image
/// shrinks the kernel is widened by the same factor (antialiasing; not for `nearest`), borders are mirrored with the edge
/// pixel included, and the weights of every output sum to 1. Any two positive sizes go together.
public enum Resampling: String, Sendable, Hashable, CaseIterable {
    /// The input pixel that the output's centre falls into.
    case nearest
    /// Triangle of half-width 1.
    case bilinear
    /// Keys' cubic convolution (1981) with a = −½, half-width 2.
    case bicubic
    /// Sinc windowed by a sinc, half-width 3.
    case lanczos3

    /// How one axis is resampled: output `i` is the sum of `weights[i · count + k] × input[indices[i · count + k]]`
    /// over `k` in `0..<count`.
    public struct Taps: Sendable, Hashable {
        /// Inputs per output.
        public let count: Int
        /// `outputs × count` input positions, already mirrored into the input.
        public let indices: [Int32]
        /// `outputs × count` weights; those of one output sum to 1.
        public let weights: [Float]

        /// Length of the output.
        public var outputs: Int { indices.count / count }

        /// The taps of some outputs, and the range of inputs they read, from which their indices then count.
        package func restricted(to range: Range<Int>) -> (taps: Taps, inputs: Range<Int>) {
            let span = (range.lowerBound * count)..<(range.upperBound * count)
            let first = indices[span].min() ?? 0
            let last = indices[span].max() ?? 0
            let taps = Taps(count: count, indices: indices[span].map { $0 - first }, weights: Array(weights[span]))
            return (taps, Int(first)..<Int(last) + 1)
        }
    }

    /// What lies beyond a picture.
    public enum Edges: Sendable, Hashable {
        /// The picture again, mirrored, the edge pixel included.
        case mirrored
        /// The picture again: the opposite side, as where textures are laid side by side.
        case wrapped

        func index(_ index: Int, into count: Int) -> Int { self == .mirrored ? mirror(index, into: count) : wrap(index, into: count) }
    }

    /// The taps that turn `input` samples into `output` samples.
    /// - Precondition: both lengths are at least 1.
    public func taps(from input: Int, to output: Int, edges: Edges = .mirrored) -> Taps {
        precondition(input > 0 && output > 0, "an axis has at least one sample")
        if self == .nearest {
            // (2i + 1) · input / (2 · output), in integers so that ties are exact.
            let indices = (0..<output).map { Int32(min(input - 1, (2 * $0 + 1) * input / (2 * output))) }
            return Taps(count: 1, indices: indices, weights: [Float](repeating: 1, count: output))
        }
        let step = Double(input) / Double(output)
        let stretch = max(1, step)  // antialiasing
        let radius = support * stretch
        let width = Int((2 * radius).rounded(.up)) + 1

        var indices = [Int32](repeating: 0, count: output * width)
        var weights = [Float](repeating: 0, count: output * width)
        var row = [Double](repeating: 0, count: width)
        for i in 0..<output {
            let centre = (Double(i) + 0.5) * step - 0.5
            let first = Int((centre - radius).rounded(.up))
            var sum = 0.0
            for k in 0..<width {
                row[k] = kernel((Double(first + k) - centre) / stretch)
                sum += row[k]
            }
            for k in 0..<width {
                indices[i * width + k] = Int32(edges.index(first + k, into: input))
                weights[i * width + k] = Float(row[k] / sum)
            }
        }
        // The last column is empty unless a centre falls exactly between the grid; dropping it saves a tap everywhere.
        if width > 1, stride(from: width - 1, to: weights.count, by: width).allSatisfy({ abs(weights[$0]) < 1e-9 }) {
            let kept = (0..<weights.count).filter { $0 % width != width - 1 }
            return Taps(count: width - 1, indices: kept.map { indices[$0] }, weights: kept.map { weights[$0] })
        }
        return Taps(count: width, indices: indices, weights: weights)
    }

    /// The raster at another size.
    /// - Precondition: the raster and the new size have at least one pixel.
    public func resize(_ raster: Raster, width: Int, height: Int) -> Raster {
        if width == raster.width && height == raster.height { return raster }
        return resample(
            raster, horizontal: taps(from: raster.width, to: width), vertical: taps(from: raster.height, to: height))
    }

    /// Half-width of the kernel at scale 1.
    private var support: Double {
        switch self {
        case .nearest: 0.5
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos3: 3
        }
    }

    private func kernel(_ position: Double) -> Double {
        let x = abs(position)
        switch self {
        case .nearest: return x <= 0.5 ? 1 : 0
        case .bilinear: return max(0, 1 - x)
        case .bicubic:
            if x <= 1 { return (1.5 * x - 2.5) * x * x + 1 }
            return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
        case .lanczos3:
            if x >= 3 { return 0 }
            if x < 1e-8 { return 1 }
            let t = Double.pi * x
            return 3 * sin(t) * sin(t / 3) / (t * t)
        }
    }
}

/// `index` reflected into `0..<count` with the edge repeated: … 1 0 | 0 1 … n−1 | n−1 n−2 …
func mirror(_ index: Int, into count: Int) -> Int {
    let period = 2 * count
    let phase = ((index % period) + period) % period
    return phase < count ? phase : period - 1 - phase
}

/// `index` in a row of copies of `0..<count`.
func wrap(_ index: Int, into count: Int) -> Int { (index % count + count) % count }

/// Resamples both axes, the one that leaves less work for the other first.
package func resample(_ raster: Raster, horizontal: Resampling.Taps, vertical: Resampling.Taps) -> Raster {
    if horizontal.outputs * raster.height <= raster.width * vertical.outputs {
        return resampleColumns(resampleRows(raster, horizontal), vertical)
    }
    return resampleRows(resampleColumns(raster, vertical), horizontal)
}

/// Changes the height. Every output row is a weighted sum of input rows, so the inner loop runs along contiguous samples.
private func resampleColumns(_ raster: Raster, _ taps: Resampling.Taps) -> Raster {
    let stride = raster.stride
    let n = taps.count
    let samples = [Float](unsafeUninitializedCapacity: stride * taps.outputs) { output, initialised in
        initialised = stride * taps.outputs
        let output = output.baseAddress!
        raster.samples.withUnsafeBufferPointer { input in
            let input = input.baseAddress!
            for y in 0..<taps.outputs {
                let row = output + y * stride
                var k = 0
                // Two rows at a time: half the traffic on the sum.
                while k < n {
                    let a = input + Int(taps.indices[y * n + k]) * stride
                    let p = taps.weights[y * n + k]
                    if k + 1 < n {
                        let b = input + Int(taps.indices[y * n + k + 1]) * stride
                        let q = taps.weights[y * n + k + 1]
                        if k == 0 {
                            for i in 0..<stride { row[i] = p * a[i] + q * b[i] }
                        } else {
                            for i in 0..<stride { row[i] += p * a[i] + q * b[i] }
                        }
                    } else if k == 0 {
                        for i in 0..<stride { row[i] = p * a[i] }
                    } else {
                        for i in 0..<stride { row[i] += p * a[i] }
                    }
                    k += 2
                }
            }
        }
    }
    return Raster(width: raster.width, height: taps.outputs, channels: raster.channels, samples: samples)
}

/// Changes the width. Eight rows are transposed side by side so that every tap is one vector multiply-add.
private func resampleRows(_ raster: Raster, _ taps: Resampling.Taps) -> Raster {
    typealias Lanes = SIMD8<Float>
    let lanes = Lanes.scalarCount
    let (channels, n) = (raster.channels, taps.count)
    let (inStride, outStride) = (raster.stride, taps.outputs * raster.channels)
    let samples = [Float](unsafeUninitializedCapacity: outStride * raster.height) { output, initialised in
        initialised = outStride * raster.height
        let output = output.baseAddress!
        withUnsafeTemporaryAllocation(of: Lanes.self, capacity: inStride) { columns in
            let columns = columns.baseAddress!
            let transposed = UnsafeMutableRawPointer(columns).assumingMemoryBound(to: Float.self)
            raster.samples.withUnsafeBufferPointer { input in
                taps.indices.withUnsafeBufferPointer { indices in
                    taps.weights.withUnsafeBufferPointer { weights in
                        for top in Swift.stride(from: 0, to: raster.height, by: lanes) {
                            let rows = min(lanes, raster.height - top)
                            for r in 0..<lanes {
                                let source = input.baseAddress! + (top + min(r, rows - 1)) * inStride
                                for i in 0..<inStride { transposed[i * lanes + r] = source[i] }
                            }
                            for x in 0..<taps.outputs {
                                for c in 0..<channels {
                                    var sum = Lanes()
                                    for k in 0..<n {
                                        sum += weights[x * n + k] * columns[Int(indices[x * n + k]) * channels + c]
                                    }
                                    for r in 0..<rows { output[(top + r) * outStride + x * channels + c] = sum[r] }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    return Raster(width: taps.outputs, height: raster.height, channels: channels, samples: samples)
}
