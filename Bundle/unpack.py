# unpack.py: turns the bundle's packed shards into the safetensors files that the trainer reads, all cores at once.
# Needs Python and one of Pillow, OpenCV or torchvision; nothing else. Shards that are there already are left alone.
import concurrent.futures
import io
import json
import os
import struct
import sys

WIDTH = {"U8": 1, "I8": 1, "BOOL": 1, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "F32": 4, "I32": 4, "U32": 4, "F64": 8, "I64": 8, "U64": 8}


def decoders():
    """Functions from coded bytes to RGB bytes, for whatever this Python has."""
    try:
        from PIL import Image

        yield "Pillow", lambda data: Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    except ImportError:
        pass
    try:
        import cv2
        import numpy

        def by_opencv(data):
            picture = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                raise ValueError("cannot be decoded")
            return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes()

        yield "OpenCV", by_opencv
    except ImportError:
        pass
    try:
        import torch
        from torchvision.io import ImageReadMode, decode_image

        def by_torchvision(data):
            tensor = decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
            return tensor.permute(1, 2, 0).contiguous().numpy().tobytes()

        yield "torchvision", by_torchvision
    except ImportError:
        pass


def choose(sample):
    tried = []
    for name, decode in decoders():
        try:
            decode(sample)
            return decode
        except Exception as error:  # whatever a library throws at a format that it does not know
            tried.append(f"{name} ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
    sys.exit(f"unpack.py: nothing here decodes the crops; tried {', '.join(tried) or 'nothing, as there is no Pillow, OpenCV or torchvision'}; pack again with --codec webp")


def unpack(path):
    target = path[: -len(".pack")]
    if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(path):
        return
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        table = json.loads(file.read(length))
        body = file.read()
    header, end, place, work = {"__metadata__": table["metadata"]}, 0, 0, []
    for tensor in table["tensors"]:
        size = WIDTH[tensor["dtype"]]
        for side in tensor["shape"]:
            size *= side
        header[tensor["name"]] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": [end, end + size]}
        each = size // max(1, len(tensor["sizes"]))
        for index, coded in enumerate(tensor["sizes"]):
            work.append((tensor["coding"], place, coded, end + index * each, each))
            place += coded
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    decode = next((choose(body[at : at + coded]) for coding, at, coded, _, _ in work if coding == "pictures"), None)
    out = os.open(target + ".tmp", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.ftruncate(out, 8 + len(text) + end)
    os.pwrite(out, struct.pack("<Q", len(text)) + text, 0)

    def one(item):
        coding, at, coded, start, size = item
        data = body[at : at + coded]
        if coding == "pictures":
            data = decode(data)
        if len(data) != size:
            raise ValueError(f"{path}: a picture has {len(data)} bytes, not {size}")
        os.pwrite(out, data, 8 + len(text) + start)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, work, chunksize=16):
            pass
    os.close(out)
    os.replace(target + ".tmp", target)
    print(f"unpacked {target}: {end / 1e6:.0f} MB", file=sys.stderr, flush=True)


for folder, _, names in os.walk(os.path.dirname(os.path.abspath(__file__))):
    for name in sorted(names):
        if name.endswith(".pack"):
            try:
                unpack(os.path.join(folder, name))
            except (OSError, ValueError, KeyError, struct.error) as error:
                sys.exit(f"unpack.py: {name}: {error}")
