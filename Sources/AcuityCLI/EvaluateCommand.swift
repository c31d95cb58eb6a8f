// EvaluateCommand: `acuity evaluate`, PSNR-Y and SSIM-Y of a method on a folder of ground truth.

import ArgumentParser
import Evaluation
import Foundation
import SuperResolution

struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure a model against ground truth: PSNR and SSIM, as papers report them.",
        discussion: """
            Each picture of the folder is shrunk by MATLAB's bicubic, rounded to 8 bit, enlarged again and compared with \
            the original on luma, without a border of SCALE pixels.

            EXAMPLES
              acuity evaluate -n fast -s 4 Set5
              acuity evaluate -n bicubic -s 2 Set14 --per-image
              acuity evaluate -n realesr-general-x4v3.pth -s 4 BSD100 --json
            """)
}
