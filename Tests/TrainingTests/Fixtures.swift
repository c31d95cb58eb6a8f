// Fixtures: a folder, two small shards of drawn pictures and recipes over them.

import Foundation
import SuperResolution
import Testing
import TorchEngine
import Training

/// Whether this machine has libtorch and the plug-in.
let hasTorch = (try? TorchRuntime.shared()) != nil
let torchMissing: Comment = "needs libtorch: ./run test installs it"

/// A folder that goes with its owner.
final class Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "acuity-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file(name))) }
}

/// Soft waves with some noise, RGB.
func drawing(width: Int, height: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix(seed: seed)
    return (0..<(width * height * 3)).map { index in
        let (x, y, c) = (index / 3 % width, index / 3 / width, index % 3)
        return UInt8(clamping: 40 * ((x / 5 + y / 7 + Int(seed)) % 4) + 30 * c + Int.random(in: 0..<30, using: &random))
    }
}

extension Folder {
    /// `crops.safetensors` and `images.safetensors`.
    func makeShards() throws {
        let crops = try ShardWriter(path: file("crops.safetensors"), cropSize: 48)
        for seed in 1...4 { try crops.append(crop: (seed, 3), of: drawing(width: 64, height: 60, seed: UInt64(seed)), width: 64) }
        try crops.finish()
        let images = try ShardWriter(path: file("images.safetensors"), cropSize: nil)
        try images.append(name: "a", width: 41, height: 30, bytes: drawing(width: 41, height: 30, seed: 8))
        try images.append(name: "b", width: 26, height: 33, bytes: drawing(width: 26, height: 33, seed: 9))
        try images.finish()
    }

    /// A recipe's JSON; `changes` replaces or (nil) removes keys.
    func recipe(_ changes: [String: Any?] = [:], name: String = "recipe.json") throws -> String {
        var json: [String: Any] = [
            "name": "test", "architecture": ["name": "Compact", "features": 8, "convolutions": 2], "scale": 2, "minutes": 5, "batch": 2,
            "patch": 12, "loss": "l1", "optimiser": ["name": "muon", "rate": 0.002], "warmup": 3, "precision": "fp32", "initialisation": "identity",
            "data": [file("crops.safetensors")], "validation": file("images.safetensors"), "validate_every": 1000, "checkpoint_every": 1000,
        ]
        for (key, value) in changes { json[key] = value }
        let data = try JSONSerialization.data(withJSONObject: json)
        return try write(String(decoding: data, as: UTF8.self), to: name)
    }
}
