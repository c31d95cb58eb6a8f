// NameTemplateTests: names from templates, and templates that are refused.

import Acuity
import SuperResolution
import Testing

@Suite struct NameTemplateTests {
    private func name(_ template: String) throws -> String {
        try NameTemplate(template).name { field in
            switch field {
            case .stem: "a.b"
            case .ext: "png"
            case .scale: "4"
            case .size: "4x"
            case .model: "fast"
            case .source: "jpg"
            }
        }
    }

    @Test func fillsItsFields() throws {
        #expect(try name("{stem}@{scale}x.{ext}") == "a.b@4x.png")
        #expect(try name("{model}/{stem}-{source}_{size}.{ext}") == "fast/a.b-jpg_4x.png")
        #expect(try name("è ñ # % 日本 {stem}") == "è ñ # % 日本 a.b")
    }

    @Test func valuesMakeNoFolders() throws {
        #expect(try NameTemplate("{model}.{ext}").name { $0 == .model ? "../x" : "png" } == ".._x.png")
    }

    @Test(arguments: ["", "{stem", "stem}", "{nope}.{ext}", "../{stem}.{ext}", "/{stem}", "a//{stem}", "{stem}/", "a/./{stem}"])
    func refusesWhatLeadsAstray(_ template: String) {
        #expect(throws: AcuityError.self) { try NameTemplate(template) }
    }

    @Test func knowsItsExtension() throws {
        #expect(try NameTemplate("{stem}.webp").literalExtension == "webp")
        #expect(try NameTemplate("{stem}.{ext}").literalExtension == nil)
    }

    @Test(arguments: [("2GB", 2_000_000_000), ("512 MB", 512_000_000), ("1.5GiB", 1_610_612_736), ("800000000", 800_000_000), ("64k", 64_000)])
    func readsByteCounts(_ text: String, _ bytes: Int) throws { #expect(try ByteCount(parsing: text).bytes == bytes) }

    @Test(arguments: ["", "GB", "-1GB", "2XB", "0", "1e99GB", "2 G B x"]) func refusesOtherSizes(_ text: String) {
        #expect(throws: AcuityError.self) { try ByteCount(parsing: text) }
    }
}
