// SyntheticDrawings: logos and line art, by chance.

extension Artist {
    // MARK: Logos

    mutating func logo(_ render: Render) throws {
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
        if chance(0.3) { canvas.draw(.ring(centre, radius: radius * 1.15, width: unit * number(0.8, 4)), .solid(ink(on: paper))) }
        // The name below the emblem, and sometimes a line in small print.
        let style = style()
        let name = chance(0.5) ? word(style).uppercased() : word(style)
        let tagline = chance(0.5) ? line(style, letters: 14) : nil
        var y = Int(centre.y + radius * 1.2) + 6
        let small = settings.xHeight.lowerBound
        for (text, height) in [(name, small * number(1.5, 5)), (tagline ?? "", small * number(1, 1.6))] where !text.isEmpty {
            var style = style
            style.xHeight = height
            guard let mask = try mask(text, style, render) else { continue }
            let x = max(4, (size - mask.width) / 2)
            write(mask, text: text, style: style, x: x, y: min(y, size - mask.height - 2), .solid(ink(on: paper)))
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
        if chance(0.3) { return grid(paper, ink) }
        let width = unit * number(0.5, 2.5)
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
                let gap = unit * number(2.2, 7)
                var radius = gap
                while radius < extent {
                    canvas.draw(.ring(centre, radius: radius, width: max(0.5 * unit, gap * 0.35)), .solid(ink))
                    radius += gap
                }
            default:
                let corners = (0..<Int.random(in: 3...6, using: &random)).map { _ in point() }
                canvas.draw(.stroke(corners + corners.prefix(1), width: width), .solid(ink))
            }
        }
    }

    /// Lines and boxes along the axes, on whole pixels: crossword, plan, pixel art, bar code.
    private mutating func grid(_ paper: Colour, _ ink: Colour) {
        let line = max(1, Int(unit.rounded()))
        let cell = line * whole(2...14)
        let (left, top) = (whole(0...cell), whole(0...cell))
        let (isFilled, isRuled, isBars) = (chance(0.6), chance(0.7), chance(0.2))
        let colours = (0..<3).map { _ in colour() } + [ink]
        let share = number(0.1, 0.6)
        for (row, y) in stride(from: top - cell, to: size, by: cell).enumerated() {
            for x in stride(from: left - cell, to: size, by: cell) {
                if isFilled, chance(share) { canvas.fill(x: x, y: isBars ? 0 : y, width: cell, height: isBars ? size : cell, pick(colours) ?? ink) }
                if isRuled, row == 0 { canvas.fill(x: x, y: 0, width: line, height: size, ink) }
            }
            if isRuled { canvas.fill(x: 0, y: y, width: size, height: line, ink) }
            if isBars { break }
        }
        guard chance(0.5) else { return }
        for _ in 0..<whole(1...4) {
            let points = [point(), point()]
            canvas.draw(.stroke(points, width: unit * number(0.7, 1.5)), .solid(pick(colours) ?? ink))
        }
    }

    /// Parallel lines inside an outline.
    mutating func hatch(in outline: Shape, _ centre: Point, _ extent: Float, _ ink: Colour) {
        let angle = Double(number(0, 3.14))
        let (along, across) = (Point(Float(cosine(angle)), Float(cosine(angle - .pi / 2))), Point(-Float(cosine(angle - .pi / 2)), Float(cosine(angle))))
        let gap = unit * number(2, 6)
        let width = max(0.5 * unit, gap * number(0.2, 0.5))
        var offset = -extent
        while offset < extent {
            let middle = centre + across * offset
            canvas.draw(Shape.stroke([middle - along * extent, middle + along * extent], width: width).intersection(outline), .solid(ink))
            offset += gap
        }
    }

    /// A line screen of dots inside an outline.
    mutating func dots(in outline: Shape, _ centre: Point, _ extent: Float, _ ink: Colour) {
        let gap = unit * number(2.2, 7)
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
}
