// ShardWriter: chooses crops of photographs and writes shards.

import SuperResolution

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

/// Writes crops or whole images, one by one as they come, into one shard, which appears whole or not at all.
public final class ShardWriter {
    /// Where the shard grows until it is finished; to be deleted by whoever ends the process before.
    public let temporary: String
    private let path: String
    private let cropSize: Int?
    private let overwrite: Bool
    private let file: UnsafeMutablePointer<FILE>
    private var headerBytes: Int
    private var entries: [(key: String, shape: [Int], bytes: Int)] = []
    private var names = Set<String>()

    /// Number of crops or images so far.
    public private(set) var count = 0
    /// Bytes of pixels so far.
    public private(set) var byteCount = 0

    /// - Parameters:
    ///   - cropSize: side of the crops; `nil` for a shard of whole images.
    ///   - headerBytes: room for the header, whose size is only known at the end. A header that needs more is right too,
    ///     but costs a copy of the shard.
    ///   - overwrite: whether a file of that name may be replaced.
    /// - Throws: ``AcuityError`` with code `.file` if nothing can be written beside `path`, or `path` is there already.
    public init(path: String, cropSize: Int?, headerBytes: Int = 256, overwrite: Bool = true) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFREG else { throw AcuityError(.file, "\(path): is there and not a regular file") }
            guard overwrite else { throw AcuityError(.file, "\(path): exists already (--overwrite replaces it)") }
        }
        self.path = path
        self.cropSize = cropSize
        self.overwrite = overwrite
        self.headerBytes = max(256, (headerBytes + 7) / 8 * 8)
        temporary = "\(path).\(getpid()).tmp"
        guard let file = fopen(temporary, "wb+") else { throw AcuityError(.file, "\(path): cannot be written there") }
        self.file = file
        try write([UInt8](repeating: 0, count: 8 + self.headerBytes))
    }

    deinit {
        fclose(file)
        unlink(temporary)  // Gone already if the shard was finished.
    }

    /// Adds a whole RGB image of `height × width × 3` bytes. A name that is taken gets a number.
    public func append(name: String, width: Int, height: Int, bytes: [UInt8]) throws {
        guard cropSize == nil, bytes.count == width * height * 3, bytes.count > 0 else { throw AcuityError(.training, "\(path): \(name) is no RGB image") }
        var unique = names.contains(name) || name == "__metadata__" ? "\(name)-\(count)" : name
        while names.contains(unique) { unique += "+" }
        names.insert(unique)
        try write(bytes)
        entries.append((unique, [height, width, 3], bytes.count))
        count += 1
        byteCount += bytes.count
    }

    /// Adds the crop whose top left corner is `place` from an RGB image. The crop must lie inside.
    public func append(crop place: (x: Int, y: Int), of bytes: [UInt8], width: Int) throws {
        guard let cropSize else { return }
        for row in 0..<cropSize {
            let start = ((place.y + row) * width + place.x) * 3
            try write(bytes[start..<(start + cropSize * 3)])
        }
        count += 1
        byteCount += cropSize * cropSize * 3
    }

    /// A crop that was added, `size × size × 3`.
    public func crop(_ index: Int) throws -> [UInt8] {
        let size = (cropSize ?? 0) * (cropSize ?? 0) * 3
        var bytes = [UInt8](repeating: 0, count: size)
        let end = 8 + headerBytes + byteCount
        guard (0..<count).contains(index), seek(to: 8 + headerBytes + index * size), fread(&bytes, 1, size, file) == size, seek(to: end) else {
            throw AcuityError(.file, "\(path): crop \(index) cannot be read again")
        }
        return bytes
    }

    /// Keeps only some of the crops.
    /// - Parameter indices: of the crops to keep, ascending.
    public func keep(crops indices: [Int]) throws {
        guard let cropSize else { return }
        let size = cropSize * cropSize * 3
        var buffer = [UInt8](repeating: 0, count: size)
        for (target, source) in indices.enumerated() where target != source {
            guard source < count, source > target, seek(to: 8 + headerBytes + source * size), fread(&buffer, 1, size, file) == size,
                seek(to: 8 + headerBytes + target * size)
            else { throw AcuityError(.file, "\(path): its first half cannot be read again") }
            try write(buffer)
        }
        count = indices.count
        byteCount = count * size
        guard fflush(file) == 0, ftruncate(fileno(file), off_t(8 + headerBytes + byteCount)) == 0, seek(to: 8 + headerBytes + byteCount) else {
            throw unwritable
        }
    }

    /// Completes the shard and gives it its name.
    /// - Parameters:
    ///   - metadata: for the header, beside `format`.
    ///   - labels: JSON, stored as the tensor `labels` (`U8`) of a shard of crops.
    public func finish(metadata: [String: String] = [:], labels: [UInt8] = []) throws {
        var entries = entries
        if let cropSize { entries = [("crops", [count, cropSize, cropSize, 3], byteCount)] }
        if cropSize != nil, !labels.isEmpty {
            try write(labels)
            entries.append(("labels", [labels.count], labels.count))
        }
        let kind = cropSize == nil ? "acuity-images" : "acuity-crops"
        let header = Self.header(entries, metadata: metadata.merging(["format": kind]) { $1 })
        if header.count > headerBytes { try makeRoom(for: header.count) }
        guard seek(to: 0) else { throw unwritable }
        try write(withUnsafeBytes(of: UInt64(headerBytes).littleEndian) { [UInt8]($0) })
        try write(header + [UInt8](repeating: 0x20, count: headerBytes - header.count))
        guard fflush(file) == 0, fsync(fileno(file)) == 0 || errno == EINVAL || errno == EROFS else { throw unwritable }
        if !overwrite, access(path, F_OK) == 0 { throw AcuityError(.file, "\(path): has appeared meanwhile (--overwrite replaces it)") }
        guard rename(temporary, path) == 0 else { throw unwritable }
    }

    private static func header(_ entries: [(key: String, shape: [Int], bytes: Int)], metadata: [String: String]) -> [UInt8] {
        let pairs = metadata.sorted { $0.key < $1.key }.map { "\(SafetensorsWriter.quoted($0.key)):\(SafetensorsWriter.quoted($0.value))" }
        var fields = ["\"__metadata__\":{\(pairs.joined(separator: ","))}"]
        var offset = 0
        for entry in entries {
            let shape = entry.shape.map(String.init).joined(separator: ",")
            fields.append(
                "\(SafetensorsWriter.quoted(entry.key)):{\"dtype\":\"U8\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(offset + entry.bytes)]}")
            offset += entry.bytes
        }
        return Array("{\(fields.joined(separator: ","))}".utf8)
    }

    /// Moves everything after the header back, from the end, for a larger header.
    private func makeRoom(for bytes: Int) throws {
        let larger = (bytes + 7) / 8 * 8
        guard fflush(file) == 0, fseek(file, 0, SEEK_END) == 0 else { throw unwritable }
        var end = ftell(file)
        let (start, shift) = (8 + headerBytes, larger - headerBytes)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while end > start {
            let size = min(buffer.count, end - start)
            guard seek(to: end - size), fread(&buffer, 1, size, file) == size, seek(to: end - size + shift) else { throw unwritable }
            try write(buffer[..<size])
            end -= size
        }
        headerBytes = larger
    }

    private func seek(to position: Int) -> Bool { fseek(file, position, SEEK_SET) == 0 }

    private var unwritable: AcuityError { AcuityError(.file, "\(path): cannot be written (is the disk full?)") }

    private func write(_ bytes: some ContiguousBytes) throws {
        let complete = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
        guard complete else { throw unwritable }
    }
}

/// Up to `count` crops with the most detail: of four times as many random candidates the flatter half is dropped, and
/// of the rest those are taken, most detailed first, whose corners are more than half a crop apart.
/// - Parameter bytes: RGB, `height × width × 3`.
/// - Returns: top left corners; none if the image is smaller than a crop.
public func detailedCrops(
    of bytes: [UInt8], width: Int, height: Int, size: Int, count: Int, using random: inout SplitMix
) -> [(x: Int, y: Int)] {
    guard width >= size, height >= size, size > 1, bytes.count == width * height * 3 else { return [] }
    var candidates: [(energy: Int, x: Int, y: Int)] = []
    for _ in 0..<(4 * count) {
        let x = Int.random(in: 0...(width - size), using: &random)
        let y = Int.random(in: 0...(height - size), using: &random)
        candidates.append((gradientEnergy(of: bytes, width: width, x: x, y: y, size: size), x, y))
    }
    candidates.sort { $0.energy > $1.energy }
    var chosen: [(x: Int, y: Int)] = []
    for candidate in candidates.prefix(2 * count) where chosen.count < count {
        if chosen.allSatisfy({ abs($0.x - candidate.x) + abs($0.y - candidate.y) > size / 2 }) { chosen.append((candidate.x, candidate.y)) }
    }
    return chosen
}

/// Sum of absolute differences of the green channel to the right and downwards, on every second pixel.
private func gradientEnergy(of bytes: [UInt8], width: Int, x: Int, y: Int, size: Int) -> Int {
    bytes.withUnsafeBufferPointer { bytes in
        var sum = 0
        for row in stride(from: y, to: y + size - 1, by: 2) {
            for column in stride(from: x, to: x + size - 1, by: 2) {
                let index = (row * width + column) * 3 + 1
                let here = Int(bytes[index])
                sum += abs(here - Int(bytes[index + 3])) + abs(here - Int(bytes[index + width * 3]))
            }
        }
        return sum
    }
}
