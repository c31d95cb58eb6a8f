// CropSelection: which crops of a picture go into a shard.

import SuperResolution

/// A crop that was looked at.
public struct CropChoice: Sendable, Hashable {
    public let x: Int
    public let y: Int
    public let quality: CropQuality
    /// Nil if the crop is taken.
    public let fault: DropReason?
}

/// Chooses crops of one picture by filter and detail.
///
/// Four times as many candidates as wanted are drawn at random. Those that the filter refuses are left out; of the rest
/// the most detailed are taken first as long as they lie more than half a crop from each other. As the filter has
/// already taken out what is flat, there is no further cut to the more detailed half.
/// - Parameter bytes: RGB, `height × width × 3`.
/// - Returns: the crops taken and the candidates refused, with their measures; none if the picture is smaller than a crop.
public func chooseCrops(
    of bytes: [UInt8], width: Int, height: Int, size: Int, count: Int, filter: CropFilter, using random: inout SplitMix
) -> [CropChoice] {
    guard size >= 16, width >= size, height >= size, bytes.count == width * height * 3, count > 0 else { return [] }
    var candidates: [CropChoice] = []
    var refused: [CropChoice] = []
    // A picture of one crop's size has one candidate, not dozens of the same.
    let places = min(4 * count, (width - size + 1) * (height - size + 1))
    for _ in 0..<places {
        let x = Int.random(in: 0...(width - size), using: &random)
        let y = Int.random(in: 0...(height - size), using: &random)
        func overlaps(_ other: CropChoice) -> Bool { abs(other.x - x) + abs(other.y - y) <= size / 8 }
        if candidates.contains(where: overlaps) || refused.contains(where: overlaps) { continue }
        let quality = CropQuality(bytes: cropBytes(of: bytes, width: width, x: x, y: y, size: size), size: size)
        let choice = CropChoice(x: x, y: y, quality: quality, fault: filter.fault(of: quality))
        if choice.fault == nil { candidates.append(choice) } else { refused.append(choice) }
    }
    candidates.sort { ($1.quality.detail, $0.y, $0.x) < ($0.quality.detail, $1.y, $1.x) }
    var chosen: [CropChoice] = []
    for candidate in candidates where chosen.count < count {
        if chosen.allSatisfy({ abs($0.x - candidate.x) + abs($0.y - candidate.y) > size / 2 }) { chosen.append(candidate) }
    }
    return chosen + refused
}

/// The bytes of a crop, `size × size × 3`.
/// - Precondition: it lies inside the picture.
public func cropBytes(of bytes: [UInt8], width: Int, x: Int, y: Int, size: Int) -> [UInt8] {
    var crop: [UInt8] = []
    crop.reserveCapacity(size * size * 3)
    for row in y..<(y + size) {
        let start = (row * width + x) * 3
        crop.append(contentsOf: bytes[start..<(start + size * 3)])
    }
    return crop
}

/// How hard a crop is to enlarge: the mean squared error, levels² of 255, that bicubic ×4 leaves in its luma.
public func bicubicError(of bytes: [UInt8], size: Int) -> Float {
    guard size >= 16, bytes.count == size * size * 3 else { return 0 }
    var luma = Raster(width: size, height: size, channels: 1)
    for i in 0..<(size * size) {
        luma.samples[i] = (77 * Float(bytes[3 * i]) + 150 * Float(bytes[3 * i + 1]) + 29 * Float(bytes[3 * i + 2])) / 256
    }
    let small = Resampling.bicubic.resize(luma, width: size / 4, height: size / 4)
    let large = Resampling.bicubic.resize(small, width: size, height: size)
    var sum: Float = 0
    for (a, b) in zip(luma.samples, large.samples) { sum += (a - b) * (a - b) }
    return sum / Float(size * size)
}

/// A number from a name that depends on nothing else (FNV-1a, then SplitMix's finish), to split and to seed by.
public func nameHash(_ name: String, seed: UInt64 = 0) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var mixer = SplitMix(seed: hash ^ (seed &* 0x9E37_79B9_7F4A_7C15))
    return mixer.next()
}

/// Whether a picture belongs to the validation set. The name alone decides, so further pictures move none.
public func isForValidation(_ name: String, fraction: Double) -> Bool {
    Double(nameHash(name) >> 11) / Double(1 << 53) < fraction
}
