// Metadata: what a file says about its picture, completed after reading and brought up to date before writing.

import CVips
import SuperResolution

/// What a file says about its picture: EXIF, XMP, IPTC, colour profile, resolution. Kept as libvips read it.
public struct Metadata: Sendable {
    /// A 1×1 image that carries the fields.
    let carrier: VipsPicture

    /// As JPEG holds it, with `Exif\0\0` in front.
    public var exif: [UInt8]? { carrier.blob("exif-data") }
    public var xmp: [UInt8]? { carrier.blob("xmp-data") }
    /// As JPEG holds it: among Photoshop's image resources.
    public var iptc: [UInt8]? { carrier.blob("iptc-data") }
    /// Only there when the picture's samples are in this profile.
    public var profile: [UInt8]? { carrier.blob("icc-profile-data") }
    /// Pixels per millimetre, horizontally.
    public var resolution: Double { vips_image_get_xres(carrier.pointer) }

    /// Adds what libvips did not find. Only while the metadata is being made.
    func complete(with facts: FileFacts) {
        if let xmp = facts.xmp ?? (xmp == nil ? carrier.heifXMP : nil) { carrier.setBlob("xmp-data", xmp) }
        carrier.setBlob("iptc-data", facts.iptc.map(IPTC.segment) ?? iptc.flatMap(IPTC.records(inPhotoshop:)).map(IPTC.segment))
        if exif == nil, let exif = facts.exif { carrier.setBlob("exif-data", Array("Exif\0\0".utf8) + exif) }
        // Some of libvips' loaders leave the resolution to EXIF; one pixel per millimetre stands for none.
        if carrier.pointer.pointee.Xres == 1, let exif, let resolution = TIFFDirectory(exif: exif)?.resolution {
            (carrier.pointer.pointee.Xres, carrier.pointer.pointee.Yres) = resolution
        }
    }

    /// EXIF for a picture of another size, in the form that libvips' writers take: they drop what has no field, and
    /// rewrite in ASCII what does not agree with its field.
    func putExif(into image: VipsPicture, for update: UpToDate) {
        guard let exif, let block = update.exif(exif, resolution: nil)?.block, let parsed = Metadata.parsed(block) else { return }
        cvips_replace_exif(parsed.pointer, image.pointer)
    }

    func setProfile(_ profile: [UInt8]?) { carrier.setBlob("icc-profile-data", profile) }

    /// An image with the fields that libvips makes of an EXIF block: its writers drop what has no field.
    private static func parsed(_ exif: [UInt8]) -> VipsPicture? {
        let segment = Array("Exif\0\0".utf8) + exif
        guard segment.count <= 65_533, var jpeg = try? Picture(pixels: PixelBuffer(width: 1, height: 1, channels: 1, depth: .eight))
            .encoded(as: .jpeg, options: Picture.WritingOptions())
        else { return nil }
        jpeg.insert(contentsOf: [0xFF, 0xE1, UInt8((segment.count + 2) >> 8), UInt8((segment.count + 2) & 255)] + segment, at: 2)
        return jpeg.withUnsafeBytes { bytes in
            guard let source = vips_source_new_from_memory(bytes.baseAddress, bytes.count) else { return nil }
            defer { g_object_unref(source) }
            guard let image = try? VipsPicture(cvips_load("jpegload_source", source, "")) else { return nil }
            return try? image.map(cvips_decode)
        }
    }
}

extension VipsPicture {
    /// Sets or removes a field. Only on an image that nothing else uses yet.
    func setBlob(_ name: String, _ bytes: [UInt8]?) {
        if let bytes {
            vips_image_set_blob_copy(pointer, name, bytes, bytes.count)
        } else {
            vips_image_remove(pointer, name)
        }
    }

    /// Names one of libvips' own profiles as that of the pixels. Only on an image that nothing else uses yet.
    func setProfile(named name: String) {
        var blob: UnsafeMutablePointer<VipsBlob>?
        guard cvips_profile(name, &blob) == 0, let blob else {
            _ = Vips.takeError()
            return
        }
        var length = 0
        if let bytes = vips_blob_get(blob, &length) { vips_image_set_blob_copy(pointer, "icc-profile-data", bytes, length) }
        cvips_free_blob(blob)
    }
}

/// EXIF and XMP brought up to date for an upright picture of a new size.
struct UpToDate {
    let width: Int
    let height: Int

    /// - Parameter exif: with or without `Exif\0\0` in front.
    /// - Returns: without it, little-endian, without the thumbnail; `nil` if nothing can be read.
    func exif(_ exif: [UInt8], resolution: Double?) -> TIFFDirectory? {
        guard var directory = TIFFDirectory(exif: exif) else { return nil }
        directory.set(274, short: 1, onlyIfThere: true)
        if let resolution, resolution > 0 {
            let perInch = little(Int((resolution * 25.4 * 1000).rounded()), 4) + little(1000, 4)
            for tag in [282, 283] as [UInt16] where directory[tag] != nil { directory.replace(TIFFDirectory.Entry(tag: tag, type: 5, count: 1, value: perInch)) }
            directory.set(296, short: 2, onlyIfThere: true)
        }
        if var inner = directory[34665]?.directory {
            inner.replace(TIFFDirectory.Entry(tag: 40962, type: 4, count: 1, value: little(width, 4)))
            inner.replace(TIFFDirectory.Entry(tag: 40963, type: 4, count: 1, value: little(height, 4)))
            directory.replace(TIFFDirectory.Entry(tag: 34665, type: 4, count: 1, value: [0, 0, 0, 0], directory: inner))
        }
        return directory
    }

    /// Orientation and size among XMP's TIFF and EXIF properties, whether they are attributes or elements.
    func xmp(_ xmp: [UInt8]) -> [UInt8] {
        let values = [
            ("tiff:Orientation", 1), ("tiff:ImageWidth", width), ("tiff:ImageLength", height), ("exif:PixelXDimension", width), ("exif:PixelYDimension", height),
        ]
        let marks = values.flatMap { name, value in ["=\"", "='", ">"].map { (mark: Array((name + $0).utf8), value: Array(String(value).utf8)) } }
        var result: [UInt8] = []
        result.reserveCapacity(xmp.count)
        var place = 0
        while place < xmp.count {
            let (byte, rest) = (xmp[place], xmp[place...])
            // All names begin with one of two letters.
            guard byte == UInt8(ascii: "t") || byte == UInt8(ascii: "e"), let found = marks.first(where: { rest.starts(with: $0.mark) }) else {
                result.append(byte)
                place += 1
                continue
            }
            result += found.mark
            place += found.mark.count
            let end = xmp[place...].firstIndex { !(48...57).contains($0) } ?? xmp.endIndex
            if end > place { result += found.value }
            place = end
        }
        return result
    }
}

extension TIFFDirectory {
    /// - Parameter exif: with or without `Exif\0\0` in front.
    init?(exif: [UInt8]) {
        let prefix = Array("Exif\0\0".utf8)
        self.init(ByteReader(exif.starts(with: prefix) ? Array(exif.dropFirst(prefix.count)) : exif))
    }

    /// As an EXIF block of its own.
    var block: [UInt8] { [0x49, 0x49, 42, 0, 8, 0, 0, 0] + bytes(at: 8) }

    /// Pixels per millimetre, if they are said.
    var resolution: (Double, Double)? {
        func number(_ tag: UInt16) -> Double? {
            guard let value = self[tag]?.value, value.count == 8 else { return nil }
            func part(_ range: Range<Int>) -> Double { Double(value[range].reversed().reduce(0) { $0 << 8 | Int($1) }) }
            return part(4..<8) > 0 && part(0..<4) > 0 ? part(0..<4) / part(4..<8) : nil
        }
        guard let x = number(282), let y = number(283) else { return nil }
        let unit = self[296]?.integer == 3 ? 10 : 25.4
        return (x / unit, y / unit)
    }

    mutating func replace(_ entry: Entry) {
        entries.removeAll { $0.tag == entry.tag }
        entries.append(entry)
    }

    mutating func set(_ tag: UInt16, short value: Int, onlyIfThere: Bool) {
        if onlyIfThere, self[tag] == nil { return }
        replace(Entry(tag: tag, type: 3, count: 1, value: little(value, 2)))
    }
}
