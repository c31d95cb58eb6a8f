// ReadingScore: how a recogniser's reading of a line differs from what is written there.

/// Counts over lines: wrong letters, and wrong letters that the recogniser was sure of.
public struct ReadingScore: Sendable, Hashable, Codable {
    /// A word as a recogniser gives it.
    public typealias Word = (text: String, confidence: Double)

    /// Confidence, 0…100, from which a reading is taken at its word.
    public static let sure = 90.0

    public private(set) var lines = 0
    /// Letters that are written, a space between words being one.
    public private(set) var letters = 0
    /// Letters to be put in, taken out or changed to get from what was read to what is written (Levenshtein 1966).
    public private(set) var errors = 0
    /// Letters in words read with confidence, and how many of them are not written there.
    public private(set) var sureLetters = 0
    public private(set) var sureErrors = 0

    public init() {}

    /// Character error rate; above 1 where much is read that is not there.
    public var errorRate: Double { Double(errors) / Double(max(1, letters)) }

    public mutating func add(truth: String, read words: [Word]) {
        let truth = Array(truth.split(whereSeparator: \.isWhitespace).joined(separator: " "))
        let read = Array(words.map(\.text).joined(separator: " "))
        let alignment = Self.align(truth, read)
        lines += 1
        letters += truth.count
        errors += alignment.distance
        var place = 0
        for word in words {
            if word.confidence >= Self.sure {
                sureLetters += word.text.count
                sureErrors += (place..<place + word.text.count).count { !alignment.isRight[$0] }
            }
            place += word.text.count + 1
        }
    }

    public static func + (a: ReadingScore, b: ReadingScore) -> ReadingScore {
        var sum = a
        sum.lines += b.lines
        sum.letters += b.letters
        sum.errors += b.errors
        sum.sureLetters += b.sureLetters
        sum.sureErrors += b.sureErrors
        return sum
    }

    /// Levenshtein's distance, and for each read letter whether a shortest way leaves it as it is.
    static func align(_ truth: [Character], _ read: [Character]) -> (distance: Int, isRight: [Bool]) {
        let (n, m) = (truth.count, read.count)
        var table = [Int](repeating: 0, count: (n + 1) * (m + 1))
        for i in 0...n { table[i * (m + 1)] = i }
        for j in 0...m { table[j] = j }
        if n > 0, m > 0 {
            for i in 1...n {
                for j in 1...m {
                    let changed = table[(i - 1) * (m + 1) + j - 1] + (truth[i - 1] == read[j - 1] ? 0 : 1)
                    table[i * (m + 1) + j] = min(changed, table[(i - 1) * (m + 1) + j] + 1, table[i * (m + 1) + j - 1] + 1)
                }
            }
        }
        var isRight = [Bool](repeating: false, count: m)
        var (i, j) = (n, m)
        while i > 0 || j > 0 {
            let here = table[i * (m + 1) + j]
            if i > 0, j > 0, here == table[(i - 1) * (m + 1) + j - 1] + (truth[i - 1] == read[j - 1] ? 0 : 1) {
                isRight[j - 1] = truth[i - 1] == read[j - 1]
                (i, j) = (i - 1, j - 1)
            } else if i > 0, here == table[(i - 1) * (m + 1) + j] + 1 {
                i -= 1
            } else {
                j -= 1
            }
        }
        return (table[n * (m + 1) + m], isRight)
    }
}
