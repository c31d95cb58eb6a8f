// ReleaseMeasures: the release gate's steps: drawn pictures, held-out sets, real pictures, speed.

import SuperResolution

extension ReleaseGate {
    /// Flat fields by every arithmetic the network runs in; the worst counts.
    func flatColours(_ arithmetics: [Enlarging]) async throws -> [Finding] {
        var (deviation, spread) = (0.0, 0.0)
        for enlarge in arithmetics {
            let flat = try await Probe.flatness(enlarge: enlarge)
            (deviation, spread) = (max(deviation, flat.deviation), max(spread, flat.spread))
        }
        return [
            Finding(
                "flat colours", "largest_deviation", "largest deviation", deviation, unit: "levels", images: Probe.flatColours.count,
                .atMost(profile.flatDeviation, why: "flat colours keep their hue")),
            Finding(
                "flat colours", "spread", "largest spread", spread, unit: "levels", images: Probe.flatColours.count,
                .atMost(profile.flatSpread, why: "flat colours stay flat")),
        ]
    }

    /// Pictures drawn here, whose ideal enlargement is known.
    func drawn(scale: Int, enlarge: @escaping Enlarging, exact: Enlarging?, lanczos: Enlarging) async throws -> [Finding] {
        let benchmark = try Benchmark(scale: scale)
        var pattern = 0.0
        for enlarge in [enlarge, exact].compactMap(\.self) {
            pattern = max(pattern, try await Probe.checkerboard(scale: scale, enlarge: enlarge))
        }
        var findings = try await flatColours([enlarge, exact].compactMap(\.self))
        findings += [
            Finding(
                "gradient", "checkerboard", "pixel-shuffle pattern", pattern, unit: "levels", images: 1,
                .atMost(profile.checkerboard, why: "a pattern that repeats with the scale is a checkerboard")),
        ]

        /// Mean of a measure over drawn pictures, for the model and for Lanczos-3.
        func mean(_ pictures: [Raster], _ measure: (Raster, Benchmark.Pair) throws -> Double) async throws -> (own: Double, lanczos: Double) {
            var sums = (own: 0.0, lanczos: 0.0)
            for picture in pictures {
                let pair = try benchmark.pair(from: picture)
                sums.own += try measure(try await enlarge(pair.low), pair)
                sums.lanczos += try measure(try await lanczos(pair.low), pair)
            }
            return (sums.own / Double(pictures.count), sums.lanczos / Double(pictures.count))
        }

        let edges = HardCase.edges(scale: scale)
        var steps = (own: 0.0, lanczos: 0.0)
        for edge in edges {
            let low = try benchmark.pair(from: edge.picture).low
            let border = 4 * scale
            steps.own += Artefact.overshoot(try await enlarge(low), low: edge.low, high: edge.high, border: border) / Double(edges.count)
            steps.lanczos += Artefact.overshoot(try await lanczos(low), low: edge.low, high: edge.high, border: border) / Double(edges.count)
        }
        findings.append(
            Finding(
                "edges", "overshoot", "overshoot", steps.own, images: edges.count, lanczos: steps.lanczos,
                .atMost(profile.overshoot, why: "ringing beyond both sides of a step, as a fraction of it")))

        let screens = HardCase.lineScreens(scale: scale)
        for (name, pictures) in [("line screens", screens), ("zone plate", [HardCase.zonePlate(scale: scale)])] {
            let moire = try await mean(pictures) { Artefact.moire($0, truth: $1.truth, scale: scale) }
            findings.append(
                Finding(
                    name, "moire", "moiré", moire.own, unit: "levels", images: pictures.count, lanczos: moire.lanczos,
                    .atMost(profile.moire, why: "coarse patterns that fine lines must not turn into")))
        }

        let letters = HardCase.text(scale: scale)
        let psnr = try await mean(letters) { try Metrics.psnrY($0.roundedTo8Bit(), against: $1.truth, crop: scale) }
        findings.append(
            Finding(
                "letters", "text_psnr_y", "PSNR-Y", psnr.own, unit: "dB", images: letters.count, lanczos: psnr.lanczos,
                .above(psnr.lanczos + profile.textGain, why: "Lanczos-3's figure \(signed(profile.textGain)) dB")))
        if let width = profile.stepWidth {
            findings.append(
                Finding(
                    "hard steps", "step_width", "width of a hard step", try await EdgeMeasures.stepWidth(scale: scale, enlarge: enlarge), unit: "pixels",
                    digits: 2, images: 1, lanczos: try await EdgeMeasures.stepWidth(scale: scale, enlarge: lanczos),
                    .atMost(width, why: "edges one pixel wide stay so")))
        }
        return findings
    }

    /// PSNR-Y against Lanczos-3's.
    func gain(_ dataset: String, _ own: Scores, _ lanczos: Scores) -> Finding {
        Finding(
            dataset, "psnr_y", "PSNR-Y", own.psnrY, unit: "dB", images: own.images.count, lanczos: lanczos.psnrY,
            .above(lanczos.psnrY + profile.gain, why: profile.gain == 0 ? "does not beat Lanczos-3" : "Lanczos-3's figure \(signed(profile.gain)) dB"))
    }

    /// Figures on a set with ground truth.
    func fidelity(_ dataset: String, _ own: Scores, _ lanczos: Scores) -> [Finding] {
        [
            gain(dataset, own, lanczos),
            Finding(
                dataset, "ssim_y", "SSIM-Y", own.ssimY, digits: 4, images: own.images.count, lanczos: lanczos.ssimY,
                profile.similarityGain.map { .above(lanczos.ssimY + $0, why: "does not beat Lanczos-3") }),
            Finding(dataset, "artefact_map", "LDL's map of artefacts, mean, times 1000", 1000 * own.artefacts, images: own.images.count),
        ] + agreement(dataset, own, lanczos, least: profile.consistency, drift: profile.drift)
    }

    /// How well results agree with their inputs.
    private func agreement(_ dataset: String, _ own: Scores, _ lanczos: Scores, least: Double, drift: Double) -> [Finding] {
        [
            Finding(
                dataset, "lr_psnr", "agreement when shrunk again", own.consistency, unit: "dB", digits: 2, images: own.images.count,
                lanczos: lanczos.consistency, .atLeast(least, why: "shrunk again it must be what it was made from")),
            Finding(
                dataset, "mean_drift", "largest drift of a picture's mean colour", own.drift, unit: "levels", images: own.images.count,
                lanczos: lanczos.drift, .atMost(drift, why: "mean colour drifts")),
        ]
    }

    /// Figures on real pictures, which have no ground truth.
    func unreferenced(
        _ set: PictureSet, scale: Int, load: (String) throws -> Raster, enlarge: Enlarging, lanczos: Enlarging
    ) async throws -> [Finding] {
        guard !set.pictures.isEmpty else { throw AcuityError(.file, "\(set.name): no pictures in it") }
        var (own, other) = (Sample(), Sample())
        for name in set.pictures {
            let picture = try load(name)
            let (width, height) = (min(picture.width, Self.realSide), min(picture.height, Self.realSide))
            let input = picture.cropped(
                to: Region(x: (picture.width - width) / 2, y: (picture.height - height) / 2, width: width, height: height)).roundedTo8Bit()
            try own.add(try await enlarge(input), input: input, name: name, scale: scale)
            try other.add(try await lanczos(input), input: input, name: name, scale: scale)
        }
        let (count, limit) = (set.pictures.count, profile.naturalness)
        let niqe = (own: try NaturalStatistics.score(own.results), lanczos: try NaturalStatistics.score(other.results))
        let scores = (own: Scores(scale: scale, images: own.scores), lanczos: Scores(scale: scale, images: other.scores))
        return agreement(set.name, scores.own, scores.lanczos, least: profile.realConsistency, drift: profile.realDrift) + [
            Finding(
                set.name, "niqe_own", "NIQE-own", niqe.own, images: count, lanczos: niqe.lanczos,
                .atMost(niqe.lanczos + limit, why: "Lanczos-3's figure \(signed(limit)); statistics unlike those of photographs")),
            Finding(
                set.name, "shuffle_pattern", "pixel-shuffle frequency", Artefact.shufflePattern(own.results, scale: scale), unit: "levels", images: count,
                lanczos: Artefact.shufflePattern(other.results, scale: scale),
                .atMost(profile.shufflePattern, why: "its spectrum stands out at multiples of 1/\(scale): a checkerboard")),
            Finding(
                set.name, "beyond_range", "beyond the local range", own.beyond / Double(count), unit: "levels", images: count,
                lanczos: other.beyond / Double(count), .atMost(profile.beyondRange, why: "ringing and halos")),
            // Noise is gradient too, which restorers take away: a figure to read, not to judge by.
            Finding(
                set.name, "soft_gradient", "gradient energy in soft areas", own.softness, unit: "levels²", digits: 2, images: count, lanczos: other.softness),
        ]
    }

    private struct Sample {
        var results = [Raster]()
        var scores = [ImageScore]()
        var beyond = 0.0
        /// Over all pictures: energy, weighed by pixels.
        var softness: Double { soft.energy / Double(max(1, soft.pixels)) }
        private var soft = (energy: 0.0, pixels: 0)

        mutating func add(_ raw: Raster, input: Raster, name: String, scale: Int) throws {
            let result = raw.roundedTo8Bit()
            let again = Resampling.bicubic.resize(result, width: input.width, height: input.height)
            results.append(result)
            beyond += Artefact.beyondRange(result, input: input, scale: scale)
            let areas = EdgeMeasures.softAreas(of: result, from: input, scale: scale)
            soft = (soft.energy + areas.energy * Double(areas.pixels), soft.pixels + areas.pixels)
            scores.append(
                ImageScore(
                    name: name, width: result.width, height: result.height, psnrY: 0, ssimY: 0, consistency: try Metrics.psnr(again, against: input),
                    drift: meanDrift(of: again, from: input), seconds: 0))
        }
    }

    /// Milliseconds per megapixel of result; both models in turns, so that whatever else the machine does hits both alike.
    func speed(scale: Int, enlarge: @escaping Enlarging, shipped: Enlarging?) async throws -> [Finding] {
        let side = max(64, 512 / scale)
        let plate = HardCase.zonePlate(scale: 1)
        let input = Resampling.bicubic.resize(plate, width: side, height: side)
        let megapixels = Double(side * side * scale * scale) / 1e6
        var times: [[Double]] = [[], []]
        for round in 0..<4 {
            for (index, model) in [enlarge, shipped].enumerated() {
                guard let model else { continue }
                let clock = ContinuousClock()
                let start = clock.now
                _ = try await model(input)
                // The first round packs weights.
                if round > 0 { times[index].append(1000 * start.duration(to: clock.now).seconds / megapixels) }
            }
        }
        let (own, before) = (times[0].min() ?? .nan, times[1].min())
        var findings = [Finding("speed", "ms_per_megapixel", "time per megapixel of result", own, unit: "ms", digits: 1, images: 1)]
        if let before {
            findings.append(
                Finding(
                    "speed", "time_against_shipped", "time against the shipped model", own / before, digits: 2, images: 1,
                    .atMost(profile.slowdown, why: "much slower than what it replaces (\(rounded(before, 1)) ms per megapixel in this run)")))
        }
        return findings
    }

    private func signed(_ value: Double) -> String { value < 0 ? "− \(-value)" : "+ \(value)" }
}
