// PictureSequenceTests: animations and documents keep their frames, times, loops and transparency.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct PictureSequenceTests {
    /// Sixty frames of a disc that moves over a transparent ground.
    static func animation() -> PictureSequence {
        let pictures = (0..<60).map { frame in
            var (colour, alpha) = ([UInt8](), [UInt8]())
            for y in 0..<24 {
                for x in 0..<32 {
                    let (dx, dy) = (x - frame % 32, y - 12)
                    let isInside = dx * dx + dy * dy < 36
                    colour += isInside ? [255, UInt8(frame * 4), 0] : [0, 0, 0]
                    alpha.append(isInside ? 255 : 0)
                }
            }
            return Picture(
                pixels: PixelBuffer(width: 32, height: 24, channels: 3, depth: .eight, bytes: colour),
                alpha: PixelBuffer(width: 32, height: 24, channels: 1, depth: .eight, bytes: alpha))
        }
        return PictureSequence(pictures: pictures, animation: .init(delays: (0..<60).map { 20 + 10 * ($0 % 5) }, loops: 7))
    }

    @Test(arguments: ["gif", "webp"]) func framesTimesLoopsAndTransparencyAreKept(_ name: String) throws {
        let folder = try TemporaryFolder()
        let animation = Self.animation()
        let path = try folder.file("a." + name)
        #expect(try animation.write(to: path).isEmpty)
        let file = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let (delays, loops) = name == "gif" ? gifTiming(file) : webpTiming(file)
        #expect(delays == animation.animation?.delays && loops == 7)

        let again = try PictureSequence(contentsOf: path)
        #expect(again.pictures.count == 60 && again.animation == animation.animation)
        for (a, b) in zip(again.pictures, animation.pictures) {
            #expect(a.alpha == b.alpha)
            let inside = (0..<32 * 24).first { b.alpha?.bytes[$0] == 255 } ?? 0
            #expect(abs(Int(a.pixels.bytes[inside * 3]) - 255) < 64)
        }
        if name == "webp" {
            // EXIF's PixelYDimension, in either byte order.
            let exif = again.pictures[0].metadata?.exif ?? []
            let heights = exif.indices.dropLast(11).compactMap { place -> Int? in
                switch Array(exif[place..<place + 8]) {
                case [3, 160, 4, 0, 1, 0, 0, 0]: Int(exif[place + 8]) | Int(exif[place + 9]) << 8
                case [160, 3, 0, 4, 0, 0, 0, 1]: Int(exif[place + 11]) | Int(exif[place + 10]) << 8
                default: nil
                }
            }
            #expect(heights == [24] || heights.isEmpty)
        }
        // Only the first where one picture is asked for.
        let first = try Picture(contentsOf: path)
        #expect(first.width == 32 && first.height == 24)
    }

    @Test func pagesStayPages() throws {
        let folder = try TemporaryFolder()
        let pages = PictureSequence(pictures: Array(Self.animation().pictures.prefix(5)))
        try pages.write(to: folder.file("a.tif"))
        let again = try PictureSequence(contentsOf: folder.file("a.tif"))
        #expect(again.animation == nil && again.pictures.count == 5)
        #expect(again.pictures.map(\.pixels) == pages.pictures.map(\.pixels) && again.pictures.map(\.alpha) == pages.pictures.map(\.alpha))
    }

    @Test func oneOfManyIsSaid() throws {
        let folder = try TemporaryFolder()
        let remarks = try Self.animation().write(to: folder.file("a.png"))
        #expect(remarks.count == 1 && remarks[0].contains("first of 60"))
    }

    @Test func limitsCountAllFrames() throws {
        let folder = try TemporaryFolder()
        try Self.animation().write(to: folder.file("a.gif"))
        let error = #expect(throws: AcuityError.self) { try PictureSequence(contentsOf: folder.file("a.gif"), limits: ImageLimits(pixels: 32 * 24 * 59)) }
        let message = error?.message ?? ""
        #expect(message.contains("60 pictures of 32×24"))
    }

    @Test func animatedPNGIsRefusedWithItsReason() throws {
        let file = png(width: 1, height: 1, colourType: 0, rows: [9], extra: [("acTL", big32(2) + big32(0))])
        let error = #expect(throws: AcuityError.self) { try Picture(data: file) }
        let message = error?.message ?? ""
        #expect(message.contains("animated PNG") && message.contains("libvips"))
    }

    @Test func highDynamicRangeIsRefusedWithItsReason() throws {
        let file = png(width: 1, height: 1, colourType: 2, rows: [9, 9, 9], extra: [("cICP", [9, 16, 0, 1])])
        #expect(throws: AcuityError.self) { try Picture(data: file) }
        let error = #expect(throws: AcuityError.self) { try Picture(data: Array("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n".utf8)) }
        let message = error?.message ?? ""
        #expect(message.contains("tone-mapped"))
    }

    /// Delays in milliseconds and the loop count, from GIF89a's blocks; there the count is of repetitions.
    private func gifTiming(_ file: [UInt8]) -> (delays: [Int], loops: Int) {
        var delays: [Int] = [], loops = 1
        var at = 13 + (file[10] & 0x80 == 0 ? 0 : 3 << (Int(file[10] & 7) + 1))
        func skipBlocks() {
            while file[at] != 0 { at += 1 + Int(file[at]) }
            at += 1
        }
        while at < file.count, file[at] != 0x3B {
            if file[at] == 0x21 {
                if file[at + 1] == 0xF9 { delays.append(10 * (Int(file[at + 4]) | Int(file[at + 5]) << 8)) }
                if file[at + 1] == 0xFF, String(decoding: file[at + 3..<at + 14], as: UTF8.self) == "NETSCAPE2.0" {
                    loops = Int(file[at + 16]) | Int(file[at + 17]) << 8
                    // Zero is for ever; else so many times after the first.
                    if loops > 0 { loops += 1 }
                }
                at += 2
                skipBlocks()
            } else {
                let flags = file[at + 9]
                at += 10 + (flags & 0x80 == 0 ? 0 : 3 << (Int(flags & 7) + 1)) + 1
                skipBlocks()
            }
        }
        return (delays, loops)
    }

    private func webpTiming(_ file: [UInt8]) -> (delays: [Int], loops: Int) {
        var delays: [Int] = [], loops = 1, at = 12
        while at + 8 <= file.count {
            let size = Int(file[at + 4]) | Int(file[at + 5]) << 8 | Int(file[at + 6]) << 16
            switch String(decoding: file[at..<at + 4], as: UTF8.self) {
            case "ANIM": loops = Int(file[at + 12]) | Int(file[at + 13]) << 8
            case "ANMF": delays.append(Int(file[at + 20]) | Int(file[at + 21]) << 8 | Int(file[at + 22]) << 16)
            default: break
            }
            at += 8 + (size + 1) / 2 * 2
        }
        return (delays, loops)
    }
}
