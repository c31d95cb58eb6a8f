// PictureFolder: the ground-truth pictures of a folder, as `evaluate` and `release` read them.

import Foundation
import Imaging
import SuperResolution

enum PictureFolder {
    /// Paths of the pictures directly inside the folder, sorted by name.
    /// - Throws: ``AcuityError`` with code `.file` when there is no such folder or no picture in it.
    static func pictures(in folder: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            throw AcuityError(.file, "\(folder): no such folder")
        }
        guard isFolder.boolValue else { throw AcuityError(.file, "\(folder): not a folder") }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw AcuityError(.file, "\(folder): may not be read")
        }
        let pictures = names.filter { name in
            !name.hasPrefix(".") && ImageFormat(named: URL(fileURLWithPath: name).pathExtension) != nil
        }
        guard !pictures.isEmpty else { throw AcuityError(.file, "\(folder): no pictures in it") }
        return pictures.sorted().map { URL(fileURLWithPath: folder).appendingPathComponent($0).relativePath }
    }

    /// The colours of a picture; alpha does not take part.
    static func load(_ path: String) throws -> Raster {
        try Picture(contentsOf: path, colour: .sRGB).pixels.raster
    }
}
