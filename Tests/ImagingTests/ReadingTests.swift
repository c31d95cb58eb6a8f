// ReadingTests: every kind of pixel arrives as it was meant, and everything else is refused in one line.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct ReadingTests {
    @Test func greyStaysGreyAndSixteenBitsStaySixteen() throws {
        let grey = try Picture(data: png(width: 3, height: 2, colourType: 0, rows: [0, 100, 255, 7, 8, 9]))
        #expect(grey.pixels == PixelBuffer(width: 3, height: 2, channels: 1, depth: .eight, bytes: [0, 100, 255, 7, 8, 9]))
        #expect(grey.alpha == nil && grey.format == .png)

        let deep = try Picture(data: png(width: 2, height: 1, bits: 16, colourType: 2, rows: [0, 1, 0x12, 0x34, 255, 255, 0, 0, 1, 0, 9, 9]))
        #expect(deep.pixels.depth == .sixteen && deep.pixels.channels == 3)
        #expect(deep.pixels.raster.samples.map { ($0 * 65535).rounded() } == [1, 0x1234, 65535, 0, 256, 0x909])
    }

    @Test func alphaIsKeptApart() throws {
        let rgba = try Picture(data: png(width: 2, height: 1, colourType: 6, rows: [1, 2, 3, 0, 4, 5, 6, 255]))
        #expect(rgba.pixels.bytes == [1, 2, 3, 4, 5, 6] && rgba.alpha?.bytes == [0, 255])
        let greyAlpha = try Picture(data: png(width: 2, height: 1, colourType: 4, rows: [9, 128, 200, 255]))
        #expect(greyAlpha.pixels.bytes == [9, 200] && greyAlpha.pixels.channels == 1 && greyAlpha.alpha?.bytes == [128, 255])
        let deep = try Picture(data: png(width: 1, height: 1, bits: 16, colourType: 6, rows: [1, 0, 2, 0, 3, 0, 4, 5]))
        #expect(deep.alpha?.depth == .sixteen && deep.alpha?.raster.samples.map { ($0 * 65535).rounded() } == [0x405])
    }

    @Test func palettesAreExpanded() throws {
        let plain = try Picture(data: png(width: 3, height: 1, colourType: 3, rows: [2, 0, 1], palette: [10, 20, 30, 40, 50, 60, 70, 80, 90]))
        #expect(plain.pixels.bytes == [70, 80, 90, 10, 20, 30, 40, 50, 60] && plain.alpha == nil)
        let clear = try Picture(data: png(width: 2, height: 1, colourType: 3, rows: [1, 0], palette: [10, 20, 30, 40, 50, 60], transparency: [0, 99]))
        #expect(clear.pixels.bytes == [40, 50, 60, 10, 20, 30] && clear.alpha?.bytes == [99, 0])
        // One bit per pixel: 1010 0000.
        let bits = try Picture(data: png(width: 4, height: 1, bits: 1, colourType: 0, rows: [0xA0]))
        #expect(bits.pixels.bytes == [255, 0, 255, 0])
    }

    /// The eight orientations of EXIF: where the stored picture `A B / C D / E F` ends up.
    @Test(arguments: [
        (1, 2, "ABCDEF"), (2, 2, "BADCFE"), (3, 2, "FEDCBA"), (4, 2, "EFCDAB"), (5, 3, "ACEBDF"), (6, 3, "ECAFDB"), (7, 3, "FDBECA"), (8, 3, "BDFACE"),
    ]) func orientationIsApplied(_ orientation: Int, _ width: Int, _ expected: String) throws {
        let file = tiff(width: 2, height: 3, samples: Array("ABCDEF".utf8), photometric: 1, channels: 1, orientation: UInt16(orientation))
        let picture = try Picture(data: file)
        #expect(picture.width == width && String(decoding: picture.pixels.bytes, as: UTF8.self) == expected)

        // Written and read again it does not turn once more.
        let folder = try TemporaryFolder()
        for name in ["a.tif", "a.png"] {
            try picture.write(to: folder.file(name))
            #expect(try Picture(contentsOf: folder.file(name)).pixels == picture.pixels)
        }
    }

    @Test func exifOrientationOfJPEGIsAppliedAndReset() throws {
        let folder = try TemporaryFolder()
        let wide = Raster(width: 32, height: 16, channels: 1, samples: (0..<512).map { $0 % 32 < 16 ? 0.2 : 0.8 })
        try Picture(pixels: PixelBuffer(wide, depth: .eight)).write(to: folder.file("a.jpg"))
        var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.file("a.jpg"))))
        // SOI, then an EXIF segment with Orientation = 6 and Artist = "Ann".
        let exif: [UInt8] = Array("Exif\0\0MM\0*".utf8) + [0, 0, 0, 8, 0, 2]
            + [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0] + [0x01, 0x3B, 0, 2, 0, 0, 0, 4, 0x41, 0x6E, 0x6E, 0] + [0, 0, 0, 0]
        // The writer puts its own EXIF first; it is taken out.
        if bytes[2] == 0xFF, bytes[3] == 0xE0 { bytes.removeSubrange(2..<4 + Int(bytes[4]) << 8 + Int(bytes[5])) }
        while bytes[3] == 0xE0 || bytes[3] == 0xE1 { bytes.removeSubrange(2..<(4 + Int(bytes[4]) * 256 + Int(bytes[5]))) }
        bytes.insert(contentsOf: [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif, at: 2)

        let picture = try Picture(data: bytes)
        #expect(picture.width == 16 && picture.height == 32)
        #expect(picture.pixels.raster[8, 4, 0] < 0.4 && picture.pixels.raster[8, 28, 0] > 0.6)
        for name in ["b.jpg", "b.webp", "b.png", "b.tif"] {
            try picture.write(to: folder.file(name))
            let again = try Picture(contentsOf: folder.file(name))
            #expect(again.width == 16 && again.height == 32, "\(name)")
            if name != "b.tif", name != "b.png" {
                let exif = String(decoding: again.metadata?.exif ?? [], as: UTF8.self)
                #expect(exif.contains("Ann"), "\(name) lost its EXIF")
            }
        }
    }

    @Test func cmykBecomesSRGB() throws {
        let jpeg = try Picture(data: cmykJPEG)
        #expect(jpeg.pixels.channels == 3 && jpeg.width == 16 && jpeg.metadata?.profile == nil)
        let (left, right) = (jpeg.pixels.raster.cropped(to: Region(x: 3, y: 4, width: 1, height: 1)).samples,
            jpeg.pixels.raster.cropped(to: Region(x: 12, y: 4, width: 1, height: 1)).samples)
        #expect(left[0] < 0.3 && left[1] > 0.4 && left[2] > 0.6, "cyan, got \(left)")
        #expect(right[0] > 0.6 && right[1] < 0.4 && right[2] < 0.4, "red, got \(right)")
        let tiff = try Picture(data: tiff(width: 2, height: 1, samples: [0, 0, 0, 0, 0, 0, 0, 255], photometric: 5, channels: 4), colour: .sRGB)
        #expect(tiff.pixels.channels == 3)
        #expect(tiff.pixels.bytes.prefix(3).allSatisfy { $0 > 240 } && tiff.pixels.bytes.suffix(3).allSatisfy { $0 < 80 })
    }

    @Test func wrongFilesGetOneLine() throws {
        let folder = try TemporaryFolder()
        let sound = png(width: 40, height: 40, colourType: 0, rows: (0..<1600).map { UInt8(truncatingIfNeeded: $0 * 7) })
        let jpeg = try folder.file("sound.jpg")
        try Picture(data: sound).write(to: jpeg)
        let jpegBytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: jpeg)))
        let cases: [(String, [UInt8]?, AcuityError.Code)] = [
            ("missing.png", nil, .file),
            ("empty.png", [], .file),
            ("text.png", Array("Not a picture at all.\n".utf8), .image),
            ("csv.csv", Array("1,2,3\n4,5,6\n".utf8), .image),
            ("svg.svg", Array("<svg width=\"10\" height=\"10\"></svg>".utf8), .image),
            ("cut.png", Array(sound.prefix(700)), .image),
            ("header.png", Array(sound.prefix(30)), .image),
            ("cut.jpg", Array(jpegBytes.prefix(jpegBytes.count * 2 / 3)), .image),
        ]
        for (name, bytes, code) in cases {
            let path = try folder.file(name, bytes)
            let error = #expect(throws: AcuityError.self, "\(name)") { try Picture(contentsOf: path) }
            let message = error?.message ?? ""
            #expect(error?.code == code && message.hasPrefix(path) && !message.contains("\n"), "\(name): \(message)")
        }
        let error = #expect(throws: AcuityError.self) { try Picture(contentsOf: folder.path) }
        #expect(error?.message == "\(folder.path): is a folder")
        #expect(throws: AcuityError.self) { try Picture(contentsOf: "/dev/zero") }
    }

    @Test(.enabled(if: getuid() != 0, "root may read everything")) func unreadableFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.png", png(width: 1, height: 1, colourType: 0, rows: [1]))
        chmod(path, 0)
        let error = #expect(throws: AcuityError.self) { try Picture(contentsOf: path) }
        #expect(error?.message == "\(path): permission denied")
    }

    @Test func limitsAreJudgedBeforePixels() throws {
        // A header that claims 30000 × 30000 pixels with no data behind it.
        var bytes = png(width: 1, height: 1, colourType: 2, rows: [1, 2, 3])
        bytes = Array(png(width: 30000, height: 1, colourType: 0, rows: [UInt8](repeating: 3, count: 30000)).prefix(33)) + bytes.dropFirst(33)
        #expect(throws: AcuityError.self) { try Picture(data: bytes, limits: ImageLimits(pixels: 20000)) }
        let wide = png(width: 30000, height: 1, colourType: 0, rows: [UInt8](repeating: 3, count: 30000))
        #expect(try Picture(data: wide).width == 30000)
        let error = #expect(throws: AcuityError.self) { try Picture(data: wide, limits: ImageLimits(side: 20000)) }
        let message = error?.message ?? ""
        #expect(message.contains("exceed the limit"))
    }

    /// Damaged files are read or refused; nothing crashes, hangs or exceeds the limits.
    @Test(arguments: 0..<4) func mutatedFilesNeverCrash(_ kind: Int) throws {
        let folder = try TemporaryFolder()
        var random = Noise(state: 77 + UInt64(kind))
        let raster = Raster(width: 24, height: 17, channels: 3, samples: (0..<24 * 17 * 3).map { _ in Float(random.next() % 256) / 255 })
        let name = ["a.jpg", "a.png", "a.webp", "a.tif"][kind]
        try Picture(pixels: PixelBuffer(raster, depth: .eight)).write(to: folder.file(name))
        let sound = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.file(name))))
        let limits = ImageLimits(pixels: 1 << 16)
        var refused = 0
        let rounds = 1500
        for _ in 0..<rounds {
            var bytes = sound
            for _ in 0...Int.random(in: 0..<6, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[position] ^= 1 << UInt8(random.next() % 8)
                case 2: if bytes.count > 40 { bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 1..<9, using: &random))) }
                default: if Int.random(in: 0..<8, using: &random) == 0 { bytes = Array(bytes.prefix(max(12, position))) }
                }
            }
            do {
                let picture = try Picture(data: bytes, limits: limits)
                #expect(picture.width * picture.height <= limits.pixels)
            } catch is AcuityError {
                refused += 1
            }
        }
        #expect(refused > rounds / 10)
    }

    /// Wherever a byte of the compressed data, its checksum or its end is another, the picture is not accepted.
    @Test func oneWrongByteInAPNGIsFound() throws {
        let folder = try TemporaryFolder()
        var random = Noise(state: 99)
        let bytes = (0..<150 * 100 * 3).map { UInt8(truncatingIfNeeded: $0 / 7 + Int(random.next() % 9)) }
        let path = try folder.file("a.png")
        try Picture(pixels: PixelBuffer(width: 150, height: 100, channels: 3, depth: .eight, bytes: bytes)).write(to: path)
        let sound = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let first = try #require(sound.indices.dropLast(4).first { sound[$0..<$0 + 4].elementsEqual("IDAT".utf8) }) + 4
        // The last chunk, of 12 bytes, holds nothing.
        let end = sound.count - 12
        for position in Array(stride(from: first, to: end, by: 97)) + Array(end - 40..<end) {
            var damaged = sound
            damaged[position] ^= 1 << UInt8(random.next() % 8)
            #expect(throws: AcuityError.self, "byte \(position) of \(sound.count)") { try Picture(data: damaged) }
        }
    }

    /// Measurements in several channels, say, that call themselves grey.
    @Test(arguments: [2, 3, 4, 5]) func greyOfSeveralChannelsIsReadOrRefused(_ channels: Int) throws {
        let file = floatTIFF(width: 3, height: 2, samples: (0..<6 * channels).map { Float($0) / Float(6 * channels) }, channels: channels)
        if channels == 2 {  // Grey with transparency.
            let picture = try Picture(data: file)
            #expect(picture.pixels.channels == 1 && picture.alpha != nil)
        } else if let picture = try? Picture(data: file) {
            #expect(picture.pixels.channels == 1 || picture.pixels.channels == 3)
        }
    }

    @Test func headersTellWithoutDecoding() throws {
        let folder = try TemporaryFolder()
        try PictureSequenceTests.animation().write(to: folder.file("a.gif"))
        let animation = try PictureHeader(contentsOf: folder.file("a.gif"))
        #expect(animation.frames == 60 && animation.width == 32 && animation.height == 24 && !animation.isCMYK && animation.profile == nil)
        let print = try PictureHeader(contentsOf: folder.file("b.jpg", cmykJPEG))
        #expect(print.isCMYK && print.channels == 4 && !print.hasAlpha && print.depth == 8)
        let floats = try PictureHeader(contentsOf: folder.file("c.tif", floatTIFF(width: 3, height: 2, samples: [0, 0.2, 0.4, 0.6, 0.8, 1])))
        #expect(floats.depth == 32 && floats.frames == 1)
        let refused = try folder.file("d.png", png(width: 1, height: 1, colourType: 0, rows: [9], extra: [("acTL", [0, 0, 0, 2, 0, 0, 0, 0])]))
        #expect(throws: AcuityError.self) { try PictureHeader(contentsOf: refused) }
    }

    /// The number of a file closed twice belongs to somebody else by then: a socket of the service, or another picture.
    @Test func refusedFilesAreClosedOnce() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("empty.png")
        try Data().write(to: URL(fileURLWithPath: path))
        let refuser = Thread {
            while !Thread.current.isCancelled { _ = try? ImageFormat(contentsOf: path) }
        }
        refuser.start()
        var lost = 0
        for _ in 0..<200_000 {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            if close(descriptor) != 0 { lost += 1 }
        }
        refuser.cancel()
        while !refuser.isFinished { usleep(1000) }
        #expect(lost == 0)
    }
}
