// DatasetPictures: which files a dataset is made of: folders, ImageNet's layout, COCO's lists, the evaluation sets.

import Foundation
import Imaging
import SuperResolution
import Training

/// A file that may become training data.
struct DatasetPicture: Sendable {
    let path: String
    /// Below its folder; what splits and seeds go by, so that moving or renaming the folder changes nothing.
    let name: String
    /// What a COCO file says about it.
    var entry: PictureList.Entry?
    var isForValidation = false
}

/// All pictures of a dataset.
struct DatasetPictures: Sendable {
    var pictures: [DatasetPicture] = []
    /// Number of pictures by licence, where a COCO file says it.
    var licences: [String: Int] = [:]
    /// Listed pictures that were not taken for their licence.
    var otherLicences = 0
    /// Listed pictures that are not there.
    var missing = 0

    init(_ command: DatasetCommand) throws {
        for folder in command.folders where command.coco.isEmpty { pictures += try Self.pictures(under: folder) }
        if !command.coco.isEmpty { try readLists(command) }
        let parts = try command.splitParts()
        if parts.training != nil || parts.validation != nil {
            pictures = pictures.compactMap { picture in
                let folders = Set(picture.name.split(separator: "/").dropLast().map(String.init))
                var picture = picture
                picture.isForValidation = parts.validation.map(folders.contains) ?? false
                // Without a named training folder everything that is not validation trains.
                let trains = parts.training.map(folders.contains) ?? true
                return picture.isForValidation || trains ? picture : nil
            }
            for (part, name) in [("val", parts.validation), ("train", parts.training)] {
                guard let name else { continue }
                let isUsed = pictures.contains { $0.isForValidation == (part == "val") }
                if !isUsed { throw AcuityError(.file, "\(command.folders.joined(separator: ", ")): no pictures in a subfolder \(name) (--split \(part)=\(name))") }
            }
        }
        if let limit = command.perFolder { limitFolders(to: limit) }
        guard !pictures.isEmpty else { throw AcuityError(.file, "\(command.folders.joined(separator: ", ")): no pictures in there") }
        if let fraction = command.validation { divide(fraction) }
    }

    /// Divides into training and validation by the hashes of the names.
    private mutating func divide(_ fraction: Double) {
        for index in pictures.indices { pictures[index].isForValidation = isForValidation(pictures[index].name, fraction: fraction) }
        // A few dozen pictures may all fall on one side: the name with the lowest hash then validates.
        guard pictures.count > 1 else { return }
        let order = pictures.indices.sorted { nameHash(pictures[$0].name) < nameHash(pictures[$1].name) }
        if !pictures.contains(where: \.isForValidation) { pictures[order[0]].isForValidation = true }
        if pictures.allSatisfy(\.isForValidation) { pictures[order[order.count - 1]].isForValidation = false }
    }

    /// At most `limit` pictures of every folder, those whose names hash lowest, in their old order.
    private mutating func limitFolders(to limit: Int) {
        let groups = Dictionary(grouping: pictures.indices) { (pictures[$0].path as NSString).deletingLastPathComponent }
        let kept = groups.values.flatMap { group in
            group.sorted { nameHash(pictures[$0].name) < nameHash(pictures[$1].name) }.prefix(limit)
        }
        pictures = kept.sorted().map { pictures[$0] }
    }

    private mutating func readLists(_ command: DatasetCommand) throws {
        let wanted = try command.licenceNumbers()
        for folder in command.folders { try Self.checkFolder(folder) }
        var names = Set<String>()
        for path in command.coco {
            let list = try PictureList(contentsOf: path)
            if let wanted, let unknown = wanted.subtracting(list.licences.keys).min() {
                throw AcuityError(.usage, "\(path): no licence \(unknown); there are \(list.licences.keys.sorted().map(String.init).joined(separator: ", "))")
            }
            for entry in list.entries {
                if let wanted, !(entry.licence.map(wanted.contains) ?? false) {
                    otherLicences += 1
                    continue
                }
                guard names.insert(entry.fileName).inserted else { continue }
                let places = command.folders.map { $0 + "/" + entry.fileName }
                guard let place = places.first(where: FileManager.default.fileExists(atPath:)) else {
                    missing += 1
                    continue
                }
                pictures.append(DatasetPicture(path: place, name: entry.fileName, entry: entry))
                let licence = entry.licence.map { list.licences[$0] ?? "licence \($0)" } ?? "no licence stated"
                licences[licence, default: 0] += 1
            }
        }
        guard !pictures.isEmpty else {
            throw AcuityError(.file, "\(command.folders.joined(separator: ", ")): none of the \(missing + otherLicences) pictures listed is there\(otherLicences > 0 ? " under these licences" : "")")
        }
        pictures.sort { $0.name < $1.name }
    }

    private static func checkFolder(_ folder: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw AcuityError(.file, "\(folder): no such folder")
        }
        guard FileManager.default.isReadableFile(atPath: folder) else { throw AcuityError(.file, "\(folder): may not be read") }
    }

    /// Pictures in a folder and below it, by path.
    static func pictures(under folder: String) throws -> [DatasetPicture] {
        try checkFolder(folder)
        let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
        guard let names = FileManager.default.enumerator(atPath: real) else { throw AcuityError(.file, "\(folder): may not be read") }
        var pictures: [DatasetPicture] = []
        while let name = names.nextObject() as? String {
            guard let format = ImageFormat(named: (name as NSString).pathExtension), format != .gif else { continue }
            if name.split(separator: "/").contains(where: { $0.hasPrefix(".") }) { continue }
            pictures.append(DatasetPicture(path: folder + "/" + name, name: name))
        }
        return pictures.sorted { $0.path < $1.path }
    }
}

/// The evaluation sets that are kept out.
struct EvaluationSets: Sendable {
    struct Set: Sendable, Codable {
        let name: String
        let pictures: Int
    }

    let pictures: HeldOutPictures
    let sets: [Set]

    /// - Throws: ``AcuityError`` if a folder that was asked for is not there or holds no picture.
    init(_ command: DatasetCommand) throws {
        var folders = command.exclude
        if folders.isEmpty {
            let data = ProcessInfo.processInfo.environment["ACUITY_DATA"] ?? "../shared/data"
            folders = [data + "/eval"].filter(FileManager.default.fileExists(atPath:))
        }
        var found: [HeldOutPictures.Picture] = []
        var counts: [String: Int] = [:]
        for folder in folders {
            let files = try DatasetPictures.pictures(under: folder)
            guard !files.isEmpty else { throw AcuityError(.file, "\(folder): no pictures in it to keep out") }
            let planes = PlaneList(count: files.count)
            try inOrder(
                files.count, threads: command.workers,
                work: { index in (try? RGBPicture(contentsOf: files[index].path).pixels).flatMap { LumaPlane($0) } },
                consume: { index, plane in
                    guard let plane else { return report("\(files[index].path): cannot be read, so it cannot be kept out") }
                    planes.add(plane, index)
                })
            for (index, plane) in planes.planes {
                // A folder of sets names the set in the path, a set does not.
                let inside = files[index].name.split(separator: "/").map(String.init)
                let set = inside.count > 1 ? inside[0] : URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
                counts[set, default: 0] += 1
                found.append(.init(name: "\(set)/\(inside[inside.count - 1])", plane: plane))
            }
        }
        pictures = HeldOutPictures(found)
        sets = counts.sorted { $0.key < $1.key }.map { Set(name: $0.key, pictures: $0.value) }
    }

    private final class PlaneList {
        var planes: [(Int, LumaPlane)] = []
        init(count: Int) { planes.reserveCapacity(count) }
        func add(_ plane: LumaPlane, _ index: Int) { planes.append((index, plane)) }
    }
}

/// A picture as three 8-bit channels.
struct RGBPicture: Sendable {
    var pixels: PixelBuffer
    let format: ImageFormat?

    init(contentsOf path: String) throws {
        let picture = try Picture(contentsOf: path, colour: .sRGB)
        let colour = picture.pixels
        let eight = colour.depth == .eight ? colour : PixelBuffer(colour.raster, depth: .eight)
        format = picture.format
        if eight.channels == 1 {
            let bytes = [UInt8](unsafeUninitializedCapacity: eight.bytes.count * 3) { buffer, count in
                for (index, value) in eight.bytes.enumerated() {
                    for channel in 0..<3 { buffer[3 * index + channel] = value }
                }
                count = eight.bytes.count * 3
            }
            pixels = PixelBuffer(width: eight.width, height: eight.height, channels: 3, depth: .eight, bytes: bytes)
        } else {
            pixels = eight
        }
    }
}
