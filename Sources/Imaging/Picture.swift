// Picture: an image with everything a file carries beside its colours: alpha, profile, metadata.

import CVips
public import SuperResolution

/// A picture in memory, upright, in sRGB or grey, with its alpha apart.
public struct Picture: Sendable {
    /// One channel (grey) or three (sRGB), 8 or 16 bits.
    public var pixels: PixelBuffer
    /// One channel of the same size and depth; the colour is not multiplied with it.
    public var alpha: PixelBuffer?
    /// What else the file said.
    public var metadata: Metadata?
    /// The format of the file it came from.
    public var format: ImageFormat?
    /// The file it came from, so that it is never overwritten.
    package var origin: FileIdentity?

    /// - Precondition: 1 or 3 colour channels; alpha of the same size and depth.
    public init(pixels: PixelBuffer, alpha: PixelBuffer? = nil, metadata: Metadata? = nil, format: ImageFormat? = nil) {
        precondition(pixels.channels == 1 || pixels.channels == 3, "a picture is grey or RGB")
        if let alpha {
            precondition(
                alpha.channels == 1 && (alpha.width, alpha.height, alpha.depth) == (pixels.width, pixels.height, pixels.depth),
                "alpha must match the colour")
        }
        self.pixels = pixels
        self.alpha = alpha
        self.metadata = metadata
        self.format = format
    }

    public var width: Int { pixels.width }
    public var height: Int { pixels.height }
}

/// What a file says about its picture: EXIF, XMP, IPTC, colour profile, resolution. Kept as libvips read it.
public struct Metadata: Sendable {
    /// A 1×1 image that carries the fields.
    let carrier: VipsPicture

    public var exif: [UInt8]? { carrier.blob("exif-data") }
    public var xmp: [UInt8]? { carrier.blob("xmp-data") }
    public var iptc: [UInt8]? { carrier.blob("iptc-data") }
    /// Only there when the picture's samples are in this profile: an sRGB or grey one.
    public var profile: [UInt8]? { carrier.blob("icc-profile-data") }
    /// Pixels per millimetre, horizontally.
    public var resolution: Double { vips_image_get_xres(carrier.pointer) }
}

/// The file formats that are read; four of them are written too.
public enum ImageFormat: String, Sendable, Hashable, CaseIterable {
    case jpeg, png, webp, tiff, gif, heif

    /// The format's usual name.
    public var name: String {
        switch self {
        case .webp: "WebP"
        default: rawValue.uppercased()
        }
    }

    /// What a file's name ends with.
    public var fileExtension: String {
        switch self {
        case .jpeg: "jpg"
        case .tiff: "tif"
        case .heif: "heic"
        default: rawValue
        }
    }

    public var isWritable: Bool { self != .gif && self != .heif }

    /// The format that a file's extension or a person's word stands for: `jpg`, `JPEG`, `tif`, …
    public init?(named name: String) {
        switch name.lowercased() {
        case "jpg", "jpeg", "jpe", "jfif": self = .jpeg
        case "png": self = .png
        case "webp": self = .webp
        case "tif", "tiff": self = .tiff
        case "gif": self = .gif
        case "heif", "heic", "avif": self = .heif
        default: return nil
        }
    }

    /// The format that a file's content shows, whatever its name.
    /// - Throws: ``AcuityError`` if the file cannot be opened or is no picture.
    public init(contentsOf path: String) throws {
        guard let format = ImageFormat(content: try InputFile(path).head()) else { throw AcuityError(.image, "\(path): \(ImageFormat.unknown)") }
        self = format
    }

    static let unknown = "not a picture in a known format (JPEG, PNG, WebP, TIFF, GIF, HEIF)"

    /// The format that a file's first bytes show.
    init?(content: [UInt8]) {
        func begins(_ bytes: [UInt8], at offset: Int = 0) -> Bool { content.dropFirst(offset).starts(with: bytes) }
        if begins([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if begins(Array("RIFF".utf8)) && begins(Array("WEBP".utf8), at: 8) {
            self = .webp
        } else if begins([0x49, 0x49, 0x2A, 0]) || begins([0x4D, 0x4D, 0, 0x2A]) || begins([0x49, 0x49, 0x2B, 0]) || begins([0x4D, 0x4D, 0, 0x2B]) {
            self = .tiff
        } else if begins(Array("GIF8".utf8)) {
            self = .gif
        } else if begins(Array("ftyp".utf8), at: 4), let brand = String(validating: content.dropFirst(8).prefix(4), as: UTF8.self),
            ["heic", "heix", "heim", "heis", "mif1", "msf1", "avif", "avis"].contains(brand)
        {
            self = .heif
        } else {
            return nil
        }
    }

    var vips: CVipsFormat {
        switch self {
        case .jpeg: CVIPS_JPEG
        case .png: CVIPS_PNG
        case .webp: CVIPS_WEBP
        case .tiff: CVIPS_TIFF
        case .gif: CVIPS_GIF
        case .heif: CVIPS_HEIF
        }
    }
}

/// What a picture may be at most; checked after the header and before any pixel is decoded.
public struct ImageLimits: Sendable, Hashable {
    /// Width × height.
    public var pixels: Int
    /// Of each side.
    public var side: Int

    /// 268 megapixels (2²⁸) and a million pixels a side unless told otherwise.
    public init(pixels: Int = 1 << 28, side: Int = 1_000_000) {
        self.pixels = pixels
        self.side = side
    }
}
