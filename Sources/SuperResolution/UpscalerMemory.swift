// UpscalerMemory: what enlarging a picture will need, known from its size alone.

extension Upscaler {
    /// Bytes at the peak of enlarging, roughly: the pictures before and after a pass, and one tile's rasters on both sides
    /// of the network. The engine's own buffers, which do not grow with the picture, are left out.
    /// - Parameters:
    ///   - channels: of the colour, 1 or 3.
    ///   - depth: bytes per sample of the picture.
    /// - Throws: ``AcuityError`` as ``outputSize(width:height:)`` does.
    package func memory(width: Int, height: Int, channels: Int, depth: Int) throws -> Int {
        let target = try outputSize(width: width, height: height)
        let result = target.width * target.height * channels * depth
        let strips = 48 << 20
        // The step to the exact size goes strip by strip.
        func resampling(from samples: Int) -> Int { samples + result + strips }
        guard case .network(_, let models) = method else { return resampling(from: width * height * channels * depth) }
        var peak = 0
        var last = (width: width, height: height, bytes: width * height * channels * depth)
        for pass in try passes(from: (width, height), to: target, with: models) {
            guard let network = models[pass.scale]?.network else { continue }
            let isLast = pass.width * pass.scale >= target.width && pass.height * pass.scale >= target.height
            let (before, area) = (pass.width * pass.height * channels, pass.scale * pass.scale)
            // The colour lock makes a second result from one of 16 bits.
            // So does what gives grain back, strip by strip.
            let samples = (isLast ? depth : 2) + (locksColour ? 2 : 0) + (denoise < 1 ? 2 : 0)
            let buffers = before * (pass.width == width ? depth : 2) + before * area * samples + (denoise < 1 ? 2 * strips : 0)
            let tile = tiling(of: network, width: pass.width, height: pass.height).tiling.tiles.map { $0.input.width * $0.input.height }.max() ?? 0
            // What goes in and what of it is kept, both before and after, as floats.
            peak = max(peak, buffers + tile * max(3, channels) * 4 * rastersPerTile * (1 + area))
            last = (pass.width * pass.scale, pass.height * pass.scale, before * area * (isLast ? depth : 2))
        }
        return (last.width, last.height) == target ? peak : max(peak, resampling(from: last.bytes))
    }

    /// Bytes at the peak of enlarging row by row, roughly: what each step looks at, its tiles, and strips on their way to the encoder.
    /// - Throws: ``AcuityError`` as ``outputSize(width:height:)`` does.
    package func memoryByRows(width: Int, height: Int, channels: Int, depth: Int) throws -> Int {
        let target = try outputSize(width: width, height: height)
        // The step to the exact size, and what waits to be encoded.
        var bytes = 3 * (48 << 20)
        guard case .network(_, let models) = method else { return bytes }
        for pass in try passes(from: (width, height), to: target, with: models) {
            guard let network = models[pass.scale]?.network else { continue }
            let tiles = tiling(of: network, width: pass.width, height: pass.height, coreRows: Self.stripRows).tiling.tiles
            let (area, tallest) = (pass.scale * pass.scale, tiles.map(\.input.height).max() ?? 0)
            let tile = tiles.map { $0.input.width * $0.input.height }.max() ?? 0
            let strip = pass.width * tallest * channels
            bytes += 2 * strip * 2 + strip * area * (locksColour ? 2 * 3 : depth * 2) + tile * max(3, channels) * 4 * rastersPerTile * (1 + area)
            // Rows wait for what is measured below them, as 16 bits; their losses are floats.
            if denoise < 1 { bytes += GrainRows.lookAhead * pass.width * channels * (2 * area + 4) + 2 * (48 << 20) }
        }
        return bytes
    }

    /// Rasters of a tile that are there at once; the mean over positions is one more.
    private var rastersPerTile: Int {
        if case .network(let engine as SelfEnsemble, _) = method, engine.count > 1 { 3 } else { 2 }
    }

    /// The same upscaler with tiles whose rasters take about this many bytes at most, where its tiles are not fixed.
    package func limitingTiles(to bytes: Int) throws -> Upscaler {
        guard case .network(_, let models) = method, tiles == .automatic, let largest = models.values.max(by: { $0.network.scale < $1.network.scale })
        else { return self }
        let (area, radius) = (largest.network.scale * largest.network.scale, largest.network.receptiveRadius ?? 0)
        let side = Int((Double(bytes) / Double(12 * rastersPerTile * (1 + area))).squareRoot()) - 2 * radius
        // Tiles smaller than what they look at around them would cost many times the work.
        let smallest = max(64, 2 * radius)
        let usual = tiling(of: largest.network, width: 1 << 14, height: 1 << 14).tiling.tiles.map { max($0.input.width, $0.input.height) }.max() ?? 0
        return side >= usual ? self : try Upscaler(method, target: target, tiles: .side(max(side, smallest)), precision: precision, locksColour: locksColour, locksJPEG: locksJPEG, staysSoft: keeps == .soft, denoise: denoise, isSeamless: isSeamless, maximumPixels: maximumPixels)
    }
}
