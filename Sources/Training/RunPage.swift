// RunPage: a run as one self-contained HTML page: curves as inline SVG, sample patches as PNG within the page.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

enum RunPage {
    /// What the network made of the sample patches after some steps, as PNG files.
    struct Round {
        let step: Int
        let pictures: [Data]
    }

    static func html(name: String, lines: [RunRecord.Line], samples: [SamplePatch], rounds: [Round]) -> String {
        var body = ""
        if let last = lines.last {
            var facts = ["step \(last.step)", "\(fixed(last.minutes, 1)) min", "\(fixed(last.images_per_second, 0)) images/s"]
            if let psnr = last.psnr_y { facts.append("PSNR-Y \(fixed(psnr, 3)) dB") }
            if let distance = last.perceptual { facts.append("perceptual distance \(fixed(distance, 4))") }
            if let psnr = last.degraded_psnr_y { facts.append("degraded: PSNR-Y \(fixed(psnr, 3)) dB") }
            if let distance = last.degraded_perceptual { facts.append("perceptual distance \(fixed(distance, 4))") }
            body += "<p>\(facts.joined(separator: " · "))</p>\n"
        }
        body += curve("PSNR-Y, dB", lines.compactMap { line in line.psnr_y.map { (line.step, $0) } })
        body += curve("perceptual distance", lines.compactMap { line in line.perceptual.map { (line.step, $0) } })
        body += curve("PSNR-Y of degraded pictures, dB", lines.compactMap { line in line.degraded_psnr_y.map { (line.step, $0) } })
        body += curve("perceptual distance of degraded pictures", lines.compactMap { line in line.degraded_perceptual.map { (line.step, $0) } })
        for term in Set(lines.flatMap { $0.loss.keys }).sorted() {
            body += curve("loss: \(term)", lines.compactMap { line in line.loss[term].map { (line.step, $0) } })
        }
        body += curve("loss: discriminator", lines.compactMap { line in line.d_loss.map { (line.step, $0) } })
        body += curve("discriminator, P(real | truth)", lines.compactMap { line in line.d_real.map { (line.step, $0) } })
        body += curve("discriminator, P(real | output)", lines.compactMap { line in line.d_made.map { (line.step, $0) } })
        body += curve("learning rate", lines.map { ($0.step, $0.rate) })
        func row(_ files: [Data], like size: SmallPicture) -> String {
            "<tr>" + files.map {
                "<td><img alt=\"\" src=\"data:image/png;base64,\($0.base64EncodedString())\" width=\"\(size.width)\" height=\"\(size.height)\"></td>"
            }.joined() + "</tr>\n"
        }
        func table(_ heads: [String], _ rows: [String]) -> String {
            "<table><tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr>\n\(rows.joined())</table>\n"
        }
        if !samples.isEmpty {
            body += table(["read", "made, the running average of the weights", "truth"], samples.map { row([$0.low.png, $0.output.png, $0.target.png], like: $0.target) })
        }
        let complete = rounds.filter { $0.pictures.count == samples.count }
        if !complete.isEmpty {
            body += "<p>What the weights of the moment made after so many steps:</p>\n" + table(
                complete.map { "\($0.step)" }, samples.indices.map { index in row(complete.map { $0.pictures[index] }, like: samples[index].target) })
        }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="30"><title>\(escaped(name))</title>
            <style>
            body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; overflow-x: auto; color: #222; background: #fff }
            figure { display: inline-block; margin: 0 1em 1em 0 } figcaption { font-size: 13px }
            svg { background: #f6f6f4 } polyline { fill: none; stroke: #1a6; stroke-width: 1.5 } text { font: 11px sans-serif; fill: #555 }
            img { image-rendering: pixelated; display: block } td, th { padding: 2px 6px; font-weight: normal; text-align: left }
            </style></head><body>
            <h1>\(escaped(name))</h1>
            \(body)</body></html>

            """
    }

    /// A line over steps with its least and greatest value written beside it; at most 400 points.
    private static func curve(_ title: String, _ points: [(step: Int, value: Double)]) -> String {
        let points = points.filter { $0.value.isFinite }
        guard points.count > 1, let first = points.first, let last = points.last else { return "" }
        let (width, height, left) = (420.0, 150.0, 60.0)
        let values = points.map(\.value)
        let (low, high) = (values.min() ?? 0, values.max() ?? 1)
        let span = high > low ? high - low : 1
        let steps = Double(max(1, last.step - first.step))
        let stride = max(1, points.count / 400)
        let shown = points.indices.filter { $0 % stride == 0 || $0 == points.count - 1 }.map { points[$0] }
        let path = shown.map { point in
            let x = left + (width - left - 8) * Double(point.step - first.step) / steps
            let y = height - 20 - (height - 34) * (point.value - low) / span
            return "\(fixed(x, 1)),\(fixed(y, 1))"
        }
        return """
            <figure><svg width="\(Int(width))" height="\(Int(height))"><polyline points="\(path.joined(separator: " "))"/>
            <text x="4" y="18">\(significant(high))</text><text x="4" y="\(Int(height) - 20)">\(significant(low))</text>
            <text x="\(Int(left))" y="\(Int(height) - 5)">step \(first.step)</text>
            <text x="\(Int(width) - 8)" y="\(Int(height) - 5)" text-anchor="end">\(last.step)</text></svg>
            <figcaption>\(escaped(title)): \(significant(last.value))</figcaption></figure>

            """
    }

    private static func significant(_ value: Double) -> String {
        let size = abs(value)
        if size >= 100 { return fixed(value, 1) }
        if size >= 1 { return fixed(value, 3) }
        if size >= 0.001 || size == 0 { return fixed(value, 5) }
        return "\(Float(value))"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}
