// InspectCommand: `acuity inspect`, what a picture is and what to expect of enlarging it.

import Acuity
import ArgumentParser
import Foundation
import SuperResolution

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Say what a picture is and what to expect of enlarging it.",
        discussion: """
            Size, format, colour profile and frames, estimated JPEG quality, noise, blur, the resolution that is really there where a picture was \
            enlarged before, the share of text and line art; the model and the factor that suit it, and what cannot be \
            recovered. All of it is estimated from the pixels. Enlargement by a neural network is not recognised.

            EXAMPLES
              acuity inspect kitten.jpg
              acuity inspect *.jpg --json          one object a picture

            EXIT STATUS
              0 all done, 1 some pictures could not be read (each is named), 2 wrong usage.
            """)

    @Argument(help: ArgumentHelp("Pictures.", valueName: "image"))
    var images: [String]

    @Flag(help: "One JSON object per picture on standard output.")
    var json = false

    func run() throws {
        var failures = 0
        for (index, image) in images.enumerated() {
            do {
                let inspection = try Inspection(contentsOf: image)
                if json {
                    let encoder = JSONEncoder()
                    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                    encoder.keyEncodingStrategy = .convertToSnakeCase
                    print(String(decoding: try encoder.encode(inspection), as: UTF8.self))
                } else {
                    if index > failures { print() }
                    print(Self.text(inspection))
                }
            } catch let error as AcuityError where error.code != .usage {
                failures += 1
                report(error.message)
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }

    static func text(_ i: Inspection) -> String {
        func number(_ value: Double, _ digits: Int = 1) -> String { String(format: "%.\(digits)f", value) }
        func share(_ value: Double) -> String { "\(Int((value * 100).rounded())) %" }
        var lines = ["\(i.file)"]
        func line(_ name: String, _ value: String) { lines.append("  " + name.padding(toLength: 19, withPad: " ", startingAt: 0) + value) }
        line("picture", "\(i.width)×\(i.height), \(number(Double(i.width * i.height) / 1e6, 2)) megapixels, \(i.depth) bit \(i.isCMYK ? "CMYK" : i.isGrey ? "grey" : "colour")\(i.depth > 16 ? " in floats" : "")\(i.hasAlpha ? " with transparency" : "")")
        if i.frames > 1 { line("frames or pages", "\(i.frames), of which the first is measured") }
        line("file", "\(i.format.uppercased()), \(ByteCount(i.bytes))\(i.carries.isEmpty ? "" : ", with \(i.carries.joined(separator: ", "))")")
        if let profile = i.profile { line("colour profile", profile) }
        if let quality = i.jpegQuality { line("JPEG quality", "about \(quality)") }
        if let quality = i.blockQuality, quality + 15 < i.jpegQuality ?? 100 {
            line("blocks", "of 8×8 pixels show: compressed before, about as by JPEG quality \(quality)")
        }
        line("noise", "σ \(number(i.noise)) of 255 at most" + (i.noise < 1 ? ", clean" : i.noise < 4 ? ", slight" : i.noise < 10 ? ", visible" : ", strong"))
        line("blur", i.blur.map { "σ \(number($0)) pixels at the sharpest edges" + ($0 < 0.6 ? ", sharp" : $0 < 1.2 ? ", a little soft" : ", blurred") } ?? "no edges to measure it by")
        if let width = i.realWidth, let height = i.realHeight {
            line("real resolution", width >= i.width ? "all of it" : "about \(width)×\(height): blurred, or enlarged before")
        } else {
            line("real resolution", "too little structure to tell")
        }
        line("text, line art", "\(share(i.textShare)) of what is not flat")
        if i.whiteShare > 0.001 || i.blackShare > 0.001 { line("clipped", "\(share(i.whiteShare)) white, \(share(i.blackShare)) black") }
        line("would choose", i.factor > 1 ? "-n \(i.model) -s \(i.factor == i.factor.rounded() ? String(Int(i.factor)) : number(i.factor))" : "not to enlarge it")
        for reason in i.reasons { line("", reason) }
        for (index, limit) in i.limits.enumerated() { line(index == 0 ? "cannot bring back" : "", limit) }
        return lines.joined(separator: "\n")
    }
}
