// ShardWriter: chooses crops of photographs and writes shards.

import SuperResolution

/// Collects crops or whole images for one shard.
public struct ShardWriter {
    private let cropSize: Int?
    private var crops: [UInt8] = []
    private var images: [(name: String, width: Int, height: Int, bytes: [UInt8])] = []

    /// Number of crops or images so far.
    public private(set) var count = 0
    /// Bytes of pixels so far.
    public private(set) var byteCount = 0

    /// - Parameter cropSize: side of the crops; `nil` for a shard of whole images.
    public init(cropSize: Int?) { self.cropSize = cropSize }

    /// Adds a whole RGB image of `height × width × 3` bytes. A name that is taken gets a number.
    public mutating func append(name: String, width: Int, height: Int, bytes: [UInt8]) {
        let taken = images.contains { $0.name == name }
        images.append((taken ? "\(name)-\(count)" : name, width, height, bytes))
        count += 1
        byteCount += bytes.count
    }

    /// Adds the crop whose top left corner is `place` from an RGB image. The crop must lie inside.
    public mutating func append(crop place: (x: Int, y: Int), of bytes: [UInt8], width: Int) {
        guard let cropSize else { return }
        for row in 0..<cropSize {
            let start = ((place.y + row) * width + place.x) * 3
            crops.append(contentsOf: bytes[start..<(start + cropSize * 3)])
        }
        count += 1
        byteCount += cropSize * cropSize * 3
    }

    /// Writes the shard, whole or not at all.
    public func write(to path: String) throws {
        var writer = TensorFileWriter(metadata: ["format": cropSize == nil ? "acuity-images" : "acuity-crops"])
        if let cropSize { writer.append("crops", shape: [count, cropSize, cropSize, 3], bytes: crops) }
        for image in images { writer.append(image.name, shape: [image.height, image.width, 3], bytes: image.bytes) }
        try writer.write(to: path)
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
