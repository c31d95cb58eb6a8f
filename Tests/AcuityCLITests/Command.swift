// Command: runs the built `acuity` as a process, in a folder of its own.

import Foundation
import Testing

/// What a run of the command left behind.
struct Outcome {
    let status: Int32
    let output: String
    let errors: String
    /// Lines on standard error.
    var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
}

enum Command {
    /// The executable beside the test bundle.
    static let executable: URL? = {
        var folder = Bundle.main.executableURL?.deletingLastPathComponent()
        for _ in 0..<6 {
            guard let here = folder else { return nil }
            let candidate = here.appendingPathComponent("acuity")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder = here.deletingLastPathComponent()
        }
        return nil
    }()

    /// - Parameters:
    ///   - environment: added to the test's own.
    ///   - interfere: called with the running process and told where its standard error goes; may end it.
    static func run(
        _ arguments: [String], in folder: URL? = nil, environment: [String: String] = [:], interfere: ((Process, URL) throws -> Void)? = nil
    ) throws -> Outcome {
        let process = Process()
        let program: URL = try #require(executable, "acuity is not built beside the tests")
        process.executableURL = program
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = folder }
        // Files, not pipes: a full pipe would block the command.
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let streams = ["out", "err"].map(scratch.appendingPathComponent)
        for stream in streams { try Data().write(to: stream) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: streams[0])
        process.standardError = try FileHandle(forWritingTo: streams[1])
        if !environment.isEmpty { process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 } }
        try process.run()
        try interfere?(process, streams[1])
        process.waitUntilExit()
        let texts = try streams.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Outcome(
            status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
            output: texts[0], errors: texts[1])
    }
}

/// A temporary folder that vanishes with its value.
final class Folder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ data: Data, _ name: String) throws { try data.write(to: url.appendingPathComponent(name)) }
    func read(_ name: String) throws -> Data { try Data(contentsOf: url.appendingPathComponent(name)) }
    /// Every name in the folder, hidden ones included, sorted.
    var listing: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted() }
}

/// Folders of evaluation pictures, where the machine has them.
enum EvaluationData {
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["ACUITY_DATA"] { return URL(fileURLWithPath: path) }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../shared/data").standardizedFileURL
    }()

    static func set(_ name: String) -> String { folder.appendingPathComponent("eval/\(name)").path }
    static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: set(name)) }
}

/// The models in the repository, which are built into the command.
enum ReleasedModels {
    static func has(_ stem: String) -> Bool {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL
        return FileManager.default.fileExists(atPath: root.appendingPathComponent("Models/\(stem).safetensors").path)
    }
}
