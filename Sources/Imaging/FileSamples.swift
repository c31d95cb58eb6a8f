// FileSamples: a picture's pixels in the numbers, channels and colours that a file is to hold.

import CVips
import SuperResolution

struct FileSamples {
    let bytes: [UInt8]
    let bands: Int
    let format: VipsBandFormat
    let space: VipsInterpretation
    /// The profile that the file needs for its colours to be understood.
    let profile: [UInt8]?
    /// What became of the colours, where that is worth a word.
    let remark: String?

    /// - Parameters:
    ///   - bits: per sample in the file.
    ///   - isFloat: floats instead, in the source's own curve.
    init(_ picture: Picture, format: ImageFormat, options: Picture.WritingOptions, bits: Int, isFloat: Bool) throws {
        let depth: PixelBuffer.Depth = bits <= 8 ? .eight : .sixteen
        var remark: String?
        var profile: [UInt8]?
        var pixels = picture.pixels
        var space: VipsInterpretation?
        switch picture.source.samples {
        case .same:
            profile = picture.metadata?.profile
            if let own = profile, !format.holdsProfile {
                profile = nil
                if !ICCProfile(own).isSRGB { (pixels, remark) = try Self.sRGB(pixels, from: own, for: format) }
            }
        case .curve(let curve, let own):
            if isFloat {
                let isHeld = Self.holds(own, format)
                self.init(floats: picture, curve: curve, profile: isHeld ? own : nil, remark: isHeld ? nil : Self.damagedProfile)
                return
            }
            if let own {
                pixels = pixels.converted(to: .sixteen).mapped(through: curve.fromSRGB)
                if format.holdsProfile { profile = own } else { (pixels, remark) = try Self.sRGB(pixels, from: own, for: format) }
            }
        case .converted(let own, let isCMYK):
            let isHeld = isCMYK ? format.holdsCMYK && picture.alpha == nil : format.holdsProfile
            let image = try Self.image(pixels)
            if isHeld, isCMYK || own != nil,
                let back = cvips_icc_to_profile(image.pointer, "p3", own, own?.count ?? 0, Int32(depth.rawValue)) {
                pixels = try VipsPicture(back).integerPixels()
                profile = own
                if isCMYK { space = VIPS_INTERPRETATION_CMYK }
            } else {
                _ = Vips.takeError()
                pixels = try image.map { cvips_icc_transform($0, "p3", "srgb", Int32(depth.rawValue)) }.integerPixels()
                remark = isCMYK ? "\(format.name) gets sRGB instead of the source's CMYK (jpg and tif hold CMYK)"
                    : "the source's colour profile cannot be written; the file is in sRGB"
            }
        }
        pixels = pixels.converted(to: depth)
        if options.strip, let own = profile, ICCProfile(own).isSRGB { profile = nil }
        if !Self.holds(profile, format) { (profile, remark) = (nil, remark ?? Self.damagedProfile) }
        let hasAlpha = picture.alpha != nil && format.holdsAlpha
        if let alpha = picture.alpha?.converted(to: depth) {
            pixels = format.holdsAlpha ? pixels.joined(with: alpha) : pixels.composed(with: alpha, on: options.background)
        }
        self.init(
            bytes: pixels.bytes, bands: pixels.channels, format: pixels.depth == .sixteen ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR,
            space: space ?? Self.space(channels: pixels.channels - (hasAlpha ? 1 : 0), depth: pixels.depth), profile: profile, remark: remark)
    }

    /// Samples as floats, from sRGB's curve back to the source's.
    private init(floats picture: Picture, curve: TransferCurve, profile: [UInt8]?, remark: String?) {
        let raster = picture.pixels.raster
        let table: [UInt16]? = curve == .linear ? nil : curve.fromSRGB
        var samples = raster.samples.map { sample in
            table.map { Float($0[Int((sample * 65535).rounded())]) / 65535 } ?? Float(TransferCurve.sRGB.linear(Double(sample)))
        }
        var channels = raster.channels
        if let alpha = picture.alpha?.raster.samples {
            let colour = samples
            samples = (0..<alpha.count).flatMap { colour[$0 * channels..<($0 + 1) * channels] + [alpha[$0]] }
            channels += 1
        }
        self.init(
            bytes: samples.withUnsafeBytes { Array($0) }, bands: channels, format: VIPS_FORMAT_FLOAT,
            space: raster.channels == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_scRGB, profile: profile, remark: remark)
    }

    private init(bytes: [UInt8], bands: Int, format: VipsBandFormat, space: VipsInterpretation, profile: [UInt8]?, remark: String?) {
        (self.bytes, self.bands, self.format, self.space, self.profile, self.remark) = (bytes, bands, format, space, profile, remark)
    }

    private static func space(channels: Int, depth: PixelBuffer.Depth) -> VipsInterpretation {
        channels < 3 ? (depth == .sixteen ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W)
            : (depth == .sixteen ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB)
    }

    /// Pixels as an image with memory of its own.
    private static func image(_ pixels: PixelBuffer) throws -> VipsPicture {
        try pixels.bytes.withUnsafeBytes { bytes in
            let wrapped = try VipsPicture(cvips_wrap(
                bytes.baseAddress, bytes.count, Int32(pixels.width), Int32(pixels.height), Int32(pixels.channels),
                pixels.depth == .sixteen ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, space(channels: pixels.channels, depth: pixels.depth)))
            // A copy of an image in memory would only be another view of it.
            return try wrapped.map { cvips_own($0) }
        }
    }

    private static let damagedProfile = "the source's colour profile is damaged; its numbers are written as they are"

    /// Whether a file can be given a profile: libjxl 0.7 ends the whole process over one that it cannot convert from.
    private static func holds(_ profile: [UInt8]?, _ format: ImageFormat) -> Bool {
        guard format == .jxl, let profile else { return true }
        return cvips_icc_converts(profile, profile.count) != 0
    }

    private static func sRGB(_ pixels: PixelBuffer, from profile: [UInt8], for format: ImageFormat) throws -> (PixelBuffer, String?) {
        let image = try image(pixels)
        image.setBlob("icc-profile-data", profile)
        guard let converted = cvips_icc_transform(image.pointer, "srgb", "srgb", Int32(pixels.depth.rawValue)) else {
            _ = Vips.takeError()
            return (pixels, damagedProfile)
        }
        let result = try VipsPicture(converted)
        let same = pixels.channels == 1 ? try result.map { cvips_extract_bands($0, 0, 1) } : result
        let isGrey = pixels.channels == 1
        return (try same.integerPixels(), isGrey ? nil : "\(format.name) holds no colour profile; the colours are converted to sRGB")
    }
}

extension PixelBuffer {
    /// Colour with alpha as the last channel.
    fileprivate func joined(with alpha: PixelBuffer) -> PixelBuffer {
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
}
