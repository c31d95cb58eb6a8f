// OpacityTests: alpha goes through the network, and stays exactly what it is where nothing changes.

import SuperResolution
import Testing

@Suite struct OpacityTests {
    /// A disc with a soft rim, half transparent at its right, in the middle of nothing.
    private static let disc: PixelBuffer = {
        var raster = Raster(width: 90, height: 70, channels: 1)
        for y in 0..<70 {
            for x in 0..<90 {
                let distance = Float((x - 40) * (x - 40) + (y - 33) * (y - 33)).squareRoot()
                raster[x, y, 0] = min(max(20.5 - distance, 0), 1) * (x > 50 ? 0.5 : 1)
            }
        }
        return PixelBuffer(raster, depth: .eight)
    }()

    /// Whether each pixel differs from a neighbour, written out once more.
    private static func isUneven(_ x: Int, _ y: Int) -> Bool {
        let (pixels, own) = (disc.bytes, disc.bytes[y * 90 + x])
        for (dx, dy) in [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)]
        where (0..<90).contains(x + dx) && (0..<70).contains(y + dy) && pixels[(y + dy) * 90 + x + dx] != own { return true }
        return false
    }

    private static func upscaler(_ engine: NaiveEngine = NaiveEngine(), profile: String? = nil, tiles: Tiling.Size = .automatic, multiple: Int = 1, factor: Double = 3) throws -> Upscaler {
        var model = try NaiveEngine.model(scale: 3, channels: 1, multiple: multiple)
        if let profile {
            let card = ModelCard(
                name: "n", version: "1", architecture: "", scale: 3, purpose: "", parameters: 0, trainingData: "", recipe: "", recipeHash: "", steps: 0,
                trainingMinutes: 0, hardware: "", date: "", licence: "", sha256: "", metrics: [], profile: profile)
            model = try Model(name: "n", network: model.network, weights: model.weights, card: card)
        }
        return try Upscaler(.network(engine, [3: model]), target: .factor(factor), tiles: tiles)
    }

    /// By the network where there is an outline, and exactly the source's where there is none.
    @Test(arguments: [1, 2, 4]) func outlinesAreTheNetworks(multiple: Int) async throws {
        let upscaler = try Self.upscaler(multiple: multiple)
        let (result, network) = (try await upscaler.upscale(opacity: Self.disc).bytes, try await upscaler.upscale(Self.disc).bytes)
        var outlines = 0
        for y in 0..<210 {
            for x in 0..<270 {
                let place = y * 270 + x
                if Self.isUneven(x / 3, y / 3) {
                    outlines += 1
                    #expect(abs(Int(result[place]) - Int(network[place])) <= 1)
                } else {
                    #expect(result[place] == Self.disc.bytes[y / 3 * 90 + x / 3])
                }
            }
        }
        #expect(outlines > 9 * 100 && outlines < 9 * 500)
    }

    @Test(arguments: [1, 4]) func tilesAndStripsAreTheSame(multiple: Int) async throws {
        let whole = try await Self.upscaler(multiple: multiple).upscale(opacity: Self.disc)
        #expect(try await Self.upscaler(tiles: .side(32), multiple: multiple).upscale(opacity: Self.disc) == whole)
        let rows = try await Self.upscaler(tiles: .side(32), multiple: multiple).upscale(opacityRows: Strips(Self.disc, rows: 7)).collect()
        #expect(rows == whole)
    }

    /// Opacity is no reason to refuse a picture.
    @Test(arguments: [NaiveEngine.Fault.black, .noise, .notANumber]) func aFilterStandsInForARuinousNetwork(_ fault: NaiveEngine.Fault) async throws {
        let result = try await Self.upscaler(NaiveEngine(fault: (fault, fault))).upscale(opacity: Self.disc)
        let filtered = try Resampling.bicubic.resize(Self.disc, width: 270, height: 210)
        let outlines = result.bytes.indices.filter { Self.isUneven($0 % 270 / 3, $0 / 270 / 3) }
        #expect(outlines.map { abs(Int(result.bytes[$0]) - Int(filtered.bytes[$0])) }.max() ?? 9 <= 1)
    }

    /// Networks that invent have no say in what is transparent; nor does shrinking or one value everywhere need one.
    @Test func aFilterWhereNoNetworkIsWanted() async throws {
        let filtered = try Resampling.bicubic.resize(Self.disc, width: 270, height: 210)
        #expect(try await Self.upscaler(profile: "gan").upscale(opacity: Self.disc) == filtered)
        #expect(try await Upscaler(.resampling(.lanczos3), target: .factor(3)).upscale(opacity: Self.disc) == filtered)
        #expect(try await Self.upscaler(profile: "faithful").upscale(opacity: Self.disc) != filtered)
        let asked = NaiveEngine(observe: { _ in Issue.record("the network was asked") })
        let shrunk = try await Self.upscaler(asked, factor: 0.5).upscale(opacity: Self.disc)
        #expect(try shrunk == Resampling.bicubic.resize(Self.disc, width: 45, height: 35))
        let opaque = PixelBuffer(width: 20, height: 10, channels: 1, depth: .sixteen, bytes: [UInt8](repeating: 255, count: 400))
        let large = try await Self.upscaler(asked).upscale(opacity: opaque)
        #expect(large == PixelBuffer(width: 60, height: 30, channels: 1, depth: .sixteen, bytes: [UInt8](repeating: 255, count: 3600)))
    }
}
