// TextReport: which words read otherwise after enlarging than before.

/// Compares what is read on a source and on its enlargement, so that a user sees where letters may be wrong.
///
/// Words are matched by place: those of either side that overlap belong together, and only their letters are compared, so that a word
/// read as two, or a space more, is no change.
public struct TextReport: Sendable, Hashable {
    /// Words at one place.
    public struct Entry: Sendable, Hashable, Codable {
        public enum Change: String, Sendable, Codable {
            /// Both read the same letters.
            case same
            /// Letters differ.
            case changed
            /// Read in the result only.
            case appeared
            /// Read in the source only.
            case vanished
        }

        public let change: Change
        /// As read in the source; nil where nothing was read.
        public let source: String?
        public let result: String?
        /// The least confident word's, 0…100.
        public let sourceConfidence: Double?
        public let resultConfidence: Double?
        /// Pixels of the source.
        public let x: Int
        public let y: Int
        public let width: Int
        public let height: Int
        /// Whether the source could be read here at all, see ``TextReport/legible``.
        public let sourceIsLegible: Bool
    }

    /// What can be said of the whole picture.
    public enum Verdict: String, Sendable, Codable {
        /// Neither side shows words.
        case noText = "no-text"
        /// The result shows words where the source is hardly read: letters in the result are a guess.
        case beyondReading = "beyond-reading"
        /// Legible words of the source read otherwise.
        case changed
        /// All legible words of the source read the same.
        case kept
    }

    /// Confidence from which a reading of the source counts as one. Tesseract's own guesses at noise lie mostly below.
    public static let legible = 60.0

    /// From top to bottom, in the order in which they are read.
    public let entries: [Entry]

    /// - Parameters:
    ///   - source: words of the source, enlarged by a classical method so that both pictures have one size.
    ///   - result: of the result.
    ///   - factor: by which both were enlarged.
    public init(source: [ReadWord], result: [ReadWord], factor: Double) {
        entries = Self.groups(source, result).map { left, right in
            func text(_ words: [ReadWord]) -> String? { words.isEmpty ? nil : words.map(\.text).joined(separator: " ") }
            func letters(_ words: [ReadWord]) -> String { words.map(\.text).joined() }
            let all = left + right
            let (x0, y0) = (all.map(\.x).min() ?? 0, all.map(\.y).min() ?? 0)
            let (x1, y1) = (all.map { $0.x + $0.width }.max() ?? 0, all.map { $0.y + $0.height }.max() ?? 0)
            let change: Entry.Change = left.isEmpty ? .appeared : right.isEmpty ? .vanished : letters(left) == letters(right) ? .same : .changed
            let confidence = left.map(\.confidence).min()
            func scaled(_ value: Int) -> Int { Int((Double(value) / factor).rounded()) }
            return Entry(
                change: change, source: text(left), result: text(right), sourceConfidence: confidence, resultConfidence: right.map(\.confidence).min(),
                x: scaled(x0), y: scaled(y0), width: max(1, scaled(x1) - scaled(x0)), height: max(1, scaled(y1) - scaled(y0)),
                sourceIsLegible: (confidence ?? 0) >= Self.legible)
        }
    }

    /// Those that differ.
    public var changes: [Entry] { entries.filter { $0.change != .same } }

    public var verdict: Verdict {
        if entries.isEmpty { return .noText }
        let legible = entries.filter(\.sourceIsLegible)
        // Where not even a third of what there is to read was read in the source, the result cannot be held against it.
        if 3 * legible.count < entries.count { return .beyondReading }
        return legible.contains { $0.change != .same } ? .changed : .kept
    }

    /// Words of both sides that overlap, directly or through each other, in reading order.
    private static func groups(_ source: [ReadWord], _ result: [ReadWord]) -> [(source: [ReadWord], result: [ReadWord])] {
        var group = Array(0..<(source.count + result.count))  // A forest: each points towards the root of its group.
        func root(_ index: Int) -> Int {
            var index = index
            while group[index] != index { index = group[index] }
            return index
        }
        for (i, a) in source.enumerated() {
            for (j, b) in result.enumerated() where overlap(a, b) > 0.4 { group[root(source.count + j)] = root(i) }
        }
        var members: [Int: (source: [ReadWord], result: [ReadWord])] = [:]
        for (i, word) in source.enumerated() { members[root(i), default: ([], [])].source.append(word) }
        for (j, word) in result.enumerated() { members[root(source.count + j), default: ([], [])].result.append(word) }
        return inReadingOrder(members.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Line by line: what begins above the middle of a line's first word is of that line.
    private static func inReadingOrder(_ groups: [(source: [ReadWord], result: [ReadWord])]) -> [(source: [ReadWord], result: [ReadWord])] {
        func first(_ index: Int) -> ReadWord? { groups[index].source.first ?? groups[index].result.first }
        var rest = groups.indices.sorted { (first($0)?.y ?? 0, $0) < (first($1)?.y ?? 0, $1) }
        var order: [Int] = []
        while let top = rest.first.flatMap(first) {
            let line = rest.prefix { (first($0)?.y ?? 0) <= top.y + top.height / 2 }
            order += line.sorted { (first($0)?.x ?? 0, $0) < (first($1)?.x ?? 0, $1) }
            rest.removeFirst(line.count)
        }
        return order.map { groups[$0] }
    }

    /// The common area as a share of the smaller box.
    private static func overlap(_ a: ReadWord, _ b: ReadWord) -> Double {
        let across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
        let down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
        guard across > 0, down > 0 else { return 0 }
        return Double(across) * Double(down) / Double(max(1, min(a.width * a.height, b.width * b.height)))
    }
}
