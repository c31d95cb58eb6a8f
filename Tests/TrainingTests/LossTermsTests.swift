// LossTermsTests: values and gradients of the loss terms against plain loops and finite differences; the balance of shares.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

@Suite(.enabled(if: hasTorch, torchMissing)) struct LossTermsTests {
    private let shape = [2, 3, 8, 10]
    private var made: Tensor { formula([2, 3, 8, 10], 1).shifted(0.5) }
    private var truth: Tensor { formula([2, 3, 8, 10], 2).shifted(0.5) }

    private func difference(_ a: Tensor, _ b: Tensor) -> [Double] { zip(a.values, b.values).map { Double($0) - Double($1) } }

    /// Value and gradient of a term against a loop and its slopes.
    private func check(
        _ name: String, _ loop: (Tensor, Tensor) -> Double, _ tensor: (TorchTensor, TorchTensor) throws -> TorchTensor, step: Float = 1e-2
    ) throws {
        let (x, t) = (try onDevice(made).watched(), try onDevice(truth))
        let value = try tensor(x, t)
        #expect(try isClose(value.item(), loop(made, truth)), "\(name)")
        let gradient = try value.gradient(at: x).floats()
        let largest = gradient.values.map(abs).max() ?? 0
        for index in [0, 37, 111, 255, 479] {
            var (up, down) = (made, made)
            up.values[index] += step
            down.values[index] -= step
            let slope = (loop(up, truth) - loop(down, truth)) / Double(up.values[index] - down.values[index])
            #expect(abs(Double(gradient.values[index]) - slope) < 0.02 * Double(largest), "\(name)[\(index)]")
        }
    }

    @Test func charbonnier() throws {
        try check("charbonnier", { a, b in
            self.difference(a, b).reduce(0) { $0 + ($1 * $1 + 1e-6).squareRoot() } / 480
        }, { try $0.charbonnier(to: $1, epsilon: 1e-3) })
    }

    /// Each of the two pictures has its own logarithm.
    @Test func negativePSNR() throws {
        try check("psnr", { a, b in
            let squares = self.difference(a, b).map { $0 * $0 }
            let means = [squares.prefix(240), squares.suffix(240)].map { $0.reduce(0, +) / 240 }
            return means.reduce(0) { $0 + 10 * Foundation.log10($1 + 1e-5) } / 2
        }, { try $0.logMSE(to: $1, floor: 1e-5) })
    }

    /// A plain discrete Fourier transform, real and imaginary parts of the half spectrum.
    @Test func fourier() throws {
        func transform(_ t: Tensor) -> [Double] {
            let (h, w) = (8, 10)
            var result: [Double] = []
            for plane in 0..<6 {
                for v in 0..<h {
                    for u in 0...(w / 2) {
                        var (re, im) = (0.0, 0.0)
                        for y in 0..<h {
                            for x in 0..<w {
                                let angle = -2 * Double.pi * (Double(u * x) / Double(w) + Double(v * y) / Double(h))
                                let value = Double(t.values[(plane * h + y) * w + x])
                                re += value * Foundation.cos(angle)
                                im += value * Foundation.sin(angle)
                            }
                        }
                        result += [re / 80.0.squareRoot(), im / 80.0.squareRoot()]
                    }
                }
            }
            return result
        }
        try check("fft", { a, b in
            let (p, q) = (transform(a), transform(b))
            return zip(p, q).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(p.count)
        }, { try $0.spectrum().l1(to: $1.spectrum()) }, step: 1e-3)
    }

    /// The same noise over a patch of four times the area has the same loss: it does not grow with the patch.
    @Test func fourierDoesNotGrow() throws {
        var values: [Double] = []
        for side in [16, 64] {
            let (a, b) = (try onDevice(formula([1, 1, side, side], 3)), try onDevice(formula([1, 1, side, side], 4)))
            values.append(try a.spectrum().l1(to: b.spectrum()).item())
        }
        #expect(abs(values[0] / values[1] - 1) < 0.15)
    }

    @Test func sobel() throws {
        func derivatives(_ t: Tensor) -> [Double] {
            let (h, w) = (8, 10)
            var result: [Double] = []
            for plane in 0..<6 {
                func at(_ y: Int, _ x: Int) -> Double { Double(t.values[(plane * h + min(max(y, 0), h - 1)) * w + min(max(x, 0), w - 1)]) }
                for y in 0..<h {
                    for x in 0..<w {
                        var (dx, dy) = (0.0, 0.0)
                        for (offset, weight) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
                            dx += weight * (at(y + offset, x + 1) - at(y + offset, x - 1))
                            dy += weight * (at(y + 1, x + offset) - at(y - 1, x + offset))
                        }
                        result += [dx / 8, dy / 8]
                    }
                }
            }
            return result
        }
        try check("gradient", { a, b in
            zip(derivatives(a), derivatives(b)).reduce(0) { $0 + abs($1.0 - $1.1) } / 960
        }, { try $0.gradientL1(to: $1) }, step: 1e-3)
    }

    /// Where the target steps most within a pixel's neighbourhood, the difference counts most.
    @Test func edges() throws {
        func edges(_ t: Tensor) -> [Double] {
            let (h, w) = (8, 10)
            func at(_ n: Int, _ c: Int, _ y: Int, _ x: Int) -> Double { Double(t.values[((n * 3 + c) * h + y) * w + x]) }
            func step(_ n: Int, _ y: Int, _ x: Int) -> Double {
                var largest = 0.0
                for c in 0..<3 {
                    if x + 1 < w { largest = max(largest, abs(at(n, c, y, x + 1) - at(n, c, y, x))) }
                    if y + 1 < h { largest = max(largest, abs(at(n, c, y + 1, x) - at(n, c, y, x))) }
                }
                return largest
            }
            return (0..<480).map { index in
                let (n, y, x) = (index / 240, index % 80 / 10, index % 10)
                var largest = 0.0
                for v in max(0, y - 1)...min(h - 1, y + 1) { for u in max(0, x - 1)...min(w - 1, x + 1) { largest = max(largest, step(n, v, u)) } }
                return largest
            }
        }
        try check("edge", { a, b in
            zip(edges(b), self.difference(a, b)).reduce(0) { $0 + $1.0 * abs($1.1) } / 480
        }, { try $0.edgeL1(to: $1) }, step: 1e-3)
    }

    /// Means at each of 2×2 places over squares of 8×8 low-resolution pixels, of which the last of a row are smaller, by a loop.
    @Test func gridMeans() throws {
        let (h, w) = (16, 20)
        let (made, truth) = (formula([1, 3, h, w], 1).shifted(0.5), formula([1, 3, h, w], 2).shifted(0.5))
        func means(_ t: Tensor) -> [Double] {
            var result: [Double] = []
            for c in 0..<3 {
                for place in 0..<4 {
                    for columns in [0..<8, 8..<10] {
                        let values = (0..<8).flatMap { y in
                            columns.map { x in Double(t.values[(c * h + 2 * y + place / 2) * w + 2 * x + place % 2]) }
                        }
                        result.append(values.reduce(0, +) / Double(values.count))
                    }
                }
            }
            return result
        }
        let grid = GridMeans(scale: 2, device: "cpu", runtime: try TorchRuntime.shared())
        let (x, t) = (try onDevice(made).watched(), try onDevice(truth))
        #expect(try grid(x).shape == [1, 12, 1, 2])
        let value = try grid(x).l1(to: grid(t))
        let (a, b) = (means(made), means(truth))
        #expect(try isClose(value.item(), zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / 24))
        // A checkerboard of the grid's period is seen at its full height, and a gradient comes back.
        let board = Tensor(shape: [1, 3, h, w], values: made.values.enumerated().map { $1 + ($0 % 2 == 0 ? 0.01 : -0.01) })
        #expect(try abs(grid(onDevice(board)).l1(to: grid(onDevice(made))).item() - 0.01) < 1e-6)
        #expect(try norm(value.gradient(at: x).floats()) > 0)
    }

    /// Boxes of 8×1: a row of dots in the grid's step along an edge stands in its box's means, and is thinned to an eighth in a square's.
    @Test func gridMeansOfRows() throws {
        let runtime = try TorchRuntime.shared()
        let plain = Tensor(shape: [1, 1, 32, 32], values: [Float](repeating: 0.5, count: 1024))
        // Every other pixel of one row of pixels, 2×2 of which are one low-resolution pixel.
        let dotted = Tensor(shape: [1, 1, 32, 32], values: plain.values.enumerated().map { $1 + ($0 / 32 == 6 && $0 % 2 == 0 ? 0.08 : 0) })
        func largest(_ width: Int, _ height: Int) throws -> (Float, [Int]) {
            let means = GridMeans(scale: 2, width: width, height: height, device: "cpu", runtime: runtime)
            let (a, b) = (try means(onDevice(dotted)).floats(), try means(onDevice(plain)).floats())
            return (zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0, a.shape)
        }
        let (row, rowShape) = try largest(8, 1)
        #expect(rowShape == [1, 4, 16, 2] && abs(row - 0.08) < 1e-6)
        let (square, squareShape) = try largest(8, 8)
        #expect(squareShape == [1, 4, 2, 2] && abs(square - 0.01) < 1e-6)
        let (column, columnShape) = try largest(1, 8)
        #expect(columnShape == [1, 4, 2, 16] && abs(column - 0.01) < 1e-6)
    }

    /// LDL's map by loops: variance of the whole residual to the power 1/5, times the variance in a 7×7 window, mirrored at the border; none
    /// where the average is further from the truth.
    @Test func artefactMap() throws {
        let average = formula(shape, 3).shifted(0.5)
        let (h, w) = (8, 10)
        let map = try onDevice(made).artefactMap(target: onDevice(truth), average: onDevice(average)).floats()
        #expect(map.shape == [2, 1, h, w])
        func variance(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        }
        func residual(_ a: Tensor, _ n: Int) -> [Double] {
            (0..<(h * w)).map { pixel in (0..<3).reduce(0.0) { $0 + abs(Double(truth.values[(n * 3 + $1) * h * w + pixel]) - Double(a.values[(n * 3 + $1) * h * w + pixel])) } }
        }
        func mirrored(_ i: Int, _ n: Int) -> Int { i < 0 ? -i : i >= n ? 2 * n - 2 - i : i }
        var zeros = 0
        for n in 0..<2 {
            let (own, calm) = (residual(made, n), residual(average, n))
            let whole = Foundation.pow(variance(own), 0.2)
            for y in 0..<h {
                for x in 0..<w {
                    let window = (-3...3).flatMap { dy in (-3...3).map { dx in own[mirrored(y + dy, h) * w + mirrored(x + dx, w)] } }
                    let expected = own[y * w + x] < calm[y * w + x] ? 0 : whole * variance(window)
                    zeros += expected == 0 ? 1 : 0
                    #expect(abs(Double(map.values[(n * h + y) * w + x]) - expected) < 1e-5)
                }
            }
        }
        #expect((20...140).contains(zeros))
    }

    @Test func bilinear() throws {
        let x = formula([1, 2, 3, 4], 7)
        let large = try onDevice(x).enlargedBilinear(2).floats()
        #expect(large.shape == [1, 2, 6, 8])
        for c in 0..<2 {
            for y in 0..<6 {
                for u in 0..<8 {
                    let (sy, sx) = (max(0, (Double(y) + 0.5) / 2 - 0.5), max(0, (Double(u) + 0.5) / 2 - 0.5))
                    let (y0, x0) = (Int(sy), Int(sx))
                    let (y1, x1) = (min(2, y0 + 1), min(3, x0 + 1))
                    let (fy, fx) = (sy - Double(y0), sx - Double(x0))
                    func at(_ y: Int, _ x_: Int) -> Double { Double(x.values[(c * 3 + y) * 4 + x_]) }
                    let expected = (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1))
                    #expect(abs(Double(large.values[(c * 6 + y) * 8 + u]) - expected) < 1e-6)
                }
            }
        }
    }

    @Test func scalars() throws {
        let logits = try onDevice(Tensor(shape: [2, 3], values: [-40, -1, 0, 0.5, 3, 60]))
        let plain: [Double] = [-40, -1, 0, 0.5, 3, 60]
        func softplus(_ x: Double) -> Double { x > 30 ? x : Foundation.log(1 + Foundation.exp(x)) }
        #expect(try isClose(logits.logistic(real: true).item(), plain.reduce(0) { $0 + softplus(-$1) } / 6))
        #expect(try isClose(logits.logistic(real: false).item(), plain.reduce(0) { $0 + softplus($1) } / 6))
        #expect(try isClose(logits.meanProbability().item(), plain.reduce(0) { $0 + 1 / (1 + Foundation.exp(-$1)) } / 6))
        #expect(try TorchTensor.values(of: [logits.mean(), logits.norm()]).map { ($0 * 1000).rounded() } == [3750, 72182])
        let classes = try TorchTensor(bytes: [2, 0], shape: [2], device: "cpu", runtime: TorchRuntime.shared())
        let first = Foundation.log(Foundation.exp(-40.0) + Foundation.exp(-1.0) + 1), second = Foundation.log(Foundation.exp(0.5 - 60) + Foundation.exp(3.0 - 60) + 1) + 60 - 0.5
        #expect(try isClose(logits.crossEntropy(classes).item(), (first + second) / 2))
    }

    // MARK: - Where there is texture

    /// A faint ramp, on the right with stripes: calm there, texture here, and the features' gradient on the right only.
    @Test func textureMask() throws {
        let side = 32
        func picture(_ stripes: Float) -> Tensor {
            Tensor(shape: [1, 3, side, side], values: (0..<3 * side * side).map { i in
                let x = i % side
                return 0.4 + 0.0001 * Float(i / side % side) + (x >= side / 2 ? (x % 2 == 0 ? stripes : -stripes) : 0)
            })
        }
        let runtime = try TorchRuntime.shared()
        let truth = try onDevice(picture(0.05))
        let texture = TextureMask(levels: [1.5, 5], device: "cpu", runtime: runtime)
        let mask = try texture(truth)
        #expect(try mask.shape == [1, 1, side, side])
        let row = Array(try mask.floats().values[(side * 10)..<(side * 11)])
        #expect(row[..<12].allSatisfy { $0 == 0 } && row[20...].allSatisfy { $0 == 1 })
        // Between the middles of the windows, at 12 and at 20, it rises in a straight line.
        #expect(abs(row[14] - 2.5 / 8) < 1e-5 && abs(row[17] - 5.5 / 8) < 1e-5)

        // σ of a luma of 219/255 of the picture: 3.25 levels lie a third of the way from 1.5² to 5².
        let faint = try texture(onDevice(picture(3.4 / 219))).floats().values[side * 10 + 28]
        #expect(abs(faint - (3.4 * 3.4 - 1.5 * 1.5) / (25 - 1.5 * 1.5)) < 1e-3)

        let sample = LossSample(low: truth, output: try onDevice(picture(0.04)).watched(), target: truth, truth: truth, texture: mask)
        let seen = try sample.judged(beside: truth).floats().values, (made, real) = (try sample.output.floats().values, try truth.floats().values)
        for x in 0..<side {
            let i = side * 10 + x
            #expect(abs(seen[i] - (row[x] * made[i] + (1 - row[x]) * real[i])) < 1e-6)
        }
        let gradient = try sample.judged(beside: truth).l1(to: onDevice(picture(0))).gradient(at: sample.output).floats().values
        #expect((0..<12).allSatisfy { gradient[side * 10 + $0] == 0 } && (20..<side).allSatisfy { gradient[side * 10 + $0] != 0 })
    }

    @Test func textureMaskRefusesOtherSizes() throws {
        let texture = TextureMask(levels: [1.5, 5], device: "cpu", runtime: try TorchRuntime.shared())
        #expect(throws: AcuityError.self) { try texture(onDevice(Tensor(shape: [1, 3, 12, 16], values: [Float](repeating: 0, count: 576)))) }
    }

    // MARK: - Balance

    private func objective(_ losses: [String: Any]) throws -> (GeneratorLoss, Recipe) {
        let folder = try Folder()
        let recipe = try Recipe(contentsOf: folder.recipe(["losses": losses, "loss": String?.none]))
        let loss = try GeneratorLoss(recipe, network: recipe.network(), adversary: nil, device: "cpu", runtime: TorchRuntime.shared()) { $0 }
        return (loss, recipe)
    }

    private func sample() throws -> LossSample {
        let truth = try onDevice(truth)
        return LossSample(low: truth, output: try onDevice(made).watched(), target: truth, truth: truth)
    }

    /// The gradient is the weighted sum of the terms' own, in the shares asked for.
    @Test func sharesAreShares() throws {
        let (loss, _) = try objective(["l1": 2, "mse": 0.5, "fft": 0.25])
        #expect(loss.terms.map(\.name) == ["l1", "mse", "fft"])
        var balance = LossBalance()
        let s = try sample()
        let own = try loss.terms.map { term in try term.value(s).gradient(at: s.output).floats() }
        let norms = own.map(norm)
        let measured = try loss(s, terms: loss.terms, step: 0, balance: &balance).gradient.floats()
        for (name, expected) in zip(["l1", "mse", "fft"], norms) { #expect(isClose(balance.norms[name] ?? 0, expected)) }
        let expected = own[0].values.indices.map { i in
            Double(own[0].values[i]) + 0.25 * norms[0] / norms[1] * Double(own[1].values[i]) + 0.125 * norms[0] / norms[2] * Double(own[2].values[i])
        }
        for (a, b) in zip(measured.values, expected) { #expect(abs(Double(a) - b) < 1e-7) }
        // The steps in between use the same weights without measuring.
        let between = try loss(s, terms: loss.terms, step: 1, balance: &balance).gradient.floats()
        for (a, b) in zip(between.values, expected) { #expect(abs(Double(a) - b) < 1e-7) }
        // Smoothed, and saved to the bit.
        balance.measured(["mse"], norms: [1])
        #expect(isClose(balance.norms["mse"] ?? 0, 0.9 * norms[1] + 0.1))
        #expect(LossBalance(text: balance.text) == balance && LossBalance(text: "l1") == nil)
    }

    @Test func plainWeights() throws {
        let (loss, _) = try objective(["l1": 0.01, "mse": 3, "balance": false])
        var balance = LossBalance()
        let s = try sample()
        let own = try loss.terms.map { term in try term.value(s).gradient(at: s.output).floats() }
        let sum = try loss(s, terms: loss.terms, step: 0, balance: &balance).gradient.floats()
        for i in sum.values.indices { #expect(abs(sum.values[i] - (0.01 * own[0].values[i] + 3 * own[1].values[i])) < 1e-7) }
        #expect(balance.norms.isEmpty)
    }

    /// A term without a gradient gets no weight, one with hardly any a bounded one.
    @Test func vanishingTerms() throws {
        var balance = LossBalance()
        balance.measured(["l1", "gan", "artefact"], norms: [1, 1e-12, 0])
        func term(_ name: String, _ share: Double) -> LossTerm { LossTerm(name: name, share: share) { $0.output } }
        let terms = [term("l1", 1), term("gan", 0.5), term("artefact", 1), term("unseen", 1)]
        #expect(terms.map { balance.weight(of: $0, among: terms) } == [1, LossBalance.limit, 0, 0])
    }

    /// The first stage's gradient, carried on backwards, is the gradient of the whole.
    @Test func cutAtTheOutput() throws {
        let folder = try Folder()
        let recipe = try Recipe(contentsOf: folder.recipe())
        let network = try recipe.network()
        var random = SplitMix(seed: 4)
        let weights = try recipe.freshWeights(of: network, using: &random) { _ in }
        let low = try onDevice(formula([2, 3, 4, 5], 9).shifted(0.5))
        var results: [[String: Tensor]] = []
        for isCut in [false, true] {
            let net = try TorchNetwork(network, weights: weights, requiresGradient: true, runtime: TorchRuntime.shared())
            let output = try net(low)
            if isCut {
                let leaf = try output.watched()
                try output.backward(with: leaf.l1(to: onDevice(truth)).gradient(at: leaf))
            } else {
                try output.l1(to: onDevice(truth)).backward()
            }
            results.append(try net.parameters.mapValues { try $0.gradient().floats() })
        }
        #expect(results[0] == results[1])
    }
}
