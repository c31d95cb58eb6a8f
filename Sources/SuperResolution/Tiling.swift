// Tiling: cuts a picture into tiles that a network enlarges one by one as if it saw the whole.

extension Network {
    /// How far, in input pixels, an output pixel looks: a tile with this much overlap gives what the whole picture gives.
    /// `nil` for a network that sees the whole picture at once (group normalisation).
    public var receptiveRadius: Int? {
        var radii = [Double](repeating: 0, count: operations.count)
        for (index, operation) in operations.enumerated() {
            guard let own = operation.reach else { return nil }
            let before = operation.operands.map { value in
                // One pixel of the operand is down / up input pixels wide.
                radii[value.index] + own * Double(shapes[value.index].down) / Double(shapes[value.index].up)
            }
            radii[index] = before.max() ?? 0
        }
        return Int((radii[output.index] - 1e-9).rounded(.up))
    }

    /// Floats alive per input pixel while the network runs, roughly: the two largest neighbouring values; where an engine keeps
    /// strips of those inside, input and output twice (and no fewer than 96, for tiles that large waste little already).
    func floatsPerPixel(inStrips: Bool) -> Double {
        let sizes = shapes.map { Double($0.channels * $0.up * $0.up) / Double($0.down * $0.down) }
        if inStrips { return max(96, 2 * (sizes[0] + sizes[output.index])) }
        return zip(sizes, sizes.dropFirst()).map { $0 + $1 }.max() ?? 1
    }
}

extension Operation {
    /// How far the operation looks, in pixels of its operand; `nil` if everywhere.
    fileprivate var reach: Double? {
        switch self {
        case .convolution(_, let c): Double(max(c.kernelHeight, c.kernelWidth) / 2 + c.stride - 1)
        case .transposedConvolution(_, let c): Double(c.kernel / 2) / Double(c.stride) + 1
        case .pixelUnshuffle(_, let factor): Double(factor - 1)
        case .enlarge(_, _, let method):
            switch method {
            case .nearest: 0
            case .bilinear: 1
            case .bicubic: 2
            }
        case .normalise(_, let n):
            if case .group = n.kind { nil } else { 0 }
        default: 0
        }
    }
}

/// One step of a ``Tiling``, in input pixels.
public struct Tile: Sendable, Hashable {
    /// What the network is given: the core and the overlap around it.
    public let input: Region
    /// What of it is kept.
    public let core: Region
}

/// A picture cut into tiles whose cores cover it exactly once.
///
/// Each tile overlaps its neighbours by exactly what the network looks at; at the picture's own borders there is no
/// overlap, so that the network's padding acts there as on the whole picture.
public struct Tiling: Sendable, Hashable {
    /// How large the tiles are.
    public enum Size: Sendable, Hashable {
        /// As large as fits a fixed amount of memory.
        case automatic
        /// Cores of this many pixels a side, at least 32.
        case side(Int)
        /// The whole picture at once.
        case whole
    }

    /// Row by row, left to right.
    public let tiles: [Tile]

    /// Cuts a picture of `width × height` pixels (multiples of ``Network/sizeMultiple``) for a network.
    /// - Parameters:
    ///   - inStrips: ``Engine/keepsStrips`` of the engine that will run the tiles.
    ///   - coreRows: the most rows of an automatic tile's core; more where overlap would be most of the work. Where that
    ///     costs little, the first and the last tiles are then less high: whoever takes the rows waits for the first ones, and is
    ///     alone with the last.
    public init(width: Int, height: Int, network: Network, size: Size = .automatic, inStrips: Bool = false, coreRows: Int? = nil) {
        guard var radius = network.receptiveRadius else {
            self.init(width: width, height: height, coreWidth: width, coreHeight: height, overlap: 0, multiple: 1)
            return
        }
        if network.colour == .luma { radius = max(radius, 2) }  // bicubic chroma
        // Tiles begin on the network's grid, so overlaps and cores are multiples of it.
        let multiple = network.sizeMultiple
        let overlap = (radius + multiple - 1) / multiple * multiple
        switch size {
        case .whole:
            self.init(width: width, height: height, coreWidth: width, coreHeight: height, overlap: overlap, multiple: multiple)
        case .side(let side):
            let side = min(max(32, side), 1 << 20)
            self.init(width: width, height: height, coreWidth: side, coreHeight: side, overlap: overlap, multiple: multiple)
        case .automatic:
            // 64 Mi floats, 256 MB in fp32. Near-square tiles waste least on overlap.
            var pixels = max(64 * 64, Int(Double(64 << 20) / network.floatsPerPixel(inStrips: inStrips)))
            // A network that looks hundreds of pixels around (ESRGAN: 350) would do little else than overlap.
            if inStrips, Int(Double(pixels).squareRoot()) < 8 * overlap { pixels *= 4 }
            if coreRows == nil, width * height <= pixels {
                self.init(width: width, height: height, coreWidth: width, coreHeight: height, overlap: overlap, multiple: multiple)
                return
            }
            let least = inStrips ? max(32, 2 * overlap) : 32
            var side = max(least, Int(Double(pixels).squareRoot()) - 2 * overlap)
            let most = coreRows.map { max($0, 2 * overlap) }
            // Tiles that are less high may be wider.
            if let most, most < side { side = max(side, pixels / 2 / (most + 2 * overlap) - 2 * overlap) }
            let columns = max(1, (width + side - 1) / side)
            let coreWidth = (width + columns - 1) / columns
            let rows = min(most ?? .max, max(least, pixels / (coreWidth + (columns > 1 ? 2 * overlap : 0)) - 2 * overlap))
            self.init(
                width: width, height: height, coreWidth: coreWidth,
                coreHeight: evenly(height, atMost: rows), overlap: overlap, multiple: multiple, tapers: coreRows != nil)
        }
    }

    private init(width: Int, height: Int, coreWidth: Int, coreHeight: Int, overlap: Int, multiple: Int, tapers: Bool = false) {
        func up(_ n: Int) -> Int { (max(1, n) + multiple - 1) / multiple * multiple }
        let (coreWidth, coreHeight) = (up(coreWidth), up(coreHeight))
        var tops = Array(stride(from: 0, to: height, by: coreHeight))
        /// Cuts off a part of a quarter of some rows, where it is worth its overlap.
        func split(_ rows: Range<Int>, at place: (_ quarter: Int) -> Int) {
            let quarter = up(rows.count / 4)
            if quarter >= max(1, 2 * overlap), quarter < rows.count / 2 { tops.append(place(quarter)) }
        }
        if tapers, let last = tops.last {
            split(last..<height) { last + up(height - last - $0) }
            split(0..<min(coreHeight, height)) { $0 }
            tops = Set(tops).sorted()
        }
        var tiles: [Tile] = []
        for (y, below) in zip(tops, tops.dropFirst() + [height]) {
            for x in stride(from: 0, to: width, by: coreWidth) {
                let core = Region(x: x, y: y, width: min(coreWidth, width - x), height: below - y)
                let (left, top) = (max(0, x - overlap), max(0, y - overlap))
                let right = min(width, x + core.width + overlap)
                let bottom = min(height, y + core.height + overlap)
                tiles.append(Tile(input: Region(x: left, y: top, width: right - left, height: bottom - top), core: core))
            }
        }
        self.tiles = tiles
    }
}

/// The part of `length` that goes into the fewest equal parts of at most `limit`.
private func evenly(_ length: Int, atMost limit: Int) -> Int {
    let parts = max(1, (length + limit - 1) / limit)
    return (length + parts - 1) / parts
}
