// PictureHeader: what a file's header says, without any pixel decoded.

import CVips
import SuperResolution

/// Size and format of a picture file, as its header gives them.
package struct PictureHeader: Sendable, Hashable {
    package let format: ImageFormat
    /// Columns and rows of the upright picture: EXIF orientation is taken into account.
    package let width: Int
    package let height: Int
    /// Samples per pixel, alpha included.
    package let channels: Int
    /// Bits per sample, 8 or more.
    package let depth: Int
    package let hasAlpha: Bool
    /// What it carries, of `ICC`, `EXIF`, `XMP` and `IPTC`.
    package let fields: [String]

    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no picture.
    package init(contentsOf path: String) throws {
        try Vips.start()
        let file = try InputFile(path)
        do {
            guard let format = ImageFormat(content: try file.head()) else { throw AcuityError(.image, ImageFormat.unknown) }
            guard let source = vips_source_new_from_descriptor(file.descriptor) else { throw AcuityError(.image, Vips.takeError()) }
            defer { g_object_unref(source) }
            let header = try VipsPicture(cvips_open(source, format.vips))
            let isTurned = vips_image_get_orientation_swap(header.pointer) != 0
            self.format = format
            width = isTurned ? header.height : header.width
            height = isTurned ? header.width : header.height
            channels = header.bands
            depth = 8 * Int(vips_format_sizeof(header.format))
            hasAlpha = header.hasAlpha
            fields = [("icc-profile-data", "ICC"), ("exif-data", "EXIF"), ("xmp-data", "XMP"), ("iptc-data", "IPTC")]
                .filter { vips_image_get_typeof(header.pointer, $0.0) != 0 }.map(\.1)
        } catch let error as AcuityError {
            throw AcuityError(error.code, "\(path): \(error.message)")
        }
    }
}
