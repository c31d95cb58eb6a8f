// JPEGLock: keeps a cleaned picture within what its JPEG file says.

public import SuperResolution

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

extension PixelBuffer {
    /// The picture nearest to this one of which saving would have made the file.
    ///
    /// A JPEG file gives each coefficient of its blocks' transform to within half a step. Pictures for which that holds are a convex set (Rosenholtz
    /// and Zakhor 1992); what was compressed is one of them, so going to the nearest one never leads away from it, whatever a network made before.
    /// Noise that is in the file is in all of them, though: where a picture contradicts many coefficients, it does so to take noise
    /// away, and is left as it is.
    /// - Parameters:
    ///   - file: as large as the picture before its orientation was applied.
    ///   - source: what the file decodes to.
    /// - Returns: `self` where the file has nothing to say: of another size or kind, or not the source's.
    public func held(to file: JPEGCoefficients, like source: PixelBuffer) -> PixelBuffer {
        guard (source.width, source.height, source.channels) == (width, height, channels), channels == file.components.count else { return self }
        let isSwapped = file.orientation >= 5
        guard (isSwapped ? height : width, isSwapped ? width : height) == (file.width, file.height) else { return self }
        let blocks = JPEGBlocks(file)
        guard blocks.agree(with: source.turned(file.orientation)) else { return self }
        var result = turned(file.orientation)
        let share = JPEGBlocks.share(contradicted: blocks.contradicted(by: result))
        guard share > 0 else { return self }
        blocks.hold(&result, share: share)
        return result.turned(file.orientation, back: true)
    }
}

/// Compares pictures with the coefficients of a file, a row of its largest units at a time.
struct JPEGBlocks {
    private let file: JPEGCoefficients
    /// Pixels per sample of the coarsest component.
    private let across: Int
    private let down: Int
    /// Pixels per row, filled up to whole units.
    private let width: Int
    private var unitRows: Int { (file.height + 8 * down - 1) / (8 * down) }

    init(_ file: JPEGCoefficients) {
        self.file = file
        across = file.components.map(\.across).max() ?? 1
        down = file.components.map(\.down).max() ?? 1
        width = (file.width + 8 * across - 1) / (8 * across) * 8 * across
    }

    /// How far a picture may be from the file's coefficients by its rounding alone.
    private static let rounding: Float = 1

    /// Of the luma's coefficients, how many a picture may contradict to be held to them wholly, and from how many on it is not at all. Networks that only
    /// take JPEG's marks away contradict up to 4 in 100 (Set14, quality 50 to 90), those that take noise of σ 10 away 4 to 24.
    private static let contradictions: (few: Double, many: Double) = (0.04, 0.07)

    static func share(contradicted: Double) -> Float {
        Float(min(max((contradictions.many - contradicted) / (contradictions.many - contradictions.few), 0), 1))
    }

    /// Whether a picture is what the file decodes to, judged by the means of its blocks of luma.
    func agree(with picture: PixelBuffer) -> Bool {
        var (count, off) = (0, 0)
        visit(picture, components: 0..<1) { component, place, transform in
            let step = file.components[component].steps[0]
            count += 1
            if abs(transform[0][0] - Float(file.components[component].values[place]) * step) > step / 2 + 8 { off += 1 }
        }
        return 20 * off <= count
    }

    /// The part of the luma's coefficients that lie outside their steps.
    func contradicted(by picture: PixelBuffer) -> Double {
        var (count, outside) = (0, 0)
        visit(picture, components: 0..<1) { component, place, transform in
            let component = file.components[component]
            count += 64
            for v in 0..<8 {
                for u in 0..<8 {
                    let (step, value) = (component.steps[8 * v + u], Float(component.values[place + 8 * v + u]))
                    if abs(transform[v][u] - value * step) > step / 2 + Self.rounding { outside += 1 }
                }
            }
        }
        return count > 0 ? Double(outside) / Double(count) : 0
    }

    /// Calls `body` with the place among the coefficients and the transform of every block.
    private func visit(_ picture: PixelBuffer, components: Range<Int>, _ body: (_ component: Int, _ place: Int, _ transform: Block) -> Void) {
        for row in 0..<unitRows {
            let planes = planes(of: strip(picture, row))
            for index in components {
                let component = file.components[index]
                let plane = reduced(planes[index], to: component)
                let stride = width * component.across / across
                for v in 0..<component.down where row * component.down + v < component.rows {
                    for u in 0..<component.columns {
                        body(index, ((row * component.down + v) * component.columns + u) * 64, Transform.forward(block(plane, stride, u, v)))
                    }
                }
            }
        }
    }

    /// Moves coefficients that lie outside their steps to the nearest edge of them, or a share of the way.
    func hold(_ picture: inout PixelBuffer, share: Float) {
        for row in 0..<unitRows {
            var pixels = strip(picture, row)
            let planes = planes(of: pixels)
            var isChanged = false
            let changes = file.components.indices.map { index -> [Float] in
                let component = file.components[index]
                let plane = reduced(planes[index], to: component)
                let stride = width * component.across / across
                var change = [Float](repeating: 0, count: plane.count)
                for v in 0..<component.down where row * component.down + v < component.rows {
                    for u in 0..<component.columns {
                        let place = ((row * component.down + v) * component.columns + u) * 64
                        let transform = Transform.forward(block(plane, stride, u, v))
                        guard let moved = moves(of: transform, component, place) else { continue }
                        isChanged = true
                        let delta = Transform.backward(moved)
                        for y in 0..<8 { for x in 0..<8 { change[(8 * v + y) * stride + 8 * u + x] = delta[y][x] * share } }
                    }
                }
                return change
            }
            guard isChanged else { continue }
            add(changes, to: &pixels)
            picture.write(pixels, x: 0, y: row * 8 * down)
        }
    }

    /// By how much each coefficient has to move; `nil` if none has to.
    private func moves(of transform: Block, _ component: JPEGCoefficients.Component, _ place: Int) -> Block? {
        var (moves, isAny) = (transform, false)
        for v in 0..<8 {
            for u in 0..<8 {
                let (step, value) = (component.steps[8 * v + u], Float(component.values[place + 8 * v + u]))
                let off = transform[v][u] - value * step
                let move = min(max(off, -step / 2), step / 2) - off
                moves[v][u] = move
                if move != 0 { isAny = true }
            }
        }
        return isAny ? moves : nil
    }

    // MARK: - Samples

    /// The pixels of a row of units.
    private func strip(_ picture: PixelBuffer, _ row: Int) -> Raster {
        let top = row * 8 * down
        return picture.raster(of: Region(x: 0, y: top, width: picture.width, height: min(8 * down, picture.height - top)))
    }

    /// Luma and colour differences (JFIF 1.02) around 0, in levels of 255, the last column and row repeated up to whole units.
    private func planes(of pixels: Raster) -> [[Float]] {
        let (channels, height) = (pixels.channels, 8 * down)
        var planes = [[Float]](repeating: [Float](repeating: 0, count: width * height), count: channels)
        pixels.samples.withUnsafeBufferPointer { samples in
            for y in 0..<height {
                let from = min(y, pixels.height - 1) * pixels.width
                for x in 0..<width {
                    let (place, to) = ((from + min(x, pixels.width - 1)) * channels, y * width + x)
                    guard channels == 3 else {
                        planes[0][to] = samples[place] * 255 - 128
                        continue
                    }
                    let (red, green, blue) = (samples[place] * 255, samples[place + 1] * 255, samples[place + 2] * 255)
                    planes[0][to] = 0.299 * red + 0.587 * green + 0.114 * blue - 128
                    planes[1][to] = -0.168736 * red - 0.331264 * green + 0.5 * blue
                    planes[2][to] = 0.5 * red - 0.418688 * green - 0.081312 * blue
                }
            }
        }
        return planes
    }

    /// A plane at a component's own size, by means, as encoders do it.
    private func reduced(_ plane: [Float], to component: JPEGCoefficients.Component) -> [Float] {
        let (x, y) = (across / component.across, down / component.down)
        guard x > 1 || y > 1 else { return plane }
        let (columns, rows) = (width / x, 8 * down / y)
        var result = [Float](repeating: 0, count: columns * rows)
        for v in 0..<8 * down { for u in 0..<width { result[v / y * columns + u / x] += plane[v * width + u] } }
        let part = 1 / Float(x * y)
        for i in result.indices { result[i] *= part }
        return result
    }

    private func add(_ changes: [[Float]], to pixels: inout Raster) {
        let channels = pixels.channels
        for y in 0..<pixels.height {
            for x in 0..<pixels.width {
                func change(_ index: Int) -> Float {
                    let component = file.components[index]
                    let (u, v) = (x * component.across / across, y * component.down / down)
                    return changes[index][v * (width * component.across / across) + u] / 255
                }
                let place = (y * pixels.width + x) * channels
                let luma = change(0)
                guard channels == 3 else {
                    pixels.samples[place] += luma
                    continue
                }
                let (blue, red) = (change(1), change(2))
                pixels.samples[place] += luma + 1.402 * red
                pixels.samples[place + 1] += luma - 0.344136 * blue - 0.714136 * red
                pixels.samples[place + 2] += luma + 1.772 * blue
            }
        }
    }

    private func block(_ plane: [Float], _ stride: Int, _ column: Int, _ row: Int) -> Block {
        plane.withUnsafeBufferPointer { plane in
            var block = Block(repeating: .zero, count: 8)
            for y in 0..<8 {
                let start = (8 * row + y) * stride + 8 * column
                for x in 0..<8 { block[y][x] = plane[start + x] }
            }
            return block
        }
    }
}

/// Eight rows of eight.
typealias Block = [SIMD8<Float>]

/// The discrete cosine transform of 8×8 samples (ITU T.81, A.3.3), which is orthonormal.
enum Transform {
    /// By frequency and place.
    private static let cosines: [[Float]] = (0..<8).map { u in
        let scale = u == 0 ? 0.125.squareRoot() : 0.5
        return (0..<8).map { x in
            let angle = Double((2 * x + 1) * u) * Double.pi / 16
            return Float(scale * cos(angle))
        }
    }

    static func forward(_ block: Block) -> Block { transposed(columns(transposed(columns(block)))) }

    static func backward(_ block: Block) -> Block { transposed(columnsBack(transposed(columnsBack(block)))) }

    private static func columns(_ block: Block) -> Block {
        cosines.map { row in (0..<8).reduce(into: SIMD8<Float>.zero) { $0 += block[$1] * row[$1] } }
    }

    private static func columnsBack(_ block: Block) -> Block {
        (0..<8).map { x in (0..<8).reduce(into: SIMD8<Float>.zero) { $0 += block[$1] * cosines[$1][x] } }
    }

    private static func transposed(_ block: Block) -> Block {
        (0..<8).map { u in SIMD8<Float>(block[0][u], block[1][u], block[2][u], block[3][u], block[4][u], block[5][u], block[6][u], block[7][u]) }
    }
}
