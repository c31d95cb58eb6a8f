// Program: a network as fused stages with packed weights, independent of the raster's size.

import CKernels
import SuperResolution

/// Immutable once made; shared by all runs.
final class Program: @unchecked Sendable {
    /// A tensor that stages write and read.
    struct Slot {
        /// As stored, before padding to 16.
        var channels: Int
        var up: Int
        var down: Int
        /// Columns beyond each edge, for convolutions to look at.
        var margin = 0
        var padding: Convolution.Padding?
        var needsFloats = false
        var needsHalves = false
        /// Halves hold, after the channels, what rounding them lost.
        var isSplit = false
        /// Without padding channels: only convolutions read it, and only the input stage writes it.
        var isCompact = false
        /// One pixel, whatever the raster's size.
        var isSummary = false

        /// Elements from pixel to pixel.
        var paddedChannels: Int {
            let stored = isSplit ? 2 * channels : channels
            return isCompact ? stored : (stored + 15) / 16 * 16
        }
        /// What rows must have in common to take turns in one place of memory: columns beyond the edges and padding
        /// channels are written once or never, so they must lie alike.
        struct Layout: Hashable {
            let channels: Int, up: Int, down: Int, margin: Int
            let padding: Convolution.Padding?
            let needsFloats: Bool, needsHalves: Bool, isSplit: Bool, isCompact: Bool, isSummary: Bool
        }
        var layout: Layout {
            Layout(
                channels: channels, up: up, down: down, margin: margin, padding: padding, needsFloats: needsFloats, needsHalves: needsHalves,
                isSplit: isSplit, isCompact: isCompact, isSummary: isSummary)
        }
        func width(_ inputWidth: Int) -> Int { isSummary ? 1 : inputWidth * up / down }
        func height(_ inputHeight: Int) -> Int { isSummary ? 1 : inputHeight * up / down }
    }

    let instructionSet: NativeEngine.InstructionSet
    /// Whether convolutions compute in bf16.
    let half: Bool
    let channels: Int
    let sizeMultiple: Int
    let slots: [Slot]
    let stages: [Stage]

    /// - Throws: ``AcuityError`` with code `.network` for a network too large to pack.
    init(_ model: Model, instructionSet: NativeEngine.InstructionSet, half: Bool, winograd: Bool) throws {
        self.instructionSet = instructionSet
        self.half = half
        channels = model.network.shapes[0].channels
        sizeMultiple = model.network.sizeMultiple
        var planner = Planner(try Graph(model), instructionSet: instructionSet, half: half, winograd: winograd)
        planner.plan()
        slots = planner.slots
        stages = planner.stages
    }
}
