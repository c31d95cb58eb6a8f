// Opacity: alpha enlarged by the network that enlarges the colour. An outline in alpha is what a letter or a leaf is in a picture, and a filter
// would leave it as soft, or as stepped, as it was.

/// What of a picture is enlarged.
enum Layer: Sendable, Hashable {
    case colour
    /// Where a pixel and its eight neighbours are alike, the result is what they are, exactly: nothing transparent gets a veil, nothing opaque a hole.
    case opacity
}

/// Which pixels of a tile's core differ from one of their eight neighbours.
struct Unevenness {
    /// Row by row, as many as the core has pixels.
    private var isUneven: [Bool]
    private let core: Region
    /// The smallest part of the core that holds all of them; `nil` without any.
    private(set) var box: Region?

    /// - Parameters:
    ///   - tile: one channel.
    ///   - core: the part of it that is looked at; neighbours outside of it count where the tile has them.
    init(of tile: Raster, in core: Region) {
        self.core = core
        isUneven = [Bool](repeating: false, count: core.width * core.height)
        var (left, right, top, bottom) = (Int.max, Int.min, Int.max, Int.min)
        tile.samples.withUnsafeBufferPointer { samples in
            for y in 0..<core.height {
                let rows = max(0, core.y + y - 1)...min(tile.height - 1, core.y + y + 1)
                for x in 0..<core.width {
                    let own = samples[(core.y + y) * tile.width + core.x + x]
                    let columns = max(0, core.x + x - 1)...min(tile.width - 1, core.x + x + 1)
                    guard rows.contains(where: { row in columns.contains { samples[row * tile.width + $0] != own } }) else { continue }
                    isUneven[y * core.width + x] = true
                    (left, right, top, bottom) = (min(left, x), max(right, x), min(top, y), max(bottom, y))
                }
            }
        }
        if left <= right { box = Region(x: core.x + left, y: core.y + top, width: right - left + 1, height: bottom - top + 1) }
    }

    /// Whether the pixel, by its place in the tile, differs from a neighbour.
    subscript(x: Int, y: Int) -> Bool { isUneven[(y - core.y) * core.width + x - core.x] }
}

extension NetworkModels {
    /// One tile of opacity. Where the network fails its health check, a filter does its work.
    /// - Parameters:
    ///   - tile: one channel.
    ///   - core: the part of the tile that is enlarged; the rest only surrounds it.
    ///   - depth: of the result.
    /// - Returns: the enlarged core.
    func enlarge(
        opacity tile: Raster, keeping core: Region, depth: PixelBuffer.Depth, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        let scale = network.scale
        var result = Raster(width: core.width * scale, height: core.height * scale, channels: 1)
        for y in 0..<result.height {
            for x in 0..<result.width { result[x, y, 0] = tile[core.x + x / scale, core.y + y / scale, 0] }
        }
        let uneven = Unevenness(of: tile, in: core)
        guard let box = uneven.box else { return PixelBuffer(result, depth: depth) }

        // Only what is uneven, as far as the network looks around it.
        let (surroundings, kept) = surroundings(of: box, in: tile)
        let seen = tile.cropped(to: surroundings)
        let enlarged: Raster
        do {
            enlarged = try await enlarge(seen, keeping: kept, depth: .sixteen, at: (0, 0), progress: progress).raster
        } catch let error as AcuityError where error.code == .health {
            let whole = Resampling.bicubic.resize(seen, width: seen.width * scale, height: seen.height * scale)
            enlarged = whole.cropped(to: Region(x: kept.x * scale, y: kept.y * scale, width: kept.width * scale, height: kept.height * scale))
        }
        for y in 0..<enlarged.height {
            for x in 0..<enlarged.width where uneven[box.x + x / scale, box.y + y / scale] {
                result[(box.x - core.x) * scale + x, (box.y - core.y) * scale + y, 0] = enlarged[x, y, 0]
            }
        }
        return PixelBuffer(result, depth: depth)
    }
}
