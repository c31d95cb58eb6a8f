// AlphaBleed: gives transparent pixels the colour of the nearest visible ones, so that enlarging mixes in nothing foreign.

public import SuperResolution

extension PixelBuffer {
    /// The colours with those of fully transparent pixels replaced by what surrounds them.
    ///
    /// What hides under alpha 0 is arbitrary, often black, and would show as a rim once a network or filter mixes it
    /// with its neighbours. A pyramid of alpha-weighted means fills holes of any size: every hidden pixel takes the
    /// finest mean around it that has any visible pixel in it (push-pull, Gortler et al. 1996, § 3.4).
    /// - Precondition: `alpha` has one channel and the same size and depth.
    public func bled(under alpha: PixelBuffer) -> PixelBuffer {
        precondition(alpha.channels == 1 && (alpha.width, alpha.height, alpha.depth) == (width, height, depth), "alpha must match the colour")
        var isHidden = false
        var isVisible = false
        for y in 0..<height where !(isHidden && isVisible) {
            let row = alpha.raster(of: Region(x: 0, y: y, width: width, height: 1)).samples
            isHidden = isHidden || row.contains(0)
            isVisible = isVisible || row.contains { $0 > 0 }
        }
        guard isHidden, isVisible else { return self }

        // From fine to coarse. The finest level is never held whole as floats.
        var levels = [WeightedLevel(halving: self, alpha: alpha)]
        while let last = levels.last, last.width > 1 || last.height > 1 { levels.append(WeightedLevel(halving: last)) }
        // Back from coarse to fine, filling what is empty.
        for index in levels.indices.dropLast().reversed() { levels[index].fill(from: levels[index + 1]) }

        var result = self
        let mean = levels[0]
        for y in 0..<height {
            let region = Region(x: 0, y: y, width: width, height: 1)
            let opacity = alpha.raster(of: region).samples
            guard opacity.contains(0) else { continue }
            var row = raster(of: region)
            for x in 0..<width where opacity[x] == 0 {
                for c in 0..<channels { row[x, 0, c] = mean.smoothColour(x: x, y: y, channel: c) }
            }
            result.write(row, x: 0, y: y)
        }
        return result
    }
}

/// Mean colours and how visible they are.
private struct WeightedLevel {
    let width: Int
    let height: Int
    let channels: Int
    /// `width × height × channels`, not multiplied with the weight.
    var colour: [Float]
    /// `width × height`, 0…1.
    var weight: [Float]

    private init(width: Int, height: Int, channels: Int) {
        self.width = width
        self.height = height
        self.channels = channels
        colour = [Float](repeating: 0, count: width * height * channels)
        weight = [Float](repeating: 0, count: width * height)
    }

    init(halving pixels: PixelBuffer, alpha: PixelBuffer) {
        self.init(width: (pixels.width + 1) / 2, height: (pixels.height + 1) / 2, channels: pixels.channels)
        for y in 0..<height {
            let region = Region(x: 0, y: 2 * y, width: pixels.width, height: min(2, pixels.height - 2 * y))
            let (colours, weights) = (pixels.raster(of: region), alpha.raster(of: region))
            add(row: y, width: pixels.width, rows: region.height, colour: colours.samples, weight: weights.samples, firstRow: 0)
        }
    }

    init(halving fine: WeightedLevel) {
        self.init(width: (fine.width + 1) / 2, height: (fine.height + 1) / 2, channels: fine.channels)
        for y in 0..<height {
            add(row: y, width: fine.width, rows: min(2, fine.height - 2 * y), colour: fine.colour, weight: fine.weight, firstRow: 2 * y)
        }
    }

    /// Averages up to two fine rows into one.
    private mutating func add(row y: Int, width fineWidth: Int, rows: Int, colour fine: [Float], weight fineWeight: [Float], firstRow: Int) {
        for x in 0..<width {
            let index = y * width + x
            var sum: Float = 0
            for r in 0..<rows {
                for column in 2 * x..<min(2 * x + 2, fineWidth) {
                    let from = (firstRow + r) * fineWidth + column
                    let share = fineWeight[from]
                    if share == 0 { continue }
                    sum += share
                    for c in 0..<channels { colour[index * channels + c] += share * fine[from * channels + c] }
                }
            }
            if sum > 0 {
                for c in 0..<channels { colour[index * channels + c] /= sum }
                weight[index] = min(1, sum)
            }
        }
    }

    /// Takes colours from the next coarser level where there are none.
    mutating func fill(from coarse: WeightedLevel) {
        for y in 0..<height {
            for x in 0..<width where weight[y * width + x] == 0 {
                for c in 0..<channels { colour[(y * width + x) * channels + c] = coarse.smoothColour(x: x, y: y, channel: c) }
            }
        }
    }

    /// The colour at a pixel of the next finer level: bilinear, so that no blocks appear.
    func smoothColour(x: Int, y: Int, channel: Int) -> Float {
        let (x0, y0) = (x / 2, y / 2)
        let x1 = min(max(0, x % 2 == 0 ? x0 - 1 : x0 + 1), width - 1)
        let y1 = min(max(0, y % 2 == 0 ? y0 - 1 : y0 + 1), height - 1)
        func at(_ x: Int, _ y: Int) -> Float { colour[(y * width + x) * channels + channel] }
        let (top, bottom) = (0.75 * at(x0, y0) + 0.25 * at(x1, y0), 0.75 * at(x0, y1) + 0.25 * at(x1, y1))
        return 0.75 * top + 0.25 * bottom
    }
}
