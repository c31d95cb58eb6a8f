// RowSourceTests: rows made as they are asked for are those of the whole picture, and few of them are held; seamless textures.

import SuperResolution
import Testing

@Suite struct RowSourceTests {
    private func upscaler(
        _ target: Upscaler.Target, scales: [Int] = [2], channels: Int = 3, multiple: Int = 1, tiles: Tiling.Size = .automatic, locksColour: Bool = false,
        isSeamless: Bool = false
    ) throws -> Upscaler {
        let models = try Dictionary(uniqueKeysWithValues: scales.map { ($0, try NaiveEngine.model(scale: $0, channels: channels, multiple: multiple)) })
        return try Upscaler(.network(NaiveEngine(), models), target: target, tiles: tiles, locksColour: locksColour, isSeamless: isSeamless)
    }

    @Test(arguments: [1, 3], [1, 5, 64]) func rowsAreThoseOfTheWholePicture(channels: Int, rows: Int) async throws {
        for (width, height) in [(40, 90), (1, 1), (3, 70), (90, 2)] {
            let pixels = PixelBuffer(noise(width: width, height: height, channels: channels), depth: .eight)
            let cases: [(Upscaler.Target, [Int], Bool)] = [
                (.factor(2), [2], false), (.factor(2), [2], true), (.factor(3.3), [2], false), (.factor(5), [2], true), (.factor(0.5), [2], false), (.factor(1), [1], true),
            ]
            for (target, scales, locks) in cases {
                for (multiple, tiles) in [(1, Tiling.Size.automatic), (2, .side(32))] {
                    let upscaler = try upscaler(target, scales: scales, channels: channels, multiple: multiple, tiles: tiles, locksColour: locks)
                    let whole = try await upscaler.upscale(pixels)
                    #expect(try await upscaler.upscale(rows: Strips(pixels, rows: rows)).collect() == whole)
                }
            }
            let lanczos = try Upscaler(.resampling(.lanczos3), target: .factor(1.7))
            let (w, h) = try lanczos.outputSize(width: width, height: height)
            #expect(try await lanczos.upscale(rows: Strips(pixels, rows: rows)).collect() == Resampling.lanczos3.resize(pixels, width: w, height: h))
        }
    }

    @Test func onlyTheRowsThatAreLookedAtAreAskedFor() async throws {
        let source = Strips(PixelBuffer(noise(width: 8, height: 2000, channels: 3), depth: .eight), rows: 10)
        let rows = try await upscaler(.factor(2), locksColour: true).upscale(rows: source)
        var made = 0
        while let strip = try await rows.next() {
            made += strip.height
            // A strip of the network, what it looks at around it, and the blocks that the colour lock waits for.
            #expect(source.given <= made / 2 + 2 * Upscaler.stripRows + 40)
        }
        #expect(made == 4000 && source.given == 2000)
    }

    @Test func rowsAreMirroredBeyondTheEdges() async throws {
        let pixels = PixelBuffer(noise(width: 5, height: 6, channels: 1), depth: .sixteen)
        var window = RowWindow(Strips(pixels, rows: 1))
        try await window.fetch(0..<6)
        let seen = window.mirroredRaster(of: Region(x: -12, y: -7, width: 30, height: 24))
        let whole = pixels.raster
        for y in 0..<24 {
            for x in 0..<30 {
                // … 1 0 | 0 1 … n−1 | n−1 …
                func place(_ i: Int, _ n: Int) -> Int { let p = ((i % (2 * n)) + 2 * n) % (2 * n); return p < n ? p : 2 * n - 1 - p }
                #expect(seen[x, y, 0] == whole[place(x - 12, 5), place(y - 7, 6), 0])
            }
        }
    }

    /// A texture laid side by side with itself, enlarged the usual way: its middle is what the seamless one must be.
    @Test(arguments: [(Upscaler.Target.factor(2), false), (.factor(3), false), (.factor(4), true), (.factor(0.5), false)])
    func seamlessTexturesFitTheirCopies(_ target: Upscaler.Target, locks: Bool) async throws {
        let (width, height) = (24, 32)
        let pixels = PixelBuffer(noise(width: width, height: height, channels: 3), depth: .eight)
        var copies = PixelBuffer(width: 5 * width, height: 5 * height, channels: 3, depth: .eight)
        for i in 0..<25 { copies.write(pixels.raster, x: i % 5 * width, y: i / 5 * height) }
        let seamless = try await upscaler(target, locksColour: locks, isSeamless: true).upscale(pixels)
        let large = try await upscaler(target, locksColour: locks).upscale(copies)
        let middle = large.cropped(to: Region(x: 2 * seamless.width, y: 2 * seamless.height, width: seamless.width, height: seamless.height))
        let difference = zip(seamless.bytes, middle.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
        // The lock's blocks lie elsewhere.
        #expect(difference <= (locks ? 8 : 0))
        #expect(try await upscaler(target).upscale(pixels) != seamless)
    }
}
