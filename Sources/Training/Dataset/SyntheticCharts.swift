// SyntheticCharts: bars, curves, sectors and points with axes, ticks and legends, by chance.

extension Artist {
    mutating func chart(_ render: Render) throws {
        let paper = chance(0.75) ? Colour(repeating: number(240, 255)) : paper()
        canvas = Canvas(width: size, height: size, filledWith: paper)
        let ink = ink(on: paper)
        let line = max(1, Int(unit.rounded()))
        let style = style(xHeight: settings.xHeight.lowerBound * number(1, 1.6))
        let letter = Int(style.xHeight)
        let (left, right, top, bottom) = (whole(3...6) * letter, size - whole(0...2) * letter - 2, whole(1...4) * letter, size - whole(3...4) * letter)
        let (width, height) = (right - left, bottom - top)
        guard width > 16, height > 16 else { return }
        let colours = (0..<4).map { _ in self.colour() }
        try put(self.line(style, letters: 14), style, x: left, middle: max(letter / 2, top - letter), ink, render)

        let kind = whole(0...4)
        if kind < 4 {
            // Grid lines and ticks.
            let steps = whole(2...6)
            let pale = paper * 0.82 + ink * 0.18
            for step in 0...steps {
                let y = bottom - height * step / steps
                if chance(0.8) { canvas.fill(x: left, y: y, width: width, height: line, pale) }
                canvas.fill(x: left - 2 * line, y: y, width: 2 * line, height: line, ink)
                try put("\(step * whole(1...25))", style, x: max(1, left - 3 * letter), middle: y, ink, render, width: 3 * letter)
            }
            if chance(0.5) {
                for step in 0...steps { canvas.fill(x: left + width * step / steps, y: top, width: line, height: height, pale) }
            }
        }
        switch kind {
        case 0, 1:
            let count = whole(3...10)
            let (pitch, isOutlined) = (Float(width) / Float(count), chance(0.3))
            for bar in 0..<count {
                let value = Int(Float(height) * number(0.05, 0.95))
                let x = left + Int(pitch * (Float(bar) + 0.15))
                let across = max(1, Int(pitch * 0.7))
                canvas.fill(x: x, y: bottom - value, width: across, height: value, colours[kind == 0 ? 0 : bar % 4])
                if isOutlined { canvas.draw(.stroke([Point(Float(x), Float(bottom)), Point(Float(x), Float(bottom - value)), Point(Float(x + across), Float(bottom - value)), Point(Float(x + across), Float(bottom))], width: unit), .solid(ink)) }
            }
        case 2:
            for curve in 0..<whole(1...3) {
                let points = (0...whole(4...12)).map { _ in number(0.05, 0.95) }
                let places = points.enumerated().map { Point(Float(left) + Float(width) * Float($0) / Float(points.count - 1), Float(bottom) - Float(height) * $1) }
                canvas.draw(.stroke(chance(0.4) ? Shape.curve(through: places, isClosed: false, steps: 6) : places, width: unit * number(0.8, 2)), .solid(colours[curve]))
                if chance(0.4) { for place in places { canvas.draw(.circle(place, radius: unit * 1.7), .solid(colours[curve])) } }
            }
        case 3:
            for _ in 0..<whole(10...50) {
                let place = Point(number(Float(left), Float(right)), number(Float(top), Float(bottom)))
                let radius = unit * number(1, 2.2)
                canvas.draw(chance(0.6) ? .circle(place, radius: radius) : .box(place, half: Point(radius, radius), radius: 0), .solid(pick(colours) ?? ink))
            }
        default:
            let centre = Point(Float(left + width / 2), Float(top + height / 2))
            let radius = Float(min(width, height)) * number(0.35, 0.48)
            var angle = Double(number(0, 6))
            let end = angle + 2 * .pi
            var sector = 0
            while angle < end {
                let next = min(end, angle + Double(number(0.3, 1.6)))
                let arc = (0...12).map { step -> Point in
                    let at = angle + (next - angle) * Double(step) / 12
                    return centre + Point(Float(cosine(at)), Float(cosine(at - .pi / 2))) * radius
                }
                canvas.draw(.polygon([centre] + arc), .solid(colours[sector % 4] * (0.6 + 0.1 * Float(sector % 5))))
                if chance(0.5) { canvas.draw(.stroke([centre, arc[0]], width: unit), .solid(paper)) }
                (angle, sector) = (next, sector + 1)
            }
        }
        if kind < 4 {
            canvas.fill(x: left, y: top, width: line, height: height + line, ink)
            canvas.fill(x: left, y: bottom, width: width, height: line, ink)
        }
        // Words below, and a legend.
        var x = left
        while x < size - letter {
            let text = word(style)
            guard let mask = try mask(text, style, render) else { break }
            write(mask, text: text, style: style, x: x, y: bottom + letter, .solid(ink))
            x += mask.width + 2 * letter
        }
        guard chance(0.5) else { return }
        let (boxLeft, boxTop, rows) = (right - 9 * letter, top + letter, whole(1...3))
        canvas.fill(x: boxLeft - line, y: boxTop - line, width: 9 * letter + 2 * line, height: rows * 2 * letter + 2 * line, ink)
        canvas.fill(x: boxLeft, y: boxTop, width: 9 * letter, height: rows * 2 * letter, paper)
        for row in 0..<rows {
            let y = boxTop + (2 * row + 1) * letter
            canvas.fill(x: boxLeft + letter / 2, y: y - letter / 2, width: letter, height: letter, colours[row])
            try put(word(style), style, x: boxLeft + 2 * letter, middle: y, ink, render, width: 7 * letter)
        }
    }
}
