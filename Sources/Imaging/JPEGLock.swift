// JPEGLock: keeps a cleaned or enlarged picture within what its JPEG file says.

public import SuperResolution

extension PixelBuffer {
    /// The picture as ``JPEGLockedRows`` ties it to the file of which it was made.
    /// - Parameters:
    ///   - file: its coefficients.
    ///   - source: what the file decodes to, upright.
    /// - Returns: `self` where the file has nothing to say: of a picture of another size or kind, or not the source's.
    /// - Throws: `CancellationError` when the task is cancelled.
    public func held(to file: JPEGCoefficients, like source: PixelBuffer) async throws -> PixelBuffer {
        let input = KeptRows(BufferRows(source))
        _ = try await input.next()
        return try await JPEGLockedRows(BufferRows(self), like: input, of: file)?.collect() ?? self
    }
}

/// Rows of a result of which shrinking and saving would make about the file that it was made of.
///
/// A JPEG file gives each coefficient of its blocks' transform to within half a step. Pictures for which that holds are a convex set (Rosenholtz
/// and Zakhor 1992); what was compressed is one of them, so going to the nearest one never leads away from it, whatever a network made before.
/// An enlarged result is shrunk first, by bicubic reduction, and what that lacks is enlarged and added (back-projection, Irani and Peleg 1991).
///
/// Noise that is in the file is in all of these pictures, though. It is everywhere, which detail is not: where nothing around is calm in the file and the
/// network has taken much away even from the calmest blocks, the result is left as it is. That is decided for areas of 8×8 blocks, with soft borders.
package final class JPEGLockedRows: RowSource {
    package var width: Int { result.width }
    package var height: Int { result.height }
    package var channels: Int { result.channels }
    package var depth: PixelBuffer.Depth { result.depth }
    /// Samples in a strip of floats.
    package static let stripSamples = 4 << 20
    /// Rows of the input, at most, that are looked at below those that are corrected.
    package static let lookAhead = 2 * 8 * JPEGBlocks.area
    private let result: any RowSource
    private var window: RowWindow
    private let input: KeptRows
    private let blocks: JPEGBlocks
    /// From the result's rows and columns to the input's, and back; `nil` where both are the same.
    private let reduction: (horizontal: Resampling.Taps, vertical: Resampling.Taps)?
    private let enlargement: (horizontal: Resampling.Taps, vertical: Resampling.Taps)?
    private let stripRows: Int
    private var row = 0
    /// What the input's rows of areas lack, as far as still needed.
    private var bands: [Int: JPEGBlocks.Band] = [:]

    /// - Parameters:
    ///   - result: made of the rows of `input`, of which those pass that it looks at.
    ///   - input: what the file decodes to, upright.
    /// - Returns: `nil` where the file is of another size or kind, or the result is smaller than the input.
    package init?(_ result: any RowSource, like input: KeptRows, of file: JPEGCoefficients) {
        guard (file.width, file.height, file.components.count) == (input.width, input.height, input.channels), result.channels == input.channels,
            result.width >= input.width, result.height >= input.height
        else { return nil }
        (self.result, self.input) = (result, input)
        window = RowWindow(result)
        let isSame = (result.width, result.height) == (input.width, input.height)
        blocks = JPEGBlocks(file, isEnlarged: !isSame)
        func taps(_ from: Int, _ to: Int) -> Resampling.Taps { Resampling.bicubic.taps(from: from, to: to) }
        reduction = isSame ? nil : (taps(result.width, input.width), taps(result.height, input.height))
        enlargement = isSame ? nil : (taps(input.width, result.width), taps(input.height, result.height))
        stripRows = max(1, min(result.height, Self.stripSamples / (result.width * result.channels)))
    }

    package func next() async throws -> PixelBuffer? {
        guard row < height else { return nil }
        try Task.checkCancellation()
        let rows = row..<min(height, row + stripRows)
        let (vertical, inputs) = enlargement?.vertical.restricted(to: rows) ?? (nil, rows)
        let needed = blocks.bandsAround(inputs)
        for index in needed where bands[index] == nil { bands[index] = try await measure(index) }
        bands = bands.filter { $0.key >= needed.lowerBound }
        try await window.fetch(rows)
        row = rows.upperBound

        var strip = window.raster(of: Region(x: 0, y: rows.lowerBound, width: width, height: rows.count))
        if let lack = blocks.lack(inputs, of: bands) {
            let change = if let enlargement, let vertical { resample(lack, horizontal: enlargement.horizontal, vertical: vertical) } else { lack }
            strip.samples.withUnsafeMutableBufferPointer { samples in
                change.samples.withUnsafeBufferPointer { change in
                    for i in samples.indices { samples[i] += change[i] }
                }
            }
        }
        return PixelBuffer(strip, depth: depth)
    }

    /// What a row of areas lacks.
    private func measure(_ index: Int) async throws -> JPEGBlocks.Band {
        let rows = blocks.rows(ofBand: index)
        var reduced = Raster(width: input.width, height: 0, channels: channels)
        // A part at a time: the result may be many times as large.
        let part = max(1, stripRows * input.height / height)
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: part) {
            let inputs = start..<min(rows.upperBound, start + part)
            let (vertical, results) = reduction?.vertical.restricted(to: inputs) ?? (nil, inputs)
            try await window.fetch(min(row, results.lowerBound)..<results.upperBound)
            let seen = window.raster(of: Region(x: 0, y: results.lowerBound, width: width, height: results.count))
            reduced.append(reduction.flatMap { reduction in vertical.map { resample(seen, horizontal: reduction.horizontal, vertical: $0) } } ?? seen)
        }
        return blocks.band(index, of: reduced, from: input.take(rows).raster)
    }
}

extension Raster {
    /// Adds rows below.
    fileprivate mutating func append(_ rows: Raster) {
        self = Raster(width: width, height: height + rows.height, channels: channels, samples: samples + rows.samples)
    }
}
