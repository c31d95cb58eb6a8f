# batch.py: what a batch must stand: a thousand small files with twenty broken in twenty ways, an end at a random moment,
# and the engine kept busy. Part of `./run check` (checks `batch` and `throughput`); nothing but the standard library.
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time
import zlib

import png


def picture(path, width, height, seed):
    noise = random.Random(seed)
    tint = [noise.randrange(256) for _ in range(3)]
    png.write(path, width, height, bytes((tint[c] + 7 * x + 5 * y + noise.randrange(9)) % 256 for y in range(height) for x in range(width) for c in range(3)))


def chunk(kind, data, crc=None):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def portable(width, height, depth=8, colour=2, rows=None, crc=None, spoil=lambda data: data):
    """A PNG with whatever is wrong that was asked for."""
    rows = b"".join(b"\0" + bytes((3 * x + y) % 256 for x in range(3 * 24)) for y in range(16)) if rows is None else rows
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0), crc)
            + chunk(b"IDAT", spoil(zlib.compress(rows))) + chunk(b"IEND", b""))


def broken(acuity, folder):
    """Twenty files, each broken in its own way, by name."""
    whole = os.path.join(folder, "whole.png")
    picture(whole, 160, 120, 1)
    coded = {}
    for kind in ("jpg", "webp", "tif"):
        path = os.path.join(folder, "whole." + kind)
        subprocess.run([acuity, "upscale", whole, "-o", path, "-n", "nearest", "-s", "1", "--overwrite"], check=True)
        coded[kind] = open(path, "rb").read()
    whole = open(whole, "rb").read()
    return {
        "empty.png": b"",
        "text.png": b"this is not a picture\n",
        "page.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "signature.png": whole[:8],
        "header.png": whole[:33],
        "half.png": whole[: len(whole) // 2],
        "crc.png": portable(24, 16, crc=0),
        "deflate.png": portable(24, 16, spoil=lambda data: data[:2] + b"\xff" * 40 + data[42:]),
        "short.png": portable(24, 16, rows=b"\0" * 200),
        "huge.png": portable(100_000, 100_000),
        "flat.png": portable(0, 16),
        "depth.png": portable(24, 16, depth=5),
        "cut.jpg": coded["jpg"][: len(coded["jpg"]) // 2],
        "tables.jpg": coded["jpg"][:200],
        "junk.jpg": b"\xff\xd8\xff" + random.Random(2).randbytes(4000),
        "clipped.webp": coded["webp"][: len(coded["webp"]) // 2],
        "noise.webp": b"RIFF\x00\x10\x00\x00WEBP" + random.Random(3).randbytes(4000),
        "torn.tif": coded["tif"][: len(coded["tif"]) // 2],
        "offset.tif": b"II*\x00\xff\xff\xff\x7f",
        "stub.gif": b"GIF89a\x18\x00\x10\x00",
    }


def state(folder):
    """Hash, inode and time of every file below, by name; the manifest apart."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if name != "acuity-manifest.jsonl":
                status = os.stat(path)
                found[os.path.relpath(path, folder)] = (hashlib.sha256(open(path, "rb").read()).hexdigest(), status.st_ino, status.st_mtime_ns)
    return found


def records(folder):
    lines = [json.loads(line) for line in open(os.path.join(folder, "acuity-manifest.jsonl"), "rb") if line.endswith(b"\n")]
    return [record for record in lines if "verdict" in record]


def check_batch(acuity, line, folder, count=1000, kills=5):
    source = os.path.join(folder, "in")
    for index in range(count - 20):
        place = os.path.join(source, f"{index % 7}", "è ñ # % 日本" if index % 5 == 0 else "plain")
        os.makedirs(place, exist_ok=True)
        picture(os.path.join(place, f"{index}.png"), 16 + index % 30, 16 + index % 23, index)
    scratch = os.path.join(folder, "scratch")
    os.makedirs(scratch)
    bad = broken(acuity, scratch)
    for index, (name, data) in enumerate(bad.items()):
        with open(os.path.join(source, f"{index % 7}", name), "wb") as file:
            file.write(data)
    for name in (".DS_Store", "Thumbs.db", "notes.txt"):
        open(os.path.join(source, name), "wb").write(b"x")

    def command(out, *more):
        return [acuity, "upscale", source, "-r", "-o", out, "-s", "2", *more]

    whole = os.path.join(folder, "out")
    result = subprocess.run(command(whole), capture_output=True, text=True)
    expected = state(whole)
    named = [name for name in bad if any(l.startswith("acuity: ") and os.sep + name + ":" in l for l in result.stderr.splitlines())]
    good = len(expected) == count - 20 and len(named) == 20 and result.returncode == 1
    line(f"{count} files, 20 broken", f"{len(expected)} right, {len(named)} named, exit {result.returncode}", f"{count - 20} right, 20 named, exit 1", good)
    if len(named) != 20:
        print("not named:", sorted(set(bad) - set(named)), file=sys.stderr)

    start = time.perf_counter()
    again = subprocess.run(command(whole, "--resume"), capture_output=True, text=True)
    line("the same again with --resume", f"exit {again.returncode}, {time.perf_counter() - start:.1f} s", "nothing done twice, exit 1", again.returncode == 1 and state(whole) == expected)

    differing, twice, partial, lost, at = 0, 0, 0, 0, []
    for attempt in range(kills):
        out = os.path.join(folder, f"killed{attempt}")
        process = subprocess.Popen(command(out), stderr=subprocess.DEVNULL)
        reference = random.Random(time.time_ns())
        deadline, goal = time.monotonic() + 60, reference.uniform(0.02, 0.95) * (count - 20)
        # A random moment, told by the number of outputs, and a random part of a millisecond on top.
        while process.poll() is None and time.monotonic() < deadline and (not os.path.isdir(out) or sum(len(f) for _, _, f in os.walk(out)) < goal):
            time.sleep(0.002)
        time.sleep(reference.random() / 500)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = {name: value for name, value in state(out).items() if not name.endswith(".part")}
        at.append(len(before))
        resumed = subprocess.run(command(out, "--resume"), capture_output=True, text=True)
        after = state(out)
        partial += sum(name.endswith(".part") for name in after)
        differing += {name: value[0] for name, value in after.items()} != {name: value[0] for name, value in expected.items()} or resumed.returncode != 1
        lost += sum(after.get(name) != value for name, value in before.items())
        done = [record["input"] for record in records(out) if record["verdict"] == "done"]
        twice += len(done) - len(set(done))
    line(f"kill -9 after {', '.join(map(str, at))} outputs, then --resume", f"{differing} final states differ, {lost + twice} done twice, {partial} partial files", "0, 0, 0", not (differing or lost or twice or partial))


def check_throughput(acuity, line, folder, root, count=200, memory="2GB"):
    """A batch of one-megapixel JPEGs ×2, against the engine alone on the same tiles; both take turns, for machines change their speed."""
    source, out = os.path.join(folder, "in"), os.path.join(folder, "out")
    os.makedirs(source)
    original = os.path.join(folder, "original.jpg")
    subprocess.run([acuity, "upscale", os.path.join(root, "Examples/harbour.jpg"), "-o", original, "-n", "lanczos3", "--width", "1154", "--quality", "85"], check=True)
    header = subprocess.run([acuity, "inspect", original, "--json"], capture_output=True, text=True)
    size = json.loads(header.stdout)
    width, height = size["width"], size["height"]
    for index in range(count):
        shutil.copy(original, os.path.join(source, f"{index:04}.jpg"))

    # What the network is given: the picture in a mirrored frame of eight pixels.
    size = ["--side", str(width + 16), "--height", str(height + 16)]
    engine = subprocess.Popen([acuity, "turns", "-n", "fast", "-s", "2", *size], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    engine.stdout.readline()

    def turn():
        engine.stdin.write("\n")
        engine.stdin.flush()
        return float(engine.stdout.readline()) / 1000

    turns, seconds, status = [], 0.0, None
    process = subprocess.Popen([acuity, "upscale", source, "-o", out, "-s", "2", "-n", "fast", "-f", "jpg", "--memory", memory])
    while status is None:
        start = time.perf_counter()
        while status is None and time.perf_counter() - start < 3:
            done, code, usage = os.wait4(process.pid, os.WNOHANG)
            status = code if done else None
            time.sleep(0.002)
        seconds += time.perf_counter() - start
        if status is None:
            process.send_signal(signal.SIGSTOP)
            turn()  # the caches are the batch's
            turns += [turn() for _ in range(5)]
            process.send_signal(signal.SIGCONT)
    engine.stdin.close()
    engine.wait()
    alone = count * statistics.mean(turns)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if status != 0:
        raise RuntimeError("the batch failed")
    line(f"{count} JPEGs of {width * height / 1e6:.2f} MP ×2 fast", f"{seconds:.1f} s, {alone / seconds:.0%} of the engine's own {alone:.1f} s", "≥ 90 %", alone / seconds >= 0.9)
    line(f"the same, peak memory (--memory {memory})", f"{peak / 1e9:.2f} GB", f"≤ {memory}", peak <= float(memory[:-2]) * 1e9)
