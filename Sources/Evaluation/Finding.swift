// Finding: one figure that the release gate measured, beside what it must reach.

public import SuperResolution

/// A measured figure. Written so that NaN falls short of every limit.
public struct Finding: Sendable, Hashable {
    /// What must hold, and why in a few words for whoever reads the refusal.
    public enum Limit: Sendable, Hashable {
        case atLeast(Double, why: String)
        case atMost(Double, why: String)
        case above(Double, why: String)
    }

    /// What it was measured on, e.g. `Set5`.
    public let dataset: String
    /// Its name on the card, e.g. `psnr_y`.
    public let name: String
    /// Its name for a person, e.g. `PSNR-Y`.
    public let title: String
    public let value: Double
    /// E.g. `dB`; empty for a bare number.
    public let unit: String
    public let digits: Int
    /// Pictures that took part.
    public let images: Int
    /// The same figure of Lanczos-3, where that says something.
    public let lanczos: Double?
    /// Empty: the figure is for information.
    public let limits: [Limit]

    public init(
        _ dataset: String, _ name: String, _ title: String, _ value: Double, unit: String = "", digits: Int = 3, images: Int,
        lanczos: Double? = nil, _ limits: Limit?...
    ) {
        self.dataset = dataset
        self.name = name
        self.title = title
        self.value = value
        self.unit = unit
        self.digits = digits
        self.images = images
        self.lanczos = lanczos
        self.limits = limits.compactMap { $0 }
    }

    /// One line per limit that the figure, rounded as on the card, falls short of.
    public var shortcomings: [String] {
        let value = rounded(self.value, digits)
        func text(_ number: Double) -> String { "\(rounded(number, digits))" + (unit.isEmpty ? "" : " \(unit)") }
        return limits.compactMap { limit in
            switch limit {
            case .atLeast(let least, let why): value >= rounded(least, digits) ? nil : "\(dataset): \(title) \(text(value)), at least \(text(least)): \(why)"
            case .atMost(let most, let why): value <= rounded(most, digits) ? nil : "\(dataset): \(title) \(text(value)), at most \(text(most)): \(why)"
            case .above(let least, let why): value > rounded(least, digits) ? nil : "\(dataset): \(title) \(text(value)), more than \(text(least)): \(why)"
            }
        }
    }

    public var metric: ModelCard.Metric { .init(dataset: dataset, name: name, value: rounded(value, digits), images: images) }
}

extension [Finding] {
    /// A table for a person: figure, Lanczos-3's, limits, verdict.
    public var table: String {
        let rows = map { finding -> [String] in
            func text(_ number: Double) -> String { "\(rounded(number, finding.digits))" }
            let limits = finding.limits.map { limit in
                switch limit {
                case .atLeast(let least, _): "≥ \(text(least))"
                case .atMost(let most, _): "≤ \(text(most))"
                case .above(let least, _): "> \(text(least))"
                }
            }
            return [
                finding.dataset, finding.title, text(finding.value) + (finding.unit.isEmpty ? "" : " \(finding.unit)"),
                finding.lanczos.map(text) ?? "", limits.joined(separator: ", "),
                finding.limits.isEmpty ? "" : finding.shortcomings.isEmpty ? "yes" : "NO",
            ]
        }
        let all = [["measured on", "measure", "figure", "Lanczos-3", "limit", "reached"]] + rows
        let widths = (0..<6).map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ").trimmedEnd
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmedEnd: String { String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)]) }
}

/// To `digits` decimal places; infinities as they are.
func rounded(_ value: Double, _ digits: Int) -> Double {
    let unit = (0..<digits).reduce(1.0) { power, _ in power * 10 }
    return (value * unit).rounded() / unit
}
