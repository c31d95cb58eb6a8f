// RowUpscaling: enlarges a picture file into another row by row, so that neither is ever in memory whole.

package import Imaging
package import SuperResolution

extension Upscaler {
    /// From so many pixels of the result on, a picture is enlarged row by row. Below, memory is no concern, and in a batch other pictures'
    /// files are read and written meanwhile.
    package static let manyPixels = 1 << 24

    /// Whether a file should be enlarged row by row: large, and in formats that are read and written so.
    package func goesByRows(_ header: PictureHeader, to format: ImageFormat, options: Picture.WritingOptions) throws -> Bool {
        let size = try outputSize(width: header.width, height: header.height)
        return header.frames == 1 && !isSeamless && size.width * size.height >= Self.manyPixels && header.format.isReadByRows
            && PictureRowsWriter.writes(format, options)
    }

    /// Enlarges what is left of `input` into a file.
    /// - Parameters:
    ///   - file: the JPEG file that it is, where the result shall keep to it.
    ///   - begin: called once the output may be written, before any work.
    ///   - progress: the finished fraction, 0…1, from any thread.
    /// - Returns: what the file does not hold although the source did, a line each; and pixels from the picture's middle, to judge it by.
    /// - Throws: ``AcuityError``; `CancellationError` when the task is cancelled.
    package func upscale(
        _ input: PictureRows, of file: JPEGCoefficients? = nil, to path: String, options: Picture.WritingOptions, begin: () async throws -> Void = {},
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> (remarks: [String], middle: PixelBuffer) {
        let size = try outputSize(width: input.width, height: input.height)
        let strips = try await PictureStrips(input)
        let writer = try PictureRowsWriter(to: path, like: strips.first, size: size, options: options)
        try await begin()
        let colour = try await upscale(rows: strips.colour, of: file, progress: progress)
        var alpha: RowsAtWill?
        if let rows = strips.alpha { alpha = RowsAtWill(try await upscale(opacityRows: rows)) }
        while let strip = try await colour.next() { try await writer.append(strip, alpha: alpha?.next(strip.height)) }
        return (try await writer.finish(), strips.middle)
    }
}

extension Upscaler {
    /// As ``upscale(rows:progress:)``, tied to the file where there is one.
    private func upscale(rows: any RowSource, of file: JPEGCoefficients?, progress: @escaping @Sendable (Double) -> Void) async throws -> any RowSource {
        guard let file, locksJPEG else { return try await upscale(rows: rows, progress: progress) }
        let input = KeptRows(rows)
        let result = try await upscale(rows: input, progress: progress)
        return JPEGLockedRows(result, like: input, of: file) ?? result
    }
}

/// A picture's strips, taken apart into colour and alpha.
private final class PictureStrips {
    /// Carries the picture's metadata.
    let first: Picture
    /// What nobody has asked for yet.
    fileprivate var colours: [PixelBuffer] = []
    fileprivate var alphas: [PixelBuffer] = []
    private let input: PictureRows
    /// What has been read and not yet been handed on, and where it begins.
    private var waiting: [Picture]
    private var top = 0
    private var row = 0
    private var samples: [PixelBuffer] = []

    /// Colour hides under transparent pixels as far as networks look. Rows are filled in from so many around them, a multiple of
    /// the squares within which colours are looked for first.
    private static let around = 128
    private static let fillRows = 512
    /// Columns and rows in the middle by which a picture is judged.
    private static let middle = 512

    init(_ input: PictureRows) async throws {
        self.input = input
        guard let first = try input.next() else { throw AcuityError(.image, "the picture has no pixels") }
        self.first = first
        waiting = [first]
    }

    var colour: any RowSource { Part(of: self, \.colours, like: first.pixels, height: input.height) }
    var alpha: (any RowSource)? { first.alpha.map { Part(of: self, \.alphas, like: $0, height: input.height) } }

    /// Some pixels from the middle.
    var middle: PixelBuffer { samples.isEmpty ? first.pixels : PixelBuffer(stacking: samples) }

    /// Hands more rows to both parts.
    /// - Returns: false after the last.
    func more() throws -> Bool {
        guard row < input.height else { return false }
        guard first.alpha != nil else {
            let strip: Picture?
            if waiting.isEmpty { strip = try input.next() } else { strip = waiting.removeFirst() }
            guard let strip else { return false }
            give(strip.pixels)
            return true
        }
        let end = min(input.height, row + Self.fillRows)
        let below = min(input.height, end + Self.around)
        while top + waiting.reduce(0, { $0 + $1.height }) < below, let strip = try input.next() { waiting.append(strip) }
        let start = max(0, row - Self.around)
        while let strip = waiting.first, top + strip.height <= start {
            top += strip.height
            waiting.removeFirst()
        }
        let pixels = PixelBuffer(stacking: waiting.map(\.pixels), without: start - top)
        let opacity = PixelBuffer(stacking: waiting.compactMap(\.alpha), without: start - top)
        let own = Region(x: 0, y: row - start, width: input.width, height: end - row)
        alphas.append(opacity.cropped(to: own))
        give(pixels.bled(under: opacity).cropped(to: own))
        return true
    }

    private func give(_ pixels: PixelBuffer) {
        let side = Self.middle
        let (top, bottom) = (max(row, (input.height - side) / 2), min(row + pixels.height, (input.height + side) / 2))
        if top < bottom {
            let width = min(side, input.width)
            samples.append(pixels.cropped(to: Region(x: (input.width - width) / 2, y: top - row, width: width, height: bottom - top)))
        }
        row += pixels.height
        colours.append(pixels)
    }
}

/// Colour or alpha.
private final class Part: RowSource {
    private let whole: PictureStrips
    private let strips: ReferenceWritableKeyPath<PictureStrips, [PixelBuffer]>
    let width: Int
    let height: Int
    let channels: Int
    let depth: PixelBuffer.Depth

    init(of whole: PictureStrips, _ strips: ReferenceWritableKeyPath<PictureStrips, [PixelBuffer]>, like pixels: PixelBuffer, height: Int) {
        (self.whole, self.strips, self.height) = (whole, strips, height)
        (width, channels, depth) = (pixels.width, pixels.channels, pixels.depth)
    }

    func next() async throws -> PixelBuffer? {
        while whole[keyPath: strips].isEmpty {
            try Task.checkCancellation()
            guard try whole.more() else { return nil }
        }
        return whole[keyPath: strips].removeFirst()
    }
}

/// As many rows of a source at a time as somebody wants.
private final class RowsAtWill {
    private let source: any RowSource
    private var waiting: [PixelBuffer] = []

    init(_ source: any RowSource) { self.source = source }

    func next(_ count: Int) async throws -> PixelBuffer {
        while waiting.reduce(0, { $0 + $1.height }) < count, let strip = try await source.next() { waiting.append(strip) }
        let rows = PixelBuffer(stacking: waiting)
        let rest = rows.height - count
        waiting = rest > 0 ? [rows.cropped(to: Region(x: 0, y: count, width: rows.width, height: rest))] : []
        return rows.cropped(to: Region(x: 0, y: 0, width: rows.width, height: count))
    }
}
