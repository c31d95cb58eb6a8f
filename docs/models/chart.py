#!/usr/bin/env python3
"""chart.py: PSNR against time of ×4 networks, drawn as docs/models/chart.svg and printed as a table.

    chart.py ACUITY [--data EVAL] [--rounds N] [NAME=WEIGHTS ...]

Ours and the classical methods are measured, quality and time. Of published networks whose weights are not at hand the time is
measured with random weights on the same engine, and the quality is that of the papers. Nothing but the standard library.
"""
import argparse
import json
import math
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE = 256
SETS = ["Set5", "Set14", "BSD100"]
INSTALLED = ["srcnn", "fast", "photo"]  # those that are there
CLASSICAL = ["nearest", "bilinear", "bicubic", "lanczos3"]
# PSNR-Y on Set5, Set14, BSD100 as published, as far as known.
PUBLISHED = [
    ("EDSR-baseline", {"name": "EDSR"}, [32.09, 28.58, 27.57]),
    ("SRResNet", {"name": "SRResNet"}, [32.05, 28.49, 27.58]),
    ("SPAN", {"name": "SPAN", "features": 48, "norm": "no"}, [32.20, 28.66, None]),
    ("RRDB (ESRGAN's)", {"name": "RRDBNet"}, [32.73, 28.99, 27.85]),
]


def output(*arguments):
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout


class Turns:
    """One network kept ready."""

    def __init__(self, acuity, model):
        self.process = subprocess.Popen(
            [acuity, "turns", "-n", model, "-s", "4", "--side", str(SIDE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.milliseconds = []

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.milliseconds.append(float(self.process.stdout.readline()))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def quality(acuity, model, data):
    return [json.loads(output(acuity, "evaluate", "-n", model, "-s", "4", "--json", os.path.join(data, name)))["psnr_y"] for name in SETS]


def measured(acuity, models, data, rounds):
    """(name, kind, milliseconds or None, PSNR of each set) of networks that take turns."""
    turns = {name: Turns(acuity, path) for name, path in models}
    for _ in range(rounds):
        for one in turns.values():
            one.turn()
    for one in turns.values():
        one.close()
    return [(name, "ours" if path == name else "weights", min(turns[name].milliseconds), quality(acuity, path, data)) for name, path in models]


def published(acuity):
    rows = []
    for name, description, psnr in PUBLISHED:
        report = json.loads(output(acuity, "bench", "--json", "--scale", "4", "--network", json.dumps(description)))
        rows.append((name, "published", min(case["milliseconds"] for case in report["cases"]), psnr))
    return rows


def svg(rows, floor):
    """Milliseconds a megapixel of the result (logarithmic) against PSNR-Y on Set14."""
    width, height, left, right, top, bottom = 760, 440, 64, 24, 28, 52
    times = [row[2] for row in rows]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    least = math.floor(min([floor] + [row[3][1] for row in rows]) * 2) / 2
    most = math.ceil(max(row[3][1] for row in rows) * 2 + 0.2) / 2

    def x(value):
        return left + (math.log10(value) - low) / (high - low) * (width - left - right)

    def y(value):
        return height - bottom - (value - least) / (most - least) * (height - top - bottom)

    colours = {"ours": "#0a6", "weights": "#c60", "published": "#666"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        parts.append(f'<path d="M{x(10 ** power):.1f} {top}V{height - bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(10 ** power):.1f}" y="{height - bottom + 18}" text-anchor="middle">{10 ** power:g}</text>')
    for step in range(int((most - least) * 2) + 1):
        value = least + step / 2
        parts.append(f'<path d="M{left} {y(value):.1f}H{width - right}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    parts.append(f'<path d="M{left} {y(floor):.1f}H{width - right}" stroke="#888" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="{width - right - 4}" y="{y(floor) - 5:.1f}" text-anchor="end" fill="#666">Lanczos-3</text>')
    for name, kind, milliseconds, psnr in rows:
        cx, cy = x(milliseconds), y(psnr[1])
        hollow = ' fill="#fff" stroke-width="2"' if kind == "published" else f' fill="{colours[kind]}"'
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" stroke="{colours[kind]}"{hollow}/>')
        anchor, dx, dy = ("middle", 0, -11) if kind == "published" else ("end", -9, 4) if cx > width * 0.8 else ("start", 9, 4)
        parts.append(f'<text x="{cx + dx:.1f}" y="{cy + dy:.1f}" text-anchor="{anchor}" fill="{colours[kind]}">{name}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 12}" text-anchor="middle">milliseconds a megapixel of the result</text>')
    parts.append(f'<text x="16" y="{height / 2}" text-anchor="middle" transform="rotate(-90 16 {height / 2})">PSNR-Y on Set14, dB</text>')
    return "\n".join(parts + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser(prog="docs/models/chart.py", description="PSNR against time of ×4 networks.")
    parser.add_argument("acuity")
    parser.add_argument("weights", nargs="*", metavar="NAME=WEIGHTS", help="further networks")
    parser.add_argument("--data", default=os.path.join(os.environ.get("ACUITY_DATA", "../shared/data"), "eval"))
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    names = {card["name"] for card in json.loads(output(arguments.acuity, "models", "--json")) if card["scale"] == 4}
    models = [(name, name) for name in INSTALLED if name in names] + [tuple(text.split("=", 1)) for text in arguments.weights]
    rows = measured(arguments.acuity, models, arguments.data, arguments.rounds) + published(arguments.acuity)
    per_megapixel = 1e6 / (SIDE * 4) ** 2
    rows = [(name, kind, milliseconds * per_megapixel, psnr) for name, kind, milliseconds, psnr in rows]
    classical = [(name, quality(arguments.acuity, name, arguments.data)) for name in CLASSICAL]
    with open(os.path.join(HERE, "chart.svg"), "w") as file:
        file.write(svg(rows, classical[-1][1][1]))
    print("| | ms a megapixel | Set5 | Set14 | BSD100 | |\n|---|---|---|---|---|---|")
    for name, psnr in classical:
        print(f"| {name} | | " + " | ".join(f"{value:.2f}" for value in psnr) + " | measured |")
    for name, kind, milliseconds, psnr in rows:
        figures = " | ".join("–" if value is None else f"{value:.2f}" for value in psnr)
        print(f"| {name} | {milliseconds:.0f} | {figures} | {'quality as published' if kind == 'published' else 'measured'} |")


if __name__ == "__main__":
    sys.exit(main())
