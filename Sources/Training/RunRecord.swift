// RunRecord: what a run leaves for people and programs to watch it by: metrics.jsonl and index.html.

import SuperResolution
import TorchEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A patch of a validation picture: what the network read, made, and should have made.
struct SamplePatch {
    let low: SmallPicture
    let output: SmallPicture
    let target: SmallPicture

    init(low: TorchTensor, output: TorchTensor, target: TorchTensor) throws {
        self.low = try SmallPicture(low)
        self.output = try SmallPicture(output)
        self.target = try SmallPicture(target)
    }
}

extension SmallPicture {
    /// 1×C×H×W in 0…1 as bytes.
    init(_ x: TorchTensor) throws {
        let tensor = try x.floats()
        let (channels, height, width) = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
        var bytes = [UInt8](repeating: 0, count: channels * height * width)
        for channel in 0..<channels {
            for pixel in 0..<(height * width) {
                let value = tensor.values[channel * height * width + pixel]
                bytes[pixel * channels + channel] = UInt8(max(0, min(255, ((value.isFinite ? value : 0) * 255).rounded())))
            }
        }
        self.init(width: width, height: height, channels: channels, bytes: bytes)
    }
}

/// Appends to `metrics.jsonl` in the folder of a run, a line at each report, and writes `index.html` at each validation. What the network
/// made of the same patches after 1, 3, 10, 30 … steps stays in `rounds`, and is shown on the page.
///
/// A line: `{"step", "minutes", "rate", "images_per_second", "loss": {term: value}, "weight": {term: value}}`, with a discriminator
/// `"d_real"`, `"d_made"` and `"d_loss"`, at a validation `"psnr_y"` and `"perceptual"`, and the same two after
/// `"degraded_"` on pictures that the recipe's degradation made.
final class RunRecord {
    /// A line of the record.
    struct Line: Codable {
        var step: Int
        var minutes: Double
        var rate: Double
        var images_per_second: Double
        var loss: [String: Double]
        var weight: [String: Double]
        var d_real: Double?
        var d_made: Double?
        var d_loss: Double?
        var psnr_y: Double?
        var perceptual: Double?
        var degraded_psnr_y: Double?
        var degraded_perceptual: Double?
        var dead_channels: Int?
    }

    private let path: String
    private let page: String
    private let name: String
    private var lines: [Line] = []
    private let roundsFolder: String
    private var rounds: [RunPage.Round] = []

    /// - Parameter step: lines past this one are of a piece that was killed before its next checkpoint, and go.
    init(directory: String, recipe: Recipe, resumedAt step: Int) throws {
        path = directory + "/metrics.jsonl"
        page = directory + "/index.html"
        name = recipe.name
        roundsFolder = directory + "/rounds"
        if step > 0, let data = try? Data(contentsOf: URL(filePath: path)) {
            let decoder = JSONDecoder()
            lines = data.split(separator: UInt8(ascii: "\n")).compactMap { try? decoder.decode(Line.self, from: Data($0)) }.filter { $0.step <= step }
        }
        try write(try lines.map(Self.encoded).reduce(Data(), +), to: path)
        if step == 0 { try? FileManager.default.removeItem(atPath: roundsFolder) }
        let kept = (try? FileManager.default.contentsOfDirectory(atPath: roundsFolder)) ?? []
        for round in kept.compactMap(Int.init).filter({ $0 <= step }).sorted() {
            var pictures: [Data] = []
            while let file = try? Data(contentsOf: URL(filePath: picture(pictures.count, of: round))) { pictures.append(file) }
            rounds.append(RunPage.Round(step: round, pictures: pictures))
        }
    }

    /// Whether what the network makes is kept after so many steps.
    static func isRound(_ step: Int) -> Bool {
        var digits = step
        while digits > 0, digits % 10 == 0 { digits /= 10 }
        return digits == 1 || digits == 3
    }

    /// Keeps what the network makes of the patches that are shown.
    func round(_ step: Int, pictures: [SmallPicture]) throws {
        do {
            try FileManager.default.createDirectory(atPath: "\(roundsFolder)/\(step)", withIntermediateDirectories: true)
        } catch {
            throw AcuityError(.file, "\(roundsFolder)/\(step): cannot be created")
        }
        let files = pictures.map(\.png)
        for (index, file) in files.enumerated() { try write(file, to: picture(index, of: step)) }
        rounds.append(RunPage.Round(step: step, pictures: files))
    }

    private func picture(_ index: Int, of step: Int) -> String { "\(roundsFolder)/\(step)/\(index).png" }

    func progress(_ p: TrainingProgress) throws { try append(Self.line(p)) }

    func validation(_ p: TrainingProgress, psnr: Double, samples: [SamplePatch]) throws {
        var line = Self.line(p)
        line.psnr_y = psnr
        line.perceptual = p.perceptual
        line.degraded_psnr_y = p.degraded?.psnr
        line.degraded_perceptual = p.degraded?.perceptual
        line.dead_channels = p.dead?.count
        try append(line)
        try write(Data(RunPage.html(name: name, lines: lines, samples: samples, rounds: rounds).utf8), to: page)
    }

    private static func line(_ p: TrainingProgress) -> Line {
        let pairs = p.terms.map { ($0.name, $0) }
        return Line(
            step: p.step, minutes: p.minutes, rate: p.rate, images_per_second: p.imagesPerSecond,
            loss: Dictionary(uniqueKeysWithValues: pairs.map { ($0, $1.value) }), weight: Dictionary(uniqueKeysWithValues: pairs.map { ($0, $1.weight) }),
            d_real: p.discriminator?.real, d_made: p.discriminator?.made, d_loss: p.discriminator?.loss)
    }

    private static func encoded(_ line: Line) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try encoder.encode(line) + [UInt8(ascii: "\n")]
    }

    private func append(_ line: Line) throws {
        lines.append(line)
        let data = try Self.encoded(line)
        guard let file = fopen(path, "ab") else { throw AcuityError(.file, "\(path): cannot be written") }
        let written = data.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
        guard fclose(file) == 0, written == data.count else { throw AcuityError(.file, "\(path): cannot be written, is the disk full?") }
    }

    private func write(_ data: Data, to path: String) throws {
        do {
            try data.write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw AcuityError(.file, "\(path): cannot be written, is the disk full?")
        }
    }
}
