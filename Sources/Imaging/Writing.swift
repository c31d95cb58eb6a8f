// Writing: from a Picture to a JPEG, PNG, WebP or TIFF file.

import CVips
package import SuperResolution

extension Picture {
    /// How a file is written.
    public struct WritingOptions: Sendable, Hashable {
        /// `nil`: what the file's extension says.
        public var format: ImageFormat?
        /// 1…100 for JPEG and WebP.
        public var quality: Int
        /// Whether an existing file may be replaced. The picture's own input never is.
        public var overwrite: Bool

        public init(format: ImageFormat? = nil, quality: Int = 92, overwrite: Bool = false) {
            self.format = format
            self.quality = quality
            self.overwrite = overwrite
        }
    }

    /// The format that `path` and `options` ask for.
    /// - Throws: ``AcuityError`` with code `.usage` where there is none.
    public static func format(for path: String, options: WritingOptions) throws -> ImageFormat {
        if let format = options.format {
            guard format.isWritable else { throw AcuityError(.usage, "\(format.name) cannot be written; jpg, png, webp and tif can") }
            return format
        }
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), let format = ImageFormat(named: String(name[name.index(after: dot)...])), format.isWritable
        else {
            throw AcuityError(.usage, "\(path): the name must end in .jpg, .png, .webp or .tif, or a format be given")
        }
        return format
    }

    /// Whether ``write(to:options:)`` would be let to; asked before an hour of work rather than after it.
    /// - Throws: what writing would throw about the path, the format and the picture's size `width × height` in that format.
    public func checkWriting(to path: String, options: WritingOptions, width: Int, height: Int) throws {
        let format = try Picture.format(for: path, options: options)
        guard (1...100).contains(options.quality) else { throw AcuityError(.usage, "quality \(options.quality): must lie between 1 and 100") }
        if let limit = format.largestSide, max(width, height) > limit {
            throw AcuityError(.image, "\(path): \(width)×\(height) is more than \(format.name) can hold (\(limit) pixels a side); PNG and TIFF can")
        }
        _ = try OutputFile.judge(path, overwrite: options.overwrite, protecting: origin.map { [$0] } ?? [])
    }

    /// Writes the picture, whole or not at all: into a temporary file beside `path`, which then takes its name.
    ///
    /// Alpha goes where the format has it; JPEG gets the picture on white. JPEG and WebP hold 8 bits.
    /// - Throws: ``AcuityError``: `.usage` for a bad format or quality, `.file` if the file may not be written.
    public func write(to path: String, options: WritingOptions = WritingOptions()) throws {
        try Vips.start()
        let format = try Picture.format(for: path, options: options)
        try checkWriting(to: path, options: options, width: width, height: height)
        let file = try OutputFile(path, overwrite: options.overwrite, protecting: origin.map { [$0] } ?? [])
        guard let target = vips_target_new_to_descriptor(file.descriptor) else { throw AcuityError(.file, "\(path): \(Vips.takeError())") }
        defer { g_object_unref(target) }
        let pixels = try encodable(for: format)
        let failed = try pixels.bytes.withUnsafeBytes { bytes in
            let image = try VipsPicture(cvips_wrap(
                bytes.baseAddress, bytes.count, Int32(width), Int32(height), Int32(pixels.channels), Int32(pixels.depth.rawValue)))
            if let metadata { cvips_copy_metadata(metadata.carrier.pointer, image.pointer) }
            return switch format {
            case .jpeg: cvips_save_jpeg(image.pointer, target, Int32(options.quality)) != 0
            case .webp: cvips_save_webp(image.pointer, target, Int32(options.quality)) != 0
            case .tiff: cvips_save_tiff(image.pointer, target) != 0
            default: cvips_save_png(image.pointer, target, 1) != 0
            }
        }
        if failed {
            let why = Vips.takeError()
            throw AcuityError(.file, "\(path): \(why.hasSuffix("write error") ? "cannot be written; is the disk full?" : why)")
        }
        try file.commit()
    }

    /// Colour and alpha in one buffer, as the format can hold them.
    private func encodable(for format: ImageFormat) throws -> PixelBuffer {
        let depth: PixelBuffer.Depth = format == .jpeg || format == .webp ? .eight : pixels.depth
        guard let alpha else { return pixels.converted(to: depth) }
        return format == .jpeg
            ? pixels.converted(to: depth).composed(onWhiteWith: alpha.converted(to: depth))
            : pixels.converted(to: depth).joined(with: alpha.converted(to: depth))
    }
}

extension ImageFormat {
    /// The most pixels per side, if the format has a limit worth checking.
    fileprivate var largestSide: Int? {
        switch self {
        case .jpeg: 65_500
        case .webp: 16_383
        default: nil
        }
    }
}

extension PixelBuffer {
    /// The same picture at another depth, rounded to nearest.
    package func converted(to depth: Depth) -> PixelBuffer {
        if depth == self.depth { return self }
        var result = PixelBuffer(width: width, height: height, channels: channels, depth: depth)
        bytes.withUnsafeBytes { input in
            result.withUnsafeMutableBytes { output in
                if depth == .eight {
                    let wide = input.assumingMemoryBound(to: UInt16.self)
                    for i in wide.indices { output[i] = UInt8(truncatingIfNeeded: (UInt32(wide[i]) * 255 + 32_767) / 65_535) }
                } else {
                    let wide = output.assumingMemoryBound(to: UInt16.self)
                    for i in input.indices { wide[i] = UInt16(input[i]) * 257 }
                }
            }
        }
        return result
    }

    /// Colour with alpha as the last channel.
    func joined(with alpha: PixelBuffer) -> PixelBuffer {
        var result = PixelBuffer(width: width, height: height, channels: channels + 1, depth: depth)
        func join<Sample: FixedWidthInteger>(_: Sample.Type) {
            bytes.withUnsafeBytes { colour in
                alpha.bytes.withUnsafeBytes { alpha in
                    result.withUnsafeMutableBytes { output in
                        let (colour, alpha, output) = (
                            colour.assumingMemoryBound(to: Sample.self), alpha.assumingMemoryBound(to: Sample.self),
                            output.assumingMemoryBound(to: Sample.self))
                        for i in alpha.indices {
                            for c in 0..<channels { output[i * (channels + 1) + c] = colour[i * channels + c] }
                            output[i * (channels + 1) + channels] = alpha[i]
                        }
                    }
                }
            }
        }
        if depth == .eight { join(UInt8.self) } else { join(UInt16.self) }
        return result
    }

    /// 8-bit colour laid over white.
    func composed(onWhiteWith alpha: PixelBuffer) -> PixelBuffer {
        var result = self
        alpha.bytes.withUnsafeBytes { alpha in
            result.withUnsafeMutableBytes { output in
                for i in alpha.indices {
                    let opacity = UInt32(alpha[i])
                    for c in i * channels..<(i + 1) * channels {
                        output[c] = UInt8(truncatingIfNeeded: (UInt32(output[c]) * opacity + 255 * (255 - opacity) + 127) / 255)
                    }
                }
            }
        }
        return result
    }
}
