// SelfEnsemble: the mean of what a network makes of a picture turned and mirrored.

/// An engine that shows its network every picture in several of its eight positions and takes the mean of the results.
///
/// A network trained on pictures in all positions errs a little differently in each; the mean errs less. Lim et al. 2017,
/// "Enhanced Deep Residual Networks for Single Image Super-Resolution" (EDSR+), §3.4. The time is as many times as long.
public struct SelfEnsemble: Engine {
    /// How many positions there can be.
    public static let counts = [1, 2, 4, 8]

    /// What runs the network.
    public let engine: any Engine
    /// In how many positions, 1, 2, 4 or 8.
    public let count: Int

    /// - Throws: ``AcuityError`` with code `.usage` for another number of positions.
    public init(_ engine: any Engine, count: Int) throws {
        guard Self.counts.contains(count) else { throw AcuityError(.usage, "self-ensemble \(count): must be 1, 2, 4 or 8") }
        self.engine = engine
        self.count = count
    }

    public var name: String { engine.name }
    public var keepsStrips: Bool { engine.keepsStrips }

    public func prepare(_ model: Model, precision: Precision?) throws -> any PreparedModel {
        let prepared = try engine.prepare(model, precision: precision)
        return count == 1 ? prepared : SelfEnsembleModel(base: prepared, positions: Array(Position.all.prefix(count)))
    }
}

/// A prepared model that is shown every raster in several positions.
private struct SelfEnsembleModel: PreparedModel {
    let base: any PreparedModel
    let positions: [Position]

    var model: Model { base.model }
    var precision: Precision { base.precision }

    func run(_ raster: Raster, progress: @escaping @Sendable (Double) -> Void) async throws -> Raster {
        var mean: Raster?
        let share = 1 / Float(positions.count)
        for (index, position) in positions.enumerated() {
            let done = Double(index)
            let made = try await base.run(raster.turned(to: position)) { [count = Double(positions.count)] in progress((done + $0) / count) }
            mean = mean ?? Raster(width: raster.width * model.network.scale, height: raster.height * model.network.scale, channels: made.channels)
            mean?.add(made, turnedBackFrom: position, times: share)
        }
        return mean ?? raster
    }
}

/// One of the eight positions of a rectangle on a grid: mirrored or not along each axis, then with its axes exchanged or not.
struct Position: Sendable, Hashable {
    var mirrorsColumns = false
    var mirrorsRows = false
    var exchangesAxes = false

    /// The first two, and the first four, treat both directions of each axis, or both axes, alike as far as so few can.
    static let all = [
        Position(), Position(mirrorsColumns: true, mirrorsRows: true, exchangesAxes: true),
        Position(mirrorsColumns: true, mirrorsRows: true), Position(exchangesAxes: true),
        Position(mirrorsColumns: true), Position(mirrorsRows: true),
        Position(mirrorsColumns: true, exchangesAxes: true), Position(mirrorsRows: true, exchangesAxes: true),
    ]

    /// Where a pixel of a picture of this size lies afterwards.
    func place(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        let (x, y) = (mirrorsColumns ? width - 1 - x : x, mirrorsRows ? height - 1 - y : y)
        return exchangesAxes ? (y, x) : (x, y)
    }
}

extension Raster {
    /// This picture in another position.
    func turned(to position: Position) -> Raster {
        if position == Position() { return self }
        let size = position.exchangesAxes ? (height, width) : (width, height)
        let turned = [Float](unsafeUninitializedCapacity: samples.count) { result, count in
            Self.each(position, width: width, height: height, channels: channels) { from, to in
                for channel in 0..<channels { result[to + channel] = samples[from + channel] }
            }
            count = samples.count
        }
        return Raster(width: size.0, height: size.1, channels: channels, samples: turned)
    }

    /// Adds a picture that was turned to `position`, turned back, times a factor.
    mutating func add(_ other: Raster, turnedBackFrom position: Position, times factor: Float) {
        let size = (width: width, height: height, channels: channels)
        other.samples.withUnsafeBufferPointer { other in
            samples.withUnsafeMutableBufferPointer { samples in
                Self.each(position, width: size.width, height: size.height, channels: size.channels) { from, to in
                    for channel in 0..<size.channels { samples[from + channel] += factor * other[to + channel] }
                }
            }
        }
    }

    /// The first sample of every pixel, and where it lies when the picture has been turned.
    private static func each(_ position: Position, width: Int, height: Int, channels: Int, _ body: (Int, Int) -> Void) {
        let turnedWidth = position.exchangesAxes ? height : width
        for y in 0..<height {
            // Along a row the place moves by a constant.
            let start = position.place(x: 0, y: y, width: width, height: height)
            let next = position.place(x: 1, y: y, width: width, height: height)
            let (first, step) = (start.y * turnedWidth + start.x, (next.y - start.y) * turnedWidth + next.x - start.x)
            for x in 0..<width { body((y * width + x) * channels, (first + x * step) * channels) }
        }
    }
}
