// FlatAreas: what is one colour in a picture stays exactly that colour in the result. White paper stays white, and where a tile has nothing
// else the network is not asked at all.

/// Which pixels of a tile's core have nothing but their own colour around them.
struct FlatAreas {
    /// So far around a pixel all have to be alike, in pixels of the input; it spans what a filter for half or a quarter of the size looks at.
    static let radius = 4

    private let core: Region
    /// Row by row, as many as the core has pixels; empty where none is flat.
    private var isFlat: [Bool] = []
    /// The smallest part of the core that holds all pixels that are not flat, by its place in the tile; `nil` without any.
    private(set) var rest: Region?

    /// - Parameters:
    ///   - tile: any channels.
    ///   - core: the part of it that is looked at, not empty. What lies outside of the tile counts as alike.
    init(of tile: Raster, in core: Region) {
        self.core = core
        var flat = [Bool](repeating: false, count: core.width * core.height)
        var (found, left, right, top, bottom) = (false, Int.max, Int.min, Int.max, Int.min)
        // The rows up to this one that have one colour, each the same, for `radius` pixels to both sides of a column.
        var depths = [Int32](repeating: 0, count: tile.width)
        var rows = SameColours(tile, radius: Self.radius)
        let first = max(0, core.y - Self.radius)
        for row in first..<min(tile.height, core.y + core.height + Self.radius) {
            let hasRuns = rows.findRuns(in: row)
            if hasRuns {
                let isAlike = rows.compare(row, with: max(first, row - 1))
                for x in depths.indices { depths[x] = rows.isRun[x] ? (isAlike[x] ? depths[x] + 1 : 1) : 0 }
            } else {
                for x in depths.indices { depths[x] = 0 }
            }
            // A pixel is decided by the last row around it, which at the bottom of the tile is that of several.
            let last = row == tile.height - 1 ? row : row - Self.radius
            for y in max(core.y, row - Self.radius)..<max(core.y, min(last + 1, core.y + core.height)) {
                let needed = Int32(row - max(0, y - Self.radius) + 1)
                var uneven: (first: Int, last: Int) = hasRuns ? (.max, .min) : (0, core.width - 1)
                if hasRuns {
                    for x in 0..<core.width {
                        let isFlat = depths[core.x + x] >= needed
                        flat[(y - core.y) * core.width + x] = isFlat
                        if isFlat { found = true } else { uneven = (min(uneven.first, x), x) }
                    }
                }
                if uneven.first <= uneven.last {
                    (left, right, top, bottom) = (min(left, uneven.first), max(right, uneven.last), min(top, y), y)
                }
            }
        }
        if found { isFlat = flat }
        if left <= right { rest = Region(x: core.x + left, y: top, width: right - left + 1, height: bottom - top + 1) }
    }

    /// Whether any pixel is flat.
    var isThere: Bool { !isFlat.isEmpty }

    /// Whether a pixel, by its place in the tile, is flat.
    subscript(x: Int, y: Int) -> Bool { !isFlat.isEmpty && isFlat[(y - core.y) * core.width + x - core.x] }
}

/// Neighbours of one colour in the rows of a tile.
private struct SameColours {
    private let tile: Raster
    private let radius: Int
    private var isSame: [Bool]
    private var isAlike: [Bool]
    /// Which pixels of the row that was asked for last have only their own colour for `radius` pixels to both sides.
    private(set) var isRun: [Bool]

    init(_ tile: Raster, radius: Int) {
        (self.tile, self.radius) = (tile, radius)
        isSame = [Bool](repeating: false, count: tile.stride)
        isAlike = [Bool](repeating: true, count: tile.width)
        isRun = isAlike
    }

    /// - Returns: whether there are any.
    mutating func findRuns(in row: Int) -> Bool {
        compare(samplesFrom: row * tile.stride + tile.channels, with: row * tile.stride, count: tile.stride - tile.channels)
        let channels = tile.channels
        // Pixels up to this one that are like the one before them.
        var (run, found) = (radius, false)
        for x in 1..<tile.width + radius {
            var same = true
            if x < tile.width { for c in (x - 1) * channels..<x * channels { same = same && isSame[c] } }
            run = same ? run + 1 : 0
            guard x >= radius else { continue }
            isRun[x - radius] = run >= 2 * radius
            found = found || run >= 2 * radius
        }
        return found
    }

    /// Which pixels of two rows are alike.
    mutating func compare(_ row: Int, with other: Int) -> [Bool] {
        compare(samplesFrom: row * tile.stride, with: other * tile.stride, count: tile.stride)
        let channels = tile.channels
        for x in isAlike.indices {
            var same = true
            for c in x * channels..<(x + 1) * channels { same = same && isSame[c] }
            isAlike[x] = same
        }
        return isAlike
    }

    /// A loop of its own, which the compiler makes vectors of.
    private mutating func compare(samplesFrom first: Int, with other: Int, count: Int) {
        tile.samples.withUnsafeBufferPointer { samples in
            isSame.withUnsafeMutableBufferPointer { isSame in
                for i in 0..<count { isSame[i] = samples[first + i] == samples[other + i] }
            }
        }
    }
}

extension NetworkModels {
    /// Like ``enlarge(_:keeping:depth:at:progress:)``, with areas of one colour left exactly as they are, and without the network at the edges of
    /// the tile where there is nothing else.
    func enlarge(
        keepingFlat tile: Raster, keeping core: Region, depth: PixelBuffer.Depth, at place: (x: Int, y: Int), progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        let flat = FlatAreas(of: tile, in: core)
        guard flat.isThere else { return try await enlarge(tile, keeping: core, depth: depth, at: place, progress: progress) }
        let scale = network.scale
        var result = PixelBuffer(unfilledWidth: core.width * scale, height: core.height * scale, channels: tile.channels, depth: depth)
        if let rest = flat.rest {
            let (seen, kept) = surroundings(of: rest, in: tile)
            let corner = (x: place.x + rest.x - core.x, y: place.y + rest.y - core.y)
            let made = try await enlarge(tile.cropped(to: seen), keeping: kept, depth: depth, at: corner, progress: progress)
            result.paste(made, x: (rest.x - core.x) * scale, y: (rest.y - core.y) * scale)
        }
        result.keep(flat, of: tile, in: core, scale: scale)
        return result
    }

    /// What the network looks at to make some of a tile's pixels: a part of the tile on the network's grid, as tiles are, and where they lie in it.
    func surroundings(of pixels: Region, in tile: Raster) -> (seen: Region, kept: Region) {
        let (multiple, radius) = (network.sizeMultiple, network.receptiveRadius ?? max(tile.width, tile.height))
        func outward(_ start: Int, _ count: Int, in length: Int) -> Range<Int> {
            max(0, (start - radius) / multiple * multiple)..<min(length, (start + count + radius + multiple - 1) / multiple * multiple)
        }
        let (columns, rows) = (outward(pixels.x, pixels.width, in: tile.width), outward(pixels.y, pixels.height, in: tile.height))
        let kept = Region(x: pixels.x - columns.lowerBound, y: pixels.y - rows.lowerBound, width: pixels.width, height: pixels.height)
        return (Region(x: columns.lowerBound, y: rows.lowerBound, width: columns.count, height: rows.count), kept)
    }
}

extension PixelBuffer {
    /// Gives the enlargement of a tile's core the tile's colours where it is flat.
    fileprivate mutating func keep(_ flat: FlatAreas, of tile: Raster, in core: Region, scale: Int) {
        let depth = depth
        withUnsafeMutableBytes { bytes in
            switch depth {
            case .eight: SuperResolution.keep(flat, of: tile, in: core, scale: scale, white: depth.white, bytes.assumingMemoryBound(to: UInt8.self))
            case .sixteen: SuperResolution.keep(flat, of: tile, in: core, scale: scale, white: depth.white, bytes.assumingMemoryBound(to: UInt16.self))
            }
        }
    }
}

private func keep<Sample: FixedWidthInteger>(
    _ flat: FlatAreas, of tile: Raster, in core: Region, scale: Int, white: Float, _ samples: UnsafeMutableBufferPointer<Sample>
) {
    let (channels, row) = (tile.channels, core.width * scale * tile.channels)
    for y in core.y..<core.y + core.height {
        for x in core.x..<core.x + core.width where flat[x, y] {
            for c in 0..<channels {
                let colour = Sample((min(max(tile[x, y, c], 0), 1) * white).rounded())
                let first = (y - core.y) * scale * row + (x - core.x) * scale * channels + c
                for i in 0..<scale {
                    for j in 0..<scale { samples[first + i * row + j * channels] = colour }
                }
            }
        }
    }
}
