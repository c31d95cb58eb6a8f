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

    /// 8-bit colour laid over an opaque background.
    /// - Parameter background: red, green, blue; grey pictures take its brightness.
    func composed(with alpha: PixelBuffer, on background: [UInt8]) -> PixelBuffer {
        let grey = UInt32((299 * Int(background[0]) + 587 * Int(background[1]) + 114 * Int(background[2]) + 500) / 1000)
        let ground = channels == 1 ? [grey] : background.map(UInt32.init)
        var result = self
        alpha.bytes.withUnsafeBytes { alpha in
            result.withUnsafeMutableBytes { output in
                for i in alpha.indices {
                    let opacity = UInt32(alpha[i])
                    for c in 0..<channels {
                        let place = i * channels + c
                        output[place] = UInt8(truncatingIfNeeded: (UInt32(output[place]) * opacity + ground[c] * (255 - opacity) + 127) / 255)
                    }
                }
            }
        }
        return result
    }
}
