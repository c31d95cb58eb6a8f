// ReleaseDamages: what a restorer is for: pictures damaged in known ways, beside their truth.

public import SuperResolution

extension ReleaseGate {
    /// What happens to a clean picture, after it was made small, before a restorer gets it.
    public struct Damage: Sendable {
        /// As on the card behind the set's name, e.g. `JPEG 30`.
        public let name: String
        /// The damaged picture, of the same size; samples 0…1, which are clipped and rounded to 8 bit afterwards.
        public let apply: @Sendable (Raster) throws -> Raster

        public init(name: String, apply: @escaping @Sendable (Raster) throws -> Raster) {
            self.name = name
            self.apply = apply
        }
    }

    /// Sets of at most this many pictures are measured with every damage, larger ones without any: it takes its time.
    private static let damagedPictures = 20

    /// JPEGs themselves, as `acuity inspect` finds them, of quality 75 and less: compressed like that again at its own size such a picture stays what it is, and nothing can
    /// come nearer to it.
    private static let compressedAlready: Set = ["woman", "foreman", "zebra"]

    /// PSNR-Y of damaged pictures, beside Lanczos-3's and, measured in the same run, that of the model which is to be replaced.
    ///
    /// Naturalness cannot judge a restorer: noise that it leaves in a picture passes for grain.
    func damaged(
        scale: Int, sets: [PictureSet], damages: [Damage], load: (String) throws -> Raster, enlarge: Enlarging, lanczos: Enlarging, shipped: Enlarging?,
        progress: (String) -> Void
    ) async throws -> [Finding] {
        var findings: [Finding] = []
        var differences: [Double] = []
        for set in sets where set.pictures.count <= Self.damagedPictures {
            let pictures = set.pictures.filter { scale > 1 || !Self.compressedAlready.contains(Self.stem(of: $0)) }
            for damage in damages {
                let name = "\(set.name), \(damage.name)"
                progress(name)
                let benchmark = try Benchmark(scale: scale, damage: damage.apply)
                let own = try await benchmark.measure(pictures, load: load, enlarge: enlarge).psnrY
                let other = try await benchmark.measure(pictures, load: load, enlarge: lanczos).psnrY
                findings.append(
                    Finding(
                        name, "psnr_y", "PSNR-Y", own, unit: "dB", images: pictures.count, lanczos: other,
                        .above(other, why: "does not beat Lanczos-3")))
                if let shipped { differences.append(own - (try await benchmark.measure(pictures, load: load, enlarge: shipped).psnrY)) }
            }
        }
        guard !differences.isEmpty else { return findings }
        return findings + [
            Finding(
                "damaged pictures", "psnr_gain_on_shipped", "PSNR-Y over the shipped model's", differences.reduce(0, +) / Double(differences.count), unit: "dB",
                images: differences.count, .atLeast(0, why: "worse than what it replaces"))
        ]
    }
}
