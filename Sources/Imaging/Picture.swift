// Picture: an image with everything a file carries beside its colours: alpha, profile, metadata.

import CVips
public import SuperResolution

/// A picture in memory, upright, grey or RGB, with its alpha apart.
public struct Picture: Sendable {
    /// One channel (grey) or three (RGB), 8 or 16 bits, in sRGB or in the profile among the metadata.
    public var pixels: PixelBuffer
    /// One channel of the same size and depth; the colour is not multiplied with it.
    public var alpha: PixelBuffer?
    /// What else the file said.
    public var metadata: Metadata?
    /// The format of the file it came from.
    public var format: ImageFormat?
    /// The file it came from, so that it is never overwritten.
    package var origin: FileIdentity?
    /// What became of the file's own samples.
    var source = SourceEncoding()
    /// What was left out when the file was read, in words.
    package var remarks: [String] = []

    /// - Precondition: 1 or 3 colour channels; alpha of the same size and depth.
    public init(pixels: PixelBuffer, alpha: PixelBuffer? = nil, metadata: Metadata? = nil, format: ImageFormat? = nil) {
        precondition(pixels.channels == 1 || pixels.channels == 3, "a picture is grey or RGB")
        if let alpha {
            precondition(
                alpha.channels == 1 && (alpha.width, alpha.height, alpha.depth) == (pixels.width, pixels.height, pixels.depth),
                "alpha must match the colour")
        }
        self.pixels = pixels
        self.alpha = alpha
        self.metadata = metadata
        self.format = format
    }

    public var width: Int { pixels.width }
    public var height: Int { pixels.height }
}

/// What a picture may be at most; checked after the header and before any pixel is decoded.
public struct ImageLimits: Sendable, Hashable {
    /// Width × height.
    public var pixels: Int
    /// Of each side.
    public var side: Int

    /// 268 megapixels (2²⁸) and a million pixels a side unless told otherwise.
    public init(pixels: Int = 1 << 28, side: Int = 1_000_000) {
        self.pixels = pixels
        self.side = side
    }
}
