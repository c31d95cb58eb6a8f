// NetworkBuilder: writes a network down the way its paper does, and checks every shape on the way.

/// Builds a ``Network`` operation by operation.
///
/// ```swift
/// var net = NetworkBuilder(inputChannels: 3)
/// var x = net.convolution(net.input, "body.0", outputs: 64)
/// x = net.prelu(x, "body.1")
/// x = net.pixelShuffle(net.convolution(x, "body.2", outputs: 3 * 16), 4)
/// let network = try net.finish(x, architecture: "Example")
/// ```
/// Shapes are checked when the network is finished: builder calls never trap on bad hyper-parameters (they may come
/// from an untrusted checkpoint), ``finish(_:architecture:colour:)`` throws the first mismatch.
public struct NetworkBuilder {
    public typealias Value = Network.Value

    private(set) var operations: [Operation] = []
    private(set) var shapes: [Network.Shape] = []
    private var firstError: AcuityError?

    /// - Parameter marker: see ``Operation/input(channels:marker:)``.
    public init(inputChannels: Int, marker: String? = nil) {
        operations = [.input(channels: inputChannels, marker: marker)]
        shapes = [Network.Shape(channels: inputChannels, up: 1, down: 1)]
        if inputChannels < 1 { fail("a network needs at least one input channel") }
    }

    /// The picture.
    public var input: Value { Value(index: 0) }

    /// The number of channels of a value.
    public func channels(_ value: Value) -> Int { shapes[value.index].channels }

    /// Convolution with "same" padding.
    public mutating func convolution(
        _ x: Value, _ key: String, outputs: Int, kernel: Int = 3, stride: Int = 1, groups: Int = 1, bias: Bool = true,
        padding: Convolution.Padding = .zeros
    ) -> Value {
        convolution(x, Convolution(
            key: key, inputs: channels(x), outputs: outputs, kernelHeight: kernel, kernelWidth: kernel, stride: stride,
            groups: groups, hasBias: bias, padding: padding))
    }

    /// Convolution with every hyper-parameter spelt out.
    public mutating func convolution(_ x: Value, _ c: Convolution) -> Value {
        let shape = shapes[x.index]
        if c.inputs != shape.channels { fail("\(c.key): expects \(c.inputs) channels, is given \(shape.channels)") }
        if c.outputs < 1 || c.groups < 1 || c.inputs % c.groups != 0 || c.outputs % c.groups != 0 {
            fail("\(c.key): \(c.inputs) → \(c.outputs) channels do not divide into \(c.groups) groups")
        }
        if c.kernelHeight < 1 || c.kernelWidth < 1 || c.kernelHeight % 2 == 0 || c.kernelWidth % 2 == 0 || c.stride < 1 {
            fail("\(c.key): kernel \(c.kernelHeight)×\(c.kernelWidth) with stride \(c.stride) is not supported")
        }
        return append(.convolution(x, c), channels: c.outputs, of: shape, shrink: max(1, c.stride))
    }

    /// Transposed convolution that enlarges by `stride`.
    public mutating func transposedConvolution(_ x: Value, _ key: String, outputs: Int, kernel: Int, stride: Int, bias: Bool = true) -> Value {
        let shape = shapes[x.index]
        if kernel % 2 == 0 || stride < 1 || outputs < 1 { fail("\(key): transposed kernel \(kernel) with stride \(stride) is not supported") }
        let c = TransposedConvolution(key: key, inputs: shape.channels, outputs: outputs, kernel: kernel, stride: stride, hasBias: bias)
        return append(.transposedConvolution(x, c), channels: outputs, of: shape, grow: max(1, stride))
    }

    /// - Parameter shared: one slope for all channels, as PyTorch's `PReLU()` without arguments.
    public mutating func prelu(_ x: Value, _ key: String, shared: Bool = false) -> Value {
        append(.prelu(x, key: key, channels: shared ? 1 : channels(x)), of: shapes[x.index])
    }

    public mutating func leakyReLU(_ x: Value, slope: Float) -> Value {
        append(.leakyReLU(x, slope: slope), of: shapes[x.index])
    }

    public mutating func activation(_ x: Value, _ function: Operation.Activation) -> Value {
        append(.activation(x, function), of: shapes[x.index])
    }

    public mutating func add(_ a: Value, _ b: Value) -> Value { combine(a, b, "add") { .add($0, $1) } }

    public mutating func multiply(_ a: Value, _ b: Value) -> Value { combine(a, b, "multiply") { .multiply($0, $1) } }

    /// `x × factor + offset`.
    public mutating func scale(_ x: Value, by factor: Float, offset: Float = 0) -> Value {
        append(.scale(x, factor: factor, offset: offset), of: shapes[x.index])
    }

    /// Adds a constant per channel.
    public mutating func shift(_ x: Value, by offsets: [Float]) -> Value {
        if offsets.count != channels(x) { fail("shift: \(offsets.count) offsets for \(channels(x)) channels") }
        return append(.shift(x, by: offsets), of: shapes[x.index])
    }

    public mutating func concatenate(_ values: [Value]) -> Value {
        guard let first = values.first else {
            fail("nothing to concatenate")
            return input
        }
        let shape = shapes[first.index]
        if values.contains(where: { shapes[$0.index].up != shape.up || shapes[$0.index].down != shape.down }) {
            fail("concatenate: sizes differ")
        }
        return append(.concatenate(values), channels: values.reduce(0) { $0 + channels($1) }, of: shape)
    }

    public mutating func slice(_ x: Value, first: Int, count: Int) -> Value {
        if first < 0 || count < 1 || first + count > channels(x) { fail("slice: channels \(first)..<\(first + count) of \(channels(x))") }
        return append(.slice(x, first: first, count: count), channels: count, of: shapes[x.index])
    }

    public mutating func pixelShuffle(_ x: Value, _ factor: Int) -> Value {
        let f = max(1, factor)
        if channels(x) % (f * f) != 0 || factor < 1 { fail("pixel shuffle: \(channels(x)) channels by \(factor)") }
        return append(.pixelShuffle(x, factor: f), channels: max(1, channels(x) / (f * f)), of: shapes[x.index], grow: f)
    }

    public mutating func pixelUnshuffle(_ x: Value, _ factor: Int) -> Value {
        let f = max(1, factor)
        return append(.pixelUnshuffle(x, factor: f), channels: channels(x) * f * f, of: shapes[x.index], shrink: f)
    }

    public mutating func enlarge(_ x: Value, _ factor: Int, _ method: Operation.Enlargement) -> Value {
        if factor < 1 { fail("enlarge: factor \(factor)") }
        return append(.enlarge(x, factor: max(1, factor), method: method), of: shapes[x.index], grow: max(1, factor))
    }

    public mutating func normalise(_ x: Value, _ key: String, _ kind: Normalisation.Kind, epsilon: Float = 1e-5) -> Value {
        if case .group(let groups) = kind, groups < 1 || channels(x) % groups != 0 { fail("\(key): \(channels(x)) channels in \(groups) groups") }
        return append(.normalise(x, Normalisation(key: key, channels: channels(x), kind: kind, epsilon: epsilon)), of: shapes[x.index])
    }

    /// The finished network.
    /// - Throws: ``AcuityError`` with code `.network` naming the first operation whose shapes do not fit.
    ///
    /// Mutating only so that `net.finish(net.add(…), …)` is evaluated in the order it is read: a non-mutating call
    /// would copy the builder before its argument adds an operation.
    public mutating func finish(_ output: Value, architecture: String, colour: Network.Colour = .rgb) throws -> Network {
        if let firstError { throw firstError }
        guard shapes.indices.contains(output.index) else {
            throw AcuityError(.network, "\(architecture): the output is not a value of this network")
        }
        let shape = shapes[output.index]
        guard shape.down == 1 else {
            throw AcuityError(.network, "\(architecture): the output is smaller than the input")
        }
        guard shape.channels == shapes[0].channels else {
            throw AcuityError(.network, "\(architecture): \(shapes[0].channels) channels in, \(shape.channels) out")
        }
        return Network(
            architecture: architecture, scale: shape.up, colour: colour, operations: operations, shapes: shapes, output: output)
    }

    // MARK: -

    private mutating func combine(_ a: Value, _ b: Value, _ name: String, _ make: (Value, Value) -> Operation) -> Value {
        let (p, q) = (shapes[a.index], shapes[b.index])
        if p.up != q.up || p.down != q.down || (p.channels != q.channels && p.channels != 1 && q.channels != 1) {
            fail("\(name): \(p.channels) channels ×\(p.up)/\(p.down) against \(q.channels) channels ×\(q.up)/\(q.down)")
        }
        return append(make(a, b), channels: max(p.channels, q.channels), of: p)
    }

    private mutating func append(
        _ operation: Operation, channels: Int? = nil, of shape: Network.Shape, grow: Int = 1, shrink: Int = 1
    ) -> Value {
        let (up, down) = (shape.up * grow, shape.down * shrink)
        if up > 1 << 16 || down > 1 << 16 || (channels ?? 1) > 1 << 20 {
            fail("a value is too large")
            return input
        }
        let divisor = greatestCommonDivisor(up, down)
        operations.append(operation)
        shapes.append(Network.Shape(channels: channels ?? shape.channels, up: up / divisor, down: down / divisor))
        return Value(index: operations.count - 1)
    }

    private mutating func fail(_ message: String) {
        if firstError == nil { firstError = AcuityError(.network, message) }
    }
}

func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }
