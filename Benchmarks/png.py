# png.py: 8-bit PNG files without any package, for the scripts of this folder.
import struct
import zlib


def write(path, width, height, pixels):
    """RGB bytes, row by row."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def read(path):
    """(width, height, channels, bytes) of an 8-bit grey or RGB file, with or without alpha, not interlaced."""
    with open(path, "rb") as file:
        data = file.read()
    at, body = 8, b""
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", content)
            if depth != 8 or colour not in (0, 2, 4, 6) or interlace:
                raise ValueError(f"{path}: not a plain 8-bit PNG")
            channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
        elif kind == b"IDAT":
            body += content
        at += 12 + length
    raw, stride, n = zlib.decompress(body), width * channels, channels
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
