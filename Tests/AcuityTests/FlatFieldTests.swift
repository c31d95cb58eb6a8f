// FlatFieldTests: every model that ships leaves flat colour alone; weights of the community show no seams on it.

import Acuity
import Foundation
import NativeEngine
import SuperResolution
import Testing

@Suite struct FlatFieldTests {
    /// A cube of 6×6×6 colours and forty greys.
    static let colours: [[UInt8]] = {
        let steps: [UInt8] = [0, 51, 102, 153, 204, 255]
        var colours: [[UInt8]] = []
        for i in 0..<216 { colours.append([steps[i / 36], steps[i / 6 % 6], steps[i % 6]]) }
        for i in 0..<40 { colours.append([UInt8](repeating: UInt8(i * 6 + 3), count: 3)) }
        return colours
    }()

    /// Within one level everywhere. Restorers and models that invent detail may have both neighbours of a level in one field: `restore` does in seven
    /// saturated colours, half of the two levels that the gate allows them.
    @Test func everyColourComesOutFlatAndWithinOneLevel() async throws {
        let entries = try ModelCatalogue(folder: nil).entries()
        if entries.isEmpty { print("SKIPPED: no models are built in") }
        for entry in entries {
            // Without its card: with it, flat areas would be kept from a faithful network.
            let carded = try ModelCatalogue(folder: nil).model(entry)
            let model = try Model(name: carded.name, network: carded.network, weights: carded.weights)
            let upscaler = try Upscaler(
                .network(try NativeEngine(threads: 2), [entry.scale: model]), target: .factor(Double(entry.scale)),
                locksColour: Model.mayShiftColours(profile: entry.card.profile, architecture: entry.card.architecture))
            var worst = 0, spread = 0
            for colour in Self.colours {
                let flat = PixelBuffer(width: 12, height: 12, channels: 3, depth: .eight, bytes: (0..<144).flatMap { _ in colour })
                let result = try await upscaler.upscale(flat).bytes
                for c in 0..<3 {
                    let values = stride(from: c, to: result.count, by: 3).map { Int(result[$0]) }
                    let (low, high) = (values.min() ?? 0, values.max() ?? 0)
                    worst = max(worst, abs(low - Int(colour[c])), abs(high - Int(colour[c])))
                    spread = max(spread, high - low)
                }
            }
            print("\(entry.name) ×\(entry.scale): within \(worst) levels, spread \(spread)")
            let isFaithful = ["faithful", "text"].contains(entry.card.profile ?? "faithful")
            #expect(worst <= 1 && spread <= (isFaithful ? 1 : 2), "\(entry.name) ×\(entry.scale): off by \(worst), spread \(spread)")
        }
    }

    /// Trained elsewhere, by an adversary: its own pattern may differ from one sub-pixel to the next, but not from one place
    /// to another, in tiles or whole.
    @Test func weightsOfTheCommunityShowNoSeams() async throws {
        let path = (ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data") + "/../peers/realesr-general-x4v3.safetensors"
        guard FileManager.default.fileExists(atPath: path) else {
            print("SKIPPED: no weights at \(path)")
            return
        }
        let method = try Upscaler.Method.named(path, threads: 2)
        var locked = 0.0
        let (side, scale) = (112, 4)
        var off = 0, spread = 0, seam = 0
        for colour in [[0, 0, 0], [255, 255, 255], [128, 128, 128], [243, 243, 243], [204, 51, 51], [51, 102, 204]] as [[UInt8]] {
            let flat = PixelBuffer(width: side, height: side, channels: 3, depth: .eight, bytes: (0..<side * side).flatMap { _ in colour })
            for tiles in [Tiling.Size.side(48), .side(4096)] {
                let result = try await Upscaler(method, target: .factor(Double(scale)), tiles: tiles).upscale(flat)
                let tied = try await Upscaler(method, target: .factor(Double(scale)), tiles: tiles, locksColour: true).upscale(flat)
                for c in 0..<3 {
                    let mean = Double(stride(from: c, to: tied.bytes.count, by: 3).reduce(0) { $0 + Int(tied.bytes[$1]) }) / Double(tied.bytes.count / 3)
                    locked = max(locked, abs(mean - Double(colour[c])))
                }
                // 35 convolutions see that far beyond the border.
                let inner = 36 * scale..<(side - 36) * scale
                for c in 0..<3 {
                    func value(_ x: Int, _ y: Int) -> Int { Int(result.bytes[(y * result.width + x) * 3 + c]) }
                    var (low, high) = (255, 0)
                    for y in inner {
                        for x in inner {
                            (low, high) = (min(low, value(x, y)), max(high, value(x, y)))
                            seam = max(seam, abs(value(x, y) - value(inner.lowerBound + x % scale, inner.lowerBound + y % scale)))
                        }
                    }
                    off = max(off, abs(low - Int(colour[c])), abs(high - Int(colour[c])))
                    spread = max(spread, high - low)
                }
            }
        }
        print("realesr-general-x4v3 ×4: its own colours off by \(off) levels, its own pattern \(spread) levels; between places \(seam); with locked colours off by \(locked)")
        #expect(seam <= 1)
        #expect(locked <= 1)
    }
}
