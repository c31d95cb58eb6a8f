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
        let fonts = SyntheticFont.listed(output)
        return fonts.isEmpty ? generic : fonts
    }

    private static let generic = ["sans", "serif", "monospace"].flatMap { family in ["", "Bold", "Italic"].map { SyntheticFont(family: family, style: $0) } }
}
