// SyntheticPicture: drawn training pictures: lines of text, logos, line art, charts; the strings on them are their labels.

/// A drawn picture and what is written on it.
public struct SyntheticPicture: Sendable {
    public enum Kind: String, Sendable, CaseIterable, Codable {
        case text, logos, lineart, charts

        /// Whether anything is written on such pictures.
        public var hasText: Bool { self != .lineart }
    }

    /// A line of text on the picture.
    public struct Label: Sendable, Hashable, Codable {
        public let text: String
        public let font: String
        /// Of the box around the ink, pixels, before clipping to the picture.
        public let x: Int
        public let y: Int
        public let width: Int
        public let height: Int
    }

    /// What pictures are drawn from.
    public struct Settings: Sendable {
        /// Those of the split are taken; of the other one only where there is none of it.
        public var fonts: [SyntheticFont]
        public var split: SyntheticSplit
        /// Of letters, in pixels, uniform over logarithms. A fifth of its lower end is what lines and gaps are measured in: a pixel of
        /// the low resolution at which the smallest letters are five pixels high.
        public var xHeight: ClosedRange<Float>
        /// Photographs to write on, `size × size × 3` each.
        public var backgrounds: (@Sendable (inout SplitMix) -> [UInt8])?
        /// Whether paper is of any colour, instead of mostly white, pale or black.
        public var isColoured: Bool

        public init(
            fonts: [SyntheticFont], split: SyntheticSplit = .training, xHeight: ClosedRange<Float> = 5...24,
            backgrounds: (@Sendable (inout SplitMix) -> [UInt8])? = nil, isColoured: Bool = false
        ) {
            self.fonts = fonts
            self.split = split
            self.xHeight = max(2, xHeight.lowerBound)...max(2, xHeight.upperBound)
            self.backgrounds = backgrounds
            self.isColoured = isColoured
        }
    }

    /// Text to coverage at a font size in pixels; nil for text without ink.
    public typealias Render = (_ text: String, _ font: String, _ pixels: Int) throws -> TextMask?

    /// `size × size × 3`.
    public let bytes: [UInt8]
    /// Empty for line art.
    public let labels: [Label]

    /// Draws one.
    /// - Parameters:
    ///   - size: side in pixels, at least 32.
    ///   - seed: decides everything; another number is another picture.
    public init(_ kind: Kind, size: Int, seed: UInt64, settings: Settings, render: Render) throws {
        var artist = Artist(size: max(32, size), seed: seed, settings: settings)
        switch kind {
        case .text: try artist.text(render)
        case .logos: try artist.window { try $0.logo(render) }
        case .lineart: artist.lineArt()
        case .charts: try artist.window { try $0.chart(render) }
        }
        bytes = artist.canvas.bytes
        labels = artist.labels
    }
}

/// Draws by chance.
struct Artist {
    typealias Colour = Canvas.Colour
    typealias Point = Canvas.Point
    typealias Render = SyntheticPicture.Render

    let size: Int
    let settings: SyntheticPicture.Settings
    let strings: SyntheticStrings
    /// See ``SyntheticPicture/Settings/xHeight``.
    let unit: Float
    var canvas: Canvas
    var labels: [SyntheticPicture.Label] = []
    var random: SplitMix
    private let fonts: [SyntheticFont]
    /// By font: how high an x is, as a share of the font's size.
    private var proportions: [String: Float] = [:]

    init(size: Int, seed: UInt64, settings: SyntheticPicture.Settings) {
        self.size = size
        self.settings = settings
        unit = max(1, settings.xHeight.lowerBound / 5)
        strings = SyntheticStrings(settings.split)
        let own = settings.fonts.filter { $0.split == settings.split }
        fonts = own.isEmpty ? settings.fonts : own
        random = SplitMix(seed: seed)
        canvas = Canvas(width: size, height: size)
    }

    // MARK: Chance

    mutating func number(_ low: Float, _ high: Float) -> Float { Float.random(in: low...max(low, high), using: &random) }
    mutating func chance(_ probability: Float) -> Bool { number(0, 1) < probability }
    mutating func colour() -> Colour { Colour(number(0, 255), number(0, 255), number(0, 255)) }
    mutating func point(margin: Float = 0) -> Point { Point(number(-margin, Float(size) + margin), number(-margin, Float(size) + margin)) }
    mutating func pick<Element>(_ list: [Element]) -> Element? { list.randomElement(using: &random) }
    mutating func whole(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    func luma(_ colour: Colour) -> Float { (colour * Colour(0.299, 0.587, 0.114)).sum() }

    /// A colour that can be read on another.
    mutating func ink(on paper: Colour) -> Colour {
        for _ in 0..<20 {
            let ink = chance(0.5) ? Colour(repeating: luma(paper) > 128 ? number(0, 60) : number(195, 255)) : colour()
            if abs(luma(ink) - luma(paper)) > 75 { return ink }
        }
        return Colour(repeating: luma(paper) > 128 ? 0 : 255)
    }

    mutating func paper() -> Colour {
        if settings.isColoured { return colour() }
        return switch number(0, 1) {
        case ..<0.4: Colour(repeating: 255)
        case ..<0.6: Colour(number(225, 255), number(225, 255), number(215, 250))
        case ..<0.78: chance(0.4) ? Colour(repeating: 0) : Colour(number(0, 45), number(0, 45), number(0, 55))
        default: colour()
        }
    }

    mutating func paint(_ colour: Colour) -> Canvas.Paint {
        switch number(0, 1) {
        case ..<0.65: .solid(colour)
        case ..<0.85: .linear(colour, self.colour(), point(), point())
        default: .radial(colour, self.colour(), point(), number(0.3, 1) * Float(size))
        }
    }

    /// Covers the canvas: flat, or a gentle gradient.
    mutating func ground(_ paper: Colour) {
        canvas = Canvas(width: size, height: size, filledWith: paper)
        guard chance(0.2) else { return }
        let other = paper + Colour(number(-25, 25), number(-25, 25), number(-25, 25))
        let middle = Float(size) / 2
        canvas.draw(.box(Point(middle, middle), half: Point(Float(size), Float(size)), radius: 0), .linear(paper, other, point(), point()))
    }

    /// Has another artist draw on a sheet up to twice as large, and cuts a window from it: whole charts are larger than a crop.
    mutating func window(_ draw: (inout Artist) throws -> Void) throws {
        var sheet = Artist(size: Int(Float(size) * number(1, 2)), seed: random.next(), settings: settings)
        try draw(&sheet)
        let (x, y) = (whole(0...(sheet.size - size)), whole(0...(sheet.size - size)))
        canvas = sheet.canvas.window(x: x, y: y, side: size)
        labels = sheet.labels.compactMap { label in
            guard (x - label.width..<x + size).contains(label.x), (y - label.height..<y + size).contains(label.y) else { return nil }
            return .init(text: label.text, font: label.font, x: label.x - x, y: label.y - y, width: label.width, height: label.height)
        }
    }

    // MARK: Letters

    /// How a stretch of text is set.
    struct Style {
        var font: SyntheticFont
        var language: SyntheticWords.Language
        /// Pixels.
        var xHeight: Float
        /// Whether letters are set at whole pixels, as the renderer hints them, or anywhere.
        var isHinted: Bool
    }

    mutating func style(xHeight: Float? = nil) -> Style {
        let script: SyntheticScript = switch number(0, 1) {
        case ..<0.66: .latin
        case ..<0.86: .cyrillic
        default: .greek
        }
        let font = SyntheticFont.choose(from: fonts, script: script, using: &random)
        let fallback = SyntheticFont.choose(from: fonts, script: .latin, using: &random) ?? SyntheticFont(family: "sans")
        return Style(
            font: font ?? fallback, language: strings.language(of: font == nil ? .latin : script, using: &random), xHeight: xHeight ?? letterHeight(),
            isHinted: chance(0.5))
    }

    /// In a language; nil where no font writes it.
    mutating func style(of language: SyntheticWords.Language) -> Style? {
        SyntheticFont.choose(from: fonts, script: language.script, using: &random).map { Style(font: $0, language: language, xHeight: letterHeight(), isHinted: chance(0.5)) }
    }

    /// Uniform over logarithms.
    mutating func letterHeight() -> Float {
        let (low, high) = (settings.xHeight.lowerBound, settings.xHeight.upperBound)
        return low * Float(power(Double(high / low), Double(number(0, 1))))
    }

    mutating func line(_ style: Style, letters: Int) -> String { strings.line(letters: letters, language: style.language, using: &random) }
    mutating func word(_ style: Style) -> String { strings.word(style.language, using: &random) }

    /// Text as coverage, its x as high as the style says.
    mutating func mask(_ text: String, _ style: Style, _ render: Render) throws -> TextMask? {
        let font = style.font.description
        let proportion: Float
        if let known = proportions[font] {
            proportion = known
        } else {
            proportion = max(0.3, min(0.8, Float(try render(style.language.script == .latin ? "x" : "о", font, 200)?.height ?? 100) / 200))
            proportions[font] = proportion
        }
        let pixels = style.xHeight / proportion
        if style.isHinted { return try render(text, font, max(4, Int(pixels.rounded()))) }
        // Drawn larger, where hints do nothing, and reduced from a random place: no line lies on whole pixels but by chance.
        let factor = pixels < 40 ? 4 : 2
        guard let large = try render(text, font, max(4, Int((pixels * Float(factor)).rounded()))) else { return nil }
        return large.reduced(by: factor, x: whole(0...(factor - 1)), y: whole(0...(factor - 1)))
    }

    mutating func write(_ mask: TextMask, text: String, style: Style, x: Int, y: Int, _ paint: Canvas.Paint) {
        canvas.draw(mask, x: x, y: y, paint)
        labels.append(.init(text: text, font: style.font.description, x: x, y: y, width: mask.width, height: mask.height))
    }
}
