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

    /// Rows of the input that a network enlarges at a time where rows are made as they are asked for. Tiles that are less high
    /// would be mostly overlap.
    package static let stripRows = 256

    public let method: Method
    public let target: Target
    /// How pictures are cut before the network sees them.
    public let tiles: Tiling.Size
    /// `nil` lets the engine choose.
    public let precision: Precision?
    /// Whether local mean colours are tied to the input's; see ``ColourLock``.
    public let locksColour: Bool
    /// Whether a picture is held to its JPEG file, where it comes from one: shrunk and saved again, it would be about that file.
    public let locksJPEG: Bool
    /// How much of the noise and grain that a restoring network takes away stays away, 0…1; see ``GrainRows``.
    public let denoise: Double
    /// Whether pictures are textures whose copies are laid side by side: beyond each edge lies the opposite one.
    public let isSeamless: Bool
    /// No result, not even an intermediate one, may have more pixels than this. One gigapixel unless told otherwise.
    public let maximumPixels: Int
    private let prepared: PreparedModels?
    /// Soft areas are kept from networks that invent, flat ones from those that were released as faithful.
    let keeps: KeptAreas

    /// - Parameters:
    ///   - locksColour: by default for networks whose card says that they invent (`restore` and `gan`).
    ///   - locksJPEG: by default for those whose card says that they restore, or that they were trained on from `restore`.
    ///   - staysSoft: whether what is soft in a picture is kept from the network's grain; by default for those whose card says
    ///     `gan`, trained on from `restore`: with clean pictures the grain is more often right than wrong.
    ///   - denoise: 0 gives all grain back, 1 none. Less than 1 is for networks that restore, and those without a card.
    /// - Throws: ``AcuityError`` with code `.usage` for a target or a share outside the allowed range, a network without models, or grain
    ///   to be given back where none is taken.
    public init(
        _ method: Method, target: Target, tiles: Tiling.Size = .automatic, precision: Precision? = nil, locksColour: Bool? = nil, locksJPEG: Bool? = nil,
        staysSoft: Bool? = nil, denoise: Double = 1, isSeamless: Bool = false, maximumPixels: Int = 1 << 30
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
        guard (0...1).contains(denoise) else { throw AcuityError(.usage, "denoise \(denoise): must lie between 0 and 1") }
        if denoise < 1 {
            guard case .network(_, let models) = method, models.values.contains(where: { $0.card == nil || $0.restores }) else {
                throw AcuityError(.usage, "denoise \(denoise): is for models trained to restore, which take grain away")
            }
        }
        if case .network(let engine, let models) = method {
            guard !models.isEmpty else { throw AcuityError(.usage, "no model is given") }
            prepared = PreparedModels(engine: engine, models: models)
            self.locksColour = locksColour ?? models.values.contains(where: \.mayShiftColours)
            self.locksJPEG = locksJPEG ?? models.values.contains(where: \.restores)
            let isFaithful = models.values.allSatisfy { $0.card != nil && !$0.mayShiftColours }
            keeps = staysSoft ?? models.values.contains { $0.card?.profile == "gan" && $0.restores } ? .soft : isFaithful ? .flat : .none
        } else {
            prepared = nil
            self.locksColour = false
            self.locksJPEG = false
            keeps = .none
        }
        self.method = method
        self.target = target
        self.tiles = tiles
        self.precision = precision
        self.denoise = denoise
        self.isSeamless = isSeamless
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
        let result = try await enlarged(pixels, .colour, progress: progress)
        progress(1)
        return result
    }

    /// A picture's opacity at the size of the enlarged picture, with the same depth.
    ///
    /// By the networks that enlarge the colour, unless their card says that they invent (`gan`); where a pixel and its eight neighbours are
    /// alike it stays exactly what it is. Otherwise by a filter that does not ripple.
    /// - Parameters:
    ///   - opacity: one channel.
    ///   - progress: the finished fraction, 0…1, from any thread.
    /// - Throws: ``AcuityError``; `CancellationError` when the task is cancelled.
    public func upscale(
        opacity: PixelBuffer, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> PixelBuffer {
        let result = try await enlarged(opacity, .opacity, progress: progress)
        progress(1)
        return result
    }

    private func enlarged(_ pixels: PixelBuffer, _ layer: Layer, progress: @escaping @Sendable (Double) -> Void) async throws -> PixelBuffer {
        if isSeamless { return try await enlargedSeamlessly(pixels, layer, progress: progress) }
        return try await enlarged(BufferRows(pixels), layer, coreRows: nil, progress: progress).collect()
    }

    /// The enlarged picture's rows, made as they are asked for; memory grows with the width of the picture, not with its height.
    ///
    /// The same samples as from ``upscale(_:progress:)`` with the same tiles.
    /// Not for seamless textures, whose first rows need the last.
    /// - Parameters:
    ///   - rows: 1 (grey) or 3 (RGB) channels.
    ///   - progress: the finished fraction, 0…1, from any thread.
    /// - Throws: ``AcuityError``, as the strips do.
    public func upscale(
        rows: any RowSource, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> any RowSource {
        precondition(!isSeamless, "a seamless texture is enlarged as a whole")
        return try await enlarged(rows, .colour, coreRows: Upscaler.stripRows, progress: progress)
    }

    /// The same samples as from ``upscale(opacity:progress:)``, made as they are asked for.
    /// - Throws: ``AcuityError``, as the strips do.
    public func upscale(opacityRows rows: any RowSource) async throws -> any RowSource {
        precondition(!isSeamless, "a seamless texture is enlarged as a whole")
        return try await enlarged(rows, .opacity, coreRows: Upscaler.stripRows) { _ in }
    }

    /// - Parameter coreRows: of the network's tiles, at most; `nil` for tiles of any height.
    private func enlarged(
        _ rows: any RowSource, _ layer: Layer, coreRows: Int?, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> any RowSource {
        let (width, height) = try outputSize(width: rows.width, height: rows.height)
        let depth = rows.depth
        let resampling = resampling(of: layer)
        guard rows.channels == 1 || rows.channels == 3 else {
            throw AcuityError(.image, "\(rows.channels) channels: only grey and RGB pictures can be enlarged")
        }
        guard let prepared, let models = networks(for: layer) else {
            return ResizedRows(rows, by: resampling, width: width, height: height, depth: depth, progress: progress)
        }

        let passes = try self.passes(from: (rows.width, rows.height), to: (width, height), with: models)
        let work = WorkDone(passes, last: (width, height), progress)
        let result = try await run(passes, of: prepared, on: rows, layer, coreRows: coreRows, towards: (width, height), work)
        guard (result.width, result.height) != (width, height) || result.depth != depth else { return result }
        return ResizedRows(result, by: resampling, width: width, height: height, depth: depth) { work.report(passes.count, $0) }
    }

    /// The picture after some passes.
    private func run(
        _ passes: [Pass], of models: PreparedModels, on rows: any RowSource, _ layer: Layer, coreRows: Int?, towards size: (width: Int, height: Int), _ work: WorkDone
    ) async throws -> any RowSource {
        let givesGrainBack = denoise < 1 && layer == .colour && !passes.isEmpty
        let input = givesGrainBack ? KeptRows(rows) : nil
        var current = input ?? rows
        for (index, pass) in passes.enumerated() {
            let network = try await NetworkModels(models, scale: pass.scale, precision: precision)
            // What is enlarged again keeps 16 bits, so that rounding is not enlarged too; shrinking averages it away.
            let isLarge = pass.width * pass.scale >= size.width && pass.height * pass.scale >= size.height
            let depth = isLarge && !givesGrainBack ? rows.depth : .sixteen
            let tiling = tiling(of: network.network, width: current.width, height: current.height, coreRows: coreRows)
            if locksColour, layer == .colour {
                let input = MeasuredRows(current, block: ColourLock.block)
                let result = NetworkRows(input, layer, models: network, tiling: tiling, depth: .sixteen, keeping: keeps) { work.report(index, $0) }
                current = ColourLockedRows(result, like: input, scale: pass.scale, depth: depth)
            } else {
                current = NetworkRows(current, layer, models: network, tiling: tiling, depth: depth, keeping: keeps) { work.report(index, $0) }
            }
        }
        guard let input else { return current }
        return GrainRows(current, like: input, share: 1 - denoise, depth: rows.depth)
    }

    /// A texture enlarged so that its copies still fit side by side: networks see the opposite side beyond every edge.
    private func enlargedSeamlessly(
        _ pixels: PixelBuffer, _ layer: Layer, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        let (width, height) = try outputSize(width: pixels.width, height: pixels.height)
        var current = pixels
        var passes: [Pass] = []
        if let prepared, let models = networks(for: layer) {
            passes = try self.passes(from: (pixels.width, pixels.height), to: (width, height), with: models)
            // What all passes look at together, in pixels of the first one's input; the colour lock looks two blocks far.
            var (margin, scale) = (0.0, 1)
            for pass in passes {
                let radius = models[pass.scale]?.network.receptiveRadius ?? 64
                margin += Double(radius + FramedTiling.widestFrame + (locksColour ? 2 * ColourLock.block : 0)) / Double(scale)
                scale *= pass.scale
            }
            if !passes.isEmpty {
                let around = Int(margin.rounded(.up))
                let padded = BufferRows(pixels.wrapped(by: around))
                let work = WorkDone(passes, last: (width, height), progress)
                let result = try await run(passes, of: prepared, on: padded, layer, coreRows: nil, towards: (width, height), work).collect()
                current = result.cropped(to: Region(x: around * scale, y: around * scale, width: pixels.width * scale, height: pixels.height * scale))
            }
        }
        guard (current.width, current.height) != (width, height) || current.depth != pixels.depth else { return current }
        return try resampling(of: layer).resize(current, width: width, height: height, depth: pixels.depth, edges: .wrapped)
    }

    /// The classical method that changes sizes here: the chosen one, or Lanczos beside a network.
    public var resampling: Resampling {
        if case .resampling(let resampling) = method { resampling } else { .lanczos3 }
    }

    /// Bicubic's single lobe is clipped away in opacity, whereas Lanczos would leave a faint second contour outside the first.
    private func resampling(of layer: Layer) -> Resampling {
        layer == .opacity && resampling == .lanczos3 ? .bicubic : resampling
    }

    /// The networks that enlarge this; `nil` where a filter does.
    private func networks(for layer: Layer) -> [Int: Model]? {
        guard case .network(_, let models) = method else { return nil }
        return layer == .opacity && models.values.contains { $0.card?.profile == "gan" } ? nil : models
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
    func passes(from size: (width: Int, height: Int), to target: (width: Int, height: Int), with models: [Int: Model]) throws -> [Pass] {
        let scales = models.keys.sorted()
        // A restorer without a network for the same size cleans a picture by enlarging it; what is too much is shrunk away.
        let restores = scales.contains(1) || models.values.contains(where: \.restores)
        var (w, h) = size
        let (width, height) = target
        var result: [Pass] = []
        // Shrinking needs no network; at the same size only a restorer does something.
        while (w < width || h < height || (result.isEmpty && w == width && h == height && restores)) && result.count < 8 {
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

    /// How a picture is cut into tiles, in the mirrored frame that the network sees around it.
    func tiling(of network: Network, width: Int, height: Int, coreRows: Int? = nil) -> FramedTiling {
        let inStrips = if case .network(let engine, _) = method { engine.keepsStrips } else { false }
        return FramedTiling(network: network, width: width, height: height, size: tiles, inStrips: inStrips, coreRows: coreRows)
    }
}

extension Model {
    fileprivate var restores: Bool { card?.profile == "restore" || card?.faithful == "restore" }

    fileprivate var mayShiftColours: Bool { card.map { Self.mayShiftColours(profile: $0.profile, architecture: $0.architecture) } ?? false }

    /// Released as one that restores or invents; or the picture flows through all of its many convolutions and is not only added to.
    package static func mayShiftColours(profile: String?, architecture: String) -> Bool {
        profile == "restore" || profile == "gan" || architecture == "RRDBNet"
    }
}
