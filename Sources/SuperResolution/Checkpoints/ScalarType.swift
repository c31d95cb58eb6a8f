// ScalarType: the number formats in which checkpoints store tensors, and their conversion to 32-bit floats.
public import FoundationEssentials

/// A number format in a checkpoint. Raw values are those of safetensors; bytes are little-endian.
public enum ScalarType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u8 = "U8"
    case bool = "BOOL"

    /// Bytes per value.
    public var size: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .i8, .u8, .bool: 1
        }
    }

    /// Little-endian bytes as floats; integers beyond 2²⁴ are rounded.
    /// - Parameter bytes: bytes past the last whole value are ignored.
    public func floats(_ bytes: Data) -> [Float] {
        bytes.withUnsafeBytes { floats($0) }
    }

    func floats(_ bytes: UnsafeRawBufferPointer) -> [Float] {
        switch self {
        case .f64: decode(bytes, UInt64.self) { Float(Double(bitPattern: $0)) }
        case .f32: decode(bytes, UInt32.self) { Float(bitPattern: $0) }
        case .f16: decode(bytes, UInt16.self, float(half:))
        case .bf16: decode(bytes, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case .i64: decode(bytes, Int64.self) { Float($0) }
        case .i32: decode(bytes, Int32.self) { Float($0) }
        case .i16: decode(bytes, Int16.self) { Float($0) }
        case .i8: decode(bytes, Int8.self) { Float($0) }
        case .u8: decode(bytes, UInt8.self) { Float($0) }
        case .bool: decode(bytes, UInt8.self) { $0 == 0 ? 0 : 1 }
        }
    }

    private func decode<Word: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _: Word.Type, _ convert: (Word) -> Float) -> [Float] {
        let size = MemoryLayout<Word>.size
        return [Float](unsafeUninitializedCapacity: bytes.count / size) { buffer, count in
            count = bytes.count / size
            for index in 0..<count {
                buffer[index] = convert(Word(littleEndian: bytes.loadUnaligned(fromByteOffset: index * size, as: Word.self)))
            }
        }
    }

    /// Floats as little-endian bytes; only `.f32` and `.f16` (rounded to nearest even) are written.
    func bytes(_ values: [Float]) -> Data {
        switch self {
        case .f16:
            return values.map { half($0).littleEndian }.withUnsafeBytes { Data($0) }
        default:
            return values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { Data($0) }  // A key path is followed anew for every value.
        }
    }
}

/// IEEE 754 binary16 to binary32; exact.
func float(half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10) & 0x1f
    let fraction = UInt32(half & 0x3ff)
    switch exponent {
    case 0:  // Zero or subnormal: fraction × 2⁻²⁴, exact in binary32.
        let magnitude = Float(fraction) * 0x1p-24
        return Float(bitPattern: magnitude.bitPattern | sign)
    case 31: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
}

/// IEEE 754 binary32 to binary16, rounded to nearest even; overflow becomes infinity.
func half(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7fff_ffff
    if magnitude > 0x7f80_0000 { return sign | 0x7e00 }  // NaN
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }  // 65520 and more round to infinity
    if magnitude < 0x3880_0000 {
        // Below 2⁻¹⁴ the half is a multiple of 2⁻²⁴. Adding 0.5, whose last bit is 2⁻²⁴, makes the processor round.
        let sum = Float(bitPattern: magnitude) + 0.5
        return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- Float(0.5).bitPattern)
    }
    let odd = (magnitude >> 13) & 1
    return sign | UInt16(truncatingIfNeeded: (magnitude &+ 0xfff &+ odd &- 0x3800_0000) >> 13)
}
