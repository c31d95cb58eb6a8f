# seeds.py: small sound files of every kind that the product reads, made here or by the product itself, for `./run check fuzz`
# to damage. More kinds where libvips' command is there. Nothing but the standard library.
import io
import json
import math
import os
import pickle
import shutil
import struct
import subprocess
import sys
import types
import zipfile
import zlib

import profiles

WIDTH, HEIGHT = 29, 22


def sample(x, y, c):
    return int(127.5 + 100 * math.sin(x / 5 + c) * math.cos(y / 4 - c)) % 256


def portable(depth=8, colour=2, interlaced=False, extra=()):
    """A PNG of any kind: depth 1…16, colour 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha; Adam7 where interlaced."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def row(y, xs):
        bits = "".join(f"{sample(x, y, c) * (2**depth - 1) // 255:0{depth}b}" for x in xs for c in range(channels))
        return b"\0" + bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    rows = b"".join(row(y, range(x0, WIDTH, dx)) for x0, y0, dx, dy in passes for y in range(y0, HEIGHT, dy))
    palette = chunk(b"PLTE", bytes(sample(i, c, c) for i in range(2**depth) for c in range(3))) + chunk(b"tRNS", bytes(range(2**depth))) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*piece) for piece in extra) + palette
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tagged(channels, bits, photometric, data, isfloat=False):
    """A plain TIFF in one strip."""
    entries = [(256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, channels),
               (278, 4, 1, HEIGHT), (279, 4, 1, len(data)), (339, 3, 1, 3 if isfloat else 1)]
    if channels > 2:  # One number of bits per channel, behind the pixels.
        entries[2] = (258, 3, channels, 8 + len(data))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    behind = struct.pack("<4H", *[bits] * 4)
    return b"II*\0" + struct.pack("<I", 8 + len(data) + len(behind)) + data + behind + directory


def animation(frames=4):
    """An animated GIF whose codes are not compressed: a table is cleared before it would grow."""
    table = bytes(value for i in range(16) for value in (i * 16, 255 - i * 16, i * 7))
    data = b"GIF89a" + struct.pack("<HHBBB", WIDTH, HEIGHT, 0xB3, 0, 0) + table + b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x03\x00\x00"
    for frame in range(frames):
        codes = []
        for index in range(WIDTH * HEIGHT):
            if index % 8 == 0:
                codes.append(16)
            codes.append((index % WIDTH + index // WIDTH + frame * 3) % 16)
        value = sum(code << (5 * place) for place, code in enumerate(codes + [17]))
        packed = value.to_bytes((5 * (len(codes) + 1) + 7) // 8, "little")
        blocks = b"".join(bytes([len(packed[at : at + 255])]) + packed[at : at + 255] for at in range(0, len(packed), 255))
        data += b"\x21\xf9\x04" + struct.pack("<BHB", 5, 7 + frame, 3) + b"\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, WIDTH, HEIGHT, 0) + b"\x04" + blocks + b"\0"
    return data + b"\x3b"


def exif():
    """Big-endian: turned, with an artist, a lens, a place and a thumbnail's directory."""
    def directory(at, entries, following=0):
        return struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries) + struct.pack(">I", following)

    def far(at):
        return struct.pack(">I", at)

    head = [(0x010F, 2, 4, b"Abc\0"), (0x0112, 3, 1, b"\0\6\0\0"), (0x011A, 5, 1, far(200)), (0x011B, 5, 1, far(200)), (0x0128, 3, 1, b"\0\2\0\0"),
            (0x013B, 2, 11, far(208)), (0x8769, 4, 1, far(220)), (0x8825, 4, 1, far(290))]
    body = b"MM\0*" + far(8) + directory(8, head, 360)
    body = body.ljust(200, b"\0") + struct.pack(">II", 300, 1) + "Ann Ärger".encode() + b"\0"
    body = body.ljust(220, b"\0") + directory(220, [(0xA002, 4, 1, far(WIDTH)), (0xA003, 4, 1, far(HEIGHT)), (0xA434, 2, 10, far(270)), (0x927C, 7, 12, far(270))])
    body = body.ljust(270, b"\0") + b"50mm f/1.8\0\0"
    body = body.ljust(290, b"\0") + directory(290, [(1, 2, 2, b"N\0\0\0"), (2, 5, 3, far(330))])
    body = body.ljust(330, b"\0") + struct.pack(">6I", 48, 1, 30, 1, 0, 1)
    return body.ljust(360, b"\0") + directory(360, [(0x0103, 3, 1, b"\0\6\0\0"), (0x0201, 4, 1, far(400)), (0x0202, 4, 1, far(4))]) + b"\xff\xd8\xff\xd9"


XMP = (b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
       b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:ImageWidth="29"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>')


def with_metadata(jpeg):
    """A JPEG with EXIF, XMP, a profile in two parts and IPTC in place of what it had."""
    while jpeg[2] == 0xFF and jpeg[3] & 0xF0 == 0xE0:
        jpeg = jpeg[:2] + jpeg[4 + int.from_bytes(jpeg[4:6], "big") :]
    profile = profiles.DISPLAY_P3.profile()
    record = b"\x1c\x02\x5a\0\4Kiel"
    pieces = [(0xE1, b"Exif\0\0" + exif()), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP), (0xE2, b"ICC_PROFILE\0\1\2" + profile[:500]),
              (0xE2, b"ICC_PROFILE\0\2\2" + profile[500:]), (0xED, b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", len(record)) + record + b"\0")]
    return jpeg[:2] + b"".join(bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data for mark, data in pieces) + jpeg[2:]


def pictures(acuity, folder):
    """Writes pictures of all kinds; returns what could not be made here."""
    def save(name, data):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)

    def convert(source, name):
        result = subprocess.run([acuity, "upscale", os.path.join(folder, source), "-o", os.path.join(folder, name), "-n", "nearest", "-s", "1"], capture_output=True, text=True)
        if result.returncode != 0:
            missing.append(name)

    missing = []
    for depth, colour in ((8, 2), (16, 2), (8, 6), (16, 6), (8, 4), (16, 0), (1, 0), (4, 3), (8, 3)):
        save(f"c{colour}-{depth}.png", portable(depth, colour))
    for depth, colour in ((8, 2), (16, 6), (8, 3), (2, 0)):
        save(f"interlaced-c{colour}-{depth}.png", portable(depth, colour, interlaced=True))
    packed = b"icc\0\0" + zlib.compress(profiles.ADOBE_RGB.profile())
    save("extra.png", portable(extra=[(b"iCCP", packed), (b"pHYs", struct.pack(">IIB", 5000, 5000, 1)), (b"eXIf", exif()), (b"tEXt", b"Comment\0here")]))
    values = [sample(i // 3 % WIDTH, i // 3 // WIDTH, i % 3) / 255 for i in range(WIDTH * HEIGHT * 3)]
    save("float.tif", tagged(3, 32, 2, struct.pack(f"<{len(values)}f", *values), isfloat=True))
    save("double.tif", tagged(1, 64, 1, struct.pack(f"<{len(values) // 3}d", *values[::3]), isfloat=True))
    save("cmyk.tif", tagged(4, 8, 5, bytes(sample(x, y, c) for y in range(HEIGHT) for x in range(WIDTH) for c in range(4))))
    save("animated.gif", animation())
    convert("cmyk.tif", "cmyk.jpg")
    convert("c2-8.png", "plain.jpg")
    with open(os.path.join(folder, "plain.jpg"), "rb") as file:
        save("rich.jpg", with_metadata(file.read()))
    for kind in ("png", "tif", "webp", "heic", "avif", "jxl", "jp2", "gif"):
        convert("rich.jpg", "rich." + kind)
        if kind != "png":
            convert("c6-16.png" if kind != "gif" else "c6-8.png", "deep." + kind)
    for kind in ("bmp", "ppm"):
        convert("c2-8.png", "plain." + kind)
        convert("c2-16.png", "deep." + kind)
    for kind in ("webp", "tif"):
        convert("animated.gif", "animated." + kind)

    # Kinds that the product itself does not write.
    others = {
        "progressive.jpg": "rich.jpg[interlace]", "half.jpg": "plain.jpg[subsample-mode=on]", "tiles.tif": "rich.jpg[tile,tile-width=16,tile-height=16,pyramid]",
        "lzw.tif": "c2-16.png[compression=lzw,predictor=horizontal]", "packbits.tif": "c6-8.png[compression=packbits]", "big.tif": "rich.jpg[bigtiff,compression=deflate]",
        "jpeg.tif": "rich.jpg[compression=jpeg]", "webp.tif": "c2-8.png[compression=webp]", "zstd.tif": "c2-8.png[compression=zstd]", "fax.tif": "c0-1.png[compression=ccittfax4,bitdepth=1]",
        "exact.webp": "c6-8.png[lossless]", "exact.jxl": "c2-16.png[lossless]", "tiles.jp2": "c2-8.png[tile-width=16,tile-height=16,lossless]", "deep.heic": "c2-16.png[bitdepth=12,compression=hevc]",
        "exact.avif": "c2-8.png[lossless,compression=av1]", "ascii.ppm": "c2-8.png[ascii]", "grey.jp2": "c0-16.png[lossless]", "float.ppm": None,
    }
    if not shutil.which("vips"):
        return missing + list(others)
    for name, recipe in others.items():
        if recipe is None:
            save(name, b"PF\n%d %d\n-1.0\n" % (WIDTH, HEIGHT) + struct.pack(f"<{len(values)}f", *values))
            continue
        source, options = recipe.split("[")
        made = subprocess.run(["vips", "copy", os.path.join(folder, source), f"{os.path.join(folder, name)}[{options}"], capture_output=True)
        if made.returncode != 0:
            missing.append(name)
    return missing


def weights(folder, root):
    """A tiny network of two architectures as .safetensors and as both kinds of .pth, made without PyTorch."""
    def tensors(shapes):
        return {name: (shape, struct.pack(f"<{math.prod(shape)}f", *[((i * 7919) % 200 - 100) / 400 for i in range(math.prod(shape))])) for name, shape in shapes.items()}

    compact = {"body.0.weight": (4, 3, 3, 3), "body.0.bias": (4,), "body.1.weight": (4,), "body.2.weight": (4, 4, 3, 3), "body.2.bias": (4,), "body.3.weight": (4,),
               "body.4.weight": (12, 4, 3, 3), "body.4.bias": (12,)}
    srcnn = {"conv1.weight": (4, 1, 9, 9), "conv1.bias": (4,), "conv2.weight": (4, 4, 5, 5), "conv2.bias": (4,), "conv3.weight": (1, 4, 5, 5), "conv3.bias": (1,)}
    for name, shapes in (("compact", compact), ("srcnn", srcnn)):
        header, data = {"__metadata__": {"scale": "2"}}, b""
        for key, (shape, values) in tensors(shapes).items():
            header[key] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(values)]}
            data += values
        line = json.dumps(header).encode()
        with open(os.path.join(folder, name + ".safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(line)) + line + data)
    crops = {"__metadata__": {}, "crops": {"dtype": "U8", "shape": [2, 16, 16, 3], "data_offsets": [0, 1536]}}
    line = json.dumps(crops).encode()
    with open(os.path.join(folder, "shard.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(line)) + line + bytes(i % 251 for i in range(1536)))

    # What a pickle of PyTorch's refers to by name.
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*arguments):
        return arguments

    rebuild.__module__, rebuild.__name__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = rebuild, utils
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch", "__qualname__": "FloatStorage"})
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils

    class Stored:
        def __init__(self, key, count):
            self.key, self.count = key, count

    class Tensor:
        def __init__(self, key, shape):
            self.key, self.shape = key, shape

        def __reduce__(self):
            strides = tuple(math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))
            return rebuild, (Stored(self.key, math.prod(self.shape)), 0, self.shape, strides, False, {})

    class Pickler(pickle.Pickler):
        legacy = False

        def persistent_id(self, value):
            if isinstance(value, Stored):
                return ("storage", torch.FloatStorage, value.key, "cpu", value.count) + ((None,) if self.legacy else ())

    parts = tensors(compact)
    state = {"params_ema": {name: Tensor(str(index), shape) for index, (name, (shape, _)) in enumerate(parts.items())}}
    for name, legacy in (("compact.pth", False), ("legacy.pth", True)):
        buffer = io.BytesIO()
        pickler = Pickler(buffer, protocol=2)
        pickler.legacy = legacy
        pickler.dump(state)
        path = os.path.join(folder, name)
        if not legacy:
            with zipfile.ZipFile(path, "w") as file:
                file.writestr("compact/data.pkl", buffer.getvalue())
                for index, (_, values) in enumerate(parts.values()):
                    file.writestr(f"compact/data/{index}", values)
                file.writestr("compact/version", "3\n")
        else:
            start = b"".join(pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}))
            keys = [str(index) for index in range(len(parts))]
            with open(path, "wb") as file:
                file.write(start + buffer.getvalue() + pickle.dumps(keys, protocol=2))
                for shape, values in parts.values():
                    file.write(struct.pack("<q", math.prod(shape)) + values)
    del sys.modules["torch"], sys.modules["torch._utils"]


def texts(acuity, folder, root):
    """Cards, recipes, a manifest and a list of pictures."""
    shutil.copy(os.path.join(root, "Models/fast-x2.json"), os.path.join(folder, "card.json"))
    names = sorted(name for name in os.listdir(os.path.join(root, "Recipes")) if name.endswith(".json"))
    for index, name in enumerate(names[:: max(1, len(names) // 4)]):
        shutil.copy(os.path.join(root, "Recipes", name), os.path.join(folder, f"recipe{index}.json"))
    source = os.path.join(folder, "batch")
    os.makedirs(source)
    for index in range(3):
        with open(os.path.join(source, f"{index}.png"), "wb") as file:
            file.write(portable())
    manifest = os.path.join(folder, "manifest.jsonl")
    subprocess.run([acuity, "upscale", source, "-o", os.path.join(source, "out"), "-n", "nearest", "-s", "2", "--manifest", manifest], check=True, capture_output=True)
    shutil.rmtree(source)
    coco = {"info": {"year": 2017}, "licenses": [{"id": 1, "name": "CC BY", "url": "http://x"}],
            "images": [{"id": i, "file_name": f"{i:012}.jpg", "width": 640, "height": 480, "license": 1} for i in range(4)], "annotations": []}
    with open(os.path.join(folder, "list.json"), "w") as file:
        json.dump(coco, file)
