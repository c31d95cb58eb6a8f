// TesseractTests: the program is found or missed, its table read whatever it holds, its failures named.

import Acuity
import Foundation
import SuperResolution
import Testing

@Suite struct TesseractTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("acuity-\(UUID().uuidString)")

    /// A program that answers as Tesseract does and then runs `body` to read.
    private func program(_ body: String, version: String = "tesseract 5.3.0") throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("reader").path
        let script = """
            #!/bin/sh
            case "$1" in
            --version) echo "\(version)"; exit 0;;
            --list-langs) printf 'List of available languages in "/x/" (3):\\neng\\nosd\\ndeu\\n'; exit 0;;
            esac
            \(body)
            """
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return (error as? AcuityError)?.message ?? "\(error)"
        }
    }

    @Test func findsAndReads() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try program(#"""
            [ "$OMP_THREAD_LIMIT" = 1 ] || exit 9
            printf 'level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n'
            page=0
            while read -r file || [ -n "$file" ]; do
                page=$((page + 1))
                printf '5\t%d\t1\t1\t1\t1\t3\t4\t50\t12\t91.5\t%s\n' $page "$(basename "$file")-$2-$4-$6-$7"
            done < "$1"
            """#)
        let tesseract = try Tesseract(environment: ["ACUITY_TESSERACT": path])
        #expect(tesseract.version == "5.3.0" && tesseract.languages == ["deu", "eng"])
        let words = try tesseract.read(["/a/one.png", "/a/two words.png"], layout: .line, language: "eng+deu")
        #expect(words.map { $0.map(\.text) } == [["one.png-stdout-7-eng+deu-tsv"], ["two words.png-stdout-7-eng+deu-tsv"]])
        #expect(words[0][0] == ReadWord(text: words[0][0].text, confidence: 91.5, x: 3, y: 4, width: 50, height: 12))
        #expect(try tesseract.read([], layout: .page).isEmpty)
        #expect(message { _ = try tesseract.read(["x"], layout: .line, language: "eng+tlh") } == "Tesseract has no data for tlh; installed: deu, eng")
    }

    @Test func failures() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(message { _ = try Tesseract(environment: ["PATH": "/nowhere"]) }.hasPrefix("Tesseract is missing"))
        #expect(message { _ = try Tesseract(environment: ["ACUITY_TESSERACT": "/nowhere/t"]) } == "/nowhere/t: no such program (ACUITY_TESSERACT)")
        let failing = try program("echo first >&2; echo 'Error during processing.' >&2; exit 1")
        let tesseract = try Tesseract(environment: ["ACUITY_TESSERACT": failing])
        #expect(message { _ = try tesseract.read(["/a.png"], layout: .line) } == "Tesseract could not read /a.png: Error during processing.")
        #expect(message { _ = try tesseract.read(["/a.png", "/b.png"], layout: .line) }.contains("2 pictures"))
        let other = try program("exit 0", version: "GNU bash 5")
        #expect(message { _ = try Tesseract(environment: ["ACUITY_TESSERACT": other]) }.contains("does not answer as Tesseract"))
    }

    /// The table comes from another program: any bytes give words of the pictures asked for, or none.
    @Test func damagedTables() throws {
        let good = "5\t1\t1\t1\t1\t1\t3\t4\t50\t12\t96\tword"
        #expect(Tesseract.words(good, pages: 1) == [[ReadWord(text: "word", confidence: 96, x: 3, y: 4, width: 50, height: 12)]])
        for bad in [
            "", "4\t1\t1\t1\t1\t1\t3\t4\t50\t12\t96\tword", "5\t2\t1\t1\t1\t1\t3\t4\t50\t12\t96\tword", "5\t0\t1\t1\t1\t1\t3\t4\t50\t12\t96\tword",
            "5\t1\t1\t1\t1\t1\t-3\t4\t50\t12\t96\tword", "5\t1\t1\t1\t1\t1\t3\t4\t50\t12\tnan\tword", "5\t1\t1\t1\t1\t1\t3\t4\t50\t12\t96\t ",
            "5\t1\t1\t1\t1\t1\t3\t4\t99999999999999999999\t12\t96\tword", "5\t1\t1",
        ] { #expect(Tesseract.words(bad, pages: 1) == [[]], "\(bad)") }
        #expect(Tesseract.words(good, pages: 0).isEmpty)
        #expect(Tesseract.words(good.replacingOccurrences(of: "96", with: "1e9"), pages: 1)[0][0].confidence == 100)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bytes = Array(good.utf8) + [10] + Array(good.utf8)
            for _ in 0..<4 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            #expect(Tesseract.words(String(decoding: bytes, as: UTF8.self), pages: 2).count == 2)
        }
    }
}
