// SyntheticPictureTests: drawn pictures are reproducible, their labels lie where the ink is.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

/// Whether this machine's libvips draws text.
private let hasText = TextRendering.isAvailable

@Suite struct SyntheticPictureTests {
    private func draw(_ kind: SyntheticPicture.Kind, seed: UInt64, size: Int = 128) throws -> SyntheticPicture {
        let fonts = [SyntheticFont(family: "sans", scripts: [.latin, .cyrillic, .greek]), SyntheticFont(family: "serif", style: "bold")]
        let settings = SyntheticPicture.Settings(fonts: fonts, xHeight: 8...20) { random in
            (0..<(size * size * 3)).map { _ in UInt8.random(in: 90...160, using: &random) }
        }
        return try SyntheticPicture(kind, size: size, seed: seed, settings: settings) { text, font, pixels in
            try TextRendering.coverage(of: text, font: font, pixels: pixels).flatMap { TextMask(width: $0.width, height: $0.height, coverage: $0.bytes) }
        }
    }

    @Test func lineArt() throws {
        var pictures = Set<[UInt8]>()
        for seed in 0..<20 {
            let picture = try draw(.lineart, seed: UInt64(seed))
            #expect(picture.bytes.count == 128 * 128 * 3 && picture.labels.isEmpty)
            #expect(Set(picture.bytes).count > 1, "ink")
            pictures.insert(picture.bytes)
        }
        #expect(pictures.count == 20)
        #expect(try draw(.lineart, seed: 3).bytes == draw(.lineart, seed: 3).bytes)
    }

    @Test(.enabled(if: hasText, "needs a libvips that draws text"), arguments: [SyntheticPicture.Kind.text, .logos, .charts])
    func labelsLieOnInk(_ kind: SyntheticPicture.Kind) throws {
        var (found, seen) = (0, 0)
        for seed in 0..<30 {
            let picture = try draw(kind, seed: UInt64(seed), size: 192)
            #expect(try draw(kind, seed: UInt64(seed), size: 192).bytes == picture.bytes)
            for label in picture.labels {
                #expect(!label.text.isEmpty && !label.font.isEmpty && label.width > 0 && label.height > 0)
                let (left, top) = (max(0, label.x), max(0, label.y))
                let (right, bottom) = (min(192, label.x + label.width), min(192, label.y + label.height))
                guard right - left > 8, bottom - top > 4 else { continue }
                var range: (UInt8, UInt8) = (255, 0)
                for y in top..<bottom {
                    for x in left..<right {
                        for channel in 0..<3 {
                            let value = picture.bytes[(y * 192 + x) * 3 + channel]
                            range = (min(range.0, value), max(range.1, value))
                        }
                    }
                }
                found += 1
                if range.1 - min(range.0, range.1) > 60 { seen += 1 }
            }
        }
        // Of a box that the picture's edge cuts the part without ink may be left.
        #expect(found > (kind == .text ? 80 : 20) && Double(seen) >= 0.95 * Double(found), "\(seen) of \(found)")
    }

    /// Markup in a text is text, and what cannot be drawn is left out.
    @Test(.enabled(if: hasText, "needs a libvips that draws text")) func oddText() throws {
        let plain = try #require(try TextRendering.coverage(of: "a&b<i>c</i>", font: "sans", pixels: 20))
        let short = try #require(try TextRendering.coverage(of: "abc", font: "sans", pixels: 20))
        #expect(plain.width > 2 * short.width && plain.channels == 1 && plain.bytes.contains(255))
        #expect(try TextRendering.coverage(of: "  ", font: "sans", pixels: 20) == nil)
        #expect(try TextRendering.coverage(of: "", font: "sans", pixels: 20) == nil)
        _ = try TextRendering.coverage(of: "\u{0}\u{1}x\u{FFFF}", font: "no such font <&>", pixels: -3)
        #expect(TextMask(width: 2, height: 2, coverage: [1]) == nil)
    }

    @Test func contactSheet() throws {
        var sheet = ContactSheet()
        #expect(sheet.picture(order: ["kept"]) { _ in nil } == nil)
        for number in 0..<60 {
            sheet.add([UInt8](repeating: UInt8(number), count: 96 * 96 * 3), to: "kept", order: UInt64(59 - number), limit: 13)
        }
        sheet.add([UInt8](repeating: 9, count: 96 * 96 * 3), to: "flat", order: 1)
        sheet.add([1, 2], to: "flat", order: 1)
        #expect(sheet.groups["kept"]?.total == 60 && sheet.groups["flat"]?.total == 1)
        let picture = try #require(sheet.picture(order: ["kept", "absent", "flat"]) { _ in nil })
        // Twelve in a row: three rows of thumbnails, two titles.
        #expect(picture.width == 1204 && picture.height == 4 + 2 * 22 + 3 * 100)
        #expect(Set(picture.bytes) == Set((47...59).map(UInt8.init) + [9, 255]), "those of lowest order")
        let halves = ContactSheet.thumbnail(of: (0..<(200 * 100)).flatMap { [UInt8](repeating: $0 % 200 < 100 ? 0 : 200, count: 3) }, width: 200, height: 100)
        #expect(halves.count == 96 * 96 * 3 && halves[0] == 0 && halves[95 * 3] == 200)
    }
}
