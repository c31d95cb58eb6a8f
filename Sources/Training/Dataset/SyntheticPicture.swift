// SyntheticPicture: drawn training pictures: lines of text, logos, line art; the strings on them are their labels.

/// A drawn picture and what is written on it.
public struct SyntheticPicture: Sendable {
    public enum Kind: String, Sendable, CaseIterable, Codable { case text, logos, lineart }

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

    /// `size × size × 3`.
    public let bytes: [UInt8]
    /// Empty for line art.
    public let labels: [Label]

    /// Draws one.
    /// - Parameters:
    ///   - size: side in pixels, at least 32.
    ///   - seed: decides everything; another number is another picture.
    ///   - fonts: descriptions that `render` understands, e.g. `DejaVu Serif Bold`.
    ///   - render: text to coverage at a size in pixels; nil where the font lacks the characters.
    public init(
        _ kind: Kind, size: Int, seed: UInt64, fonts: [String],
        render: (_ text: String, _ font: String, _ pixels: Int) throws -> TextMask?
    ) throws {
        var artist = Artist(size: max(32, size), seed: seed)
        switch kind {
        case .text: try artist.page(fonts: fonts, render: render)
        case .logos: try artist.logo(fonts: fonts, render: render)
        case .lineart: artist.lineArt()
        }
        bytes = artist.canvas.bytes
        labels = artist.labels
    }
}

/// Draws by chance.
private struct Artist {
    typealias Colour = Canvas.Colour
    typealias Point = Canvas.Point
    typealias Render = (_ text: String, _ font: String, _ pixels: Int) throws -> TextMask?

    let size: Int
    var canvas: Canvas
    var labels: [SyntheticPicture.Label] = []
    var random: SplitMix

    init(size: Int, seed: UInt64) {
        self.size = size
        random = SplitMix(seed: seed)
        canvas = Canvas(width: size, height: size)
    }

    // MARK: Chance

    mutating func number(_ low: Float, _ high: Float) -> Float { Float.random(in: low...high, using: &random) }
    mutating func chance(_ probability: Float) -> Bool { number(0, 1) < probability }
    mutating func colour() -> Colour { Colour(number(0, 255), number(0, 255), number(0, 255)) }
    mutating func point(margin: Float = 0) -> Point { Point(number(-margin, Float(size) + margin), number(-margin, Float(size) + margin)) }
    mutating func pick<Element>(_ list: [Element]) -> Element? { list.randomElement(using: &random) }

    func luma(_ colour: Colour) -> Float { (colour * Colour(0.299, 0.587, 0.114)).sum() }

    /// A colour that can be read on another.
    mutating func ink(on paper: Colour) -> Colour {
        for _ in 0..<20 {
            let ink = chance(0.5) ? Colour(repeating: luma(paper) > 128 ? number(0, 60) : number(195, 255)) : colour()
            if abs(luma(ink) - luma(paper)) > 90 { return ink }
        }
        return Colour(repeating: luma(paper) > 128 ? 0 : 255)
    }

    mutating func paper() -> Colour {
        switch number(0, 1) {
        case ..<0.45: Colour(repeating: 255)
        case ..<0.65: Colour(number(225, 255), number(225, 255), number(215, 250))
        case ..<0.8: Colour(repeating: number(0, 40))
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

    // MARK: Text

    mutating func page(fonts: [String], render: Render) throws {
        let paper = paper()
        ground(paper)
        var font = pick(fonts) ?? "sans"
        var pixels = Int(number(9, 40))
        var ink = ink(on: paper)
        var y = Int(number(-8, 12))
        let left = Int(number(-20, 16))
        while y < size {
            // A page keeps its style for a while.
            if chance(0.25) { (font, pixels) = (pick(fonts) ?? "sans", Int(number(9, chance(0.15) ? 80 : 34))) }
            if chance(0.1) { ink = self.ink(on: paper) }
            let text = line(letters: max(2, 2 * size / pixels))
            guard let mask = try render(text, font, pixels) else {
                font = pick(fonts) ?? "sans"
                y += 4
                continue
            }
            write(mask, text: text, font: font, x: left, y: y, .solid(ink))
            if chance(0.06) {
                let under = Float(y + mask.height) + 2
                canvas.draw(.stroke([Point(Float(left), under), Point(Float(left + mask.width), under)], width: number(1, 2.5)), .solid(ink))
            }
            y += mask.height + max(2, Int(Float(pixels) * number(0.2, 0.7)))
        }
    }

    mutating func write(_ mask: TextMask, text: String, font: String, x: Int, y: Int, _ paint: Canvas.Paint) {
        canvas.draw(mask, x: x, y: y, paint)
        labels.append(.init(text: text, font: font, x: x, y: y, width: mask.width, height: mask.height))
    }

    /// Words, numbers and marks, about as many letters as asked for.
    mutating func line(letters: Int) -> String {
        var words: [String] = []
        var count = 0
        while count < letters {
            let word = word()
            words.append(word)
            count += word.count + 1
        }
        let text = words.joined(separator: " ")
        return chance(0.1) ? text.uppercased() : text
    }

    mutating func word() -> String {
        func digits(_ count: ClosedRange<Int>) -> String { String((0..<Int.random(in: count, using: &random)).map { _ in "0123456789".randomElement(using: &random) ?? "0" }) }
        switch number(0, 1) {
        case ..<0.6:
            let word = pick(Self.words) ?? "word"
            return chance(0.2) ? word.prefix(1).uppercased() + word.dropFirst() : word
        case ..<0.75:
            // A pronounceable word that no list has.
            return (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (pick(Array("bcdfghjklmnpqrstvwxyz")).map(String.init) ?? "") + (pick(Array("aeiouäöüéèå")).map(String.init) ?? "")
                    + (chance(0.3) ? pick(Array("lmnrstx")).map(String.init) ?? "" : "")
            }.joined()
        case ..<0.85: return digits(1...5)
        case ..<0.92: return ["\(digits(1...3)).\(digits(2...2)) €", "$\(digits(1...4))", "\(digits(2...2)):\(digits(2...2))", "\(digits(1...2))/\(digits(4...4))", "\(digits(1...2)) %"].randomElement(using: &random) ?? ""
        default:
            let word = pick(Self.words) ?? "word"
            return ["(\(word))", "“\(word)”", "\(word),", "\(word).", "\(word)!", "\(word)?", "#\(word)", "\(word)@\(word).org", "\(word)–\(word)", "[\(digits(1...2))]", "& \(word);"].randomElement(using: &random) ?? word
        }
    }

    // MARK: Logos

    mutating func logo(fonts: [String], render: Render) throws {
        let paper = paper()
        ground(paper)
        let side = Float(size)
        let centre = Point(side * number(0.35, 0.65), side * number(0.3, 0.5))
        let radius = side * number(0.15, 0.32)
        for layer in 0..<Int.random(in: 1...4, using: &random) {
            let here = layer == 0 ? centre : centre + Point(number(-0.5, 0.5), number(-0.5, 0.5)) * radius
            let extent = layer == 0 ? radius : radius * number(0.2, 0.7)
            canvas.draw(emblem(here, extent), paint(layer == 0 ? ink(on: paper) : colour()))
        }
        if chance(0.3) { canvas.draw(.ring(centre, radius: radius * 1.15, width: number(1.5, 8)), .solid(ink(on: paper))) }
        // The name below the emblem, and sometimes a line in small print.
        let font = pick(fonts) ?? "sans"
        let name = chance(0.5) ? word().uppercased() : word()
        let tagline = chance(0.4) ? line(letters: 14) : nil
        var y = Int(centre.y + radius * 1.2) + 6
        for (text, pixels) in [(name, Int(number(18, 64))), (tagline ?? "", Int(number(9, 16)))] where !text.isEmpty {
            guard let mask = try render(text, font, pixels) else { continue }
            let x = max(4, (size - mask.width) / 2)
            write(mask, text: text, font: font, x: x, y: min(y, size - mask.height - 2), .solid(ink(on: paper)))
            y += mask.height + 8
        }
    }

    mutating func emblem(_ centre: Point, _ extent: Float) -> Shape {
        func corners(_ count: Int, inner: Float, turn: Float) -> [Point] {
            (0..<count).map { index in
                let angle = Double(turn) + 2 * .pi * Double(index) / Double(count)
                return centre + Point(Float(cosine(angle)), Float(cosine(angle - .pi / 2))) * (index % 2 == 0 ? extent : extent * inner)
            }
        }
        switch number(0, 1) {
        case ..<0.2: return .circle(centre, radius: extent)
        case ..<0.4:
            let half = Point(extent, extent * number(0.4, 1))
            return .box(centre, half: half, radius: chance(0.5) ? 0 : extent * number(0.1, 0.4), angle: chance(0.5) ? 0 : number(0, 3))
        case ..<0.55: return .ring(centre, radius: extent * 0.8, width: extent * number(0.1, 0.4))
        case ..<0.7: return .polygon(corners(2 * Int.random(in: 4...9, using: &random), inner: number(0.35, 0.7), turn: number(0, 6)))
        case ..<0.85: return .polygon(corners(Int.random(in: 3...8, using: &random), inner: 1, turn: number(0, 6)))
        default: return .polygon(blob(centre, extent))
        }
    }

    /// A closed smooth outline.
    mutating func blob(_ centre: Point, _ extent: Float) -> [Point] {
        let count = Int.random(in: 4...8, using: &random)
        let points = (0..<count).map { index in
            let angle = 2 * .pi * Double(index) / Double(count)
            return centre + Point(Float(cosine(angle)), Float(cosine(angle - .pi / 2))) * (extent * number(0.45, 1))
        }
        return Shape.curve(through: points, isClosed: true)
    }

    // MARK: Line art

    mutating func lineArt() {
        let paper = paper()
        ground(paper)
        let side = Float(size)
        let ink = ink(on: paper)
        let width = number(0.8, 4)
        for _ in 0..<Int.random(in: 4...9, using: &random) {
            let extent = side * number(0.1, 0.4)
            let centre = point()
            switch number(0, 1) {
            case ..<0.3:  // A flat area with an outline, as comics have.
                let outline = blob(centre, extent)
                if chance(0.6) { canvas.draw(.polygon(outline), .solid(colour())) }
                canvas.draw(.stroke(outline, width: width), .solid(ink))
            case ..<0.5:
                let points = (0..<Int.random(in: 3...6, using: &random)).map { _ in point(margin: 20) }
                canvas.draw(.stroke(Shape.curve(through: points, isClosed: false), width: width * number(0.5, 1.5)), .solid(ink))
            case ..<0.7: hatch(in: .polygon(blob(centre, extent)), centre, extent, ink)
            case ..<0.82: dots(in: .polygon(blob(centre, extent)), centre, extent, chance(0.5) ? ink : colour())
            case ..<0.92:
                let gap = number(2.5, 9)
                var radius = gap
                while radius < extent {
                    canvas.draw(.ring(centre, radius: radius, width: max(0.8, gap * 0.35)), .solid(ink))
                    radius += gap
                }
            default:
                let corners = (0..<Int.random(in: 3...6, using: &random)).map { _ in point() }
                canvas.draw(.stroke(corners + corners.prefix(1), width: width), .solid(ink))
            }
        }
    }

    /// Parallel lines inside an outline.
    mutating func hatch(in outline: Shape, _ centre: Point, _ extent: Float, _ ink: Colour) {
        let angle = Double(number(0, 3.14))
        let (along, across) = (Point(Float(cosine(angle)), Float(cosine(angle - .pi / 2))), Point(-Float(cosine(angle - .pi / 2)), Float(cosine(angle))))
        let gap = number(2.2, 8)
        let width = max(0.7, gap * number(0.2, 0.5))
        var offset = -extent
        while offset < extent {
            let middle = centre + across * offset
            canvas.draw(Shape.stroke([middle - along * extent, middle + along * extent], width: width).intersection(outline), .solid(ink))
            offset += gap
        }
    }

    /// A line screen of dots inside an outline.
    mutating func dots(in outline: Shape, _ centre: Point, _ extent: Float, _ ink: Colour) {
        let gap = number(3, 9)
        let radius = gap * number(0.2, 0.45)
        var row = 0
        var y = -extent
        while y < extent {
            var x = -extent + (row % 2 == 0 ? 0 : gap / 2)
            while x < extent {
                let dot = centre + Point(x, y)
                if outline.distance(dot) < 0 { canvas.draw(.circle(dot, radius: radius), .solid(ink)) }
                x += gap
            }
            y += gap * 0.866
            row += 1
        }
    }

    private static let words = """
        the and of to in is that for with you this from light water garden window letter morning station bridge paper kitchen music \
        number winter market journey quiet yellow history engine harbour coffee weather island mountain question simple answer open \
        closed menu price total page chapter index north south entrance exit platform ticket museum library bakery pharmacy hotel \
        restaurant river street avenue square tower church school theatre cinema police post office bank price sale new fresh free \
        straße über für schön grün größe äpfel müller fußgänger ausgang eingang bäckerei königin vögel écran été naïve garçon forêt \
        où déjà pâtisserie señor año mañana corazón niño peña coração não ação pão così perché città più łódź żółty mężczyzna zażółć \
        příliš žluťoučký kůň ørsted smørrebrød blåbær åre ångström jäätelö yö árvíztűrő fúrógép șase țară ışık güneş işçi
        """.split(whereSeparator: \.isWhitespace).map(String.init)
}
