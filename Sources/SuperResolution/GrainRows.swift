// GrainRows: gives back some of the grain that a restoring network took away.

/// Rows of a result with a share of the grain of the picture that it was made of.
///
/// What that picture has and the result, shrunk to its size, lacks was taken away: grain and noise, but also the blocks and the ringing of a
/// JPEG file. Grain is everywhere, whereas compression errs where there are edges and texture. So a block that lost more than the calmest quarter of
/// those around it gets back only as much as these, and so do the blocks that touch it.
package final class GrainRows: RowSource {
    /// Pixels of the input per side of the blocks that are compared.
    static let block = 8
    /// Blocks to each side of one that it is compared with.
    static let around = 4
    /// So many times the loss of the calmest quarter still passes for grain: of plain noise blocks differ by about a tenth.
    static let tolerance: Float = 1.2

    /// Rows of the input, at most, that are looked at around those that are made.
    static let lookAhead = 2 * (around + 4) * block

    package let depth: PixelBuffer.Depth
    package var width: Int { result.width }
    package var height: Int { result.height }
    package var channels: Int { result.channels }
    private let result: any RowSource
    private var window: RowWindow
    private let input: KeptRows
    private let share: Float
    /// From the result's rows and columns to the input's, and back; `nil` where both are the same.
    private let reduction: (horizontal: Resampling.Taps, vertical: Resampling.Taps)?
    private let enlargement: (horizontal: Resampling.Taps, vertical: Resampling.Taps)?
    private let stripRows: Int
    private var row = 0
    /// Rows of blocks and what of their losses is grain, those still needed.
    private var bands: [Int: Band] = [:]
    private var grains: [Int: [Float]] = [:]

    /// A row of blocks.
    private struct Band {
        /// What the result lacks of the input.
        let loss: Raster
        /// Its root mean square by block.
        let sizes: [Float]
    }

    /// - Parameters:
    ///   - result: made of the rows of `input`, of which those pass that it looks at; not smaller.
    ///   - share: of the grain, 0…1.
    package init(_ result: any RowSource, like input: KeptRows, share: Double, depth: PixelBuffer.Depth) {
        precondition(result.width >= input.width && result.height >= input.height, "grain is given back to what is as large as its source")
        (self.result, self.input, self.share, self.depth) = (result, input, Float(share), depth)
        window = RowWindow(result)
        func taps(_ from: Int, _ to: Int) -> Resampling.Taps { Resampling.bicubic.taps(from: from, to: to) }
        let isSame = (result.width, result.height) == (input.width, input.height)
        reduction = isSame ? nil : (taps(result.width, input.width), taps(result.height, input.height))
        enlargement = isSame ? nil : (taps(input.width, result.width), taps(input.height, result.height))
        // About four million floats.
        stripRows = max(1, min(result.height, (4 << 20) / (result.width * result.channels)))
    }

    package func next() async throws -> PixelBuffer? {
        guard row < height else { return nil }
        try Task.checkCancellation()
        let rows = row..<min(height, row + stripRows)
        let (vertical, inputs) = enlargement?.vertical.restricted(to: rows) ?? (nil, rows)
        let blocks = place(inputs.lowerBound, blockRows).first...place(inputs.upperBound - 1, blockRows).second
        let touching = near(blocks, 1, of: blockRows)
        for index in near(touching, Self.around, of: blockRows) where bands[index] == nil { bands[index] = try await measure(index) }
        for index in touching where grains[index] == nil { grains[index] = grain(index) }
        try await window.fetch(rows)
        row = rows.upperBound

        var strip = window.raster(of: Region(x: 0, y: rows.lowerBound, width: width, height: rows.count))
        let grain = grain(inputs)
        let change = if let enlargement, let vertical { resample(grain, horizontal: enlargement.horizontal, vertical: vertical) } else { grain }
        strip.samples.withUnsafeMutableBufferPointer { samples in
            change.samples.withUnsafeBufferPointer { change in
                for i in samples.indices { samples[i] += change[i] }
            }
        }
        // The next strip's taps reach a few rows back, at most one row of blocks.
        grains = grains.filter { $0.key >= blocks.upperBound - 3 }
        bands = bands.filter { $0.key >= blocks.upperBound - 3 - Self.around }
        return PixelBuffer(strip, depth: depth)
    }

    // MARK: - Blocks

    private var columns: Int { (input.width + Self.block - 1) / Self.block }
    private var blockRows: Int { (input.height + Self.block - 1) / Self.block }

    /// Some blocks and so many before and behind them.
    private func near(_ blocks: ClosedRange<Int>, _ reach: Int, of count: Int) -> ClosedRange<Int> {
        max(0, blocks.lowerBound - reach)...min(count - 1, blocks.upperBound + reach)
    }

    /// The two blocks between whose centres a pixel lies, and how far towards the second.
    private func place(_ pixel: Int, _ count: Int) -> (first: Int, second: Int, weight: Float) {
        let position = (Float(pixel) + 0.5) / Float(Self.block) - 0.5
        let first = min(max(0, Int(position.rounded(.down))), count - 1)
        return (first, min(first + 1, count - 1), min(max(0, position - Float(first)), 1))
    }

    /// What the result lacks in a row of blocks.
    private func measure(_ index: Int) async throws -> Band {
        let inputs = index * Self.block..<min(input.height, (index + 1) * Self.block)
        let (vertical, results) = reduction?.vertical.restricted(to: inputs) ?? (nil, inputs)
        try await window.fetch(min(row, results.lowerBound)..<results.upperBound)
        let seen = window.raster(of: Region(x: 0, y: results.lowerBound, width: width, height: results.count))
        let reduced = if let reduction, let vertical { resample(seen, horizontal: reduction.horizontal, vertical: vertical) } else { seen }
        var loss = input.take(inputs).raster
        var sums = [Float](repeating: 0, count: columns)
        loss.samples.withUnsafeMutableBufferPointer { loss in
            for i in loss.indices {
                loss[i] -= reduced.samples[i]
                sums[i % reduced.stride / channels / Self.block] += loss[i] * loss[i]
            }
        }
        let sizes = sums.enumerated().map { column, sum in
            let samples = min(Self.block, input.width - column * Self.block) * inputs.count * channels
            return (sum / Float(samples)).squareRoot()
        }
        return Band(loss: loss, sizes: sizes)
    }

    /// How much of the losses of a row of blocks is grain, 0…1, by block.
    private func grain(_ index: Int) -> [Float] {
        let near = near(index...index, Self.around, of: blockRows).compactMap { bands[$0]?.sizes }
        guard let own = bands[index]?.sizes else { preconditionFailure("blocks are measured first") }
        return own.enumerated().map { column, size in
            let sizes = near.flatMap { $0[self.near(column...column, Self.around, of: columns)] }.sorted()
            let calm = Self.tolerance * sizes[(sizes.count - 1) / 4]
            return size > calm ? calm / size : 1
        }
    }

    /// The least of each block and those that touch it.
    private func leastGrain(_ index: Int) -> [Float] {
        let rows = near(index...index, 1, of: blockRows).compactMap { grains[$0] }
        return (0..<columns).map { column in rows.reduce(1) { min($0, $1[near(column...column, 1, of: columns)].min() ?? 1) } }
    }

    /// The share that is given back of some of the input's rows.
    private func grain(_ rows: Range<Int>) -> Raster {
        var result = Raster(width: input.width, height: rows.count, channels: channels)
        let horizontal = (0..<input.width).map { place($0, columns) }
        var least: [Int: [Float]] = [:]
        for row in rows {
            let vertical = place(row, blockRows)
            guard let band = bands[row / Self.block] else { preconditionFailure("blocks are measured first") }
            for index in [vertical.first, vertical.second] where least[index] == nil { least[index] = leastGrain(index) }
            guard let above = least[vertical.first], let below = least[vertical.second] else { continue }
            let shares = zip(above, below).map { share * ($0 + ($1 - $0) * vertical.weight) }
            let (from, to) = (row % Self.block * result.stride, (row - rows.lowerBound) * result.stride)
            result.samples.withUnsafeMutableBufferPointer { samples in
                for (x, h) in horizontal.enumerated() {
                    let share = shares[h.first] + (shares[h.second] - shares[h.first]) * h.weight
                    for c in 0..<channels { samples[to + x * channels + c] = band.loss.samples[from + x * channels + c] * share }
                }
            }
        }
        return result
    }
}
