# pack.py: makes the GPU bundle: one folder, and a .tar of it, with all that training needs on a machine that has PyTorch.
# Run it as `./run gpu-bundle RECIPE…`, which builds the trainer and sees to Pillow. See docs/gpu.md.
#
# Shards of crops are far too large to travel raw, so each crop becomes one AVIF (or WebP) picture. The quality is the
# best of a short list at which everything fits the budget; if even the last does not fit, every so many crops one stays
# behind, so that every photograph keeps its share (`acuity dataset` has left out the flat ones already).
import argparse
import concurrent.futures
import hashlib
import io
import json
import lzma
import math
import os
import shutil
import struct
import sys
import tarfile

import numpy
from PIL import Image, features

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
QUALITIES = {"avif": (95, 90, 85, 80), "webp": (95, 90, 85, 80)}
CODING = {
    "avif": {"format": "AVIF", "subsampling": "4:4:4", "speed": 8, "max_threads": 1},
    "webp": {"format": "WEBP", "method": 4},
}


def note(text):
    print("acuity:", text, file=sys.stderr, flush=True)


def stop(text):
    note(text)
    sys.exit(1)


def header(path):
    """The header of a safetensors file and where its tensors begin."""
    try:
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > 1 << 28:
                raise ValueError
            return json.loads(file.read(size)), 8 + size
    except (OSError, ValueError, struct.error):
        stop(f"{path}: cannot be read as safetensors")


def files_of(recipe):
    """Every weights file and shard that a recipe names, under whatever key."""
    if isinstance(recipe, dict):
        recipe = list(recipe.values())
    if isinstance(recipe, list):
        return [path for value in recipe for path in files_of(value)]
    return [recipe] if isinstance(recipe, str) and recipe.endswith((".safetensors", ".pth")) else []


def encode(pixels, codec, quality):
    out = io.BytesIO()
    if quality is None:
        Image.fromarray(pixels).save(out, format="WEBP", lossless=True, quality=60)
    else:
        Image.fromarray(pixels).save(out, quality=quality, **CODING[codec])
    return out.getvalue()


def noise(pixels, coded):
    """Mean squared error over all samples, and of luma alone."""
    difference = numpy.asarray(Image.open(io.BytesIO(coded)).convert("RGB")).astype(numpy.float32) - pixels
    luma = difference @ numpy.array([0.299, 0.587, 0.114], numpy.float32)
    return float((difference**2).mean()), float((luma**2).mean())


class Shard:
    """A shard: its header and its pictures, each [height, width, 3]."""

    def __init__(self, path):
        self.path = path
        self.header, self.start = header(path)
        self.data = numpy.memmap(path, numpy.uint8, "r")
        self.entries = {name: entry for name, entry in self.header.items() if name != "__metadata__"}
        self.is_crops = "crops" in self.entries
        self.count = self.entries["crops"]["shape"][0] if self.is_crops else len(self.entries)

    def raw(self, name):
        first, last = self.entries[name]["data_offsets"]
        return self.data[self.start + first : self.start + last]

    def crop(self, index):
        _, height, width, channels = self.entries["crops"]["shape"]
        size = height * width * channels
        return self.raw("crops")[index * size : (index + 1) * size].reshape(height, width, channels)


def is_shard(path):
    entries = {name: entry for name, entry in header(path)[0].items() if name != "__metadata__"}
    if "crops" in entries:
        return True
    return bool(entries) and all(e["dtype"] == "U8" and len(e["shape"]) == 3 and e["shape"][2] == 3 for e in entries.values())


def write_pack(path, metadata, tensors):
    """tensors: (name, dtype, shape, list of coded pictures or raw bytes)."""
    table = []
    for name, dtype, shape, data in tensors:
        pictures = isinstance(data, list)
        table.append({"name": name, "dtype": dtype, "shape": shape, "coding": "pictures" if pictures else "raw"})
        table[-1]["sizes"] = [len(picture) for picture in data] if pictures else [len(data)]
    text = json.dumps({"metadata": metadata, "tensors": table}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, _, data in tensors:
            for part in data if isinstance(data, list) else [data]:
                file.write(part)


def labels_of_kept(data, count, kept):
    """Labels are a JSON list with one element per crop: only those of the crops that stay."""
    try:
        labels = json.loads(bytes(data))
    except ValueError:
        return data
    if not isinstance(labels, list) or len(labels) != count:
        return data
    return json.dumps([labels[index] for index in kept], ensure_ascii=False, separators=(",", ":")).encode()


def pack_crops(shards, folder, budget, codec, qualities, pool, cache):
    """Packs shards of crops into at most `budget` bytes, at the best of `qualities` at which all fit. Returns a line per shard for a person."""
    def sample(shard, quality):
        indices = range(0, shard.count, max(1, shard.count // 48))
        sizes = list(pool.map(lambda index: len(encode(shard.crop(index), codec, quality)), indices))
        return sum(sizes) / len(sizes) * shard.count

    quality = qualities[-1]
    for candidate in qualities[:-1]:
        # 3 %: what a sample may be off by, and the table of sizes.
        if sum(sample(shard, candidate) for shard in shards) * 1.03 <= budget:
            quality = candidate
            break
    lines, coded = [], []
    for shard in shards:
        status = os.stat(shard.path)
        key = f"{os.path.realpath(shard.path)} {status.st_size} {status.st_mtime_ns} {codec} {quality} {CODING[codec]}"
        place = os.path.join(cache, hashlib.sha256(key.encode()).hexdigest()[:24] + ".npz")
        if os.path.exists(place):
            found = numpy.load(place)
            ends, data, errors = numpy.cumsum(found["sizes"]), found["data"].tobytes(), found["errors"]
            pictures = [data[end - size : end] for end, size in zip(ends, found["sizes"])]
        else:
            note(f"coding {shard.count} crops of {shard.path} as {codec} of quality {quality}")

            def work(index):
                picture = encode(shard.crop(index), codec, quality)
                return picture, noise(shard.crop(index), picture)

            done = list(pool.map(work, range(shard.count)))
            pictures, errors = [picture for picture, _ in done], numpy.array([error for _, error in done])
            os.makedirs(cache, exist_ok=True)
            with open(place + ".tmp", "wb") as file:
                numpy.savez(file, sizes=[len(p) for p in pictures], data=numpy.frombuffer(b"".join(pictures), numpy.uint8), errors=errors)
            os.replace(place + ".tmp", place)
        coded.append((shard, pictures, errors))

    total = sum(len(picture) + 8 for _, pictures, _ in coded for picture in pictures)
    for shard, pictures, errors in coded:
        share = min(1.0, 0.998 * budget / total)
        kept = [index for index in range(shard.count) if int((index + 1) * share) > int(index * share)]
        # Sizes differ: what is too much goes evenly too.
        room = share * sum(len(picture) + 8 for picture in pictures)
        while kept and sum(len(pictures[index]) + 8 for index in kept) > room:
            del kept[:: max(2, len(kept) // 8)]
        if not kept:
            stop(f"{shard.path}: not one crop fits what the budget leaves")
        # The metadata names the pictures that all crops came from, those left behind included.
        metadata, tensors = shard.header.get("__metadata__", {}), []
        for name, entry in shard.entries.items():
            shape = list(entry["shape"])
            if name == "crops":
                data, shape[0] = [pictures[index] for index in kept], len(kept)
            else:
                data = shard.raw(name).tobytes()
                if name == "labels" and entry["dtype"] == "U8":
                    data = labels_of_kept(data, shard.count, kept)
                    shape = [len(data)]
            tensors.append((name, entry["dtype"], shape, data))
        write_pack(os.path.normpath(os.path.join(folder, "work", shard.path + ".pack")), metadata, tensors)
        colour, luma = (10 * math.log10(255**2 / max(1e-9, errors[kept][:, column].mean())) for column in (0, 1))
        lines.append(
            f"{shard.path}: {len(kept)} of {shard.count} crops as {codec} of quality {quality}, "
            f"{sum(len(pictures[index]) for index in kept) / 1e6:.1f} MB; loss: {colour:.1f} dB PSNR, luma {luma:.1f} dB")
    return lines


def pack_images(shard, folder, pool):
    """Whole pictures are for validation: without any loss."""
    def work(name):
        entry = shard.entries[name]
        return name, entry["dtype"], entry["shape"], [encode(shard.raw(name).reshape(entry["shape"]), None, None)]

    tensors = list(pool.map(work, shard.entries))
    write_pack(os.path.normpath(os.path.join(folder, "work", shard.path + ".pack")), shard.header.get("__metadata__", {}), tensors)
    return f"{shard.path}: {shard.count} whole pictures, without loss"


def size_of(folder):
    return sum(os.path.getsize(os.path.join(place, name)) + 1024 for place, _, names in os.walk(folder) for name in names)


def main():
    parser = argparse.ArgumentParser(prog="./run gpu-bundle", description="Pack recipes, data, trainer and plug-in source into one folder for a machine with PyTorch.")
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="recipes to train, with paths relative to the working directory in them")
    parser.add_argument("-o", "--output", default="gpu-bundle", help="folder to make; its .tar comes beside it (default gpu-bundle)")
    parser.add_argument("--budget", type=float, default=56, metavar="MB", help="size of the .tar at most, in millions of bytes (default 56)")
    parser.add_argument("--codec", choices=sorted(CODING), default="avif", help="how crops are coded: avif needs Pillow 11.3 or OpenCV there, webp any Pillow (default avif)")
    parser.add_argument("--quality", type=int, metavar="Q", help="code crops at this quality, 1 to 100, and leave behind what does not fit (default: the best of 95, 90, 85 and 80 at which all fit, else 80)")
    parser.add_argument("--continue", dest="resume", action="store_true", help="take along runs/NAME/checkpoint.safetensors of each recipe, to go on from there")
    parser.add_argument("--trainer", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    if arguments.quality is not None and not 1 <= arguments.quality <= 100:
        stop(f"--quality {arguments.quality}: 1 to 100")
    qualities = QUALITIES[arguments.codec] if arguments.quality is None else (arguments.quality,)
    out = os.path.abspath(arguments.output)
    if arguments.codec == "avif" and not features.check("avif"):
        stop("this Pillow cannot write AVIF: use --codec webp")
    if os.path.exists(out) and os.listdir(out) and not os.path.exists(os.path.join(out, "contents.json")):
        stop(f"{out}: is there already and is no bundle")

    stems, needed = {}, []
    for path in arguments.recipes:
        stem = os.path.splitext(os.path.basename(path))[0]
        if stem in stems:
            stop(f"{path}: another recipe has the same file name")
        try:
            with open(path) as file:
                stems[stem] = json.load(file)
        except (OSError, ValueError):
            stop(f"{path}: cannot be read as JSON")
        needed += files_of(stems[stem])
    made_there = {f"runs/{stem}/final.safetensors" for stem in stems}
    shards, copies = [], []
    for path in dict.fromkeys(needed):
        if os.path.isabs(path) or os.path.normpath(os.path.join("work", path)).startswith(".."):
            stop(f"{path}: recipes in a bundle name files below the working directory, or below the one that it lies in")
        if path in made_there and not os.path.exists(path):
            continue
        if not os.path.exists(path):
            stop(f"{path}: a recipe needs it, and it is not there")
        (shards if path.endswith(".safetensors") and is_shard(path) else copies).append(path)

    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(os.path.join(out, "recipes"))
    for path, stem in zip(arguments.recipes, stems):
        shutil.copy(path, os.path.join(out, "recipes", stem + ".json"))
    if arguments.resume:
        copies += [path for stem in stems if os.path.exists(path := f"runs/{stem}/checkpoint.safetensors")]
    # The trainer runs in `work`, so that ../shared/features names a file of the bundle too.
    os.makedirs(os.path.join(out, "work"))
    for path in copies + shards:
        os.makedirs(os.path.dirname(os.path.normpath(os.path.join(out, "work", path))), exist_ok=True)
    for path in copies:
        shutil.copy(path, os.path.normpath(os.path.join(out, "work", path)))
    for name in ("include", "plugin"):
        shutil.copytree(os.path.join(ROOT, "Sources/CTorch", name), os.path.join(out, "CTorch", name))
    for name in ("train.sh", "unpack.py"):
        shutil.copy(os.path.join(ROOT, "Bundle", name), os.path.join(out, name))
    with open(arguments.trainer, "rb") as file, open(os.path.join(out, "acuity-trainer.xz"), "wb") as packed:
        packed.write(lzma.compress(file.read(), preset=6))

    lines = [f"{path}: as it is" for path in copies]
    crops = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for shard in map(Shard, shards):
            if shard.is_crops:
                crops.append(shard)
            else:
                lines.append(pack_images(shard, out, pool))
        room = arguments.budget * 1e6 - size_of(out) - 65536
        if room <= 0:
            stop(f"the budget of {arguments.budget} MB leaves no room for crops")
        if crops:
            lines += pack_crops(crops, out, room, arguments.codec, qualities, pool, arguments.cache)
    with open(os.path.join(out, "contents.json"), "w") as file:
        json.dump({"recipes": list(stems), "contents": lines}, file, indent=2, ensure_ascii=False)
    with tarfile.open(out + ".tar", "w") as tar:
        tar.add(out, arcname=os.path.basename(out))
    for line in lines:
        note(line)
    size = os.path.getsize(out + ".tar")
    if size > arguments.budget * 1e6:
        stop(f"{out}.tar has {size / 1e6:.1f} MB, more than {arguments.budget} MB")
    print(f"{out}.tar: {size / 1e6:.1f} MB; there: tar xf {os.path.basename(out)}.tar && {os.path.basename(out)}/train.sh {' '.join(stems)} MINUTES")


if __name__ == "__main__":
    main()
