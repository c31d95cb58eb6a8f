// SyntheticLine: one drawn line of words, to be read again by a text recogniser.

/// A line of words of one language on a plain ground, as high resolution.
public struct SyntheticLine: Sendable {
    public let text: String
    public let language: SyntheticWords.Language
    public let font: String
    /// Pixels.
    public let xHeight: Float
    public let width: Int
    public let height: Int
    /// `height × width × 3`.
    public let bytes: [UInt8]

    /// Draws one; half of the lines are dark on light, the others light on dark or coloured.
    /// - Parameters:
    ///   - multiple: both sides are multiples of it.
    ///   - settings: fonts and split; the letters' height is drawn from them, uniformly.
    /// - Returns: nil where no font writes the language.
    public init?(
        _ language: SyntheticWords.Language, letters: Int, multiple: Int, seed: UInt64, settings: SyntheticPicture.Settings, render: SyntheticPicture.Render
    ) throws {
        var artist = Artist(size: 32, seed: seed, settings: settings)
        guard var style = artist.style(of: language) else { return nil }
        style.xHeight = artist.number(settings.xHeight.lowerBound, settings.xHeight.upperBound)
        let text = artist.strings.plainLine(letters: letters, language: language, using: &artist.random)
        guard let mask = try artist.mask(text, style, render) else { return nil }
        let margin = Int(style.xHeight.rounded())
        func side(_ ink: Int) -> Int { (ink + 2 * margin + multiple - 1) / multiple * multiple }
        let paper: Canvas.Colour = switch artist.number(0, 1) {
        case ..<0.6: .init(repeating: artist.chance(0.6) ? 255 : artist.number(215, 250))
        case ..<0.8: .init(repeating: artist.number(0, 40))
        default: artist.colour()
        }
        artist.canvas = Canvas(width: side(mask.width), height: side(mask.height), filledWith: paper)
        artist.write(mask, text: text, style: style, x: margin + artist.whole(0...(multiple - 1)), y: margin + artist.whole(0...(multiple - 1)), .solid(artist.ink(on: paper)))
        self.text = text
        self.language = language
        font = style.font.description
        xHeight = style.xHeight
        (width, height, bytes) = (artist.canvas.width, artist.canvas.height, artist.canvas.bytes)
    }
}
