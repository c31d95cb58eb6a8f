// FlatFieldTests: every model that ships leaves flat colour alone.

import Acuity
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

    @Test func everyColourComesOutFlatAndWithinOneLevel() async throws {
        let entries = try ModelCatalogue(folder: nil).entries()
        if entries.isEmpty { print("SKIPPED: no models are built in") }
        for entry in entries {
            let model = try ModelCatalogue(folder: nil).model(entry)
            let upscaler = try Upscaler(.network(try NativeEngine(threads: 2), [entry.scale: model]), target: .factor(Double(entry.scale)))
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
            #expect(worst <= 1 && spread <= 1, "\(entry.name) ×\(entry.scale): off by \(worst), spread \(spread)")
        }
    }
}
