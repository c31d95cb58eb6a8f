// Luma: a picture's brightness, as the measures of an inspection see it.

import SuperResolution

/// Luma of BT.601 in full swing, 0…255, row by row.
struct Luma: Sendable {
    let width: Int
    let height: Int
    let values: [Float]

    init(width: Int, height: Int, values: [Float]) {
        self.width = width
        self.height = height
        self.values = values
    }

    /// - Parameter side: at most this many pixels a side, from the picture's middle.
    init(_ pixels: PixelBuffer, side: Int = .max) {
        let (width, height) = (min(pixels.width, side), min(pixels.height, side))
        let raster = pixels.raster(of: Region(x: (pixels.width - width) / 2, y: (pixels.height - height) / 2, width: width, height: height))
        let channels = raster.channels
        let values = [Float](unsafeUninitializedCapacity: width * height) { output, initialised in
            initialised = width * height
            raster.samples.withUnsafeBufferPointer { samples in
                for i in 0..<width * height {
                    output[i] = channels == 1
                        ? 255 * samples[i]
                        : 255 * (0.299 * samples[3 * i] + 0.587 * samples[3 * i + 1] + 0.114 * samples[3 * i + 2])
                }
            }
        }
        self.init(width: width, height: height, values: values)
    }

    /// Laid over one brightness.
    /// - Parameters:
    ///   - alpha: of the same size; 255 is opaque.
    ///   - paper: 0…255.
    func laid(over paper: Float, alpha: Luma) -> Luma {
        Luma(width: width, height: height, values: zip(values, alpha.values).map { paper + ($0 - paper) * $1 / 255 })
    }

    subscript(x: Int, y: Int) -> Float { values[y * width + x] }

    /// The corners of squares of `side` pixels that cover the picture without overlap.
    func blocks(_ side: Int) -> [(x: Int, y: Int)] {
        stride(from: 0, through: height - side, by: side).flatMap { y in stride(from: 0, through: width - side, by: side).map { (x: $0, y: y) } }
    }
}
