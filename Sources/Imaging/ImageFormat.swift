// ImageFormat: the file formats, how they are recognised, what each can hold, and which of them this libvips knows.

import CVips
import SuperResolution
import Synchronization

/// The file formats that are read and written, as far as the libvips at hand was built with them.
public enum ImageFormat: String, Sendable, Hashable, CaseIterable {
    case jpeg, png, webp, tiff, gif, heif, avif, jxl, jp2, bmp, ppm
    /// A file that describes a folder of tiles at all sizes, for viewers in web pages; only written.
    case deepZoom

    /// The format's usual name.
    public var name: String {
        switch self {
        case .webp: "WebP"
        case .heif: "HEIC"
        case .jxl: "JPEG XL"
        case .jp2: "JPEG 2000"
        case .deepZoom: "Deep Zoom"
        default: rawValue.uppercased()
        }
    }

    /// What a file's name ends with.
    public var fileExtension: String {
        switch self {
        case .jpeg: "jpg"
        case .tiff: "tif"
        case .heif: "heic"
        case .deepZoom: "dzi"
        default: rawValue
        }
    }

    /// The format that a file's extension or a person's word stands for: `jpg`, `JPEG`, `tif`, …
    public init?(named name: String) {
        switch name.lowercased() {
        case "jpg", "jpeg", "jpe", "jfif": self = .jpeg
        case "png", "apng": self = .png
        case "webp": self = .webp
        case "tif", "tiff": self = .tiff
        case "gif": self = .gif
        case "heif", "heic", "hif": self = .heif
        case "avif": self = .avif
        case "jxl": self = .jxl
        case "jp2", "j2k", "j2c", "jpc", "jpx": self = .jp2
        case "bmp", "dib": self = .bmp
        case "ppm", "pgm", "pbm", "pnm": self = .ppm
        case "dzi", "dz": self = .deepZoom
        default: return nil
        }
    }

    /// The format that a file's content shows, whatever its name.
    /// - Throws: ``AcuityError`` if the file cannot be opened or is no picture.
    public init(contentsOf path: String) throws {
        let head = try InputFile(path).head()
        guard let format = ImageFormat(content: head) else { throw AcuityError(.image, "\(path): \(ImageFormat.unknown(head))") }
        self = format
    }

    /// The format that a file's first bytes show.
    init?(content: [UInt8]) {
        func begins(_ bytes: [UInt8], at offset: Int = 0) -> Bool { content.dropFirst(offset).starts(with: bytes) }
        func begins(_ text: String, at offset: Int = 0) -> Bool { begins(Array(text.utf8), at: offset) }
        if begins([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if begins("RIFF") && begins("WEBP", at: 8) {
            self = .webp
        } else if begins([0x49, 0x49, 0x2A, 0]) || begins([0x4D, 0x4D, 0, 0x2A]) || begins([0x49, 0x49, 0x2B, 0]) || begins([0x4D, 0x4D, 0, 0x2B]) {
            self = .tiff
        } else if begins("GIF8") {
            self = .gif
        } else if begins("ftypavi", at: 4) {
            self = .avif
        } else if begins("ftyp", at: 4), ["heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"].contains(where: { begins($0, at: 8) }) {
            // A general brand names what is inside among its compatible ones.
            let brands = String(decoding: content.dropFirst(16), as: UTF8.self)
            self = brands.contains("avif") && !brands.contains("heic") ? .avif : .heif
        } else if begins([0xFF, 0x0A]) || begins([0, 0, 0, 12, 0x4A, 0x58, 0x4C, 0x20, 0x0D, 0x0A, 0x87, 0x0A]) {
            self = .jxl
        } else if begins([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20, 0x0D, 0x0A, 0x87, 0x0A]) || begins([0xFF, 0x4F, 0xFF, 0x51]) {
            self = .jp2
        } else if begins("BM") && content.count > 25 && begins([0, 0, 0, 0], at: 6) {
            self = .bmp
        } else if content.count > 3, content[0] == 0x50, "123456Ff".utf8.contains(content[1]), [0x20, 0x0A, 0x0D, 0x09, 0x23].contains(content[2]) {
            self = .ppm
        } else {
            return nil
        }
    }

    /// Why a file with these first bytes is no picture that can be read.
    static func unknown(_ head: [UInt8]) -> String {
        let text = String(decoding: head.prefix(16), as: UTF8.self)
        if text.hasPrefix("#?RADIANCE") || text.hasPrefix("#?RGBE") || head.starts(with: [0x76, 0x2F, 0x31, 0x01]) {
            return "a high dynamic range picture (Radiance or OpenEXR); it must be tone-mapped to 0…1 first, e.g. to a 16-bit TIFF"
        }
        return "not a picture in a known format (" + allCases.filter { $0 != .deepZoom }.map(\.name).joined(separator: ", ") + ")"
    }
}

// MARK: - What a format can hold

extension ImageFormat {
    public var holdsAlpha: Bool { self != .jpeg && self != .bmp && self != .ppm }

    /// Whether one file can hold several pictures of one size, as libvips writes it.
    public var holdsSequences: Bool { self == .gif || self == .webp || self == .tiff }

    /// The most bits per sample that are written.
    public var deepest: Int {
        switch self {
        case .png, .tiff, .jxl, .jp2, .ppm: 16
        case .avif: 12
        case .heif: 10
        default: 8
        }
    }

    /// Whether ``Picture/WritingOptions/quality`` means something, so that a file can be made smaller by it.
    public var hasQuality: Bool {
        switch self {
        case .jpeg, .webp, .heif, .avif, .jxl, .jp2, .deepZoom: true
        default: false
        }
    }

    /// Whether every sample comes back exactly where `lossless` is asked for.
    public var canBeLossless: Bool {
        switch self {
        case .jpeg, .heif, .avif, .gif: false
        default: true
        }
    }

    var holdsProfile: Bool { self != .gif && self != .bmp && self != .ppm && self != .jp2 && self != .deepZoom }

    /// Whether pictures in CMYK are written.
    var holdsCMYK: Bool { self == .jpeg || self == .tiff }

    /// The most pixels per side, if the format has a limit worth checking.
    var largestSide: Int? {
        switch self {
        case .jpeg: 65_500
        case .webp: 16_383
        case .gif: 65_535
        case .heif, .avif: 16_384
        default: nil
        }
    }
}

// MARK: - What this libvips knows

extension ImageFormat {
    /// Whether the libvips at hand reads the format.
    public var isReadable: Bool { (try? Vips.start()) != nil && cvips_has_operation(loader) != 0 }

    /// Whether the libvips at hand writes the format. A saver may be there without its encoder, so a tiny picture is
    /// encoded, once.
    public var isWritable: Bool { Self.writable.value(for: self) }

    /// The formats that are written here, for messages.
    public static var writableNames: String { allCases.filter(\.isWritable).map(\.fileExtension).joined(separator: ", ") }

    /// What to say where ``isWritable`` is false.
    var cannotBeWritten: AcuityError {
        AcuityError(.usage, "\(name) cannot be written by the libvips installed here; \(Self.writableNames) can")
    }

    var loader: String {
        switch self {
        case .heif, .avif: "heifload_source"
        case .jp2: "jp2kload_source"
        case .bmp: "magickload_buffer"
        case .deepZoom: "none"
        default: rawValue + "load_source"
        }
    }

    var saver: String {
        switch self {
        case .heif, .avif: "heifsave_target"
        case .jp2: "jp2ksave_target"
        case .bmp: "magicksave_buffer"
        case .deepZoom: "dzsave"
        default: rawValue + "save_target"
        }
    }

    private static let writable = Encoders()

    private final class Encoders: Sendable {
        private let known = Mutex<[ImageFormat: Bool]>([:])

        func value(for format: ImageFormat) -> Bool {
            if let value = known.withLock({ $0[format] }) { return value }
            let grey = Picture(pixels: PixelBuffer(width: 16, height: 16, channels: 3, depth: .eight))
            let works = (try? Vips.start()) != nil && cvips_has_operation(format.saver) != 0
                && (format == .deepZoom || (try? grey.encoded(as: format, options: Picture.WritingOptions())) != nil)
            known.withLock { $0[format] = works }
            return works
        }
    }
}
