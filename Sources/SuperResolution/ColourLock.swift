// ColourLock: ties the colours of a result to those of the picture that it was made from.

/// What an enlarged picture's local mean colours lack of the input's, to be added to it.
///
/// Networks trained adversarially invent texture, which is what they are for, and shift colours and brightness, which nobody asked for
/// (realesr-general-x4v3 by up to 10 levels of 255 on flat fields). Enlarging keeps the means over blocks of some pixels, so the
/// difference of these means, smoothed and interpolated between the blocks' centres, is the shift; detail within a block stays as it is.
///
/// The mean of a noisy block is itself uncertain, and a network that took the noise away knows it better. How much noise that was is
/// what the block's variance has lost on the way; a difference counts by how far it stands out from it, as in Wiener's filter.
package struct ColourLock {
    /// Input pixels per side of the blocks whose means are compared.
    package static let block = 8
    /// A difference of so many standard errors of the mean counts half. More would leave a real shift of a noisy picture's colours in: at 3, one
    /// of 29 real pictures comes out 1.3 levels off.
    static let doubt: Float = 1.5

    let columns: Int
    /// Of blocks.
    let rows: Int
    let channels: Int
    let scale: Int
    /// Differences of means by row of blocks, each mixed with its neighbours in the row; those still needed.
    private var differences: [Int: Differences] = [:]

    /// What the means of a row of blocks differ by, by channel.
    private struct Differences {
        var values: [Float]
        /// Squared standard errors.
        var variances: [Float]

        /// As many mixed 1 : 2 : 1: one block's grain is not the picture's colour.
        static func mixed(_ before: Differences, _ own: Differences, _ after: Differences) -> Differences {
            Differences(
                values: own.values.indices.map { (before.values[$0] + 2 * own.values[$0] + after.values[$0]) / 4 },
                variances: own.variances.indices.map { (before.variances[$0] + 4 * own.variances[$0] + after.variances[$0]) / 16 })
        }

        /// Each block's neighbour so many blocks to the right, at the edge itself.
        func moved(by blocks: Int, channels: Int) -> Differences {
            func moved(_ values: [Float]) -> [Float] {
                values.indices.map { i in
                    let neighbour = i + blocks * channels
                    return values[values.indices.contains(neighbour) ? neighbour : i]
                }
            }
            return Differences(values: moved(values), variances: moved(variances))
        }

        /// The values, those smaller that noise alone may have caused.
        var certain: [Float] {
            zip(values, variances).map { value, variance in
                let doubtful = ColourLock.doubt * ColourLock.doubt * variance
                return doubtful > 0 ? value * value * value / (value * value + doubtful) : value
            }
        }
    }

    /// - Parameters:
    ///   - width: of the input, like `height`.
    init(width: Int, height: Int, channels: Int, scale: Int) {
        columns = (width + Self.block - 1) / Self.block
        rows = (height + Self.block - 1) / Self.block
        (self.channels, self.scale) = (channels, scale)
    }

    /// Takes what a row of blocks was before and after.
    mutating func measure(row: Int, before: [BlockMeans.Block], after: [BlockMeans.Block]) {
        let raw = Differences(
            values: zip(before, after).map { $0.mean - $1.mean },
            variances: zip(before, after).map { max(0, $0.variance - $1.variance) / Float($0.count) })
        differences[row] = .mixed(raw.moved(by: -1, channels: channels), raw, raw.moved(by: 1, channels: channels))
    }

    /// The last row of blocks that must have been measured before rows up to `last` of the result can be corrected.
    func rowNeeded(for last: Int) -> Int { min(rows - 1, Self.place(last, side: Self.block * scale, count: rows).second + 1) }

    /// Forgets what only rows above `first` of the result needed.
    mutating func forget(above first: Int) {
        let needed = Self.place(first, side: Self.block * scale, count: rows).first - 1
        differences = differences.filter { $0.key >= needed }
    }

    /// What is added to the blocks of a row, mixed with those above and below.
    private func smoothed(_ row: Int) -> [Float] {
        guard let own = differences[row] else { preconditionFailure("row \(row) has not been measured") }
        return Differences.mixed(differences[row - 1] ?? own, own, differences[row + 1] ?? own).certain
    }

    /// A strip of the result with its colours corrected, clipped to 0…1.
    /// - Parameter top: the strip's first row in the whole result.
    func corrected(_ strip: PixelBuffer, top: Int, depth: PixelBuffer.Depth) -> PixelBuffer {
        var corrected = PixelBuffer(width: strip.width, height: strip.height, channels: channels, depth: depth)
        let side = Self.block * scale, floatRows = max(1, (1 << 20) / max(1, strip.width * channels))
        let horizontal = (0..<strip.width).map { Self.place($0, side: side, count: columns) }
        var known: [Int: [Float]] = [:]
        for start in stride(from: 0, to: strip.height, by: floatRows) {
            let region = Region(x: 0, y: start, width: strip.width, height: min(floatRows, strip.height - start))
            var part = strip.raster(of: region)
            var line = [Float](repeating: 0, count: columns * channels)
            for y in 0..<region.height {
                let vertical = Self.place(top + start + y, side: side, count: rows)
                for row in [vertical.first, vertical.second] where known[row] == nil { known[row] = smoothed(row) }
                guard let upper = known[vertical.first], let lower = known[vertical.second] else { continue }
                for i in line.indices { line[i] = upper[i] + (lower[i] - upper[i]) * vertical.weight }
                part.samples.withUnsafeMutableBufferPointer { samples in
                    for x in 0..<region.width {
                        let h = horizontal[x], pixel = (y * region.width + x) * channels
                        for c in 0..<channels {
                            let (a, b) = (line[h.first * channels + c], line[h.second * channels + c])
                            samples[pixel + c] += a + (b - a) * h.weight
                        }
                    }
                }
            }
            corrected.write(part, x: 0, y: start)
        }
        return corrected
    }

    /// The two blocks between whose centres a pixel lies, and how far towards the second.
    private static func place(_ pixel: Int, side: Int, count: Int) -> (first: Int, second: Int, weight: Float) {
        let position = (Float(pixel) + 0.5) / Float(side) - 0.5
        let first = min(max(0, Int(position.rounded(.down))), count - 1)
        return (first, min(first + 1, count - 1), min(max(0, position - Float(first)), 1))
    }
}

/// Means and variances over blocks of a picture whose rows pass by.
struct BlockMeans {
    /// One channel of a block.
    struct Block {
        let mean: Float
        let variance: Float
        /// Of pixels.
        let count: Int
    }

    private let block: Int
    private let width: Int
    private let height: Int
    private let channels: Int
    private var sums: [Double]
    private var squares: [Double]
    /// How many rows have passed.
    private var row = 0
    /// Finished rows of blocks that nobody took yet; blocks at the right and bottom edge may be narrower.
    private var finished: [Int: [Block]] = [:]

    init(width: Int, height: Int, channels: Int, block: Int) {
        (self.width, self.height, self.channels, self.block) = (width, height, channels, block)
        sums = [Double](repeating: 0, count: (width + block - 1) / block * channels)
        squares = sums
    }

    /// A row of blocks, channel by channel, once; `nil` before all its rows have passed.
    mutating func take(_ row: Int) -> [Block]? { finished.removeValue(forKey: row) }

    mutating func add(_ strip: PixelBuffer) {
        var start = 0
        while start < strip.height {
            let count = min(block - row % block, strip.height - start)
            let part = strip.raster(of: Region(x: 0, y: start, width: width, height: count))
            let (width, channels, block) = (width, channels, block)
            sums.withUnsafeMutableBufferPointer { sums in
                squares.withUnsafeMutableBufferPointer { squares in
                    part.samples.withUnsafeBufferPointer { samples in
                        for y in 0..<count {
                            for x in 0..<width {
                                let (from, to) = ((y * width + x) * channels, x / block * channels)
                                for c in 0..<channels {
                                    let sample = Double(samples[from + c])
                                    sums[to + c] += sample
                                    squares[to + c] += sample * sample
                                }
                            }
                        }
                    }
                }
            }
            start += count
            row += count
            if row % block == 0 || row == height { finish() }
        }
    }

    private mutating func finish() {
        let rows = row % block == 0 ? block : row % block
        finished[(row - 1) / block] = sums.indices.map { i in
            let count = min(block, width - i / channels * block) * rows
            let mean = sums[i] / Double(count)
            return Block(mean: Float(mean), variance: Float(max(0, squares[i] / Double(count) - mean * mean)), count: count)
        }
        for i in sums.indices { (sums[i], squares[i]) = (0, 0) }
    }
}

/// Rows that are measured as they pass.
package final class MeasuredRows: RowSource {
    private let source: any RowSource
    var means: BlockMeans
    package var width: Int { source.width }
    package var height: Int { source.height }
    package var channels: Int { source.channels }
    package var depth: PixelBuffer.Depth { source.depth }

    package init(_ source: any RowSource, block: Int) {
        self.source = source
        means = BlockMeans(width: source.width, height: source.height, channels: source.channels, block: block)
    }

    package func next() async throws -> PixelBuffer? {
        guard let strip = try await source.next() else { return nil }
        means.add(strip)
        return strip
    }
}

/// Rows of a result, its local colours tied to those of the input.
package final class ColourLockedRows: RowSource {
    package let depth: PixelBuffer.Depth
    package var width: Int { result.width }
    package var height: Int { result.height }
    package var channels: Int { result.channels }
    private let input: MeasuredRows
    private let result: MeasuredRows
    private var lock: ColourLock
    /// Rows of blocks measured so far.
    private var measured = 0
    /// Strips that wait for the measures of what lies below them, and where the first begins.
    private var waiting: [PixelBuffer] = []
    private var top = 0

    /// - Parameters:
    ///   - result: made from the rows of `input`, `scale` times as large, with the same channels.
    package init(_ result: any RowSource, like input: MeasuredRows, scale: Int, depth: PixelBuffer.Depth) {
        self.result = MeasuredRows(result, block: ColourLock.block * scale)
        self.input = input
        self.depth = depth
        lock = ColourLock(width: input.width, height: input.height, channels: input.channels, scale: scale)
    }

    package func next() async throws -> PixelBuffer? {
        while true {
            if let strip = waiting.first {
                while measured < lock.rows, let after = result.means.take(measured), let before = input.means.take(measured) {
                    lock.measure(row: measured, before: before, after: after)
                    measured += 1
                }
                if lock.rowNeeded(for: top + strip.height - 1) < measured {
                    waiting.removeFirst()
                    let corrected = lock.corrected(strip, top: top, depth: depth)
                    top += strip.height
                    if top < height { lock.forget(above: top) }
                    return corrected
                }
            }
            guard let strip = try await result.next() else { return nil }
            waiting.append(strip)
        }
    }
}
