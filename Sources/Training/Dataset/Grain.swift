// Grain: the fine noise that belongs to a photograph, for the targets of networks that must not take it away.

import SuperResolution

/// Grain of one strength, softness and colour.
///
/// Photographs made half as large have none left, and a network that has only seen those takes a camera's or a film's grain, and with it
/// skin, sand and cloth, for damage.
public struct Grain: Sendable, Hashable {
    /// Standard deviation in mid-grey, 8-bit levels.
    public var sigma: Float
    /// Share of the noise that is each channel's own, 0…1; the rest is the same in all three.
    public var colour: Float
    /// Standard deviation in pixels of the Gaussian that correlates neighbours, 0…1; it does not change `sigma`.
    public var softness: Float

    public init(sigma: Float, colour: Float, softness: Float) { (self.sigma, self.colour, self.softness) = (sigma, colour, softness) }

    /// Any softness up to 0.8 pixel, colour up to 0.7.
    public init(sigma range: ClosedRange<Float>, using random: inout SplitMix) {
        self.init(sigma: .random(in: range, using: &random), colour: .random(in: 0...0.7, using: &random), softness: .random(in: 0...0.8, using: &random))
    }

    /// RGB bytes with this grain, clipped.
    ///
    /// Black and white have two fifths of the grain of mid-grey, as films and noise-reduced cameras do.
    public func added(to bytes: [UInt8], width: Int, height: Int, using random: inout SplitMix) -> [UInt8] {
        let fields = (0..<4).map { _ in field(width: width, height: height, using: &random) }
        let common = (1 - colour * colour).squareRoot()
        var result = bytes
        for pixel in 0..<(width * height) {
            for channel in 0..<3 {
                let value = Float(bytes[pixel * 3 + channel])
                let level = value / 255
                let strength = sigma * (0.4 + 2.4 * level * (1 - level))
                let noise = common * fields[3][pixel] + colour * fields[channel][pixel]
                result[pixel * 3 + channel] = UInt8(min(max((value + strength * noise).rounded(), 0), 255))
            }
        }
        return result
    }

    /// Normal noise of variance 1, its neighbours correlated by `softness`.
    private func field(width: Int, height: Int, using random: inout SplitMix) -> [Float] {
        // Three taps do for less than a pixel; a border of one spares the edges from another variance.
        let side = softness > 0 ? Float(exponential(-0.5 / Double(softness * softness))) : 0
        let sum = 1 + 2 * side
        let taps = [side / sum, 1 / sum, side / sum]
        let gain = 1 / (taps[0] * taps[0] * 2 + taps[1] * taps[1])  // Of both axes together.
        let padded = width + 2
        let noise = (0..<(padded * (height + 2))).map { _ in random.normal() }
        let across = (0..<(width * (height + 2))).map { index in
            let at = index / width * padded + index % width
            return noise[at] * taps[0] + noise[at + 1] * taps[1] + noise[at + 2] * taps[2]
        }
        return (0..<(width * height)).map { gain * (across[$0] * taps[0] + across[$0 + width] * taps[1] + across[$0 + 2 * width] * taps[2]) }
    }
}
