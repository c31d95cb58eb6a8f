// NetworkRows: one pass of a network over a picture whose rows come and go: tile by tile, each checked for health.

import Synchronization

/// The tiles of a picture in its mirrored frame.
struct FramedTiling {
    /// Width of the mirrored frame around a picture, input pixels; what zero padding does to a network fades within it.
    static let widestFrame = 8

    let tiling: Tiling
    let frame: Int

    init(network: Network, width: Int, height: Int, size: Tiling.Size, inStrips: Bool, coreRows: Int? = nil) {
        // The network sees the picture in a mirrored frame: zero padding would tint the rim of saturated areas.
        let multiple = network.sizeMultiple
        let frame = (min(network.receptiveRadius ?? 0, Self.widestFrame) + multiple - 1) / multiple * multiple
        func framed(_ length: Int) -> Int { frame + (length + frame + multiple - 1) / multiple * multiple }
        tiling = Tiling(width: framed(width), height: framed(height), network: network, size: size, inStrips: inStrips, coreRows: coreRows)
        self.frame = frame
    }
}

/// What of a picture is kept from a network.
enum KeptAreas: Sendable {
    case none
    /// Areas of one colour keep it exactly; see ``FlatAreas``.
    case flat
    /// Soft areas stay soft; see ``SoftAreas``.
    case soft
}

/// Rows enlarged by a network.
final class NetworkRows: RowSource {
    let width: Int
    let height: Int
    let depth: PixelBuffer.Depth
    var channels: Int { source.channels }
    private let source: any RowSource
    private var window: RowWindow
    private let models: NetworkModels
    private let layer: Layer
    private let kept: KeptAreas
    private let scale: Int
    private let frame: Int
    /// Tiles of one row each, what they look at of the picture, and what they give of it.
    private let strips: [(tiles: [Tile], seen: Range<Int>, core: Range<Int>)]
    private var strip = 0
    private var done = 0.0
    private let work: Double
    private let progress: @Sendable (Double) -> Void

    /// - Parameters:
    ///   - kept: what of the picture is kept from the network.
    ///   - progress: the finished fraction, 0…1, from any thread.
    init(
        _ source: any RowSource, _ layer: Layer, models: NetworkModels, tiling: FramedTiling, depth: PixelBuffer.Depth, keeping kept: KeptAreas = .none,
        progress: @escaping @Sendable (Double) -> Void
    ) {
        self.source = source
        self.layer = layer
        self.models = models
        // A tile has as much around it as the network looks at, which in all networks but toys is enough to tell.
        self.kept = (models.network.receptiveRadius ?? .max) >= FlatAreas.radius ? kept : .none
        self.depth = depth
        self.progress = progress
        scale = models.network.scale
        window = RowWindow(source)
        let (frame, height) = (tiling.frame, source.height)
        self.frame = frame
        (width, self.height) = (source.width * scale, height * scale)
        let tiles = tiling.tiling.tiles
        work = Double(tiles.reduce(0) { $0 + $1.input.width * $1.input.height })

        var strips: [(tiles: [Tile], seen: Range<Int>, core: Range<Int>)] = []
        for tile in tiles {
            if let last = strips.indices.last, strips[last].tiles[0].core.y == tile.core.y {
                strips[last].tiles.append(tile)
                continue
            }
            let rows = (tile.input.y..<tile.input.y + tile.input.height).map { mirror($0 - frame, into: height) }
            // Without the frame again, which may leave nothing of a tile at the bottom edge.
            let (top, bottom) = (max(tile.core.y, frame) - frame, min(tile.core.y + tile.core.height, frame + height) - frame)
            strips.append(([tile], (rows.min() ?? 0)..<(rows.max() ?? 0) + 1, top..<max(top, bottom)))
        }
        // Mirrored rows at the bottom may lie above those of the strip itself.
        for index in strips.indices.dropLast().reversed() {
            strips[index].seen = min(strips[index].seen.lowerBound, strips[index + 1].seen.lowerBound)..<strips[index].seen.upperBound
        }
        self.strips = strips
    }

    func next() async throws -> PixelBuffer? {
        while strip < strips.count {
            let (tiles, seen, core) = strips[strip]
            strip += 1
            guard !core.isEmpty else {
                for tile in tiles { account(for: tile) }
                continue
            }
            try await window.fetch(seen)
            // The tiles cover all of it.
            var result = PixelBuffer(unfilledWidth: width, height: core.count * scale, channels: channels, depth: depth)
            for tile in tiles {
                try Task.checkCancellation()
                let (start, share, work, progress) = (done, Double(tile.input.width * tile.input.height), work, progress)
                let (left, right) = (max(tile.core.x, frame), min(tile.core.x + tile.core.width, frame + source.width))
                if left < right {
                    var region = tile.input
                    region.x -= frame
                    region.y -= frame
                    let kept = Region(x: left - tile.input.x, y: core.lowerBound + frame - tile.input.y, width: right - left, height: core.count)
                    let seen = window.mirroredRaster(of: region)
                    let report: @Sendable (Double) -> Void = { progress((start + $0 * share) / work) }
                    let place = (left - frame, core.lowerBound)
                    let enlarged = switch (layer, self.kept) {
                    case (.opacity, _): try await models.enlarge(opacity: seen, keeping: kept, depth: depth, progress: report)
                    case (.colour, .none): try await models.enlarge(seen, keeping: kept, depth: depth, at: place, progress: report)
                    case (.colour, .flat): try await models.enlarge(keepingFlat: seen, keeping: kept, depth: depth, at: place, progress: report)
                    case (.colour, .soft): try await models.enlarge(keepingSoft: seen, keeping: kept, depth: depth, at: place, progress: report)
                    }
                    result.paste(enlarged, x: (left - frame) * scale)
                }
                account(for: tile)
            }
            return result
        }
        return nil
    }

    private func account(for tile: Tile) {
        done += Double(tile.input.width * tile.input.height)
        progress(done / work)
    }
}

/// A prepared network, and its like in fp32 where it needs help.
struct NetworkModels: Sendable {
    private let all: PreparedModels
    private let prepared: any PreparedModel
    var network: Network { prepared.model.network }

    init(_ all: PreparedModels, scale: Int, precision: Precision?) async throws {
        self.all = all
        prepared = try await all.model(scale: scale, precision: precision)
    }

    /// One tile: colour to what the network wants, network, health check, colour back.
    /// - Parameters:
    ///   - core: the part of the tile that is enlarged; the rest only surrounds it.
    ///   - depth: of the result.
    ///   - place: where the core lies in the picture, for messages.
    /// - Returns: the enlarged core.
    func enlarge(
        _ tile: Raster, keeping core: Region, depth: PixelBuffer.Depth, at place: (x: Int, y: Int), progress: @escaping @Sendable (Double) -> Void
    ) async throws -> PixelBuffer {
        let scale = network.scale
        let kept = Region(x: core.x * scale, y: core.y * scale, width: core.width * scale, height: core.height * scale)
        let input = try network.view(of: tile)

        func result(of model: any PreparedModel, _ progress: @escaping @Sendable (Double) -> Void) async throws -> (PixelBuffer, HealthProblem?) {
            guard tile.channels == input.channels else {
                let output = try await model.run(input, progress: progress).cropped(to: kept)
                var made = PixelBuffer(unfilledWidth: kept.width, height: kept.height, channels: output.channels, depth: depth)
                let isFinite = made.write(output, x: 0, y: 0)
                let problem = HealthCheck.problem(input: input, part: core, output: made, isFinite: isFinite)
                if input.channels == 3 { return (PixelBuffer(output.greyFromRGB, depth: depth), problem) }
                let chroma = Resampling.bicubic.resize(tile, width: tile.width * scale, height: tile.height * scale)
                return (PixelBuffer(chroma.cropped(to: kept).replacingLuma(with: output), depth: depth), problem)
            }
            let (pixels, isFinite) = try await model.run(input, keeping: kept, depth: depth, progress: progress)
            return (pixels, HealthCheck.problem(input: input, part: core, output: pixels, isFinite: isFinite))
        }
        var (pixels, problem) = try await result(of: prepared, progress)
        if problem != nil, prepared.precision != .fp32 {
            (pixels, problem) = try await result(of: all.model(scale: scale, precision: .fp32)) { _ in }
        }
        if let problem {
            throw AcuityError(.health, "\(prepared.model.name): around column \(place.x), row \(place.y) \(problem.rawValue)")
        }
        return pixels
    }
}

/// How much of a work of several parts is done.
final class WorkDone: Sendable {
    private let parts: [Double]
    private let done: Mutex<[Double]>
    private let progress: @Sendable (Double) -> Void

    /// Passes of networks, and a classical step at the end, which is counted as a hundredth of a network's work on the same pixels.
    init(_ passes: [Upscaler.Pass], last size: (width: Int, height: Int), _ progress: @escaping @Sendable (Double) -> Void) {
        parts = passes.map(\.pixels) + [Double(size.width * size.height) / 100]
        self.progress = progress
        done = Mutex([Double](repeating: 0, count: parts.count))
    }

    /// Says that a part is done so far, 0…1.
    func report(_ part: Int, _ fraction: Double) {
        let sum = done.withLock { done in
            done[part] = fraction
            return zip(parts, done).reduce(0) { $0 + $1.0 * $1.1 }
        }
        progress(sum / parts.reduce(0, +))
    }
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

/// Models that an engine has made ready, each once.
actor PreparedModels {
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
