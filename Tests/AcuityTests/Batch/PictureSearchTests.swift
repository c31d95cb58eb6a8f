// PictureSearchTests: folders, trees and patterns against a tree made by hand.

import Acuity
import Foundation
import Testing

@Suite struct PictureSearchTests {
    /// A folder with the given files, all of them empty.
    private func tree(_ paths: [String]) throws -> String {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-search-\(UUID().uuidString)")
        for path in paths {
            let url = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: url)
        }
        return root.path
    }

    private static let files = [
        "b.jpg", "a.PNG", "notes.txt", ".DS_Store", "._a.png", "Thumbs.db", "sub/c.tif", "sub/deep/d.webp", "sub/deep/e.txt", "è ñ # % 日本/f.png",
    ]

    private func found(_ inputs: (String) -> [String], recursive: Bool = false, excluding folder: String? = nil) throws -> (PictureSearch.Result, String) {
        let root = try tree(Self.files)
        defer { try? FileManager.default.removeItem(atPath: root) }
        return (PictureSearch(isRecursive: recursive, excluding: folder.map { root + "/" + $0 }).pictures(of: inputs(root)), root)
    }

    @Test func aFolderStandsForItsPictures() throws {
        let (result, root) = try found({ [$0] })
        #expect(result.pictures.map(\.path) == [root + "/a.PNG", root + "/b.jpg"])
        #expect(result.others == 2 && result.failures.isEmpty)
    }

    @Test func recursionKeepsTheTree() throws {
        let (result, root) = try found({ [$0 + "/"] }, recursive: true)
        #expect(result.pictures.map(\.path) == ["a.PNG", "b.jpg", "sub/c.tif", "sub/deep/d.webp", "è ñ # % 日本/f.png"].map { root + "/" + $0 })
        #expect(result.pictures.map(\.tree) == ["", "", "sub", "sub/deep", "è ñ # % 日本"])
    }

    @Test func theOutputsFolderIsLeftOut() throws {
        let (result, _) = try found({ [$0] }, recursive: true, excluding: "sub/deep")
        #expect(result.pictures.map(\.fileName) == ["a.PNG", "b.jpg", "c.tif", "f.png"])
    }

    @Test func severalFoldersDoNotMix() throws {
        let (result, _) = try found({ [$0 + "/sub", $0 + "/è ñ # % 日本/."] }, recursive: true)
        #expect(result.pictures.map(\.tree) == ["sub", "sub/deep", "è ñ # % 日本"])
    }

    @Test(arguments: [
        ("*.jpg", ["b.jpg"]), ("?.*", ["a.PNG", "b.jpg"]), ("sub/*.tif", ["sub/c.tif"]), ("**/*.webp", ["sub/deep/d.webp"]),
        ("**", ["a.PNG", "b.jpg", "sub/c.tif", "sub/deep/d.webp", "è ñ # % 日本/f.png"]), ("*/[cf].*", ["sub/c.tif", "è ñ # % 日本/f.png"]),
        ("sub/**/*.*", ["sub/c.tif", "sub/deep/d.webp"]),
    ])
    func patternsMatch(_ pattern: String, _ expected: [String]) throws {
        let (result, root) = try found({ [$0 + "/" + pattern] })
        #expect(Set(result.pictures.map(\.path)) == Set(expected.map { root + "/" + $0 }))
        #expect(result.pictures.count == expected.count && result.failures.isEmpty)
    }

    @Test func whatComesToNothingIsNamed() throws {
        let (result, root) = try found({ [$0 + "/*.gif", $0 + "/sub/deep", $0 + "/missing.png"] })
        #expect(result.failures.map(\.input) == [root + "/*.gif"])
        #expect(result.pictures.map(\.fileName) == ["d.webp", "missing.png"])
        let empty = try tree(["only.txt"])
        defer { try? FileManager.default.removeItem(atPath: empty) }
        #expect(PictureSearch(isRecursive: true).pictures(of: [empty]).failures.count == 1)
    }

    @Test func aPictureReachedTwiceCountsOnce() throws {
        let (result, _) = try found({ [$0, $0 + "/*.jpg"] })
        #expect(result.pictures.map(\.fileName) == ["a.PNG", "b.jpg"])
    }

    /// Links to folders could lead in circles; links to files are files.
    @Test func linksAreSafe() throws {
        let root = try tree(["real/a.png"])
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createSymbolicLink(atPath: root + "/real/circle", withDestinationPath: root)
        try FileManager.default.createSymbolicLink(atPath: root + "/link.png", withDestinationPath: "real/a.png")
        try FileManager.default.createSymbolicLink(atPath: root + "/dangling.png", withDestinationPath: "nowhere")
        #expect(PictureSearch(isRecursive: true).pictures(of: [root]).pictures.map(\.fileName) == ["dangling.png", "link.png", "a.png"])
    }
}
