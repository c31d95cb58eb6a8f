// SyntheticStrings: fonts by script, and words, numbers and marks to set in them; what is held out for evaluation.

/// The two halves of everything that text is drawn from: no font's design and no word of a list is in both.
public enum SyntheticSplit: String, Sendable, CaseIterable, Codable {
    case training
    case heldOut = "held-out"

    /// The share that is held out.
    static let fraction = 0.25

    /// Whether a design or a word, in lower case, is of this part; its name alone decides.
    public func contains(_ name: String) -> Bool { (Double(nameHash(name, seed: 8) >> 11) / Double(1 << 53) < Self.fraction) == (self == .heldOut) }
}

/// Scripts that text is drawn in.
public enum SyntheticScript: String, Sendable, CaseIterable, Codable { case latin, cyrillic, greek }

/// A font by its Pango description, with what it can write.
public struct SyntheticFont: Sendable, Hashable {
    /// E.g. `DejaVu Serif, Bold`, without a size.
    public let description: String
    /// The design that its family belongs to, in lower case, see ``design(of:)``.
    public let design: String
    public let scripts: Set<SyntheticScript>

    public init(family: String, style: String = "", scripts: Set<SyntheticScript> = [.latin]) {
        description = style.isEmpty ? family : "\(family), \(style)"
        design = Self.design(of: family)
        self.scripts = scripts
    }

    /// The text fonts of a list; those of symbols and mathematics are left out.
    /// - Parameter list: lines of family, style and languages (`en|fr|…`), separated by tabs, as fontconfig gives them; others are passed over.
    public static func listed(_ list: String) -> [SyntheticFont] {
        let excluded = ["symbol", "dingbat", "emoji", "d050000", "icon", "music", "math"]
        var seen = Set<SyntheticFont>()
        for line in list.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3, !fields[0].isEmpty, !excluded.contains(where: { fields[0].lowercased().contains($0) }) else { continue }
            let languages = Set(fields[2].split(separator: "|"))
            var scripts: Set<SyntheticScript> = [.latin]
            if languages.contains("ru") { scripts.insert(.cyrillic) }
            if languages.contains("el") { scripts.insert(.greek) }
            seen.insert(SyntheticFont(family: fields[0], style: fields[1], scripts: scripts))
        }
        return seen.sorted { $0.description < $1.description }
    }

    public var split: SyntheticSplit { SyntheticSplit.heldOut.contains(design) ? .heldOut : .training }

    /// What families share their letters: the first two words of the name (`noto sans` for `Noto Sans Mono`; of TeX Gyre's, three), and one
    /// name for the copies of one design, so that Helvetica under another name is not new to a network that has seen Helvetica.
    public static func design(of family: String) -> String {
        let words = family.lowercased().split { $0 == " " || $0 == "-" }
        let name = words.prefix(words.starts(with: ["tex", "gyre"]) ? 3 : 2).joined(separator: " ")
        return copies[name] ?? name
    }

    /// Free copies under the name of URW's, and variants that have a family name of their own.
    private static let copies: [String: String] = [
        "freesans": "nimbus sans", "tex gyre heros": "nimbus sans", "liberation sans": "nimbus sans", "arimo": "nimbus sans",
        "freeserif": "nimbus roman", "tex gyre termes": "nimbus roman", "liberation serif": "nimbus roman", "tinos": "nimbus roman",
        "freemono": "courier", "nimbus mono": "courier", "tex gyre cursor": "courier", "liberation mono": "courier", "cousine": "courier",
        "tex gyre adventor": "urw gothic", "urw bookman": "bookman", "tex gyre bonum": "bookman", "p052": "palatino", "tex gyre pagella": "palatino",
        "c059": "schoolbook", "tex gyre schola": "schoolbook", "z003": "zapf chancery", "tex gyre chorus": "zapf chancery",
        "carlito": "lato", "gentiumalt": "gentium", "gentium basic": "gentium", "gentium book": "gentium", "charis sil": "charter",
        "hack": "dejavu sans", "bitstream vera": "dejavu sans", "droid sans": "open sans", "noto sans": "open sans",
        "eb garamond12": "garamond", "eb garamond08": "garamond", "eb garamond": "garamond", "linux libertine": "libertine", "linux biolinum": "biolinum",
        "quicksand light": "quicksand", "quicksand medium": "quicksand", "roboto condensed": "roboto", "lato black": "lato", "lato light": "lato",
        "inter display": "inter", "verana sans": "verana", "b612 mono": "b612", "monoisome": "monoid",
    ]

    /// One of the fonts that write a script, every design as likely.
    static func choose(from fonts: [SyntheticFont], script: SyntheticScript, using random: inout SplitMix) -> SyntheticFont? {
        let able = fonts.filter { $0.scripts.contains(script) }
        guard let design = Set(able.map(\.design)).sorted().randomElement(using: &random) else { return nil }
        return able.filter { $0.design == design }.randomElement(using: &random)
    }
}

/// Draws what is written: words of a language, numbers, marks and codes.
public struct SyntheticStrings: Sendable {
    public let split: SyntheticSplit
    /// The words of the part, by language.
    public let lists: [SyntheticWords.Language: [String]]

    public init(_ split: SyntheticSplit) {
        self.split = split
        lists = SyntheticWords.lists.mapValues { list in list.filter { split.contains($0.lowercased()) } }
    }

    public func language(of script: SyntheticScript, using random: inout SplitMix) -> SyntheticWords.Language {
        let languages = SyntheticWords.Language.allCases.filter { $0.script == script }
        // English is as frequent as all other languages of its script.
        if script == .latin, Bool.random(using: &random) { return .english }
        return languages.randomElement(using: &random) ?? .english
    }

    /// Words, numbers and marks, about as many letters as asked for.
    public func line(letters: Int, language: SyntheticWords.Language, using random: inout SplitMix) -> String {
        var words: [String] = []
        var count = 0
        while count < letters {
            let word = word(language, using: &random)
            words.append(word)
            count += word.count + 1
        }
        let text = words.joined(separator: " ")
        return Double.random(in: 0..<1, using: &random) < 0.1 ? text.uppercased() : text
    }

    /// Words of the list alone, the first with a capital: what a reader of that language reads best.
    public func plainLine(letters: Int, language: SyntheticWords.Language, using random: inout SplitMix) -> String {
        var (words, count): ([String], Int) = ([], 0)
        while count < letters {
            let word = lists[language]?.randomElement(using: &random) ?? "word"
            // Every seventh is a number, as on labels.
            words.append(!words.isEmpty && Int.random(in: 0..<7, using: &random) == 0 ? digits(1...4, using: &random) : words.isEmpty ? capitalised(word) : word)
            count += (words.last?.count ?? 0) + 1
        }
        return words.joined(separator: " ")
    }

    public func word(_ language: SyntheticWords.Language, using random: inout SplitMix) -> String {
        func listed() -> String { lists[language]?.randomElement(using: &random) ?? "word" }
        switch Double.random(in: 0..<1, using: &random) {
        case ..<0.5:
            let word = listed()
            return Double.random(in: 0..<1, using: &random) < 0.2 ? capitalised(word) : word
        case ..<0.68: return invented(language.script, using: &random)
        case ..<0.78: return digits(1...6, using: &random)
        case ..<0.9: return formatted(using: &random)
        default:
            let word = listed()
            let mark = Self.marks.randomElement(using: &random) ?? "·"
            return ["(\(word))", "“\(word)”", "„\(word)“", "«\(word)»", "\(word),", "\(word).", "\(word):", "\(word);", "\(word)!", "\(word)?", "#\(word)", "\(word)–\(word)",
                "‘\(word)’", "[\(digits(1...2, using: &random))]", mark, "\(word)\(mark)", "\(word)/\(word)", "*\(word)", "{\(word)}", "<\(word)>"].randomElement(using: &random) ?? word
        }
    }

    private func capitalised(_ word: String) -> String { word.prefix(1).uppercased() + word.dropFirst() }

    private func digits(_ count: ClosedRange<Int>, using random: inout SplitMix) -> String {
        String((0..<Int.random(in: count, using: &random)).map { _ in "0123456789".randomElement(using: &random) ?? "0" })
    }

    /// Prices, dates, addresses, codes.
    private func formatted(using random: inout SplitMix) -> String {
        func d(_ count: Int) -> String { digits(count...count, using: &random) }
        func name() -> String { invented(.latin, using: &random, plain: true) }
        let codes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        switch Int.random(in: 0..<16, using: &random) {
        case 0: return "\(digits(1...3, using: &random)).\(d(2)) €"
        case 1: return "$\(digits(1...4, using: &random))"
        case 2: return "\(d(2)):\(d(2))"
        case 3: return "\(d(2))/\(d(2))/\(d(4))"
        case 4: return "\(digits(1...2, using: &random)) %"
        case 5: return "\(d(4))-\(d(2))-\(d(2))"
        case 6: return "\(name())@\(name()).org"
        case 7: return "www.\(name()).com"
        case 8: return "+\(d(2)) \(d(3)) \(d(4))"
        case 9: return String((0..<Int.random(in: 3...8, using: &random)).map { _ in codes.randomElement(using: &random) ?? "X" })
        case 10: return "\(digits(1...3, using: &random)),\(d(2))"
        case 11: return "v\(d(1)).\(d(1)).\(d(2))"
        case 12: return "0x" + String((0..<4).map { _ in "0123456789abcdef".randomElement(using: &random) ?? "0" })
        case 13: return "\(digits(1...3, using: &random))\(["kg", "mm", "°C", "km/h", "ml", "GB", "px", "V", "Hz"].randomElement(using: &random) ?? "m")"
        case 14: return "\(name())_\(name())=\(d(1));"
        default: return "№\(d(3))"
        }
    }

    /// A pronounceable word that no list has.
    private func invented(_ script: SyntheticScript, using random: inout SplitMix, plain: Bool = false) -> String {
        let (consonants, vowels, ends): (String, String, String)
        switch script {
        case .latin: (consonants, vowels, ends) = plain ? ("bcdfghjklmnpqrstvwxyz", "aeiou", "lmnrstx") : ("bcdfghjklmnpqrstvwxyzčćçďđłñňřśšťžźż", "aeiouaeiouäöüéèåøæâêîôûëïáíóúýœàùãõąęůőűğıș", "lmnrstxßß")
        case .cyrillic: (consonants, vowels, ends) = ("бвгджзклмнпрстфхцчшщѓќљњџґ", "аеиоуыэюяёіїєй", "лмнрстйь")
        case .greek: (consonants, vowels, ends) = ("βγδζθκλμνξπρστφχψ", "αεηιουωάέήίόύώ", "νςρξ")
        }
        let word = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            String(consonants.randomElement(using: &random) ?? "b") + String(vowels.randomElement(using: &random) ?? "a")
                + (Int.random(in: 0..<3, using: &random) == 0 ? String(ends.randomElement(using: &random) ?? "n") : "")
        }.joined()
        return !plain && Int.random(in: 0..<4, using: &random) == 0 ? word.uppercased() : word
    }

    private static let marks = "§ © ® ™ € £ ¥ ° ± × ÷ ≤ ≥ ≈ → ← • … « » ½ ¼ & @ # % * + = / \\ | ~ ^ _ $ ¶ † ✓ µ Ω ∞ √ ¿ ¡ — –".split(separator: " ").map(String.init)
}
