// Colour: how the samples of a file become those that a network sees, and how they become the file's again.
//
// Networks are trained on sRGB, where colours outside it do not exist. Converting a Display-P3 or Adobe RGB picture would
// clip what makes it wide, so its samples are kept as they are, in their own primaries: the network sees slightly paler
// colours, and the profile goes along. Only what a network does depend on, the tone curve, is exchanged for sRGB's where the
// profile's is far from it. CMYK and profiles made of tables have no such samples; they go through Display-P3 in 16 bits.

import CVips
#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif
import SuperResolution

func power(_ x: Double, _ y: Double) -> Double { x > 0 ? pow(x, y) : 0 }

/// In which colours a picture's pixels are wanted.
public enum ColourReading: Sendable, Hashable {
    /// In the file's own primaries where they are RGB, so that nothing is clipped; ``Metadata/profile`` describes them.
    case own
    /// In sRGB, clipped to it; grey stays grey.
    case sRGB
}

/// How the samples of ``Picture/pixels`` stand to those of the file they came from.
struct SourceEncoding: Sendable {
    enum Samples: Sendable {
        /// As in the file; a profile, if any, is among the metadata.
        case same
        /// The file's tone curve was exchanged for sRGB's.
        case curve(TransferCurve, profile: [UInt8]?)
        /// Converted to Display-P3, from the profile or, without one, from libvips' CMYK.
        case converted(profile: [UInt8]?, isCMYK: Bool)
    }

    var samples = Samples.same
    /// Bits per sample of the file, if they are not those of the pixels: 32 for floats.
    var bits: Int?
    /// Of the file's picture, upright.
    var size: (width: Int, height: Int)?
}

/// Beyond this a tone curve is exchanged for sRGB's. Gamma 2.2 (Adobe RGB) is 0.035 away, gamma 1.8 (ProPhoto) 0.08.
private let nearCurve = 0.05

extension Picture {
    /// One decoded, upright colour image, without its alpha, as pixels that networks understand.
    static func pixels(of colour: VipsPicture, reading: ColourReading) throws -> (PixelBuffer, SourceEncoding, profile: [UInt8]?) {
        if colour.format == VIPS_FORMAT_FLOAT || colour.format == VIPS_FORMAT_DOUBLE {
            let isPlain = colour.bands == 1 || colour.bands == 3
            guard isPlain, colour.interpretation != VIPS_INTERPRETATION_LAB, colour.interpretation != VIPS_INTERPRETATION_XYZ else {
                return (try sRGB(colour, as: VIPS_INTERPRETATION_RGB16), SourceEncoding(bits: 16), nil)
            }
            return try linear(colour)
        }
        let depth: Int32 = colour.format == VIPS_FORMAT_UCHAR ? 8 : 16
        let isInteger = colour.format == VIPS_FORMAT_UCHAR || colour.format == VIPS_FORMAT_USHORT
        let embedded = isInteger ? colour.blob("icc-profile-data").map(ICCProfile.init) : nil
        if colour.interpretation == VIPS_INTERPRETATION_CMYK {
            let profile = embedded?.space == .cmyk ? embedded : nil
            if profile == nil { vips_image_remove(colour.pointer, "icc-profile-data") }
            let wanted = reading == .sRGB ? "srgb" : "p3"
            // A broken profile is no reason to refuse the picture.
            guard let converted = cvips_icc_transform(colour.pointer, "cmyk", wanted, reading == .sRGB ? depth : 16) else {
                throw AcuityError(.image, Vips.takeError())
            }
            let pixels = try VipsPicture(converted).integerPixels()
            if reading == .sRGB { return (pixels, SourceEncoding(), nil) }
            return (pixels, SourceEncoding(samples: .converted(profile: profile?.bytes, isCMYK: true), bits: Int(depth)), nil)
        }
        switch colour.interpretation {
        case VIPS_INTERPRETATION_sRGB, VIPS_INTERPRETATION_RGB, VIPS_INTERPRETATION_RGB16, VIPS_INTERPRETATION_B_W,
            VIPS_INTERPRETATION_GREY16, VIPS_INTERPRETATION_MULTIBAND, VIPS_INTERPRETATION_HISTOGRAM:
            guard isInteger, colour.bands == 1 || colour.bands == 3 else {
                throw AcuityError(.image, "\(colour.bands) channels of this number format are not understood; 8 or 16 bits or floats, grey or RGB, are")
            }
        default:
            return (try sRGB(colour, as: depth == 8 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_RGB16), SourceEncoding(), nil)
        }
        // A profile for another kind of pixels says nothing about these.
        guard let embedded, embedded.space == (colour.bands == 1 ? .grey : .rgb) else { return (try colour.integerPixels(), SourceEncoding(), nil) }
        if embedded.isSRGB { return (try colour.integerPixels(), SourceEncoding(), embedded.bytes) }
        if reading == .sRGB {
            guard let converted = cvips_icc_transform(colour.pointer, "srgb", "srgb", depth) else {
                _ = Vips.takeError()
                return (try colour.integerPixels(), SourceEncoding(), nil)
            }
            let result = try VipsPicture(converted)
            return (try (colour.bands == 1 ? result.map { cvips_extract_bands($0, 0, 1) } : result).integerPixels(), SourceEncoding(), nil)
        }
        if let curve = embedded.transfer {
            let pixels = try colour.integerPixels()
            if curve.distanceFromSRGB <= nearCurve { return (pixels, SourceEncoding(), embedded.bytes) }
            return (pixels.converted(to: .sixteen).mapped(through: curve.toSRGB), SourceEncoding(samples: .curve(curve, profile: embedded.bytes), bits: Int(depth)), nil)
        }
        if colour.bands == 3, let converted = cvips_icc_transform(colour.pointer, "srgb", "p3", 16) {
            return (try VipsPicture(converted).integerPixels(), SourceEncoding(samples: .converted(profile: embedded.bytes, isCMYK: false), bits: Int(depth)), nil)
        }
        // A broken profile is no reason to refuse the picture.
        _ = Vips.takeError()
        return (try colour.integerPixels(), SourceEncoding(), nil)
    }

    private static func sRGB(_ image: VipsPicture, as space: VipsInterpretation) throws -> PixelBuffer {
        let pixels = try image.map { cvips_colourspace($0, space) }.integerPixels()
        guard pixels.channels == 1 || pixels.channels == 3 else { throw AcuityError(.image, "\(pixels.channels) channels of floats are not understood; grey or RGB are") }
        return pixels
    }

    /// Floats are linear light, 0…1, unless a profile knows better.
    private static func linear(_ image: VipsPicture) throws -> (PixelBuffer, SourceEncoding, profile: [UInt8]?) {
        let raster = try image.floatRaster()
        guard let low = raster.samples.min(), let high = raster.samples.max(), low > -0.002, high < 1.002, !raster.samples.contains(where: \.isNaN) else {
            throw AcuityError(
                .image, "holds floats from \(raster.samples.min() ?? 0) to \(raster.samples.max() ?? 0); light beyond 0…1 (HDR) is not enlarged: tone-map or scale it first")
        }
        let profile = image.blob("icc-profile-data").map(ICCProfile.init).flatMap { $0.space == (image.bands == 1 ? .grey : .rgb) ? $0 : nil }
        let curve = profile.map { $0.transfer ?? .sRGB } ?? .linear
        var encoded = raster
        for i in encoded.samples.indices {
            encoded.samples[i] = Float(TransferCurve.sRGBSample(curve.linear(Double(min(max(0, raster.samples[i]), 1)))))
        }
        return (PixelBuffer(encoded, depth: .sixteen), SourceEncoding(samples: .curve(curve, profile: profile?.bytes), bits: 32), nil)
    }
}

extension PixelBuffer {
    /// 16-bit samples, each replaced by its entry in a table of 65 536.
    func mapped(through table: [UInt16]) -> PixelBuffer {
        var result = self
        result.withUnsafeMutableBytes { bytes in
            let samples = bytes.assumingMemoryBound(to: UInt16.self)
            for i in samples.indices { samples[i] = table[Int(samples[i])] }
        }
        return result
    }
}
