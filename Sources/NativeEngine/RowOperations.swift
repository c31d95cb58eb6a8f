// RowOperations: the operations that are not convolutions, a row of floats at a time.

import CKernels
import SuperResolution

enum RowOperations {
    typealias Row = UnsafeMutablePointer<Float>

    /// The stages that fill `output`: one, or two where a whole tensor must be summed up first.
    static func stages(
        _ node: Graph.Node, operands: [Int], output: Int, slots: inout [Program.Slot], instructionSet: NativeEngine.InstructionSet
    ) -> [Stage] {
        let channels = node.channels
        func stage(_ reach: Reach = .same, cost: Double = 256, _ body: @escaping RowStage.Body) -> [Stage] {
            [RowStage(operands: operands.map { .init(slot: $0, reach: reach) }, output: output, up: node.up, down: node.down, cost: cost, body: body)]
        }
        /// One operand, each pixel by itself: input pixel, output pixel.
        func pixels(_ body: @escaping (Row, Row) -> Void) -> [Stage] {
            let x = operands[0]
            return stage { e, y, out in
                let row = e.floats[x]!.row(y), stride = e.stride(x), outStride = e.stride(output)
                for i in 0..<e.width(output) { body(row + i * stride, out + i * outStride) }
            }
        }
        switch node.kind {
        case .input, .convolution: return []  // Stages of their own.
        case .leak(let slopes):
            return pixels { x, out in
                for c in 0..<channels { out[c] = x[c] < 0 ? x[c] * slopes[c] : x[c] }
            }
        case .activation(let function):
            let kind = kernel(function), x = operands[0], isa = instructionSet.kernels
            return stage { e, y, out in acuity_activate(isa, kind, e.floats[x]!.row(y), out, e.width(output) * e.stride(output)) }
        case .gate:
            let a = operands[0], b = operands[1], isa = instructionSet.kernels
            return stage { e, y, out in acuity_gate(isa, e.floats[a]!.row(y), e.floats[b]!.row(y), out, e.width(output) * e.stride(output)) }
        case .add:
            if slots[operands[0]].channels == slots[operands[1]].channels {
                let a = operands[0], b = operands[1], isa = instructionSet.kernels
                return stage { e, y, out in
                    acuity_sum(isa, e.floats[a]!.row(y), 1, e.floats[b]!.row(y), 1, out, e.width(output) * e.stride(output))
                }
            }
            return stage { e, y, out in combine(e, y, operands, output, channels, out, +) }
        case .multiply:
            if slots[operands[0]].channels == slots[operands[1]].channels {
                let a = operands[0], b = operands[1], isa = instructionSet.kernels
                return stage { e, y, out in acuity_product(isa, e.floats[a]!.row(y), e.floats[b]!.row(y), out, e.width(output) * e.stride(output)) }
            }
            return stage { e, y, out in combine(e, y, operands, output, channels, out, *) }
        case .scale(let factor, let offset):
            return pixels { x, out in
                for c in 0..<channels { out[c] = x[c] * factor + offset }
            }
        case .affine(let weight, let bias):
            return pixels { x, out in
                for c in 0..<channels { out[c] = x[c] * weight[c] + bias[c] }
            }
        case .slice(let first):
            return pixels { x, out in out.update(from: x + first, count: channels) }
        case .concatenate:
            let counts = operands.map { slots[$0].channels }
            return stage { e, y, out in
                var first = 0
                for (x, count) in zip(operands, counts) {
                    let row = e.floats[x]!.row(y), stride = e.stride(x), outStride = e.stride(output)
                    for i in 0..<e.width(output) { (out + i * outStride + first).update(from: row + i * stride, count: count) }
                    first += count
                }
            }
        case .shuffle(let factor):
            let x = operands[0], area = factor * factor
            return stage(.divided(by: factor, margin: 0)) { e, y, out in
                let row = e.floats[x]!.row(y / factor), stride = e.stride(x), outStride = e.stride(output)
                for i in 0..<e.width(output) {
                    let pixel = row + i / factor * stride + y % factor * factor + i % factor
                    for c in 0..<channels { out[i * outStride + c] = pixel[c * area] }
                }
            }
        case .unshuffle(let factor):
            let x = operands[0], inner = channels / (factor * factor)
            return stage(.window(step: factor, before: 0, after: factor - 1)) { e, y, out in
                let stride = e.stride(x), outStride = e.stride(output)
                for dy in 0..<factor {
                    let row = e.floats[x]!.row(y * factor + dy)
                    for i in 0..<e.width(output) {
                        for dx in 0..<factor {
                            for c in 0..<inner {
                                out[i * outStride + (c * factor + dy) * factor + dx] = row[(i * factor + dx) * stride + c]
                            }
                        }
                    }
                }
            }
        case .enlarge(let factor, .nearest):
            let x = operands[0]
            return stage(.divided(by: factor, margin: 0)) { e, y, out in
                let row = e.floats[x]!.row(y / factor), stride = e.stride(x)
                for i in 0..<e.width(x) {
                    for d in 0..<factor { (out + (i * factor + d) * stride).update(from: row + i * stride, count: stride) }
                }
            }
        case .enlarge(let factor, .bilinear): return stage(.divided(by: factor, margin: 1), cost: 2048) { enlarge($0, $1, $2, operands[0], output, factor, reach: 1) }
        case .enlarge(let factor, .bicubic): return stage(.divided(by: factor, margin: 2), cost: 4096) { enlarge($0, $1, $2, operands[0], output, factor, reach: 2) }
        case .layerNorm(let weight, let bias, let epsilon):
            return pixels { x, out in
                var sum: Float = 0, squares: Float = 0
                for c in 0..<channels { sum += x[c] }
                let mean = sum / Float(channels)
                for c in 0..<channels { squares += (x[c] - mean) * (x[c] - mean) }
                let factor = 1 / (squares / Float(channels) + epsilon).squareRoot()
                for c in 0..<channels { out[c] = (x[c] - mean) * factor * weight[c] + bias[c] }
            }
        case .groupNorm(let groups, let weight, let bias, let epsilon):
            let x = operands[0]
            slots.append(Program.Slot(channels: 2 * channels, up: 1, down: 1, needsFloats: true, isSummary: true))
            let summary = slots.count - 1
            return [
                // Per channel: what to multiply by, then what to add.
                SummaryStage(of: x, output: summary) { e, out in
                    let size = channels / groups, count = Double(size * e.width(x) * e.height(x))
                    for g in 0..<groups {
                        func total(_ f: (Double) -> Double) -> Double {
                            var sum = 0.0
                            for y in 0..<e.height(x) {
                                let row = e.floats[x]!.row(y)
                                for i in 0..<e.width(x) {
                                    for c in (g * size)..<((g + 1) * size) { sum += f(Double(row[i * e.stride(x) + c])) }
                                }
                            }
                            return sum
                        }
                        let mean = total { $0 } / count
                        let factor = 1 / (total { ($0 - mean) * ($0 - mean) } / count + Double(epsilon)).squareRoot()
                        for c in (g * size)..<((g + 1) * size) {
                            out[c] = Float(factor) * weight[c]
                            out[channels + c] = bias[c] - Float(mean * factor) * weight[c]
                        }
                    }
                },
                RowStage(
                    operands: [.init(slot: x, reach: .same), .init(slot: summary, reach: .all)], output: output, up: node.up, down: node.down
                ) { e, y, out in
                    let row = e.floats[x]!.row(y), factors = e.floats[summary]!.row(0), stride = e.stride(x)
                    for i in 0..<e.width(x) {
                        for c in 0..<channels { out[i * stride + c] = row[i * stride + c] * factors[c] + factors[channels + c] }
                    }
                },
            ]
        }
    }

    private static func kernel(_ function: Operation.Activation) -> acuity_activation {
        switch function {
        case .gelu: acuity_gelu
        case .silu: acuity_silu
        case .mish: acuity_mish
        case .tanh: acuity_tanh
        case .sigmoid, .relu: acuity_sigmoid  // ReLU is a slope of zero and does not come here.
        }
    }

    /// Element-wise on two operands; one of a single channel is broadcast.
    private static func combine(
        _ e: Execution, _ y: Int, _ operands: [Int], _ output: Int, _ channels: Int, _ out: Row, _ f: (Float, Float) -> Float
    ) {
        let a = e.floats[operands[0]]!.row(y), b = e.floats[operands[1]]!.row(y)
        let aStride = e.stride(operands[0]), bStride = e.stride(operands[1]), stride = e.stride(output)
        let aStep = e.program.slots[operands[0]].channels == 1 ? 0 : 1, bStep = e.program.slots[operands[1]].channels == 1 ? 0 : 1
        for i in 0..<e.width(output) {
            for c in 0..<channels { out[i * stride + c] = f(a[i * aStride + c * aStep], b[i * bStride + c * bStep]) }
        }
    }

    /// Bilinear (`reach` 1) or bicubic (2) enlargement: half-pixel centres, mirrored border.
    private static func enlarge(_ e: Execution, _ y: Int, _ out: Row, _ x: Int, _ output: Int, _ factor: Int, reach: Int) {
        let width = e.width(x), height = e.height(x), stride = e.stride(x), channels = e.program.slots[x].channels
        let vertical = taps(y, factor, reach)
        if reach == 1 {
            // Two of everything, padding channels and all: sums of runs.
            let isa = e.program.instructionSet.kernels
            func sum(_ a: Row, _ b: Row, _ weights: [Float], to out: Row, _ count: Int) { acuity_sum(isa, a, weights[0], b, weights[1], out, count) }
            let above = e.floats[x]!.row(mirror(vertical.first, height)), below = e.floats[x]!.row(mirror(vertical.first + 1, height))
            withUnsafeTemporaryAllocation(of: Float.self, capacity: width * stride) { line in
                guard let line = line.baseAddress else { return }
                sum(above, below, vertical.weights, to: line, width * stride)
                for d in 0..<factor {
                    let phase = taps(d, factor, reach)
                    for i in 0..<width {
                        let left = mirror(i + phase.first, width), right = mirror(i + phase.first + 1, width)
                        sum(line + left * stride, line + right * stride, phase.weights, to: out + (i * factor + d) * stride, stride)
                    }
                }
            }
            return
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: width * stride) { line in
            line.initialize(repeating: 0)
            for (j, weight) in vertical.weights.enumerated() {
                let row = e.floats[x]!.row(mirror(vertical.first + j, height))
                for i in 0..<(width * stride) { line[i] += row[i] * weight }
            }
            let phases = (0..<factor).map { taps($0, factor, reach) }
            for i in 0..<e.width(output) {
                let phase = phases[i % factor], pixel = out + i * stride
                for c in 0..<channels { pixel[c] = 0 }
                for (j, weight) in phase.weights.enumerated() {
                    let from = mirror(i / factor + phase.first + j, width) * stride
                    for c in 0..<channels { pixel[c] += line[from + c] * weight }
                }
            }
        }
    }

    /// The first input sample and the weights that make output sample `i`.
    private static func taps(_ i: Int, _ factor: Int, _ reach: Int) -> (first: Int, weights: [Float]) {
        let centre = (Double(i) + 0.5) / Double(factor) - 0.5
        let floor = centre.rounded(.down), t = centre - floor
        func cubic(_ x: Double) -> Double {  // Keys 1981, a = −0.5
            let d = abs(x)
            if d <= 1 { return (1.5 * d - 2.5) * d * d + 1 }
            return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0
        }
        let weights = reach == 1 ? [1 - t, t] : (-1...2).map { cubic(t - Double($0)) }
        return (Int(floor) - reach + 1, weights.map { Float($0) })
    }

    /// Mirrors an index into 0 ..< count, the edge sample being repeated: −1 → 0, −2 → 1.
    private static func mirror(_ i: Int, _ count: Int) -> Int {
        let period = 2 * count
        let m = (i % period + period) % period
        return m < count ? m : period - 1 - m
    }
}
