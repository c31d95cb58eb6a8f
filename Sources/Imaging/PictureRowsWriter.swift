// PictureRowsWriter: a picture file written from top to bottom while its rows are still being made.

import CVips
#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif
import Dispatch
import FoundationEssentials
package import SuperResolution
import Synchronization

/// A picture file that is being written, strip by strip; it appears whole or not at all.
///
/// The encoder runs beside whoever makes the rows, one strip behind. Used by one task at a time.
package final class PictureRowsWriter: @unchecked Sendable {
    private let path: String
    private let format: ImageFormat
    private let options: Picture.WritingOptions
    private let size: (width: Int, height: Int)
    private let output: Output
    /// Metadata and the like; its pixels are only the first rows.
    private let first: Picture
    private let bits: Int
    private let isFloat: Bool
    private let feed = RowFeed()
    private var encoder: Task<Void, any Error>?
    private var remarks: [String] = []

    private enum Output: @unchecked Sendable {
        case file(OutputFile)
        case folder(DeepZoomOutput)
    }

    /// Whether a format is written row by row.
    package static func writes(_ format: ImageFormat, _ options: Picture.WritingOptions) -> Bool {
        [.png, .jpeg, .tiff, .ppm, .deepZoom].contains(format) && options.targetBytes == nil
    }

    /// - Parameters:
    ///   - first: the first rows of the picture that the file is made from.
    ///   - size: of the picture to be written.
    /// - Throws: what ``Picture/write(to:options:)`` would throw about the path, the format and the size.
    package init(to path: String, like first: Picture, size: (width: Int, height: Int), options: Picture.WritingOptions) throws {
        try Vips.start()
        format = try Picture.format(for: path, options: options)
        try first.checkWriting(to: path, options: options, width: size.width, height: size.height)
        let protected = first.origin.map { [$0] } ?? []
        output = format == .deepZoom
            ? .folder(try DeepZoomOutput(path, overwrite: options.overwrite, protecting: protected))
            : .file(try OutputFile(path, overwrite: options.overwrite, protecting: protected))
        (self.path, self.options, self.size, self.first) = (path, options, size, first)
        (bits, isFloat) = first.samples(in: format)
    }

    deinit { feed.end() }

    /// Writes the next rows.
    /// - Parameters:
    ///   - pixels: the colours of some rows, as wide as the picture.
    ///   - alpha: of the same rows, where the picture has it.
    /// - Throws: ``AcuityError`` where the file cannot be written.
    package func append(_ pixels: PixelBuffer, alpha: PixelBuffer?) async throws {
        var strip = Picture(pixels: pixels, alpha: alpha, metadata: first.metadata, format: first.format)
        strip.source = first.source
        let samples = try FileSamples(strip, format: format, options: options, bits: bits, isFloat: isFloat)
        if encoder == nil { try begin(samples) }
        guard await feed.push(samples.bytes, rows: pixels.height) else {
            // It ended before it had all rows: it says why.
            try await encoder?.value
            throw AcuityError(.file, "\(path): the encoder ended early")
        }
    }

    /// Waits for the encoder and puts the file in its place.
    /// - Returns: what the file does not hold although the source did, a line each.
    /// - Throws: ``AcuityError`` where the file cannot be written.
    package func finish() async throws -> [String] {
        try await encoder?.value
        do {
            switch output {
            case .file(let file):
                if !options.strip { remarks += try first.completeMetadata(of: file, format: format, options: options, size: size) }
                try file.commit(as: options.strip ? nil : first.origin)
            case .folder(let folder): try folder.commit()
            }
        } catch let error as AcuityError {
            throw error.naming(path)
        }
        return remarks
    }

    private func begin(_ samples: FileSamples) throws {
        remarks = first.remarks + [first.remark(on: bits, isFloat: isFloat, in: format), samples.remark].compactMap { $0 }
        let image = try VipsPicture(cvips_rows(
            Int32(size.width), Int32(size.height), Int32(samples.bands), samples.format, samples.space,
            { context, row, to in
                guard let context, let to else { return -1 }
                return Unmanaged<RowFeed>.fromOpaque(context).takeUnretainedValue().copy(row: Int(row), to: to) ? 0 : -1
            }, Unmanaged.passUnretained(feed).toOpaque()))
        if let metadata = first.metadata, !options.strip { first.carry(metadata, into: image, options: options, size: size) }
        image.setBlob("icc-profile-data", samples.profile)
        let row = size.width * samples.bands * Int(vips_format_sizeof(samples.format))
        let arguments = options.arguments(
            for: format, quality: nil, bits: bits, isGrey: samples.bands == 1, isFloat: isFloat, isLarge: row * size.height > 3_000_000_000,
            hasAlpha: samples.bands % 2 == 0)
        let (output, format, path, feed) = (output, format, path, feed)
        encoder = Task {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                // It waits for rows, which Swift's own threads must not.
                DispatchQueue.global().async {
                    defer { feed.end() }
                    continuation.resume(with: Result {
                        do {
                            switch output {
                            case .file(let file):
                                guard let target = vips_target_new_to_descriptor(file.descriptor) else { throw AcuityError(.file, Vips.takeError()) }
                                defer { g_object_unref(target) }
                                guard cvips_save(format.saver, image.pointer, target, arguments) == 0 else { throw AcuityError(.file, Vips.takeError()) }
                            case .folder(let folder):
                                guard cvips_save_to_file(format.saver, image.pointer, folder.temporaryBase, arguments) == 0 else { throw AcuityError(.file, Vips.takeError()) }
                            }
                        } catch let error as AcuityError {
                            throw error.naming(path)
                        }
                    })
                }
            }
        }
    }
}

/// Rows on their way from the task that makes them to the encoder's threads, one strip at a time.
private final class RowFeed: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        /// The rows in ``bytes``.
        var rows = 0..<0
        var isEnded = false
        /// Who waits for the strip to be used up.
        var maker: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())
    private let there = DispatchSemaphore(value: 0)

    /// Hands over a strip when the one before it is used up.
    /// - Returns: false if no more rows are wanted.
    func push(_ bytes: [UInt8], rows: Int) async -> Bool {
        let isFree = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            let known: Bool? = state.withLock { state in
                if state.isEnded { return false }
                if state.rows.isEmpty { return true }
                state.maker = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
        guard isFree else { return false }
        state.withLock { state in
            state.bytes = bytes
            state.rows = state.rows.upperBound..<state.rows.upperBound + rows
        }
        there.signal()
        return true
    }

    /// Copies a row, once it is there.
    /// - Returns: false if it never comes.
    func copy(row: Int, to target: UnsafeMutableRawPointer) -> Bool {
        while true {
            var maker: CheckedContinuation<Bool, Never>?
            let done: Bool? = state.withLock { state in
                if state.isEnded || row < state.rows.lowerBound { return false }
                guard state.rows.contains(row) else { return nil }
                let length = state.bytes.count / state.rows.count, start = (row - state.rows.lowerBound) * length
                state.bytes.withUnsafeBytes { target.copyMemory(from: $0.baseAddress! + start, byteCount: length) }
                if row == state.rows.upperBound - 1 {
                    state.bytes = []
                    state.rows = state.rows.upperBound..<state.rows.upperBound
                    (maker, state.maker) = (state.maker, nil)
                }
                return true
            }
            maker?.resume(returning: true)
            if let done { return done }
            there.wait()
        }
    }

    /// No more rows will come, or are wanted.
    func end() {
        let maker = state.withLock { state in
            state.isEnded = true
            defer { state.maker = nil }
            return state.maker
        }
        maker?.resume(returning: false)
        there.signal()
    }
}

/// A Deep Zoom picture under construction: `NAME.dzi` and its tiles in the folder `NAME_files`.
final class DeepZoomOutput {
    private let description: String
    private let tiles: String
    private let temporary: String
    private let name: String

    /// What libvips puts its two endings to.
    var temporaryBase: String { temporary + "/" + name }

    init(_ path: String, overwrite: Bool, protecting protected: [FileIdentity]) throws {
        let description = try OutputFile.judge(path, overwrite: overwrite, protecting: protected)
        let folder = description.lastIndex(of: "/").map { String(description[...$0]) } ?? "./"
        let file = description.split(separator: "/").last.map(String.init) ?? ""
        let name = file.hasSuffix(".dzi") ? String(file.dropLast(4)) : file
        (self.description, self.name, tiles) = (description, name, folder + name + "_files")
        temporary = folder + ".acuity-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).part"
        guard overwrite || !FileManager.default.fileExists(atPath: tiles) else {
            throw AcuityError(.file, "\(tiles): exists already (--overwrite replaces it)")
        }
        do {
            try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: false)
        } catch {
            throw AcuityError(.file, "\(path): the folder for its tiles cannot be made")
        }
        UnfinishedFiles.add(temporary)
    }

    /// Puts the tiles in their place, then the file that leads to them.
    func commit() throws {
        do {
            let files = FileManager.default
            if files.fileExists(atPath: tiles) { try files.moveItem(atPath: tiles, toPath: temporary + "/replaced") }
            try files.moveItem(atPath: temporaryBase + "_files", toPath: tiles)
            guard rename(temporaryBase + ".dzi", description) == 0 else { throw AcuityError(.file, "\(description): \(reason(errno))") }
        } catch let error as AcuityError {
            throw error
        } catch {
            throw AcuityError(.file, "\(description): its tiles cannot be put into \(tiles)")
        }
    }

    deinit {
        UnfinishedFiles.remove(temporary)
        try? FileManager.default.removeItem(atPath: temporary)
    }
}
