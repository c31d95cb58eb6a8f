// JPEGQuality: the quality that a JPEG file was written with, estimated from its quantisation tables.

/// The quality setting, 1…100, of libjpeg that comes closest to the file's luma quantisation table, or nil if these are
/// not the first bytes of a JPEG file with such a table.
///
/// libjpeg scales the table of Annex K by 5000 / q per cent below quality 50 and by 200 − 2 q above; this finds the
/// scale back from the sums of the two tables.
public func jpegQuality(of bytes: [UInt8]) -> Int? {
    guard bytes.count > 4, bytes[0] == 0xFF, bytes[1] == 0xD8 else { return nil }
    var position = 2
    while position + 4 <= bytes.count {
        guard bytes[position] == 0xFF else { return nil }
        let marker = bytes[position + 1]
        if marker == 0xFF {  // Filling.
            position += 1
            continue
        }
        let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
        guard length >= 2 else { return nil }
        if marker == 0xDA || marker == 0xD9 { return nil }  // The pixels begin.
        if marker == 0xDB {
            var table = position + 4
            let end = min(bytes.count, position + 2 + length)
            while table < end {
                let isWide = bytes[table] >> 4 != 0
                let size = isWide ? 128 : 64
                guard table + 1 + size <= end else { return nil }
                if bytes[table] & 15 == 0 {
                    let sum = (0..<64).reduce(0) { sum, i in
                        sum + (isWide ? Int(bytes[table + 1 + 2 * i]) << 8 | Int(bytes[table + 2 + 2 * i]) : Int(bytes[table + 1 + i]))
                    }
                    return quality(tableSum: sum)
                }
                table += 1 + size
            }
        }
        position += 2 + length
    }
    return nil
}

/// The sum over Annex K's luma table.
private let annexKSum = 3688.0

private func quality(tableSum: Int) -> Int {
    // At 100 every entry is 1.
    let scale = 100 * Double(tableSum) / annexKSum
    let quality = scale <= 100 ? (200 - scale) / 2 : 5000 / scale
    return max(1, min(100, Int(quality.rounded())))
}
