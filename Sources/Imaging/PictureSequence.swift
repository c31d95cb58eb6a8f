// PictureSequence: all the pictures of one file: the frames of an animation, the pages of a document, or just one.

import SuperResolution

/// The pictures of a file, all of one size.
public struct PictureSequence: Sendable {
    /// How an animation plays.
    public struct Animation: Sendable, Hashable {
        /// How long each frame is shown, milliseconds.
        public var delays: [Int]
        /// How many times it plays; 0 is for ever.
        public var loops: Int

        public init(delays: [Int], loops: Int) {
            self.delays = delays
            self.loops = loops
        }
    }

    /// At least one.
    public var pictures: [Picture]
    /// `nil` for pages and single pictures.
    public var animation: Animation?

    /// - Precondition: at least one picture, all of one size; as many delays as pictures.
    public init(pictures: [Picture], animation: Animation? = nil) {
        precondition(!pictures.isEmpty && pictures.allSatisfy { ($0.width, $0.height) == (pictures[0].width, pictures[0].height) }, "pictures of one size")
        precondition(animation == nil || animation?.delays.count == pictures.count, "a delay for every picture")
        self.pictures = pictures
        self.animation = animation
    }

    /// Reads all pictures of a file.
    /// - Parameter limits: bounds the pixels of all of them together.
    /// - Throws: ``AcuityError``: `.file` if it cannot be opened, `.image` if it is no sound picture or exceeds `limits`.
    public init(contentsOf path: String, limits: ImageLimits = ImageLimits(), colour: ColourReading = .own) throws {
        self = try PictureFile(contentsOf: path, limits: limits).read(colour, first: false)
    }

    /// Pixels per row of each picture.
    public var width: Int { pictures[0].width }
    /// Rows of each picture.
    public var height: Int { pictures[0].height }
    public var format: ImageFormat? { pictures[0].format }

    /// Whether ``write(to:options:)`` would be let to; asked before an hour of work rather than after it.
    /// - Throws: what writing would throw about the path, the format and the size `width × height` in that format.
    public func checkWriting(to path: String, options: Picture.WritingOptions, width: Int, height: Int) throws {
        try pictures[0].checkWriting(to: path, options: options, width: width, height: height)
    }

    /// Writes the file, whole or not at all. A format that holds one picture gets the first.
    /// - Returns: what the file does not hold although the source did, a line each.
    /// - Throws: ``AcuityError``: `.usage` for options that do not fit the format, `.file` if the file may not be written.
    @discardableResult public func write(to path: String, options: Picture.WritingOptions = Picture.WritingOptions()) throws -> [String] {
        try Picture.write(self, to: path, options: options)
    }
}
