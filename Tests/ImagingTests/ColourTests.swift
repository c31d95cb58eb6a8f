// ColourTests: wide colours come back as they went, and mean the same as the picture in sRGB.

import Acuity
import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct ColourTests {
    /// Colours inside sRGB, smooth, so that enlarging is well behaved in every space.
    static func sample(_ x: Int, _ y: Int) -> [Double] {
        let waves: [Double] = [sin(Double(x) / 6), cos(Double(y) / 5), sin(Double(x + y) / 8 + 1)]
        return waves.map { 0.5 + 0.4 * $0 }
    }

    static func pixels(in space: ColourSpace, side: Int = 32) -> PixelBuffer {
        var samples: [Float] = []
        for i in 0..<side * side {
            let xyz = ColourSpace.sRGB.xyz(sample(i % side, i / side))
            samples += space.rgb(xyz).map { Float($0) }
        }
        return PixelBuffer(Raster(width: side, height: side, channels: 3, samples: samples), depth: .eight)
    }

    /// XYZ of every pixel, its samples taken to be in `space`.
    static func colours(_ picture: Picture, in space: ColourSpace) -> [[Double]] {
        let samples = picture.pixels.raster.samples.map { Double($0) }
        return stride(from: 0, to: samples.count, by: 3).map { space.xyz(Array(samples[$0..<$0 + 3])) }
    }

    /// A PNG of these pixels with a profile.
    static func file(_ pixels: PixelBuffer, profile: [UInt8]) -> [UInt8] {
        let stride = pixels.width * 3
        let rows = (0..<pixels.height).flatMap { pixels.bytes[$0 * stride..<($0 + 1) * stride] }
        return png(width: pixels.width, height: pixels.height, colourType: 2, rows: rows, profile: profile)
    }

    @Test func deltaE2000AgreesWithItsAuthors() {
        // Sharma, Wu and Dalal 2005, table 1, pairs 1, 7, 17 and 25.
        let pairs: [([Double], [Double], Double)] = [
            ([50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425), ([50, 0, 0], [50, -1, 2], 2.3669),
            ([50, 2.5, 0], [73, 25, -18], 27.1492), ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ]
        for (p, q, expected) in pairs {
            let difference: Double = deltaE2000(lab: p, q)
            #expect(abs(difference - expected) < 0.0001)
        }
    }

    @Test(arguments: [ColourSpace.displayP3, .adobeRGB, .steep]) func samplesComeBackInTheirOwnProfile(_ space: ColourSpace) throws {
        let folder = try TemporaryFolder()
        // Colours beyond sRGB too: full steps of every primary.
        let steps: [UInt8] = [0, 1, 17, 64, 128, 200, 254, 255]
        var bytes: [UInt8] = []
        for i in 0..<512 { bytes += [steps[i % 8], steps[i / 8 % 8], steps[i / 64]] }
        let pixels = PixelBuffer(width: 32, height: 16, channels: 3, depth: .eight, bytes: bytes)
        let picture = try Picture(data: Self.file(pixels, profile: space.profile))
        for name in ["a.png", "a.tif", "a.webp", "a.jxl"] where ImageFormat(named: String(name.dropFirst(2)))!.isWritable {
            var options = Picture.WritingOptions()
            options.lossless = true
            try picture.write(to: folder.file(name), options: options)
            let again = try Picture(contentsOf: folder.file(name))
            // What a file says about itself must not change, whatever the samples went through in between.
            try again.write(to: folder.file("again-" + name + ".png"))
            let plain = try Picture(contentsOf: folder.file("again-" + name + ".png"), colour: .sRGB)
            let direct = try Picture(data: Self.file(pixels, profile: space.profile), colour: .sRGB)
            #expect(zip(plain.pixels.bytes, direct.pixels.bytes).allSatisfy { abs(Int($0) - Int($1)) <= 1 }, "\(name)")
            // Not among the metadata where the pixels in memory have another curve than the file.
            if name == "a.tif" {
                let file = try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
                #expect(file.range(of: Data(space.profile)) != nil)
            } else if name != "a.jxl", space.name != ColourSpace.steep.name {
                #expect(again.metadata?.profile == space.profile, "\(name)")
            }
        }
    }

    /// What pictures are enlarged with here: a filter, and the network that ships.
    static let models = ["lanczos3", "fast"]

    static func enlarged(_ picture: Picture, with model: String) async throws -> Picture {
        try await Upscaler(model: .named(model, threads: 2), scale: 2).upscale(picture)
    }

    /// The check of the issue: Display-P3, Adobe RGB and others against the same picture in sRGB, enlarged.
    @Test(arguments: [ColourSpace.displayP3, .adobeRGB, .steep], models) func enlargedColoursAreThoseOfSRGB(_ space: ColourSpace, _ model: String) async throws {
        let folder = try TemporaryFolder()
        func enlarged(_ space: ColourSpace) async throws -> [[Double]] {
            let picture = try await Self.enlarged(Picture(data: Self.file(Self.pixels(in: space), profile: space.profile)), with: model)
            let path = try folder.file("\(space.name).png")
            try picture.write(to: path)
            // Read as plain numbers: the profile is taken away so that nothing converts them.
            let raw = try Picture(data: withoutProfile([UInt8](Data(contentsOf: URL(fileURLWithPath: path)))))
            #expect(raw.pixels.depth == .eight)
            return Self.colours(raw, in: space)
        }
        let mean = Self.meanDeltaE(try await enlarged(space), try await enlarged(.sRGB))
        #expect(mean <= 0.5, "\(space.name), \(model): mean ΔE2000 \(mean)")
        print("\(space.name): mean ΔE2000 \(mean) against sRGB, enlarged by \(model)")
    }

    @Test func readingInSRGBConverts() throws {
        let picture = try Picture(data: Self.file(Self.pixels(in: .displayP3), profile: ColourSpace.displayP3.profile), colour: .sRGB)
        let expected = Self.pixels(in: .sRGB)
        #expect(picture.metadata?.profile == nil)
        #expect(Self.meanDifference(picture.pixels, expected) < 0.8)
        // Unconverted it would be far off.
        #expect(Self.meanDifference(Self.pixels(in: .displayP3), expected) > 3)
    }

    static func meanDeltaE(_ a: [[Double]], _ b: [[Double]]) -> Double {
        let differences = zip(a, b).map { deltaE2000($0, $1) }
        return differences.reduce(0, +) / Double(differences.count)
    }

    static func meanDifference(_ a: PixelBuffer, _ b: PixelBuffer) -> Double {
        let sum = zip(a.bytes, b.bytes).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        return Double(sum) / Double(a.bytes.count)
    }

    /// JPEG 2000, BMP and PPM hold no profile here: the file must show the same colours without one, and that is said.
    @Test(arguments: [ColourSpace.displayP3, .adobeRGB, .steep], [ImageFormat.jp2, .bmp, .ppm]) func formatsWithoutProfilesGetSRGB(_ space: ColourSpace, _ format: ImageFormat) throws {
        guard format.isWritable else { return }
        let folder = try TemporaryFolder()
        let picture = try Picture(data: Self.file(Self.pixels(in: space), profile: space.profile))
        let path = try folder.file("a." + format.fileExtension)
        let remarks = try picture.write(to: path, options: .init())
        #expect(remarks.contains { $0.contains("sRGB") }, "\(remarks)")
        let again = try Picture(contentsOf: path)
        #expect(again.metadata?.profile == nil)
        let mean = Self.meanDeltaE(Self.colours(again, in: .sRGB), Self.colours(Picture(pixels: Self.pixels(in: .sRGB)), in: .sRGB))
        #expect(mean < 0.5, "mean ΔE2000 \(mean)")
    }

    /// libjxl 0.7 ends the process over a profile that it cannot convert from, such as one with a primary that is no
    /// colour, although its curves are sound.
    @Test func damagedProfilesStayOutOfJPEGXL() throws {
        guard ImageFormat.jxl.isWritable else { return }
        let folder = try TemporaryFolder()
        let sound = ColourSpace.displayP3.profile
        let entry = try #require(sound.indices.first { sound[$0...].starts(with: "gXYZ".utf8) })
        var damaged = sound
        damaged[sound[entry + 4..<entry + 8].reduce(0) { $0 << 8 | Int($1) }] = UInt8(ascii: "x")
        var found: [[UInt8]?] = []
        for (name, profile, isKept) in [("sound", sound, true), ("damaged", damaged, false)] {
            let picture = try Picture(data: Self.file(Self.pixels(in: .displayP3), profile: profile))
            let remarks = try picture.write(to: folder.file("\(name).jxl"), options: .init())
            #expect(remarks.isEmpty == isKept && remarks.allSatisfy { $0.contains("colour profile is damaged") }, "\(remarks)")
            let again = try Picture(contentsOf: folder.file("\(name).jxl"))
            #expect(again.width == 32)
            // Where the file holds none, the decoder makes one of its own.
            found.append(again.metadata?.profile)
        }
        #expect(found[0] != nil && found[0] != found[1])
        // Floats take another way to the file. Three curves and primaries are no profile of a grey picture.
        var grey = sound
        grey.replaceSubrange(16..<20, with: Array("GRAY".utf8))
        let floats = try Picture(data: floatTIFF(width: 8, height: 8, samples: (0..<64).map { Float($0) / 64 }, profile: grey))
        let remarks = try floats.write(to: folder.file("floats.jxl"), options: .init())
        #expect(remarks.contains { $0.contains("colour profile is damaged") }, "\(remarks)")
    }

    @Test(.enabled(if: Tool.vips != nil, "the vips command is not installed"), arguments: models) func cmykMeansTheSameAndGoesBack(_ model: String) async throws {
        let folder = try TemporaryFolder()
        let vips = try #require(Tool.vips)
        let intent = ["--intent", "relative", "--black-point-compensation"]
        func transform(_ source: String, _ target: String, _ arguments: [String]) throws {
            try vips.run(["icc_transform", folder.path + "/" + source, folder.path + "/" + target] + arguments + intent)
        }
        func shown(_ name: String) throws -> [[Double]] { Self.colours(try Picture(contentsOf: folder.file(name)), in: .sRGB) }
        try Picture(pixels: Self.pixels(in: .sRGB)).write(to: folder.file("s.png"))
        try transform("s.png", "c.tif", ["cmyk", "--input-profile", "srgb"])
        try transform("c.tif", "ref.png", ["srgb", "--embedded"])
        let reference = Self.colours(try await Self.enlarged(Picture(contentsOf: folder.file("ref.png")), with: model), in: .sRGB)

        let enlarged = try await Self.enlarged(Picture(contentsOf: folder.file("c.tif")), with: model)
        let remarks = try enlarged.write(to: folder.file("c.png"), options: .init())
        #expect(remarks.contains { $0.contains("CMYK") })
        let mean = try Self.meanDeltaE(shown("c.png"), reference)
        #expect(mean <= 0.5, "mean ΔE2000 \(mean)")

        // Back in CMYK: four channels with the source's profile.
        try enlarged.write(to: folder.file("back.tif"))
        #expect(try PictureHeader(contentsOf: folder.file("back.tif")).isCMYK)
        try transform("back.tif", "back.png", ["srgb", "--embedded"])
        let meanBack = try Self.meanDeltaE(shown("back.png"), reference)
        #expect(meanBack <= 0.5, "mean ΔE2000 \(meanBack)")

        // What the profile's own two tables cost where nothing is enlarged and nothing is made up for.
        try transform("c.tif", "twice.tif", ["cmyk", "--embedded"])
        try transform("twice.tif", "twice.png", ["srgb", "--embedded"])
        let alone = try Self.meanDeltaE(shown("twice.png"), shown("ref.png"))
        print("CMYK enlarged by \(model): mean ΔE2000 \(mean) written as sRGB, \(meanBack) as CMYK; the profile alone \(alone)")
    }

    @Test func floatsAreLinearLightAndStayFloats() throws {
        let folder = try TemporaryFolder()
        let values: [Float] = (0..<64).map { (i: Int) -> Float in Float(i) / 63 }
        let file = floatTIFF(width: 8, height: 8, samples: values)
        let picture = try Picture(data: file)
        #expect(picture.pixels.depth == .sixteen)
        let sample = Double(picture.pixels.raster.samples[32])
        #expect(abs(sample - ColourSpace.sRGB.encoded(Double(values[32]))) < 0.0001)
        try picture.write(to: folder.file("a.tif"))
        let again = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder.file("a.tif"))))
        let back = try Picture(data: again)
        #expect(back.pixels == picture.pixels)
        let error = #expect(throws: AcuityError.self) { try Picture(data: floatTIFF(width: 8, height: 8, samples: values.map { $0 * 9 })) }
        let message = error?.message ?? ""
        #expect(message.contains("HDR") && message.contains("9.0"))
    }

    @Test func greyStaysGreyWithItsProfile() throws {
        let folder = try TemporaryFolder()
        let picture = try Picture(data: png(width: 4, height: 1, colourType: 0, rows: [0, 80, 160, 255], profile: ColourSpace.displayP3.profile))
        #expect(picture.pixels.bytes == [0, 80, 160, 255])
        for name in ["g.png", "g.tif", "g.jpg", "g.jp2", "g.jxl", "g.ppm"] where ImageFormat(named: String(name.dropFirst(2)))!.isWritable {
            try picture.write(to: folder.file(name))
            #expect(try Picture(contentsOf: folder.file(name)).pixels.channels == 1, "\(name)")
        }
    }
}
