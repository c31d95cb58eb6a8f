// BatchRecord: what became of one picture of a batch: a line of the manifest and of `--json`.

import FoundationEssentials

/// One picture's fate.
package struct BatchRecord: Sendable, Codable, Hashable {
    package enum Verdict: String, Sendable, Codable {
        /// Read and judged; its output appears next.
        case begun
        /// Enlarged, checked and written.
        case done
        /// Nothing was written; `error` says why.
        case failed
        /// Its output was there already.
        case skipped
    }

    /// A file's content, and by what to tell cheaply that it is the same still.
    package struct File: Sendable, Codable, Hashable {
        package var sha256: String
        package var bytes: Int
        /// When the file was last touched in any way, seconds since 1970: the time of its content may be set at will, and
        /// outputs take over that of their inputs.
        package var changed: Double
    }

    /// In a manifest as seen from its folder, else as named.
    package var input: String
    package var output: String?
    package var verdict: Verdict
    /// Everything that decides what the output is: model, size, format, quality.
    package var settings: [String: String]?
    package var inputFile: File?
    package var outputFile: File?
    /// SHA-256 of the file that the output is to replace.
    package var replaces: String?
    package var model: String?
    package var width: Int?
    package var height: Int?
    /// Frames or pages written.
    package var frames: Int?
    /// From reading to writing.
    package var seconds: Double?
    package var secondsEnlarging: Double?
    /// Why it failed, in one line.
    package var error: String?
    /// What the output does not hold although the input did.
    package var remarks: [String]?
    /// What the person should know about the result.
    package var advice: String?

    package init(input: String, output: String? = nil, verdict: Verdict, error: String? = nil) {
        self.input = input
        self.output = output
        self.verdict = verdict
        self.error = error
    }

    /// One line of JSON, keys in snake case and sorted.
    package func line() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// - Returns: nil if these bytes are not one record.
    package init?(line: some Sequence<UInt8>) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let record = try? decoder.decode(BatchRecord.self, from: Data(line)) else { return nil }
        self = record
    }
}
