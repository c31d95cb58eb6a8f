// PixelBuffer: a whole picture at 8 or 16 bits per sample, from which tiles are taken as floats and into which they go back.

/// Pixels in compact form, so that a large picture never exists whole as floats.
///
/// Samples are interleaved, rows run top to bottom without padding, 0 is black and the largest integer is white.
public struct PixelBuffer: Sendable, Equatable {
    /// Bits per sample.
    public enum Depth: Int, Sendable, Hashable {
        case eight = 8
        case sixteen = 16

        /// Bytes per sample.
        public var bytes: Int { rawValue / 8 }
        /// The sample that means white.
        var white: Float { self == .eight ? 255 : 65535 }
    }

    /// Pixels per row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Samples per pixel, 1…4.
    public let channels: Int
    public let depth: Depth
    /// `width × height × channels` samples; 16-bit ones in the machine's byte order.
    public private(set) var bytes: [UInt8]

    /// A buffer of zeros.
    /// - Precondition: sides are not negative, and there are 1…4 channels.
    public init(width: Int, height: Int, channels: Int, depth: Depth) {
        self.init(
            width: width, height: height, channels: channels, depth: depth,
            bytes: [UInt8](repeating: 0, count: width * height * channels * depth.bytes))
    }

    /// Wraps samples that are already in memory.
    /// - Precondition: `bytes` holds exactly `width × height × channels` samples.
    public init(width: Int, height: Int, channels: Int, depth: Depth, bytes: [UInt8]) {
        precondition(width >= 0 && height >= 0 && (1...4).contains(channels), "a pixel buffer has 1 to 4 channels")
        precondition(bytes.count == width * height * channels * depth.bytes, "a pixel buffer needs width × height × channels samples")
        self.width = width
        self.height = height
        self.channels = channels
        self.depth = depth
        self.bytes = bytes
    }

    /// A buffer of samples that are still to be written, every one of them.
    init(unfilledWidth width: Int, height: Int, channels: Int, depth: Depth) {
        let count = width * height * channels * depth.bytes
        self.init(
            width: width, height: height, channels: channels, depth: depth,
            bytes: [UInt8](unsafeUninitializedCapacity: count) { _, initialised in initialised = count })
    }

    /// A whole raster, clipped to 0…1 and rounded to nearest.
    public init(_ raster: Raster, depth: Depth) {
        self.init(width: raster.width, height: raster.height, channels: raster.channels, depth: depth)
        write(raster, x: 0, y: 0)
    }

    /// The whole picture as floats.
    public var raster: Raster { raster(of: Region(x: 0, y: 0, width: width, height: height)) }

    /// The pixels inside `region` as floats, 0…1.
    /// - Precondition: `region` lies inside the buffer.
    public func raster(of region: Region) -> Raster {
        precondition(region.isInside(width: width, height: height), "the region must lie inside the buffer")
        let count = region.width * region.height * channels
        let samples = [Float](unsafeUninitializedCapacity: count) { output, initialised in
            initialised = count
            if let output = output.baseAddress { load(region, into: output) }
        }
        return Raster(width: region.width, height: region.height, channels: channels, samples: samples)
    }

    /// A part of the picture as floats, row after row.
    func load(_ region: Region, into output: UnsafeMutablePointer<Float>) {
        precondition(region.isInside(width: width, height: height), "the region must lie inside the buffer")
        bytes.withUnsafeBytes { input in
            switch depth {
            case .eight: load(input.assumingMemoryBound(to: UInt8.self), region, into: output)
            case .sixteen: load(input.assumingMemoryBound(to: UInt16.self), region, into: output)
            }
        }
    }

    /// Stores the pixels of `source` (all of `raster` when `nil`) with their top left corner at column `x`, row `y`,
    /// clipped to 0…1 and rounded to nearest. What falls outside the buffer is dropped; NaN becomes 0.
    /// - Returns: whether all of it was finite.
    /// - Precondition: as many channels as the buffer; `source` inside the raster; `x` and `y` not negative.
    @discardableResult
    public mutating func write(_ raster: Raster, from source: Region? = nil, x: Int, y: Int) -> Bool {
        var source = source ?? Region(x: 0, y: 0, width: raster.width, height: raster.height)
        precondition(raster.channels == channels, "raster and buffer must have the same channels")
        precondition(source.isInside(width: raster.width, height: raster.height) && x >= 0 && y >= 0, "the source must lie inside the raster")
        source.width = min(source.width, width - x)
        source.height = min(source.height, height - y)
        guard source.width > 0, source.height > 0 else { return true }
        let (depth, width, channels) = (depth, width, channels)
        return bytes.withUnsafeMutableBytes { output in
            raster.samples.withUnsafeBufferPointer { input in
                var isFinite = true
                for r in 0..<source.height {
                    let from = input.baseAddress! + ((source.y + r) * raster.width + source.x) * channels
                    let start = ((y + r) * width + x) * channels
                    let count = source.width * channels
                    let row = switch depth {
                    case .eight:
                        quantise(from, into: output.assumingMemoryBound(to: UInt8.self).baseAddress! + start, count: count, white: depth.white)
                    case .sixteen:
                        quantise(from, into: output.assumingMemoryBound(to: UInt16.self).baseAddress! + start, count: count, white: depth.white)
                    }
                    isFinite = isFinite && row
                }
                return isFinite
            }
        }
    }

    /// Stores the pixels of another buffer of the same kind with their top left corner at column `x`, row `y`.
    /// - Precondition: they fit.
    mutating func paste(_ pixels: PixelBuffer, x: Int, y top: Int = 0) {
        precondition(pixels.channels == channels && pixels.depth == depth && x >= 0 && x + pixels.width <= width, "they must fit")
        precondition(top >= 0 && top + pixels.height <= height, "they must fit")
        if pixels.width == width, pixels.height == height {
            bytes = pixels.bytes
            return
        }
        let pixel = channels * depth.bytes
        let (row, step) = (pixels.width * pixel, width * pixel)
        bytes.withUnsafeMutableBytes { output in
            pixels.bytes.withUnsafeBytes { input in
                for y in 0..<pixels.height where row > 0 {
                    (output.baseAddress! + (top + y) * step + x * pixel).copyMemory(from: input.baseAddress! + y * row, byteCount: row)
                }
            }
        }
    }

    /// Some pixels of the picture.
    /// - Precondition: `region` lies inside the buffer.
    public func cropped(to region: Region) -> PixelBuffer {
        precondition(region.isInside(width: width, height: height), "the region must lie inside the buffer")
        let pixel = channels * depth.bytes
        var result: [UInt8] = []
        result.reserveCapacity(region.width * region.height * pixel)
        for y in region.y..<region.y + region.height {
            let start = (y * width + region.x) * pixel
            result.append(contentsOf: bytes[start..<start + region.width * pixel])
        }
        return PixelBuffer(width: region.width, height: region.height, channels: channels, depth: depth, bytes: result)
    }

    /// The picture as a tile among its like: with so many columns and rows of the opposite side around it.
    func wrapped(by margin: Int) -> PixelBuffer {
        let pixel = channels * depth.bytes
        var result: [UInt8] = []
        result.reserveCapacity((width + 2 * margin) * (height + 2 * margin) * pixel)
        for y in -margin..<height + margin {
            let row = wrap(y, into: height) * width
            for x in -margin..<width + margin {
                let start = (row + wrap(x, into: width)) * pixel
                result.append(contentsOf: bytes[start..<start + pixel])
            }
        }
        return PixelBuffer(width: width + 2 * margin, height: height + 2 * margin, channels: channels, depth: depth, bytes: result)
    }

    /// Whether all samples are the same.
    package var isUniform: Bool {
        let step = depth.bytes
        return bytes.withUnsafeBytes { all in all.indices.dropFirst(step).allSatisfy { all[$0] == all[$0 - step] } }
    }

    /// Direct access to the samples' bytes, for decoders and encoders.
    public mutating func withUnsafeMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeMutableBytes(body)
    }

    private func load<Sample: FixedWidthInteger>(
        _ input: UnsafeBufferPointer<Sample>, _ region: Region, into output: UnsafeMutablePointer<Float>
    ) {
        let row = region.width * channels
        guard row > 0, let input = input.baseAddress else { return }
        let unit = 1 / depth.white
        for y in 0..<region.height {
            let from = input + ((region.y + y) * width + region.x) * channels
            let to = output + y * row
            for i in 0..<row { to[i] = Float(Int32(truncatingIfNeeded: from[i])) * unit }
        }
    }
}

/// Clips to 0…1, scales to `white` and rounds. Adding 2²³ leaves the rounded integer in a float's low bits: no
/// conversion that could trap, so the loop vectorises.
/// - Returns: whether all values were finite.
@inline(__always)
private func quantise<Sample: FixedWidthInteger>(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Sample>, count: Int, white: Float
) -> Bool {
    var largest: Int32 = 0
    for i in 0..<count {
        let value = input[i]
        // Without the sign, floats are ordered as their bits are, infinity and NaN above all.
        largest = max(largest, Int32(truncatingIfNeeded: value.bitPattern & 0x7fff_ffff))
        let low: Float = value > 0 ? value : 0
        let clipped: Float = low < 1 ? low : 1
        output[i] = Sample(truncatingIfNeeded: (clipped * white + 8_388_608).bitPattern)
    }
    return largest < 0x7f80_0000
}

extension Resampling {
    /// The picture at another size, in strips of rows so that only a few megabytes exist as floats at a time.
    /// - Parameter edges: what lies beyond the picture.
    /// - Precondition: picture and new size have at least one pixel.
    /// - Throws: `CancellationError` when the task is cancelled.
    public func resize(
        _ pixels: PixelBuffer, width: Int, height: Int, depth: PixelBuffer.Depth? = nil, edges: Edges = .mirrored, progress: (Double) -> Void = { _ in }
    ) throws -> PixelBuffer {
        let horizontal = taps(from: pixels.width, to: width, edges: edges)
        let vertical = taps(from: pixels.height, to: height, edges: edges)
        var result = PixelBuffer(width: width, height: height, channels: pixels.channels, depth: depth ?? pixels.depth)
        // Rows per strip: about four million floats on the wider side of the step.
        let widest = max(width, pixels.width * max(1, pixels.height / height)) * pixels.channels
        let rows = max(1, min(height, (4 << 20) / widest))
        for y in stride(from: 0, to: height, by: rows) {
            try Task.checkCancellation()
            let (taps, inputs) = vertical.restricted(to: y..<min(height, y + rows))
            let strip = pixels.raster(of: Region(x: 0, y: inputs.lowerBound, width: pixels.width, height: inputs.count))
            result.write(resample(strip, horizontal: horizontal, vertical: taps), x: 0, y: y)
            progress(Double(min(height, y + rows)) / Double(height))
        }
        return result
    }
}
