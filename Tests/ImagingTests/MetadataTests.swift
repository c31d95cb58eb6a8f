// MetadataTests: what belongs to a picture goes through every format that can hold it, as other programs read it too.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct MetadataTests {
    /// Big-endian EXIF: turned by a quarter, with an artist beyond ASCII, a lens and a place.
    static let exif: [UInt8] = {
        var data: [UInt8] = []
        func entry(_ tag: UInt16, _ type: UInt16, _ count: UInt32, _ value: [UInt8]) -> [UInt8] {
            var bytes = big16(tag)
            bytes += big16(type)
            bytes += big32(count)
            return bytes + value
        }
        let artist = Array("Ann Ärger".utf8) + [0]
        // Header 8, IFD0 of five entries 66, its data, EXIF IFD of three 42, its data, GPS IFD of two 30, its data.
        let afterFirst = 8 + 2 + 12 * 5 + 4
        let exifAt = afterFirst + 12
        let gpsAt = exifAt + 2 + 12 * 3 + 4 + 12
        data += Array("MM\0*".utf8)
        data += big32(8)
        data += big16(5)
        data += entry(0x010F, 2, 4, Array("Abc\0".utf8))
        data += entry(0x0112, 3, 1, big16(6) + [0, 0])
        data += entry(0x013B, 2, UInt32(artist.count), big32(UInt32(afterFirst)))
        data += entry(0x8769, 4, 1, big32(UInt32(exifAt)))
        data += entry(0x8825, 4, 1, big32(UInt32(gpsAt)))
        data += big32(0)
        data += artist
        data += [0]
        data += [UInt8](repeating: 0, count: exifAt - data.count)
        data += big16(3)
        data += entry(0xA002, 4, 1, big32(32))
        data += entry(0xA003, 4, 1, big32(16))
        data += entry(0xA434, 2, 10, big32(UInt32(gpsAt - 12)))
        data += big32(0)
        data += Array("50mm f/1.".utf8)
        data += [0, 0, 0]
        data += big16(2)
        data += entry(1, 2, 2, Array("N\0\0\0".utf8))
        data += entry(2, 5, 3, big32(UInt32(gpsAt + 2 + 24 + 4)))
        data += big32(0)
        for number in [48, 1, 30, 1, 0, 1] as [UInt32] { data += big32(number) }
        return data
    }()

    static let xmp = Array("""
        <?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF \
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" \
        xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" \
        photoshop:Headline="Größe"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>
        """.utf8)

    /// City and two keywords.
    static let iptc: [UInt8] = {
        func record(_ number: UInt8, _ text: String) -> [UInt8] {
            var bytes: [UInt8] = [0x1C, 2, number]
            bytes += big16(UInt16(text.utf8.count))
            return bytes + Array(text.utf8)
        }
        return record(90, "Kiel") + record(25, "sea") + record(25, "light")
    }()

    /// A JPEG of 32×16 with all of them, and a profile.
    static func jpeg() throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let samples: [Float] = (0..<1536).map { (i: Int) -> Float in Float(i / 3 % 32) / 31 }
        try Picture(pixels: PixelBuffer(Raster(width: 32, height: 16, channels: 3, samples: samples), depth: .eight)).write(to: folder.file("a.jpg"))
        var file = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.file("a.jpg"))))
        while file[3] == 0xE0 || file[3] == 0xE1 { file.removeSubrange(2..<4 + Int(file[4]) * 256 + Int(file[5])) }
        func segment(_ marker: UInt8, _ data: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = [0xFF, marker]
            bytes += big16(UInt16(data.count + 2))
            return bytes + data
        }
        var resources = Array("Photoshop 3.0\08BIM".utf8)
        resources += [4, 4, 0, 0]
        resources += big32(UInt32(iptc.count))
        resources += iptc
        if iptc.count % 2 == 1 { resources.append(0) }
        var segments = segment(0xE1, Array("Exif\0\0".utf8) + exif)
        segments += segment(0xE1, Array("http://ns.adobe.com/xap/1.0/\0".utf8) + xmp)
        segments += segment(0xE2, Array("ICC_PROFILE\0\u{1}\u{1}".utf8) + ColourSpace.displayP3.profile)
        segments += segment(0xED, resources)
        file.insert(contentsOf: segments, at: 2)
        return file
    }

    /// What each format can hold.
    static let holds: [(name: String, exif: Bool, xmp: Bool, iptc: Bool, profile: Bool)] = [
        ("jpg", true, true, true, true), ("png", true, true, true, true), ("tif", true, true, true, true), ("webp", true, true, false, true),
        ("avif", true, true, false, true), ("heic", true, true, false, true), ("jxl", true, true, false, true), ("jp2", true, true, true, false),
        ("gif", false, true, false, false), ("bmp", false, false, false, false), ("ppm", false, false, false, false),
    ]

    @Test(arguments: holds.map(\.name)) func everyFormatKeepsWhatItCan(_ name: String) throws {
        let can = try #require(Self.holds.first { $0.name == name })
        guard ImageFormat(named: name)?.isWritable == true else {
            print("SKIPPED: \(name) cannot be written here")
            return
        }
        let folder = try TemporaryFolder()
        var picture = try Picture(data: Self.jpeg())
        #expect(picture.width == 16 && picture.height == 32)
        picture.pixels = try Resampling.bicubic.resize(picture.pixels, width: 32, height: 64)
        let remarks = try picture.write(to: folder.file("a." + name))
        for (kind, held) in [("EXIF", can.exif), ("XMP", can.xmp), ("IPTC", can.iptc), ("profile", can.profile)] {
            #expect(remarks.contains { $0.contains(kind) } == !held, "\(name): \(remarks)")
        }
        // Through the format and out again as JPEG, which holds all.
        let again = try Picture(contentsOf: folder.file("a." + name))
        #expect(again.width == 32 && again.height == 64, "turned once, not twice")
        try again.write(to: folder.file("b.jpg"))
        guard let exiftool = Tool.exiftool else {
            print("SKIPPED: exiftool is not installed; the fields of \(name) are not compared")
            return
        }
        for (file, isOwn) in [("a." + name, true), ("b.jpg", false)] {
            let path = folder.path + "/" + file
            func value(_ tag: String) throws -> String { try exiftool.run(["-s3", "-n", "-" + tag, path]).trimmingCharacters(in: .newlines) }
            #expect(try value("EXIF:Artist") == (can.exif ? "Ann Ärger" : ""), "\(file)")
            #expect(try value("EXIF:LensModel") == (can.exif ? "50mm f/1." : ""), "\(file)")
            #expect(try value("EXIF:GPSLatitude") == (can.exif ? "48.5" : ""), "\(file)")
            if can.exif {
                #expect(["1", ""].contains(try value("EXIF:Orientation")), "\(file)")
                #expect(try value("EXIF:ExifImageWidth") == "32" && value("EXIF:ExifImageHeight") == "64", "\(file)")
                #expect(try value("EXIF:ThumbnailImage").isEmpty)
            }
            #expect(try value("XMP-photoshop:Headline") == (can.xmp ? "Größe" : ""), "\(file)")
            if can.xmp { #expect(try value("XMP-tiff:Orientation") == "1", "\(file)") }
            #expect(try value("IPTC:City") == (can.iptc ? "Kiel" : ""), "\(file)")
            if can.iptc { #expect(try exiftool.run(["-s3", "-IPTC:Keywords", path]) == "sea, light\n", "\(file)") }
            if isOwn, name != "jxl" { #expect(try value("ICC_Profile:ProfileDescription") == (can.profile ? "test P3" : ""), "\(file)") }
        }
        if let vips = Tool.vips { try vips.run(["copy", folder.path + "/a." + name, folder.path + "/v.v"]) }
    }

    /// A file with some thirty fields of every kind, written by ExifTool, through every format: each is still there with the same
    /// value, or its whole kind is missing and that was said.
    @Test(.enabled(if: Tool.exiftool != nil, "exiftool is not installed"), arguments: holds.map(\.name)) func nothingIsLostUnsaid(_ name: String) throws {
        guard ImageFormat(named: name)?.isWritable == true else { return }
        let folder = try TemporaryFolder()
        let exiftool = try #require(Tool.exiftool)
        let source = try folder.file("rich.jpg", Self.jpeg())
        try exiftool.run([
            "-q", "-overwrite_original", "-EXIF:ImageDescription=Tür", "-EXIF:Copyright=© Ann", "-EXIF:UserComment=hällo", "-EXIF:DateTimeOriginal=2024:01:02 03:04:05",
            "-EXIF:ISO=200", "-EXIF:ExposureTime=1/125", "-EXIF:FNumber=2.8", "-EXIF:GPSAltitude=100", "-EXIF:SubSecTimeOriginal=42", "-EXIF:OffsetTime=+01:00",
            "-EXIF:XPTitle=Wörter", "-EXIF:XPKeywords=sea;light", "-EXIF:DocumentName=scan 7", "-EXIF:Artist=Ann Ärger", "-EXIF:Software=Gimp",
            "-XMP-dc:Title=Der Titel", "-XMP-dc:Subject=a", "-XMP-dc:Subject=b", "-XMP-xmp:Rating=4", "-XMP-tiff:Make=Abc",
            "-IPTC:CodedCharacterSet=UTF8", "-IPTC:Caption-Abstract=Ein Bild", "-IPTC:Keywords=sea", "-IPTC:Keywords=light", "-IPTC:City=Köln", source,
        ])
        // What describes the old pixels.
        let changed: Set = ["Orientation", "ExifImageWidth", "ExifImageHeight", "YCbCrPositioning", "ImageWidth", "ImageHeight", "XMPToolkit", "Compression"]
        func fields(_ path: String) throws -> [String: String] {
            let text = try exiftool.run(["-j", "-G0", "-n", "-EXIF:all", "-XMP:all", "-IPTC:all", path])
            let values = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])[0]
            return values.filter { $0.key.contains(":") && !changed.contains(String($0.key.drop { $0 != ":" }.dropFirst())) }.mapValues { "\($0)" }
        }
        let before = try fields(source)
        #expect(before.count >= 30)
        let remarks = try Picture(contentsOf: source).write(to: folder.file("a." + name), options: .init())
        let after = try fields(folder.path + "/a." + name)
        let said = ["EXIF", "XMP", "IPTC"].filter { kind in remarks.contains { $0.contains("does not hold") && $0.contains(kind) } }
        for (field, value) in before {
            let kind = String(field.prefix { $0 != ":" })
            #expect(said.contains(kind) ? after[field] == nil : after[field] == value, "\(name): \(field)")
        }
    }

    @Test func stripLeavesNothingButColours() throws {
        let folder = try TemporaryFolder()
        let picture = try Picture(data: Self.jpeg())
        var options = Picture.WritingOptions()
        options.strip = true
        for name in ["a.jpg", "a.png", "a.tif", "a.webp"] {
            #expect(try picture.write(to: folder.file(name), options: options).isEmpty)
            let again = try #require(try Picture(contentsOf: folder.file(name)).metadata)
            let text = String(decoding: again.exif ?? [], as: UTF8.self)
            #expect(!text.contains("Ann") && again.xmp == nil && again.iptc == nil && again.profile != nil, "\(name)")
        }
    }

    @Test func resolutionIsKeptScaledOrSet() throws {
        let folder = try TemporaryFolder()
        var file = try Self.jpeg()
        // A JFIF segment with 300 dots per inch.
        let jfif: [UInt8] = [0xFF, 0xE0, 0, 16] + Array("JFIF\0".utf8) + [1, 1, 1, 1, 44, 1, 44, 0, 0]
        file.insert(contentsOf: jfif, at: 2)
        var picture = try Picture(data: file)
        picture.pixels = try Resampling.bicubic.resize(picture.pixels, width: 32, height: 64)
        for (resolution, expected) in [(Picture.WritingOptions.Resolution.kept, 300.0), (.scaled, 600), (.dotsPerInch(96), 96)] {
            for name in ["jpg", "png", "tif"] {
                var options = Picture.WritingOptions(overwrite: true)
                options.resolution = resolution
                let path = try folder.file("a." + name)
                try picture.write(to: path, options: options)
                let dots = try #require(try Picture(contentsOf: path).metadata?.resolution) * 25.4
                #expect(abs(dots - expected) < 0.5, "\(name): \(dots)")
            }
        }
    }

    @Test func fileTimesTravel() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jpg", Self.jpeg())
        let then = Date(timeIntervalSince1970: 1_234_567_890)
        try FileManager.default.setAttributes([.modificationDate: then], ofItemAtPath: path)
        let picture = try Picture(contentsOf: path)
        func written(_ name: String, strip: Bool) throws -> Date? {
            var options = Picture.WritingOptions()
            options.strip = strip
            try picture.write(to: folder.file(name), options: options)
            return try FileManager.default.attributesOfItem(atPath: folder.file(name))[.modificationDate] as? Date
        }
        #expect(try written("b.png", strip: false) == then)
        #expect(try written("c.png", strip: true)! > then)
    }

    /// Directories that point at each other 512 times each, and entries that all claim the same megabyte, cost neither time nor memory.
    @Test(.timeLimit(.minutes(20))) func hostileDirectoriesAreCutShort() throws {
        func directory(at offset: Int, tag: UInt16, type: UInt16, count: Int, value: Int) -> [UInt8] {
            var entry = big16(tag)
            entry += big16(type)
            entry += big32(UInt32(count)) + big32(UInt32(value))
            return big16(512) + (0..<512).flatMap { _ in entry } + big32(0)
        }
        // Each level's 512 entries lead to the next, which has 512 of its own: 2 to the power of 36 entries to whoever follows them all.
        let size = 2 + 12 * 512 + 4
        var loops = Array("MM\0*".utf8) + big32(8)
        for level in 0..<4 { loops += directory(at: 8 + level * size, tag: 0x8769, type: 4, count: 1, value: 8 + (level + 1) * size) }
        let claims = Array("MM\0*".utf8) + big32(8) + directory(at: 8, tag: 0x010E, type: 2, count: 1 << 20, value: 8 + size) + [UInt8](repeating: 65, count: 1 << 20)
        let folder = try TemporaryFolder()
        for exif in [loops, claims] {
            let file = png(width: 1, height: 1, colourType: 0, rows: [9], extra: [("eXIf", exif)])
            let picture = try Picture(data: file)
            try picture.write(to: folder.file("a.tif"), options: .init(overwrite: true))
            // A TIFF whose own directory is one of these is read or refused.
            _ = try? Picture(data: exif)
        }
    }

    /// A megabyte of XMP that names its orientation 30 000 times.
    @Test(.timeLimit(.minutes(20))) func longXMPIsBroughtUpToDate() throws {
        let folder = try TemporaryFolder()
        let property = "tiff:Orientation=\"16\" tiff:ImageWidth='7' x "
        let packet = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">" + String(repeating: property, count: 30_000) + "<exif:PixelYDimension>9</exif:PixelYDimension></x:xmpmeta>"
        let chunk = Array("XML:com.adobe.xmp\0\0\0\0\0".utf8) + Array(packet.utf8)
        let picture = try Picture(data: png(width: 3, height: 2, colourType: 0, rows: [1, 2, 3, 4, 5, 6], extra: [("iTXt", chunk)]))
        try picture.write(to: folder.file("a.tif"))
        let xmp = String(decoding: try #require(try Picture(contentsOf: folder.file("a.tif")).metadata?.xmp), as: UTF8.self)
        let expected = packet.replacing("Orientation=\"16\"", with: "Orientation=\"1\"").replacing("ImageWidth='7'", with: "ImageWidth='3'")
            .replacing("Dimension>9<", with: "Dimension>2<")
        #expect(xmp == expected)
    }

    /// Damaged metadata never crashes; the picture is read, or refused in one line.
    @Test(arguments: ["tif", "png", "jxl", "jp2", "gif", "jpg"]) func mutatedMetadataNeverCrashes(_ name: String) throws {
        guard ImageFormat(named: name)?.isWritable == true else { return }
        let folder = try TemporaryFolder()
        try Picture(data: Self.jpeg()).write(to: folder.file("a." + name))
        let sound = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.file("a." + name))))
        var random = Noise(state: 4242)
        for round in 0..<120 {
            var bytes = sound
            for _ in 0...Int.random(in: 0..<8, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                bytes[position] = [0, 1, 255, UInt8(truncatingIfNeeded: random.next())][Int.random(in: 0..<4, using: &random)]
            }
            if let picture = try? Picture(data: bytes, limits: ImageLimits(pixels: 1 << 16)), round % 6 == 0 {
                _ = try? picture.write(to: folder.file("b.tif"), options: .init(overwrite: true))
            }
        }
    }
}
