// Raster: pixels as the networks and resamplers see them.

/// A rectangle of pixels as 32-bit floats.
///
/// Samples are interleaved (`R G B R G B …`), rows run top to bottom without padding, values are nominally 0…1 in
/// non-linear sRGB unless a function says otherwise. Values outside 0…1 are allowed between steps.
public struct Raster: Sendable, Equatable {
    /// Pixels per row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Samples per pixel: 1 (grey or luma), 3 (RGB), or any number for features.
    public let channels: Int
    /// `width × height × channels` samples, row by row, interleaved.
    public var samples: [Float]

    /// Wraps samples that are already in memory.
    /// - Precondition: `samples.count == width * height * channels`.
    public init(width: Int, height: Int, channels: Int, samples: [Float]) {
        precondition(samples.count == width * height * channels, "a raster needs width × height × channels samples")
        self.width = width
        self.height = height
        self.channels = channels
        self.samples = samples
    }

    /// A raster filled with one value.
    public init(width: Int, height: Int, channels: Int, filledWith value: Float = 0) {
        self.init(
            width: width, height: height, channels: channels,
            samples: [Float](repeating: value, count: width * height * channels))
    }

    /// Samples per row: `width × channels`.
    public var stride: Int { width * channels }

    /// The sample at column `x`, row `y`, channel `channel`.
    public subscript(x: Int, y: Int, channel: Int) -> Float {
        get { samples[(y * width + x) * channels + channel] }
        set { samples[(y * width + x) * channels + channel] = newValue }
    }

    /// A copy of the pixels inside `region`.
    /// - Precondition: `region` lies inside the raster.
    public func cropped(to region: Region) -> Raster {
        precondition(region.isInside(width: width, height: height), "the region must lie inside the raster")
        if region == Region(x: 0, y: 0, width: width, height: height) { return self }
        var result = [Float]()
        result.reserveCapacity(region.width * region.height * channels)
        for y in region.y..<(region.y + region.height) {
            let start = (y * width + region.x) * channels
            result.append(contentsOf: samples[start..<(start + region.width * channels)])
        }
        return Raster(width: region.width, height: region.height, channels: channels, samples: result)
    }
}

/// A rectangle in pixel coordinates: `x`, `y` are its left and top edge.
public struct Region: Sendable, Hashable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    func isInside(width: Int, height: Int) -> Bool {
        x >= 0 && y >= 0 && self.width >= 0 && self.height >= 0 && x + self.width <= width && y + self.height <= height
    }
}
