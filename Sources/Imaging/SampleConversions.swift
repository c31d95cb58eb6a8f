// SampleConversions: samples at another depth, and colour without its alpha.

package import SuperResolution

extension PixelBuffer {
    /// The same picture at another depth, rounded to nearest.
    package func converted(to depth: Depth) -> PixelBuffer {
        if depth == self.depth { return self }
        var result = PixelBuffer(width: width, height: height, channels: channels, depth: depth)
        bytes.withUnsafeBytes { input in
            result.withUnsafeMutableBytes { output in
                if depth == .eight {
                    let wide = input.assumingMemoryBound(to: UInt16.self)
                    for i in wide.indices { output[i] = UInt8(truncatingIfNeeded: (UInt32(wide[i]) * 255 + 32_767) / 65_535) }
                } else {
                    let wide = output.assumingMemoryBound(to: UInt16.self)
                    for i in input.indices { wide[i] = UInt16(input[i]) * 257 }
                }
            }
        }
        return result
    }

    /// Colour laid over an opaque background.
    /// - Parameter background: red, green, blue, 0…255; grey pictures take its brightness.
    func composed(with alpha: PixelBuffer, on background: [UInt8]) -> PixelBuffer {
        let white: UInt64 = depth == .eight ? 255 : 65535
        let grey = UInt64((299 * Int(background[0]) + 587 * Int(background[1]) + 114 * Int(background[2]) + 500) / 1000)
        let ground = (channels == 1 ? [grey] : background.map(UInt64.init)).map { $0 * white / 255 }
        var result = self
        func compose<Sample: FixedWidthInteger>(_: Sample.Type) {
            alpha.bytes.withUnsafeBytes { alpha in
                result.withUnsafeMutableBytes { output in
                    let (alpha, output) = (alpha.assumingMemoryBound(to: Sample.self), output.assumingMemoryBound(to: Sample.self))
                    for i in alpha.indices {
                        let opacity = UInt64(alpha[i])
                        for c in 0..<channels {
                            let sum = UInt64(output[i * channels + c]) * opacity + ground[c] * (white - opacity)
                            output[i * channels + c] = Sample(truncatingIfNeeded: (sum + white / 2) / white)
                        }
                    }
                }
            }
        }
        if depth == .eight { compose(UInt8.self) } else { compose(UInt16.self) }
        return result
    }
}
