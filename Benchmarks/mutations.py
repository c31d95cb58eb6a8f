# mutations.py: damage to files that gets past their headers: by the structure of the format where it is known, by the byte
# everywhere. Part of `./run check fuzz`; every function takes a random generator, so that a mutant can be made again.
import re
import struct
import zlib

INTERESTING = [0, 1, 2, 3, 7, 8, 15, 16, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]


def number(random, size):
    """An integer of `size` bytes that code is likely to have forgotten, in either byte order."""
    value = random.choice(INTERESTING) if random.random() < 0.7 else random.getrandbits(8 * size)
    return (value % 256**size).to_bytes(size, random.choice(("little", "big")))


def near(random, data, at, size, order):
    """The number at a place, a little off or multiplied."""
    value = int.from_bytes(data[at : at + size], order)
    value = random.choice((value + 1, value - 1, value * 2, value // 2, value + 256, -value, value * 1000))
    return (value % 256**size).to_bytes(size, order)


def put(data, at, new):
    return data[:at] + new + data[at + len(new) :]


def anywhere(random, data, other=b""):
    """One change that needs to know nothing of the format."""
    if len(data) < 4:
        return data + random.randbytes(8)
    # The beginning of a file holds most of what is worth changing.
    at = random.randrange(min(len(data), 256) if random.random() < 0.3 else len(data))
    kind = random.randrange(10)
    if kind == 0:
        return put(data, at, bytes([data[at] ^ 1 << random.randrange(8)]))
    if kind == 1:
        return put(data, at, random.randbytes(random.randint(1, 4)))[: len(data)]
    if kind == 2:
        return put(data, at, number(random, random.choice((1, 2, 4, 8))))
    if kind == 3:
        size = random.choice((2, 4))
        return put(data, at, near(random, data, at, size, random.choice(("little", "big"))))
    if kind == 4:
        return data[:at]
    if kind == 5:
        return data[: len(data) - random.randint(1, min(len(data) - 1, 64))]
    if kind == 6:
        return data[:at] + data[at + random.randint(1, 64) :]
    if kind == 7:
        length = random.randint(1, 256)
        return data[:at] + data[at : at + length] * random.choice((2, 2, 3, 50)) + data[at + length :]
    if kind == 8:
        source = other or data
        start, length = random.randrange(len(source)), random.randint(1, 512)
        return data[:at] + source[start : start + length] + data[at + random.choice((0, length)) :]
    return put(data, at, bytes([random.choice((0, 255))]) * random.randint(1, 32))


def rearranged(random, pieces, other):
    """A list of pieces with one left out, repeated, moved, or taken from another file's list."""
    pieces = list(pieces)
    if not pieces:
        return pieces
    at, kind = random.randrange(len(pieces)), random.randrange(4)
    if kind == 0:
        del pieces[at]
    elif kind == 1:
        pieces.insert(random.randrange(len(pieces) + 1), pieces[at])
    elif kind == 2:
        pieces.insert(random.randrange(len(pieces)), pieces.pop(at))
    elif other:
        pieces.insert(at, random.choice(other))
    return pieces


def small(random, sizes):
    """The index of a piece, headers rather than pixels."""
    return random.choices(range(len(sizes)), [1 / (16 + min(size, 4096)) for size in sizes])[0]


# MARK: formats made of pieces: split them, change one, put them together so that lengths and checksums are right again.


def png(random, data, other=b""):
    def split(data):
        at, chunks = 8, []
        while at + 12 <= len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
            at += 12 + length
        return chunks

    chunks = split(data)
    if not chunks:
        return anywhere(random, data, other)
    kind = random.randrange(4)
    if kind == 0:
        chunks = rearranged(random, chunks, split(other))
    else:
        at = small(random, [len(body) for _, body in chunks])
        name, body = chunks[at]
        packed = {b"IDAT": 0, b"iCCP": body.find(b"\0") + 2, b"zTXt": body.find(b"\0") + 2}.get(name)
        if packed is not None and kind == 1:
            try:
                body = body[:packed] + zlib.compress(anywhere(random, zlib.decompress(body[packed:])), 1)
            except zlib.error:
                pass
        elif name == b"eXIf" and kind != 3:
            body = tiff(random, body)
        else:
            body = anywhere(random, body)
        chunks[at] = (name, body)
    return data[:8] + b"".join(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks)


def jpeg(random, data, other=b""):
    def split(data):
        at, segments = 2, []
        while at + 4 <= len(data) and data[at] == 0xFF:
            length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at + 1] == 0xDA:  # From here on, pixels.
                break
            segments.append(data[at : at + length])
            at += length
        return segments, data[at:]

    segments, rest = split(data)
    if not segments or random.random() < 0.15:
        return data[: len(data) - len(rest)] + anywhere(random, rest, other)
    if random.random() < 0.2:
        segments = rearranged(random, segments, split(other)[0] if other else [])
    else:
        at = small(random, [len(segment) for segment in segments])
        mark, body = segments[at][:2], segments[at][4:]
        if body.startswith(b"Exif\0\0") and random.random() < 0.7:
            body = body[:6] + tiff(random, body[6:])
        elif body.startswith(b"ICC_PROFILE\0") and random.random() < 0.7:
            body = body[:14] + icc(random, body[14:])
        else:
            body = anywhere(random, body)
        length = len(body) + 2 if random.random() < 0.95 else random.getrandbits(16)
        segments[at] = mark + struct.pack(">H", min(length, 65535)) + body[:65533]
    return data[:2] + b"".join(segments) + rest


def riff(random, data, other=b""):
    def split(data):
        at, chunks = 12, []
        while at + 8 <= len(data):
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            chunks.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
            at += 8 + length + length % 2
        return chunks

    chunks = split(data)
    if not chunks:
        return anywhere(random, data, other)
    if random.random() < 0.25:
        chunks = rearranged(random, chunks, split(other))
    else:
        at = small(random, [len(body) for _, body in chunks])
        name, body = chunks[at]
        if name == b"EXIF":
            body = tiff(random, body)
        elif name == b"ICCP":
            body = icc(random, body)
        else:
            body = anywhere(random, body[:32]) + body[32:] if random.random() < 0.5 else anywhere(random, body)
        chunks[at] = (name, body)
    body = b"".join(name + struct.pack("<I", len(piece)) + piece + b"\0" * (len(piece) % 2) for name, piece in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + data[8:12] + body


def tiff(random, data, other=b""):
    """A TIFF structure, EXIF too: one field of one entry of one directory."""
    order = {b"II": "little", b"MM": "big"}.get(data[:2])
    if order is None or len(data) < 14:
        return anywhere(random, data, other)

    def read(at, size):
        return int.from_bytes(data[at : at + size], order)

    places, todo = [], [read(4, 4)]
    while todo and len(places) < 500:
        start = todo.pop()
        count = read(start, 2)
        if not 0 < count < 200:
            continue
        places.append((start, 2))
        for index in range(count):
            at = start + 2 + 12 * index
            places += [(at, 2), (at + 2, 2), (at + 4, 4), (at + 8, 4)]
            if read(at, 2) in (330, 34665, 34853, 40965):
                todo.append(read(at + 8, 4))
        following = read(start + 2 + 12 * count, 4)
        places.append((start + 2 + 12 * count, 4))
        if following and following < len(data) and len(todo) < 20:
            todo.append(following)
    places = [(at, size) for at, size in places if at + size <= len(data)] + [(4, 4)]
    at, size = random.choice(places)
    kind = random.randrange(5)
    if kind == 0:
        return put(data, at, (random.choice(INTERESTING) % 256**size).to_bytes(size, order))
    if kind == 1:
        return put(data, at, near(random, data, at, size, order))
    if kind == 2:  # A place somewhere in the file: loops, overlaps.
        return put(data, at, random.randrange(len(data) + 16).to_bytes(4, order)[:size] if order == "little" else random.randrange(len(data) + 16).to_bytes(4, order)[-size:])
    if kind == 3:
        source, length = random.choice(places)
        return put(data, at, data[source : source + min(size, length)])
    return anywhere(random, data, other)


def boxes(random, data, other=b""):
    """HEIF, AVIF, JPEG XL and JPEG 2000: boxes in boxes; their lengths are lied about or kept true."""
    holders = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"jp2h": 8, b"moov": 8, b"trak": 8, b"iinf": 14, b"iref": 12}
    found = []

    def walk(start, end, depth):
        while start + 8 <= end and len(found) < 300:
            length = int.from_bytes(data[start : start + 4], "big")
            length = length if length >= 8 and start + length <= end else end - start
            found.append((start, length))
            skip = holders.get(data[start + 4 : start + 8])
            if skip and depth < 6:
                walk(start + skip, start + length, depth + 1)
            start += length

    walk(0, len(data), 0)
    if not found or random.random() < 0.1:
        return anywhere(random, data, other)
    start, length = found[small(random, [length for _, length in found])]
    kind = random.randrange(6)
    if kind == 0:
        return put(data, start, near(random, data, start, 4, "big") if random.random() < 0.5 else number(random, 4))
    if kind == 1:  # Left out, the boxes around it none the wiser.
        return data[:start] + data[start + length :]
    if kind == 2:
        return data[: start + length] + data[start : start + length] + data[start + length :]
    body = data[start + 8 : start + length]
    exif = body.find(b"II*\0") if body.find(b"II*\0") >= 0 else body.find(b"MM\0*")
    changed = body[:exif] + tiff(random, body[exif:]) if 0 <= exif < 64 and random.random() < 0.7 else anywhere(random, body)
    if len(changed) == len(body) or kind == 3:
        return data[: start + 8] + changed + data[start + length :]
    return data[:start] + struct.pack(">I", len(changed) + 8) + data[start + 4 : start + 8] + changed + data[start + length :]


def gif(random, data, other=b""):
    """Sizes and places of screen and frames, code sizes, lengths of blocks."""
    places = [(6, 2), (8, 2), (10, 1)]
    for match in re.finditer(rb"\x00\x2c", data):
        at = match.start() + 2
        places += [(at, 2), (at + 2, 2), (at + 4, 2), (at + 6, 2), (at + 8, 1), (at + 9, 1), (at + 10, 1)]
    for match in re.finditer(rb"\x21\xf9\x04", data):
        places += [(match.start() + 3, 1), (match.start() + 4, 2), (match.start() + 6, 1)]
    places = [place for place in places if place[0] + place[1] <= len(data)]
    if not places or random.random() < 0.4:
        return anywhere(random, data, other)
    at, size = random.choice(places)
    return put(data, at, near(random, data, at, size, "little") if random.random() < 0.5 else number(random, size))


def icc(random, data, other=b""):
    """The table of tags, or the head of what a tag points at."""
    if len(data) < 144:
        return anywhere(random, data, other)
    count = min(int.from_bytes(data[128:132], "big"), (len(data) - 132) // 12, 50)
    if count == 0 or random.random() < 0.2:
        return anywhere(random, data, other)
    entry = 132 + 12 * random.randrange(count)
    if random.random() < 0.5:
        at = entry + random.choice((0, 4, 8))
        return put(data, at, number(random, 4) if random.random() < 0.5 else near(random, data, at, 4, "big"))
    start = int.from_bytes(data[entry + 4 : entry + 8], "big")
    at = min(start + 4 * random.randrange(12), len(data) - 4)
    return put(data, at, number(random, 4))


def text(random, data, other=b""):
    """JSON: numbers, words and brackets that mean something else, or too much of them."""
    if not data:
        return anywhere(random, data, other)
    kind = random.randrange(8)
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    words = list(re.finditer(rb'"[^"]*"', data))
    if kind == 0 and numbers:
        match = random.choice(numbers)
        new = random.choice((b"-1", b"0", b"1e999", b"9223372036854775807", b"18446744073709551616", b"1e-400", b"2.5", b"null", b'"3"', b"[]", b"-9223372036854775808", b"1" * 5000))
        return data[: match.start()] + new + data[match.end() :]
    if kind == 1 and words:
        match = random.choice(words)
        new = random.choice((b'""', b'"' + b"A" * 100_000 + b'"', b'"\\ud800"', b'"\xff\xfe"', b'"../../x"', b"null", b"true", b"{}", b'"\\u0000"', b"1"))
        return data[: match.start()] + new + data[match.end() :]
    if kind == 2 and len(words) > 1:
        a, b = random.choice(words), random.choice(words)
        return data[: a.start()] + b.group() + data[a.end() :]
    if kind == 3:
        at = random.randrange(len(data) + 1)
        return data[:at] + random.choice((b"[", b'{"a":', b"]", b"}", b",", b"\0", b"\xef\xbb\xbf", b"\xff", b"//", b"NaN")) * random.choice((1, 2, 600, 20_000)) + data[at:]
    if kind == 4:
        lines = data.split(b"\n")
        lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
        return b"\n".join(lines)
    if kind == 5:
        return data[: random.randrange(len(data))]
    return anywhere(random, data, other)


def safetensors(random, data, other=b""):
    """The header as text, its length true or not, or the numbers behind it."""
    (length,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    if length > len(data) or random.random() < 0.15:
        return anywhere(random, data, other)
    header = text(random, data[8 : 8 + length])
    size = len(header) if random.random() < 0.85 else int.from_bytes(number(random, 8), "little")
    return struct.pack("<Q", size) + header + data[8 + length :]


def archive(random, data, other=b""):
    """A .pth: its pickle within the zip file, its directory, or, where it is not a zip, whatever there is."""
    at = data.find(b"data.pkl")
    if random.random() < 0.3 or at < 0:
        return anywhere(random, data, other)
    if random.random() < 0.4:
        entries = [match.start() for match in re.finditer(b"PK\x01\x02", data)] + [data.rfind(b"PK\x05\x06")]
        place = random.choice(entries) + random.choice((4, 8, 10, 12, 16, 20, 24, 28, 30, 32, 42))
        return put(data, place, number(random, random.choice((2, 4))))
    # Stored, so that it can be changed where it stands; checksums are nobody's concern there.
    end = data.find(b"PK\x03\x04", at)
    body = data[at:end]
    changed = anywhere(random, body)
    return data[:at] + changed[: len(body)].ljust(len(body), b".") + data[end:]


BY_KIND = {
    "png": png, "jpg": jpeg, "webp": riff, "tif": tiff, "gif": gif, "heic": boxes, "avif": boxes, "jxl": boxes, "jp2": boxes,
    "json": text, "jsonl": text, "safetensors": safetensors, "pth": archive,
}


def mutated(random, kind, data, other=b""):
    """`data`, changed in one to four places.

    Most often by the structure of `kind` (a file's extension), now and then at its ICC profile, else anywhere.
    """
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        share = random.random()
        place = data.find(b"acsp")
        if share < 0.08 and place >= 36 and kind not in ("png", "jpg"):
            data = data[: place - 36] + icc(random, data[place - 36 :])
        elif share < 0.75 and data:
            data = BY_KIND.get(kind, anywhere)(random, data, other)
        else:
            data = anywhere(random, data, other)
        # Repetition must not run away.
        data = data[: 4 << 20]
    return data
