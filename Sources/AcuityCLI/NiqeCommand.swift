// NiqeCommand: `acuity niqe`, how natural pictures look by their own statistics, and the fit that this is measured by.

import ArgumentParser
import Evaluation
import Foundation
import SuperResolution

struct NiqeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "niqe",
        abstract: "NIQE-own of pictures; with --fit, the statistics that it compares with, as Swift.",
        shouldDisplay: false)

    @Argument(help: "Pictures, or with --fit folders of sharp photographs.")
    var paths: [String]

    @Flag(help: "Fit to the sharp blocks of all photographs and print Sources/Evaluation/PristineStatistics.swift.")
    var fit = false

    @Option(help: "With --fit: shrink photographs first so that their longer side has at most so many pixels.")
    var longEdge = 1024

    func run() throws {
        guard fit else {
            for path in paths {
                let score = try NaturalStatistics.score([PictureFolder.load(path)])
                print("\(path)  \((score * 1000).rounded() / 1000)")
            }
            return
        }
        guard longEdge >= NaturalStatistics.block else { throw AcuityError(.usage, "--long-edge is at least \(NaturalStatistics.block)") }
        var blocks = [[Double]]()
        var count = 0
        for folder in paths {
            for path in try PictureFolder.pictures(in: folder) {
                var picture = try PictureFolder.load(path)
                let shrink = Double(longEdge) / Double(max(picture.width, picture.height))
                // Photographs as files are soft or compressed at the scale of a pixel; shrunk they are not.
                guard shrink <= 0.7 else { continue }
                picture = Resampling.bicubic.resize(
                    picture, width: max(1, Int((Double(picture.width) * shrink).rounded())), height: max(1, Int((Double(picture.height) * shrink).rounded())))
                guard min(picture.width, picture.height) >= NaturalStatistics.block else { continue }
                blocks += try NaturalStatistics.sharpBlocks(of: picture)
                count += 1
                FileHandle.standardError.write(Data("\(path): \(blocks.count) blocks so far\n".utf8))
            }
        }
        let fitted = try NaturalStatistics(fittedTo: blocks)
        func text(_ values: some Sequence<Double>) -> String { values.map { String(format: "%.7g", $0) }.joined(separator: ", ") }
        print(
            """
            // PristineStatistics: what NIQE-own compares with: fitted by `acuity niqe --fit` on our own choice of photographs.
            //
            // \(count) photographs (see docs/release.md for their sources), shrunk to a longer side of \(longEdge) pixels by antialiased
            // bicubic, \(blocks.count) sharp blocks of \(NaturalStatistics.block)×\(NaturalStatistics.block) pixels. Not MATLAB's parameters: figures do not compare with papers.

            extension NaturalStatistics {
                /// Of sharp photographs.
                public static let pristine: NaturalStatistics = {
                    var covariance = [Double](repeating: 0, count: featureCount * featureCount)
                    var next = 0
                    for row in 0..<featureCount {
                        for column in 0...row {
                            covariance[row * featureCount + column] = lowerTriangle[next]
                            covariance[column * featureCount + row] = lowerTriangle[next]
                            next += 1
                        }
                    }
                    return NaturalStatistics(mean: means, covariance: covariance)
                }()

                private static let means: [Double] = [
                    \(text(fitted.mean)),
                ]

                /// Of the covariance, row by row up to the diagonal.
                private static let lowerTriangle: [Double] = [
            """)
        for row in 0..<NaturalStatistics.featureCount {
            print("        " + text((0...row).map { fitted.covariance[row * NaturalStatistics.featureCount + $0] }) + ",")
        }
        print("    ]\n}")
    }
}
