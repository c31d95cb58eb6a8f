// JPEGCoefficients: what a JPEG file says about its picture: the transform's coefficients of every block, each to within half a step.

import CJPEG
import SuperResolution

/// The quantised coefficients of a grey or YCbCr JPEG file.
public struct JPEGCoefficients: Sendable {
    /// One of luma, blue and red difference.
    struct Component: Sendable {
        /// Samples across and down per sample of the coarsest component.
        let across: Int
        let down: Int
        /// Blocks of 8×8 samples.
        let columns: Int
        let rows: Int
        /// Blocks that the largest units have before these ones.
        var firstColumn = 0
        var firstRow = 0
        /// Steps of the 64 coefficients, frequencies across first, as ``values``.
        let steps: [Float]
        /// In whole steps, block by block, row by row.
        let values: [Int16]
    }

    /// Of the upright picture.
    let width: Int
    let height: Int
    let components: [Component]
    /// Whether what fills the picture up to whole units comes before it, as where EXIF turns it.
    let startsFilled: (x: Bool, y: Bool)

    /// The most bytes that coefficients may take: a picture of 64 megapixels with halved colours.
    package static let most = 192 << 20

    /// `nil` where the file is no JPEG, is damaged, holds neither grey nor YCbCr of 8 bits, or is very large.
    public init?(contentsOf path: String) {
        guard let file = try? InputFile(path), let format = try? ImageFormat(content: file.head()), format == .jpeg else { return nil }
        // Coefficients take more than the file, but for the smallest ones and those full of something else.
        guard file.size <= Self.most else { return nil }
        self.init(data: file.bytes(at: 0, count: file.size))
    }

    /// From the bytes of a file.
    public init?(data: [UInt8]) {
        guard let file = data.withUnsafeBytes({ cjpeg_open($0.baseAddress, $0.count, Self.most) }) else { return nil }
        defer { cjpeg_close(file) }
        let info = file.pointee.info
        let space = info.jpeg_color_space
        guard let list = info.comp_info, space == JCS_YCbCr && info.num_components == 3 || space == JCS_GRAYSCALE && info.num_components == 1 else { return nil }
        var components: [Component] = []
        for index in 0..<Int(info.num_components) {
            let component = list[index]
            guard let table = component.quant_table else { return nil }
            // A component on its own has no need of factors, whatever the file says.
            let isAlone = info.num_components == 1
            let (columns, rows) = (Int(component.width_in_blocks), Int(component.height_in_blocks))
            var values: [Int16] = []
            values.reserveCapacity(columns * rows * 64)
            for row in 0..<rows {
                guard let blocks = cjpeg_row(file, Int32(index), Int32(row)) else { return nil }
                values.append(contentsOf: UnsafeBufferPointer(start: blocks, count: columns * 64))
            }
            let steps = withUnsafeBytes(of: table.pointee.quantval) { $0.bindMemory(to: UInt16.self).map(Float.init) }
            components.append(Component(
                across: isAlone ? 1 : Int(component.h_samp_factor), down: isAlone ? 1 : Int(component.v_samp_factor),
                columns: columns, rows: rows, steps: steps, values: values))
        }
        // Colours at two thirds of the luma's size and the like are unheard of.
        let (across, down) = (components.map(\.across).max() ?? 1, components.map(\.down).max() ?? 1)
        guard components.allSatisfy({ across % $0.across == 0 && down % $0.down == 0 }) else { return nil }
        let turn = Turn(orientation: (try? data.withUnsafeBytes { try PictureFile(bytes: $0, limits: ImageLimits()).orientation() }) ?? 1)
        let (fileWidth, fileHeight) = (Int(info.image_width), Int(info.image_height))
        let units = ((fileWidth + 8 * across - 1) / (8 * across), (fileHeight + 8 * down - 1) / (8 * down))
        (width, height) = turn.swapsSides ? (fileHeight, fileWidth) : (fileWidth, fileHeight)
        startsFilled = (turn.mirrorsColumns, turn.mirrorsRows)
        self.components = components.map { turn.turned($0, units: units) }
    }

    /// How EXIF's orientation (1…8) makes a picture upright: sides swapped first, then mirrored.
    private struct Turn {
        let swapsSides: Bool
        let mirrorsColumns: Bool
        let mirrorsRows: Bool

        init(orientation: Int) {
            swapsSides = orientation >= 5
            mirrorsColumns = [2, 3, 6, 7].contains(orientation)
            mirrorsRows = [3, 4, 7, 8].contains(orientation)
        }

        /// The transform of a turned block has the same coefficients in other places; odd waves change their sign in a mirror.
        /// - Parameter units: the largest ones of the file, across and down.
        func turned(_ old: Component, units: (across: Int, down: Int)) -> Component {
            guard swapsSides || mirrorsColumns || mirrorsRows else { return old }
            let (columns, rows) = swapsSides ? (old.rows, old.columns) : (old.columns, old.rows)
            let (across, down) = swapsSides ? (old.down, old.across) : (old.across, old.down)
            let (wide, high) = swapsSides ? (units.down, units.across) : units
            let places = (0..<64).map { swapsSides ? $0 % 8 * 8 + $0 / 8 : $0 }
            let isNegative = (0..<64).map { (mirrorsColumns && $0 % 2 == 1) != (mirrorsRows && $0 / 8 % 2 == 1) }
            let values = [Int16](unsafeUninitializedCapacity: old.values.count) { values, initialised in
                initialised = old.values.count
                old.values.withUnsafeBufferPointer { from in
                    for row in 0..<rows {
                        for column in 0..<columns {
                            let (x, y) = (mirrorsColumns ? columns - 1 - column : column, mirrorsRows ? rows - 1 - row : row)
                            let (source, target) = (64 * (swapsSides ? x * old.columns + y : y * old.columns + x), 64 * (row * columns + column))
                            for i in 0..<64 {
                                let value = from[source + places[i]]
                                values[target + i] = isNegative[i] ? 0 &- value : value
                            }
                        }
                    }
                }
            }
            return Component(
                across: across, down: down, columns: columns, rows: rows, firstColumn: mirrorsColumns ? wide * across - columns : 0,
                firstRow: mirrorsRows ? high * down - rows : 0, steps: places.map { old.steps[$0] }, values: values)
        }
    }
}
