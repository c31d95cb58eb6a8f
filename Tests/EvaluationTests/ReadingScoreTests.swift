// ReadingScoreTests: letters read wrong, counted by hand; a reader that is sure and wrong.

import Evaluation
import Testing

@Suite struct ReadingScoreTests {
    private func score(_ truth: String, _ words: [(String, Double)]) -> ReadingScore {
        var score = ReadingScore()
        score.add(truth: truth, read: words.map { (text: $0.0, confidence: $0.1) })
        return score
    }

    @Test(arguments: [
        ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("Straße", "Strasse", 2), ("same", "same", 0), ("ab", "ba", 2),
    ])
    func levenshtein(truth: String, read: String, errors: Int) {
        let score = score(truth, read.isEmpty ? [] : [(read, 50)])
        #expect(score.errors == errors && score.letters == truth.count && score.lines == 1)
    }

    @Test func spacesAreLettersAndRunsOfThemOne() {
        #expect(score("a  b", [("a", 9), ("b", 9)]).errors == 0)
        #expect(score("ab", [("a", 9), ("b", 9)]).errors == 1)
        #expect(score("a b", [("ab", 9)]).errorRate == 1.0 / 3)
    }

    @Test func sureAndWrong() {
        // "modem" for "modern": r n became m: two steps, one letter that is read and not written.
        let wrong = score("modern light", [("modem", 95), ("light", 96)])
        #expect(wrong.errors == 2 && wrong.sureLetters == 10 && wrong.sureErrors == 1)
        let unsure = score("modern light", [("modem", 89.9), ("light", 96)])
        #expect(unsure.sureLetters == 5 && unsure.sureErrors == 0)
        let invented = score("light", [("light", 99), ("xyz", 90)])
        #expect(invented.sureErrors == 3 && invented.errors == 4)
        let sum = wrong + invented
        #expect(sum.errors == 6 && sum.letters == 17 && sum.sureErrors == 4 && sum.lines == 2)
        #expect(ReadingScore().errorRate == 0)
    }
}
