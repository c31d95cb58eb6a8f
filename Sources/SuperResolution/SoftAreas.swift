// SoftAreas: networks trained against an adversary put a grain of their own where a damaged picture has nothing: in skies, in what lies out of
// focus. There it is smoothed away, and soft stays soft.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How soft a tile is around each pixel of a part of it.
struct SoftAreas {
    /// So far around a pixel the steepest difference of luma counts, in pixels of the input.
    static let radius = 2
    /// A difference between neighbours, in parts of white: up to the first an area is soft, from the second on it is not.
    static let limits: (soft: Float, sharp: Float) = (6 / 255, 9 / 255)
    /// The standard deviation of the Gaussian that smooths, in pixels of the input.
    static let sigma = 0.4

    let part: Region
    /// 0…1 for each pixel, row by row; empty where nothing is soft.
    private(set) var softness: [Float] = []

    /// - Parameters:
    ///   - tile: grey or RGB.
    ///   - part: what is looked at. What lies outside of the tile does not count.
    init(of tile: Raster, in part: Region) {
        self.part = part
        let luma = tile.channels == 3 ? tile.luma : tile
        let (left, right) = (max(0, part.x - Self.radius - 1), min(luma.width, part.x + part.width + Self.radius))
        let (top, bottom) = (max(0, part.y - Self.radius - 1), min(luma.height, part.y + part.height + Self.radius))
        // The steepest of a row's differences, to the right and downwards, around each column of the part.
        var (steps, rows) = ([Float](repeating: 0, count: right - left), [[Float]]())
        luma.samples.withUnsafeBufferPointer { samples in
            for y in top..<bottom {
                let (own, below) = (y * luma.width, min(y + 1, luma.height - 1) * luma.width)
                for x in left..<right {
                    let value = samples[own + x]
                    steps[x - left] = max(abs(samples[own + min(x + 1, luma.width - 1)] - value), abs(samples[below + x] - value))
                }
                rows.append((part.x..<part.x + part.width).map { x in
                    steps[max(0, x - Self.radius - 1 - left)...min(right - 1, x + Self.radius) - left].reduce(0, max)
                })
            }
        }
        var result = [Float](repeating: 0, count: part.width * part.height)
        var isSoft = false
        for y in part.y..<part.y + part.height {
            for x in 0..<part.width {
                var steepest: Float = 0
                for row in max(top, y - Self.radius - 1)...min(bottom - 1, y + Self.radius) { steepest = max(steepest, rows[row - top][x]) }
                let softness = min(max((Self.limits.sharp - steepest) / (Self.limits.sharp - Self.limits.soft), 0), 1)
                result[(y - part.y) * part.width + x] = softness
                isSoft = isSoft || softness > 0
            }
        }
        if isSoft { softness = result }
    }
}

extension NetworkModels {
    /// Like ``enlarge(_:keeping:depth:at:progress:)``, with soft areas smoothed.
    func enlarge(
        keepingSoft tile: Raster, keeping core: Region, depth: PixelBuffer.Depth, at place: (x: Int, y: Int), progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        // A pixel more on every side, which the Gaussian looks at.
        let part = Region(x: core.x - 1, y: core.y - 1, width: core.width + 2, height: core.height + 2)
        guard part.isInside(width: tile.width, height: tile.height) else {
            return try await enlarge(tile, keeping: core, depth: depth, at: place, progress: progress)
        }
        let areas = SoftAreas(of: tile, in: part)
        guard !areas.softness.isEmpty else { return try await enlarge(tile, keeping: core, depth: depth, at: place, progress: progress) }
        return try await enlarge(tile, keeping: part, depth: depth, at: place, progress: progress).softened(areas, scale: network.scale)
    }
}

extension PixelBuffer {
    /// A part of a picture, enlarged, without the outermost pixels, and smoothed where it is soft.
    fileprivate func softened(_ areas: SoftAreas, scale: Int) -> PixelBuffer {
        let (part, depth, columns, rows) = (areas.part, depth, width - 2 * scale, height - 2 * scale)
        var result = PixelBuffer(unfilledWidth: columns, height: rows, channels: channels, depth: depth)
        let reach = min(scale, Int((3 * SoftAreas.sigma * Double(scale)).rounded(.up)))
        var taps = (-reach...reach).map { (i: Int) -> Float in
            let distance = Double(i) / (SoftAreas.sigma * Double(scale))
            return Float(exp(-distance * distance / 2))
        }
        let sum = taps.reduce(0, +)
        taps = taps.map { $0 / sum }

        func soften<Sample: FixedWidthInteger>(_ input: UnsafeBufferPointer<Sample>, _ output: UnsafeMutableBufferPointer<Sample>) {
            let (row, margin, count) = (width * channels, scale * channels, columns * channels)
            var sums = [Float](repeating: 0, count: row)
            var weights = [Float](repeating: 0, count: count)
            var smooth = weights
            // Where each pixel of a row lies between the centres of the input's pixels.
            let places = (0..<columns).map { (x: Int) -> (first: Int, share: Float) in
                let place = (Float(x + scale) + 0.5) / Float(scale) - 0.5
                return (Int(place), place - place.rounded(.down))
            }
            for y in 0..<rows {
                let place = (Float(y + scale) + 0.5) / Float(scale) - 0.5
                let (above, share) = (Int(place) * part.width, place - place.rounded(.down))
                var isSoft = false
                for x in 0..<columns {
                    func down(_ column: Int) -> Float {
                        areas.softness[above + column] * (1 - share) + areas.softness[above + part.width + column] * share
                    }
                    let (first, part) = places[x]
                    let weight = down(first) * (1 - part) + down(first + 1) * part
                    isSoft = isSoft || weight > 0
                    for c in 0..<channels { weights[x * channels + c] = weight }
                }
                let own = UnsafeBufferPointer(rebasing: input[(y + scale) * row + margin..<(y + scale) * row + margin + count])
                let made = UnsafeMutableBufferPointer(rebasing: output[y * count..<(y + 1) * count])
                guard isSoft else {
                    _ = made.initialize(from: own)
                    continue
                }
                for i in 0..<row { sums[i] = 0 }
                for (t, tap) in taps.enumerated() {
                    let from = UnsafeBufferPointer(rebasing: input[(y + scale + t - reach) * row..<(y + scale + t - reach + 1) * row])
                    for i in 0..<row { sums[i] += tap * Float(Int32(truncatingIfNeeded: from[i])) }
                }
                for i in 0..<count { smooth[i] = 0 }
                for (t, tap) in taps.enumerated() {
                    let first = margin + (t - reach) * channels
                    for i in 0..<count { smooth[i] += tap * sums[first + i] }
                }
                for i in 0..<count {
                    let value = Float(Int32(truncatingIfNeeded: own[i]))
                    made[i] = Sample(truncatingIfNeeded: Int32(value + weights[i] * (smooth[i] - value) + 0.5))
                }
            }
        }
        bytes.withUnsafeBytes { input in
            result.withUnsafeMutableBytes { output in
                switch depth {
                case .eight: soften(input.assumingMemoryBound(to: UInt8.self), output.assumingMemoryBound(to: UInt8.self))
                case .sixteen: soften(input.assumingMemoryBound(to: UInt16.self), output.assumingMemoryBound(to: UInt16.self))
                }
            }
        }
        return result
    }
}
