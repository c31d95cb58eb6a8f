// SyntheticLineTests: lines to be read are of the language, height and size asked for.

import Imaging
import SuperResolution
import Testing
import Training

@Suite(.enabled(if: TextRendering.isAvailable, "needs a libvips that draws text")) struct SyntheticLineTests {
    private func line(_ language: SyntheticWords.Language, fonts: [SyntheticFont], seed: UInt64 = 1) throws -> SyntheticLine? {
        let settings = SyntheticPicture.Settings(fonts: fonts, split: .heldOut, xHeight: 20...40)
        return try SyntheticLine(language, letters: 15, multiple: 4, seed: seed, settings: settings) { text, font, pixels in
            try TextRendering.coverage(of: text, font: font, pixels: pixels).flatMap { TextMask(width: $0.width, height: $0.height, coverage: $0.bytes) }
        }
    }

    @Test func shape() throws {
        let fonts = [SyntheticFont(family: "sans", scripts: [.latin])]
        for seed in 0..<6 {
            let line = try #require(try line(.english, fonts: fonts, seed: UInt64(seed)))
            #expect(line.width % 4 == 0 && line.height % 4 == 0 && line.bytes.count == line.width * line.height * 3)
            #expect((20...40).contains(line.xHeight) && line.text.count >= 14 && line.font == "sans")
            let words = Set(SyntheticStrings(.heldOut).lists[.english, default: []].map { $0.lowercased() })
            let isHeldOut = line.text.lowercased().split(separator: " ").allSatisfy { (word: Substring) -> Bool in words.contains(String(word)) || Int(word) != nil }
            #expect(isHeldOut, "\(line.text)")
            // The first row is margin: one colour.
            let row = Array(line.bytes.prefix(3 * line.width))
            #expect(row == (0..<line.width).flatMap { _ in row.prefix(3) })
            #expect(Set(line.bytes).count > 8)
        }
        #expect(try line(.greek, fonts: fonts) == nil)
        #expect(try line(.german, fonts: fonts)?.bytes == line(.german, fonts: fonts)?.bytes)
    }
}
