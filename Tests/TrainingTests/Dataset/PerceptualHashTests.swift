// PerceptualHashTests: hashes against a plain computation, and what they survive; the index against comparing all.

import Foundation
import SuperResolution
import Testing
import Training

@Suite struct PerceptualHashTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    /// The definition, in double precision, on a picture of whole cells.
    @Test func definition() throws {
        let (width, height) = (64, 48)
        let bytes = drawing(width: width, height: height, seed: 21)
        var cells = [[Double]](repeating: [Double](repeating: 0, count: 16), count: 16)
        for y in 0..<height {
            for x in 0..<width {
                let i = (y * width + x) * 3
                cells[y / 3][x / 4] += Double((77 * Int(bytes[i]) + 150 * Int(bytes[i + 1]) + 29 * Int(bytes[i + 2])) >> 8) / 12
            }
        }
        var bits: UInt64 = 0
        for v in 0..<8 {
            for u in 0..<8 where u + v > 0 {
                var sum = 0.0
                for y in 0..<16 {
                    for x in 0..<16 {
                        sum += cells[y][x] * cos(Double((2 * x + 1) * u) * .pi / 32) * cos(Double((2 * y + 1) * v) * .pi / 32)
                    }
                }
                if sum > 0 { bits |= 1 << UInt64(8 * v + u) }
            }
        }
        let hash = PerceptualHash(try #require(LumaPlane(bytes: bytes, width: width, height: height, channels: 3)))
        #expect(hash.distance(to: PerceptualHash(bits: bits)) <= 1)
        #expect(hash.bits & 1 == 0)
    }

    @Test func text() throws {
        let hash = PerceptualHash(bits: 0x00AB_CDEF_0123_4567)
        #expect(hash.hex == "00abcdef01234567")
        #expect(PerceptualHash(hex: hash.hex) == hash)
        for bad in ["", "00abcdef0123456", "00abcdef012345678", "+0abcdef01234567x", "zzzzzzzzzzzzzzzz"] { #expect(PerceptualHash(hex: bad) == nil) }
    }

    @Test(arguments: ["harbour.png", "mug.png", "lighthouse.png"]) func survives(_ name: String) throws {
        let picture = try example(name)
        let hash = PerceptualHash(try plane(picture))
        func distance(_ changed: PixelBuffer) throws -> Int { PerceptualHash(try plane(changed)).distance(to: hash) }
        #expect(try distance(picture.scaled(0.5)) <= 3)
        #expect(try distance(picture.scaled(0.31)) <= 4)
        #expect(try distance(picture.scaled(1.7)) <= 3)
        #expect(try distance(picture.compressed(20, in: folder)) <= 5)
        let mirrored = PerceptualHash(try plane(picture.mirrored()))
        #expect(mirrored.distance(to: hash.mirrored) <= 2)
        #expect(mirrored.distance(to: hash) > 12)
    }

    @Test func unrelatedPicturesAreFarApart() throws {
        let hashes = try ["harbour.png", "mug.png", "lighthouse.png"].map { PerceptualHash(try plane(example($0))) }
        for (i, a) in hashes.enumerated() {
            for b in hashes[..<i] { #expect(a.distance(to: b) > 15 && a.mirrored.distance(to: b) > 15) }
        }
    }

    @Test func planesOfOddInput() {
        #expect(LumaPlane(bytes: [], width: 0, height: 0, channels: 3) == nil)
        #expect(LumaPlane(bytes: [1, 2], width: 1, height: 1, channels: 3) == nil)
        #expect(LumaPlane(bytes: [1, 2], width: 2, height: 1, channels: 2) == nil)
        // One pixel wide, one pixel high, one pixel.
        for (width, height) in [(1, 700), (700, 1), (1, 1), (191, 3), (193, 2)] {
            let plane = LumaPlane(bytes: [UInt8](repeating: 9, count: width * height), width: width, height: height, channels: 1)
            #expect(plane.map { PerceptualHash($0).bits & 1 } == 0)
        }
    }

    /// Against comparing all, on hashes with planted neighbours.
    @Test func index() {
        var random = SplitMix(seed: 3)
        var hashes = (0..<3000).map { _ in PerceptualHash(bits: random.next()) }
        for base in 0..<300 {
            var bits = hashes[base].bits
            for _ in 0..<Int.random(in: 0...14, using: &random) { bits ^= 1 << UInt64.random(in: 0..<64, using: &random) }
            hashes.append(PerceptualHash(bits: bits))
        }
        for radius in [0, 3, 8, 11, 15] {
            var index = HashIndex(radius: radius)
            hashes.forEach { index.insert($0) }
            for query in stride(from: 0, to: hashes.count, by: 17) {
                let expected = hashes.indices.filter { hashes[$0].distance(to: hashes[query]) <= radius }
                #expect(index.near(hashes[query]).map(\.index).sorted() == expected)
            }
        }
    }

    /// 100 000 pictures are asked for and added in seconds.
    @Test(.timeLimit(.minutes(20))) func hundredThousand() {
        var random = SplitMix(seed: 8)
        var index = HashIndex(radius: 8)
        var found = 0
        var hashes: [PerceptualHash] = []
        for number in 0..<100_000 {
            let hash = number % 1000 == 999 ? PerceptualHash(bits: hashes[number / 2].bits ^ 0x8000_0100_0001_0100) : PerceptualHash(bits: random.next())
            found += index.near(hash).isEmpty ? 0 : 1
            index.insert(hash)
            hashes.append(hash)
        }
        #expect(found >= 100 && found < 200)
    }

    @Test func duplicates() throws {
        let harbour = try example("harbour.png")
        var finder = DuplicateFinder(distance: 8)
        func insert(_ picture: PixelBuffer, _ name: String) throws -> String? { finder.insert(PictureSignature(try plane(picture)), name: name) }
        #expect(try insert(harbour, "harbour") == nil)
        #expect(try insert(example("mug.png"), "mug") == nil)
        #expect(try insert(harbour.scaled(0.4), "small") == "harbour")
        #expect(try insert(harbour.compressed(25, in: folder), "jpeg") == "harbour")
        #expect(try insert(harbour.mirrored(), "mirrored") == "harbour")
        #expect(try insert(example("lighthouse.png"), "lighthouse") == nil)
        // Flat pictures repeat each other only where they are the same.
        func flat(_ value: UInt8) -> PixelBuffer { PixelBuffer(width: 40, height: 30, channels: 3, depth: .eight, bytes: [UInt8](repeating: value, count: 3600)) }
        #expect(try insert(flat(20), "dark") == nil)
        #expect(try insert(flat(220), "bright") == nil)
        #expect(try insert(flat(20), "dark again") == "dark")
    }
}
