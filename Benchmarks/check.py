# check.py: what a release must reach, measured by the product's own commands: figure against goal.
# Run it as `./run check`; it needs the evaluation sets under $ACUITY_DATA/eval (default ../shared/data beside the
# repository). Nothing but Python's standard library. Ends with 1 if anything falls short.
import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import batch
import colours
import fuzz
import png

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = os.environ.get("ACUITY_DATA", os.path.join(ROOT, "../shared/data"))

# PSNR-Y in dB of interpolation, computed with an independent implementation of the same protocol (docs/design.md).
INTERPOLATION = {
    ("bicubic", 2): (33.682, 30.236, 29.565), ("bicubic", 3): (30.405, 27.540, 27.211), ("bicubic", 4): (28.431, 25.997, 25.963),
    ("lanczos3", 2): (34.323, 30.697, 29.928), ("lanczos3", 3): (30.830, 27.831, 27.414), ("lanczos3", 4): (28.812, 26.230, 26.129),
}
SETS = ("Set5", "Set14", "BSD100")
# Set5, PSNR-Y in dB, at least.
MODELS = {"srcnn": {2: 36.3, 3: 32.4, 4: 30.2}, "fast": {2: 37.2, 3: 33.2, 4: 31.1}}

failures = 0


def line(name, figure, goal, good):
    global failures
    failures += not good
    print(f"| {name} | {figure} | {goal} | {'yes' if good else '**no**'} |", flush=True)


def call(*arguments, lines=None):
    result = subprocess.run([acuity, *map(str, arguments)], input=lines, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip().splitlines()[-1] if result.stderr.strip() else f"exit {result.returncode}")
    return result.stdout


def psnr(model, scale, name, *options):
    return json.loads(call("evaluate", "-n", model, "-s", scale, os.path.join(DATA, "eval", name), "--json", *options))["psnr_y"]


def interpolation():
    for (method, scale), expected in INTERPOLATION.items():
        figures = [psnr(method, scale, name) for name in SETS]
        goal = " / ".join(f"{value:.3f}" for value in expected)
        good = all(abs(a - b) <= 0.01 for a, b in zip(figures, expected))
        line(f"{method} ×{scale}, {' / '.join(SETS)}", " / ".join(f"{value:.3f}" for value in figures), f"{goal} ± 0.01 dB", good)


def models():
    for model, goals in MODELS.items():
        for scale, goal in goals.items():
            figure = psnr(model, scale, "Set5")
            line(f"{model} ×{scale}, Set5", f"{figure:.2f} dB", f"≥ {goal} dB", figure >= goal)


def tiles(folder):
    picture = os.path.join(ROOT, "Examples/lighthouse.png")

    def enlarged(tile):
        out = os.path.join(folder, f"tile{tile}.png")
        call("upscale", picture, "-o", out, "-n", "fast", "-s", 4, "-t", tile, "--overwrite")
        return png.read(out)[3]

    whole = enlarged(4096)
    for tile in (32, 48, 71, 100):
        worst = max(abs(a - b) for a, b in zip(enlarged(tile), whole))
        line(f"tile {tile} against untiled", f"{worst} levels", "≤ 1 level", worst <= 1)


def large(folder):
    """24 megapixels ×2: memory and time of the whole command."""
    step, source, out = (os.path.join(folder, name) for name in ("step.jpg", "large.jpg", "large@2x.jpg"))
    call("upscale", os.path.join(ROOT, "Examples/harbour.jpg"), "-o", step, "-n", "lanczos3", "-s", 4)
    call("upscale", step, "-o", source, "-n", "lanczos3", "--width", 5657)
    start = time.perf_counter()
    process = subprocess.Popen([acuity, "upscale", source, "-o", out, "-n", "fast", "-s", "2"])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise RuntimeError("the command failed")
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line("24 MP JPEG ×2, peak memory", f"{memory / 1e9:.2f} GB", "≤ 1.5 GB", memory <= 1.5e9)
    # What the network alone takes for these pixels, and what coding takes by itself.
    side, runs = 1024, 5
    turns = call("turns", "-n", "fast", "-s", 2, "--side", side, lines="\n" * runs).split()[1:]
    network = statistics.median(map(float, turns)) / 1000 * 5657 * 4243 / side**2
    start = time.perf_counter()
    call("upscale", out, "-o", os.path.join(folder, "again.jpg"), "-n", "nearest", "-s", 1)
    coding = time.perf_counter() - start
    goal = 1.3 * network + coding
    line("24 MP JPEG ×2, whole command", f"{seconds:.1f} s", f"≤ 1.3 × {network:.1f} s network + {coding:.1f} s coding = {goal:.1f} s", seconds <= goal)


def huge(folder):
    """An output of more than 2³¹ bytes, without compression, so that its places can be looked at."""
    width, height, factor = 1750, 1625, 16
    source, out = os.path.join(folder, "small.png"), os.path.join(folder, "huge.ppm")
    samples = bytes((x * 7 + y * 13 + c * 50) % 251 for y in range(height) for x in range(width) for c in range(3))
    png.write(source, width, height, samples)
    call("upscale", source, "-o", out, "-n", "nearest", "-s", factor)
    head = f"P6\n{width * factor} {height * factor}\n255\n".encode()
    size, expected = os.path.getsize(out), len(head) + len(samples) * factor**2
    wrong = 0
    with open(out, "rb") as file:
        start = size - len(samples) * factor**2
        for y in [0, 1, height * factor // 2, height * factor - 16, height * factor - 1] + [37 * i for i in range(500)]:
            file.seek(start + y * width * factor * 3)
            row = file.read(width * factor * 3)
            base = y // factor * width * 3
            wrong += any(row[c :: 3 * factor] != samples[base + c : base + width * 3 : 3] for c in range(3))
    # The header may hold a comment.
    good = size > 2**31 and 0 <= size - expected < 200 and wrong == 0
    line("×16 to 728 megapixels, bytes written", f"{size / 1e9:.2f} GB, {wrong} wrong rows of 505", "> 2³¹ bytes, none wrong", good)


def giant(folder):
    """One gigapixel of output, streamed: memory, and time per pixel against 4096²."""
    source, taken = os.path.join(folder, "source.png"), {}
    # Varied enough for the encoder, quick to make: our sample picture, at another place in every square.
    width, height, channels, sample = png.read(os.path.join(ROOT, "Examples/lighthouse.png"))
    rows = [b"".join(sample[(y * width + x) * channels : (y * width + x) * channels + 3] for x in range(width)) for y in range(height)]
    small = b"".join((rows[(y + y // 97) % height] * (1024 // width + 2))[: 1024 * 3] for y in range(1024))
    for side in (1024, 8192):
        out = os.path.join(folder, "out.png")
        times = side // 1024
        png.write(source, side, side, b"".join(small[y * 3072 : y * 3072 + 3072] * times for y in range(1024)) * times)
        command = [acuity, "upscale", source, "-o", out, "-n", "fast", "-s", "4", "--json", "--overwrite"]
        # The small one is over soon: the best of three.
        for _ in range(3 if side == 1024 else 1):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            record = json.loads(process.stdout.readline() or "{}")
            _, status, usage = os.wait4(process.pid, 0)
            if status != 0 or (record["width"], record["height"]) != (4 * side, 4 * side):
                raise RuntimeError(f"the command failed at {side}²")
            taken[side] = min(record["seconds"], taken.get(side, 1e9))
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        os.remove(out)
    line("32 768² output, peak memory", f"{memory / 1e9:.2f} GB", "≤ 1 GB", memory <= 1e9)
    ratio = taken[8192] / taken[1024] / 64
    line("32 768² output, time", f"{taken[8192]:.0f} s, per pixel {ratio:.2f} times that of 4096² ({taken[1024]:.2f} s)", "within 10 %", abs(ratio - 1) <= 0.1)


def text(folder):
    """The model for letters, logos and drawings against every other that is installed, at both scales."""
    del folder
    for scale in (4, 2):
        table = {row["method"]: row for row in json.loads(call("evaluate-text", "-s", scale, "--json"))["rows"]}
        truth, own = table.pop("ground truth"), table.pop("text")
        share = lambda row: f"{100 * row['error_rate']:.1f} %"
        others = ", ".join(f"{name} {share(row)}" for name, row in table.items())
        plain = table["lanczos3"]
        best = min(row["error_rate"] for name, row in table.items() if name != "lanczos3")
        line(f"×{scale}: letters read wrong", f"{share(own)} (ground truth {share(truth)}; {others})", "≤ half of lanczos3's, below all others",
             own["error_rate"] <= plain["error_rate"] / 2 and own["error_rate"] < best)
        sure = ", ".join(f"{name} {row['sure_errors']}" for name, row in table.items())
        line(f"×{scale}: letters wrong that the reader is sure of", f"{own['sure_errors']} ({sure})", "fewer than every other",
             own["sure_errors"] < min(row["sure_errors"] for row in table.values()))
        if "words_right" in own:
            words = ", ".join(f"{name} {row['words_right']}" for name, row in table.items())
            line(f"×{scale}: words of Text_words10 read right", f"{own['words_right']} of {own['words']} ({words})", "no fewer than any other",
                 own["words_right"] >= max(row["words_right"] for row in table.values()))
        gain = own["drawings_psnr"] - plain["drawings_psnr"]
        line(f"×{scale}: logos, charts, line art, PSNR-Y over lanczos3", f"{gain:+.2f} dB", "≥ +3 dB", gain >= 3)
        line(f"×{scale}: flat areas exactly flat", f"{100 * own['flat']:.2f} %, off by {own['flat_deviation']:.0f} at most", "100 %", own["flat"] == 1)
        line(f"×{scale}: width of a hard step", f"{own['step_width']:.2f} pixels", "≤ 1", own["step_width"] <= 1)
        if "set14" in own:
            loss = table["fast"]["set14"] - own["set14"]
            line(f"×{scale}: Set14, PSNR-Y below fast", f"{loss:.2f} dB", "≤ 0.5 dB", loss <= 0.5)


def spoiled(source, target, change):
    """A copy of half-precision weights whose last bias, in 255ths, is changed by `change(channel, place)`."""
    data = open(source, "rb").read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    scale = int(header["__metadata__"]["scale"])
    # The last layer's: hidden layers of 48 features have biases of the same shape.
    key = max((k for k in header if k.endswith(".bias")), key=lambda k: int(k.split(".")[-2]))
    first, last = header[key]["data_offsets"]
    count = (last - first) // 2
    values = struct.unpack(f"<{count}e", data[8 + size + first : 8 + size + last])
    values = [value + change(index // (scale * scale), index % (scale * scale)) / 255 for index, value in enumerate(values)]
    body = data[8 + size :]
    body = body[:first] + struct.pack(f"<{count}e", *values) + body[last:]
    header["__metadata__"] |= {"steps": "1", "minutes": "1", "acuity.sources": "0123456789abcdef"}
    text = json.dumps(header).encode()
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def refusals(folder):
    """The release gate, fed with four models that must not pass: each is refused, and the reason is among what it says."""
    own, models = os.path.join(ROOT, "Examples"), os.path.join(folder, "models")
    shutil.copytree(os.path.join(ROOT, "Models"), models)
    validation, recipe = os.path.join(folder, "validation.safetensors"), os.path.join(ROOT, "Recipes/fast-x4.json")
    call("dataset", own, "-o", validation, "--whole")

    def trained(name, pictures, minutes, *options):
        shard = os.path.join(folder, name + ".safetensors")
        call("dataset", pictures, "-o", shard, "--crop", 128, "--no-filter", *options)
        fields = json.load(open(recipe)) | {"name": name, "minutes": minutes, "patch": 24, "data": [shard], "validation": validation, "validate_every": 600}
        del fields["warm_start"]
        path = os.path.join(folder, name + ".json")
        with open(path, "w") as file:
            json.dump(fields, file)
        call("train", path, "-o", os.path.join(folder, name))
        return os.path.join(folder, name, "final.safetensors"), path

    shipped = os.path.join(models, "fast-x4.safetensors")
    cast, board = os.path.join(folder, "cast.safetensors"), os.path.join(folder, "board.safetensors")
    spoiled(shipped, cast, lambda channel, place: 4 if channel == 0 else 0)
    spoiled(shipped, board, lambda channel, place: 3 if (place // 4 + place) % 2 == 0 else -3)
    for what, (weights, made_by), reasons in (
        ("trained for one minute", trained("minute", own, 1), ("is worse than the shipped fast ×4's",)),
        ("with a colour cast", (cast, recipe), ("flat colours: largest deviation 4", "mean colour drifts")),
        ("with a checkerboard", (board, recipe), ("gradient: pixel-shuffle pattern 3", "a checkerboard")),
        ("trained on Set5", trained("set5", os.path.join(DATA, "eval/Set5"), 0.2, "--exclude", own), ("trained on evaluation pictures", "Set5/butterfly.png")),
    ):
        result = subprocess.run(
            [acuity, "release", weights, "--name", "fast", "--recipe", made_by, "--models", models, "--data", DATA, "--json"],
            capture_output=True, text=True)
        verdict = json.loads(result.stdout) if result.stdout else {"released": None, "shortcomings": [result.stderr]}
        named = [reason for reason in reasons if any(reason in shortcoming for shortcoming in verdict["shortcomings"])]
        good = result.returncode == 1 and verdict["released"] is False and len(named) == len(reasons)
        line(f"a model {what}", f"{len(verdict['shortcomings'])} shortcomings, among them: {'; '.join(named) or verdict['shortcomings'][:1]}", "refused", good)


def restore(folder):
    """The faithful end of `restore` on pictures that were compressed or are noisy, and that it does no harm to clean ones."""
    cards = {(card["name"], card["scale"]): card for card in json.loads(call("models", "--json"))}
    strength = ("--strength", 0) if cards["restore", 4].get("faithful") else ()
    damages = [("--jpeg", quality) for quality in (10, 30, 50, 75)] + [("--noise", sigma) for sigma in (10, 25, 50)]
    for name, scales in (("Set14", (4, 2, 1)), ("BSD100", (4,))):
        for scale in scales:
            for damage in damages:
                plain = psnr("lanczos3", scale, name, *damage)
                gain = psnr("restore", scale, name, *damage, *strength) - plain
                line(f"restore ×{scale}, {name}, {damage[0][2:]} {damage[1]}", f"{gain:+.2f} dB on Lanczos' {plain:.2f} dB", "≥ +0.4 dB", gain >= 0.4)
    clean = psnr("photo" if ("photo", 4) in cards else "fast", 4, "Set14")
    loss = clean - psnr("restore", 4, "Set14", *strength)
    line("restore ×4, Set14, clean", f"{-loss:+.2f} dB against a faithful model's {clean:.2f} dB", "≥ -0.5 dB", loss <= 0.5)


def main():
    global acuity
    parser = argparse.ArgumentParser(prog="./run check", description="What a release must reach: figure against goal.")
    parser.add_argument("--acuity", default=os.path.join(ROOT, ".build/release/acuity"), help="the command to measure")
    checks = {"interpolation": interpolation, "models": models, "tiles": tiles, "large": large, "refusals": refusals, "huge": huge, "giant": giant, "text": text, "restore": restore,
              "batch": lambda folder: batch.check_batch(acuity, line, folder),
              "throughput": lambda folder: batch.check_throughput(acuity, line, folder, ROOT),
              "colours": lambda folder: colours.check_colours(acuity, line, folder, ROOT),
              "fuzz": lambda folder: fuzz.check_fuzz(acuity, line, folder, ROOT, arguments.minutes, arguments.seed, arguments.sanitized)}
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"{', '.join(checks)}; all of them but text and restore if none is named")
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("ACUITY_FUZZ_MINUTES", 2)), help="fuzz: for how long; 2, or ACUITY_FUZZ_MINUTES; a release wants 30")
    parser.add_argument("--seed", type=int, default=1, help="fuzz: of the damage done; the same seed does the same")
    parser.add_argument("--sanitized", action="store_true", help="fuzz: the command was built with the address sanitizer")
    arguments = parser.parse_args()
    acuity = arguments.acuity
    unknown = [name for name in arguments.checks if name not in checks]
    if unknown:
        parser.error(f"no check '{unknown[0]}'")
    needs_sets = not arguments.checks or set(arguments.checks) - {"batch", "throughput", "huge", "giant", "colours", "fuzz"}
    if needs_sets and not os.path.isdir(os.path.join(DATA, "eval")):
        sys.exit(f"check: no evaluation sets under {DATA}/eval; set ACUITY_DATA")

    print("| check | figure | goal | reached |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.checks or [name for name in checks if name not in ("text", "restore")]:
            try:
                checks[name]() if name in ("interpolation", "models") else checks[name](tempfile.mkdtemp(dir=folder))
            except (RuntimeError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
                line(name, f"stopped: {error}", "", False)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
