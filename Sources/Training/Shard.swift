// Shard: 8-bit high-resolution crops for training and whole images for validation, in safetensors files.

import SuperResolution
package import TorchEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A small, fast random generator whose whole state is one number (SplitMix64, Steele et al. 2014).
public struct SplitMix: RandomNumberGenerator, Sendable {
    public var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A draw from the standard normal distribution (Box and Muller).
    public mutating func normal() -> Float {
        let radius = (-2 * logarithm(Double.random(in: Double.leastNormalMagnitude..<1, using: &self))).squareRoot()
        return Float(radius * cosine(2 * .pi * Double.random(in: 0..<1, using: &self)))
    }
}

/// The keys under which shards, and the weights trained on them, say where their pictures come from.
public enum ShardMetadata {
    /// 64-bit perceptual hashes of the pictures, 16 hexadecimal digits each, separated by commas.
    public static let sources = "acuity.sources"
    /// Files without such hashes that took part all the same, shards or networks that were learnt from, separated by commas.
    public static let unknown = "acuity.sources.unknown"
    /// JSON: how the shard was made, counts, and which evaluation sets were kept out.
    public static let summary = "acuity.summary"

    /// What ``unknown`` lists.
    static func unknown(in metadata: [String: String]) -> [String] { (metadata[unknown] ?? "").split(separator: ",").map(String.init) }

    /// The text of a list of hashes.
    public static func list(_ hashes: [PerceptualHash]) -> String { hashes.map(\.hex).joined(separator: ",") }

    /// The hashes of such a text.
    /// - Parameter file: what errors call it.
    /// - Throws: ``AcuityError`` with code `.training` for anything but hashes.
    public static func hashes(_ list: String, of file: String) throws -> [PerceptualHash] {
        try list.split(separator: ",").map { text in
            guard let hash = PerceptualHash(hex: text) else { throw AcuityError(.training, "\(file): \(text.prefix(40)) in \(sources) is no hash") }
            return hash
        }
    }
}

/// Square RGB crops from which batches of random patches are drawn.
public struct CropShards: Sendable {
    /// Side of the square crops, pixels.
    public let size: Int
    /// Number of crops over all shards.
    public let count: Int
    /// Perceptual hashes of the pictures that the crops come from, over all shards, each once, in order.
    public let sources: [PerceptualHash]
    /// Shards that do not say where their crops come from: those of an earlier version, or of foreign make.
    public let shardsWithoutSources: [String]
    private let files: [(crops: Data, first: Int)]

    /// Where the data came from, for the metadata of the weights that are trained on it.
    /// - Parameters:
    ///   - shards: all that is drawn from; what stands in several counts once.
    ///   - networks: name and metadata of the weights that are learnt from, a warm start or a teacher; their own sources count as well.
    /// - Throws: ``AcuityError`` if their sources are not such.
    public static func provenance(of shards: [CropShards], learntFrom networks: [(name: String, metadata: [String: String])]) throws -> [String: String] {
        func distinct<Value: Hashable>(_ values: [Value]) -> [Value] {
            var known = Set<Value>()
            return values.filter { known.insert($0).inserted }
        }
        var hashes = shards.flatMap(\.sources)
        var unknown = shards.flatMap(\.shardsWithoutSources).map { URL(filePath: $0).lastPathComponent }
        for (name, metadata) in networks {
            if let list = metadata[ShardMetadata.sources] {
                hashes += try ShardMetadata.hashes(list, of: name)
            } else {
                unknown.append(name)
            }
            unknown += ShardMetadata.unknown(in: metadata)
        }
        var metadata = [ShardMetadata.sources: ShardMetadata.list(distinct(hashes))]
        if !unknown.isEmpty { metadata[ShardMetadata.unknown] = distinct(unknown).joined(separator: ",") }
        return metadata
    }

    /// The same for weights in files.
    public static func provenance(of shards: [CropShards], learntFrom files: [String] = []) throws -> [String: String] {
        try provenance(of: shards, learntFrom: files.map { (URL(filePath: $0).lastPathComponent, try Checkpoint.load(path: $0).metadata) })
    }

    /// - Parameter paths: files with a `U8` tensor `crops` of shape [n, size, size, 3], all of one size.
    public init(_ paths: [String]) throws {
        var files: [(crops: Data, first: Int)] = []
        var (size, count) = (0, 0)
        var sources: [PerceptualHash] = []
        var known = Set<PerceptualHash>()
        var shardsWithoutSources: [String] = []
        for path in paths {
            // Mapped, not read, so that gigabytes cost no memory of their own.
            let file = try SafetensorsFile(path: path, mapped: true)
            guard let entry = file.entries["crops"], entry.type == .u8, entry.shape.count == 4, entry.shape[0] > 0,
                entry.shape[1] > 0, entry.shape[1] == entry.shape[2], entry.shape[3] == 3
            else { throw AcuityError(.training, "\(path): no crops (U8, n × size × size × 3)") }
            guard size == 0 || size == entry.shape[1] else {
                throw AcuityError(.training, "\(path): crops of \(entry.shape[1]) pixels beside others of \(size)")
            }
            size = entry.shape[1]
            files.append((try file.bytes(of: "crops"), count))
            count += entry.shape[0]
            if let list = file.metadata[ShardMetadata.sources] {
                for hash in try ShardMetadata.hashes(list, of: path) where known.insert(hash).inserted { sources.append(hash) }
            } else {
                shardsWithoutSources.append(path)
            }
            shardsWithoutSources += ShardMetadata.unknown(in: file.metadata)
        }
        guard count > 0 else { throw AcuityError(.training, "the recipe names no training data") }
        self.size = size
        self.count = count
        self.files = files
        self.sources = sources
        self.shardsWithoutSources = shardsWithoutSources
    }

    /// What one patch of a batch will be.
    package enum Draw {
        /// A patch of crop number `crop` at (x, y), turned one of the eight ways.
        case patch(TorchTensor.Pick)
        /// A smooth field between four corners of RGB, 0…255: top left, bottom left, top right, bottom right.
        case field(corners: [Float])
    }

    /// Draws random patches, each turned or mirrored one of the eight ways at random.
    /// - Parameter smooth: the probability that a patch is drawn as a smooth field of colour instead: photographs hold
    ///   few of them, and without any a network leaves a faint pattern on flat areas.
    /// - Parameter turns: whether patches are turned and mirrored; the same crops and places are drawn either way.
    package func draw(_ batch: Int, side: Int, smooth: Double, turns: Bool = true, using random: inout SplitMix) throws -> [Draw] {
        guard side > 0, side <= size else { throw AcuityError(.training, "patches of \(side) pixels do not fit crops of \(size)") }
        return (0..<batch).map { _ in
            if smooth > 0, Double.random(in: 0..<1, using: &random) < smooth { return .field(corners: Self.drawCorners(using: &random)) }
            let crop = Int.random(in: 0..<count, using: &random)
            let x = Int.random(in: 0...(size - side), using: &random)
            let y = Int.random(in: 0...(size - side), using: &random)
            let turn = Int.random(in: 0..<8, using: &random)
            return .patch(.init(crop: crop, x: x, y: y, turn: turns ? turn : 0))
        }
    }

    /// Draws a batch as ``draw(_:side:smooth:turns:using:)`` does and copies its pixels.
    /// - Returns: `batch × side × side × 3` bytes.
    public func batch(_ batch: Int, side: Int, smooth: Double = 0, turns: Bool = true, using random: inout SplitMix) throws -> [UInt8] {
        let draws = try draw(batch, side: side, smooth: smooth, turns: turns, using: &random)
        let patchBytes = side * side * 3
        return [UInt8](unsafeUninitializedCapacity: batch * patchBytes) { buffer, initialised in
            guard let target = buffer.baseAddress else { return }
            for (index, draw) in draws.enumerated() {
                let place = target + index * patchBytes
                switch draw {
                case .field(let corners): Self.drawField(corners, side: side, to: place)
                case .patch(let pick):
                    guard let shard = files.last(where: { $0.first <= pick.crop }) else { continue }
                    let start = (((pick.crop - shard.first) * size + pick.y) * size + pick.x) * 3
                    shard.crops.withUnsafeBytes { bytes in
                        guard let base = bytes.baseAddress else { return }
                        Self.copy(
                            base.assumingMemoryBound(to: UInt8.self) + start, rowBytes: size * 3, side: side, turn: pick.turn, to: place)
                    }
                }
            }
            initialised = batch * patchBytes
        }
    }

    /// Crop number `index`: `size × size × 3` bytes.
    public func crop(_ index: Int) -> [UInt8] {
        guard let shard = files.last(where: { $0.first <= index }), (0..<count).contains(index) else { return [] }
        let bytes = size * size * 3
        let start = shard.crops.startIndex + (index - shard.first) * bytes
        return [UInt8](shard.crops[start..<start + bytes])
    }

    /// All crops as one tensor on a device, 1×n×size×size×3.
    package func tensor(device: String, runtime: TorchRuntime) throws -> TorchTensor {
        let parts = try files.enumerated().map { index, file in
            let end = index + 1 < files.count ? files[index + 1].first : count
            return try TorchTensor(data: file.crops, shape: [1, end - file.first, size, size, 3], device: device, runtime: runtime)
        }
        return parts.count == 1 ? parts[0] : try TorchTensor.concatenate(parts)
    }

    /// The corners of a flat colour or, every other time, of a gradient between four random colours.
    ///
    /// A channel is 0 or 255 in a third of them: saturated colours, which photographs hardly have, are where a network's flat areas go astray.
    private static func drawCorners(using random: inout SplitMix) -> [Float] {
        let isFlat = Bool.random(using: &random)
        func drawn(using random: inout SplitMix) -> Float { min(max(Float.random(in: -64...319, using: &random), 0), 255) }
        var corners = [Float](repeating: 0, count: 12)
        for channel in 0..<3 {
            let first = drawn(using: &random)
            corners[channel] = first
            for corner in 1..<4 { corners[3 * corner + channel] = isFlat ? first : drawn(using: &random) }
        }
        return corners
    }

    private static func drawField(_ corners: [Float], side: Int, to target: UnsafeMutablePointer<UInt8>) {
        for channel in 0..<3 {
            let corner = (0..<4).map { corners[3 * $0 + channel] }
            for y in 0..<side {
                let v = (Float(y) + 0.5) / Float(side)
                let (left, right) = (corner[0] + (corner[1] - corner[0]) * v, corner[2] + (corner[3] - corner[2]) * v)
                for x in 0..<side {
                    let u = (Float(x) + 0.5) / Float(side)
                    target[(y * side + x) * 3 + channel] = UInt8(max(0, min(255, (left + (right - left) * u).rounded())))
                }
            }
        }
    }

    /// Copies a patch in one of the eight symmetries of the square: bits mirror x, mirror y, and swap the axes.
    private static func copy(_ source: UnsafePointer<UInt8>, rowBytes: Int, side: Int, turn: Int, to target: UnsafeMutablePointer<UInt8>) {
        var (stepX, stepY, start) = (3, rowBytes, 0)
        if turn & 1 != 0 {
            start += (side - 1) * 3
            stepX = -3
        }
        if turn & 2 != 0 {
            start += (side - 1) * rowBytes
            stepY = -rowBytes
        }
        if turn & 4 != 0 { swap(&stepX, &stepY) }
        var output = target
        for y in 0..<side {
            var input = source + start + y * stepY
            for _ in 0..<side {
                output[0] = input[0]
                output[1] = input[1]
                output[2] = input[2]
                output += 3
                input += stepX
            }
        }
    }
}

/// Whole images, for validation.
public struct ImageShard: Sendable {
    public struct Image: Sendable {
        public let name: String
        public let width: Int
        public let height: Int
        /// `height × width × 3`.
        public let bytes: [UInt8]
    }
    public let images: [Image]

    /// - Parameter path: a file of `U8` tensors [height, width, 3], one per image.
    public init(_ path: String) throws {
        let file = try SafetensorsFile(path: path)
        images = try file.entries.sorted { $0.key < $1.key }.map { name, entry in
            guard entry.type == .u8, entry.shape.count == 3, entry.shape[2] == 3 else {
                throw AcuityError(.training, "\(path): \(name) is not an RGB image (U8, height × width × 3)")
            }
            return Image(name: name, width: entry.shape[1], height: entry.shape[0], bytes: [UInt8](try file.bytes(of: name)))
        }
    }
}
