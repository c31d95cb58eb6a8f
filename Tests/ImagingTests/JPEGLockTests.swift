// JPEGLockTests: coefficients as the decoder sees them, and pictures held to them, against the transform written out as the standard has it.

import Foundation
import Imaging
import SuperResolution
import Testing

@Suite struct JPEGLockTests {
    /// A calm left third, waves of many lengths beside it, an edge and a little grain.
    private static func picture(_ width: Int, _ height: Int, channels: Int, grain: Float = 0.02) -> PixelBuffer {
        var raster = Raster(width: width, height: height, channels: channels)
        var state: UInt64 = 5
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let noise = Float(state >> 40) / Float(1 << 24) - 0.5
                    let wave = sin(Double(x * x) / 190 + Double(y) / 5 + Double(c)) * 0.12 + sin(Double(y * y) / 230 - Double(x) / 9) * 0.12
                    raster[x, y, c] = 0.5 + Float(3 * x < width ? 0 : wave) + (2 * x + y > width + height / 2 ? 0.15 : -0.15) + grain * noise
                }
            }
        }
        return PixelBuffer(raster, depth: .eight)
    }

    private static func file(of pixels: PixelBuffer, quality: Int, subsampling: Picture.WritingOptions.Subsampling = .half) throws -> [UInt8] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).jpg").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var options = Picture.WritingOptions(quality: quality)
        options.subsampling = subsampling
        try Picture(pixels: pixels).write(to: path, options: options)
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Means of 3×3 pixels: a network that takes more away than the file lost.
    private static func blurred(_ pixels: PixelBuffer, share: Float) -> PixelBuffer {
        let from = pixels.raster
        var result = from
        for y in 1..<from.height - 1 {
            for x in 1..<from.width - 1 {
                for c in 0..<from.channels {
                    let around = (-1...1).reduce(Float(0)) { sum, dy in sum + from[x - 1, y + dy, c] + from[x, y + dy, c] + from[x + 1, y + dy, c] } / 9
                    result[x, y, c] = from[x, y, c] * (1 - share) + around * share
                }
            }
        }
        return PixelBuffer(result, depth: pixels.depth)
    }

    private static func error(_ a: PixelBuffer, _ b: PixelBuffer) -> Double {
        zip(a.bytes, b.bytes).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) } / Double(a.bytes.count)
    }

    /// The forward transform of the block at `x`, `y` (T.81, A.3.3), frequencies across first.
    private static func transform(_ pixels: PixelBuffer, _ x: Int, _ y: Int) -> [Double] {
        (0..<64).map { index in
            let (v, u) = (index / 8, index % 8)
            var sum = 0.0
            for j in 0..<8 {
                for i in 0..<8 {
                    let sample = Double(pixels.bytes[(y + j) * pixels.width + x + i]) - 128
                    sum += sample * cos(Double((2 * i + 1) * u) * .pi / 16) * cos(Double((2 * j + 1) * v) * .pi / 16)
                }
            }
            return sum / 4 * (u == 0 ? 0.5.squareRoot() : 1) * (v == 0 ? 0.5.squareRoot() : 1)
        }
    }

    /// The luma table of Annex K at quality 50, which is the table itself.
    private static let annexK: [Double] = [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]

    /// What is held lies within half a step of what the decoder gives, coefficient by coefficient, and nearer to what was compressed.
    @Test func coefficientsKeepToTheirSteps() async throws {
        let truth = Self.picture(64, 48, channels: 1)
        let bytes = try Self.file(of: truth, quality: 50)
        let decoded = try Picture(data: bytes).pixels
        // A little softer, and its left half lighter by six levels.
        var lighter = Self.blurred(decoded, share: 0.05).raster
        for y in 0..<48 { for x in 0..<32 { lighter[x, y, 0] += 6 / 255 } }
        let made = PixelBuffer(lighter, depth: .eight)
        let held = try await made.held(to: try #require(JPEGCoefficients(data: bytes)), like: decoded)
        var (before, after) = (0.0, 0.0)
        for y in stride(from: 0, to: 48, by: 8) {
            for x in stride(from: 0, to: 64, by: 8) {
                // The decoder's own transform, rounded, is the file's coefficient.
                let (file, one, two) = (Self.transform(decoded, x, y), Self.transform(made, x, y), Self.transform(held, x, y))
                for i in 0..<64 {
                    let value = (file[i] / Self.annexK[i]).rounded() * Self.annexK[i]
                    before = max(before, abs(one[i] - value) - Self.annexK[i] / 2)
                    after = max(after, abs(two[i] - value) - Self.annexK[i] / 2)
                }
            }
        }
        // Rounding to whole levels moves a coefficient by less than two.
        #expect(before > 30 && after < 2, "\(before), \(after)")
        #expect(Self.error(held, truth) < Self.error(made, truth))
    }

    /// Colours of every coarseness, sizes that are no multiple of anything: never further from what was compressed, and mostly nearer.
    @Test(arguments: [Picture.WritingOptions.Subsampling.half, .full], [(64, 64), (71, 45), (17, 90), (5, 3)])
    func nearerToWhatWasCompressed(_ subsampling: Picture.WritingOptions.Subsampling, _ size: (width: Int, height: Int)) async throws {
        let truth = Self.picture(size.width, size.height, channels: 3)
        for quality in [20, 60, 90] {
            let bytes = try Self.file(of: truth, quality: quality, subsampling: subsampling)
            let decoded = try Picture(data: bytes).pixels
            let coefficients = try #require(JPEGCoefficients(data: bytes))
            let made = Self.blurred(decoded, share: 0.2)
            let held = try await made.held(to: coefficients, like: decoded)
            #expect(Self.error(held, truth) <= Self.error(made, truth) * 1.01, "quality \(quality)")
            // What the decoder gives is within all steps, but for rounding and for how it smooths halved colours.
            #expect(Self.error(try await decoded.held(to: coefficients, like: decoded), decoded) < 1)
            // With a cast in red no mean of a block is right. A picture of less than a block contradicts too much to be held.
            guard size.width >= 8 else { continue }
            let tinted = PixelBuffer(
                width: size.width, height: size.height, channels: 3, depth: .eight,
                bytes: decoded.bytes.indices.map { $0 % 3 == 0 ? UInt8(min(255, Int(decoded.bytes[$0]) + 30)) : decoded.bytes[$0] })
            #expect(Self.error(try await tinted.held(to: coefficients, like: decoded), truth) < Self.error(tinted, truth) / 2, "quality \(quality)")
        }
    }

    /// Shrunk again, what was enlarged has the file's coefficients, and is nearer to what the small picture was made of.
    @Test(arguments: [2, 3, 4]) func enlargedPictures(scale: Int) async throws {
        let truth = Self.smooth(64 * scale, 48 * scale)
        func reduced(_ pixels: PixelBuffer) -> PixelBuffer {
            PixelBuffer(Resampling.bicubic.resize(pixels.raster, width: 64, height: 48), depth: .eight)
        }
        let small = reduced(truth)
        let bytes = try Self.file(of: small, quality: 50)
        let decoded = try Picture(data: bytes).pixels
        let coefficients = try #require(JPEGCoefficients(data: bytes))
        // Softer than the file, and one corner of it of another brightness.
        var soft = Resampling.bilinear.resize(decoded.raster, width: truth.width, height: truth.height)
        for y in 0..<20 * scale { for x in 0..<20 * scale { soft[x, y, 0] += 8 / 255 } }
        let made = PixelBuffer(soft, depth: .eight)
        let held = try await made.held(to: coefficients, like: decoded)
        #expect(Self.error(held, truth) < 0.9 * Self.error(made, truth))
        func excess(_ pixels: PixelBuffer) -> Double {
            let again = reduced(pixels)
            var sum = 0.0
            for y in stride(from: 0, to: 48, by: 8) {
                for x in stride(from: 0, to: 64, by: 8) {
                    let (file, one) = (Self.transform(decoded, x, y), Self.transform(again, x, y))
                    for i in 0..<64 {
                        let value = (file[i] / Self.annexK[i]).rounded() * Self.annexK[i]
                        let beyond = max(0, abs(one[i] - value) - Self.annexK[i] / 2 - 1)
                        sum += beyond * beyond
                    }
                }
            }
            return sum
        }
        #expect(excess(held) < 0.2 * excess(made), "\(excess(made)) \(excess(held))")
    }

    /// The same without grain, in shares of the picture.
    private static func smooth(_ width: Int, _ height: Int) -> PixelBuffer {
        var raster = Raster(width: width, height: height, channels: 1)
        for y in 0..<height {
            for x in 0..<width {
                let (u, v) = (Double(x) / Double(width), Double(y) / Double(height))
                let wave = sin(u * u * 60) * 0.15 + sin(v * 25 + u * 9) * 0.1
                raster[x, y, 0] = 0.5 + Float(3 * x < width ? 0 : wave) + (2 * u + v > 1.4 ? 0.15 : -0.15)
            }
        }
        return PixelBuffer(raster, depth: .eight)
    }

    /// What a camera lays down on its side is held as if it stood.
    @Test(arguments: 1...8) func turnedPictures(orientation: UInt8) async throws {
        let truth = Self.picture(56, 40, channels: 3)
        let plain = try Self.file(of: truth, quality: 40)
        let exif: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]
        let turned = Array(plain[..<2]) + [0xFF, 0xE1, 0, UInt8(exif.count + 8)] + Array("Exif\0\0".utf8) + exif + plain[2...]
        let (flat, upright) = (try Picture(data: plain).pixels, try Picture(data: turned).pixels)
        #expect((upright.width == 40) == (orientation >= 5))
        let held = try await Self.blurred(upright, share: 0.2).held(to: try #require(JPEGCoefficients(data: turned)), like: upright)
        let expected = try await Self.blurred(flat, share: 0.2).held(to: try #require(JPEGCoefficients(data: plain)), like: flat)
        #expect(held != Self.blurred(upright, share: 0.2))
        // The same samples, in the order in which libvips turns them.
        func place(_ x: Int, _ y: Int) -> Int {
            let byOrientation = [(x, y), (55 - x, y), (55 - x, 39 - y), (x, 39 - y), (y, x), (39 - y, x), (39 - y, 55 - x), (y, 55 - x)]
            let (u, v) = byOrientation[Int(orientation) - 1]
            return v * upright.width + u
        }
        for y in 0..<40 {
            for x in 0..<56 {
                for c in 0..<3 {
                    let difference = Int(held.bytes[place(x, y) * 3 + c]) - Int(expected.bytes[(y * 56 + x) * 3 + c])
                    #expect(abs(difference) <= 1)
                }
            }
        }
    }

    /// A file says nothing about another picture, of another size or of this one; nor is noise put back that is in the file.
    @Test func whatIsLeftAlone() async throws {
        let truth = Self.picture(64, 64, channels: 3)
        let bytes = try Self.file(of: truth, quality: 90)
        let coefficients = try #require(JPEGCoefficients(data: bytes))
        let decoded = try Picture(data: bytes).pixels
        let made = Self.blurred(decoded, share: 0.2)
        #expect(try await made.held(to: coefficients, like: decoded) != made)
        let other = Self.picture(64, 64, channels: 3, grain: 1)
        #expect(try await other.held(to: coefficients, like: Self.picture(63, 64, channels: 3)) == other)
        let negative = PixelBuffer(width: 64, height: 64, channels: 3, depth: .eight, bytes: decoded.bytes.map { 255 - $0 })
        #expect(try await made.held(to: coefficients, like: negative) == made)
        let small = Self.picture(32, 32, channels: 3)
        #expect(try await small.held(to: coefficients, like: small) == small)
        let grey = Self.picture(64, 64, channels: 1)
        #expect(try await grey.held(to: coefficients, like: grey) == grey)

        let noisy = try Self.file(of: Self.picture(64, 64, channels: 3, grain: 0.3), quality: 90)
        let (noise, clean) = (try Picture(data: noisy).pixels, Self.picture(64, 64, channels: 3, grain: 0))
        #expect(try await clean.held(to: try #require(JPEGCoefficients(data: noisy)), like: noise) == clean)
    }

    /// Anything may lie behind the name of a JPEG file.
    @Test func damagedFilesAreNoFiles() async throws {
        let truth = Self.picture(48, 48, channels: 3)
        let sound = try Self.file(of: truth, quality: 70)
        #expect(JPEGCoefficients(data: []) == nil && JPEGCoefficients(data: Array("not a picture".utf8)) == nil)
        #expect(JPEGCoefficients(contentsOf: "/nowhere.jpg") == nil && JPEGCoefficients(data: Array(sound.prefix(sound.count / 2))) == nil)
        var state: UInt64 = 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var understood = 0
        for _ in 0..<1500 {
            var bytes = sound
            for _ in 0...next(3) { bytes[next(bytes.count)] = UInt8(next(256)) }
            guard let coefficients = JPEGCoefficients(data: bytes) else { continue }
            understood += 1
            _ = try await truth.held(to: coefficients, like: truth)
        }
        #expect(understood > 0)
    }
}
