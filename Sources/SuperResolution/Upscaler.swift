// Upscaler: the pipeline from a picture to a larger one: network, tile by tile, health check, exact size.

/// Enlarges pictures, by a network or by a classical method, to an exact size.
public struct Upscaler: Sendable {
    /// How large the result is to be. Sides are `round(side × factor)`, at least 1.
    public enum Target: Sendable, Hashable {
        /// Any real factor, 0.25…16.
        case factor(Double)
        /// This many pixels wide; the height follows.
        case width(Int)
        /// This many pixels high; the width follows.
        case height(Int)
        /// The longer side has this many pixels.
        case longEdge(Int)
        /// As large as fits into a box of this many pixels.
        case fit(width: Int, height: Int)
    }

    /// What makes the new pixels.
    public enum Method: Sendable {
        case resampling(Resampling)
        /// One purpose's models by scale; the smallest that reaches the target is used, repeatedly if none does.
        case network(any Engine, [Int: Model])
    }

    /// The factors that may be asked for. A size may ask for a smaller one too, but not for a larger.
    public static let factors = 0.25...16.0

    /// Width of the mirrored frame around a picture, input pixels; what zero padding does to a network fades within it.
    static let widestFrame = 8

    public let method: Method
    public let target: Target
    /// How pictures are cut before the network sees them.
    public let tiles: Tiling.Size
    /// `nil` lets the engine choose.
    public let precision: Precision?
    /// Whether local mean colours are tied to the input's; see ``ColourLock``.
    public let locksColour: Bool
    /// No result, not even an intermediate one, may have more pixels than this. One gigapixel unless told otherwise.
    public let maximumPixels: Int
    private let prepared: PreparedModels?

    /// - Parameter locksColour: by default for networks whose card says that they invent (`restore` and `gan`).
    /// - Throws: ``AcuityError`` with code `.usage` for a target outside the allowed range or a network without models.
    public init(
        _ method: Method, target: Target, tiles: Tiling.Size = .automatic, precision: Precision? = nil, locksColour: Bool? = nil,
        maximumPixels: Int = 1 << 30
    ) throws {
        switch target {
        case .factor(let factor):
            guard factor.isFinite, Upscaler.factors.contains(factor) else {
                throw AcuityError(.usage, "scale \(factor): must lie between 0.25 and 16")
            }
        case .width(let n), .height(let n), .longEdge(let n):
            guard n > 0 else { throw AcuityError(.usage, "size \(n): must be at least one pixel") }
        case .fit(let width, let height):
            guard width > 0, height > 0 else { throw AcuityError(.usage, "size \(width)×\(height): must be at least one pixel a side") }
        }
        if case .side(let side) = tiles, side < 32 {
            throw AcuityError(.usage, "tile size \(side): must be at least 32 pixels")
        }
        if case .network(let engine, let models) = method {
            guard !models.isEmpty else { throw AcuityError(.usage, "no model is given") }
            prepared = PreparedModels(engine: engine, models: models)
            self.locksColour = locksColour ?? models.values.contains(where: \.mayShiftColours)
        } else {
            prepared = nil
            self.locksColour = false
        }
        self.method = method
        self.target = target
        self.tiles = tiles
        self.precision = precision
        self.maximumPixels = maximumPixels
    }

    /// The exact size of the result for a picture of `width × height`.
    /// - Throws: ``AcuityError``: `.usage` where a target size asks for a factor that is not allowed, `.image` where the
    ///   result would have too many pixels.
    public func outputSize(width: Int, height: Int) throws -> (width: Int, height: Int) {
        guard width > 0, height > 0 else { throw AcuityError(.image, "the picture has no pixels") }
        let factor =
            switch target {
            case .factor(let factor): factor
            case .width(let n): Double(n) / Double(width)
            case .height(let n): Double(n) / Double(height)
            case .longEdge(let n): Double(n) / Double(max(width, height))
            case .fit(let w, let h): min(Double(w) / Double(width), Double(h) / Double(height))
            }
        guard factor <= Upscaler.factors.upperBound else {
            let tenths = (factor * 10).rounded() / 10
            throw AcuityError(.usage, "\(width)×\(height) pixels would be enlarged \(tenths) times, more than the \(Int(Upscaler.factors.upperBound)) that are possible")
        }
        // The side that was asked for comes out exactly; the products stay far below 2⁵³.
        let result = (max(1, Int((Double(width) * factor).rounded())), max(1, Int((Double(height) * factor).rounded())))
        try checkPixels(result.0, result.1)
        return result
    }

    /// The enlarged picture, with the same channels (1 grey, 3 RGB) and depth.
    /// - Parameter progress: the finished fraction, 0…1, from any thread.
    /// - Throws: ``AcuityError``; `CancellationError` when the task is cancelled.
    public func upscale(
        _ pixels: PixelBuffer, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> PixelBuffer {
        let (width, height) = try outputSize(width: pixels.width, height: pixels.height)
        guard pixels.channels == 1 || pixels.channels == 3 else {
            throw AcuityError(.image, "\(pixels.channels) channels: only grey and RGB pictures can be enlarged")
        }
        guard let prepared, case .network(_, let models) = method else {
            return try resampling.resize(pixels, width: width, height: height, progress: progress)
        }

        let passes = try self.passes(from: (pixels.width, pixels.height), to: (width, height), scales: models.keys.sorted())
        // The last, classical step is counted as a hundredth of a network's work on the same pixels.
        let work = passes.map(\.pixels).reduce(0, +) + Double(width * height) / 100
        var done = 0.0
        var current = pixels
        for pass in passes {
            let model = try await prepared.model(scale: pass.scale, precision: precision)
            let start = done
            // What is enlarged again keeps 16 bits, so that rounding is not enlarged too; shrinking averages it away.
            let isLarge = current.width * pass.scale >= width && current.height * pass.scale >= height
            let (input, depth) = (current, isLarge ? pixels.depth : .sixteen)
            current = try await enlarge(input, with: model, scale: pass.scale, depth: locksColour ? .sixteen : depth) {
                progress((start + $0 * pass.pixels) / work)
            }
            if locksColour { current = ColourLock(input: input, result: current, scale: pass.scale).corrected(current, depth: depth) }
            done += pass.pixels
        }
        if (current.width, current.height) != (width, height) || current.depth != pixels.depth {
            let start = done
            current = try Resampling.lanczos3.resize(current, width: width, height: height, depth: pixels.depth) {
                progress((start + $0 * (work - start)) / work)
            }
        }
        progress(1)
        return current
    }

    /// The classical method that changes sizes here: the chosen one, or Lanczos beside a network.
    public var resampling: Resampling {
        if case .resampling(let resampling) = method { resampling } else { .lanczos3 }
    }

    // MARK: - Passes

    struct Pass {
        let scale: Int
        /// Size of its input.
        let width: Int
        let height: Int

        var pixels: Double { Double(width * height) }
    }

    /// Which networks run, one after the other, until the target is reached.
    func passes(from size: (width: Int, height: Int), to target: (width: Int, height: Int), scales: [Int]) throws -> [Pass] {
        var (w, h) = size
        let (width, height) = target
        var result: [Pass] = []
        // Shrinking needs no network; at the same size only a network of scale 1 (a restorer) does something.
        while (w < width || h < height || (result.isEmpty && w == width && h == height && scales.contains(1))) && result.count < 8 {
            let needed = max(Double(width) / Double(w), Double(height) / Double(h))
            guard let scale = scales.first(where: { Double($0) >= needed }) ?? scales.last, scale > 1 || result.isEmpty else { break }
            result.append(Pass(scale: scale, width: w, height: h))
            (w, h) = (w * scale, h * scale)
            try checkPixels(w, h)
        }
        return result
    }

    private func checkPixels(_ width: Int, _ height: Int) throws {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= maximumPixels else {
            throw AcuityError(.image, "\(width)×\(height) pixels would be needed, more than the limit of \(maximumPixels / 1_000_000) megapixels")
        }
    }

    /// One pass of a network over a whole picture.
    private func enlarge(
        _ pixels: PixelBuffer, with prepared: any PreparedModel, scale: Int, depth: PixelBuffer.Depth,
        progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        let network = prepared.model.network
        let (width, height) = (pixels.width, pixels.height)
        // The network sees the picture in a mirrored frame: zero padding would tint the rim of saturated areas.
        let (tiling, frame) = tiling(of: network, width: width, height: height)
        var result = PixelBuffer(width: width * scale, height: height * scale, channels: pixels.channels, depth: depth)

        let work = Double(tiling.tiles.reduce(0) { $0 + $1.input.width * $1.input.height })
        var done = 0.0
        for tile in tiling.tiles {
            try Task.checkCancellation()
            let (start, share) = (done, Double(tile.input.width * tile.input.height))
            // Without the frame again, which may leave nothing of a tile at the right or bottom edge.
            let (left, right) = (max(tile.core.x, frame), min(tile.core.x + tile.core.width, frame + width))
            let (top, bottom) = (max(tile.core.y, frame), min(tile.core.y + tile.core.height, frame + height))
            if left < right, top < bottom {
                var seen = tile.input
                seen.x -= frame
                seen.y -= frame
                let core = Region(x: left - tile.input.x, y: top - tile.input.y, width: right - left, height: bottom - top)
                let output = try await enlarge(pixels.mirroredRaster(of: seen), keeping: core, with: prepared, at: (left - frame, top - frame)) {
                    progress((start + $0 * share) / work)
                }
                result.write(output, x: (left - frame) * scale, y: (top - frame) * scale)
            }
            done += share
            progress(done / work)
        }
        return result
    }

    /// The tiles of a picture in its mirrored frame, and how wide the frame is.
    func tiling(of network: Network, width: Int, height: Int) -> (tiling: Tiling, frame: Int) {
        let multiple = network.sizeMultiple
        let frame = (min(network.receptiveRadius ?? 0, Upscaler.widestFrame) + multiple - 1) / multiple * multiple
        func framed(_ length: Int) -> Int { frame + (length + frame + multiple - 1) / multiple * multiple }
        return (Tiling(width: framed(width), height: framed(height), network: network, size: tiles), frame)
    }

    /// One tile: colour to what the network wants, network, health check, colour back.
    /// - Parameters:
    ///   - core: the part of the tile that is enlarged; the rest only surrounds it.
    ///   - place: where the core lies in the picture, for messages.
    private func enlarge(
        _ tile: Raster, keeping core: Region, with prepared: any PreparedModel, at place: (x: Int, y: Int),
        progress: @escaping @Sendable (Double) -> Void
    ) async throws -> Raster {
        let network = prepared.model.network
        let scale = network.scale
        let kept = Region(x: core.x * scale, y: core.y * scale, width: core.width * scale, height: core.height * scale)
        let input = try network.view(of: tile)
        let checked = input.cropped(to: core)
        var output = try await prepared.run(input, progress: progress).cropped(to: kept)
        if var problem = HealthCheck.problem(input: checked, output: output) {
            var healthy = false
            if prepared.precision != .fp32, let careful = try await self.prepared?.model(scale: scale, precision: .fp32) {
                output = try await careful.run(input).cropped(to: kept)
                if let still = HealthCheck.problem(input: checked, output: output) { problem = still } else { healthy = true }
            }
            guard healthy else {
                throw AcuityError(.health, "\(prepared.model.name): around column \(place.x), row \(place.y) \(problem.rawValue)")
            }
        }
        switch (tile.channels, input.channels) {
        case (3, 1):
            let chroma = Resampling.bicubic.resize(tile, width: tile.width * scale, height: tile.height * scale)
            return chroma.cropped(to: kept).replacingLuma(with: output)
        case (1, 3): return output.greyFromRGB
        default: return output
        }
    }
}

extension Model {
    /// Released as one that invents detail.
    fileprivate var mayShiftColours: Bool { ["restore", "gan"].contains(card?.profile ?? "") }
}

extension Network {
    /// A grey or RGB raster as the network wants to see it.
    fileprivate func view(of raster: Raster) throws -> Raster {
        switch (raster.channels, shapes[0].channels) {
        case (1, 1), (3, 3): return raster
        case (1, 3): return raster.greyAsRGB
        case (3, 1): return raster.luma
        default:
            throw AcuityError(.network, "\(architecture) takes \(shapes[0].channels) channels; only grey and RGB networks can enlarge pictures")
        }
    }
}

extension PixelBuffer {
    /// Like ``raster(of:)``, with the picture mirrored where `region` reaches past its edges.
    fileprivate func mirroredRaster(of region: Region) -> Raster {
        let (left, top) = (max(0, region.x), max(0, region.y))
        let inside = Region(
            x: left, y: top, width: max(1, min(region.x + region.width, width) - left),
            height: max(1, min(region.y + region.height, height) - top))
        if inside == region { return raster(of: region) }
        // Small pictures are mirrored many times over, so that a frame's pixels may come from anywhere.
        let columns = (0..<region.width).map { mirror(region.x + $0, into: width) }
        let rows = (0..<region.height).map { mirror(region.y + $0, into: height) }
        let (firstColumn, lastColumn) = (columns.min() ?? 0, columns.max() ?? 0)
        let (firstRow, lastRow) = (rows.min() ?? 0, rows.max() ?? 0)
        let source = raster(of: Region(x: firstColumn, y: firstRow, width: lastColumn - firstColumn + 1, height: lastRow - firstRow + 1))
        var result = Raster(width: region.width, height: region.height, channels: channels)
        result.samples.withUnsafeMutableBufferPointer { target in
            source.samples.withUnsafeBufferPointer { samples in
                var next = 0
                for row in rows {
                    let start = (row - firstRow) * source.width
                    for column in columns {
                        let place = (start + column - firstColumn) * channels
                        for channel in 0..<channels { target[next + channel] = samples[place + channel] }
                        next += channels
                    }
                }
            }
        }
        return result
    }
}

/// Models that an engine has made ready, each once.
private actor PreparedModels {
    private struct Key: Hashable {
        let scale: Int
        let precision: Precision?
    }

    private let engine: any Engine
    private let models: [Int: Model]
    private var ready: [Key: any PreparedModel] = [:]

    init(engine: any Engine, models: [Int: Model]) {
        self.engine = engine
        self.models = models
    }

    func model(scale: Int, precision: Precision?) throws -> any PreparedModel {
        let key = Key(scale: scale, precision: precision)
        if let known = ready[key] { return known }
        guard let model = models[scale], model.network.scale == scale else {
            throw AcuityError(.usage, "no model of scale \(scale)")
        }
        let prepared = try engine.prepare(model, precision: precision)
        ready[key] = prepared
        return prepared
    }
}
