// FlatAreasTests: areas of one colour keep it exactly, whatever a faithful network says, and where there is nothing else it is not asked.

import SuperResolution
import Synchronization
import Testing

@Suite struct FlatAreasTests {
    /// A drawing off the middle of a coloured sheet: noise, a hole of one colour in it, a corner of another colour, a line.
    private static let drawing: PixelBuffer = {
        let noise = noise(width: 96, height: 80, channels: 3)
        var raster = Raster(width: 96, height: 80, channels: 3)
        for y in 0..<80 {
            for x in 0..<96 {
                let isNoise = (20..<60).contains(x) && (30..<66).contains(y) && !((34..<50).contains(x) && (40..<57).contains(y))
                for c in 0..<3 {
                    raster[x, y, c] = isNoise ? noise[x, y, c] : x > 80 && y < 12 ? 0.75 : y == 20 && x < 40 ? 0 : [0.9, 0.5, 0.2][c]
                }
            }
        }
        return PixelBuffer(raster, depth: .eight)
    }()

    /// Whether a pixel is one of 9×9 alike, as far as they are in the picture; written out once more.
    private static func isFlat(_ x: Int, _ y: Int, in pixels: PixelBuffer) -> Bool {
        let channels = pixels.channels
        func colour(_ x: Int, _ y: Int) -> ArraySlice<UInt8> { pixels.bytes[(y * pixels.width + x) * channels..<(y * pixels.width + x + 1) * channels] }
        for j in max(0, y - 4)...min(pixels.height - 1, y + 4) {
            for i in max(0, x - 4)...min(pixels.width - 1, x + 4) where !colour(i, j).elementsEqual(colour(x, y)) { return false }
        }
        return true
    }

    private static func upscaler(
        _ engine: NaiveEngine = NaiveEngine(offset: 3 / 255), profile: String? = "faithful", architecture: String = "", channels: Int = 3,
        tiles: Tiling.Size = .automatic, multiple: Int = 1, factor: Double = 3
    ) throws -> Upscaler {
        var model = try NaiveEngine.model(scale: 3, channels: channels, multiple: multiple, radius: 4)
        if let profile {
            let card = ModelCard(
                name: "n", version: "1", architecture: architecture, scale: 3, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
                trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile)
            model = try Model(name: "n", network: model.network, weights: model.weights, card: card)
        }
        return try Upscaler(.network(engine, [3: model]), target: .factor(factor), tiles: tiles, locksColour: false)
    }

    /// Exactly the source's colour where 9×9 pixels are alike, and the network's work, three levels too bright here, everywhere else.
    @Test(arguments: [1, 2, 4]) func flatAreasStayExact(multiple: Int) async throws {
        let (drawing, engine) = (Self.drawing, NaiveEngine(offset: 3 / 255))
        let result = try await Self.upscaler(engine, multiple: multiple).upscale(drawing).bytes
        let network = try await Self.upscaler(engine, profile: nil, multiple: multiple).upscale(drawing).bytes
        var flat = 0
        for y in 0..<80 {
            for x in 0..<96 {
                let isFlat = Self.isFlat(x, y, in: drawing)
                if isFlat { flat += 1 }
                for place in 0..<27 {
                    let (i, j, c) = (place / 3 % 3, place / 9, place % 3)
                    let own = result[((y * 3 + j) * 288 + x * 3 + i) * 3 + c]
                    if isFlat {
                        #expect(own == drawing.bytes[(y * 96 + x) * 3 + c])
                    } else {
                        #expect(abs(Int(own) - Int(network[((y * 3 + j) * 288 + x * 3 + i) * 3 + c])) <= 1)
                    }
                }
            }
        }
        // The drawing holds both kinds.
        #expect(flat > 2000 && flat < 96 * 80 * 3 / 4)
    }

    @Test(arguments: [1, 4]) func tilesAndStripsAreTheSame(multiple: Int) async throws {
        let whole = try await Self.upscaler(multiple: multiple).upscale(Self.drawing)
        let tiled = try await Self.upscaler(tiles: .side(32), multiple: multiple).upscale(Self.drawing)
        let rows = try await Self.upscaler(tiles: .side(32), multiple: multiple).upscale(rows: Strips(Self.drawing, rows: 7)).collect()
        let (isTiled, isByRows) = (tiled == whole, rows == whole)
        #expect(isTiled && isByRows)
    }

    /// The network sees what it needs for the noise, and not the sheet around it.
    @Test func theRestIsLeftOut() async throws {
        let seen = Mutex(0)
        let engine = NaiveEngine(observe: { raster in seen.withLock { $0 += raster.width * raster.height } })
        var sheet = PixelBuffer(width: 200, height: 150, channels: 1, depth: .eight, bytes: [UInt8](repeating: 255, count: 30000))
        sheet.withUnsafeMutableBytes { $0[70 * 200 + 90] = 0 }
        let result = try await Self.upscaler(engine, channels: 1).upscale(sheet)
        // A pixel, four around it that are not flat, and four around these that its convolutions look at.
        #expect(seen.withLock { $0 } == 17 * 17)
        #expect(result.bytes.count { $0 != 255 } == 9 * 25)
        // Nothing at all, in 16 bits.
        let unasked = NaiveEngine(observe: { _ in Issue.record("the network was asked") })
        let plain = PixelBuffer(width: 20, height: 10, channels: 3, depth: .sixteen, bytes: (0..<200).flatMap { _ in [1, 2, 3, 4, 5, 6] })
        let large = try await Self.upscaler(unasked).upscale(plain)
        let isPlain = large == PixelBuffer(width: 60, height: 30, channels: 3, depth: .sixteen, bytes: (0..<1800).flatMap { _ in [1, 2, 3, 4, 5, 6] })
        #expect(isPlain)
    }

    /// Those that may shift colours have the colour lock; of what has no card nothing is known.
    @Test(arguments: [("gan", ""), ("restore", ""), ("faithful", "RRDBNet"), (nil, "")] as [(String?, String)])
    func othersAreLeftAsTheyAre(profile: String?, architecture: String) async throws {
        let result = try await Self.upscaler(profile: profile, architecture: architecture).upscale(Self.drawing)
        #expect(result.bytes[result.bytes.count - 3] == Self.drawing.bytes[Self.drawing.bytes.count - 3] + 3)
    }
}
