// Reading: from a file or bytes to a Picture. Content decides the format, the header is judged before the pixels.

import CVips
import SuperResolution

extension Picture {
    /// Reads a JPEG, PNG, WebP, TIFF, GIF (first frame) or HEIF file.
    ///
    /// EXIF orientation is applied, palettes are expanded, CMYK and other colour profiles become sRGB, grey stays grey
    /// and 16 bits stay 16 bits.
    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no sound picture or exceeds `limits`.
    public init(contentsOf path: String, limits: ImageLimits = ImageLimits()) throws {
        try Vips.start()
        let file = try InputFile(path)
        do {
            guard let format = ImageFormat(content: try file.head()) else {
                throw AcuityError(.image, ImageFormat.unknown)
            }
            guard let source = vips_source_new_from_descriptor(file.descriptor) else {
                throw AcuityError(.image, Vips.takeError())
            }
            defer { g_object_unref(source) }
            try self.init(source: source, format: format, limits: limits)
        } catch let error as AcuityError {
            throw AcuityError(error.code, "\(path): \(error.message)")
        }
        origin = file.identity
    }

    /// Reads a picture from the bytes of a file.
    public init(data: [UInt8], limits: ImageLimits = ImageLimits()) throws {
        try Vips.start()
        guard !data.isEmpty else { throw AcuityError(.image, "empty") }
        guard let format = ImageFormat(content: Array(data.prefix(32))) else {
            throw AcuityError(.image, ImageFormat.unknown)
        }
        // Everything is decoded before the bytes go out of scope.
        self = try data.withUnsafeBytes { bytes in
            guard let source = vips_source_new_from_memory(bytes.baseAddress, bytes.count) else {
                throw AcuityError(.image, Vips.takeError())
            }
            defer { g_object_unref(source) }
            return try Picture(source: source, format: format, limits: limits)
        }
    }

    private init(source: UnsafeMutablePointer<VipsSource>, format: ImageFormat, limits: ImageLimits) throws {
        let header = try VipsPicture(cvips_open(source, format.vips))
        let (width, height) = (header.width, header.height)
        guard width <= limits.side, height <= limits.side, width * height <= limits.pixels else {
            throw AcuityError(.image, "\(width)×\(height) pixels exceed the limit of \(limits.pixels / 1_000_000) megapixels")
        }
        guard header.bands <= 5 else { throw AcuityError(.image, "\(header.bands) channels are not understood") }

        // Decoding happens here, once; everything after works on memory.
        let decoded = try header.map(cvips_decode)
        let upright = try decoded.map(cvips_autorotate)
        var metadata = try upright.map { cvips_crop($0, 0, 0, 1, 1) }.map(vips_image_copy_memory)

        let alphaBand = upright.hasAlpha ? upright.bands - 1 : nil
        let colourBands = alphaBand ?? upright.bands
        guard (1...4).contains(colourBands) else { throw AcuityError(.image, "\(upright.bands) channels are not understood") }
        let depth: Int32 = upright.format == VIPS_FORMAT_UCHAR ? 8 : 16

        var colour = try upright.map { cvips_extract_bands($0, 0, Int32(colourBands)) }
        if let converted = try Picture.convertedToSRGB(colour, depth: depth) {
            colour = converted
            // The old profile no longer describes the pixels; without one they are sRGB.
            metadata = try metadata.map { vips_image_copy_memory($0) }
            vips_image_remove(metadata.pointer, "icc-profile-data")
        }
        self.init(
            pixels: try colour.map { cvips_cast($0, depth == 8 ? VIPS_FORMAT_UCHAR : VIPS_FORMAT_USHORT) }.pixels(),
            alpha: try alphaBand.map { band in
                let alpha = try upright.map { cvips_extract_bands($0, Int32(band), 1) }
                return try alpha.map { cvips_cast($0, depth == 8 ? VIPS_FORMAT_UCHAR : VIPS_FORMAT_USHORT) }.pixels()
            },
            metadata: Metadata(carrier: metadata), format: format)
    }

    /// The image in sRGB or grey, or `nil` if it already is.
    private static func convertedToSRGB(_ image: VipsPicture, depth: Int32) throws -> VipsPicture? {
        let isGrey = image.bands == 1
        let isInteger = image.format == VIPS_FORMAT_UCHAR || image.format == VIPS_FORMAT_USHORT
        if isInteger, let profile = image.blob("icc-profile-data"), !ICCProfile(profile).isSRGB {
            // A broken profile is no reason to refuse the picture, unless only it says what the numbers mean.
            if let converted = cvips_to_srgb(image.pointer, depth) {
                let result = try VipsPicture(converted)
                return isGrey ? try result.map { cvips_extract_bands($0, 0, 1) } : result
            }
            _ = Vips.takeError()
        }
        switch image.interpretation {
        case VIPS_INTERPRETATION_CMYK:
            return try image.map { cvips_to_srgb($0, depth) }
        case VIPS_INTERPRETATION_sRGB, VIPS_INTERPRETATION_RGB, VIPS_INTERPRETATION_RGB16, VIPS_INTERPRETATION_B_W,
            VIPS_INTERPRETATION_GREY16, VIPS_INTERPRETATION_MULTIBAND, VIPS_INTERPRETATION_HISTOGRAM:
            guard isInteger, image.bands == 1 || image.bands == 3 else {
                throw AcuityError(.image, "\(image.bands) channels of this number format are not understood; 8 or 16 bits, grey or RGB, are")
            }
            return nil
        default:
            return try image.map { cvips_colourspace($0, depth == 8 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_RGB16) }
        }
    }
}

/// As much of an ICC profile as is needed to know whether it says "sRGB".
struct ICCProfile {
    let description: String

    init(_ bytes: [UInt8]) {
        func integer(_ offset: Int) -> Int {
            guard offset >= 0, offset + 4 <= bytes.count else { return 0 }
            return bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        var text = ""
        for tag in 0..<min(integer(128), 100) {
            let entry = 132 + 12 * tag
            guard integer(entry) == 0x6465_7363 else { continue }  // 'desc'
            let (start, length) = (integer(entry + 4), integer(entry + 8))
            guard start >= 0, start < bytes.count else { continue }
            // ASCII, or UTF-16 in a multi-localised string: without the zeros both read alike.
            let characters = bytes[start..<min(bytes.count, start + min(length, 512))].filter { (32..<127).contains($0) }
            text = String(decoding: characters, as: UTF8.self)
        }
        description = text
    }

    var isSRGB: Bool { description.contains("sRGB") && !description.lowercased().contains("linear") }
}
