// PictureHeader: what a file's header says, without any pixel decoded.

import CVips
import SuperResolution

/// Size, format and kind of a picture file, as its header gives them.
package struct PictureHeader: Sendable, Hashable {
    package let format: ImageFormat
    /// Columns and rows of the upright picture: EXIF orientation is taken into account.
    package let width: Int
    package let height: Int
    /// Frames or pages that ``PictureSequence`` reads; 1 where pictures are of different sizes or kinds.
    package let frames: Int
    /// Samples per pixel, alpha included.
    package let channels: Int
    /// Bits per sample, 8 or more; 32 and more are floats.
    package let depth: Int
    /// Bytes per sample of what the decoder gives.
    package let bytesPerSample: Int
    package let hasAlpha: Bool
    package let isCMYK: Bool
    /// The name of the colour profile.
    package let profile: String?
    /// What it carries, of `ICC`, `EXIF`, `XMP` and `IPTC`.
    package let fields: [String]

    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no picture or of a kind that is refused.
    package init(contentsOf path: String) throws {
        self = try PictureFile(contentsOf: path, limits: ImageLimits()).header()
    }

    init(_ header: VipsPicture, format: ImageFormat, facts: FileFacts, frames: Int) {
        let isTurned = vips_image_get_orientation_swap(header.pointer) != 0
        self.format = format
        (width, height) = isTurned ? (header.height, header.width) : (header.width, header.height)
        self.frames = frames
        channels = header.bands
        bytesPerSample = Int(vips_format_sizeof(header.format))
        depth = max(8, header.integer("heif-bitdepth") ?? 8 * bytesPerSample)
        hasAlpha = header.hasAlpha
        isCMYK = header.interpretation == VIPS_INTERPRETATION_CMYK
        let icc = header.blob("icc-profile-data")
        profile = icc.flatMap { ICCProfile($0).name } ?? (facts.isDisplayP3 ? "Display P3" : nil)
        let isThere = [
            ("ICC", icc != nil), ("EXIF", facts.exif != nil || header.has("exif-data")),
            ("XMP", facts.xmp != nil || header.has("xmp-data") || header.heifXMP != nil), ("IPTC", facts.iptc != nil || header.has("iptc-data")),
        ]
        fields = isThere.filter(\.1).map(\.0)
    }
}
