# colours.py: `./run check colours`: wide-gamut and CMYK pictures against the same picture in sRGB, enlarged by a network: how far
# the colours are apart. CMYK needs libvips' command, which converts independently of the product.
import os
import shutil
import struct
import subprocess
import sys
import zlib

import png
import profiles


def apart(a, b):
    """Mean ΔE2000 between two lists of colours in Lab."""
    return sum(map(profiles.delta_e, a, b)) / len(a)


def with_profile(path, source, space):
    """The PNG with its profile replaced by that of a space."""
    data, at, out = open(source, "rb").read(), 8, b"\x89PNG\r\n\x1a\n"
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
            out += data[at : at + 12 + length]
        if data[at + 4 : at + 8] == b"IHDR":
            body = b"iCCPown\0\0" + zlib.compress(space.profile())
            out += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    open(path, "wb").write(out)


def lab(path, space):
    """Every colour of a PNG whose numbers are meant in a space."""
    _, _, channels, data = png.read(path)
    linear, known = [space.linear(i / 255) for i in range(256)], {}

    def colour(sample):
        if sample not in known:
            known[sample] = profiles.lab(profiles.times(space.matrix, [linear[value] for value in sample]))
        return known[sample]

    return [colour(tuple(data[i : i + 3])) for i in range(0, len(data), channels)]


def check_colours(acuity, line, folder, root, factor=2):
    def place(name):
        return os.path.join(folder, name)

    def enlarge(source, out, *more):
        subprocess.run([acuity, "upscale", place(source), "-o", place(out), "-s", str(factor), *more], check=True, capture_output=True)

    # A picture of our own, small enough for Python, its colours moved to every space exactly.
    subprocess.run([acuity, "upscale", os.path.join(root, "Examples/harbour.png"), "-o", place("source.png"), "-n", "lanczos3", "--fit", "160x160"], check=True, capture_output=True)
    width, height, channels, data = png.read(place("source.png"))
    assert channels == 3
    for model in ("fast", "lanczos3"):
        for space in (profiles.SRGB, profiles.DISPLAY_P3, profiles.ADOBE_RGB):
            known, moved = {}, bytearray()
            for i in range(0, len(data), 3):
                sample = data[i : i + 3]
                if sample not in known:
                    xyz = profiles.times(profiles.SRGB.matrix, [profiles.SRGB.linear(value / 255) for value in sample])
                    known[sample] = bytes(round(255 * space.encoded(value)) for value in profiles.times(space.back, xyz))
                moved += known[sample]
            png.write(place("plain.png"), width, height, bytes(moved))
            with_profile(place("in.png"), place("plain.png"), space)
            enlarge("in.png", "out.png", "-n", model, "--overwrite")
            colours = lab(place("out.png"), space)
            if space is profiles.SRGB:
                reference = colours
            else:
                figure = apart(colours, reference)
                line(f"{space.name}, {model} ×{factor}, against sRGB", f"mean ΔE2000 {figure:.2f}", "≤ 0.5", figure <= 0.5)

    if not shutil.which("vips"):
        print("check colours: CMYK is left out: libvips' command is not installed", file=sys.stderr)
        return
    intent = ["--intent", "relative", "--black-point-compensation"]

    def vips(*arguments):
        subprocess.run(["vips", "icc_transform", *arguments, *intent], check=True, capture_output=True)

    vips(place("source.png"), place("cmyk.tif"), "cmyk", "--input-profile", "srgb")
    vips(place("cmyk.tif"), place("shown.png"), "srgb", "--embedded")
    # What the profile's own tables cost, with nothing between them.
    vips(place("cmyk.tif"), place("twice.tif"), "cmyk", "--embedded")
    vips(place("twice.tif"), place("twice.png"), "srgb", "--embedded")
    alone = apart(lab(place("twice.png"), profiles.SRGB), lab(place("shown.png"), profiles.SRGB))
    for model in ("fast", "lanczos3"):
        enlarge("shown.png", "reference.png", "-n", model, "--overwrite")
        enlarge("cmyk.tif", "out.png", "-n", model, "--overwrite")
        enlarge("cmyk.tif", "out.tif", "-n", model, "--overwrite")
        vips(place("out.tif"), place("back.png"), "srgb", "--embedded")
        reference = lab(place("reference.png"), profiles.SRGB)
        for name, what in (("out.png", "written as sRGB"), ("back.png", "written as CMYK")):
            figure = apart(lab(place(name), profiles.SRGB), reference)
            line(f"CMYK, {model} ×{factor}, {what}", f"mean ΔE2000 {figure:.2f}", "≤ 0.5", figure <= 0.5)
    print(f"check colours: from CMYK to Lab and back through the profile's tables, without the product: mean ΔE2000 {alone:.2f}", file=sys.stderr)
