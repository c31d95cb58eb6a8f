// PictureRows: a picture file read from top to bottom, a strip at a time, so that it never has to be in memory whole.

import CVips
import SuperResolution

/// The rows of a picture file, upright, as strips that are pictures of their own.
///
/// Used by one task at a time. Pictures that EXIF turns, and those whose format is not coded row by row, are decoded whole, the first onto disk.
package final class PictureRows: @unchecked Sendable {
    /// Columns and rows of the upright picture.
    package let width: Int
    package let height: Int
    private let file: PictureFile
    private let image: VipsPicture
    /// Fields that do not outlive decoding.
    private let blobs: [(name: String, bytes: [UInt8])]
    private let remarks: [String]
    private let stripRows: Int
    private var row = 0

    /// - Parameter stripBytes: about how many bytes of samples are decoded at a time.
    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no sound picture or exceeds `limits`.
    package init(contentsOf path: String, limits: ImageLimits = ImageLimits(), stripBytes: Int = 8 << 20) throws {
        file = try PictureFile(contentsOf: path, limits: limits)
        (image, blobs, remarks) = try file.rows()
        (width, height) = (image.width, image.height)
        let row = width * image.bands * Int(vips_format_sizeof(image.format))
        // Of a small picture a part too, so that whoever takes the rows can begin.
        stripRows = max(1, min(max(64, height / 8), stripBytes / max(1, row)))
    }

    /// The next rows; `nil` after the last. The metadata of all strips are those of the picture.
    /// - Throws: ``AcuityError`` with code `.image` where the file is damaged.
    package func next() throws -> Picture? {
        guard row < height else { return nil }
        let count = min(stripRows, height - row)
        var strip = try file.strip(image, row: row, count: count, blobs: blobs)
        strip.source.size = (width, height)
        if row == 0 { strip.remarks = remarks }
        row += count
        return strip
    }
}

extension ImageFormat {
    /// Whether ``PictureRows`` gives what reading the whole gives: GIF's transparency is judged by all pixels.
    package var isReadByRows: Bool { self != .gif && self != .bmp }
}

extension PictureFile {
    /// The upright image, not decoded yet; fields that do not outlive decoding; what is left out, in words.
    fileprivate func rows() throws -> (image: VipsPicture, blobs: [(name: String, bytes: [UInt8])], remarks: [String]) {
        try named {
            let header = try open("")
            try judge(width: header.width, height: header.height, pictures: 1)
            guard header.bands <= 5 else { throw AcuityError(.image, "\(header.bands) channels are not understood") }
            let blobs = blobs(of: header), count = count(header)
            let remarks = count > 1 && format.holdsSequences ? ["holds \(count) pictures of different sizes or kinds; only the first is read"] : []
            guard (header.integer("orientation") ?? 1) != 1 else { return (header, blobs, remarks) }
            // Rows of the upright picture lie across those of the file.
            return (try header.map(cvips_onto_disk).map(cvips_autorotate), blobs, remarks)
        }
    }

    fileprivate func strip(_ image: VipsPicture, row: Int, count: Int, blobs: [(name: String, bytes: [UInt8])]) throws -> Picture {
        try named {
            let strip = try image.map { cvips_crop($0, 0, Int32(row), Int32(image.width), Int32(count)) }.map(cvips_decode)
            for (name, bytes) in blobs { strip.setBlob(name, bytes) }
            // libvips reads the orientation out of EXIF once more; the rows are upright.
            vips_image_remove(strip.pointer, "orientation")
            return try picture(strip, .own)
        }
    }
}
