// Reading: from a file or bytes to a Picture. Content decides the format, the header is judged before the pixels.

import CVips
import SuperResolution

extension Picture {
    /// Reads a picture file; of an animation or a document the first picture (``PictureSequence`` has them all).
    ///
    /// EXIF orientation is applied, palettes are expanded, CMYK becomes RGB, grey stays grey and 16 bits stay 16 bits.
    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no sound picture or exceeds `limits`.
    public init(contentsOf path: String, limits: ImageLimits = ImageLimits(), colour: ColourReading = .own) throws {
        self = try PictureFile(contentsOf: path, limits: limits).read(colour, first: true).pictures[0]
    }

    /// Reads a picture from the bytes of a file.
    public init(data: [UInt8], limits: ImageLimits = ImageLimits(), colour: ColourReading = .own) throws {
        // Everything is decoded before the bytes go out of scope.
        self = try data.withUnsafeBytes { try PictureFile(bytes: $0, limits: limits).read(colour, first: true).pictures[0] }
    }
}

/// A picture file whose header has been read.
final class PictureFile {
    private let path: String?
    private let file: InputFile?
    private let source: UnsafeMutablePointer<VipsSource>
    private let limits: ImageLimits
    let format: ImageFormat
    private let facts: FileFacts

    init(contentsOf path: String, limits: ImageLimits) throws {
        try Vips.start()
        Vips.forgetErrors()
        let file = try InputFile(path)
        do {
            (format, facts) = try PictureFile.judge(ByteReader(file))
            guard let source = vips_source_new_from_descriptor(file.descriptor) else { throw AcuityError(.image, Vips.takeError()) }
            self.source = source
        } catch let error as AcuityError {
            throw AcuityError(error.code, "\(path): \(error.message)")
        }
        self.path = path
        self.file = file
        self.limits = limits
    }

    /// - Parameter bytes: must outlive this value.
    init(bytes: UnsafeRawBufferPointer, limits: ImageLimits) throws {
        try Vips.start()
        Vips.forgetErrors()
        guard !bytes.isEmpty else { throw AcuityError(.image, "empty") }
        (format, facts) = try PictureFile.judge(ByteReader(bytes))
        guard let source = vips_source_new_from_memory(bytes.baseAddress, bytes.count) else { throw AcuityError(.image, Vips.takeError()) }
        self.source = source
        path = nil
        file = nil
        self.limits = limits
    }

    deinit { g_object_unref(source) }

    private static func judge(_ bytes: ByteReader) throws -> (ImageFormat, FileFacts) {
        let head = bytes.bytes(at: 0, count: 32)
        guard let format = ImageFormat(content: head) else { throw AcuityError(.image, ImageFormat.unknown(head)) }
        guard format.isReadable else { throw AcuityError(.image, "\(format.name) cannot be read by the libvips installed here") }
        let facts = FileFacts(format, bytes)
        if facts.isAnimatedPNG { throw AcuityError(.image, "an animated PNG, of which libvips reads only the first picture; GIF and WebP animations can be enlarged") }
        if facts.isHDR { throw AcuityError(.image, "a high dynamic range picture (PQ or HLG); it must be tone-mapped to standard range first") }
        return (format, facts)
    }

    /// Decodes the first picture, or all.
    func read(_ colour: ColourReading, first: Bool) throws -> PictureSequence { try named { try readAll(colour, first: first) } }

    /// What the header says; no pixel is decoded.
    func header() throws -> PictureHeader {
        try named {
            let header = try open("")
            let count = count(header)
            return PictureHeader(header, format: format, facts: facts, frames: all(count, like: header) == nil ? 1 : count)
        }
    }

    /// EXIF's, 1…8.
    func orientation() throws -> Int { try named { try open("").integer("orientation") ?? 1 } }

    /// Errors name the file.
    func named<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as AcuityError {
            throw AcuityError(error.code, path.map { "\($0): \(error.message)" } ?? error.message)
        }
    }

    func open(_ options: String) throws -> VipsPicture {
        // Damaged files fail instead of turning grey.
        try VipsPicture(cvips_load(format.loader, source, "access=sequential,fail_on=error" + options))
    }

    /// How many pictures the file says that it holds. JPEG 2000's are the levels of one.
    func count(_ header: VipsPicture) -> Int { format == .jp2 ? 1 : max(1, header.integer("n-pages") ?? 1) }

    /// Several pictures as one tall image; `nil` where they are of different sizes or kinds. HEIC files hold alternatives
    /// rather than pages.
    private func all(_ count: Int, like first: VipsPicture) -> VipsPicture? {
        guard count > 1, format.holdsSequences else { return nil }
        guard let all = try? open(",n=-1"), all.height == first.height * count else {
            _ = Vips.takeError()
            return nil
        }
        return all
    }

    func judge(width: Int, height: Int, pictures: Int) throws {
        guard width <= limits.side, height <= limits.side, pictures <= limits.pixels, width * height * pictures <= limits.pixels else {
            let size = pictures > 1 ? "\(pictures) pictures of \(width)×\(height) pixels" : "\(width)×\(height) pixels"
            throw AcuityError(.image, "\(size) exceed the limit of \(limits.pixels / 1_000_000) megapixels")
        }
    }

    /// Fields of a header: libvips' HEIF loader leaves some that point into memory which is gone once the pixels are decoded.
    func blobs(of header: VipsPicture) -> [(name: String, bytes: [UInt8])] {
        (["exif-data", "xmp-data", "iptc-data", "icc-profile-data"] + VipsPicture.heifItems).compactMap { name in header.blob(name).map { (name, $0) } }
    }

    private func readAll(_ reading: ColourReading, first: Bool) throws -> PictureSequence {
        var header = try open("")
        let (width, height) = (header.width, header.height)
        let count = count(header)
        try judge(width: width, height: height, pictures: 1)
        guard header.bands <= 5 else { throw AcuityError(.image, "\(header.bands) channels are not understood") }

        var remarks: [String] = []
        var frames = 1
        if count > 1, !first {
            if let all = all(count, like: header) {
                try judge(width: width, height: height, pictures: count)
                header = all
                frames = count
            } else {
                header = try open("")
                remarks.append("holds \(count) pictures of different sizes or kinds; only the first is read")
            }
        }
        let blobs = blobs(of: header)
        let delays = header.integers("delay")
        let loop = header.integer("loop")

        // Decoding happens here, once; everything after works on memory.
        let decoded = try header.map(cvips_decode)
        for (name, bytes) in blobs { decoded.setBlob(name, bytes) }
        var pictures: [Picture] = []
        for index in 0..<frames {
            try Task.checkCancellation()
            let frame = frames == 1 ? decoded : try decoded.map { cvips_crop($0, 0, Int32(index * height), Int32(width), Int32(height)) }
            var picture = try self.picture(frame, reading)
            if index == 0 { picture.remarks = remarks }
            pictures.append(picture)
        }
        // GIF has a transparent colour whether or not it is used.
        if format == .gif, pictures.allSatisfy({ $0.alpha?.bytes.allSatisfy { $0 == 255 } ?? true }) {
            for index in pictures.indices { pictures[index].alpha = nil }
        }
        let isAnimated = frames > 1 && format != .tiff
        return PictureSequence(
            pictures: pictures,
            animation: isAnimated ? PictureSequence.Animation(delays: (0..<frames).map { $0 < delays.count ? delays[$0] : 100 }, loops: loop ?? 0) : nil)
    }

    /// One decoded frame as a picture.
    func picture(_ frame: VipsPicture, _ reading: ColourReading) throws -> Picture {
        let upright = try frame.map(cvips_autorotate)
        let alphaBand = upright.hasAlpha ? upright.bands - 1 : nil
        let colourBands = alphaBand ?? upright.bands
        guard (1...4).contains(colourBands) else { throw AcuityError(.image, "\(upright.bands) channels are not understood") }

        let colour = try upright.map { cvips_extract_bands($0, 0, Int32(colourBands)) }
        if facts.isDisplayP3, colour.blob("icc-profile-data") == nil { colour.setProfile(named: "p3") }
        let (pixels, encoding, profile) = try Picture.pixels(of: colour, reading: reading)
        let alpha: PixelBuffer? = try alphaBand.map { band in
            let alpha = try upright.map { cvips_extract_bands($0, Int32(band), 1) }
            let isFloat = alpha.format == VIPS_FORMAT_FLOAT || alpha.format == VIPS_FORMAT_DOUBLE
            return isFloat ? PixelBuffer(try alpha.floatRaster(), depth: .sixteen) : try alpha.integerPixels().converted(to: pixels.depth)
        }
        var source = encoding
        if let depth = upright.integer("heif-bitdepth"), depth > 8 { source.bits = depth }

        source.size = (pixels.width, pixels.height)

        let carrier = try upright.map { cvips_crop($0, 0, 0, 1, 1) }.map(cvips_decode)
        let metadata = Metadata(carrier: carrier)
        metadata.complete(with: facts)
        metadata.setProfile(profile)
        var picture = Picture(pixels: pixels, alpha: alpha, metadata: metadata, format: format)
        picture.source = source
        picture.origin = file?.identity
        return picture
    }
}
