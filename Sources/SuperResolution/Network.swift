// Network: a super-resolution network as a value: a list of operations, each with the checkpoint keys of its weights.

/// A feed-forward network in static single assignment form.
///
/// Operation `i` produces value `i`; operation 0 is the input. A network holds no weights, only the checkpoint keys
/// under which a ``Model`` finds them, so any ``Engine`` can run it and a trainer can train it. Tensors are thought of
/// as N×C×H×W as in the papers; engines choose their own layout.
public struct Network: Sendable, Hashable {
    /// A value that flows through the network: the output of the operation with the same index.
    public struct Value: Sendable, Hashable {
        public let index: Int
    }

    /// The shape of a value, apart from the input's size.
    public struct Shape: Sendable, Hashable {
        /// Number of channels.
        public let channels: Int
        /// Side length as a multiple of the network input's side, as a reduced fraction `up / down`.
        public let up: Int
        public let down: Int
    }

    /// Which colours go through the network.
    public enum Colour: String, Sendable, Hashable, Codable {
        /// Three channels, R G B.
        case rgb
        /// One channel: luma (Y of ITU-R BT.601, studio swing, as MATLAB's `rgb2ycbcr`) for a colour picture, which keeps its chroma by bicubic
        /// enlargement; the grey value for a grey one.
        case luma
    }

    /// The architecture's name in the field, e.g. `Compact`.
    public let architecture: String
    /// Output side length divided by input side length.
    public let scale: Int
    public let colour: Colour
    /// Operation `i` produces value `i`.
    public let operations: [Operation]
    /// The shape of each value.
    public let shapes: [Shape]
    /// The value that is the result.
    public let output: Value

    /// Input sides must be a multiple of this many pixels (2 for a network that begins with a pixel-unshuffle by 2).
    public var sizeMultiple: Int { shapes.map(\.down).max() ?? 1 }

    /// Every weight that the network reads: checkpoint key and shape, in order of first use.
    public var parameters: [Parameter] {
        var seen = Set<String>()
        return operations.flatMap(\.parameters).filter { seen.insert($0.key).inserted }
    }

    /// Number of trainable scalars.
    public var parameterCount: Int {
        parameters.filter(\.isTrainable).reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// Multiplications per pixel of the *input*, counted as direct convolution, bias and activations not counted.
    public var multiplicationsPerPixel: Double {
        operations.enumerated().reduce(0) { sum, entry in
            let area = Double(shapes[entry.offset].up * shapes[entry.offset].up) / Double(shapes[entry.offset].down * shapes[entry.offset].down)
            switch entry.element {
            case .convolution(_, let c):
                return sum + Double(c.outputs * c.inputs / c.groups * c.kernelHeight * c.kernelWidth) * area
            case .transposedConvolution(_, let c):
                return sum + Double(c.outputs * c.inputs * c.kernel * c.kernel) * area / Double(c.stride * c.stride)
            default: return sum
            }
        }
    }
}

/// A weight of a network: the key under which checkpoints store it, and its shape.
public struct Parameter: Sendable, Hashable {
    /// How a fresh weight is drawn before training.
    public enum Initialisation: Sendable, Hashable {
        case kernel
        case constant(Float)
    }
    public let key: String
    /// PyTorch's order: convolution weights are (outputs, inputs / groups, height, width).
    public let shape: [Int]
    public let initialisation: Initialisation
    /// False for running statistics.
    public let isTrainable: Bool

    public init(key: String, shape: [Int], initialisation: Initialisation, isTrainable: Bool = true) {
        self.key = key
        self.shape = shape
        self.initialisation = initialisation
        self.isTrainable = isTrainable
    }
}

/// One step of a network. The associated ``Network/Value``s are its inputs.
public enum Operation: Sendable, Hashable {
    /// The picture, with this many channels. `marker` is the checkpoint key of a tensor of one element that holds no
    /// weight but tells variants of an architecture apart (SPAN's `no_norm`).
    case input(channels: Int, marker: String? = nil)
    case convolution(Network.Value, Convolution)
    /// Transposed convolution ("deconvolution"), as FSRCNN ends.
    case transposedConvolution(Network.Value, TransposedConvolution)
    /// Parametric ReLU, one slope per channel, or one for all where `channels` is 1 (He et al. 2015).
    case prelu(Network.Value, key: String, channels: Int)
    case leakyReLU(Network.Value, slope: Float)
    case activation(Network.Value, Activation)
    /// Element-wise sum; a one-channel operand is broadcast over channels.
    case add(Network.Value, Network.Value)
    /// Element-wise product; a one-channel operand is broadcast over channels.
    case multiply(Network.Value, Network.Value)
    /// `x × factor + offset`.
    case scale(Network.Value, factor: Float, offset: Float)
    /// Adds a constant per channel, e.g. the mean colour of the training set.
    case shift(Network.Value, by: [Float])
    /// Along channels, in order.
    case concatenate([Network.Value])
    /// Channels `first ..< first + count`.
    case slice(Network.Value, first: Int, count: Int)
    /// Depth to space by `factor`, channel order of PyTorch's `pixel_shuffle`.
    case pixelShuffle(Network.Value, factor: Int)
    /// Space to depth by `factor`, channel order of PyTorch's `pixel_unshuffle`.
    case pixelUnshuffle(Network.Value, factor: Int)
    /// Enlargement by a whole factor with half-pixel centres; bicubic has a = −0.5 (MATLAB), borders are mirrored.
    case enlarge(Network.Value, factor: Int, method: Enlargement)
    case normalise(Network.Value, Normalisation)

    public enum Activation: String, Sendable, Hashable {
        case relu
        /// Exact, by the error function.
        case gelu
        case silu
        case mish
        case sigmoid
        case tanh
    }

    public enum Enlargement: String, Sendable, Hashable {
        case nearest
        case bilinear
        case bicubic
    }
}

/// A two-dimensional convolution, as PyTorch's `Conv2d`.
public struct Convolution: Sendable, Hashable {
    public enum Padding: String, Sendable, Hashable {
        case zeros
        case replicate
    }
    /// Weights are at `key + ".weight"` and, if there is a bias, `key + ".bias"`.
    public let key: String
    public let inputs: Int
    public let outputs: Int
    public let kernelHeight: Int
    public let kernelWidth: Int
    public let stride: Int
    public let groups: Int
    public let hasBias: Bool
    /// "Same" padding of (kernel − 1) / 2 on every side, filled like this.
    public let padding: Padding

    public init(
        key: String, inputs: Int, outputs: Int, kernelHeight: Int, kernelWidth: Int, stride: Int = 1, groups: Int = 1,
        hasBias: Bool = true, padding: Padding = .zeros
    ) {
        self.key = key
        self.inputs = inputs
        self.outputs = outputs
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.stride = stride
        self.groups = groups
        self.hasBias = hasBias
        self.padding = padding
    }
}

/// A transposed convolution whose output is exactly `stride` times its input: PyTorch's `ConvTranspose2d` with
/// padding `kernel / 2` and output padding `stride − 1` (kernel odd).
public struct TransposedConvolution: Sendable, Hashable {
    public let key: String
    public let inputs: Int
    public let outputs: Int
    public let kernel: Int
    public let stride: Int
    public let hasBias: Bool

    public init(key: String, inputs: Int, outputs: Int, kernel: Int, stride: Int, hasBias: Bool = true) {
        self.key = key
        self.inputs = inputs
        self.outputs = outputs
        self.kernel = kernel
        self.stride = stride
        self.hasBias = hasBias
    }
}

/// Normalisation with learned weight and bias per channel at `key + ".weight"` and `key + ".bias"`.
public struct Normalisation: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// Over the channels of each pixel.
        case layer
        /// Over whole groups of channels and all pixels.
        case group(groups: Int)
        /// With running mean and variance (`key + ".running_mean"`, `key + ".running_var"`).
        case batch
    }
    public let key: String
    public let channels: Int
    public let kind: Kind
    public let epsilon: Float

    public init(key: String, channels: Int, kind: Kind, epsilon: Float = 1e-5) {
        self.key = key
        self.channels = channels
        self.kind = kind
        self.epsilon = epsilon
    }
}

extension Operation {
    /// The values that the operation reads, in order.
    public var operands: [Network.Value] {
        switch self {
        case .input: []
        case .convolution(let x, _), .transposedConvolution(let x, _), .prelu(let x, _, _), .leakyReLU(let x, _),
            .activation(let x, _), .scale(let x, _, _), .shift(let x, _), .slice(let x, _, _), .pixelShuffle(let x, _),
            .pixelUnshuffle(let x, _), .enlarge(let x, _, _), .normalise(let x, _):
            [x]
        case .add(let a, let b), .multiply(let a, let b): [a, b]
        case .concatenate(let values): values
        }
    }

    /// The weights that the operation reads.
    public var parameters: [Parameter] {
        switch self {
        case .input(_, let marker?):
            [Parameter(key: marker, shape: [1], initialisation: .constant(0), isTrainable: false)]
        case .convolution(_, let c):
            [Parameter(key: c.key + ".weight", shape: [c.outputs, c.inputs / c.groups, c.kernelHeight, c.kernelWidth], initialisation: .kernel)]
                + (c.hasBias ? [Parameter(key: c.key + ".bias", shape: [c.outputs], initialisation: .constant(0))] : [])
        case .transposedConvolution(_, let c):
            [Parameter(key: c.key + ".weight", shape: [c.inputs, c.outputs, c.kernel, c.kernel], initialisation: .kernel)]
                + (c.hasBias ? [Parameter(key: c.key + ".bias", shape: [c.outputs], initialisation: .constant(0))] : [])
        case .prelu(_, let key, let channels):
            [Parameter(key: key + ".weight", shape: [channels], initialisation: .constant(0.25))]
        case .normalise(_, let n):
            [
                Parameter(key: n.key + ".weight", shape: [n.channels], initialisation: .constant(1)),
                Parameter(key: n.key + ".bias", shape: [n.channels], initialisation: .constant(0)),
            ]
                + (n.kind == .batch
                    ? [
                        Parameter(key: n.key + ".running_mean", shape: [n.channels], initialisation: .constant(0), isTrainable: false),
                        Parameter(key: n.key + ".running_var", shape: [n.channels], initialisation: .constant(1), isTrainable: false),
                    ] : [])
        default: []
        }
    }
}
