// DatasetCommand: `acuity dataset`, photographs into shards that training reads.

import ArgumentParser
import Foundation
import Imaging
import SuperResolution
import Training

struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Cut photographs into a shard for training.",
        discussion: """
            Candidate crops are drawn at random; the flatter half is dropped and the most detailed ones that barely overlap \
            are kept. With --whole the pictures go in uncut, for validation.

            EXAMPLES
              acuity dataset photos more-photos -o shards/photos.safetensors
              acuity dataset Set5 -o shards/set5.safetensors --whole
            """)

    @Argument(help: "Folders of pictures, searched through.")
    var folders: [String]

    @Option(name: [.short, .long], help: "The shard to write (.safetensors).")
    var output: String

    @Option(help: "Side of the square crops in pixels.")
    var crop = 256

    @Option(help: "Crops per picture, at most.")
    var perImage = 12

    @Flag(help: "Whole pictures instead of crops.")
    var whole = false

    @Option(help: "Seed of the random choice.")
    var seed: UInt64 = 0

    func validate() throws {
        if !(16...4096).contains(crop) { throw ValidationError("--crop is 16 to 4096") }
        if !(1...10_000).contains(perImage) { throw ValidationError("--per-image is 1 to 10000") }
    }

    func run() async throws {
        let paths = try folders.flatMap(pictures)
        guard !paths.isEmpty else { throw AcuityError(.file, "\(folders.joined(separator: ", ")): no pictures in there") }
        var random = SplitMix(seed: seed)
        let writer = try ShardWriter(path: output, cropSize: whole ? nil : crop)
        for path in paths {
            let bytes: PixelBuffer
            do {
                bytes = try rgb(Picture(contentsOf: path).pixels)
            } catch let error as AcuityError {
                report("\(error.message); left out")
                continue
            }
            if whole {
                let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
                try writer.append(name: name, width: bytes.width, height: bytes.height, bytes: bytes.bytes)
            } else {
                for place in detailedCrops(of: bytes.bytes, width: bytes.width, height: bytes.height, size: crop, count: perImage, using: &random) {
                    try writer.append(crop: place, of: bytes.bytes, width: bytes.width)
                }
            }
        }
        guard writer.count > 0 else { throw AcuityError(.training, "no picture is \(crop) pixels wide and high") }
        try writer.finish()
        print("\(output): \(paths.count) pictures, \(writer.count) \(whole ? "whole" : "crops of \(crop) pixels"), \(writer.byteCount >> 20) MB")
    }

    /// Pictures in a folder and below it, by name.
    private func pictures(under folder: String) throws -> [String] {
        let extensions: Set = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "heic", "avif"]
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue,
            let names = FileManager.default.enumerator(atPath: folder)
        else { throw AcuityError(.file, "\(folder): no such folder") }
        var paths: [String] = []
        while let name = names.nextObject() as? String {
            if extensions.contains((name as NSString).pathExtension.lowercased()) { paths.append(folder + "/" + name) }
        }
        return paths.sorted()
    }

    /// Three 8-bit channels.
    private func rgb(_ colour: PixelBuffer) -> PixelBuffer {
        let eight = colour.depth == .eight ? colour : PixelBuffer(colour.raster, depth: .eight)
        guard eight.channels == 1 else { return eight }
        let bytes = eight.bytes.flatMap { [$0, $0, $0] }
        return PixelBuffer(width: eight.width, height: eight.height, channels: 3, depth: .eight, bytes: bytes)
    }
}
