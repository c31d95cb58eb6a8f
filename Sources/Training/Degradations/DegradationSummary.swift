// DegradationSummary: what was drawn, in words, one line per step.

import TorchEngine

extension DegradationRecord {
    /// One line per step with its parameters, in the order in which they were applied; a batch's values are separated by slashes.
    public var lines: [String] {
        let sharpened = unsharpMask.map { ["ground truth sharpened: weight \(short($0.weight)), radius \($0.radius), threshold \(short($0.threshold))"] }
        return (sharpened ?? []) + steps.map(\.line)
    }
}

extension DegradationStep {
    /// What the step does and with which parameters.
    public var line: String {
        func list(_ values: [Double]) -> String { values.map(short).joined(separator: " / ") }
        func points(_ values: [[Double]]) -> String { values.map { $0.map(short).joined(separator: ", ") }.joined(separator: " / ") }
        switch self {
        case .bicubic(let scale): return "bicubic reduction: 1/\(scale), rounded to 8 bits"
        case .blur(let kernels): return "blur: " + kernels.map(\.summary).joined(separator: " / ")
        case .resize(let width, let height, let method, let antialiased):
            return "resize: to \(width)×\(height), \(method.rawValue)\(antialiased && method != .nearest && method != .area ? ", antialiased" : "")"
        case .gaussianNoise(let sigma, let mixing, let grain, let seed):
            let kinds = mixing.map { $0 == Self.grey ? "grey" : $0 == Self.colour ? "colour" : "correlated" }.joined(separator: " / ")
            return "Gaussian noise: sigma \(list(sigma)), \(kinds)\(grain.map { ", grain \(list($0))" } ?? ""), seed \(seed)"
        case .poissonNoise(let scale, let grey, let seed):
            return "Poisson noise: scale \(list(scale)), \(grey.map { $0 ? "grey" : "colour" }.joined(separator: " / ")), seed \(seed)"
        case .jpeg(let quality, let chroma): return "JPEG: quality \(quality.map(String.init).joined(separator: " / ")), \(chroma.rawValue)"
        case .clamp: return "clip to 0…1"
        case .quantise: return "clip and round to 8 bits"
        case .sharpen(let sigma, let weight): return "sharpen: sigma \(short(sigma)), weight \(list(weight))"
        case .linear: return "to linear light"
        case .developed: return "back to sRGB"
        case .chromaticAberration(let red, let blue, let centre):
            func factors(_ values: [Double]) -> String { values.map { "\(($0 * 1e6).rounded() / 1e6)" }.joined(separator: " / ") }
            return "chromatic aberration: red × \(factors(red)), blue × \(factors(blue)), axis at \(points(centre))"
        case .vignetting(let strength, let centre): return "vignetting: strength \(list(strength)), axis at \(points(centre))"
        case .sensor(let shot, let read, let red, let blue, let seed):
            return "sensor: shot noise \(list(shot)), read noise \(list(read)), gains red \(list(red)), blue \(list(blue)), RGGB, seed \(seed)"
        case .palette(let colours, let dither, let seed):
            return "palette: \(colours) colours, \(dither == 0 ? "no dither" : "dither \(short(dither))"), seed \(seed)"
        }
    }
}

extension BlurKernel {
    /// E.g. `gaussian 13×13, sigma 1.2 × 0.4, rotation −0.81, shape 2.1`.
    var summary: String {
        let grid = "\(size)×\(size)"
        switch kind {
        case .gaussian, .plateau:
            let sides = sigma.count > 1 && sigma[0] != sigma[1]
            var text = "\(kind.rawValue) \(grid), sigma " + (sides ? "\(short(sigma[0])) × \(short(sigma[1])), rotation \(short(rotation))" : sigma.prefix(1).map(short).joined())
            if shape != 1 { text += ", shape \(short(shape))" }
            return text
        case .sinc: return "sinc \(grid), cutoff \(short(cutoff))"
        case .disc: return size == 1 ? "none" : "disc \(grid), radius \(sigma.map(short).joined())"
        case .motion: return "motion \(grid), length \(sigma.map(short).joined()), direction \(short(rotation)), bend \(short(bend))"
        }
    }
}
