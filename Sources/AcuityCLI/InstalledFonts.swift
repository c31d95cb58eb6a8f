// InstalledFonts: the system's fonts with the scripts they write, as fontconfig lists them.

import Foundation
import Training

enum InstalledFonts {
    /// Scalable text fonts; the generic families where fontconfig cannot be asked.
    static func all() -> [SyntheticFont] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["fc-list", "--format", "%{family[0]}\t%{style[0]}\t%{lang}\n", ":lang=en:scalable=true"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return generic }
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let fonts = fonts(listed: output)
        return fonts.isEmpty ? generic : fonts
    }

    private static let generic = ["sans", "serif", "monospace"].flatMap { family in ["", "Bold", "Italic"].map { SyntheticFont(family: family, style: $0) } }

    /// - Parameter text: lines of family, style and languages (`en|fr|…`), separated by tabs.
    static func fonts(listed text: String) -> [SyntheticFont] {
        let excluded = ["symbol", "dingbat", "emoji", "d050000", "icon", "music", "math"]
        var seen = Set<SyntheticFont>()
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3, !fields[0].isEmpty, !excluded.contains(where: { fields[0].lowercased().contains($0) }) else { continue }
            let languages = Set(fields[2].split(separator: "|"))
            var scripts: Set<SyntheticScript> = [.latin]
            if languages.contains("ru") { scripts.insert(.cyrillic) }
            if languages.contains("el") { scripts.insert(.greek) }
            seen.insert(SyntheticFont(family: fields[0], style: fields[1], scripts: scripts))
        }
        return seen.sorted { $0.description < $1.description }
    }
}
