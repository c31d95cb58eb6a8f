// HeldOutPictures: the evaluation pictures that must not be trained on, and the search for them in a picture.

import Synchronization

/// Evaluation pictures, recognised in a candidate for training when it shows one of them: rescaled, recompressed,
/// mirrored, cut down to as little as half of either side, or as a part of at least half of either side of the candidate.
///
/// A window search over perceptual hashes proposes, the correlation of slopes after alignment decides. Not found:
/// rotations, windows smaller than that, and candidates that share only a part with the evaluation picture.
public final class HeldOutPictures: Sendable {
    public struct Match: Sendable, Hashable {
        /// Of the evaluation picture.
        public let name: String
        /// `the whole picture`, `a crop of it` or `a picture that contains it`.
        public let kind: String
        public let isMirrored: Bool
        /// Correlation of slopes, up to 1.
        public let similarity: Double
    }

    /// An evaluation picture.
    public struct Picture: Sendable {
        public let name: String
        public let plane: LumaPlane
        public let hash: PerceptualHash

        public init(name: String, plane: LumaPlane) {
            self.name = name
            self.plane = plane
            hash = PerceptualHash(plane)
        }
    }

    public let pictures: [Picture]
    /// Aspect classes that occur among the evaluation pictures.
    private let shapes: [(shape: Int, members: [Int])]
    /// Hashes of windows of all evaluation pictures, by the window's aspect class; made when first asked for.
    private let windows = Mutex<[Int: [Proposal]]>([:])

    /// Hashes of a true match after misalignment by half a step differ in fewer bits than this, nearly always.
    private static let proposalDistance = 14
    private static let likeness: Float = 0.8
    private static let proposalLimit = 24

    private struct Proposal {
        var picture: Int
        var window: LumaPlane.Window
        var hash: PerceptualHash
    }

    public init(_ pictures: [Picture]) {
        self.pictures = pictures
        var shapes: [Int: [Int]] = [:]
        for (index, picture) in pictures.enumerated() { shapes[Self.shape(picture.plane.aspect), default: []].append(index) }
        self.shapes = shapes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The evaluation picture that a candidate shows, if any.
    public func match(_ plane: LumaPlane) -> Match? {
        guard !pictures.isEmpty else { return nil }
        let hash = PerceptualHash(plane)
        var proposals: [(distance: Int, proposal: Proposal, isMirrored: Bool, contains: Bool)] = []
        func propose(_ candidate: PerceptualHash, _ proposal: @autoclosure () -> Proposal, against other: PerceptualHash, contains: Bool) {
            let straight = candidate.distance(to: other)
            if straight <= Self.proposalDistance { proposals.append((straight, proposal(), false, contains)) }
            let mirrored = candidate.mirrored.distance(to: other)
            if mirrored <= Self.proposalDistance { proposals.append((mirrored, proposal(), true, contains)) }
        }
        // The candidate as a whole, against windows of the evaluation pictures.
        for (index, picture) in pictures.enumerated() {
            propose(hash, Proposal(picture: index, window: .init(), hash: picture.hash), against: picture.hash, contains: false)
        }
        for window in index(shape: Self.shape(plane.aspect)) { propose(hash, window, against: window.hash, contains: false) }
        // Windows of the candidate, against the evaluation pictures as wholes.
        for (shape, members) in shapes {
            for window in Self.windows(of: plane.aspect, shape: shape) {
                let part = PerceptualHash(plane, window: window)
                for member in members { propose(part, Proposal(picture: member, window: window, hash: part), against: pictures[member].hash, contains: true) }
            }
        }
        proposals.sort { $0.distance < $1.distance }
        var best: Match?
        for (_, proposal, isMirrored, contains) in proposals.prefix(Self.proposalLimit) {
            let picture = pictures[proposal.picture]
            // The one that is searched through keeps its orientation; the fixed one is mirrored.
            let fixed = Slopes(contains ? picture.plane : plane, mirrored: isMirrored)
            let (window, similarity) = Self.align(proposal.window, of: contains ? plane : picture.plane, to: fixed)
            guard similarity >= Self.likeness, similarity > Float(best?.similarity ?? 0) else { continue }
            let isWhole = min(window.width, window.height) > 0.97
            best = Match(
                name: picture.name, kind: isWhole ? "the whole picture" : contains ? "a picture that contains it" : "a crop of it",
                isMirrored: isMirrored, similarity: Double(similarity))
            if similarity > 0.95 { break }
        }
        return best
    }

    private func index(shape: Int) -> [Proposal] {
        windows.withLock { windows in
            if let known = windows[shape] { return known }
            let made = pictures.indices.flatMap { index in
                Self.windows(of: pictures[index].plane.aspect, shape: shape).map { window in
                    Proposal(picture: index, window: window, hash: PerceptualHash(pictures[index].plane, window: window))
                }
            }
            windows[shape] = made
            return made
        }
    }

    // MARK: Windows

    /// Aspect classes are steps of 6 %.
    private static func shape(_ aspect: Double) -> Int { Int((logarithm(max(aspect, 1e-3)) / logarithm(1.06)).rounded()) }

    /// Windows of one aspect class in a picture: sides from all of it to half, in steps of 7 %, a fourteenth of their side apart.
    private static func windows(of aspect: Double, shape: Int) -> [LumaPlane.Window] {
        let wanted = exponential(Double(shape) * logarithm(1.06))
        let (fullWidth, fullHeight) = wanted > aspect ? (1, aspect / wanted) : (wanted / aspect, 1)
        var result: [LumaPlane.Window] = []
        var size = 1.0
        while size > 0.49 {
            let (width, height) = (fullWidth * size, fullHeight * size)
            size *= 0.93
            guard min(width, height) > 0.35 else { continue }
            let (columns, rows) = (steps(width), steps(height))
            for row in 0...rows {
                for column in 0...columns {
                    result.append(.init(
                        x: columns == 0 ? 0 : (1 - width) * Double(column) / Double(columns),
                        y: rows == 0 ? 0 : (1 - height) * Double(row) / Double(rows), width: width, height: height))
                }
            }
        }
        return result

        func steps(_ side: Double) -> Int { Int(((1 - side) / (side * 0.07)).rounded(.up)) }
    }

    /// Moves and stretches a window until it fits best.
    private static func align(_ start: LumaPlane.Window, of plane: LumaPlane, to fixed: Slopes) -> (LumaPlane.Window, Float) {
        var window = start
        var best = Slopes(plane, window: window).similarity(to: fixed)
        for step in [0.04, 0.02, 0.01, 0.005] {
            var isBetter = true
            var rounds = 0
            while isBetter, rounds < 8 {
                isBetter = false
                rounds += 1
                for (dx, dy, dw, dh) in moves {
                    var next = window
                    next.width = min(1, max(0.1, window.width + dw * step))
                    next.height = min(1, max(0.1, window.height + dh * step))
                    next.x = min(max(0, window.x + dx * step), 1 - next.width)
                    next.y = min(max(0, window.y + dy * step), 1 - next.height)
                    guard next != window, next.isInside else { continue }
                    let similarity = Slopes(plane, window: next).similarity(to: fixed)
                    if similarity > best { (window, best, isBetter) = (next, similarity, true) }
                }
            }
            // What is nothing like it after coarse steps will not become so by fine ones.
            if best < 0.4 { break }
        }
        return (window, best)
    }

    /// Left, right, up, down; the four edges outwards and inwards; around the centre.
    private static let moves: [(Double, Double, Double, Double)] = [
        (1, 0, 0, 0), (-1, 0, 0, 0), (0, 1, 0, 0), (0, -1, 0, 0),
        (0, 0, 1, 0), (-1, 0, 1, 0), (0, 0, -1, 0), (1, 0, -1, 0),
        (0, 0, 0, 1), (0, -1, 0, 1), (0, 0, 0, -1), (0, 1, 0, -1),
        (-0.5, -0.5, 1, 1), (0.5, 0.5, -1, -1),
    ]
}
