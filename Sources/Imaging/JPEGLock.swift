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
    private let transform = Transform()
    private var unitRows: Int { (file.height + 8 * down - 1) / (8 * down) }

    init(_ file: JPEGCoefficients) {
        self.file = file
        across = file.components.map(\.across).max() ?? 1
        down = file.components.map(\.down).max() ?? 1
        width = (file.width + 8 * across - 1) / (8 * across) * 8 * across
    }

    /// How far a picture may be from the file's coefficients by its rounding alone.
    private static let rounding: Float = 1

    /// Of the luma's coefficients, how many a picture may contradict to be held to them wholly, and from how many on it is not at all. Chosen on
    /// the luma of six pictures of Set14: where only JPEG's marks went, up to 4 in 100 were contradicted at quality 50 to 90, where noise of σ 10 went, 3 to 24.
    private static let contradictions: (few: Double, many: Double) = (0.04, 0.07)

    static func share(contradicted: Double) -> Float {
        Float(min(max((contradictions.many - contradicted) / (contradictions.many - contradictions.few), 0), 1))
    }

    /// Whether a picture is what the file decodes to, judged by the means of its blocks of luma.
    func agree(with picture: PixelBuffer) -> Bool {
        var (count, off) = (0, 0)
        let luma = file.components[0]
        let step = luma.steps[0]
        visitLuma(of: picture) { place, transform in
            count += 1
            if abs(transform[0] - Float(luma.values[place]) * step) > step / 2 + 8 { off += 1 }
        }
        return 20 * off <= count
    }

    /// The part of the luma's coefficients that lie outside their steps.
    func contradicted(by picture: PixelBuffer) -> Double {
        var (count, outside) = (0, 0)
        let luma = file.components[0]
        visitLuma(of: picture) { place, transform in
            count += 64
            luma.steps.withUnsafeBufferPointer { steps in
                luma.values.withUnsafeBufferPointer { values in
                    for i in 0..<64 where abs(transform[i] - Float(values[place + i]) * steps[i]) > steps[i] / 2 + Self.rounding { outside += 1 }
                }
            }
        }
        return count > 0 ? Double(outside) / Double(count) : 0
    }

    /// Calls `body` with the place among the luma's coefficients and the transform of every block, frequencies across first.
    private func visitLuma(of picture: PixelBuffer, _ body: (_ place: Int, _ transform: UnsafeMutablePointer<Float>) -> Void) {
        for row in 0..<unitRows {
            visit(reduced(planes(of: strip(picture, row))[0], to: file.components[0]), 0, row) { place, _, transform in body(place, transform) }
        }
    }

    /// The blocks of one component in a row of units, with where their samples begin in its plane.
    private func visit(_ plane: [Float], _ index: Int, _ row: Int, _ body: (_ place: Int, _ start: Int, _ transform: UnsafeMutablePointer<Float>) -> Void) {
        let component = file.components[index]
        let stride = width * component.across / across
        withUnsafeTemporaryAllocation(of: SIMD8<Float>.self, capacity: 8) { scratch in
            guard let block = scratch.baseAddress else { return }
            plane.withUnsafeBufferPointer { plane in
                UnsafeMutableRawPointer(block).withMemoryRebound(to: Float.self, capacity: 64) { samples in
                    for v in 0..<component.down where row * component.down + v < component.rows {
                        for u in 0..<component.columns {
                            let start = 8 * v * stride + 8 * u
                            for y in 0..<8 { for x in 0..<8 { samples[8 * y + x] = plane[start + y * stride + x] } }
                            transform.forward(block)
                            body(((row * component.down + v) * component.columns + u) * 64, start, samples)
                        }
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
                change.withUnsafeMutableBufferPointer { change in
                    visit(plane, index, row) { place, start, samples in
                        guard move(samples, component, place) else { return }
                        isChanged = true
                        UnsafeMutableRawPointer(samples).withMemoryRebound(to: SIMD8<Float>.self, capacity: 8) { transform.backward($0) }
                        for y in 0..<8 { for x in 0..<8 { change[start + y * stride + x] = samples[8 * y + x] * share } }
                    }
                }
                return change
            }
            guard isChanged else { continue }
            add(changes, to: &pixels)
            picture.write(pixels, x: 0, y: row * 8 * down)
        }
    }

    /// Replaces each coefficient by how far it has to move.
    /// - Returns: whether any has to.
    private func move(_ transform: UnsafeMutablePointer<Float>, _ component: JPEGCoefficients.Component, _ place: Int) -> Bool {
        component.steps.withUnsafeBufferPointer { steps in
            component.values.withUnsafeBufferPointer { values in
                var most: Float = 0
                for i in 0..<64 {
                    let (off, half) = (transform[i] - Float(values[place + i]) * steps[i], steps[i] / 2)
                    transform[i] = min(max(off, -half), half) - off
                    most = max(most, abs(transform[i]))
                }
                return most > 0
            }
        }
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
        /// One plane: a weighted sum of the channels.
        func plane(_ red: Float, _ green: Float, _ blue: Float, _ offset: Float) -> [Float] {
            [Float](unsafeUninitializedCapacity: width * height) { plane, initialised in
                initialised = width * height
                pixels.samples.withUnsafeBufferPointer { samples in
                    for y in 0..<height {
                        let row = min(y, pixels.height - 1) * pixels.width
                        for x in 0..<width {
                            let from = (row + min(x, pixels.width - 1)) * channels
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

    /// Adds a component at a time.
    private func add(_ changes: [[Float]], to pixels: inout Raster) {
        let (channels, columns, rows) = (pixels.channels, pixels.width, pixels.height)
        // What a level of luma, blue and red difference is in red, green and blue (JFIF 1.02).
        let weights: [[Float]] = [[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]].map { $0.map { $0 / 255 } }
        pixels.samples.withUnsafeMutableBufferPointer { samples in
            for (index, change) in changes.enumerated() {
                let component = file.components[index]
                let (x, y, stride) = (across / component.across, down / component.down, width * component.across / across)
                let (red, green, blue) = (weights[index][0], weights[index][1], weights[index][2])
                change.withUnsafeBufferPointer { change in
                    for v in 0..<rows {
                        for u in 0..<columns {
                            let (level, to) = (change[v / y * stride + u / x], (v * columns + u) * channels)
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
