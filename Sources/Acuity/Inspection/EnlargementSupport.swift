// EnlargementSupport: how far a picture can be enlarged before the result is mostly invention, and the words to say so.

import SuperResolution

/// What a picture supports, by what is known of it.
package struct EnlargementSupport: Sendable, Hashable {
    /// The largest factor that still gains something, 1…4.
    package var factor: Double
    /// Why it is less than 4; most important first.
    package var reasons: [String]

    /// - Parameter jpegQuality: 1…100, if the picture was stored as a JPEG; what its blocks say counts where that is worse.
    package init(_ measures: PictureMeasures, width: Int, height: Int, jpegQuality: Int?) {
        var factor = 4.0
        var reasons: [String] = []
        if let resolution = measures.resolution, resolution < 0.9 {
            factor *= resolution
            let (w, h) = (max(1, Int((Double(width) * resolution).rounded())), max(1, Int((Double(height) * resolution).rounded())))
            reasons.append(
                measures.repetition.map { "it was enlarged \($0) times before by repeating pixels: \(w)×\(h) hold all of it" }
                    ?? "it is blurred or was enlarged before: about \(w)×\(h) pixels would hold all that is there")
        }
        if let quality = jpegQuality, quality < 50 {
            factor /= 2
            reasons.append("JPEG quality \(quality) has taken its fine detail")
        } else if let quality = measures.blockQuality, quality < 50 {
            factor /= 2
            reasons.append("it was compressed before, about as by JPEG quality \(quality), which has taken its fine detail")
        }
        if measures.noise > 10 {
            factor /= 2
            reasons.append("its noise (σ \(Int(measures.noise.rounded())) of 255) covers fine detail")
        }
        self.factor = max(1, (factor * 2).rounded(.down) / 2)
        self.reasons = reasons
    }

    /// A plain word where `factor` is more than that; nil otherwise.
    package func advice(enlarging factor: Double) -> String? {
        guard factor > 1, factor > self.factor * 1.01 else { return nil }
        func times(_ x: Double) -> String { "×" + (x == x.rounded() ? String(Int(x)) : String((x * 100).rounded() / 100)) }
        let why = reasons.isEmpty ? "" : ", for \(reasons.joined(separator: ", and "))"
        let limit = self.factor > 1 ? "supports about \(times(self.factor))" : "supports no enlargement"
        return "\(times(factor)) is beyond what the picture supports: it \(limit)\(why); edges will be clean, but detail beyond that is invented or missing"
    }
}
