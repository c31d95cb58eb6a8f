// HomographyTests: corners go where they are told, straight lines stay straight, and the way back leads back.

import Testing
import Training

@Suite struct HomographyTests {
    private let corners: [SIMD2<Float>] = [[3, 5], [90, -4], [80, 70], [-10, 60]]

    @Test func cornersGoWhereTheyAreTold() {
        let map = Homography(unitSquareTo: corners)
        for (corner, place) in zip([[0, 0], [1, 0], [1, 1], [0, 1]] as [SIMD2<Float>], corners) {
            let found = map(corner)
            #expect(abs(found.x - place.x) < 1e-3 && abs(found.y - place.y) < 1e-3)
        }
    }

    @Test func straightLinesAndTheWayBack() {
        let map = Homography(unitSquareTo: corners)
        let back = map.inverse
        for step in 0...10 {
            let t = Float(step) / 10
            // The image of the diagonal lies on the line between two corners.
            let place = map(SIMD2(t, t))
            let (along, offset) = (corners[2] - corners[0], place - corners[0])
            #expect(abs(along.x * offset.y - along.y * offset.x) < 0.05)
            let again = back(map(SIMD2(t, 1 - t * t)))
            #expect(abs(again.x - t) < 1e-3 && abs(again.y - (1 - t * t)) < 1e-3)
        }
        // A parallelogram is an affine map, the middle goes to the middle.
        let affine = Homography(unitSquareTo: [[0, 0], [4, 2], [5, 6], [1, 4]])
        #expect(affine(SIMD2(0.5, 0.5)) == SIMD2(2.5, 3))
    }
}
