// HeldOutPicturesTests: evaluation pictures are recognised through what people do to pictures, and others are left alone.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

@Suite struct HeldOutPicturesTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    /// Everything that must be recognised.
    private func changes(_ picture: PixelBuffer) throws -> [(what: String, PixelBuffer)] {
        [
            ("same", picture), ("half the size", try picture.scaled(0.5)), ("a third", try picture.scaled(0.33)), ("larger", try picture.scaled(1.6)),
            ("JPEG 30", try picture.compressed(30, in: folder)), ("mirrored", picture.mirrored()),
            ("mirrored, small, JPEG", try picture.mirrored().scaled(0.6).compressed(50, in: folder)),
            ("10 % cut off", picture.part(0.05, 0.05, 0.9, 0.9)), ("square of it", picture.part(0.2, 0.05, 0.72, 0.72)),
            ("corner", picture.part(0, 0, 0.7, 0.75)), ("mirrored part", picture.part(0.3, 0.25, 0.6, 0.65).mirrored()),
            ("half of it, small", try picture.part(0.41, 0.33, 0.55, 0.55).scaled(0.7)), ("with a border", picture.surrounded(by: 0.1)),
            ("within another", picture.surrounded(by: 0.35)),
        ]
    }

    @Test func ourSamples() throws {
        let names = ["harbour.png", "lighthouse.png"]
        let held = HeldOutPictures(try names.map { HeldOutPictures.Picture(name: $0, plane: try plane(example($0))) })
        for name in names {
            for (what, changed) in try changes(example(name)) { #expect(held.match(try plane(changed))?.name == name, "\(name), \(what)") }
        }
        let match = try #require(held.match(try plane(example("harbour.png").mirrored())))
        #expect(match.isMirrored && match.kind == "the whole picture" && match.similarity > 0.95)
        #expect(held.match(try plane(example("mug.png"))) == nil)
        #expect(held.match(try plane(PixelBuffer(width: 300, height: 200, channels: 3, depth: .eight, bytes: [UInt8](repeating: 77, count: 180_000)))) == nil)
        #expect(HeldOutPictures([]).match(try plane(example("mug.png"))) == nil)
    }

    @Test(.enabled(if: hasEvaluation, evaluationMissing)) func set5IsRefused() throws {
        let pictures = try load("Set5")
        let held = HeldOutPictures(try pictures.map { HeldOutPictures.Picture(name: $0.name, plane: try plane($0.pixels)) })
        var missed: [String] = []
        for (name, picture) in pictures {
            for (what, changed) in try changes(picture) where held.match(try plane(changed))?.name != name { missed.append("\(name), \(what)") }
        }
        #expect(missed.isEmpty)
    }

    @Test(.enabled(if: hasEvaluation, evaluationMissing)) func othersAreLeftAlone() throws {
        let held = HeldOutPictures(try load("Set5").map { HeldOutPictures.Picture(name: $0.name, plane: try plane($0.pixels)) })
        for (name, picture) in try load("BSD100") { #expect(held.match(try plane(picture)) == nil, "\(name)") }
    }

    private func load(_ set: String) throws -> [(name: String, pixels: PixelBuffer)] {
        let path = evaluationFolder + "/eval/" + set
        return try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".png") }.sorted().map {
            ($0, try rgb(Picture(contentsOf: path + "/" + $0).pixels))
        }
    }
}
