# png.py: PNG files of 8 and 16 bits without any package, for the scripts of this folder.
import struct
import zlib


def write(path, width, height, pixels, depth=8, extra=()):
    """RGB bytes, row by row; big-endian where depth is 16. `extra`: (kind, data) of further chunks."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    stride = width * 3 * depth // 8
    rows = b"".join(b"\0" + pixels[y * stride : (y + 1) * stride] for y in range(height))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)))
        file.write(b"".join(chunk(*piece) for piece in extra))
        file.write(chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def read(path):
    """(width, height, channels, bytes) of a grey or RGB file, with or without alpha, not interlaced. Of 16 bits, two bytes a sample."""
    with open(path, "rb") as file:
        data = file.read()
    at, body = 8, b""
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", content)
            if depth not in (8, 16) or colour not in (0, 2, 4, 6) or interlace:
                raise ValueError(f"{path}: not a plain PNG of 8 or 16 bits")
            channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
        elif kind == b"IDAT":
            body += content
        at += 12 + length
    n = channels * depth // 8
    raw, stride = zlib.decompress(body), width * n
    above, result = bytearray(stride), []
    for y in range(height):
        filter_kind = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        if filter_kind == 1:
            for i in range(n, stride):
                row[i] = (row[i] + row[i - n]) & 255
        elif filter_kind == 2:
            for i in range(stride):
                row[i] = (row[i] + above[i]) & 255
        elif filter_kind == 3:
            for i in range(stride):
                row[i] = (row[i] + (((row[i - n] if i >= n else 0) + above[i]) >> 1)) & 255
        elif filter_kind == 4:
            for i in range(stride):
                a, b, c = (row[i - n], above[i], above[i - n]) if i >= n else (0, above[i], 0)
                pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
                row[i] = (row[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        result.append(bytes(row))
        above = row
    return width, height, channels, b"".join(result)
