// TextBenchmark: what `acuity evaluate-text` measures: lines and words read after enlarging, drawings, photographs.

import Acuity
import Evaluation
import Foundation
import Imaging
import Synchronization
import SuperResolution
import Training

/// Measures enlarging methods on what the model `text` is for. Everything drawn is of fonts and words that training never sees.
struct TextBenchmark: Sendable {
    /// What happens to a line before it is enlarged.
    enum Damage: String, CaseIterable, Codable {
        case bicubic
        case areaJPEG = "area, JPEG 50"
        case blurJPEG = "blur, bicubic, JPEG 75"
        case nearest
    }

    struct Line: Sendable {
        let truth: SyntheticLine
        let damage: Damage
        let low: Raster
    }

    /// Languages of the lines with Tesseract's names for them.
    static let languages: [(language: SyntheticWords.Language, code: String)] = [
        (.english, "eng"), (.german, "deu"), (.french, "fra"), (.russian, "rus"), (.greek, "ell"),
    ]

    let scale: Int
    let tesseract: Tesseract
    /// How many of its processes run at a time.
    let jobs: Int
    let folder: URL
    /// Whether it gets the luma of the pictures alone.
    var isGrey = false

    // MARK: Lines

    /// English for two lines of five, the other installed languages in turn for the rest; heights of an x from 5 to 10 pixels of the input.
    func lines(_ count: Int, fonts: [SyntheticFont], seed: UInt64) throws -> [Line] {
        let installed = Self.languages.filter { tesseract.languages.contains($0.code) }
        guard installed.contains(where: { $0.code == "eng" }) else { throw AcuityError(.file, "Tesseract's English data is missing (tesseract-ocr-eng)") }
        let others = installed.filter { $0.code != "eng" }
        let settings = SyntheticPicture.Settings(fonts: fonts, split: .heldOut, xHeight: Float(5 * scale)...Float(10 * scale))
        var result: [Line] = []
        var index: UInt64 = 0
        while result.count < count, index < 10 * UInt64(count) {
            let number = result.count
            let language = others.isEmpty || number % 5 < 2 ? .english : others[(number / 5 * 3 + number % 5 - 2) % others.count].language
            index += 1
            let line = try SyntheticLine(
                language, letters: 14 + number % 12, multiple: scale, seed: nameHash("line \(index)", seed: seed), settings: settings, render: Self.render)
            guard let line else { continue }
            // Every damage meets every language.
            let damage = Damage.allCases[(number / 5 + number) % Damage.allCases.count]
            result.append(Line(truth: line, damage: damage, low: try damaged(line.raster, by: damage)))
        }
        return result
    }

    static let render: @Sendable (String, String, Int) throws -> TextMask? = { text, font, pixels in
        try TextRendering.coverage(of: text, font: font, pixels: pixels).flatMap { TextMask(width: $0.width, height: $0.height, coverage: $0.bytes) }
    }

    private func damaged(_ high: Raster, by damage: Damage) throws -> Raster {
        let (width, height) = (high.width / scale, high.height / scale)
        switch damage {
        case .bicubic: return Resampling.bicubic.resize(high, width: width, height: height)
        case .areaJPEG: return try high.averaged(by: scale).compressed(quality: 50)
        case .blurJPEG: return try Resampling.bicubic.resize(high.blurred(sigma: 0.4 * Float(scale)), width: width, height: height).compressed(quality: 75)
        case .nearest: return Resampling.nearest.resize(high, width: width, height: height)
        }
    }

    /// Reads lines as a method leaves them.
    /// - Parameter enlarge: nil reads the ground truth.
    func score(_ lines: [Line], name: String, enlarge: Enlarging?) async throws -> [Damage: ReadingScore] {
        var paths: [String] = []
        for (index, line) in lines.enumerated() {
            let path = folder.appendingPathComponent("\(name)-\(index).png").path
            let picture = if let enlarge { try await enlarge(line.low) } else { line.truth.raster }
            try Picture(pixels: PixelBuffer(isGrey && picture.channels == 3 ? picture.luma : picture, depth: .eight)).write(to: path, options: .init(overwrite: true))
            paths.append(path)
        }
        let read = try self.read(paths, languages: lines.map { line in Self.languages.first { $0.language == line.truth.language }?.code ?? "eng" })
        var scores: [Damage: ReadingScore] = [:]
        for (line, words) in zip(lines, read) {
            scores[line.damage, default: ReadingScore()].add(truth: line.truth.text, read: words.map { ($0.text, $0.confidence) })
        }
        return scores
    }

    /// Reads lines, those of one language in few processes, for starting one takes longer than reading a line.
    private func read(_ paths: [String], languages: [String]) throws -> [[ReadWord]] {
        var parts: [[Int]] = []
        for language in Set(languages).sorted() {
            let indices = paths.indices.filter { languages[$0] == language }
            for start in stride(from: 0, to: indices.count, by: 25) { parts.append(Array(indices[start..<min(indices.count, start + 25)])) }
        }
        let results = Mutex([Int: Result<[[ReadWord]], any Error>]())
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = jobs
        for (number, part) in parts.enumerated() {
            queue.addOperation {
                let result = Result { try tesseract.read(part.map { paths[$0] }, layout: .line, language: languages[part[0]]) }
                results.withLock { $0[number] = result }
            }
        }
        queue.waitUntilAllOperationsAreFinished()
        var words = [[ReadWord]](repeating: [], count: paths.count)
        for (number, part) in parts.enumerated() {
            for (index, found) in zip(part, try results.withLock { $0[number] }?.get() ?? []) { words[index] = found }
        }
        return words
    }

    private func write(_ raster: Raster, _ name: String) throws {
        try Picture(pixels: PixelBuffer(raster, depth: .eight)).write(to: folder.appendingPathComponent(name + ".png").path, options: .init(overwrite: true))
    }

    // MARK: Words, drawings, photographs

    /// How many pictures of one word, listed in `GT.txt`, are read right, letters and digits alone and in any case.
    func wordsRead(in folder: String, name: String, enlarge: Enlarging) async throws -> (right: Int, of: Int) {
        let list = (try? String(contentsOfFile: folder + "/GT.txt", encoding: .utf8)) ?? ""
        let truth = Dictionary(list.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }, uniquingKeysWith: { first, _ in first })
        let pictures = try PictureFolder.pictures(in: folder).filter { truth[URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent] != nil }
        var paths: [String] = []
        for (index, path) in pictures.enumerated() {
            let result = self.folder.appendingPathComponent("\(name)-word-\(index).png").path
            try Picture(pixels: PixelBuffer(try await enlarge(PictureFolder.load(path)), depth: .eight)).write(to: result, options: .init(overwrite: true))
            paths.append(result)
        }
        let read = try self.read(paths, languages: paths.map { _ in "eng" })
        func plain(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
        let right = zip(pictures, read).count { picture, words in
            plain(words.map(\.text).joined()) == plain(truth[URL(fileURLWithPath: picture).deletingPathExtension().lastPathComponent] ?? "")
        }
        return (right, pictures.count)
    }

    /// Logos, charts and line art, reduced by bicubic.
    func drawings(_ count: Int, fonts: [SyntheticFont], seed: UInt64) throws -> [Raster] {
        let settings = SyntheticPicture.Settings(fonts: fonts, split: .heldOut, xHeight: Float(5 * scale)...Float(10 * scale))
        let kinds: [SyntheticPicture.Kind] = [.logos, .lineart, .charts]
        return try (0..<count).map { index in
            let size = 256 / scale * scale
            let picture = try SyntheticPicture(kinds[index % 3], size: size, seed: nameHash("drawing \(index)", seed: seed), settings: settings, render: Self.render)
            return PixelBuffer(width: size, height: size, channels: 3, depth: .eight, bytes: picture.bytes).raster
        }
    }

    /// PSNR-Y on drawings, what became of their flat areas, and how wide a hard step is.
    func drawingScore(_ drawings: [Raster], name: String, enlarge: @escaping Enlarging) async throws -> (psnr: Double, flat: Double, deviation: Double, step: Double) {
        let benchmark = try Benchmark(scale: scale)
        var (psnr, pixels, exact, deviation) = (0.0, 0, 0, 0.0)
        for (index, drawing) in drawings.enumerated() {
            let pair = try benchmark.pair(from: drawing)
            // Written before it is enlarged: one that a method refuses can be looked at.
            try write(pair.low, "drawing-\(index)")
            let high = try await enlarge(pair.low)
            try write(high, "\(name)-drawing-\(index)")
            psnr += min(100, try Metrics.psnrY(PixelBuffer(high, depth: .eight).raster, against: pair.truth, crop: scale))
            let flat = EdgeMeasures.flatness(of: high, from: pair.low, scale: scale)
            (pixels, exact, deviation) = (pixels + flat.pixels, exact + flat.exact, max(deviation, flat.deviation))
        }
        let step = try await EdgeMeasures.stepWidth(scale: scale, enlarge: enlarge)
        return (psnr / Double(max(1, drawings.count)), Double(exact) / Double(max(1, pixels)), deviation, step)
    }
}

extension SyntheticLine {
    var raster: Raster { PixelBuffer(width: width, height: height, channels: 3, depth: .eight, bytes: bytes).raster }
}

extension Raster {
    /// Means over squares.
    fileprivate func averaged(by factor: Int) -> Raster {
        var result = Raster(width: width / factor, height: height / factor, channels: channels)
        let share = 1 / Float(factor * factor)
        for y in 0..<result.height * factor {
            for x in 0..<result.width * factor {
                for c in 0..<channels { result[x / factor, y / factor, c] += self[x, y, c] * share }
            }
        }
        return result
    }

    /// By a Gaussian, borders repeated.
    fileprivate func blurred(sigma: Float) -> Raster {
        let radius = Int((3 * sigma).rounded(.up))
        let taps = (-radius...radius).map { Float(exp(-0.5 * Double($0 * $0) / Double(sigma * sigma))) }
        let sum = taps.reduce(0, +)
        func pass(_ source: Raster, _ dx: Int, _ dy: Int) -> Raster {
            var result = Raster(width: width, height: height, channels: channels)
            for y in 0..<height {
                for x in 0..<width {
                    for (index, tap) in taps.enumerated() {
                        let (u, v) = (max(0, min(width - 1, x + dx * (index - radius))), max(0, min(height - 1, y + dy * (index - radius))))
                        for c in 0..<channels { result[x, y, c] += source[u, v, c] * tap / sum }
                    }
                }
            }
            return result
        }
        return pass(pass(self, 1, 0), 0, 1)
    }
}
