// RRDBNet: the generator of ESRGAN (Wang et al. 2018) and Real-ESRGAN: residual-in-residual dense blocks.

/// RRDBNet with nearest enlargement ×2 per up-sampling convolution, and a pixel-unshuffle in front for ×1 and ×2.
public struct RRDBNet: Architecture {
    /// Channels of the trunk.
    public var features: Int
    /// Residual-in-residual dense blocks.
    public var blocks: Int
    /// Channels that each dense layer adds.
    public var growth: Int
    /// Enlargement factors in order, one per up-sampling convolution: [2, 2] in all published networks.
    public var steps: [Int]
    /// Pixel-unshuffle in front of the first convolution: 1, 2 or 4.
    public var unshuffle: Int
    /// 3 (RGB) or 1 (luma).
    public var channels: Int

    public init(features: Int = 64, blocks: Int = 23, growth: Int = 32, steps: [Int] = [2, 2], unshuffle: Int = 1, channels: Int = 3) {
        self.features = features
        self.blocks = blocks
        self.growth = growth
        self.steps = steps
        self.unshuffle = unshuffle
        self.channels = channels
    }

    /// The network of Real-ESRGAN for a scale of 1, 2 (by pixel-unshuffle), 3, 4, 8 or 16.
    public init(features: Int = 64, blocks: Int = 23, growth: Int = 32, scale: Int, channels: Int = 3) throws {
        let (steps, unshuffle): ([Int], Int)
        switch scale {
        case 1: (steps, unshuffle) = ([2, 2], 4)
        case 2: (steps, unshuffle) = ([2, 2], 2)
        case 3: (steps, unshuffle) = ([3], 1)
        case 4: (steps, unshuffle) = ([2, 2], 1)
        case 8: (steps, unshuffle) = ([2, 2, 2], 1)
        case 16: (steps, unshuffle) = ([2, 2, 2, 2], 1)
        default: throw AcuityError(.network, "RRDBNet has scales 1, 2, 3, 4, 8 and 16, not \(scale)")
        }
        self.init(features: features, blocks: blocks, growth: growth, steps: steps, unshuffle: unshuffle, channels: channels)
    }

    public static let name = "RRDBNet"

    public static func detects(_ weights: StateDict) -> Bool {
        let weights = canonical(weights)
        return weights.rank("conv_first.weight") == 4 && weights.rank("body.0.rdb1.conv1.weight") == 4
            && weights.rank("conv_last.weight") == 4
    }

    public init(weights: StateDict, scale: Int?) throws {
        let first = try weights.shape("conv_first.weight", rank: 4)
        let growth = try weights.shape("body.0.rdb1.conv1.weight", rank: 4)[0]
        let channels = try weights.shape("conv_last.weight", rank: 4)[0]
        if let key = weights.keys.first(where: { $0.contains("conv1x1") }) {
            throw AcuityError(.weights, "this is ESRGAN+ (\(key)), which is not supported")
        }
        var blocks = 0
        while weights["body.\(blocks).rdb1.conv1.weight"] != nil { blocks += 1 }
        var steps: [Int] = []
        while weights["conv_up\(steps.count + 1).weight"] != nil { steps.append(2) }
        // One up-sampling convolution serves ×2 and ×3 alike; only the caller can tell.
        if steps == [2], scale == 3 { steps = [3] }
        guard let unshuffle = [1, 2, 4].first(where: { first[1].isMultiple(of: channels) && first[1] / channels == $0 * $0 }) else {
            throw AcuityError(.weights, "conv_first takes \(first[1]) channels and conv_last gives \(channels), which no pixel-unshuffle explains")
        }
        self.init(features: first[0], blocks: blocks, growth: growth, steps: steps, unshuffle: unshuffle, channels: channels)
    }

    public init(_ hyperparameters: inout Hyperparameters, scale: Int) throws {
        try self.init(
            features: try hyperparameters.number("features", default: 64), blocks: try hyperparameters.number("blocks", default: 23),
            growth: try hyperparameters.number("growth", default: 32), scale: scale,
            channels: try hyperparameters.number("channels", default: 3))
    }

    public func network() throws -> Network {
        try require("features", features, in: 1...4096)
        try require("blocks", blocks, in: 1...1024)
        try require("growth", growth, in: 1...4096)
        try require("up-sampling convolutions", steps.count, in: 0...4)
        for step in steps { try require("up-sampling factor", step, in: 2...4) }
        try require("pixel-unshuffle", unshuffle, in: 1...4)
        let colour = try Network.Colour(channels: channels)

        var net = NetworkBuilder(inputChannels: channels)
        let picture = unshuffle == 1 ? net.input : net.pixelUnshuffle(net.input, unshuffle)
        let shallow = net.convolution(picture, "conv_first", outputs: features)
        var x = shallow
        for block in 0..<blocks { x = residualInResidual(&net, x, "body.\(block)") }
        x = net.add(shallow, net.convolution(x, "conv_body", outputs: features))
        for (index, step) in steps.enumerated() {
            x = net.enlarge(x, step, .nearest)
            x = net.leakyReLU(net.convolution(x, "conv_up\(index + 1)", outputs: features), slope: 0.2)
        }
        x = net.leakyReLU(net.convolution(x, "conv_hr", outputs: features), slope: 0.2)
        x = net.convolution(x, "conv_last", outputs: channels)
        return try net.finish(x, architecture: Self.name, colour: colour)
    }

    /// Three dense blocks, scaled by 0.2 and added to what came in.
    private func residualInResidual(_ net: inout NetworkBuilder, _ x: Network.Value, _ key: String) -> Network.Value {
        var y = x
        for block in 1...3 { y = dense(&net, y, "\(key).rdb\(block)") }
        return net.add(net.scale(y, by: 0.2), x)
    }

    /// Five convolutions, each of which sees all that came before.
    private func dense(_ net: inout NetworkBuilder, _ x: Network.Value, _ key: String) -> Network.Value {
        var values = [x]
        for layer in 1...4 {
            let seen = values.count == 1 ? x : net.concatenate(values)
            values.append(net.leakyReLU(net.convolution(seen, "\(key).conv\(layer)", outputs: growth), slope: 0.2))
        }
        let y = net.convolution(net.concatenate(values), "\(key).conv5", outputs: features)
        return net.add(net.scale(y, by: 0.2), x)
    }

    // MARK: Old keys

    /// Renames the layouts of the first ESRGAN release (`model.1.sub.0.RDB1.conv1.0.weight`) and of its later test code
    /// (`RRDB_trunk.0.RDB1.conv1.weight`) to that of BasicSR.
    public static func canonical(_ weights: StateDict) -> StateDict {
        if weights["model.0.weight"] != nil { return renamed(weights, by: sequentialKeys(weights)) }
        if weights["RRDB_trunk.0.RDB1.conv1.weight"] != nil { return renamed(weights, by: trunkKey) }
        return weights
    }

    /// Keys whose new name is already taken keep theirs, so that nothing is lost silently.
    private static func renamed(_ weights: StateDict, by rename: (String) -> String) -> StateDict {
        var result = StateDict()
        for key in weights.keys.sorted() {
            let new = rename(key)
            result[result[new] == nil ? new : key] = weights[key]
        }
        return result
    }

    /// `RRDB_trunk.3.RDB1.conv2.weight` → `body.3.rdb1.conv2.weight`, `upconv1` → `conv_up1`, `HRconv` → `conv_hr`.
    private static func trunkKey(_ key: String) -> String {
        var parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        switch parts[0] {
        case "RRDB_trunk":
            parts[0] = "body"
            if parts.count > 2 { parts[2] = parts[2].lowercased() }
        case "trunk_conv": parts[0] = "conv_body"
        case "HRconv": parts[0] = "conv_hr"
        case let part where part.hasPrefix("upconv"): parts[0] = "conv_up" + part.dropFirst(6)
        default: break
        }
        return parts.joined(separator: ".")
    }

    /// The first release is one `Sequential`: model.0 first, model.1 the trunk, then up-sampling convolutions, and the
    /// last two are conv_hr and conv_last. How many there are depends on the scale.
    private static func sequentialKeys(_ weights: StateDict) -> (String) -> String {
        let tail = Set(
            weights.keys.compactMap { key -> Int? in
                let parts = key.split(separator: ".", omittingEmptySubsequences: false)
                guard parts.count == 3, parts[0] == "model", let index = Int(parts[1]), index > 1 else { return nil }
                return index
            }
        ).sorted()
        var names = ["0": "conv_first"]
        for (position, index) in tail.enumerated() {
            switch tail.count - position {
            case 1: names[String(index)] = "conv_last"
            case 2: names[String(index)] = "conv_hr"
            default: names[String(index)] = "conv_up\(position + 1)"
            }
        }
        return { key in
            let parts = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard parts.count >= 3, parts[0] == "model" else { return key }
            if parts.count == 3, let name = names[parts[1]] { return "\(name).\(parts[2])" }
            guard parts[1] == "1", parts[2] == "sub" else { return key }
            if parts.count >= 7, Int(parts[3]) != nil, parts[6] == "0" {
                // model.1.sub.3.RDB1.conv2.0.weight
                return (["body", parts[3], parts[4].lowercased(), parts[5]] + parts[7...]).joined(separator: ".")
            }
            // model.1.sub.23.weight
            if parts.count == 5, Int(parts[3]) != nil { return "conv_body.\(parts[4])" }
            return key
        }
    }
}
