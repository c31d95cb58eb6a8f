// TrainingReport: a run's events as lines for a terminal or as JSON.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Prints events: people's lines on standard error, with `json` one object per validation on standard output.
public struct TrainingReport: Sendable {
    private let json: Bool
    private let isTerminal: Bool

    public init(json: Bool) {
        self.json = json
        isTerminal = isatty(STDERR_FILENO) != 0
    }

    public func callAsFunction(_ event: TrainingEvent) {
        switch event {
        case .message(let text):
            write("\(clear)\(text)\n", to: STDERR_FILENO)
        case .progress(let p):
            if isTerminal { write("\(clear)\(line(p))", to: STDERR_FILENO) }
        case .validation(let p, let psnr):
            func figures(_ psnr: Double, _ perceptual: Double?) -> String {
                "PSNR-Y \(fixed(psnr, 3)) dB" + (perceptual.map { "  perceptual distance \(fixed($0, 4))" } ?? "")
            }
            let degraded = p.degraded.map { "  degraded: \(figures($0.psnr, $0.perceptual))" } ?? ""
            let dead = p.dead.map { $0.count > 0 ? "  \($0.count) of \($0.total) ReLU channels dead" : "" } ?? ""
            write("\(clear)\(line(p))  \(figures(psnr, p.perceptual))\(degraded)\(dead)\n", to: STDERR_FILENO)
            if json {
                write(
                    "{\"step\":\(p.step),\"minutes\":\(fixed(p.minutes, 3)),\"loss\":\(fixed(p.loss, 6)),\"rate\":\(p.rate),"
                        + "\"images_per_second\":\(fixed(p.imagesPerSecond, 1)),\"psnr_y\":\(fixed(psnr, 4))"
                        + (p.perceptual.map { ",\"perceptual\":\(fixed($0, 5))" } ?? "")
                        + (p.degraded.map { ",\"degraded_psnr_y\":\(fixed($0.psnr, 4))" } ?? "")
                        + (p.dead.map { ",\"dead_channels\":\($0.count)" } ?? "")
                        + (p.degraded?.perceptual.map { ",\"degraded_perceptual\":\(fixed($0, 5))" } ?? "") + "}\n", to: STDOUT_FILENO)
            }
        }
    }

    private var clear: String { isTerminal ? "\r\u{1B}[K" : "" }

    private func line(_ p: TrainingProgress) -> String {
        "step \(p.step)  \(losses(p))  rate \(fixed(p.rate, 6))  \(fixed(p.imagesPerSecond, 0)) img/s  \(fixed(p.minutesLeft, 1)) min left"
    }

    /// One term is "loss", several go by their names.
    private func losses(_ p: TrainingProgress) -> String {
        guard p.terms.count > 1 else { return "loss \(fixed(p.loss, 5))" }
        return p.terms.map { "\($0.name) \(fixed($0.value, 4))" }.joined(separator: "  ")
            + (p.discriminator.map { "  D \(fixed($0.real, 2))/\(fixed($0.made, 2))" } ?? "")
    }

    private func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let written = bytes[start...].withUnsafeBytes { Self.systemWrite(descriptor, $0.baseAddress, $0.count) }
            if written <= 0 { return }
            start += written
        }
    }

    private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, bytes, count)
        #elseif canImport(Musl)
            Musl.write(descriptor, bytes, count)
        #else
            Darwin.write(descriptor, bytes, count)
        #endif
    }
}

/// A number with a fixed count of decimals, without the C library's variadic functions.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    var unit = 1
    for _ in 0..<decimals { unit *= 10 }
    let scaled = Int((abs(value) * Double(unit)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    if decimals == 0 { return sign + String(scaled) }
    let digits = String(scaled % unit)
    return sign + String(scaled / unit) + "." + String(repeating: "0", count: decimals - digits.count) + digits
}
