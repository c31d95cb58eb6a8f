// DegradationTests: settings as recipes write them, and the statistics of what is drawn.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

private func parse(_ json: String) throws -> Degradation { try Degradation(json: Data(json.utf8), from: "test") }

private func reason(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch {
        return (error as? AcuityError)?.message ?? "\(error)"
    }
}

@Suite struct DegradationSettings {
    @Test(arguments: ["bicubic", "classical", "bsrgan", "real-esrgan", "camera", "screenshot", "print"])
    func everyModelSurvivesJSON(name: String) throws {
        let plain = try parse("\"\(name)\"")
        #expect(plain.name == name)
        #expect(try String(decoding: JSONEncoder().encode(plain), as: UTF8.self) == "\"\(name)\"")
        #expect(try parse("{\"name\": \"\(name)\"}").name == name)
    }

    @Test func aChangeLeavesTheRest() throws {
        let changed = try parse(#"{"name": "real-esrgan", "sharpen": false, "first": {"jpeg": [10, 20], "noise": {"grey": 1}}}"#)
        let model = try #require(changed.model as? RealESRGANModel)
        #expect(model.first.jpeg == Span(10, 20) && model.first.noise.grey == 1 && !model.sharpen)
        #expect(model.first.noise.sigma == Span(1, 30) && model.second.jpeg == Span(30, 95) && model.first.resize.range == Span(0.15, 1.5))
        let again = try JSONDecoder().decode(Degradation.self, from: JSONEncoder().encode(changed))
        #expect(try #require(again.model as? RealESRGANModel).first == model.first)
    }

    @Test(arguments: [
        (#""blurry""#, "no degradation blurry; known are bicubic, classical, bsrgan, real-esrgan, camera, screenshot, print"),
        (#"{"sharpen": true}"#, "needs a name"),
        ("3", "a name or an object"),
        (#"{"name": "real-esrgan", "sharpness": 1}"#, "unknown key sharpness in degradation real-esrgan"),
        (#"{"name": "real-esrgan", "first": {"noise": {"gray": 1}}}"#, "unknown key gray in degradation real-esrgan.first.noise; known are gaussian, grey, poisson, sigma"),
        (#"{"name": "real-esrgan", "first": {"jpeg": [95, 30]}}"#, "first.jpeg is [95, 30]; a range within 1…100 is needed"),
        (#"{"name": "real-esrgan", "first": {"jpeg": [0, 30]}}"#, "first.jpeg"),
        (#"{"name": "real-esrgan", "first": {"jpeg": 30}}"#, "first.jpeg"),
        (#"{"name": "real-esrgan", "final_sinc": 1.5}"#, "final_sinc is 1.5; a probability is 0…1"),
        (#"{"name": "real-esrgan", "first": {"resize": {"methods": ["cubic"]}}}"#, "methods"),
        (#"{"name": "camera", "defocus": "yes"}"#, "defocus"),
        (#"{"name": "screenshot", "zooms": []}"#, "zooms"),
        (#"{"name": "bsrgan", "independent_noise": 0, "grey_noise": 0, "correlated_noise": 0}"#, "not all 0"),
        (#"{"name": "print", "area": 0, "bicubic": 0, "bilinear": 0, "nearest": 0}"#, "not all 0"),
        (#"{"name": "print", "screen": {"zooms": [0]}}"#, "zooms are factors"),
        (#"{"name": "bicubic", "scale": 2}"#, "unknown key scale"),
        ("{", "test:"),
    ])
    func mistakesAreNamed(json: String, expected: String) {
        let message = reason { _ = try parse(json) }
        #expect(message.contains(expected), "\(message)")
        #expect(message.hasPrefix("test: ") && !message.contains("\n"))
    }

    @Test func aRecipeNamesItsDegradation() throws {
        let folder = try Folder()
        #expect(try Recipe(contentsOf: folder.recipe()).degradation.name == "bicubic")
        let recipe = try Recipe(contentsOf: folder.recipe(["degradation": ["name": "classical", "noise": [0, 5]] as [String: Any]]))
        #expect(try #require(recipe.degradation.model as? ClassicalModel).noise == Span(0, 5))
        let message = reason { _ = try Recipe(contentsOf: folder.recipe(["degradation": ["name": "classical", "nois": [0, 5]] as [String: Any]])) }
        #expect(message.contains("recipe.json") && message.contains("unknown key nois"))
    }
}

@Suite struct DegradationDraws {
    /// All steps of many draws of one model.
    private func records(_ model: some DegradationModel, batch: Int = 2, scale: Int = 4, count: Int = 2000) -> [DegradationRecord] {
        var random = SplitMix(seed: 11)
        return (0..<count).map { _ in model.draw(batch: batch, height: 216, width: 240, scale: scale, using: &random) }
    }

    /// The shares that are set, within four standard deviations of 2000 draws, and the order of the steps.
    @Test func printIsAsSet() throws {
        let records = records(PrintModel())
        let clean = records.filter { $0.steps == [.bicubic(scale: 4)] }.count
        #expect(abs(Double(clean) / 2000 - 0.3) < 0.041)
        var (blurred, compressed, palettes, single) = (0, 0, 0, 0)
        var methods: [Interpolation: Int] = [:]
        for record in records where record.steps.count > 1 {
            let resizes = record.steps.compactMap { if case .resize(let width, let height, let method, _) = $0 { (width, height, method) } else { nil } }
            #expect(resizes.last?.0 == 60 && resizes.last?.1 == 54)
            for case .jpeg(let quality, _) in record.steps { #expect(quality.allSatisfy { (20...95).contains($0) }) }
            if record.steps.contains(where: { if case .palette = $0 { true } else { false } }) { palettes += 1 }
            if record.steps.contains(where: { if case .jpeg = $0 { true } else { false } }) { compressed += 1 }
            if case .blur(let kernels) = record.steps[0] {
                blurred += 1
                #expect(kernels.allSatisfy { $0.sigma[0] == $0.sigma[1] && (0.6...2).contains($0.sigma[0]) })
            }
            if resizes.count == 1 {
                single += 1
                methods[resizes[0].2, default: 0] += 1
            }
        }
        #expect(methods.count == 4 && Double(methods[.area, default: 0]) / Double(single) > 0.33 && blurred > 300 && compressed > 600 && palettes > 80)
    }

    /// Coarse grain is drawn for pictures one by one, and leaves everything else as it is where there is none.
    @Test func printsNoiseMayBeCoarse() throws {
        var model = PrintModel()
        (model.clean, model.screenshot, model.noisy) = (0, 0, 1)
        func grains(_ model: PrintModel) -> [[Double]?] {
            records(model).compactMap { record in
                for case .gaussianNoise(_, _, let grain, _) in record.steps { return .some(grain) }
                return nil
            }
        }
        #expect(grains(model).allSatisfy { $0 == nil })
        (model.coarse, model.grain) = (0.25, Span(0.5, 1.5))
        let all = grains(model).flatMap { $0 ?? [] }
        let share = Double(all.filter { $0 > 0 }.count) / Double(all.count)
        #expect(abs(share - 0.25) < 0.04 && all.allSatisfy { $0 == 0 || (0.5...1.5).contains($0) })
    }

    /// Real-ESRGAN's published probabilities and ranges, within four standard deviations of 2000 draws.
    @Test func realESRGANIsAsPublished() throws {
        let records = records(RealESRGANModel())
        var (up, down, gaussian, second, sincFirst, sincLast) = (0, 0, 0, 0, 0, 0)
        var (kernels, poisson, qualities) = ([BlurKernel](), [Double](), [Int]())
        var (sigmas, grey) = ([Double](), 0)
        for record in records {
            #expect(record.unsharpMask == UnsharpMask())
            guard case .blur(let first) = record.steps[0], case .resize(let width, let height, _, let antialiased) = record.steps[1] else {
                Issue.record("not blurred and resized first: \(record.steps.prefix(2))")
                return
            }
            kernels += first
            #expect(!antialiased && (32...360).contains(width) && (32...324).contains(height))
            up += width > 240 ? 1 : 0
            down += width < 240 ? 1 : 0
            switch record.steps[2] {
            case .gaussianNoise(let sigma, let mixing, _, _):
                gaussian += 1
                sigmas += sigma
                grey += mixing.filter { $0[1] == 0 && $0[3] == 1 }.count
            case .poissonNoise(let scale, _, _): poisson += scale
            default: Issue.record("no noise third")
            }
            let jpegs = record.steps.compactMap { if case .jpeg(let quality, .subsampled) = $0 { quality } else { nil } }
            #expect(jpegs.count == 2)
            qualities += jpegs.flatMap { $0 }
            let blurs = record.steps.compactMap { if case .blur(let kernels) = $0 { kernels } else { nil } }
            second += blurs.count == 3 ? 1 : 0
            sincLast += blurs[blurs.count - 1].filter { $0.kind == .sinc }.count
            if case .jpeg = record.steps[record.steps.count - 2] { sincFirst += 1 }
            #expect(record.steps.last == .quantise)
        }
        func share(_ count: Int, of total: Int, is expected: Double, _ what: Comment) {
            let deviation = (expected * (1 - expected) / Double(total)).squareRoot()
            #expect(abs(Double(count) / Double(total) - expected) < 4 * deviation, what)
        }
        share(up, of: 2000, is: 0.2, "up")
        share(down, of: 2000, is: 0.7, "down")
        share(gaussian, of: 2000, is: 0.5, "Gaussian")
        share(second, of: 2000, is: 0.8, "second blur")
        share(sincFirst, of: 2000, is: 0.5, "order of the end")
        share(sincLast, of: 4000, is: 0.8, "final sinc")
        share(grey, of: sigmas.count, is: 0.4, "grey")
        share(kernels.filter { $0.kind == .sinc }.count, of: 4000, is: 0.1, "sinc")
        share(kernels.filter { $0.kind == .plateau }.count, of: 4000, is: 0.9 * 0.15, "plateau")
        share(kernels.filter { $0.kind == .gaussian && $0.shape == 1 && $0.sigma[0] == $0.sigma[1] }.count, of: 4000, is: 0.9 * 0.45, "isotropic")
        #expect(Set(kernels.map(\.size)) == [7, 9, 11, 13, 15, 17, 19, 21])
        #expect(kernels.filter { $0.kind == .sinc }.allSatisfy { $0.cutoff >= .pi / ($0.size < 13 ? 3 : 5) && $0.cutoff <= .pi })
        #expect(kernels.filter { $0.kind != .sinc }.flatMap(\.sigma).allSatisfy { (0.2...3).contains($0) })
        #expect((sigmas.min() ?? 0) >= 1 && (sigmas.min() ?? 9) < 1.5 && (sigmas.max() ?? 99) <= 30 && (sigmas.max() ?? 0) > 29.5)
        #expect(poisson.allSatisfy { (0.05...3).contains($0) } && Set(qualities) == Set(30...95))
    }

    /// The last reduction never comes before the random one, and every order of the rest occurs.
    @Test func bsrganShuffles() {
        var (starts, halved, finals) = (Set<String>(), 0, 0)
        for record in records(BSRGANModel()) {
            let resizes = record.steps.compactMap { if case .resize(let width, let height, _, _) = $0 { [width, height] } else { nil } }
            halved += resizes.first == [120, 108] && resizes.count == 3 ? 1 : 0
            finals += resizes.last == [60, 54] ? 1 : 0
            #expect((2...3).contains(resizes.count))
            starts.insert(String(record.steps[0].line.prefix(5)))
            guard case .jpeg = record.steps[record.steps.count - 2] else {
                Issue.record("the last step is not JPEG")
                return
            }
        }
        #expect(finals == 2000)
        #expect(abs(Double(halved) / 2000 - 0.25) < 0.04)
        #expect(starts.isSuperset(of: ["blur:", "resiz", "Gauss", "JPEG:", "to li"]))
    }

    @Test(arguments: [(1, 9, 7), (2, 8, 2), (3, 216, 240), (8, 8, 16)])
    func lowResolutionHasItsSize(scale: Int, height: Int, width: Int) throws {
        var random = SplitMix(seed: 3)
        for type in Degradation.models where type.name != "bicubic" {
            let (h, w) = (height / scale * scale, width / scale * scale)
            for _ in 0..<50 {
                let record = type.init().draw(batch: 3, height: h, width: w, scale: scale, using: &random)
                // The protocol's own reduction says its scale.
                if record.steps == [.bicubic(scale: scale)] { continue }
                let last = record.steps.last { if case .resize = $0 { true } else { false } }
                guard case .resize(let lowWidth, let lowHeight, _, _)? = last else {
                    Issue.record("\(type.name) does not resize")
                    continue
                }
                #expect(lowWidth == w / scale && lowHeight == h / scale, "\(type.name)")
            }
        }
    }

    @Test func recordsSurviveJSON() throws {
        for type in Degradation.models {
            var random = SplitMix(seed: 5)
            for _ in 0..<20 {
                let record = type.init().draw(batch: 2, height: 64, width: 64, scale: 4, using: &random)
                #expect(try JSONDecoder().decode(DegradationRecord.self, from: JSONEncoder().encode(record)) == record)
                #expect(record.lines.count >= record.steps.count && record.lines.allSatisfy { !$0.contains("\n") })
            }
        }
    }
}
