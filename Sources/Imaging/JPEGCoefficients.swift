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
        /// Steps of the 64 coefficients, frequencies across first, as ``values``.
        let steps: [Float]
        /// In whole steps, block by block, row by row.
        let values: [Int16]
    }

    let width: Int
    let height: Int
    let components: [Component]
    /// EXIF's orientation, 1…8, of the pixels in the file.
    let orientation: Int

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
        (width, height) = (Int(info.image_width), Int(info.image_height))
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
        self.components = components
        orientation = (try? data.withUnsafeBytes { try PictureFile(bytes: $0, limits: ImageLimits()).orientation() }) ?? 1
    }
}

extension PixelBuffer {
    /// An upright picture as it lies in a file of this EXIF orientation (1…8), or `back` from there.
    func turned(_ orientation: Int, back: Bool = false) -> PixelBuffer {
        guard (2...8).contains(orientation) else { return self }
        let swaps = orientation >= 5
        var result = PixelBuffer(width: swaps ? height : width, height: swaps ? width : height, channels: channels, depth: depth)
        let (w, h) = back ? (width, height) : (result.width, result.height)
        let (pixel, from, to) = (channels * depth.bytes, width, result.width)
        bytes.withUnsafeBytes { source in
            result.withUnsafeMutableBytes { target in
                for y in 0..<h {
                    for x in 0..<w {
                        // Where the pixel at x, y of the file lies in the upright picture.
                        let (u, v) = switch orientation {
                        case 2: (w - 1 - x, y)
                        case 3: (w - 1 - x, h - 1 - y)
                        case 4: (x, h - 1 - y)
                        case 5: (y, x)
                        case 6: (h - 1 - y, x)
                        case 7: (h - 1 - y, w - 1 - x)
                        default: (y, w - 1 - x)
                        }
                        let (a, b) = back ? (y * from + x, v * to + u) : (v * from + u, y * to + x)
                        for byte in 0..<pixel { target[b * pixel + byte] = source[a * pixel + byte] }
                    }
                }
            }
        }
        return result
    }
}
