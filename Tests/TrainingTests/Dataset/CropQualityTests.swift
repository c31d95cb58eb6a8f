// CropQualityTests: each measure and filter on crops made for it; JPEG qualities from files that were written with them.

import Foundation
import Imaging
import SuperResolution
import Testing
import Training

@Suite struct CropQualityTests {
    let folder: Folder
    init() throws { folder = try Folder() }
    private let size = 128

    private func crop(_ luma: (Int, Int) -> Double) -> [UInt8] {
        (0..<(size * size)).flatMap { i in [UInt8](repeating: UInt8(max(0, min(255, luma(i % size, i / size).rounded()))), count: 3) }
    }

    /// Vertical edges every 32 pixels, blurred by a Gaussian of σ pixels: the exact integral of the step, pixel by pixel.
    private func edges(sigma: Double, low: Double = 60, high: Double = 190) -> [UInt8] {
        crop { x, _ in
            let position = Double(x % 64) + 0.5
            let (rise, fall) = ((position - 16) / sigma, (position - 48) / sigma)
            return low + (high - low) * (erfc(-rise / 2.0.squareRoot()) - erfc(-fall / 2.0.squareRoot())) / 2
        }
    }

    @Test func sharpnessFallsWithBlurAndNotWithContrast() {
        let figures = [0.05, 0.3, 0.5, 0.7, 1, 1.5].map { CropQuality(bytes: edges(sigma: $0), size: size).sharpness }
        // Computed apart with NumPy's exact quantile.
        for (figure, expected) in zip(figures, [4, 3.26, 1.51, 0.647, 0.22, 0.053] as [Float]) { #expect(abs(figure - expected) < 0.05 * expected, "\(figures)") }
        let faint = CropQuality(bytes: edges(sigma: 0.5, low: 110, high: 150), size: size).sharpness
        #expect(abs(faint - figures[2]) < 0.15 * figures[2])
        let filter = CropFilter()
        #expect([0.3, 0.5, 0.7].allSatisfy { filter.fault(of: CropQuality(bytes: edges(sigma: $0), size: size)) == nil })
        #expect([1.5, 2.5, 4].allSatisfy { filter.fault(of: CropQuality(bytes: edges(sigma: $0), size: size)) == .blurred })
    }

    @Test func flat() {
        var random = SplitMix(seed: 2)
        let filter = CropFilter()
        #expect(filter.fault(of: CropQuality(bytes: crop { _, _ in 128 }, size: size)) == .flat)
        #expect(filter.fault(of: CropQuality(bytes: crop { x, y in 40 + Double(x + y) / 4 }, size: size)) == .flat)
        #expect(filter.fault(of: CropQuality(bytes: crop { _, _ in 128 + Double.random(in: -1...1, using: &random) }, size: size)) == .flat)
        #expect(filter.fault(of: CropQuality(bytes: crop { _, _ in Double.random(in: 0...255, using: &random) }, size: size)) == nil)
        let figures = CropQuality(bytes: crop { x, _ in x % 2 == 0 ? 100 : 110 }, size: size)
        #expect(abs(figures.contrast - 5) < 0.1 && abs(figures.detail - 5) < 0.1)
        #expect(CropFilter.none.fault(of: CropQuality(bytes: crop { _, _ in 0 }, size: size)) == nil)
    }

    @Test func blocky() throws {
        let harbour = try example("harbour.png")
        func blockiness(_ picture: PixelBuffer, x: Int, y: Int) -> Float {
            CropQuality(bytes: cropBytes(of: picture.bytes, width: picture.width, x: x, y: y, size: size), size: size).blockiness
        }
        var (clean, good, bad): ([Float], [Float], [Float]) = ([], [], [])
        let (high, low) = try (harbour.compressed(95, in: folder), harbour.compressed(10, in: folder))
        for y in stride(from: 3, to: harbour.height - size, by: 61) {
            for x in stride(from: 5, to: harbour.width - size, by: 61) {  // Off the grid, in every phase.
                let quality = CropQuality(bytes: cropBytes(of: harbour.bytes, width: harbour.width, x: x, y: y, size: size), size: size)
                guard CropFilter().fault(of: quality) == nil else { continue }
                clean.append(quality.blockiness)
                good.append(blockiness(high, x: x, y: y))
                bad.append(blockiness(low, x: x, y: y))
            }
        }
        #expect(clean.count > 5)
        let limit = CropFilter().mostBlockiness
        #expect(clean.allSatisfy { $0 <= limit } && good.count { $0 > limit } <= good.count / 10)
        #expect(bad.allSatisfy { $0 > limit })
    }

    @Test func choiceLeavesOutWhatTheFilterRefuses() {
        // Sharp edges on the left, nothing on the right.
        let (width, height) = (512, 256)
        var bytes = [UInt8](repeating: 128, count: width * height * 3)
        for y in 0..<height {
            for x in 0..<200 { for c in 0..<3 { bytes[(y * width + x) * 3 + c] = (x / 9 + y / 11) % 2 == 0 ? 30 : 220 } }
        }
        var random = SplitMix(seed: 4)
        let choices = chooseCrops(of: bytes, width: width, height: height, size: 64, count: 8, filter: CropFilter(), using: &random)
        let (taken, refused) = (choices.filter { $0.fault == nil }, choices.filter { $0.fault != nil })
        #expect(!taken.isEmpty && taken.count <= 8 && taken.allSatisfy { $0.x < 200 })
        #expect(!refused.isEmpty && refused.allSatisfy { $0.fault == .flat && $0.x > 130 })
        for (i, a) in taken.enumerated() { for b in taken[..<i] { #expect(abs(a.x - b.x) + abs(a.y - b.y) > 32) } }
        #expect(chooseCrops(of: bytes, width: width, height: height, size: 300, count: 8, filter: CropFilter(), using: &random).isEmpty)
        // A picture of one crop's size gives one.
        let one = chooseCrops(of: cropBytes(of: bytes, width: width, x: 0, y: 0, size: 64), width: 64, height: 64, size: 64, count: 12, filter: CropFilter(), using: &random)
        #expect(one.count == 1)
    }

    /// Flat crops are easy, noise is hard, and the figure for noise is close to its variance.
    @Test func difficulty() {
        var random = SplitMix(seed: 6)
        #expect(bicubicError(of: crop { _, _ in 90 }, size: size) < 0.01)
        let noise = bicubicError(of: crop { _, _ in Double.random(in: 78...178, using: &random) }, size: size)
        #expect(noise > 0.8 * 100 * 100 / 12 && noise < 1.15 * 100 * 100 / 12)
    }

    @Test(arguments: [15, 40, 50, 62, 75, 85, 93]) func qualityOfJPEG(_ quality: Int) throws {
        let path = folder.file("q.jpg")
        try Picture(pixels: example("mug.png")).write(to: path, options: .init(quality: quality))
        let estimate = try #require(jpegQuality(of: [UInt8](folder.read("q.jpg"))))
        #expect(abs(estimate - quality) <= 2)
    }

    @Test func qualityOfAnythingElse() throws {
        #expect(jpegQuality(of: []) == nil)
        #expect(jpegQuality(of: [0x89, 0x50, 0x4E, 0x47, 0, 0]) == nil)
        try Picture(pixels: example("mug.png")).write(to: folder.file("q.jpg"), options: .init(quality: 70))
        let good = [UInt8](try folder.read("q.jpg").prefix(700))
        var random = SplitMix(seed: 9)
        for _ in 0..<5000 {
            var bytes = Array(good.prefix(Int.random(in: 0...good.count, using: &random)))
            for _ in 0..<4 where !bytes.isEmpty { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next()) }
            if let quality = jpegQuality(of: bytes) { #expect((1...100).contains(quality)) }
        }
    }

    /// The same names always fall on the same side, whoever else is there; about as many as asked for.
    @Test func split() {
        let names = (0..<5000).map { "class\($0 % 7)/picture \($0).jpg" }
        let chosen = names.filter { isForValidation($0, fraction: 0.1) }
        #expect((400...600).contains(chosen.count))
        #expect(Set(chosen).isSuperset(of: names.filter { isForValidation($0, fraction: 0.05) }))
        // Known once and for all: a change would move pictures from training to validation.
        #expect(nameHash("a/b.jpg") == nameHash("a/b.jpg") && nameHash("a/b.jpg") != nameHash("a/c.jpg"))
        #expect(nameHash("a/b.jpg", seed: 1) != nameHash("a/b.jpg", seed: 2))
    }
}
