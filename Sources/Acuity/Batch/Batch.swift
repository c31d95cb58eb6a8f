// Batch: many pictures through one upscaler: files are read and written while the network runs, and one bad picture
// never stops the rest.

import Dispatch
import FoundationEssentials
package import Imaging
package import SuperResolution
import Synchronization

/// Enlarges many pictures.
///
/// Several pictures are under way at once, each in another stage, as far as the memory allows: while the engine works on
/// one, others are decoded and encoded. Each picture is ``BatchRecord/Verdict/done``, `skipped` or `failed` by itself.
package final class Batch: Sendable {
    /// What to do where an output exists already, beside replacing it, which ``Picture/WritingOptions/overwrite`` allows.
    package struct Options: Sendable {
        package var upscaler: Upscaler
        package var outputs: BatchOutputs
        package var writing: Picture.WritingOptions
        /// An output that exists is left as it is, and that is no failure.
        package var skipsExisting: Bool
        /// The file that the network's weights come from, where they are not of an installed model.
        package var weightsFile: String?
        /// What the manifest calls done is not done again.
        package var resumes: Bool
        package var manifest: Manifest?
        /// Bytes that pictures under way may take together. A picture that needs more by itself is refused; without a limit
        /// it is done alone.
        package var memory: ByteCount?

        package init(
            upscaler: Upscaler, outputs: BatchOutputs, writing: Picture.WritingOptions = .init(), weightsFile: String? = nil,
            skipsExisting: Bool = false, resumes: Bool = false, manifest: Manifest? = nil, memory: ByteCount? = nil
        ) {
            self.upscaler = upscaler
            self.outputs = outputs
            self.writing = writing
            self.weightsFile = weightsFile
            self.skipsExisting = skipsExisting
            self.resumes = resumes
            self.manifest = manifest
            self.memory = memory
        }
    }

    private let options: Options
    private let upscaler: Upscaler
    private let settings: [String: String]
    private let lanes: Int
    private let memory: Allowance
    /// As many pictures as the engine can have threads, for it then gives each its own, and one more to fill gaps.
    private let network: Allowance
    private let files = DispatchQueue(label: "acuity.files", attributes: .concurrent)
    private let stopped = Mutex(false)

    /// What the process needs beside its pictures: code, weights, the engine's buffers.
    private static let overhead = 160 << 20

    /// - Throws: ``AcuityError`` with code `.usage` for a budget in which nothing can run.
    package init(_ options: Options) throws {
        self.options = options
        let processors = ProcessInfo.processInfo.activeProcessorCount
        lanes = processors + 2
        network = Allowance(processors + 1)
        let budget = options.memory?.bytes ?? Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
        guard budget > Self.overhead + (64 << 20) else {
            throw AcuityError(.usage, "memory \(ByteCount(budget)): too little; \(ByteCount(Self.overhead + (64 << 20))) is the least")
        }
        memory = Allowance(budget - Self.overhead)
        upscaler = try options.memory == nil ? options.upscaler : options.upscaler.limitingTiles(to: memory.total / 4)
        settings = options.manifest == nil ? [:] : try Self.settings(options)
    }

    /// Begins no more pictures; those in the engine or being written are finished.
    package func stop() { stopped.withLock { $0 = true } }

    package var isStopped: Bool { stopped.withLock { $0 } }

    /// Everything that decides what a picture's output is.
    private static func settings(_ options: Options) throws -> [String: String] {
        var settings = ["model": options.outputs.model, "size": options.upscaler.target.sizeText]
        if case .network(_, let models) = options.upscaler.method {
            let hashes = models.sorted { $0.key < $1.key }.compactMap { $0.value.card?.sha256.prefix(12) }
            if !hashes.isEmpty {
                settings["weights"] = hashes.joined(separator: " ")
            } else if let file = options.weightsFile {
                settings["weights"] = try Digest.sha256(ofFile: file)
            }
        }
        if let precision = options.upscaler.precision { settings["precision"] = precision.rawValue }
        if options.upscaler.locksColour { settings["colour lock"] = "yes" }
        if options.upscaler.locksJPEG { settings["JPEG lock"] = "yes" }
        if options.upscaler.isSeamless { settings["seamless"] = "yes" }
        if options.outputs.keepsFormat { settings["format"] = "same" }
        if let format = options.outputs.format { settings["format"] = format.rawValue }
        // Every option of writing but the one that says nothing about the result.
        for case (let label?, let value) in Mirror(reflecting: options.writing).children where label != "overwrite" {
            let mirror = Mirror(reflecting: value)
            if mirror.displayStyle != .optional {
                settings[label] = settings[label] ?? "\(value)"
            } else if let some = mirror.children.first {
                settings[label] = settings[label] ?? "\(some.value)"
            }
        }
        return settings
    }

    // MARK: - Running

    /// Pictures of folders that are outputs themselves, of this batch or an earlier run, are left out.
    package func withoutOutputs(_ pictures: [FoundPicture]) -> [FoundPicture] {
        let outputs = Set(pictures.flatMap { options.outputs.likelyDestinations(of: $0).map(standardPath) }).union(options.manifest?.outputs ?? [])
        return pictures.filter { $0.isNamed || !outputs.contains(standardPath($0.path)) }
    }

    /// Enlarges the pictures; returns when all have come to their end or the batch was stopped.
    /// - Parameters:
    ///   - all: the pictures among which outputs need names of their own, where these are not all.
    ///   - report: called from any thread, one call at a time.
    /// - Throws: `CancellationError` when the task is cancelled; ``AcuityError`` where the manifest cannot be written.
    package func run(_ pictures: [FoundPicture], among all: [FoundPicture]? = nil, report: @escaping @Sendable (Event) -> Void) async throws -> Summary {
        let course = BatchCourse(pictures, report: report)
        let queue = Queue(pictures, sharing: options.outputs.sharing(all ?? pictures))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(lanes, max(1, pictures.count)) {
                group.addTask { [self] in
                    while !isStopped, let begun = try await onFileThread({ self.next(of: queue) }) {
                        try Task.checkCancellation()
                        switch begun {
                        case .settled(let index, let record, let earlier): course.settle(index, record, earlier: earlier)
                        case .work(let work): try await enlarge(work, course)
                        }
                    }
                }
            }
            do {
                try await group.waitForAll()
            } catch {
                stop()
                throw error
            }
        }
        return course.summary
    }

    private struct Work {
        let index: Int
        let input: String
        let output: String
        let options: Picture.WritingOptions
    }

    private enum Begun {
        case work(Work)
        case settled(Int, BatchRecord, earlier: Bool)
    }

    /// Pictures still to come.
    private final class Queue: Sendable {
        let pictures: [FoundPicture]
        /// Those whose outputs' names would be the same, by absolute path.
        let sharing: Set<String>
        /// How many have been taken, and the inputs that outputs belong to, by absolute path.
        let state = Mutex<(place: Int, owners: [String: String])>((0, [:]))

        init(_ pictures: [FoundPicture], sharing: Set<String>) { (self.pictures, self.sharing) = (pictures, sharing) }
    }

    /// The next picture, with everything settled that can be without reading it. One at a time: of two inputs with one
    /// output it is always the earlier that gets it.
    private func next(of queue: Queue) -> Begun? {
        queue.state.withLock { state in
            guard state.place < queue.pictures.count else { return nil }
            defer { state.place += 1 }
            let (place, picture) = (state.place, queue.pictures[state.place])
            var record = BatchRecord(input: picture.path, verdict: .failed)
            do {
                let (output, format) = try options.outputs.destination(of: picture, isShared: queue.sharing.contains(standardPath(picture.path)))
                record.output = output
                let path = standardPath(output)
                if let owner = state.owners[path] {
                    throw AcuityError(.file, "\(picture.path): its output \(output) is also that of an earlier input, \(owner)")
                }
                state.owners[path] = picture.path
                if options.resumes, let done = try options.manifest?.finished(input: picture.path, output: output, settings: settings) {
                    return .settled(place, done, earlier: true)
                }
                if options.skipsExisting, FileManager.default.fileExists(atPath: output) {
                    record.verdict = .skipped
                    return .settled(place, record, earlier: false)
                }
                var writing = options.writing
                writing.format = format ?? writing.format
                return .work(Work(index: place, input: picture.path, output: output, options: writing))
            } catch {
                fail(&record, error)
                return .settled(place, record, earlier: false)
            }
        }
    }

    private func fail(_ record: inout BatchRecord, _ error: any Error) {
        record.verdict = .failed
        let message = (error as? AcuityError)?.message ?? String(describing: error)
        record.error = message.contains(record.input) ? message : "\(record.input): \(message)"
    }

    /// One picture, all the way.
    private func enlarge(_ work: Work, _ course: BatchCourse) async throws {
        var record = BatchRecord(input: work.input, output: work.output, verdict: .begun)
        do {
            let (need, isByRows) = try await onFileThread { try self.need(work) }
            if let limit = options.memory, need > memory.total {
                throw AcuityError(.image, "\(work.input): needs about \(ByteCount(need + Self.overhead)), more than the \(limit) that --memory allows")
            }
            let finished = try await memory.holding(need) {
                if isByRows { try await self.enlargeByRows(work, record, course) } else { try await self.enlargeHoldingMemory(work, record, course) }
            }
            guard let finished else { return }
            record = finished
        } catch let error as CancellationError {
            throw error
        } catch {
            fail(&record, error)
            if let manifest = options.manifest { try await onFileThread { [record] in try manifest.enter(record) } }
        }
        course.settle(work.index, record, earlier: false)
    }

    /// - Returns: nil if the batch was stopped before the picture was begun.
    private func enlargeHoldingMemory(_ work: Work, _ record: BatchRecord, _ course: BatchCourse) async throws -> BatchRecord? {
        let clock = ContinuousClock()
        guard !isStopped else { return nil }
        let start = clock.now
        let (sequence, file, advice) = try await onFileThread {
            let sequence = try self.read(work)
            return (sequence, try self.coefficients(work), try self.advice(on: sequence.pictures[0].pixels, (sequence.width, sequence.height), sequence.format, work))
        }
        let enlarged: (record: BatchRecord, result: PictureSequence)? = try await network.holding(1) {
            guard !isStopped else { return nil }
            var record = try await onFileThread { try self.begin(record, work) }
            let read = clock.now
            let result = try await upscaler.upscale(sequence, of: file) { course.advance(work.index, $0) }
            record.secondsEnlarging = (clock.now - read) / .seconds(1)
            (record.width, record.height, record.model) = (result.width, result.height, options.outputs.model)
            return (record, result)
        }
        guard let (record, result) = enlarged else { return nil }
        return try await onFileThread {
            let remarks = try result.write(to: work.output, options: work.options)
            let frames = try Picture.format(for: work.output, options: work.options).holdsSequences ? result.pictures.count : 1
            return try self.conclude(record, work, frames: frames, remarks: remarks, advice: advice, seconds: (clock.now - start) / .seconds(1))
        }
    }

    /// A large picture: file and network at once, row by row.
    /// - Returns: nil if the batch was stopped before the picture was begun.
    private func enlargeByRows(_ work: Work, _ record: BatchRecord, _ course: BatchCourse) async throws -> BatchRecord? {
        try await network.holding(1) {
            guard !isStopped else { return nil }
            let clock = ContinuousClock()
            let start = clock.now
            let (rows, file) = try await onFileThread {
                if case .folder(let folder) = self.options.outputs.place { try self.makeFolders(for: work.output, in: folder) }
                return (try PictureRows(contentsOf: work.input), try self.coefficients(work))
            }
            let size = (width: rows.width, height: rows.height)
            var record = record
            let (remarks, middle) = try await upscaler.upscale(rows, of: file, to: work.output, options: work.options) {
                record = try await onFileThread { [record] in try self.begin(record, work) }
            } progress: {
                course.advance(work.index, $0)
            }
            let seconds = (clock.now - start) / .seconds(1)
            record.secondsEnlarging = seconds
            let result = try upscaler.outputSize(width: size.width, height: size.height)
            (record.width, record.height, record.model) = (result.width, result.height, options.outputs.model)
            return try await onFileThread { [record] in
                let format = try? ImageFormat(contentsOf: work.input)
                return try self.conclude(record, work, frames: 1, remarks: remarks, advice: self.advice(on: middle, size, format, work), seconds: seconds)
            }
        }
    }

    // MARK: - On a file thread

    /// Bytes that the file's pictures take while they are under way, judged by its header.
    private func need(_ work: Work) throws -> (bytes: Int, isByRows: Bool) {
        let header = try PictureHeader(contentsOf: work.input)
        let (depth, alpha) = (header.bytesPerSample > 1 || header.isCMYK ? 2 : 1, header.hasAlpha ? 1 : 0)
        let channels = header.channels - alpha < 3 ? 1 : 3
        let size = try upscaler.outputSize(width: header.width, height: header.height)
        if try upscaler.goesByRows(header, to: Picture.format(for: work.output, options: work.options), options: work.options) {
            let rows = try upscaler.memoryByRows(width: header.width, height: header.height, channels: channels + alpha, depth: depth)
            // Interlaced and the like: decoders that hold the picture, as files that EXIF turns.
            let isWhole = ![.png, .jpeg, .tiff, .ppm].contains(header.format)
            let held = try upscaler.isHeld(header) ? upscaler.memoryHolding(header, channels: channels, depth: depth) : 0
            return (rows + held + (isWhole ? header.width * header.height * header.channels * header.bytesPerSample : 0), true)
        }
        let (before, after) = (header.width * header.height * header.frames, size.width * size.height * header.frames)
        let decoded = before * max(header.channels, channels) * max(header.bytesPerSample, depth)
        let input = before * (channels + alpha) * depth
        let output = after * (channels + alpha) * depth
        func enlarging(_ channels: Int) throws -> Int {
            try upscaler.memory(width: header.width, height: header.height, channels: channels, depth: depth)
        }
        // Decoders hold the file's samples and what is made of them, floats once more; enlarging holds all pictures, before
        // and after; encoders hold colour and alpha apart and together, frames once more, CMYK beside RGB.
        let copies = 2 + alpha + (header.frames > 1 ? 1 : 0) + (header.isCMYK ? 2 : 0)
        let others = header.frames > 1 ? output : alpha * output
        let held = try upscaler.isHeld(header) ? 2 * output + upscaler.memoryHolding(header, channels: channels, depth: depth) : 0
        // Opacity follows colour, whose result waits.
        let opacity = alpha > 0 ? try size.width * size.height * channels * depth + enlarging(1) : 0
        return (max(decoded * (header.bytesPerSample > 2 ? 4 : 3), input + max(try enlarging(channels), opacity, held) + others, input + copies * output), false)
    }

    /// What the result shall keep to.
    private func coefficients(_ work: Work) throws -> JPEGCoefficients? {
        try upscaler.isHeld(PictureHeader(contentsOf: work.input)) ? JPEGCoefficients(contentsOf: work.input) : nil
    }

    /// The pictures of the file, once its output may be written.
    private func read(_ work: Work) throws -> PictureSequence {
        let sequence = try PictureSequence(contentsOf: work.input)
        let size = try upscaler.outputSize(width: sequence.width, height: sequence.height)
        if case .folder(let folder) = options.outputs.place { try makeFolders(for: work.output, in: folder) }
        try sequence.checkWriting(to: work.output, options: work.options, width: size.width, height: size.height)
        return sequence
    }

    /// The record of a picture whose output is written.
    private func conclude(_ record: BatchRecord, _ work: Work, frames: Int, remarks: [String], advice: String?, seconds: Double) throws -> BatchRecord {
        var record = record
        record.verdict = .done
        record.frames = frames
        record.remarks = remarks.isEmpty ? nil : remarks
        record.advice = advice
        record.seconds = seconds
        if let manifest = options.manifest {
            record.outputFile = BatchRecord.File(at: work.output, like: nil)
            try manifest.enter(record)
        }
        return record
    }

    /// What the person should know about enlarging this picture this much; judged by its middle, to be quick.
    private func advice(on pixels: PixelBuffer, _ before: (width: Int, height: Int), _ format: ImageFormat?, _ work: Work) throws -> String? {
        let size = try upscaler.outputSize(width: before.width, height: before.height)
        let factor = Double(size.width * size.height) / Double(before.width * before.height)
        if (size.width, size.height) == before, case .network(_, let models) = upscaler.method, models[1] == nil {
            return "\(options.outputs.model) has no network of scale 1, so the picture keeps its pixels as they are"
        }
        guard factor > 1 else { return nil }
        let quality = format == .jpeg ? JPEGHeader.quality(ofFile: work.input) : nil
        let support = EnlargementSupport(PictureMeasures(forSupportOf: pixels), width: before.width, height: before.height, jpegQuality: quality)
        return support.advice(enlarging: factor.squareRoot())
    }

    /// Enters that the picture is begun.
    private func begin(_ record: BatchRecord, _ work: Work) throws -> BatchRecord {
        guard let manifest = options.manifest else { return record }
        var record = record
        record.settings = settings
        record.inputFile = BatchRecord.File(at: work.input, like: nil)
        record.replaces = BatchRecord.File(at: work.output, like: nil)?.sha256
        try manifest.enter(record)
        return record
    }

    /// The tree's folders are made; the one that was named must be there.
    private func makeFolders(for output: String, in root: String) throws {
        let folder = FoundPicture(path: output).folder
        guard folder.count > root.count + 1, !FileManager.default.fileExists(atPath: folder) else { return }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw AcuityError(.file, "\(output): its folder \(folder) cannot be made")
        }
    }

    /// Blocking work, away from Swift's own threads.
    private func onFileThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            files.async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}
