// Vips: libvips as Swift sees it: started once, images that free themselves, errors as one line.

import CVips
import SuperResolution
import Synchronization

enum Vips {
    /// Whether libvips runs; starting it happens once, whoever asks first.
    private static let isRunning: Bool = cvips_start() == 0

    /// Throws unless libvips could be started.
    static func start() throws {
        guard isRunning else { throw AcuityError(.image, "libvips could not be started") }
    }

    private static let errors = Mutex(())

    /// Forgets what libvips said about what came before: a file that was read in spite of it must not explain the next one's end.
    static func forgetErrors() { errors.withLock { _ in vips_error_clear() } }

    /// Takes what libvips has to say about a failure. Its error buffer is one for the whole process, so under
    /// concurrency the text may belong to another picture: it explains, it never decides.
    static func takeError() -> String {
        let text = errors.withLock { _ in
            let text = String(cString: vips_error_buffer())
            vips_error_clear()
            return text
        }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { $0.isASCII && $0 >= " " } }.filter { !$0.isEmpty }
        return lines.first.map { String($0.prefix(200)) } ?? "damaged"
    }
}

/// A libvips image; immutable once made, so it may be shared.
final class VipsPicture: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<VipsImage>

    /// Takes over a reference.
    /// - Throws: ``AcuityError`` with code `.image` and libvips' message when there is none.
    init(_ pointer: UnsafeMutablePointer<VipsImage>?) throws {
        guard let pointer else { throw AcuityError(.image, Vips.takeError()) }
        self.pointer = pointer
    }

    deinit { g_object_unref(pointer) }

    var width: Int { Int(vips_image_get_width(pointer)) }
    var height: Int { Int(vips_image_get_height(pointer)) }
    var bands: Int { Int(vips_image_get_bands(pointer)) }
    var format: VipsBandFormat { vips_image_get_format(pointer) }
    var interpretation: VipsInterpretation { vips_image_get_interpretation(pointer) }
    var hasAlpha: Bool { vips_image_hasalpha(pointer) != 0 }

    func map(_ operation: (UnsafeMutablePointer<VipsImage>) -> UnsafeMutablePointer<VipsImage>?) throws -> VipsPicture {
        try VipsPicture(operation(pointer))
    }

    func has(_ field: String) -> Bool { vips_image_get_typeof(pointer, field) != 0 }

    /// The bytes of a metadata field, if it is there and not empty.
    func blob(_ name: String) -> [UInt8]? {
        guard has(name) else { return nil }
        var data: UnsafeRawPointer?
        var length = 0
        guard vips_image_get_blob(pointer, name, &data, &length) == 0, let data, length > 0 else {
            _ = Vips.takeError()
            return nil
        }
        return [UInt8](UnsafeRawBufferPointer(start: data, count: length))
    }

    /// Where libvips puts the items of a HEIF file that have a MIME type.
    static let heifItems = (0..<8).map { "heif-mime-\($0)" }

    /// HEIF keeps XMP as an item of a MIME type.
    var heifXMP: [UInt8]? {
        Self.heifItems.lazy.compactMap(blob).first { String(decoding: $0.prefix(2048), as: UTF8.self).contains("xmp") }
    }

    /// A number among the metadata.
    func integer(_ name: String) -> Int? {
        guard has(name) else { return nil }
        var value: Int32 = 0
        guard vips_image_get_int(pointer, name, &value) == 0 else {
            _ = Vips.takeError()
            return nil
        }
        return Int(value)
    }

    /// Numbers among the metadata.
    func integers(_ name: String) -> [Int] {
        guard has(name) else { return [] }
        var values: UnsafeMutablePointer<Int32>?
        var count: Int32 = 0
        guard vips_image_get_array_int(pointer, name, &values, &count) == 0, let values else {
            _ = Vips.takeError()
            return []
        }
        return (0..<Int(count)).map { Int(values[$0]) }
    }

    /// The samples as 8 or 16 bits, clipped, not scaled.
    func integerPixels() throws -> PixelBuffer {
        try map { cvips_cast($0, format == VIPS_FORMAT_UCHAR ? VIPS_FORMAT_UCHAR : VIPS_FORMAT_USHORT) }.pixels()
    }

    /// The samples as floats.
    func floatRaster() throws -> Raster {
        let memory = try map { cvips_cast($0, VIPS_FORMAT_FLOAT) }.memory()
        let samples = memory.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return Raster(width: width, height: height, channels: bands, samples: samples)
    }

    /// The decoded samples, 8 or 16 bits each.
    func pixels() throws -> PixelBuffer {
        let depth: PixelBuffer.Depth = format == VIPS_FORMAT_USHORT ? .sixteen : .eight
        let bytes = try memory()
        guard bytes.count == width * height * bands * depth.bytes, (1...4).contains(bands) else {
            throw AcuityError(.image, "\(bands) channels of an unexpected number format")
        }
        return PixelBuffer(width: width, height: height, channels: bands, depth: depth, bytes: bytes)
    }

    private func memory() throws -> [UInt8] {
        var size = 0
        guard let memory = vips_image_write_to_memory(pointer, &size) else { throw AcuityError(.image, Vips.takeError()) }
        defer { g_free(memory) }
        return [UInt8](UnsafeRawBufferPointer(start: memory, count: size))
    }
}
