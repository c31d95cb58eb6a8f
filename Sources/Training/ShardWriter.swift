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

/// Writes crops, one by one as they come, or whole images into one shard, which appears whole or not at all.
public final class ShardWriter {
    private let path: String
    private let cropSize: Int?
    private let temporary: String
    private let file: UnsafeMutablePointer<FILE>?
    private var images = SafetensorsWriter(metadata: ["format": "acuity-images"])
    private var names = Set<String>()

    /// Number of crops or images so far.
    public private(set) var count = 0
    /// Bytes of pixels so far.
    public private(set) var byteCount = 0

    /// Room for the header of a shard of crops, whose number is only known at the end.
    private static let headerBytes = 256

    /// - Parameter cropSize: side of the crops; `nil` for a shard of whole images, which is kept in memory until the end.
    /// - Throws: ``AcuityError`` with code `.file` if nothing can be written beside `path`.
    public init(path: String, cropSize: Int?) throws {
        self.path = path
        self.cropSize = cropSize
        temporary = "\(path).\(getpid()).tmp"
        file = cropSize == nil ? nil : fopen(temporary, "wb")
        if cropSize != nil {
            guard file != nil else { throw AcuityError(.file, "\(path): cannot be written") }
            try write([UInt8](repeating: 0, count: 8 + Self.headerBytes))
        }
    }

    deinit {
        if let file {
            fclose(file)
            unlink(temporary)  // Gone already if the shard was finished.
        }
    }

    /// Adds a whole RGB image of `height × width × 3` bytes. A name that is taken gets a number.
    public func append(name: String, width: Int, height: Int, bytes: [UInt8]) throws {
        let unique = names.contains(name) ? "\(name)-\(count)" : name
        try images.add(unique, .u8, shape: [height, width, 3], bytes: Data(bytes))
        names.insert(unique)
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

    /// Completes the shard and gives it its name.
    public func finish() throws {
        guard let cropSize, let file else { return try images.write(to: path) }
        let header =
            "{\"__metadata__\":{\"format\":\"acuity-crops\"},\"crops\":{\"dtype\":\"U8\",\"shape\":[\(count),\(cropSize),\(cropSize),3],"
            + "\"data_offsets\":[0,\(byteCount)]}}"
        guard fseek(file, 0, SEEK_SET) == 0 else { throw AcuityError(.file, "\(path): cannot be written") }
        try write(withUnsafeBytes(of: UInt64(Self.headerBytes).littleEndian) { [UInt8]($0) })
        try write([UInt8](header.utf8) + [UInt8](repeating: 0x20, count: max(0, Self.headerBytes - header.utf8.count)))
        guard fflush(file) == 0, rename(temporary, path) == 0 else { throw AcuityError(.file, "\(path): cannot be written") }
    }

    private func write(_ bytes: some ContiguousBytes) throws {
        let complete = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
        guard complete else { throw AcuityError(.file, "\(path): cannot be written (is the disk full?)") }
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
