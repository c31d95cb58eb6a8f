// ReleaseGate: what a model is measured on before it is released, and what it must reach.

public import SuperResolution

/// The gate that every released model passes, and its verdict: all that fell short, not the first of it.
public struct ReleaseGate: Sendable {
    public let profile: ReleaseProfile

    public init(_ profile: ReleaseProfile) { self.profile = profile }

    /// A named set of pictures; `pictures` are what the loader takes.
    public struct PictureSet: Sendable {
        public let name: String
        public let pictures: [String]

        public init(name: String, pictures: [String]) {
            self.name = name
            self.pictures = pictures
        }
    }

    /// Kinds of pictures on which means over a set hide failures: faces, and textures.
    /// Pictures of the held-out sets, by file name without extension.
    static let kinds: [(name: String, pictures: Set<String>)] = [
        ("faces", ["baby", "head", "woman", "face", "lenna"]),
        ("textures", ["baboon", "zebra", "comic", "bridge", "86000", "108005", "69020"]),
    ]

    /// Real pictures are measured on a square of at most this side from their middle, pixels of the input.
    static let realSide = 256

    /// Measures a model.
    /// - Parameters:
    ///   - sets: held-out pictures with ground truth.
    ///   - real: low-resolution pictures without.
    ///   - damages: what a restorer has to undo.
    ///   - load: the pixels of a picture.
    ///   - enlarge: the model; `shipped` the one it would replace, if any.
    ///   - exact: the model in fp32. Flat colours and gradients count as the worse of the two show them: training may have learnt to live
    ///     with the rounding of bf16, which not every processor has.
    ///   - progress: called with one line per finished step.
    /// - Throws: what loading or enlarging throws, ``AcuityError`` with code `.file` for an empty set, `.usage` at scale 1 for a profile that
    ///   does not clean.
    public func measure(
        scale: Int, sets: [PictureSet], real: [PictureSet], damages: [Damage] = [], load: (String) throws -> Raster, enlarge: @escaping Enlarging,
        exact: Enlarging? = nil, shipped: Enlarging? = nil, progress: (String) -> Void = { _ in }
    ) async throws -> [Finding] {
        guard !sets.isEmpty, !real.isEmpty else { throw AcuityError(.file, "no sets of pictures to measure on") }
        guard scale > 1 || profile.name == .restore else { throw AcuityError(.usage, "at scale 1 only the profile restore has a meaning") }
        let lanczos: Enlarging = { Resampling.lanczos3.resize($0, width: $0.width * scale, height: $0.height * scale) }
        // A result that the pipeline refuses is one fault among others: Lanczos-3 takes its place, and the rest is measured.
        let refusals = Refusals()
        let enlarge: Enlarging = { input in
            do {
                return try await enlarge(input)
            } catch let error as AcuityError where error.code == .health {
                await refusals.add(error.message)
                return try await lanczos(input)
            }
        }
        var findings =
            if scale == 1 {
                try await inPlace(sets: sets, real: real, load: load, enlarge: enlarge, exact: exact, progress: progress)
            } else {
                try await enlarged(scale: scale, sets: sets, real: real, load: load, enlarge: enlarge, exact: exact, lanczos: lanczos, progress: progress)
            }
        if profile.criterion == .restoration {
            findings += try await damaged(
                scale: scale, sets: sets, damages: damages, load: load, enlarge: enlarge, lanczos: lanczos, shipped: shipped, progress: progress)
        }
        progress("speed")
        findings += try await speed(scale: scale, enlarge: enlarge, shipped: shipped)
        let messages = await refusals.messages
        findings.append(
            Finding(
                "all pictures", "refused_results", "results that the pipeline refuses", Double(messages.count), digits: 0, images: 0,
                .atMost(0, why: messages.first ?? "")))
        return findings
    }

    /// Figures of a network that enlarges.
    private func enlarged(
        scale: Int, sets: [PictureSet], real: [PictureSet], load: (String) throws -> Raster, enlarge: @escaping Enlarging, exact: Enlarging?,
        lanczos: @escaping Enlarging, progress: (String) -> Void
    ) async throws -> [Finding] {
        progress("synthetic pictures")
        var findings = try await drawn(scale: scale, enlarge: enlarge, exact: exact, lanczos: lanczos)
        let benchmark = try Benchmark(scale: scale)
        var images = [(own: ImageScore, lanczos: ImageScore)]()
        for set in sets {
            progress("\(set.name): \(set.pictures.count) pictures")
            let own = try await benchmark.measure(set.pictures, load: load, enlarge: enlarge)
            let other = try await benchmark.measure(set.pictures, load: load, enlarge: lanczos)
            findings += fidelity(set.name, own, other)
            images += zip(own.images, other.images).map { ($0, $1) }
        }
        for kind in Self.kinds {
            let chosen = images.filter { kind.pictures.contains(Self.stem(of: $0.own.name)) }
            guard !chosen.isEmpty else { continue }
            let scores = (Scores(scale: scale, images: chosen.map(\.own)), Scores(scale: scale, images: chosen.map(\.lanczos)))
            findings.append(gain("\(kind.name)", scores.0, scores.1))
        }
        for set in real {
            progress("\(set.name): \(set.pictures.count) real pictures")
            findings += try await unreferenced(set, scale: scale, load: load, enlarge: enlarge, lanczos: lanczos)
        }
        return findings
    }

    private actor Refusals {
        private(set) var messages = [String]()
        func add(_ message: String) { messages.append(message) }
    }

    /// What falls short, one line each; empty when the model may be released.
    /// - Parameters:
    ///   - shipped: the card of the model that the release would replace.
    ///   - trainedOn: evaluation pictures that the model was trained on.
    public func shortcomings(of findings: [Finding], shipped: ModelCard?, trainedOn: [String] = []) -> [String] {
        var lines = trainedOn.isEmpty
            ? [] : ["trained on evaluation pictures, so its figures mean nothing: \(trainedOn.sorted().joined(separator: ", "))"]
        if findings.isEmpty { lines.append("nothing was measured") }
        lines += findings.flatMap(\.shortcomings)
        if let shipped, shipped.profile ?? ReleaseProfile.Name.faithful.rawValue == profile.name.rawValue {
            lines += worse(findings, than: shipped)
        }
        return lines
    }

    /// Where the profile's own criterion is worse than on the shipped card.
    private func worse(_ findings: [Finding], than shipped: ModelCard) -> [String] {
        func compare(_ name: String, _ title: String, isBetter: (Double, Double) -> Bool) -> String? {
            // Drawn letters and held-out sets have names of their own; a card of another time may lack some.
            let own = findings.filter { $0.name == name && !Self.kinds.map(\.name).contains($0.dataset) }
            let before = own.compactMap { finding in shipped.metrics.first { $0.dataset == finding.dataset && $0.name == name }?.value }
            guard before.count == own.count, !own.isEmpty else {
                return "the shipped \(shipped.name) ×\(shipped.scale) has no \(title) on the same pictures: cannot compare; release it again first"
            }
            let means = [own.map { rounded($0.value, $0.digits) }, before].map { rounded($0.reduce(0, +) / Double($0.count), 3) }
            return isBetter(means[0], means[1])
                ? nil : "mean \(title) \(means[0]) is worse than the shipped \(shipped.name) ×\(shipped.scale)'s \(means[1])"
        }
        switch profile.criterion {
        case .fidelity: return [compare("psnr_y", "PSNR-Y", isBetter: >=)].compactMap { $0 }
        case .restoration: return []  // a finding of its own, measured on the shipped model
        case .naturalness: return [compare("niqe_own", "NIQE-own", isBetter: <=)].compactMap { $0 }
        case .text: return [compare("text_psnr_y", "PSNR-Y of letters", isBetter: >=)].compactMap { $0 }
        }
    }
}

extension ReleaseGate {
    /// A file's name without folder and extension.
    static func stem(of path: String) -> String {
        let file = path.split(separator: "/").last ?? ""
        return String(file.split(separator: ".").first ?? "")
    }
}
