// NameTemplate: how the outputs of a batch are called: `{stem}@{scale}x.{ext}`.

import SuperResolution

/// A file name with fields in braces.
package struct NameTemplate: Sendable, Hashable {
    /// What a field is replaced by.
    package enum Field: String, Sendable, Hashable, CaseIterable {
        /// The input's name without its last extension.
        case stem
        /// The extension of the output's format.
        case ext
        /// The factor, `4` or `1.5`; only where one was asked for.
        case scale
        /// The factor or the size asked for: `4x`, `800w`, `600h`, `1920px`, `1920x1080`.
        case size
        /// The model's name.
        case model
        /// The input's own extension, in lower case.
        case source
    }

    private enum Piece: Sendable, Hashable {
        case text(String)
        case field(Field)
    }

    private let pieces: [Piece]

    /// - Throws: ``AcuityError`` with code `.usage` for unknown fields, braces that do not match, and names that would lead
    ///   out of the output's folder.
    package init(_ text: String) throws {
        var pieces: [Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            guard rest[open] == "{", let close = rest[open...].firstIndex(of: "}") else {
                throw AcuityError(.usage, "name \(text): braces do not match")
            }
            if open > rest.startIndex { pieces.append(.text(String(rest[..<open]))) }
            let name = rest[rest.index(after: open)..<close]
            guard let field = Field(rawValue: String(name)) else {
                let known = Field.allCases.map { "{\($0.rawValue)}" }.joined(separator: " ")
                throw AcuityError(.usage, "name \(text): no field {\(name)}; there are \(known)")
            }
            pieces.append(.field(field))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        let folders = text.split(separator: "/", omittingEmptySubsequences: false)
        guard !pieces.isEmpty, !folders.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw AcuityError(.usage, "name \(text): must be a file's name, with folders of its own at most")
        }
        self.pieces = pieces
    }

    /// Whether a field occurs.
    package func holds(_ field: Field) -> Bool { pieces.contains(.field(field)) }

    /// What the name ends with after its last dot, where that is plain text.
    package var literalExtension: String? {
        guard case .text(let end)? = pieces.last, let dot = end.lastIndex(of: ".") else { return nil }
        return String(end[end.index(after: dot)...])
    }

    /// The name with every field filled in. Slashes in values become underscores: only the template makes folders.
    package func name(_ value: (Field) -> String) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let field): String(value(field).map { $0 == "/" ? "_" : $0 })
            }
        }.joined()
    }
}
