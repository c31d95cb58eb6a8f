// PictureList: the list of pictures in a COCO annotation file.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import SuperResolution

/// What a COCO file (`instances_*.json`, `captions_*.json`, `image_info_*.json`) says about its pictures; annotations are
/// passed over.
public struct PictureList: Sendable {
    public struct Entry: Sendable, Hashable {
        /// Relative to the folder of pictures; never leads out of it.
        public let fileName: String
        /// Pixels.
        public let width: Int
        public let height: Int
        /// The licence's number in the list, if it says one.
        public let licence: Int?
    }

    public let entries: [Entry]
    /// Names of the licences by number.
    public let licences: [Int: String]

    /// Most bytes that are read, 2 GiB.
    public static let sizeLimit = 1 << 31

    /// - Throws: ``AcuityError`` with code `.file` where the file cannot be read, `.training` naming the key at fault.
    public init(contentsOf path: String) throws {
        let url = URL(filePath: path).resolvingSymlinksInPath()
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path), attributes[.type] as? FileAttributeType == .typeRegular
        else { throw AcuityError(.file, "\(path): no such file") }
        guard let data = try? Data(contentsOf: url, options: .alwaysMapped) else { throw AcuityError(.file, "\(path): cannot be read") }
        guard data.count <= Self.sizeLimit else { throw AcuityError(.file, "\(path): larger than 2 GiB") }
        try self.init([UInt8](data), name: path)
    }

    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - name: what errors call it.
    public init(_ bytes: [UInt8], name: String) throws {
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw AcuityError(.training, "\(name): \(Self.reason(error)); a COCO file with \"images\" was expected")
        } catch {
            throw AcuityError(.training, "\(name): not JSON that can be read; a COCO file with \"images\" was expected")
        }
        guard !file.images.isEmpty else { throw AcuityError(.training, "\(name): images is empty") }
        var seen = Set<String>()
        var entries: [Entry] = []
        for (index, image) in file.images.enumerated() {
            let fault: String? =
                if image.fileName.isEmpty || image.fileName.hasPrefix("/") || image.fileName.utf8.contains(0)
                    || image.fileName.split(separator: "/").contains("..")
                {
                    "file_name leads out of the folder"
                } else if !(1...1_000_000).contains(image.width) || !(1...1_000_000).contains(image.height) {
                    "width and height are 1…1000000"
                } else if !seen.insert(image.fileName).inserted {
                    "\(image.fileName.prefix(100)) is listed twice"
                } else {
                    nil
                }
            if let fault { throw AcuityError(.training, "\(name): images[\(index)]: \(fault)") }
            entries.append(Entry(fileName: image.fileName, width: image.width, height: image.height, licence: image.license))
        }
        self.entries = entries
        licences = Dictionary((file.licenses ?? []).map { ($0.id, $0.name ?? $0.url ?? "licence \($0.id)") }, uniquingKeysWith: { first, _ in first })
    }

    /// Only the keys that are used; COCO's own spelling.
    private struct File: Decodable {
        struct Image: Decodable {
            let fileName: String
            let width: Int
            let height: Int
            let license: Int?

            enum CodingKeys: String, CodingKey {
                case fileName = "file_name"
                case width, height, license
            }
        }
        struct License: Decodable {
            let id: Int
            let name: String?
            let url: String?
        }
        let images: [Image]
        let licenses: [License]?
    }

    private static func reason(_ error: DecodingError) -> String {
        // A place in the list reads images[12], not "Index 12".
        func path(_ keys: [any CodingKey]) -> String {
            keys.reduce("") { path, key in key.intValue.map { "\(path)[\($0)]" } ?? (path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)") }
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(path(context.codingPath + [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return context.codingPath.isEmpty ? "not an object" : "\(path(context.codingPath)) has the wrong type"
        case .dataCorrupted(let context): return context.codingPath.isEmpty ? "damaged JSON" : "\(path(context.codingPath)) cannot be read"
        @unknown default: return "does not parse"
        }
    }
}
