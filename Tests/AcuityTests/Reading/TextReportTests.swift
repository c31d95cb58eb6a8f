// TextReportTests: words matched by place; what changed, appeared and vanished; the verdict on the whole.

import Acuity
import Testing

@Suite struct TextReportTests {
    private func word(_ text: String, _ x: Int, _ y: Int = 10, width: Int = 80, confidence: Double = 95) -> ReadWord {
        ReadWord(text: text, confidence: confidence, x: x, y: y, width: width, height: 20)
    }

    @Test func changes() throws {
        let source = [word("modern", 0), word("light", 100), word("only", 200, confidence: 70), word("low", 0, 100, confidence: 30)]
        let result = [word("modem", 2, 11), word("light", 101), word("new", 400, confidence: 60), word("law", 0, 101)]
        let report = TextReport(source: source, result: result, factor: 4)
        #expect(report.entries.map(\.change) == [.changed, .same, .vanished, .appeared, .changed])
        #expect(report.changes.count == 4 && report.verdict == .changed)
        let first = try #require(report.entries.first)
        #expect(first.source == "modern" && first.result == "modem" && first.sourceIsLegible)
        // The box around both, in pixels of the source.
        #expect((first.x, first.y, first.width, first.height) == (0, 3, 21, 5))
        #expect(!report.entries[4].sourceIsLegible && report.entries[3].source == nil && report.entries[3].sourceConfidence == nil)
    }

    /// Spaces are no letters: a word read as two, and two as one.
    @Test func splitWords() {
        let report = TextReport(
            source: [word("foot", 0, width: 40, confidence: 80), word("ball", 45, width: 40), word("sunday", 200, width: 90)],
            result: [word("football", 0, width: 86), word("sun", 200, width: 40, confidence: 75), word("day", 245, width: 45)], factor: 2)
        #expect(report.entries.map(\.change) == [.same, .same] && report.verdict == .kept)
        #expect(report.entries[0].source == "foot ball" && report.entries[0].sourceConfidence == 80 && report.entries[1].resultConfidence == 75)
    }

    @Test func beyondReading() {
        #expect(TextReport(source: [], result: [], factor: 4).verdict == .noText)
        #expect(TextReport(source: [], result: [word("sure", 0)], factor: 4).verdict == .beyondReading)
        #expect(TextReport(source: [word("sur", 0, confidence: 20), word("thm", 100, confidence: 41)], result: [word("sure", 0), word("them", 100)], factor: 4).verdict == .beyondReading)
        // Only what was hardly legible differs.
        #expect(TextReport(source: [word("good", 0), word("thm", 100, confidence: 41)], result: [word("good", 0), word("them", 100)], factor: 4).verdict == .kept)
        #expect(TextReport(source: [word("gone", 0)], result: [], factor: 4).verdict == .changed)
    }

    /// Lines from top to bottom, words from left to right, although words of a line differ in height.
    @Test func order() {
        let words = [word("d", 100, 63), word("a", 0, 12), word("c", 0, 60), word("b", 100, 8)]
        #expect(TextReport(source: words, result: words, factor: 1).entries.map(\.source) == ["a", "b", "c", "d"])
    }
}
