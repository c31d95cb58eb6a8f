// TextRendering: a line of text as coverage, through libvips and Pango, in the fonts of the system.

import CVips
public import SuperResolution
import Synchronization

/// Draws text where libvips was built with Pango.
public enum TextRendering {
    /// Pango's font map and what cairo keeps of it are one for the process and not safe to use from two threads.
    private static let turn = Mutex(())

    /// Whether this libvips draws text at all.
    public static var isAvailable: Bool { (try? coverage(of: "A", font: "sans", pixels: 16)) != nil }

    /// Renders one line.
    /// - Parameters:
    ///   - font: a Pango description without a size, e.g. `DejaVu Serif Bold`; another font stands in for a missing one.
    ///   - pixels: the font's size in pixels, 4…1000.
    /// - Returns: one 8-bit channel, 0 where there is no ink, cut to the ink; nil for text without ink.
    /// - Throws: ``AcuityError`` with code `.image` if libvips cannot.
    public static func coverage(of text: String, font: String, pixels: Int) throws -> PixelBuffer? {
        try Vips.start()
        var markup = ""
        for character in text {
            switch character {
            case "&": markup += "&amp;"
            case "<": markup += "&lt;"
            case ">": markup += "&gt;"
            case _ where character.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }): markup += " "
            default: markup.append(character)
            }
        }
        guard markup.contains(where: { !$0.isWhitespace }) else { return nil }
        let description = "\(font) \(max(4, min(1000, pixels)))px"
        return try turn.withLock { _ in
            guard let image = cvips_text(markup, description) else {
                let reason = Vips.takeError()
                // libvips' words for text that has no ink, such as characters that are all blank.
                if reason.contains("no text to render") { return nil }
                throw AcuityError(.image, "libvips cannot draw text (it needs to be built with Pango): \(reason)")
            }
            return try VipsPicture(image).pixels()
        }
    }
}
