// ColourSpaces: how a picture's colours meet what a network wants: RGB, grey, and the luma of BT.601.

extension Raster {
    /// Luma: Y of ITU-R BT.601 with studio swing, 16/255…235/255, as MATLAB's `rgb2ycbcr`.
    /// - Precondition: three channels.
    public var luma: Raster {
        precondition(channels == 3, "luma is made of three channels")
        let count = width * height
        let values = [Float](unsafeUninitializedCapacity: count) { output, initialised in
            initialised = count
            samples.withUnsafeBufferPointer { rgb in
                for i in 0..<count {
                    output[i] = (16 + 65.481 * rgb[3 * i] + 128.553 * rgb[3 * i + 1] + 24.966 * rgb[3 * i + 2]) / 255
                }
            }
        }
        return Raster(width: width, height: height, channels: 1, samples: values)
    }

    /// The same chroma (Cb, Cr) with another luma. Going to YCbCr and back is linear and Y enters R, G and B alike, so
    /// it is enough to add the difference of lumas, stretched from studio to full swing, to all three.
    /// - Precondition: three channels; `luma` has one channel and the same size.
    public func replacingLuma(with luma: Raster) -> Raster {
        precondition(luma.channels == 1 && luma.width == width && luma.height == height, "the lumas must have the same size")
        let old = self.luma
        var result = self
        result.samples.withUnsafeMutableBufferPointer { rgb in
            for i in 0..<width * height {
                let difference = (luma.samples[i] - old.samples[i]) * (255 / 219)
                rgb[3 * i] += difference
                rgb[3 * i + 1] += difference
                rgb[3 * i + 2] += difference
            }
        }
        return result
    }

    /// A grey raster as three equal channels.
    /// - Precondition: one channel.
    public var greyAsRGB: Raster {
        precondition(channels == 1, "a grey raster has one channel")
        let values = [Float](unsafeUninitializedCapacity: 3 * samples.count) { output, initialised in
            initialised = 3 * samples.count
            for i in 0..<samples.count {
                output[3 * i] = samples[i]
                output[3 * i + 1] = samples[i]
                output[3 * i + 2] = samples[i]
            }
        }
        return Raster(width: width, height: height, channels: 3, samples: values)
    }

    /// The mean of three channels, which undoes ``greyAsRGB``.
    /// - Precondition: three channels.
    public var greyFromRGB: Raster {
        precondition(channels == 3, "the mean of three channels")
        let count = width * height
        let values = [Float](unsafeUninitializedCapacity: count) { output, initialised in
            initialised = count
            samples.withUnsafeBufferPointer { rgb in
                for i in 0..<count { output[i] = (rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3 }
            }
        }
        return Raster(width: width, height: height, channels: 1, samples: values)
    }
}
