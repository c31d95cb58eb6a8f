// SyntheticStringsTests: training and evaluation share no word and no design; what is written is of the script asked for.

import Testing
import Training

@Suite struct SyntheticStringsTests {
    @Test func wordsAreSplit() {
        let (training, heldOut) = (SyntheticStrings(.training), SyntheticStrings(.heldOut))
        for language in SyntheticWords.Language.allCases {
            let (a, b) = (Set(training.lists[language, default: []].map { $0.lowercased() }), Set(heldOut.lists[language, default: []].map { $0.lowercased() }))
            #expect(a.count > 60 && b.count > 15, "\(language): \(a.count), \(b.count)")
        }
        // Also across languages: a word that two of them share is in one part.
        let (all, others) = (Set(training.lists.values.joined().map { $0.lowercased() }), Set(heldOut.lists.values.joined().map { $0.lowercased() }))
        #expect(all.isDisjoint(with: others))
    }

    @Test func copiesOfOneDesignAreOne() {
        func design(_ family: String) -> String { SyntheticFont.design(of: family) }
        #expect(design("Nimbus Sans") == design("Liberation Sans") && design("TeX Gyre Heros Cn") == design("Nimbus Sans Narrow"))
        #expect(design("TeX Gyre Termes") == design("FreeSerif") && design("TeX Gyre Termes") != design("TeX Gyre Heros"))
        #expect(design("Quicksand Light") == design("Quicksand") && design("Roboto Condensed") == design("Roboto"))
        #expect(design("Noto Sans Mono") == design("Noto Sans Display") && design("Noto Sans") != design("Noto Serif"))
        #expect(design("DejaVu Sans Condensed") == design("DejaVu Sans") && design("Carlito") == design("Lato"))
        for family in ["Nimbus Sans", "Liberation Serif", "Roboto", "Cantarell", "Comfortaa"] {
            let font = SyntheticFont(family: family, style: "Bold")
            #expect(SyntheticSplit.allCases.filter { $0.contains(font.design) } == [font.split] && font.description == "\(family), Bold")
        }
    }

    @Test func splitTakesAQuarter() {
        let held = (0..<4000).count { SyntheticSplit.heldOut.contains("family \($0)") }
        #expect((900...1100).contains(held))
    }

    @Test func linesAreOfTheirScript() {
        var random = SplitMix(seed: 4)
        let strings = SyntheticStrings(.heldOut)
        for (language, range) in [(SyntheticWords.Language.russian, "а"..."ё"), (.greek, "ά"..."ώ"), (.english, "a"..."z")] {
            for _ in 0..<50 {
                let text = strings.plainLine(letters: 20, language: language, using: &random)
                #expect(text.count >= 19 && text.lowercased().contains { range.contains(String($0)) }, "\(text)")
                #expect(text.lowercased().allSatisfy { $0 == " " || $0.isNumber || $0.isLetter })
            }
            #expect(SyntheticWords.Language.allCases.contains(strings.language(of: language.script, using: &random)))
        }
        let marks = Set((0..<400).flatMap { _ in strings.line(letters: 30, language: .english, using: &random) })
        for mark in "€$%@.,:/#" { #expect(marks.contains(mark), "\(mark)") }
    }

    @Test func fontconfigsList() {
        let fonts = SyntheticFont.listed("Deja\tBook\ten|ru|el|fr\nOther\t\ten\nNoto Emoji\tRegular\ten\nbroken line\nOther\t\ten\n\tBold\ten\n")
        #expect(fonts.map(\.description) == ["Deja, Book", "Other"])
        #expect(fonts[0].scripts == [.latin, .cyrillic, .greek] && fonts[1].scripts == [.latin])
        #expect(SyntheticFont.listed("\t\t\n\u{0}\tx\ty\n").count == 1)
    }
}
