// WritingOptions: how a picture is written, and whether a format can do what is asked.

import CVips
import SuperResolution

extension Picture {
    /// How a file is written.
    public struct WritingOptions: Sendable, Hashable {
        /// How finely colour is kept beside brightness.
        public enum Subsampling: String, Sendable, Hashable, CaseIterable {
            /// 4:4:4 in AVIF and where quality is 90 or more, else 4:2:0.
            case automatic = "auto"
            case full = "444"
            case half = "420"
        }

        /// What becomes of the number of dots per inch.
        public enum Resolution: Sendable, Hashable {
            /// As in the source.
            case kept
            /// Scaled with the picture, so that it prints as large as before.
            case scaled
            case dotsPerInch(Double)
        }

        /// `nil`: what the file's extension says.
        public var format: ImageFormat?
        /// 1…100 for formats with loss; `nil` is 92 (HEIC and AVIF 85, JPEG 2000 without loss).
        public var quality: Int?
        /// Whether an existing file may be replaced. The picture's own input never is.
        public var overwrite: Bool
        /// Keep every sample exactly, in formats that can also lose some.
        public var lossless = false
        /// With smaller copies for viewers, all cut into tiles; TIFF only.
        public var pyramid = false
        /// 0 (fast) … 9 (small); `nil` is the format's usual.
        public var effort: Int?
        public var subsampling = Subsampling.automatic
        /// The most bytes the file may have; the best quality below it is searched for.
        public var targetBytes: Int?
        /// What shows through where the format has no transparency: red, green, blue, 0…255, in sRGB.
        public var background: [UInt8] = [255, 255, 255]
        /// Leave EXIF, XMP, IPTC, comments and the time of change behind; a profile stays where the colours need it.
        public var strip = false
        public var resolution = Resolution.kept

        public init(format: ImageFormat? = nil, quality: Int? = nil, overwrite: Bool = false) {
            self.format = format
            self.quality = quality
            self.overwrite = overwrite
        }

        /// - Throws: ``AcuityError`` with code `.usage` where the format cannot do what is asked.
        package func check(for format: ImageFormat) throws {
            guard format.isWritable else { throw format.cannotBeWritten }
            if let quality, !(1...100).contains(quality) { throw AcuityError(.usage, "quality \(quality): must lie between 1 and 100") }
            if let effort, !(0...9).contains(effort) { throw AcuityError(.usage, "effort \(effort): must lie between 0 and 9") }
            if lossless, !format.canBeLossless { throw AcuityError(.usage, "\(format.name) cannot be written without loss; png, tif, webp, jxl and jp2 can") }
            if pyramid, format != .tiff { throw AcuityError(.usage, "pyramid: \(format.name) holds no smaller copies; tif does, and dzi is a pyramid by itself") }
            if targetBytes != nil, format == .deepZoom { throw AcuityError(.usage, "target size: Deep Zoom is many files") }
            if let targetBytes {
                guard targetBytes > 0 else { throw AcuityError(.usage, "target size \(targetBytes): must be at least one byte") }
                guard format.hasQuality, !lossless else {
                    throw AcuityError(.usage, "target size: \(lossless ? "a file without loss" : format.name) has no quality that could be lowered; jpg, webp, avif, heic, jxl and jp2 have")
                }
            }
            if case .dotsPerInch(let dots) = resolution, !(dots.isFinite && (1...100_000).contains(dots)) {
                throw AcuityError(.usage, "resolution \(dots): must lie between 1 and 100000 dots per inch")
            }
        }

        /// The options for libvips' save operation.
        func arguments(for format: ImageFormat, quality wanted: Int?, bits: Int, isGrey: Bool, isFloat: Bool, isLarge: Bool, hasAlpha: Bool) -> String {
            let quality = wanted ?? quality ?? (format == .heif || format == .avif ? 85 : 92)
            func effort(_ option: String, default usual: Int) -> String {
                var (least, most) = (Int32(0), Int32(9))
                guard cvips_has_option(format.saver, option, &least, &most) != 0 else { return "" }
                let level = self.effort.map { Int(least) + (Int(most - least) * $0 + 4) / 9 } ?? max(Int(least), min(Int(most), usual))
                return ",\(option)=\(level)"
            }
            let chroma = ["auto": "auto", "444": "off", "420": "on"][subsampling.rawValue] ?? "auto"
            switch format {
            case .jpeg: return "Q=\(quality),subsample-mode=\(chroma)" + ((self.effort ?? 0) > 0 ? ",optimize-coding=true" : "")
            case .png: return "filter=sub" + effort("compression", default: 1)
            case .webp:
                let loss = lossless ? ",lossless=true" : subsampling == .full ? ",smart-subsample=true" : ""
                return "Q=\(quality)\(loss)" + effort("effort", default: 2)
            case .tiff:
                return "compression=deflate,predictor=\(isFloat ? "float" : "horizontal"),bigtiff=\(isLarge)" + effort("level", default: 1)
                    + (pyramid ? ",tile=true,pyramid=true,tile-width=256,tile-height=256" : "")
            case .gif: return "dither=1" + effort("effort", default: 7)
            case .heif, .avif:
                let mode = subsampling == .automatic ? (quality >= 90 || format == .avif ? "off" : "on") : chroma
                return "Q=\(quality),compression=\(format == .avif ? "av1" : "hevc"),subsample-mode=\(mode),bitdepth=\(bits)" + effort("effort", default: 4)
            case .jxl: return (lossless ? "lossless=true" : "Q=\(quality)") + effort("effort", default: 7)
            case .jp2:
                let isExact = lossless || (wanted ?? self.quality) == nil
                return isExact ? "lossless=true" : "Q=\(quality),subsample-mode=\(subsampling == .half ? "on" : "off")"
            case .bmp: return "format=bmp"
            case .deepZoom:
                // Commas within a tile's own options would end that of the pyramid.
                return hasAlpha || lossless ? "suffix=.png[compression=1]" : "suffix=.jpg[Q=\(quality)]"
            case .ppm: return isGrey ? "format=pgm" : "format=ppm"
            }
        }
    }
}
