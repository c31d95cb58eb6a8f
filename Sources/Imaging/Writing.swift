// Writing: from pictures to a file that appears whole or not at all, and an account of what it could not hold.

import CVips
import SuperResolution

extension Picture {
    /// The format that `path` and `options` ask for.
    /// - Throws: ``AcuityError`` with code `.usage` where there is none, or where it cannot do what is asked.
    public static func format(for path: String, options: WritingOptions) throws -> ImageFormat {
        let name = path.split(separator: "/").last ?? ""
        let named = name.lastIndex(of: ".").flatMap { ImageFormat(named: String(name[name.index(after: $0)...])) }
        guard let format = options.format ?? named else {
            throw AcuityError(.usage, "\(path): the name must end in that of a format (\(ImageFormat.writableNames)), or a format be given")
        }
        try options.check(for: format)
        return format
    }

    /// Whether ``write(to:options:)`` would be let to; asked before an hour of work rather than after it.
    /// - Throws: what writing would throw about the path, the format and the picture's size `width × height` in that format.
    public func checkWriting(to path: String, options: WritingOptions, width: Int, height: Int) throws {
        let format = try Picture.format(for: path, options: options)
        if let limit = format.largestSide, max(width, height) > limit {
            throw AcuityError(.image, "\(path): \(width)×\(height) is more than \(format.name) can hold (\(limit) pixels a side); PNG and TIFF can")
        }
        _ = try OutputFile.judge(path, overwrite: options.overwrite, protecting: origin.map { [$0] } ?? [])
    }

    /// Writes the picture, whole or not at all: into a temporary file beside `path`, which then takes its name.
    ///
    /// Depth, alpha, colours and metadata go along as far as the format has them; without alpha the picture is laid on
    /// the background. The file takes over the time of the one that the picture came from.
    /// - Returns: what the file does not hold although the source did, a line each.
    /// - Throws: ``AcuityError``: `.usage` for options that do not fit the format, `.file` if the file may not be written.
    @discardableResult public func write(to path: String, options: WritingOptions = WritingOptions()) throws -> [String] {
        try PictureSequence(pictures: [self]).write(to: path, options: options)
    }

    static func write(_ sequence: PictureSequence, to path: String, options: WritingOptions) throws -> [String] {
        try Vips.start()
        let format = try format(for: path, options: options)
        var sequence = sequence
        var remarks = sequence.pictures[0].remarks
        if sequence.pictures.count > 1, !format.holdsSequences {
            remarks.append("\(format.name) holds one picture here: the first of \(sequence.pictures.count) is written (gif, webp and tif hold all)")
            sequence = PictureSequence(pictures: [sequence.pictures[0]])
        }
        let first = sequence.pictures[0]
        try first.checkWriting(to: path, options: options, width: first.width, height: first.height)
        let protected = first.origin.map { [$0] } ?? []
        if format == .deepZoom {
            let folder = try DeepZoomOutput(path, overwrite: options.overwrite, protecting: protected)
            remarks += try sequence.encode(as: format, options: options, quality: nil) { cvips_save_to_file(format.saver, $0, folder.temporaryBase, $1) }
            try folder.commit()
            return remarks
        }
        let file = try OutputFile(path, overwrite: options.overwrite, protecting: protected)
        do {
            if let most = options.targetBytes {
                let (bytes, more) = try sequence.encoded(as: format, options: options, within: most - first.embeddedLater(in: format, options: options))
                try file.write(bytes, at: 0)
                remarks += more
            } else {
                guard let target = vips_target_new_to_descriptor(file.descriptor) else { throw AcuityError(.file, Vips.takeError()) }
                defer { g_object_unref(target) }
                remarks += try sequence.encode(as: format, options: options, quality: nil) { cvips_save(format.saver, $0, target, $1) }
            }
            if format == .webp, sequence.pictures.count > 1 { try file.correctExifHeight(from: first.height * sequence.pictures.count, to: first.height) }
            if !options.strip { remarks += try first.completeMetadata(of: file, format: format, options: options, size: (first.width, first.height)) }
        } catch let error as AcuityError {
            throw error.naming(path)
        }
        try file.commit(as: options.strip ? nil : first.origin)
        return remarks
    }

    /// The bits per sample in a file, and whether they are floats.
    func samples(in format: ImageFormat) -> (bits: Int, isFloat: Bool) {
        (min(source.bits ?? pixels.depth.rawValue, format.deepest), format == .tiff && source.bits == 32)
    }

    /// What the file does not hold of so many bits, if that is worth a word.
    func remark(on bits: Int, isFloat: Bool, in format: ImageFormat) -> String? {
        guard let deep = source.bits ?? (pixels.depth == .sixteen ? 16 : nil), deep > bits, !isFloat else { return nil }
        return "\(format.name) holds \(bits) bits per channel, not the source's \(deep == 32 ? "floats" : String(deep))"
    }

    /// The bytes of a file.
    func encoded(as format: ImageFormat, options: WritingOptions) throws -> [UInt8] {
        try PictureSequence(pictures: [self]).encoded(as: format, options: options, quality: nil).bytes
    }
}

extension PictureSequence {
    fileprivate func encoded(as format: ImageFormat, options: Picture.WritingOptions, quality: Int?) throws -> (bytes: [UInt8], remarks: [String]) {
        guard let target = vips_target_new_to_memory() else { throw AcuityError(.file, Vips.takeError()) }
        defer { g_object_unref(target) }
        let remarks = try encode(as: format, options: options, quality: quality) { cvips_save(format.saver, $0, target, $1) }
        guard let blob = cvips_written(target) else { throw AcuityError(.file, Vips.takeError()) }
        defer { cvips_free_blob(blob) }
        var length = 0
        guard let bytes = vips_blob_get(blob, &length), length > 0 else { throw AcuityError(.file, "nothing was encoded") }
        return ([UInt8](UnsafeRawBufferPointer(start: bytes, count: length)), remarks)
    }

    /// The file of the best quality, up to the one asked for, that has at most so many bytes.
    fileprivate func encoded(as format: ImageFormat, options: Picture.WritingOptions, within most: Int) throws -> (bytes: [UInt8], remarks: [String]) {
        var (low, high) = (1, options.quality ?? 100)
        let best = try encoded(as: format, options: options, quality: high)
        if best.bytes.count <= most { return best }
        var result: (bytes: [UInt8], remarks: [String])?
        var smallest = best.bytes.count
        while low < high {
            try Task.checkCancellation()
            let quality = (low + high) / 2
            let attempt = try encoded(as: format, options: options, quality: quality)
            smallest = min(smallest, attempt.bytes.count)
            if attempt.bytes.count <= most { (result, low) = (attempt, quality + 1) } else { high = quality }
        }
        guard let result else {
            throw AcuityError(.image, "cannot be made as small as \(options.targetBytes ?? most) bytes: \(smallest) is the least \(format.name) manages at \(width)×\(height)")
        }
        return result
    }

    /// Encodes all pictures.
    /// - Parameter save: runs the format's saver with these options; 0 if all went well.
    /// - Returns: what became of their colours, where that is worth a word.
    fileprivate func encode(
        as format: ImageFormat, options: Picture.WritingOptions, quality: Int?, save: (UnsafeMutablePointer<VipsImage>, String) -> Int32
    ) throws -> [String] {
        let samples = pictures.map { $0.samples(in: format) }
        let bits = samples.map(\.bits).max() ?? 8
        let isFloat = samples.allSatisfy(\.isFloat)
        var remarks = [pictures[0].remark(on: bits, isFloat: isFloat, in: format)].compactMap { $0 }
        let frames = try pictures.map { try FileSamples($0, format: format, options: options, bits: bits, isFloat: isFloat) }
        if let remark = frames[0].remark { remarks.append(remark) }
        // Frames and pages are one tall image to libvips.
        let bytes = frames.count == 1 ? frames[0].bytes : frames.flatMap(\.bytes)
        try bytes.withUnsafeBytes { bytes in
            let image = try VipsPicture(cvips_wrap(
                bytes.baseAddress, bytes.count, Int32(width), Int32(height * frames.count), Int32(frames[0].bands), frames[0].format, frames[0].space))
            if let metadata = pictures[0].metadata, !options.strip { pictures[0].carry(metadata, into: image, options: options, size: (width, height)) }
            image.setBlob("icc-profile-data", frames[0].profile)
            if frames.count > 1 {
                vips_image_set_int(image.pointer, "page-height", Int32(height))
                if let animation {
                    var delays = animation.delays.map(Int32.init(clamping:))
                    vips_image_set_array_int(image.pointer, "delay", &delays, Int32(delays.count))
                    vips_image_set_int(image.pointer, "loop", Int32(clamping: animation.loops))
                }
            }
            let arguments = options.arguments(
                for: format, quality: quality, bits: bits, isGrey: frames[0].bands == 1, isFloat: isFloat, isLarge: bytes.count > 3_000_000_000, hasAlpha: pictures[0].alpha != nil)
            guard save(image.pointer, arguments) == 0 else { throw AcuityError(.file, Vips.takeError()) }
        }
        return remarks
    }
}

extension Picture {
    /// Metadata as it must read for a picture of this size.
    func carry(_ metadata: Metadata, into image: VipsPicture, options: WritingOptions, size: (width: Int, height: Int)) {
        cvips_copy_metadata(metadata.carrier.pointer, image.pointer)
        let update = UpToDate(width: size.width, height: size.height)
        metadata.putExif(into: image, for: update)
        if let xmp = metadata.xmp { image.setBlob("xmp-data", update.xmp(xmp)) }
        // libvips' own stand-in for an unknown resolution would print a postcard metres wide.
        if image.pointer.pointee.Xres == 1 { (image.pointer.pointee.Xres, image.pointer.pointee.Yres) = (72 / 25.4, 72 / 25.4) }
        let factor = resolutionFactor(options, size: size)
        image.pointer.pointee.Xres *= factor.x
        image.pointer.pointee.Yres *= factor.y
    }

    /// By what the resolution among the metadata is to be multiplied.
    func resolutionFactor(_ options: WritingOptions, size: (width: Int, height: Int)) -> (x: Double, y: Double) {
        switch options.resolution {
        case .kept: return (1, 1)
        case .scaled:
            guard let before = source.size else { return (1, 1) }
            return (Double(size.width) / Double(before.width), Double(size.height) / Double(before.height))
        case .dotsPerInch(let dots):
            guard let carrier = metadata?.carrier.pointer.pointee, carrier.Xres > 0, carrier.Yres > 0 else { return (1, 1) }
            return (dots / 25.4 / carrier.Xres, dots / 25.4 / carrier.Yres)
        }
    }
}

extension AcuityError {
    /// The same error, naming the file that was to be written.
    func naming(_ path: String) -> AcuityError {
        if message.hasPrefix(path) { return self }
        return AcuityError(code, "\(path): \(message.hasSuffix("write error") ? "cannot be written; is the disk full?" : message)")
    }
}
