// ShardTests: what goes into a shard comes out, in the eight symmetries; damaged shards are refused.

import Foundation
import SuperResolution
import Testing
import Training

@Suite struct ShardTests {
    let folder: Folder
    init() throws { folder = try Folder() }

    @Test func images() throws {
        try folder.makeShards()
        let images = try ImageShard(folder.file("images.safetensors")).images
        #expect(images.map(\.name) == ["a", "b"])
        #expect(images[1].width == 26 && images[1].height == 33 && images[1].bytes == drawing(width: 26, height: 33, seed: 9))
        let twice = try ShardWriter(path: folder.file("twice.safetensors"), cropSize: nil)
        for _ in 0..<2 { try twice.append(name: "same", width: 1, height: 1, bytes: [1, 2, 3]) }
        try twice.finish()
        #expect(try ImageShard(folder.file("twice.safetensors")).images.count == 2)
    }

    /// Every patch is a square of some crop, turned or mirrored; all eight ways occur.
    @Test func patches() throws {
        let (width, height, size, side) = (20, 18, 12, 5)
        let pixels: [UInt8] = (0..<(width * height)).flatMap { (i: Int) -> [UInt8] in [UInt8(i % width * 10), UInt8(i / width * 10), 7] }  // Colours tell the place.
        let writer = try ShardWriter(path: folder.file("crops.safetensors"), cropSize: size)
        try writer.append(crop: (3, 2), of: pixels, width: width)
        try writer.append(crop: (8, 6), of: pixels, width: width)
        try writer.finish()
        let shards = try CropShards([folder.file("crops.safetensors"), folder.file("crops.safetensors")])
        #expect(shards.size == size && shards.count == 4)
        var random = SplitMix(seed: 4)
        let bytes = try shards.batch(64, side: side, using: &random)
        var ways = Set<[Int]>()
        for patch in 0..<64 {
            func place(_ x: Int, _ y: Int) -> (Int, Int) {
                let start = ((patch * side + y) * side + x) * 3
                #expect(bytes[start + 2] == 7)
                return (Int(bytes[start]) / 10, Int(bytes[start + 1]) / 10)
            }
            let origin = place(0, 0), right = place(1, 0), down = place(0, 1)
            let (dx, dy) = ((right.0 - origin.0, right.1 - origin.1), (down.0 - origin.0, down.1 - origin.1))
            ways.insert([dx.0, dx.1, dy.0, dy.1])
            for y in 0..<side {
                for x in 0..<side {
                    let here = place(x, y)
                    #expect(here.0 == origin.0 + x * dx.0 + y * dy.0 && here.1 == origin.1 + x * dx.1 + y * dy.1)
                    #expect((3..<20).contains(here.0) && (2..<18).contains(here.1))
                }
            }
        }
        #expect(ways.count == 8)
        #expect(throws: AcuityError.self) { try shards.batch(1, side: 13, using: &random) }
        #expect(throws: AcuityError.self) { try shards.batch(1, side: 0, using: &random) }
    }

    /// Smooth patches are flat or bilinear: along a row and a column the second differences are rounding alone.
    /// As large as the crop a patch can only be the crop itself, unless it is turned.
    @Test func unturnedPatches() throws {
        let folder = try Folder()
        let writer = try ShardWriter(path: folder.file("s"), cropSize: 16)
        let bytes = drawing(width: 16, height: 16, seed: 3)
        try writer.append(crop: (0, 0), of: bytes, width: 16)
        try writer.finish()
        let crops = try CropShards([folder.file("s")])
        var random = SplitMix(seed: 5)
        #expect(try crops.batch(9, side: 16, turns: false, using: &random) == (0..<9).flatMap { _ in bytes })
        random = SplitMix(seed: 5)
        #expect(try crops.batch(9, side: 16, using: &random) != (0..<9).flatMap { _ in bytes })
    }

    @Test func smoothPatches() throws {
        let side = 24
        let writer = try ShardWriter(path: folder.file("crops.safetensors"), cropSize: side)
        try writer.append(crop: (0, 0), of: drawing(width: side, height: side, seed: 3), width: side)
        try writer.finish()
        let shards = try CropShards([folder.file("crops.safetensors")])
        var random = SplitMix(seed: 11)
        let bytes = try shards.batch(60, side: side, smooth: 1, using: &random).map(Int.init)
        var flat = 0
        for patch in 0..<60 {
            func sample(_ x: Int, _ y: Int) -> Int { bytes[((patch * side + y) * side + x) * 3] }
            flat += (0..<side).allSatisfy { x in (0..<side).allSatisfy { sample(x, $0) == sample(0, 0) } } ? 1 : 0
            for a in 0..<side {
                for b in 1..<(side - 1) {
                    #expect(abs(sample(b - 1, a) - 2 * sample(b, a) + sample(b + 1, a)) <= 2)
                    #expect(abs(sample(a, b - 1) - 2 * sample(a, b) + sample(a, b + 1)) <= 2)
                }
            }
        }
        #expect((15...45).contains(flat))
        let mixed = try shards.batch(200, side: side, smooth: 0.5, using: &random)
        let photographs = (0..<200).filter { patch in
            let one = mixed[(patch * side * side * 3)..<((patch + 1) * side * side * 3)]
            return one.sorted() == drawing(width: side, height: side, seed: 3).sorted()
        }
        #expect((60...140).contains(photographs.count))
    }

    @Test func unfinishedShardsLeaveNothing() throws {
        do {
            let writer = try ShardWriter(path: folder.file("half.safetensors"), cropSize: 4)
            try writer.append(crop: (0, 0), of: [UInt8](repeating: 1, count: 48), width: 4)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        #expect(throws: AcuityError.self) { try ShardWriter(path: folder.file("no/such/folder.safetensors"), cropSize: 4) }
    }

    @Test func wrongKinds() throws {
        try folder.makeShards()
        #expect(throws: AcuityError.self) { try CropShards([]) }
        #expect(throws: AcuityError.self) { try CropShards([folder.file("images.safetensors")]) }
        #expect(throws: AcuityError.self) { try ImageShard(folder.file("crops.safetensors")) }
        #expect(throws: AcuityError.self) { try CropShards([folder.file("absent")]) }
        let other = try ShardWriter(path: folder.file("other.safetensors"), cropSize: 4)
        try other.append(crop: (0, 0), of: [UInt8](repeating: 1, count: 48), width: 4)
        try other.finish()
        let error = #expect(throws: AcuityError.self) { try CropShards([folder.file("crops.safetensors"), folder.file("other.safetensors")]) }
        #expect(error?.message.contains("other.safetensors") == true)
    }

    /// 2000 shards with bytes changed, cut or added: each is read or refused, and what is read can be drawn from.
    @Test func damaged() throws {
        try folder.makeShards()
        let good = [UInt8](try folder.read("crops.safetensors"))
        let path = folder.file("bad.safetensors")
        var random = SplitMix(seed: 11)
        var refused = 0
        for _ in 0..<2000 {
            var bytes = good
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1: bytes.append(contentsOf: [UInt8](repeating: 0, count: Int.random(in: 1...64, using: &random)))
            case 2:  // The header's digits and quotes.
                for _ in 0..<Int.random(in: 1...3, using: &random) { bytes[Int.random(in: 8..<150, using: &random)] = UInt8.random(in: 0x20...0x7e, using: &random) }
            default: for _ in 0..<Int.random(in: 1...4, using: &random) { bytes[Int.random(in: 0..<264, using: &random)] = .random(in: 0...255, using: &random) }
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            do {
                let shards = try CropShards([path])
                _ = try shards.batch(2, side: min(8, shards.size), using: &random)
            } catch is AcuityError {
                refused += 1
            }
        }
        #expect(refused > 1500)
    }

    @Test func detail() throws {
        // Flat on the left, busy on the right: crops come from the right and barely overlap.
        let (width, height) = (200, 100)
        var random = SplitMix(seed: 1)
        let bytes = (0..<(width * height * 3)).map { $0 / 3 % width < 100 ? UInt8(128) : UInt8.random(in: 0...255, using: &random) }
        let crops = detailedCrops(of: bytes, width: width, height: height, size: 32, count: 6, using: &random)
        #expect(!crops.isEmpty && crops.count <= 6)
        for (i, a) in crops.enumerated() {
            #expect(a.x >= 0 && a.x <= 168 && a.y >= 0 && a.y <= 68)
            for b in crops[..<i] { #expect(abs(a.x - b.x) + abs(a.y - b.y) > 16) }
        }
        #expect(crops[0].x > 68)
        #expect(detailedCrops(of: bytes, width: width, height: height, size: 128, count: 6, using: &random).isEmpty)
    }

    /// A header larger than the room left for it, crops left out again, labels behind them: the reader finds it all.
    @Test(arguments: [256, 4096]) func headersAndLabels(_ room: Int) throws {
        let path = folder.file("labelled.safetensors")
        let writer = try ShardWriter(path: path, cropSize: 32, headerBytes: room)
        let picture = drawing(width: 64, height: 60, seed: 1)
        for x in 0..<6 { try writer.append(crop: (x, x), of: picture, width: 64) }
        #expect(try writer.crop(4) == cropBytes(of: picture, width: 64, x: 4, y: 4, size: 32))
        #expect(throws: AcuityError.self) { try writer.crop(6) }
        try writer.keep(crops: [0, 3, 5])
        try writer.append(crop: (9, 9), of: picture, width: 64)
        let hashes = (0..<100).map { PerceptualHash(bits: UInt64($0) << 40) }
        try writer.finish(metadata: [ShardMetadata.sources: ShardMetadata.list(hashes), "odd \"key\"": "a\n\u{1}b"], labels: Array("[1]".utf8))
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata["odd \"key\""] == "a\n\u{1}b" && file.metadata["format"] == "acuity-crops")
        #expect(try Array(file.bytes(of: "labels")) == Array("[1]".utf8))
        let expected = [0, 3, 5, 9].flatMap { cropBytes(of: picture, width: 64, x: $0, y: $0, size: 32) }
        #expect(try Array(file.bytes(of: "crops")) == expected)
        let shards = try CropShards([path, path])
        #expect(shards.count == 8 && shards.sources == hashes && shards.shardsWithoutSources.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["labelled.safetensors"])
    }

    /// Sources of all shards and of the networks that are learnt from, each once; what does not say is named.
    @Test func provenance() throws {
        func shard(_ name: String, _ list: String?) throws -> String {
            let writer = try ShardWriter(path: folder.file(name), cropSize: 16)
            try writer.append(crop: (0, 0), of: drawing(width: 16, height: 16, seed: 1), width: 16)
            try writer.finish(metadata: list.map { [ShardMetadata.sources: $0] } ?? [:])
            return folder.file(name)
        }
        let (a, b) = ("00000000000000aa", "00000000000000bb")
        let shards = try CropShards([shard("one", "\(a),\(b)"), shard("two", b), shard("old", nil), shard("drawn", "")])
        #expect(try CropShards.provenance(of: [shards, shards]) == ["acuity.sources": "\(a),\(b)", "acuity.sources.unknown": "old"])
        var weights = SafetensorsWriter(metadata: ["acuity.sources": "\(b),00000000000000cc", "acuity.sources.unknown": "older"])
        try weights.add("w", Tensor(shape: [1], values: [1]))
        try weights.write(to: folder.file("start.safetensors"))
        var teacher = SafetensorsWriter(metadata: ["acuity.sources": "00000000000000dd,\(a)"])
        try teacher.add("w", Tensor(shape: [1], values: [1]))
        try teacher.write(to: folder.file("teacher.safetensors"))
        let learntFrom = ["start", "teacher"].map { folder.file($0 + ".safetensors") }
        #expect(try CropShards.provenance(of: [shards, shards], learntFrom: learntFrom)
            == ["acuity.sources": "\(a),\(b),00000000000000cc,00000000000000dd", "acuity.sources.unknown": "old,older"])
        let taught = try ShardWriter(path: folder.file("taught"), cropSize: 16)
        try taught.append(crop: (0, 0), of: drawing(width: 16, height: 16, seed: 1), width: 16)
        try taught.finish(metadata: try CropShards.provenance(of: [shards], learntFrom: learntFrom))
        #expect(try CropShards.provenance(of: [CropShards([folder.file("taught")])])
            == ["acuity.sources": "\(a),\(b),00000000000000cc,00000000000000dd", "acuity.sources.unknown": "old,older"])
        #expect(throws: AcuityError.self) { try CropShards([shard("bad", "nothex")]) }
    }

    @Test func existingShardsAreKept() throws {
        try folder.makeShards()
        let before = try folder.read("crops.safetensors")
        #expect(throws: AcuityError.self) { try ShardWriter(path: folder.file("crops.safetensors"), cropSize: 8, overwrite: false) }
        #expect(throws: AcuityError.self) { try ShardWriter(path: folder.path, cropSize: 8) }
        #expect(try folder.read("crops.safetensors") == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }
}
