// PictureSearch: from what a person names (files, folders, patterns) to the pictures that are meant, in a stable order.

import FoundationEssentials
import Imaging
package import SuperResolution

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#endif

/// A picture of a batch.
package struct FoundPicture: Sendable, Hashable {
    /// As it was named, or with the named folder in front.
    package let path: String
    /// The folders between what was named and the picture, `` or `2019/summer`: the tree that outputs keep.
    package let tree: String
    /// Named itself, not found in a folder or by a pattern.
    package let isNamed: Bool

    package init(path: String, tree: String = "", isNamed: Bool = true) {
        self.path = path
        self.tree = tree
        self.isNamed = isNamed
    }

    package var fileName: String { String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]) }
    /// Everything before the file's name, with its slash; empty for the working folder.
    package var folder: String { String(path.dropLast(fileName.count)) }
}

/// Finds the pictures of folders and patterns.
///
/// In folders, files count by their names: pictures' extensions, nothing hidden. Links to files are followed, links to
/// folders only where they were named themselves. Patterns know `*`, `?`, `[…]`, and `**` for any folders.
package struct PictureSearch: Sendable {
    /// Whether folders inside folders are searched too.
    package var isRecursive: Bool
    /// A folder that is left out wherever it lies: that of the outputs.
    package var excluded: String?

    package init(isRecursive: Bool, excluding folder: String? = nil) {
        self.isRecursive = isRecursive
        excluded = folder.map(standardPath)
    }

    package struct Result: Sendable {
        package var pictures: [FoundPicture] = []
        /// Folders and patterns that came to nothing.
        package var failures: [(input: String, error: AcuityError)] = []
        /// Files in folders whose names are not those of pictures.
        package var others = 0
    }

    /// Whether any of the inputs stands for pictures yet to be found.
    package static func needsSearch(_ inputs: [String]) -> Bool { inputs.contains { isFolder($0) || isPattern($0) } }

    /// Named files come in the order in which they were named, found ones by name. A picture that is reached twice counts once.
    package func pictures(of inputs: [String]) -> Result {
        var result = Result()
        let severalFolders = inputs.count(where: PictureSearch.isFolder) > 1
        for input in inputs {
            let before = (result.pictures.count, result.failures.count)
            if PictureSearch.isFolder(input) {
                let root = input.hasSuffix("/") ? input : input + "/"
                // Trees of several folders must not mix.
                search(root, tree: severalFolders ? FoundPicture(path: standardPath(input)).fileName : "", into: &result)
                if before == (result.pictures.count, result.failures.count) {
                    let below = isRecursive ? "" : " (--recursive looks into its folders too)"
                    result.failures.append((input, AcuityError(.file, "\(input): no pictures in it\(below)")))
                }
            } else if PictureSearch.isPattern(input) {
                match(input, into: &result)
                if before == (result.pictures.count, result.failures.count) {
                    result.failures.append((input, AcuityError(.file, "\(input): no picture matches")))
                }
            } else {
                result.pictures.append(FoundPicture(path: input))
            }
        }
        var seen = Set<String>()
        result.pictures = result.pictures.filter { $0.isNamed || seen.insert(standardPath($0.path)).inserted }
        return result
    }

    // MARK: - Folders

    /// - Parameter folder: with its slash.
    private func search(_ folder: String, tree: String, into result: inout Result) {
        guard let names = list(folder, &result) else { return }
        var folders: [String] = []
        for name in names {
            switch kind(folder + name) {
            case .folder: folders.append(name)
            case .file where isPictureName(name): result.pictures.append(FoundPicture(path: folder + name, tree: tree, isNamed: false))
            case .file: result.others += 1
            case .none: break
            }
        }
        guard isRecursive else { return }
        for name in folders where standardPath(folder + name) != excluded {
            search(folder + name + "/", tree: tree.isEmpty ? name : tree + "/" + name, into: &result)
        }
    }

    private func list(_ folder: String, _ result: inout Result) -> [String]? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder) else {
            result.failures.append((folder, AcuityError(.file, "\(folder): the folder may not be read")))
            return nil
        }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    private enum Kind { case file, folder, none }

    /// Links to folders are not followed: they may lead in circles.
    private func kind(_ path: String) -> Kind {
        var status = stat()
        guard lstat(path, &status) == 0 else { return .none }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .folder
        case S_IFLNK:
            // A link that leads nowhere is a picture that cannot be read, and is to be named as such.
            var target = stat()
            return stat(path, &target) == 0 && target.st_mode & S_IFMT == S_IFDIR ? .none : .file
        default: return .file
        }
    }

    private func isPictureName(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return ImageFormat(named: String(name[name.index(after: dot)...])) != nil
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    // MARK: - Patterns

    /// A path with wildcards that is not the name of a file as it stands.
    static func isPattern(_ path: String) -> Bool {
        var status = stat()
        return path.contains { "*?[".contains($0) } && stat(path, &status) != 0
    }

    private func match(_ pattern: String, into result: inout Result) {
        let parts = pattern.split(separator: "/").map(String.init)
        let fixed = parts.firstIndex { part in part.contains { "*?[".contains($0) } } ?? parts.count - 1
        var root = parts[..<fixed].joined(separator: "/")
        if pattern.hasPrefix("/") { root = "/" + root }
        if !root.isEmpty, !root.hasSuffix("/") { root += "/" }
        if root.isEmpty || PictureSearch.isFolder(root) { match(parts[fixed...], in: root, tree: "", into: &result) }
    }

    private func match(_ parts: ArraySlice<String>, in folder: String, tree: String, into result: inout Result) {
        guard let part = parts.first, let names = list(folder, &result) else { return }
        let isLast = parts.count == 1
        for name in names {
            let below = tree.isEmpty ? name : tree + "/" + name
            switch kind(folder + name) {
            case .folder where standardPath(folder + name) == excluded: break
            case .folder:
                if part == "**" {
                    match(parts, in: folder + name + "/", tree: below, into: &result)
                } else if !isLast, fnmatch(part, name, 0) == 0 {
                    match(parts.dropFirst(), in: folder + name + "/", tree: below, into: &result)
                }
            case .file where isLast && isPictureName(name) && (part == "**" || fnmatch(part, name, 0) == 0):
                result.pictures.append(FoundPicture(path: folder + name, tree: tree, isNamed: false))
            default: break
            }
        }
        // `**` stands for no folder at all, too.
        if part == "**", !isLast { match(parts.dropFirst(), in: folder, tree: tree, into: &result) }
    }
}

/// The absolute path without `.`, `..` and double slashes; links stay as they are.
package func standardPath(_ path: String) -> String {
    var parts: [Substring] = []
    let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    for part in absolute.split(separator: "/") where part != "." {
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
}

/// `path` as seen from the folder `base`; both absolute and standard.
func relativePath(_ path: String, from base: String) -> String {
    let (parts, from) = (path.split(separator: "/"), base.split(separator: "/"))
    let common = zip(parts, from).prefix { $0 == $1 }.count
    return (from.dropFirst(common).map { _ in ".." } + parts.dropFirst(common)).joined(separator: "/")
}

/// Bytes of a file; 0 if there is none.
func fileSize(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}
