// TilingTests: tiles cover a picture once, and overlap by what a network really sees.

import SuperResolution
import Testing

@Suite struct TilingTests {
    @Test func radiusFollowsFromTheOperations() throws {
        var net = NetworkBuilder(inputChannels: 3)
        var x = net.convolution(net.input, "a", outputs: 8, kernel: 5)
        for i in 0..<3 { x = net.convolution(x, "b\(i)", outputs: 8) }
        let skip = x
        x = net.convolution(x, "c", outputs: 12)
        x = net.pixelShuffle(x, 2)
        _ = skip
        x = net.convolution(x, "d", outputs: 3, kernel: 9)  // 4 pixels at twice the size: 2 of the input
        #expect(try net.finish(x, architecture: "Test").receptiveRadius == 2 + 3 + 1 + 2)

        var unshuffled = NetworkBuilder(inputChannels: 3)
        var y = unshuffled.pixelUnshuffle(unshuffled.input, 2)
        y = unshuffled.convolution(y, "a", outputs: 12)  // one pixel is two of the input
        y = unshuffled.pixelShuffle(y, 2)
        #expect(try unshuffled.finish(y, architecture: "Test").receptiveRadius == 1 + 2)

        var global = NetworkBuilder(inputChannels: 4)
        let z = global.normalise(global.input, "n", .group(groups: 2))
        #expect(try global.finish(z, architecture: "Test").receptiveRadius == nil)
    }

    @Test(arguments: [(100, 80, 32, 1), (33, 1, 32, 1), (7, 5, 32, 1), (128, 96, 33, 4), (64, 64, 64, 2)])
    func coresCoverThePictureOnce(_ width: Int, _ height: Int, _ side: Int, _ multiple: Int) throws {
        let network = try NaiveEngine.model(scale: 2, multiple: multiple).network
        let (width, height) = (width / multiple * multiple, height / multiple * multiple)
        for size in [Tiling.Size.side(side), .automatic, .whole] {
            var covered = [Int](repeating: 0, count: width * height)
            for tile in Tiling(width: width, height: height, network: network, size: size).tiles {
                for y in tile.core.y..<tile.core.y + tile.core.height {
                    for x in tile.core.x..<tile.core.x + tile.core.width { covered[y * width + x] += 1 }
                }
                for edge in [tile.input.x, tile.input.y, tile.input.width, tile.input.height] { #expect(edge % multiple == 0) }
                let radius = try #require(network.receptiveRadius)
                #expect(tile.input.x == 0 || tile.core.x - tile.input.x >= radius)
                #expect(tile.input.y + tile.input.height == height
                    || tile.input.y + tile.input.height - tile.core.y - tile.core.height >= radius)
            }
            #expect(covered.allSatisfy { $0 == 1 })
        }
    }

    @Test func automaticTilesBoundMemoryAndWasteLittle() throws {
        let network = try NaiveEngine.model(scale: 4).network
        let tiles = Tiling(width: 20000, height: 15000, network: network).tiles
        #expect(tiles.count > 1)
        #expect(tiles.allSatisfy { $0.input.width * $0.input.height <= 2 << 20 })
        let work = tiles.reduce(0) { $0 + $1.input.width * $1.input.height }
        #expect(Double(work) < 1.05 * 20000 * 15000)
        #expect(Tiling(width: 30000, height: 1, network: network).tiles.allSatisfy { $0.core.height == 1 })
    }

    /// An engine that keeps strips holds no whole picture of 64 channels at four times the size: a network that looks 36 pixels around
    /// may have tiles that waste little.
    @Test func tilesInStripsWasteLittleForNetworksThatLookFar() throws {
        let network = try MSRResNet(scale: 4).network()
        func share(inStrips: Bool) -> (work: Double, largest: Int) {
            let tiles = Tiling(width: 4000, height: 4000, network: network, inStrips: inStrips).tiles
            let areas = tiles.map { $0.input.width * $0.input.height }
            return (Double(areas.reduce(0, +)) / (4000 * 4000), areas.max() ?? 0)
        }
        let (work, largest) = share(inStrips: true)
        #expect(work < 1.2 && largest * 2 * 51 <= 64 << 20)
        #expect(share(inStrips: false).largest * 2048 <= 64 << 20)
    }

    /// ESRGAN looks 350 pixels around: a megapixel is one tile, larger pictures cost a few times their area and not sixty times.
    @Test func tilesInStripsForESRGAN() throws {
        let network = try RRDBNet().network()
        #expect(try #require(network.receptiveRadius) > 340)
        func tiles(_ side: Int, coreRows: Int? = nil) -> [Tile] {
            Tiling(width: side, height: side, network: network, inStrips: true, coreRows: coreRows).tiles
        }
        #expect(tiles(1040).count == 1)
        for coreRows in [nil, 256] {
            let areas = tiles(4000, coreRows: coreRows).map { $0.input.width * $0.input.height }
            #expect(areas.reduce(0, +) < 5 * 4000 * 4000 && areas.allSatisfy { $0 < 3 << 20 }, "\(areas.count) tiles")
        }
    }

    /// Whoever takes the rows soon has the first, and little to do after the last; but the extra overlap must stay small.
    @Test(arguments: [1, 2, 100, 1024, 1040, 5000], [1, 4]) func tilesForRowsAreLowerAtBothEnds(height: Int, multiple: Int) throws {
        let network = try NaiveEngine.model(scale: 4, multiple: multiple).network
        let height = (height + multiple - 1) / multiple * multiple
        let overlap = try (#require(network.receptiveRadius) + multiple - 1) / multiple * multiple
        let tiles = Tiling(width: 1024, height: height, network: network, coreRows: 256).tiles
        var row = 0
        for tile in tiles {
            #expect(tile.core.y == row && tile.core.height > 0 && tile.core.height <= 256 && tile.core.y % multiple == 0)
            row += tile.core.height
        }
        #expect(row == height)
        let heights = tiles.map(\.core.height)
        if height >= 1024 {
            for end in [heights[0], heights[heights.count - 1]] {
                #expect(end * 3 <= heights[1] + 8 * multiple)
                #expect(end >= 2 * overlap)
            }
        }
    }
}
