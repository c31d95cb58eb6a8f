// ContactSheet: thumbnails of what was kept and what was dropped, and why, on one picture.

public import SuperResolution

/// Collects thumbnails by group, a bounded number of each, and lays them out.
public struct ContactSheet: Sendable {
    /// Side of a thumbnail, pixels.
    public static let side = 96
    private static let gap = 4
    private static let columns = 12
    private static let titleHeight = 22

    /// A group under a title, with how many it stands for.
    public struct Group: Sendable {
        public var title: String
        public var total = 0
        fileprivate var thumbnails: [(order: UInt64, bytes: [UInt8])] = []
        fileprivate let limit: Int
    }

    public private(set) var groups: [String: Group] = [:]

    public init() {}

    /// Counts a picture in a group and keeps it if it is among the `limit` of lowest `order`, which a hash of its name
    /// makes an even choice.
    /// - Parameters:
    ///   - bytes: a thumbnail, `side × side × 3`.
    ///   - total: how many the group stands for, where not every one is added.
    public mutating func add(_ bytes: [UInt8], to title: String, order: UInt64, total: Int? = nil, limit: Int = 48) {
        guard bytes.count == Self.side * Self.side * 3 else { return }
        var group = groups[title] ?? Group(title: title, limit: limit)
        group.total = total ?? group.total + 1
        if group.thumbnails.count < limit || order < group.thumbnails[group.thumbnails.count - 1].order {
            let place = group.thumbnails.firstIndex { $0.order > order } ?? group.thumbnails.count
            group.thumbnails.insert((order, bytes), at: place)
            if group.thumbnails.count > limit { group.thumbnails.removeLast() }
        }
        groups[title] = group
    }

    /// The whole sheet, RGB on white; nil if it is empty.
    /// - Parameters:
    ///   - order: titles in the order they are shown in; others are left out.
    ///   - render: a line of text 13 pixels high, or nil where text cannot be drawn.
    public func picture(order: [String], render: (String) -> TextMask?) -> PixelBuffer? {
        let shown = order.compactMap { groups[$0] }
        guard !shown.isEmpty else { return nil }
        let cell = Self.side + Self.gap
        let width = Self.columns * cell + Self.gap
        func rows(_ group: Group) -> Int { (group.thumbnails.count + Self.columns - 1) / Self.columns }
        let height = shown.reduce(Self.gap) { $0 + Self.titleHeight + rows($1) * cell }
        var bytes = [UInt8](repeating: 255, count: width * height * 3)
        var top = Self.gap
        for group in shown {
            if let mask = render("\(group.title): \(group.total)") {
                for y in 0..<min(mask.height, Self.titleHeight) {
                    for x in 0..<min(mask.width, width - 2 * Self.gap) {
                        for channel in 0..<3 { bytes[((top + 2 + y) * width + Self.gap + x) * 3 + channel] = 255 - mask.coverage[y * mask.width + x] }
                    }
                }
            }
            top += Self.titleHeight
            for (index, thumbnail) in group.thumbnails.enumerated() {
                let (x, y) = (Self.gap + index % Self.columns * cell, top + index / Self.columns * cell)
                for row in 0..<Self.side {
                    let (to, from) = (((y + row) * width + x) * 3, row * Self.side * 3)
                    bytes.replaceSubrange(to..<(to + Self.side * 3), with: thumbnail.bytes[from..<(from + Self.side * 3)])
                }
            }
            top += rows(group) * cell
        }
        return PixelBuffer(width: width, height: height, channels: 3, depth: .eight, bytes: bytes)
    }

    /// A thumbnail of the middle of a picture or of a crop: the largest square, each pixel a mean.
    /// - Parameter bytes: RGB, `height × width × 3`.
    public static func thumbnail(of bytes: [UInt8], width: Int, height: Int, x: Int = 0, y: Int = 0, side square: Int? = nil) -> [UInt8] {
        let square = square ?? min(width, height)
        let (left, top) = square == min(width, height) && x == 0 && y == 0 ? ((width - square) / 2, (height - square) / 2) : (x, y)
        guard square > 0, left >= 0, top >= 0, left + square <= width, top + square <= height, bytes.count == width * height * 3 else { return [] }
        var result = [UInt8](repeating: 0, count: side * side * 3)
        for row in 0..<side {
            let rows = (top + row * square / side)..<max(top + row * square / side + 1, top + (row + 1) * square / side)
            for column in 0..<side {
                let columns = (left + column * square / side)..<max(left + column * square / side + 1, left + (column + 1) * square / side)
                var (red, green, blue) = (0, 0, 0)
                for y in rows {
                    for x in columns {
                        let i = (y * width + x) * 3
                        red += Int(bytes[i])
                        green += Int(bytes[i + 1])
                        blue += Int(bytes[i + 2])
                    }
                }
                let count = rows.count * columns.count
                let to = (row * side + column) * 3
                (result[to], result[to + 1], result[to + 2]) = (UInt8(red / count), UInt8(green / count), UInt8(blue / count))
            }
        }
        return result
    }
}
