// RowSource: a picture as rows that come from top to bottom, so that it never has to exist whole.

/// A picture's rows from top to bottom, a strip at a time.
///
/// Strips are pulled: whoever enlarges asks for as many rows as it looks at, and keeps no more. A source is used by one task.
public protocol RowSource: AnyObject {
    /// Pixels per row.
    var width: Int { get }
    /// Rows in all.
    var height: Int { get }
    /// Samples per pixel, 1…4.
    var channels: Int { get }
    var depth: PixelBuffer.Depth { get }

    /// The next rows, at least one, as wide as the picture; `nil` after the last.
    /// - Throws: ``AcuityError``; `CancellationError` when the task is cancelled.
    func next() async throws -> PixelBuffer?
}

extension RowSource {
    /// All rows at once.
    public func collect() async throws -> PixelBuffer {
        guard let first = try await next() else { return PixelBuffer(width: width, height: 0, channels: channels, depth: depth) }
        if first.height == height { return first }
        var bytes = first.bytes
        bytes.reserveCapacity(width * height * channels * depth.bytes)
        while let strip = try await next() { bytes.append(contentsOf: strip.bytes) }
        return PixelBuffer(width: width, height: height, channels: channels, depth: depth, bytes: bytes)
    }
}

extension PixelBuffer {
    /// Strips of equal width and kind as one picture, less some rows at the top.
    /// - Precondition: at least one strip.
    package init(stacking strips: [PixelBuffer], without dropped: Int = 0) {
        let first = strips[0], row = first.width * first.channels * first.depth.bytes
        let height = strips.reduce(0) { $0 + $1.height } - dropped
        var (bytes, left) = ([UInt8](), dropped * row)
        bytes.reserveCapacity(height * row)
        for strip in strips {
            let skipped = min(left, strip.bytes.count)
            bytes.append(contentsOf: strip.bytes[skipped...])
            left -= skipped
        }
        self.init(width: first.width, height: height, channels: first.channels, depth: first.depth, bytes: bytes)
    }
}

/// The rows of a picture that is in memory, all in one strip.
public final class BufferRows: RowSource {
    private var pixels: PixelBuffer?
    public let width: Int
    public let height: Int
    public let channels: Int
    public let depth: PixelBuffer.Depth

    public init(_ pixels: PixelBuffer) {
        self.pixels = pixels
        (width, height, channels, depth) = (pixels.width, pixels.height, pixels.channels, pixels.depth)
    }

    public func next() -> PixelBuffer? {
        defer { pixels = nil }
        return pixels
    }
}

/// Those rows of a source that are still looked at.
package struct RowWindow {
    private let source: any RowSource
    private var pixels: PixelBuffer
    /// Where in the picture ``pixels`` begins.
    private var first = 0

    package init(_ source: any RowSource) {
        self.source = source
        pixels = PixelBuffer(width: source.width, height: 0, channels: source.channels, depth: source.depth)
    }

    /// Pulls until all of `rows` are here. Rows above them may be gone then.
    package mutating func fetch(_ rows: Range<Int>) async throws {
        guard rows.upperBound > first + pixels.height else { return }
        var strips: [PixelBuffer] = []
        var end = first + pixels.height
        while end < rows.upperBound {
            guard let strip = try await source.next() else { preconditionFailure("a source gives as many rows as it has") }
            strips.append(strip)
            end += strip.height
        }
        // A picture that comes whole is not copied.
        if pixels.height == 0, strips.count == 1 {
            (pixels, first) = (strips[0], end - strips[0].height)
            return
        }
        let kept = max(first, min(rows.lowerBound, end - 1))
        pixels = PixelBuffer(stacking: [pixels] + strips, without: kept - first)
        first = kept
    }

    /// A part of the picture, by its place in the whole, as floats.
    /// - Precondition: its rows have been fetched.
    package func raster(of region: Region) -> Raster {
        var region = region
        region.y -= first
        return pixels.raster(of: region)
    }

    /// Like ``raster(of:)``, with the picture mirrored where `region` reaches past its edges.
    package func mirroredRaster(of region: Region) -> Raster {
        let (width, height) = (source.width, source.height)
        if region.isInside(width: width, height: height) { return raster(of: region) }
        // Small pictures are mirrored many times over, so that a frame's pixels may come from anywhere.
        let columns = (0..<region.width).map { mirror(region.x + $0, into: width) }
        let rows = (0..<region.height).map { mirror(region.y + $0, into: height) }
        let channels = source.channels
        // Columns inside the picture are taken as they are.
        let left = min(max(0, -region.x), region.width), right = max(left, min(region.width, width - region.x))
        let samples = [Float](unsafeUninitializedCapacity: region.width * region.height * channels) { target, initialised in
            initialised = region.width * region.height * channels
            guard let target = target.baseAddress else { return }
            for (y, row) in rows.enumerated() {
                let to = target + y * region.width * channels
                func load(_ place: Int, count: Int) {
                    pixels.load(Region(x: columns[place], y: row - first, width: count, height: 1), into: to + place * channels)
                }
                for place in 0..<left { load(place, count: 1) }
                if left < right { load(left, count: right - left) }
                for place in right..<region.width { load(place, count: 1) }
            }
        }
        return Raster(width: region.width, height: region.height, channels: channels, samples: samples)
    }
}

/// Rows that pass by and are kept until somebody else takes them too.
package final class KeptRows: RowSource {
    package var width: Int { source.width }
    package var height: Int { source.height }
    package var channels: Int { source.channels }
    package var depth: PixelBuffer.Depth { source.depth }
    private let source: any RowSource
    private var kept: [PixelBuffer] = []
    /// Where the first strip begins.
    private var first = 0

    package init(_ source: any RowSource) { self.source = source }

    package func next() async throws -> PixelBuffer? {
        guard let strip = try await source.next() else { return nil }
        kept.append(strip)
        return strip
    }

    /// Rows that have passed. Those above them are let go.
    package func take(_ rows: Range<Int>) -> PixelBuffer {
        while let strip = kept.first, first + strip.height <= rows.lowerBound {
            first += strip.height
            kept.removeFirst()
        }
        var (count, height) = (0, 0)
        while count < kept.count, first + height < rows.upperBound {
            height += kept[count].height
            count += 1
        }
        precondition(first + height >= rows.upperBound, "a result looks at the rows that it is made of")
        let here = count == 1 ? kept[0] : PixelBuffer(stacking: Array(kept[..<count]))
        return here.cropped(to: Region(x: 0, y: rows.lowerBound - first, width: width, height: rows.count))
    }
}

/// Rows at another size.
package final class ResizedRows: RowSource {
    package let width: Int
    package let height: Int
    package let depth: PixelBuffer.Depth
    package var channels: Int { source.channels }
    private let source: any RowSource
    private var window: RowWindow
    private let horizontal: Resampling.Taps
    private let vertical: Resampling.Taps
    private let stripRows: Int
    private var row = 0
    private let progress: (Double) -> Void

    /// - Parameter progress: the finished fraction, 0…1.
    package init(
        _ source: any RowSource, by resampling: Resampling, width: Int, height: Int, depth: PixelBuffer.Depth, progress: @escaping (Double) -> Void = { _ in }
    ) {
        self.source = source
        (self.width, self.height, self.depth, self.progress) = (width, height, depth, progress)
        window = RowWindow(source)
        horizontal = resampling.taps(from: source.width, to: width)
        vertical = resampling.taps(from: source.height, to: height)
        // About four million floats on the wider side of the step.
        let widest = max(width, source.width * max(1, source.height / height)) * source.channels
        stripRows = max(1, min(height, (4 << 20) / widest))
    }

    package func next() async throws -> PixelBuffer? {
        guard row < height else { return nil }
        try Task.checkCancellation()
        let end = min(height, row + stripRows)
        let (taps, inputs) = vertical.restricted(to: row..<end)
        try await window.fetch(inputs)
        let seen = window.raster(of: Region(x: 0, y: inputs.lowerBound, width: source.width, height: inputs.count))
        row = end
        progress(Double(row) / Double(height))
        return PixelBuffer(resample(seen, horizontal: horizontal, vertical: taps), depth: depth)
    }
}
