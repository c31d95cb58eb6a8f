// SyntheticText: pages, screens, labels in perspective and captions on photographs, by chance.

extension Artist {
    mutating func text(_ render: Render) throws {
        switch number(0, 1) {
        case ..<0.45: try page(render)
        case ..<0.7: try screen(render)
        case ..<0.84: try inPerspective(render)
        default: try caption(render)
        }
    }

    /// Lines below each other on a flat ground.
    mutating func page(_ render: Render) throws {
        let paper = paper()
        ground(paper)
        try lines(on: paper, render)
        if chance(0.12) { try stamp(render) }
    }

    private mutating func lines(on paper: Colour, _ render: Render) throws {
        var style = style()
        var ink = ink(on: paper)
        var y = Int(number(-8, 12))
        let left = Int(number(-20, 16))
        var tries = 0
        while y < size, tries < 400 {
            tries += 1
            // A page keeps its style for a while.
            if chance(0.25) { style = self.style() }
            if chance(0.1) { ink = self.ink(on: paper) }
            let text = line(style, letters: max(2, Int(Float(size) / style.xHeight)))
            guard let mask = try mask(text, style, render) else {
                style = self.style()
                continue
            }
            if chance(0.07) {  // Marked.
                let colour = self.ink(on: ink)
                rectangle(left - 3, y - 2, mask.width + 6, mask.height + 4, colour)
            }
            write(mask, text: text, style: style, x: left, y: y, .solid(ink))
            if chance(0.06) {
                let under = Float(y + mask.height) + 2
                canvas.draw(.stroke([Point(Float(left), under), Point(Float(left + mask.width), under)], width: unit * number(0.4, 1.2)), .solid(ink))
            }
            y += mask.height + max(2, Int(style.xHeight * number(0.4, 1.4)))
        }
    }

    /// A word in large letters across the page, turned a little.
    private mutating func stamp(_ render: Render) throws {
        let style = style(xHeight: settings.xHeight.lowerBound * number(1.5, 4))
        let text = word(style).uppercased()
        guard let mask = try mask(text, style, render), mask.width < 2 * size else { return }
        let angle = Double(number(-0.5, 0.5))
        let (along, down) = (Point(Float(cosine(angle)), Float(cosine(angle - .pi / 2))), Point(-Float(cosine(angle - .pi / 2)), Float(cosine(angle))))
        let centre = point()
        let half = (Float(mask.width) / 2, Float(mask.height) / 2)
        let corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)].map { x, y in centre + along * (half.0 * Float(x)) + down * (half.1 * Float(y)) }
        canvas.draw(mask, corners: corners, .solid(colour()), opacity: number(0.5, 1))
        let (low, high) = (corners.reduce(corners[0]) { pointwiseMin($0, $1) }, corners.reduce(corners[0]) { pointwiseMax($0, $1) })
        labels.append(
            .init(text: text, font: style.font.description, x: Int(low.x), y: Int(low.y), width: Int(high.x - low.x) + 1, height: Int(high.y - low.y) + 1))
    }

    // MARK: Screens

    /// A rectangle on whole pixels.
    mutating func rectangle(_ x: Int, _ y: Int, _ width: Int, _ height: Int, _ colour: Colour) {
        canvas.fill(x: x, y: y, width: width, height: height, colour)
    }

    /// The outline of one, drawn inwards.
    private mutating func frame(_ x: Int, _ y: Int, _ width: Int, _ height: Int, line: Int, _ colour: Colour) {
        rectangle(x, y, width, line, colour)
        rectangle(x, y + height - line, width, line, colour)
        rectangle(x, y, line, height, colour)
        rectangle(x + width - line, y, line, height, colour)
    }

    /// Bars, buttons, fields, ticks and table rows, as windows and web pages have them.
    mutating func screen(_ render: Render) throws {
        let paper = chance(0.65) ? Colour(repeating: number(235, 255)) : Colour(number(15, 50), number(15, 50), number(20, 60))
        canvas = Canvas(width: size, height: size, filledWith: paper)
        let line = max(1, Int(unit.rounded()))
        let style = style(xHeight: settings.xHeight.lowerBound * number(1, 1.8))
        let accent = colour()
        let grey = paper * 0.75 + ink(on: paper) * 0.25
        var y = Int(number(-20, 4))
        let row = Int(style.xHeight * number(3, 4.5))
        while y < size {
            var x = Int(number(-30, 20))
            switch number(0, 1) {
            case ..<0.2:  // A title bar.
                rectangle(0, y, size, row, accent)
                try put(word(style) + " " + word(style), style, x: max(4, x), middle: y + row / 2, ink(on: accent), render)
            case ..<0.5:  // Buttons and fields.
                while x < size {
                    let width = Int(style.xHeight * number(5, 14))
                    let height = row - 2 * line
                    let fill = chance(0.4) ? accent : chance(0.5) ? paper * 0.92 + 8 : paper
                    let radius = chance(0.5) ? 0 : style.xHeight * number(0.2, 1.2)
                    if radius == 0 {
                        rectangle(x, y + line, width, height, fill)
                        if chance(0.7) { frame(x, y + line, width, height, line: line, chance(0.5) ? grey : accent) }
                    } else {
                        let middle = Point(Float(x) + Float(width) / 2, Float(y + line) + Float(height) / 2)
                        let half = Point(Float(width) / 2, Float(height) / 2)
                        canvas.draw(.box(middle, half: half, radius: radius), .solid(grey))
                        canvas.draw(.box(middle, half: half - Float(line), radius: max(0.5, radius - Float(line))), .solid(fill))
                    }
                    try put(word(style), style, x: x + Int(style.xHeight), middle: y + row / 2, ink(on: fill), render, width: width - Int(1.5 * style.xHeight))
                    x += width + Int(style.xHeight * number(0.8, 3))
                }
            case ..<0.65:  // A tick box or a bullet and its text.
                let side = Int(style.xHeight * 1.4)
                x = max(4, x)
                if chance(0.6) {
                    frame(x, y + (row - side) / 2, side, side, line: line, ink(on: paper))
                    if chance(0.5) {
                        let (left, top, edge) = (Float(x), Float(y + (row - side) / 2), Float(side))
                        canvas.draw(
                            .stroke([Point(left + edge * 0.2, top + edge * 0.5), Point(left + edge * 0.42, top + edge * 0.75), Point(left + edge * 0.82, top + edge * 0.22)], width: unit * 1.2),
                            .solid(accent))
                    }
                } else {
                    canvas.draw(.circle(Point(Float(x) + Float(side) / 2, Float(y) + Float(row) / 2), radius: Float(side) * number(0.2, 0.5)), .solid(accent))
                }
                try put(self.line(style, letters: 24), style, x: x + side + Int(style.xHeight), middle: y + row / 2, ink(on: paper), render)
            case ..<0.85:  // A row of a table.
                let isFilled = chance(0.4)
                if isFilled { rectangle(0, y, size, row, paper * 0.93 + (luma(paper) > 128 ? 0 : 14)) }
                rectangle(0, y + row - line, size, line, grey)
                while x < size {
                    let width = Int(style.xHeight * number(6, 16))
                    try put(word(style), style, x: x + Int(style.xHeight), middle: y + row / 2, ink(on: paper), render, width: width)
                    x += width
                    rectangle(x, y, line, row, grey)
                }
            default:  // A line of text, perhaps with an icon.
                if chance(0.4) {
                    canvas.draw(emblem(Point(Float(max(8, x)) + Float(row) / 2, Float(y) + Float(row) / 2), Float(row) * 0.4), .solid(colour()))
                    x = max(8, x) + row
                }
                try put(self.line(style, letters: 30), style, x: x, middle: y + row / 2, chance(0.3) ? accent : ink(on: paper), render)
            }
            y += row + (chance(0.4) ? 0 : Int(style.xHeight * number(0.2, 1.5)))
        }
    }

    /// Writes around a middle line, unless the text is too wide.
    mutating func put(_ text: String, _ style: Style, x: Int, middle: Int, _ ink: Colour, _ render: Render, width: Int = .max) throws {
        guard let mask = try mask(text, style, render), mask.width <= width else { return }
        write(mask, text: text, style: style, x: x, y: middle - mask.height / 2, .solid(ink))
    }

    // MARK: Photographs and perspective

    /// Text on a photograph, bare, with a shadow or on a panel; on a page where there is no photograph.
    private mutating func caption(_ render: Render) throws {
        guard let backgrounds = settings.backgrounds else { return try page(render) }
        let bytes = backgrounds(&random)
        guard let photograph = Canvas(width: size, height: size, bytes: bytes) else { return try page(render) }
        canvas = photograph
        var y = Int(number(0, Float(size) / 3))
        while y < size {
            let style = style()
            let text = line(style, letters: max(2, Int(Float(size) * number(0.4, 1) / style.xHeight)))
            guard let mask = try mask(text, style, render) else { continue }
            let x = Int(number(-10, 30))
            var ground = canvas.mean(x: x, y: y, width: mask.width, height: mask.height)
            let manner = number(0, 1)
            if manner < 0.35 {  // A panel, perhaps translucent.
                let margin = Int(style.xHeight * number(0.3, 1))
                let panel = paper()
                let opacity = chance(0.5) ? 1 : number(0.45, 0.9)
                canvas.fill(x: x - margin, y: y - margin, width: mask.width + 2 * margin, height: mask.height + 2 * margin, panel, opacity: opacity)
                ground = ground * (1 - opacity) + panel * opacity
            }
            let ink = ink(on: ground)
            if manner > 0.7 {
                let offset = max(1, Int(unit * number(0.5, 2)))
                canvas.draw(mask, x: x + offset, y: y + offset, .solid(Colour(repeating: luma(ink) > 128 ? 0 : 255)), opacity: number(0.4, 1))
            }
            write(mask, text: text, style: style, x: x, y: y, .solid(ink))
            y += mask.height + Int(style.xHeight * number(0.8, 5))
        }
    }

    /// A page or a screen twice as large, seen from aside.
    private mutating func inPerspective(_ render: Render) throws {
        var settings = settings
        settings.xHeight = settings.xHeight.lowerBound * 1.5...settings.xHeight.upperBound * 1.5
        settings.backgrounds = nil
        var sheet = Artist(size: 2 * size, seed: random.next(), settings: settings)
        try chance(0.7) ? sheet.page(render) : sheet.screen(render)
        // What is seen of the sheet: a square turned about its middle, its corners shifted.
        let angle = Double(number(-0.35, 0.35))
        let (c, s) = (Float(cosine(angle)), Float(cosine(angle - .pi / 2)))
        let (middle, half) = (Float(size), Float(size) * number(0.62, 0.76))
        let corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)].map { x, y in
            let corner = Point(Float(x), Float(y)) * half + Point(number(-0.22, 0.22), number(-0.22, 0.22)) * half
            return Point(middle, middle) + Point(c * corner.x - s * corner.y, s * corner.x + c * corner.y)
        }
        let view = Homography(unitSquareTo: corners)
        canvas = sheet.canvas.seen(through: view, side: size)
        let back = view.inverse
        labels = sheet.labels.compactMap { label in
            let (x, y, w, h) = (Float(label.x), Float(label.y), Float(label.width), Float(label.height))
            let seen = [Point(x, y), Point(x + w, y), Point(x + w, y + h), Point(x, y + h)].map { back($0) * Float(size) }
            let (low, high) = (seen.reduce(seen[0]) { pointwiseMin($0, $1) }, seen.reduce(seen[0]) { pointwiseMax($0, $1) })
            guard low.x > -1e4, low.y > -1e4, high.x < 1e4, high.y < 1e4, low.x < Float(size), low.y < Float(size), high.x > 0, high.y > 0 else { return nil }
            return .init(text: label.text, font: label.font, x: Int(low.x), y: Int(low.y), width: Int(high.x - low.x) + 1, height: Int(high.y - low.y) + 1)
        }
    }
}
