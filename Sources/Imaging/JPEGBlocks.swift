// JPEGBlocks: what a picture's blocks lack of a JPEG file's coefficients.

import SuperResolution

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Compares pictures with the coefficients of a file, a row of its largest units at a time.
struct JPEGBlocks {
    /// A row of areas.
    struct Band {
        /// Of the input.
        let rows: Range<Int>
        /// What is to be added, of 1, were there no noise.
        let changes: Raster
        /// How much of it, 0…1, by column of areas.
        let shares: [Float]
    }

    private let file: JPEGCoefficients
    /// Pixels per sample of the coarsest component.
    private let across: Int
    private let down: Int
    /// Pixels per row, filled up to whole units, and how many of them come before the picture.
    private let width: Int
    private let lead: (x: Int, y: Int)
    private let transform = Transform()
    private let unitRows: Int
    /// Units per area.
    private let areaColumns: Int
    private let areaRows: Int

    /// - Parameter isEnlarged: whether the results were larger and are shrunk for comparison.
    init(_ file: JPEGCoefficients, isEnlarged: Bool) {
        self.file = file
        limits = isEnlarged ? .enlarged : .same
        across = file.components.map(\.across).max() ?? 1
        down = file.components.map(\.down).max() ?? 1
        width = (file.width + 8 * across - 1) / (8 * across) * 8 * across
        unitRows = (file.height + 8 * down - 1) / (8 * down)
        lead = (file.startsFilled.x ? width - file.width : 0, file.startsFilled.y ? unitRows * 8 * down - file.height : 0)
        (areaColumns, areaRows) = (max(1, Self.area / across), max(1, Self.area / down))
        calm = calmness()
    }

    /// Noise is everywhere, which detail is not: the least that an area has and those up to four away. Of an area, what a tenth of its blocks of luma stay
    /// below: the root mean square of their waves.
    private func calmness() -> [[Float]] {
        let luma = file.components[0]
        var waves = [[[Float]]](repeating: [[Float]](repeating: [], count: columns), count: bandCount)
        luma.values.withUnsafeBufferPointer { values in
            luma.steps.withUnsafeBufferPointer { steps in
                for row in 0..<luma.rows {
                    let band = (row + luma.firstRow) / (areaRows * luma.down)
                    for column in 0..<luma.columns {
                        let place = (row * luma.columns + column) * 64
                        var sum: Float = 0
                        for i in 1..<64 {
                            let wave = Float(values[place + i]) * steps[i]
                            sum += wave * wave
                        }
                        waves[band][(column + luma.firstColumn) / (areaColumns * luma.across)].append((sum / 64).squareRoot())
                    }
                }
            }
        }
        let own = waves.map { $0.map { $0.isEmpty ? Float.infinity : $0.sorted()[($0.count - 1) / 10] } }
        func around(_ index: Int, _ count: Int) -> ClosedRange<Int> { max(0, index - 4)...min(count - 1, index + 4) }
        return own.indices.map { row in
            (0..<columns).map { column in own[around(row, bandCount)].flatMap { $0[around(column, columns)] }.min() ?? 0 }
        }
    }

    /// Blocks of luma, along each side, by which noise is told from detail.
    static let area = 8
    /// Up to which product of what the file has in calm blocks and what the result lacks in them an area is held to the file wholly, and from which on not
    /// at all; both in levels of 255. Chosen on 46 of the photographs for training, with noise of σ 0 to 25 and quality 30 to 97, at ×1, ×2 and ×4.
    private struct NoiseLimits {
        let little: Float
        let much: Float

        static let same = NoiseLimits(little: 0.9, much: 1.9)
        /// Shrunk again, a result misses edges somewhat, of whatever network.
        static let enlarged = NoiseLimits(little: 5, much: 10)
    }
    private let limits: NoiseLimits
    /// By row and column of areas: what the file has in the calmest one around.
    private var calm: [[Float]] = []

    // MARK: - Areas

    private var bandRows: Int { 8 * down * areaRows }
    private var bandColumns: Int { 8 * across * areaColumns }
    private var bandCount: Int { (unitRows + areaRows - 1) / areaRows }
    private var columns: Int { (width + bandColumns - 1) / bandColumns }

    /// Rows of the input.
    func rows(ofBand index: Int) -> Range<Int> {
        max(0, index * bandRows - lead.y)..<min(file.height, (index + 1) * bandRows - lead.y)
    }

    /// Those that have a say in these rows.
    func bandsAround(_ rows: Range<Int>) -> ClosedRange<Int> {
        place(rows.lowerBound + lead.y, bandRows, bandCount).first...place(rows.upperBound - 1 + lead.y, bandRows, bandCount).second
    }

    /// The two areas between whose centres a pixel lies, and how far towards the second.
    private func place(_ pixel: Int, _ side: Int, _ count: Int) -> (first: Int, second: Int, weight: Float) {
        let position = (Float(pixel) + 0.5) / Float(side) - 0.5
        let first = min(max(0, Int(position.rounded(.down))), count - 1)
        return (first, min(first + 1, count - 1), min(max(0, position - Float(first)), 1))
    }

    /// What is to be added to some rows of the input, of 1; `nil` for nothing.
    func lack(_ rows: Range<Int>, of bands: [Int: Band]) -> Raster? {
        let around = bandsAround(rows)
        guard around.contains(where: { bands[$0]?.shares.contains { $0 > 0 } == true }) else { return nil }
        let channels = file.components.count
        let horizontal = (0..<file.width).map { place($0 + lead.x, bandColumns, columns) }
        var lack = Raster(width: file.width, height: rows.count, channels: channels)
        for row in rows {
            let vertical = place(row + lead.y, bandRows, bandCount)
            guard let above = bands[vertical.first], let below = bands[vertical.second] else { preconditionFailure("bands are measured first") }
            let own = above.rows.contains(row) ? above : below
            let shares = zip(above.shares, below.shares).map { $0 + ($1 - $0) * vertical.weight }
            let (from, to) = ((row - own.rows.lowerBound) * own.changes.stride, (row - rows.lowerBound) * lack.stride)
            for (x, h) in horizontal.enumerated() {
                let share = shares[h.first] + (shares[h.second] - shares[h.first]) * h.weight
                for c in 0..<channels { lack.samples[to + x * channels + c] = own.changes.samples[from + x * channels + c] * share }
            }
        }
        return lack
    }

    /// Measures a row of areas.
    /// - Parameters:
    ///   - result: its rows, as large as the input.
    ///   - source: what they were made of.
    func band(_ index: Int, of result: Raster, from source: Raster) -> Band {
        let rows = rows(ofBand: index)
        var changes = Raster(width: result.width, height: result.height, channels: result.channels)
        // By column of areas, of each block of luma: the mean square of the waves that it lacks; noise leaves its mean alone.
        var lacks = [[Float]](repeating: [], count: columns)
        var (blocks, disagreeing) = (0, 0)
        for unit in index * areaRows..<min(unitRows, (index + 1) * areaRows) {
            let top = unit * 8 * down - lead.y
            let here = max(rows.lowerBound, top)..<min(rows.upperBound, top + 8 * down)
            let region = Region(x: 0, y: here.lowerBound - rows.lowerBound, width: result.width, height: here.count)
            let before = disagreements(planes(of: source.cropped(to: region), skipping: top - here.lowerBound)[0], unit)
            (blocks, disagreeing) = (blocks + before.blocks, disagreeing + before.count)
            let planes = planes(of: result.cropped(to: region), skipping: top - here.lowerBound)
            let components = planes.indices.map { change(planes[$0], $0, unit, &lacks) }
            add(components, skipping: here.lowerBound - top, to: &changes, region)
        }
        // A picture that was changed after it was read is not the file's any more. Some blocks differ anyway, where colours were cut off at black or white.
        let isSource = 4 * disagreeing <= blocks
        let shares = zip(lacks, calm[index]).map { lacks, calm -> Float in
            guard isSource, !lacks.isEmpty else { return 0 }
            let lack = lacks.sorted()[(lacks.count - 1) / 4].squareRoot()
            // Neither says that there is no noise by itself: it may be too weak for the file, or be left by the network.
            let noise = (calm + 0.5) * (lack + 0.1)
            return min(max((limits.much - noise) / (limits.much - limits.little), 0), 1)
        }
        return Band(rows: rows, changes: changes, shares: shares)
    }

    // MARK: - Blocks

    /// How many blocks of luma there are, and how many have another mean than the file says.
    private func disagreements(_ plane: [Float], _ unit: Int) -> (blocks: Int, count: Int) {
        var (blocks, count) = (0, 0)
        let luma = file.components[0]
        visit(reduced(plane, to: luma), 0, unit) { place, _, _, transform in
            blocks += 1
            if abs(transform[0] - Float(luma.values[place]) * luma.steps[0]) > luma.steps[0] / 2 + 8 { count += 1 }
        }
        return (blocks, count)
    }

    /// What the samples of a component lack in a row of units, and the mean square of that without the block's mean, by block of luma.
    private func change(_ plane: [Float], _ index: Int, _ unit: Int, _ lacks: inout [[Float]]) -> [Float] {
        let component = file.components[index]
        let plane = reduced(plane, to: component)
        let stride = width * component.across / across
        var change = [Float](repeating: 0, count: plane.count)
        change.withUnsafeMutableBufferPointer { change in
            visit(plane, index, unit) { place, column, start, samples in
                let (mean, waves) = move(samples, component, place)
                if index == 0 { lacks[column / (areaColumns * component.across)].append(waves / 64) }
                guard mean + waves > 0 else { return }
                UnsafeMutableRawPointer(samples).withMemoryRebound(to: SIMD8<Float>.self, capacity: 8) { transform.backward($0) }
                for y in 0..<8 { for x in 0..<8 { change[start + y * stride + x] = samples[8 * y + x] } }
            }
        }
        return change
    }

    /// Calls `body` for the blocks of one component in a row of units: with the place of their coefficients, their column, where their samples begin in
    /// the plane, and their transform, frequencies across first.
    private func visit(
        _ plane: [Float], _ index: Int, _ unit: Int, _ body: (_ place: Int, _ column: Int, _ start: Int, _ transform: UnsafeMutablePointer<Float>) -> Void
    ) {
        let component = file.components[index]
        let stride = width * component.across / across
        withUnsafeTemporaryAllocation(of: SIMD8<Float>.self, capacity: 8) { scratch in
            guard let block = scratch.baseAddress else { return }
            plane.withUnsafeBufferPointer { plane in
                UnsafeMutableRawPointer(block).withMemoryRebound(to: Float.self, capacity: 64) { samples in
                    for v in 0..<component.down {
                        let row = unit * component.down + v - component.firstRow
                        guard (0..<component.rows).contains(row) else { continue }
                        for u in 0..<component.columns {
                            let column = u + component.firstColumn
                            let start = 8 * v * stride + 8 * column
                            for y in 0..<8 { for x in 0..<8 { samples[8 * y + x] = plane[start + y * stride + x] } }
                            transform.forward(block)
                            body((row * component.columns + u) * 64, column, start, samples)
                        }
                    }
                }
            }
        }
    }

    /// Replaces each coefficient by how far it is from the nearest edge of its step, 0 within.
    /// - Returns: the square of that of the mean, and the sum of the squares of the others.
    private func move(_ transform: UnsafeMutablePointer<Float>, _ component: JPEGCoefficients.Component, _ place: Int) -> (mean: Float, waves: Float) {
        component.steps.withUnsafeBufferPointer { steps in
            component.values.withUnsafeBufferPointer { values in
                var sum: Float = 0
                for i in 0..<64 {
                    let (off, half) = (transform[i] - Float(values[place + i]) * steps[i], steps[i] / 2)
                    transform[i] = min(max(off, -half), half) - off
                    sum += transform[i] * transform[i]
                }
                let mean = transform[0] * transform[0]
                return (mean, sum - mean)
            }
        }
    }

    // MARK: - Samples

    /// Luma and colour differences (JFIF 1.02) of a row of units, around 0, in levels of 255, filled up to whole units with what is at the picture's edge.
    /// - Parameter skipped: where the units begin, by rows of `pixels`; not above 0.
    private func planes(of pixels: Raster, skipping skipped: Int) -> [[Float]] {
        let (channels, height) = (pixels.channels, 8 * down)
        /// One plane: a weighted sum of the channels.
        func plane(_ red: Float, _ green: Float, _ blue: Float, _ offset: Float) -> [Float] {
            [Float](unsafeUninitializedCapacity: width * height) { plane, initialised in
                initialised = width * height
                pixels.samples.withUnsafeBufferPointer { samples in
                    for y in 0..<height {
                        let row = min(max(0, y + skipped), pixels.height - 1) * pixels.width
                        for x in 0..<width {
                            let from = (row + min(max(0, x - lead.x), pixels.width - 1)) * channels
                            let value = channels == 1 ? samples[from] : red * samples[from] + green * samples[from + 1] + blue * samples[from + 2]
                            plane[y * width + x] = 255 * value + offset
                        }
                    }
                }
            }
        }
        let luma = plane(0.299, 0.587, 0.114, -128)
        return channels == 1 ? [luma] : [luma, plane(-0.168736, -0.331264, 0.5, 0), plane(0.5, -0.418688, -0.081312, 0)]
    }

    /// A plane at a component's own size, by means, as encoders do it.
    private func reduced(_ plane: [Float], to component: JPEGCoefficients.Component) -> [Float] {
        let (x, y) = (across / component.across, down / component.down)
        guard x > 1 || y > 1 else { return plane }
        let (columns, rows) = (width / x, 8 * down / y)
        let part = 1 / Float(x * y)
        return [Float](unsafeUninitializedCapacity: columns * rows) { result, initialised in
            initialised = columns * rows
            plane.withUnsafeBufferPointer { plane in
                for v in 0..<rows {
                    for u in 0..<columns {
                        var sum: Float = 0
                        for j in 0..<y { for i in 0..<x { sum += plane[(v * y + j) * width + u * x + i] } }
                        result[v * columns + u] = sum * part
                    }
                }
            }
        }
    }

    /// Adds what the components of a row of units lack, in levels of 255, to a region of a raster of as many columns as the picture.
    /// - Parameter skipped: rows of the units above the region.
    private func add(_ changes: [[Float]], skipping skipped: Int, to pixels: inout Raster, _ region: Region) {
        let (channels, columns) = (pixels.channels, pixels.width)
        // What a level of luma, blue and red difference is in red, green and blue (JFIF 1.02).
        let weights: [[Float]] = [[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]].map { $0.map { $0 / 255 } }
        pixels.samples.withUnsafeMutableBufferPointer { samples in
            for (index, change) in changes.enumerated() {
                let component = file.components[index]
                let (x, y, stride) = (across / component.across, down / component.down, width * component.across / across)
                let (red, green, blue) = (weights[index][0], weights[index][1], weights[index][2])
                change.withUnsafeBufferPointer { change in
                    for v in 0..<region.height {
                        for u in 0..<columns {
                            let (level, to) = (change[(v + skipped) / y * stride + (u + lead.x) / x], ((region.y + v) * columns + u) * channels)
                            samples[to] += red * level
                            if channels == 3 {
                                samples[to + 1] += green * level
                                samples[to + 2] += blue * level
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Eight rows of eight samples or coefficients.
typealias Block = UnsafeMutablePointer<SIMD8<Float>>

/// The discrete cosine transform of 8×8 samples (ITU T.81, A.3.3), which is orthonormal. In place.
struct Transform {
    /// By frequency and place, and by place and frequency.
    private let cosines: [Float]
    private let turned: [Float]

    init() {
        cosines = (0..<64).map { index in
            let (u, x) = (index / 8, index % 8)
            let angle = Double((2 * x + 1) * u) * Double.pi / 16
            return Float((u == 0 ? 0.125.squareRoot() : 0.5) * cos(angle))
        }
        turned = (0..<64).map { [cosines] in cosines[$0 % 8 * 8 + $0 / 8] }
    }

    func forward(_ block: Block) { bothWays(block, by: cosines) }
    func backward(_ block: Block) { bothWays(block, by: turned) }

    private func bothWays(_ block: Block, by matrix: [Float]) {
        matrix.withUnsafeBufferPointer { matrix in
            for _ in 0..<2 {
                multiply(block, matrix)
                transpose(block)
            }
        }
    }

    @inline(__always)
    private func multiply(_ block: Block, _ matrix: UnsafeBufferPointer<Float>) {
        let (a, b, c, d) = (block[0], block[1], block[2], block[3]), (e, f, g, h) = (block[4], block[5], block[6], block[7])
        for row in 0..<8 {
            let m = 8 * row
            let upper = (a * matrix[m] + b * matrix[m + 1]) + (c * matrix[m + 2] + d * matrix[m + 3])
            let lower = (e * matrix[m + 4] + f * matrix[m + 5]) + (g * matrix[m + 6] + h * matrix[m + 7])
            block[row] = upper + lower
        }
    }

    @inline(__always)
    private func transpose(_ block: Block) {
        UnsafeMutableRawPointer(block).withMemoryRebound(to: Float.self, capacity: 64) { samples in
            for y in 1..<8 {
                for x in 0..<y {
                    let one = samples[8 * y + x]
                    samples[8 * y + x] = samples[8 * x + y]
                    samples[8 * x + y] = one
                }
            }
        }
    }
}
