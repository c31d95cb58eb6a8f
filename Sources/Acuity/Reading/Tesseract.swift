// Tesseract: the text recogniser, as a program of the system that is run on files.

public import Foundation
import SuperResolution

/// A word that was read.
public struct ReadWord: Sendable, Hashable, Codable {
    public var text: String
    /// 0…100, the reader's own opinion.
    public var confidence: Double
    /// The box around it, pixels of the picture that was read.
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(text: String, confidence: Double, x: Int, y: Int, width: Int, height: Int) {
        self.text = text
        self.confidence = confidence
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// Tesseract 4 or later, which reads pictures of text.
public struct Tesseract: Sendable {
    /// How the text lies on the picture: the program's page segmentation modes.
    public enum Layout: Int, Sendable {
        /// Columns and paragraphs, as on a page.
        case page = 3
        case line = 7
        case word = 8
        /// Wherever it is, as on labels and screens.
        case sparse = 11
    }

    /// Its path.
    public let program: String
    /// E.g. `5.3.0`.
    public let version: String
    /// Those whose data is installed, e.g. `eng`.
    public let languages: [String]

    /// Finds the program that `ACUITY_TESSERACT` names, else `tesseract` on the path.
    /// - Throws: ``AcuityError`` with code `.file` where there is none, or it does not answer as Tesseract does.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        if let named = environment["ACUITY_TESSERACT"], !named.isEmpty {
            guard FileManager.default.isExecutableFile(atPath: named) else { throw AcuityError(.file, "\(named): no such program (ACUITY_TESSERACT)") }
            program = named
        } else {
            let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
            guard let found = folders.map({ $0 + "/tesseract" }).first(where: FileManager.default.isExecutableFile(atPath:)) else {
                throw AcuityError(.file, "Tesseract is missing, the program that reads text: install tesseract-ocr (Debian, Ubuntu) or tesseract, or name it by ACUITY_TESSERACT")
            }
            program = found
        }
        let answer = try Self.run(program, ["--version"])
        let words = (answer.output + "\n" + answer.errors).split(whereSeparator: \.isNewline).first?.split(separator: " ") ?? []
        guard answer.status == 0, words.count >= 2, words[0].lowercased() == "tesseract" else {
            throw AcuityError(.file, "\(program): does not answer as Tesseract does")
        }
        version = String(words[1].drop { $0 == "v" })
        let list = try Self.run(program, ["--list-langs"])
        languages = (list.output + "\n" + list.errors).split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.contains(where: { $0 == " " || $0 == ":" }) && $0 != "osd" }.sorted()
    }

    /// Reads pictures, all of one language and layout, in one go and on one thread.
    /// - Parameters:
    ///   - files: paths without line breaks.
    ///   - language: `eng`, or several joined by `+`.
    /// - Returns: the words of each picture in the order in which they are read.
    /// - Throws: ``AcuityError`` with code `.file` with the program's own last words where it fails, or a language is not installed.
    public func read(_ files: [String], layout: Layout, language: String = "eng") throws -> [[ReadWord]] {
        guard !files.isEmpty else { return [] }
        for part in language.split(separator: "+") where !languages.contains(String(part)) {
            throw AcuityError(.file, "Tesseract has no data for \(part); installed: \(languages.isEmpty ? "none" : languages.joined(separator: ", "))")
        }
        let list = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).txt")
        defer { try? FileManager.default.removeItem(at: list) }
        guard (try? Data(files.joined(separator: "\n").utf8).write(to: list)) != nil else { throw AcuityError(.file, "\(list.path): cannot be written") }
        let answer = try Self.run(program, [list.path, "stdout", "--psm", String(layout.rawValue), "-l", language, "tsv"])
        guard answer.status == 0 else {
            let reason = answer.errors.split(whereSeparator: \.isNewline).last.map(String.init) ?? "status \(answer.status)"
            throw AcuityError(.file, "Tesseract could not read \(files.count == 1 ? files[0] : "\(files.count) pictures"): \(reason)")
        }
        return Self.words(answer.output, pages: files.count)
    }

    /// The words in Tesseract's table; lines that are none are passed over.
    /// - Parameter pages: how many pictures it is about; words of others are dropped.
    package static func words(_ table: String, pages: Int) -> [[ReadWord]] {
        var result = [[ReadWord]](repeating: [], count: pages)
        for line in table.split(whereSeparator: \.isNewline) {
            // level page block paragraph line word left top width height confidence text
            let fields = line.split(separator: "\t", maxSplits: 11, omittingEmptySubsequences: false)
            guard fields.count == 12, fields[0] == "5", let page = Int(fields[1]), (1...max(1, pages)).contains(page), pages > 0,
                let x = Int(fields[6]), let y = Int(fields[7]), let width = Int(fields[8]), let height = Int(fields[9]),
                [x, y, width, height].allSatisfy({ (0...1_000_000_000).contains($0) }), let confidence = Double(fields[10]), confidence.isFinite
            else { continue }
            let text = fields[11].trimmingCharacters(in: .whitespaces)
            if text.isEmpty { continue }
            result[page - 1].append(ReadWord(text: text, confidence: max(0, min(100, confidence)), x: x, y: y, width: width, height: height))
        }
        return result
    }

    /// Runs a program to its end.
    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        // Several at a time are faster than several threads of one, which mostly wait for each other.
        process.environment = ProcessInfo.processInfo.environment.merging(["OMP_THREAD_LIMIT": "1"]) { $1 }
        let output = Pipe()
        // A file, as two full pipes would wait for each other.
        let errors = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: errors) }
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = (try? FileHandle(forWritingTo: errors)) ?? FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw AcuityError(.file, "\(program): cannot be run")
        }
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let complaints = (try? Data(contentsOf: errors)) ?? Data()
        return (process.terminationReason == .exit ? process.terminationStatus : -1, String(decoding: text, as: UTF8.self), String(decoding: complaints.suffix(4096), as: UTF8.self))
    }
}
