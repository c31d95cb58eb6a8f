# colours.py: `./run check colours`: wide-gamut and CMYK pictures against the same pictures in sRGB, enlarged by a network: how far
# the colours are apart. CMYK needs libvips' command, which converts independently of the product.
import os
import shutil
import subprocess
import sys
import zlib

import png
import profiles

PICTURES = ("harbour", "lighthouse", "mug")


def apart(a, b):
    """Mean ΔE2000 between two lists of colours in Lab."""
    return sum(map(profiles.delta_e, a, b)) / len(a)


def cached(function):
    known = {}

    def call(sample):
        if sample not in known:
            known[sample] = function(sample)
        return known[sample]

    return call


def samples(data, size):
    return [tuple(int.from_bytes(data[i + c * size : i + c * size + size], "big") for c in range(3)) for i in range(0, len(data), 3 * size)]


def lab(path, space, bits=8):
    """Every colour of an RGB PNG whose numbers are meant in a space."""
    _, _, channels, data = png.read(path)
    assert channels == 3
    colour = cached(lambda sample: profiles.lab(profiles.times(space.matrix, [space.linear(value / (2**bits - 1)) for value in sample])))
    return [colour(sample) for sample in samples(data, bits // 8)]


def write(path, width, height, colours, space, bits):
    """A PNG of colours in XYZ, with the space's profile."""
    white, size = 2**bits - 1, bits // 8
    encode = cached(lambda xyz: b"".join(round(white * space.encoded(value)).to_bytes(size, "big") for value in profiles.times(space.back, xyz)))
    png.write(path, width, height, b"".join(map(encode, colours)), bits, [(b"iCCP", b"own\0\0" + zlib.compress(space.profile()))])


def check_colours(acuity, line, folder, root, factor=2):
    def place(name):
        return os.path.join(folder, name)

    def enlarge(source, out, *options):
        subprocess.run([acuity, "upscale", place(source), "-o", place(out), *options, "--overwrite"], check=True, capture_output=True)

    # Pictures of our own, small enough for Python, their colours moved to every space exactly.
    pictures = {}
    for name in PICTURES:
        subprocess.run([acuity, "upscale", os.path.join(root, f"Examples/{name}.png"), "-o", place(name + ".png"), "-n", "lanczos3", "--fit", "128x128"], check=True, capture_output=True)
        width, height, channels, data = png.read(place(name + ".png"))
        assert channels == 3
        xyz = cached(lambda sample: tuple(profiles.times(profiles.SRGB.matrix, [profiles.SRGB.linear(value / 255) for value in sample])))
        pictures[name] = width, height, [xyz(sample) for sample in samples(data, 1)]

    def report(what, figures):
        mean = sum(figures) / len(figures)
        line(f"{what}, mean of {len(figures)} pictures", f"ΔE2000 {mean:.2f} ({', '.join(f'{figure:.2f}' for figure in figures)})", "≤ 0.5", mean <= 0.5)

    # At 8 bits most of the difference is the rounding of the two sources; at 16 it is all the product's.
    for bits, model in ((8, "fast"), (8, "lanczos3"), (16, "fast")):
        figures = {profiles.DISPLAY_P3: [], profiles.ADOBE_RGB: []}
        for name, (width, height, colours) in pictures.items():
            found = {}
            for space in (profiles.SRGB, *figures):
                write(place("in.png"), width, height, colours, space, bits)
                enlarge("in.png", "out.png", "-n", model, "-s", str(factor))
                found[space] = lab(place("out.png"), space, bits)
            for space in figures:
                figures[space].append(apart(found[space], found[profiles.SRGB]))
        for space, values in figures.items():
            report(f"{space.name}, {bits} bits, {model} ×{factor}", values)

    if not shutil.which("vips"):
        print("check colours: CMYK is left out: libvips' command is not installed", file=sys.stderr)
        return

    def transform(source, out, *arguments):
        subprocess.run(["vips", "icc_transform", place(source), place(out), *arguments, "--intent", "relative", "--black-point-compensation"], check=True, capture_output=True)

    for model in ("fast", "lanczos3"):
        figures = {"out.png": [], "back.png": []}
        alone = []
        for name in PICTURES:
            transform(name + ".png", "cmyk.tif", "cmyk", "--input-profile", "srgb")
            transform("cmyk.tif", "shown.png", "srgb", "--embedded")
            # What the profile's own tables cost, with nothing between them.
            transform("cmyk.tif", "twice.tif", "cmyk", "--embedded")
            transform("twice.tif", "twice.png", "srgb", "--embedded")
            alone.append(apart(lab(place("twice.png"), profiles.SRGB), lab(place("shown.png"), profiles.SRGB)))
            for source, out in (("shown.png", "reference.png"), ("cmyk.tif", "out.png"), ("cmyk.tif", "out.tif")):
                enlarge(source, out, "-n", model, "-s", str(factor))
            transform("out.tif", "back.png", "srgb", "--embedded")
            reference = lab(place("reference.png"), profiles.SRGB)
            for result, values in figures.items():
                values.append(apart(lab(place(result), profiles.SRGB), reference))
        report(f"CMYK, {model} ×{factor}, written as sRGB", figures["out.png"])
        report(f"CMYK, {model} ×{factor}, written as CMYK", figures["back.png"])
    print(f"check colours: from CMYK to Lab and back through the profile's tables, without the product: mean ΔE2000 {sum(alone) / len(alone):.2f}", file=sys.stderr)
