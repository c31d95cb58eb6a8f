// HashIndex: perceptual hashes within a distance of a given one, found without comparing all.

/// Multi-index hashing (Norouzi, Punjani and Fleet 2012): hashes that differ in at most r of 64 bits differ in at most
/// r / 4 of the 16 bits of one of four bands, so only buckets that near are looked into.
public struct HashIndex: Sendable {
    /// Per band, the numbers of the hashes by the band's 16 bits.
    private var bands = [[[Int32]]](repeating: [[Int32]](repeating: [], count: 1 << 16), count: 4)
    private var hashes: [PerceptualHash] = []
    private let radius: Int
    /// Bit patterns of at most `radius / 4` bits, fewest first.
    private let neighbours: [UInt16]

    /// - Parameter radius: the largest distance that is found; beyond 15 it would look almost everywhere, so it is cut there.
    public init(radius: Int) {
        self.radius = max(0, min(15, radius))
        let most = self.radius / 4
        neighbours = (0...UInt16.max).filter { $0.nonzeroBitCount <= most }.sorted { $0.nonzeroBitCount < $1.nonzeroBitCount }
    }

    public var count: Int { hashes.count }

    /// Adds a hash; its number is the count before.
    public mutating func insert(_ hash: PerceptualHash) {
        for band in 0..<4 { bands[band][Int(Self.part(hash, band))].append(Int32(hashes.count)) }
        hashes.append(hash)
    }

    /// Numbers and distances of all hashes within the radius, nearest first, then in order of insertion.
    public func near(_ hash: PerceptualHash) -> [(index: Int, distance: Int)] {
        var found: [Int: Int] = [:]
        for band in 0..<4 {
            let part = Self.part(hash, band)
            for pattern in neighbours {
                for index in bands[band][Int(part ^ pattern)] {
                    let distance = hashes[Int(index)].distance(to: hash)
                    if distance <= radius { found[Int(index)] = distance }
                }
            }
        }
        return found.map { ($0.key, $0.value) }.sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }
    }

    private static func part(_ hash: PerceptualHash, _ band: Int) -> UInt16 { UInt16(truncatingIfNeeded: hash.bits >> UInt64(16 * band)) }
}

/// Pictures seen so far, to tell whether another is one of them again: rescaled, recompressed or mirrored.
public struct DuplicateFinder: Sendable {
    private var index: HashIndex
    private var thumbnails: [[UInt8]] = []
    private var names: [String] = []
    private static let side = 16
    private static let likeness: Float = 0.85

    /// - Parameter distance: hashes that differ in more bits are of different pictures.
    public init(distance: Int) { index = HashIndex(radius: distance) }

    /// The name of a picture seen before that this one repeats; otherwise it is remembered.
    public mutating func insert(_ signature: PictureSignature, name: String) -> String? {
        for isMirrored in [false, true] {
            let slopes = Slopes(cells: signature.cells.map(Float.init), side: Self.side, mirrored: isMirrored)
            for (number, distance) in index.near(isMirrored ? signature.hash.mirrored : signature.hash) {
                // Pictures with next to no structure are only the same if they hash the same.
                let other = Slopes(cells: thumbnails[number].map(Float.init), side: Self.side)
                if slopes.similarity(to: other) >= Self.likeness || (distance == 0 && thumbnails[number] == signature.cells) { return names[number] }
            }
        }
        index.insert(signature.hash)
        thumbnails.append(signature.cells)
        names.append(name)
        return nil
    }
}

/// What is remembered of a picture: its hash and 16 × 16 cells of luma.
public struct PictureSignature: Sendable, Hashable {
    public let hash: PerceptualHash
    let cells: [UInt8]

    public init(_ plane: LumaPlane) {
        hash = PerceptualHash(plane)
        cells = plane.means(.init(), side: 16).map { UInt8(max(0, min(255, $0.rounded()))) }
    }
}
