// PictureListTests: COCO files, sound, wrong and damaged.

import Foundation
import SuperResolution
import Testing
import Training

@Suite struct PictureListTests {
    private let good = """
        {"info": {"year": 2017}, "licenses": [{"url": "u", "id": 4, "name": "Attribution"}, {"id": 7}],
         "images": [{"license": 4, "file_name": "a.jpg", "coco_url": "c", "height": 427, "width": 640, "date_captured": "d", "id": 1},
                    {"file_name": "sub/b.jpg", "height": 10, "width": 20, "id": 2}],
         "annotations": [{"segmentation": [[1.5, 2]], "area": 7.25, "iscrowd": 0, "image_id": 1, "bbox": [1, 2, 3, 4], "id": 9}],
         "categories": []}
        """

    private func list(_ text: String) throws -> PictureList { try PictureList(Array(text.utf8), name: "list.json") }

    @Test func sound() throws {
        let list = try list(good)
        #expect(list.entries.map(\.fileName) == ["a.jpg", "sub/b.jpg"])
        #expect(list.entries[0].width == 640 && list.entries[0].height == 427 && list.entries[0].licence == 4 && list.entries[1].licence == nil)
        #expect(list.licences == [4: "Attribution", 7: "licence 7"])
    }

    @Test(arguments: [
        ("", "JSON"), ("[]", "object"), ("{}", "images is missing"), (#"{"images": []}"#, "images is empty"), (#"{"images": 3}"#, "images"),
        (#"{"images": [{"file_name": "a.jpg", "width": 3}]}"#, "images[0].height is missing"),
        (#"{"images": [{"file_name": "a.jpg", "width": "3", "height": 3}]}"#, "images[0].width"),
        (#"{"images": [{"file_name": "a.jpg", "width": 1e99, "height": 3}]}"#, "list.json"),
        (#"{"images": [{"file_name": "a.jpg", "width": 0, "height": 3}]}"#, "images[0]: width and height"),
        (#"{"images": [{"file_name": "a.jpg", "width": 3.5, "height": 3}]}"#, "list.json"),
        (#"{"images": [{"file_name": "../a.jpg", "width": 3, "height": 3}]}"#, "leads out of the folder"),
        (#"{"images": [{"file_name": "/etc/a.jpg", "width": 3, "height": 3}]}"#, "leads out of the folder"),
        (#"{"images": [{"file_name": "a\u0000.jpg", "width": 3, "height": 3}]}"#, "leads out of the folder"),
        (#"{"images": [{"file_name": "a", "width": 3, "height": 3}, {"file_name": "a", "width": 3, "height": 3}]}"#, "images[1]: a is listed twice"),
    ])
    func wrong(_ text: String, _ reason: String) {
        let error = #expect(throws: AcuityError.self) { try list(text) }
        #expect(error?.message.hasPrefix("list.json: ") == true && error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(where: \.isNewline) == false)
    }

    @Test func files() {
        #expect(throws: AcuityError.self) { try PictureList(contentsOf: "/no/such/list.json") }
        #expect(throws: AcuityError.self) { try PictureList(contentsOf: NSTemporaryDirectory()) }
    }

    /// Bytes changed, cut, repeated and nested: read or refused, never anything else.
    @Test func damaged() {
        let bytes = Array(good.utf8)
        var random = SplitMix(seed: 12)
        var refused = 0
        for round in 0..<4000 {
            var damaged = bytes
            switch round % 5 {
            case 0: damaged.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1: for _ in 0..<3 { damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next()) }
            case 2: damaged.insert(contentsOf: Array("9e999-0.\\u12[[{{".utf8), at: Int.random(in: 0..<bytes.count, using: &random))
            case 3: damaged.removeSubrange(Int.random(in: 0..<200, using: &random)..<Int.random(in: 200..<bytes.count, using: &random))
            default: damaged.insert(contentsOf: [UInt8](repeating: UInt8(ascii: "["), count: Int.random(in: 1...5000, using: &random)), at: Int.random(in: 0..<bytes.count, using: &random))
            }
            do { _ = try PictureList(damaged, name: "list.json") } catch is AcuityError { refused += 1 } catch { Issue.record("\(error)") }
        }
        #expect(refused > 3000)
    }
}
