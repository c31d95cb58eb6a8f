# render.py: paints the twenty pictures of docs/adversarial: things with fine texture, so that every pixel of them is ours.
# Needs Python 3 with numpy and Pillow, and the fonts Liberation (else Pillow's own); `python3 render.py FOLDER` writes FOLDER/01-hair.png … FOLDER/20-sand.png, the same in each run.
# Everything is painted four times as large in linear light and reduced by area, as a lens and a sensor would.
import os
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE, S = 256, 4
N = SIDE * S
Y, X = (np.mgrid[0:N, 0:N].astype(np.float32) + 0.5) / S  # Lengths are in pixels of the finished picture.
FONTS = ("/usr/share/fonts/truetype/liberation2", "/usr/share/fonts/truetype/liberation", "/Library/Fonts", "C:/Windows/Fonts")


# --- tools ---------------------------------------------------------------------------------------------------------


def to_linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(x):
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def rgb(text):
    """Linear light of a colour such as "c8a078"."""
    return to_linear(np.float32([int(text[i : i + 2], 16) for i in (0, 2, 4)]) / 255)


def drawn(image):
    """A drawing as linear light."""
    return to_linear(np.arange(256) / 255)[np.asarray(image)]


def ink(colour):
    """Linear light as a colour to draw with."""
    return tuple(int(255 * v + 0.5) for v in to_srgb(np.asarray(colour)))


def inks(colours):
    return [tuple(c) for c in (255 * to_srgb(colours) + 0.5).astype(int).tolist()]


def develop(picture):
    """Reduces to the finished size; bright light is bent softly towards white."""
    picture = np.clip(picture, 0, 1.5)
    picture = np.where(picture < 0.7, picture, 0.7 + 0.3 * np.tanh((picture - 0.7) / 0.3))
    small = picture.reshape(SIDE, S, SIDE, S, 3).mean((1, 3))
    return Image.fromarray((to_srgb(small) * 255 + 0.5).astype(np.uint8))


def smooth(edge0, edge1, x):
    t = np.clip((x - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    t = np.asarray(t, np.float32)
    if t.ndim:
        t = t[..., None]
    return a + (np.asarray(b, np.float32) - a) * t


def cloud(rng, wide, tall=None, octaves=5, gain=0.5):
    """Fractal noise of mean 0 and deviation 1; the blobs of the first octave are wide × tall."""
    tall, total, amplitude = tall or wide, np.zeros((N, N), np.float32), 1.0
    for _ in range(octaves):
        rows, columns = min(N, int(SIDE / tall) + 3), min(N, int(SIDE / wide) + 3)
        grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
        total += amplitude * np.asarray(grid.resize((N, N), Image.BICUBIC))
        amplitude, wide, tall = amplitude * gain, wide / 2, tall / 2
        if max(wide, tall) < 1 / S:
            break
    return (total - total.mean()) / total.std()


def cells(rng, x, y):
    """Distances to the nearest and the next of scattered points, one a unit square, and a random number of the nearest."""
    points, names = rng.random((64, 64, 2), dtype=np.float32), rng.random((64, 64), dtype=np.float32)
    near, far, name = np.full(x.shape, 9, np.float32), np.full(x.shape, 9, np.float32), np.zeros(x.shape, np.float32)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            at = (row + i) % 64, (column + j) % 64
            p = points[at]
            distance = np.hypot(column + j + p[..., 0] - x, row + i + p[..., 1] - y)
            name = np.where(distance < near, names[at], name)
            far = np.minimum(far, np.maximum(near, distance))
            near = np.minimum(near, distance)
    return near, far, name


def slopes(height):
    return np.gradient(height, axis=1) * S, np.gradient(height, axis=0) * S


def relief(height, light=(-0.5, -0.6, 0.65)):
    """Light on a height field; 1 on the flat."""
    gx, gy = slopes(height)
    shade = (light[2] - gx * light[0] - gy * light[1]) / np.sqrt(1 + gx * gx + gy * gy)
    return np.clip(shade / light[2], 0, None)


def blur(a, radius):
    small = max(2, int(N / (radius * S)))
    return np.asarray(Image.fromarray(a.astype(np.float32)).resize((small, small), Image.BOX).resize((N, N), Image.BICUBIC))


def canvas(colour):
    image = Image.new("RGB", (N, N), ink(colour))
    return image, ImageDraw.Draw(image)


def stroke(draw, x, y, colours, widths):
    """A line through points, each piece in its own colour and width."""
    x, y = (np.asarray(x) * S).tolist(), (np.asarray(y) * S).tolist()
    for i, (colour, width) in enumerate(zip(colours, widths)):
        draw.line((x[i], y[i], x[i + 1], y[i + 1]), fill=colour, width=width)


def shifted(a, right, down):
    """Moved by whole pixels; nothing comes in from outside."""
    moved = np.zeros_like(a)
    moved[down * S :, right * S :] = a[: N - down * S, : N - right * S]
    return moved


def window(x, y, radius):
    """The part of the picture about a place, and its coordinates from there; None outside."""
    left, right = int(max(0, (x - radius) * S)), int(min(N, (x + radius) * S))
    top, bottom = int(max(0, (y - radius) * S)), int(min(N, (y + radius) * S))
    if right - left < 3 or bottom - top < 3:
        return None
    at = np.s_[top:bottom, left:right]
    return at, X[at] - x, Y[at] - y


def turn(u, v, angle):
    c, s = np.cos(angle), np.sin(angle)
    return c * u + s * v, c * v - s * u


def font(name, size):
    for folder in FONTS:
        try:
            return ImageFont.truetype(os.path.join(folder, name + ".ttf"), round(size * S))
        except OSError:
            pass
    return ImageFont.load_default(round(size * S))


# --- hair and cloth ------------------------------------------------------------------------------------------------


def hair(rng):
    image, draw = canvas(rgb("0d0806"))
    locks = 150
    for lock in range(locks):
        depth = lock / locks
        start, phase, rate, size = rng.uniform(-60, 260), rng.uniform(0, 6.3), rng.uniform(1.2, 1.9), rng.uniform(3, 10) * (1.3 - 0.6 * depth)
        swing, bright = rng.uniform(5, 12), rng.uniform(0.4, 1)
        for _ in range(40):
            o, own = rng.normal(0, 0.5), rng.normal(0, 0.35)
            t = np.linspace(0, 1, 64) + rng.uniform(-0.02, 0)
            wave = 6.3 * rate * t + phase
            x = start + 26 * np.sin(2.2 * t + 0.4) + swing * (0.4 + t) * np.sin(wave + 0.4 * own) + o * size * (1.25 - 0.45 * np.sin(wave + 1)) + 0.7 * np.sin(wave * 2.3 + 9 * own)
            gloss = np.clip(0.5 + 0.5 * np.sin(wave + 1.1 + 0.5 * o + own), 0, 1) ** 7 * np.exp(-o * o) * bright * rng.uniform(0.2, 1)
            body = (0.16 + 0.84 * depth**1.3) * np.exp(-1.5 * o * o) * rng.uniform(0.3, 1.3) * (0.65 + 0.35 * np.sin(wave + 0.8))
            tone = np.outer(body, rgb("523526")) + np.outer(gloss * body, rgb("dcb892")) * 0.6 + rgb("0d0806")
            stroke(draw, x, 284 * t - 10, inks(tone[:-1]), [int(rng.integers(2, 4))] * 63)
    t = np.linspace(0, 1, 64)
    for _ in range(26):  # stray hairs
        p, a = rng.uniform(0, 6), rng.normal(0, 22)
        x = rng.uniform(-30, 260) + 26 * np.sin(2.2 * t + 0.4) + a * t * t + 9 * np.sin(7 * t + p)
        stroke(draw, x, 276 * t - 10, inks(np.outer(0.25 + 0.6 * np.sin(7 * t + p) ** 4, rgb("8a6448")))[:-1], [2] * 63)
    return drawn(image) * (1.25 + 0.15 * cloud(rng, 140, octaves=2))[..., None]


def fur(rng):
    image, draw = canvas(rgb("20150d"))
    angle = 1.25 + 0.35 * cloud(rng, 130, octaves=2) + 0.10 * cloud(rng, 14, octaves=2)
    patch = cloud(rng, 46, 30, 4) + 0.9 * np.sin(Y / 15 + 1.2 * cloud(rng, 60, octaves=3))
    clump, light = cloud(rng, 6, 6, 2), cloud(rng, 120, octaves=2)
    t = np.linspace(0, 1, 7)
    count = 21000
    for y0 in np.sort(rng.uniform(-24, 256, count)):
        x0 = rng.uniform(-12, 268)
        at = int(np.clip(y0, 0, 255) * S), int(np.clip(x0, 0, 255) * S)
        a = angle[at] + rng.normal(0, 0.16) + 0.22 * clump[at]
        length, curl = rng.uniform(10, 21), rng.normal(0, 0.35)
        x = x0 + length * np.cumsum(np.cos(a + curl * t)) / 7
        y = y0 + length * np.cumsum(np.sin(a + curl * t)) / 7
        dark = smooth(-0.3, 0.9, patch[at] + rng.normal(0, 0.35))
        tip = mix(rgb("d9b98e"), rgb("6b4526"), dark) if rng.random() > 0.05 else rgb("f0e2c8")
        shade = rng.uniform(0.45, 1.1) * (1 + 0.16 * clump[at]) * (1 + 0.15 * light[at])
        tone = mix(rgb("3a2515"), tip, t[:-1] ** 0.9) * shade
        stroke(draw, x, y, inks(tone), [4, 3, 3, 3, 2, 2])
    return drawn(image) * (1.15 + 0.12 * light)[..., None]


def fabric(rng):
    fold = 8 * cloud(rng, 120, 170, 2)
    gx, gy = slopes(fold)
    p, q = X / 3.7 + 0.9 * gx + 0.10 * cloud(rng, 40, 90, 4), Y / 3.7 + 0.9 * gy + 0.10 * cloud(rng, 90, 40, 4)
    i, j = np.floor(p).astype(int) + 8, np.floor(q).astype(int) + 8
    u, v = p - np.floor(p) - 0.5, q - np.floor(q) - 0.5
    warp_tone, weft_tone = rng.normal(1, 0.13, 128), rng.normal(1, 0.13, 128)
    thick = rng.uniform(0.78, 1.02, (2, 128))
    lift = np.where((i + j) % 2 == 0, 1, -1) * np.cos(np.pi * u) * np.cos(np.pi * v)
    warp = np.sqrt(np.clip(1 - (2 * u / thick[0][i]) ** 2, 0, 1)) + 0.8 * lift
    weft = np.sqrt(np.clip(1 - (2 * v / thick[1][j]) ** 2, 0, 1)) - 0.8 * lift
    plaid = np.array([rgb("c9bb9f")] * 128)
    for first, last, colour in ((3, 4, "8c4a38"), (9, 19, "54677a"), (13, 15, "b39a5e"), (24, 25, "8c4a38")):
        for k in range(0, 128, 30):
            plaid[k + first : k + last] = rgb(colour)
    over = warp > weft
    twist = np.where(over, np.sin(20 * v + 9 * u + i * 2.1), np.sin(20 * u + 9 * v + j * 1.7))
    fibre = np.where(over, cloud(rng, 0.5, 3, 2), cloud(rng, 3, 0.5, 2))
    colour = np.where(over[..., None], plaid[i] * warp_tone[i][..., None], plaid[j] * weft_tone[j][..., None])
    height = np.maximum(warp, weft)
    light = relief(0.85 * height + 0.10 * twist + 0.06 * fibre) * smooth(-0.6, 1.3, height) * relief(fold, (-0.6, -0.35, 0.7))
    return colour * (light * (1 + 0.07 * twist + 0.10 * fibre))[..., None] * 1.12


def denim(rng):
    seam = np.abs(X - 150 - 3 * np.sin(Y / 60)) - 13
    pucker = np.sin(Y / 6.5 + 1.3 * cloud(rng, 40, octaves=2)) * np.exp(-((seam / 5) ** 2))
    fold = 1.1 * cloud(rng, 90, 130, 3) + 0.5 * pucker + 2.2 * smooth(1.5, -1.5, seam)
    p, q = X / 2.5 + 0.25 * cloud(rng, 60, 120, 3), Y / 2.1 + 0.2 * cloud(rng, 120, 50, 3)
    q = q + 0.4 * (np.floor(p) % 2)
    i, j = np.floor(p).astype(int) + 8, np.floor(q).astype(int) + 8
    u, v = p - np.floor(p) - 0.5, q - np.floor(q) - 0.5
    white = ((i + j) % 3 == 0) * smooth(0.62, 0.30, np.hypot(u, 0.8 * v))
    slub = 1 + 0.17 * rng.standard_normal(160)[i] + 0.13 * cloud(rng, 1.2, 26, 3)
    fade = smooth(-1.6, 3.2, 0.7 * fold - 0.5 + 0.55 * cloud(rng, 14, 60, 4)) + 0.35 * np.clip(pucker, 0, 1)
    blue = mix(rgb("22304f"), rgb("7389a8"), 0.85 * fade)
    height = 0.75 * np.sqrt(np.clip(1 - 3.2 * u * u, 0, 1)) + 0.5 * white + 0.2 * cloud(rng, 0.7, 1.6, 2)
    colour = mix(blue * np.clip(slub, 0.4, 2)[..., None], rgb("b9bdbf"), (0.28 + 0.45 * fade) * white)
    colour = colour * (relief(0.9 * height) * smooth(-0.5, 0.9, height))[..., None]
    image = Image.new("L", (N, N), 0)
    shadow = Image.new("L", (N, N), 0)
    draw, under = ImageDraw.Draw(image), ImageDraw.Draw(shadow)
    for side in (-9, 9):
        for k in range(40):
            y = 7.2 * k + (2 if side > 0 else 0) + rng.normal(0, 0.25)
            x = [150 + 3 * np.sin(v / 60) + side + rng.normal(0, 0.3) for v in (y, y + 5.2)]
            line = [x[0] * S, y * S, x[1] * S, (y + 5.2) * S]
            under.line([line[0] + 5, line[1] + 5, line[2] + 5, line[3] + 5], fill=255, width=11)
            for a in range(5):
                draw.line([line[0] + 2 * a - 4, line[1], line[2] + 2 * a - 4, line[3]], fill=(110, 190, 255, 210, 130)[a], width=2)
    colour = colour * (1 - 0.6 * blur(np.asarray(shadow) / 255, 0.8))[..., None]
    thread = np.asarray(image) / 255 * (0.8 + 0.35 * np.sin(3.2 * Y + 2 * X))
    colour = mix(colour, rgb("c58a45") * thread[..., None], np.asarray(image) > 0)
    return colour * (relief(fold, (-0.6, -0.4, 0.6)) * (1 - 0.55 * np.exp(-((seam - 0.8) / 1.3) ** 2)))[..., None] * 1.35


def knit(rng):
    picture = np.zeros((N, N, 3), np.float32) + rgb("17130f")
    wide, tall = 11.0, 8.6
    wool = cloud(rng, 5, 0.55, 3)
    motif = ["..x..x..", ".xxxxxx.", "xx.xx.xx", ".xxxxxx.", "..x..x..", "........", "x...x...", ".x.x.x.x", "..x...x.", "........", "........", "........", "........", "........"]
    for row in range(-1, 32):
        for column in range(-1, 25):
            marked = motif[row % len(motif)][column % 8] == "x"
            base = (rgb("d8cdb8") if marked else rgb("5d6f6a") if row % 14 < 9 else rgb("6f4038")) * rng.normal(1, 0.06)
            for side in (-1, 1):
                x = (column + 0.5) * wide + side * 0.25 * wide + rng.normal(0, 0.25) + 2 * np.sin(row / 7)
                y = row * tall + rng.normal(0, 0.25) + 2.5 * np.sin(column / 6)
                part = window(x, y, 9)
                if part is None:
                    continue
                at, u, v = part
                a, b = turn(u, v, np.pi / 2 + side * (0.42 + rng.normal(0, 0.03)))
                b = b + side * 0.022 * a * a  # the leg of a stitch is bent
                edge = np.hypot(a / 7.6, b / 3.1)
                place = (b * S + 5 * rng.integers(0, 180) + 60).astype(int) % N, (a * S + 5 * rng.integers(0, 180) + 60).astype(int) % N
                fibre = wool[place]
                ply = np.sin(1.35 * a + 1.5 * b + rng.uniform(0, 1))
                height = np.sqrt(np.clip(1 - edge**2, 0, 1))
                shade = (0.22 + 0.85 * height) * (1 - 0.30 * smooth(0.2, 1.1, (u * 0.6 + v * 0.8) / 6)) * (0.93 + 0.20 * ply + 0.14 * fibre)
                under = smooth(1.5, 0.8, np.hypot((a - 0.6) / 7.6, (b - 0.5) / 3.1))
                picture[at] *= (1 - 0.45 * under)[..., None]
                picture[at] = mix(picture[at], base * np.clip(shade, 0.03, 2)[..., None], smooth(1.04, 0.94, edge + 0.04 * fibre))
    image = Image.new("L", (N, N), 0)
    draw = ImageDraw.Draw(image)
    for _ in range(2600):  # fuzz
        x, y, a, bend = rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(0, 6.3), rng.normal(0, 1.2)
        t = np.linspace(0, 1, 6)
        length = rng.uniform(2, 7)
        stroke(draw, x + length * t * np.cos(a + bend * t), y + length * t * np.sin(a + bend * t), [int(rng.integers(50, 150))] * 5, [1] * 5)
    fuzz = np.asarray(image) / 255
    picture = mix(picture, blur(picture.mean(2), 2)[..., None] * np.float32([1.5, 1.45, 1.35]) + 0.05, fuzz)
    return picture * (1.25 + 0.16 * cloud(rng, 130, octaves=2))[..., None]


# --- plants --------------------------------------------------------------------------------------------------------


def grass(rng):
    behind = mix(rgb("1c2a14"), rgb("8d9a60"), smooth(-1.5, 2.6, 0.8 * cloud(rng, 60, octaves=3) + (60 - Y) / 60))
    image = Image.fromarray((255 * to_srgb(behind)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    t = np.linspace(0, 1, 10)
    count = 6200
    for k in range(count):
        depth = k / count
        x0, y0 = rng.uniform(-30, 286), 40 + 170 * depth + rng.uniform(0, 160)
        length, lean, droop = rng.uniform(50, 120) * (0.6 + 0.55 * depth), rng.normal(0.12, 0.36), rng.normal(0.1, 0.7)
        a = lean + droop * t**1.5
        x, y = x0 + length * np.cumsum(np.sin(a)) / 10, y0 - length * np.cumsum(np.cos(a)) / 10
        half = rng.uniform(0.45, 1.25) * (0.5 + 0.8 * depth) * (1 - t**2.2)
        px, py = np.cos(a) * half, np.sin(a) * half
        base = mix(rgb("34501c"), rgb("93a848"), rng.random() ** 1.2)
        if rng.random() < 0.10:
            base = rgb("b8a86c") * rng.uniform(0.6, 1)
        rise = (0.05 + 0.95 * t**1.2) * (0.40 + 0.75 * depth**1.5)
        sun = np.clip(0.55 + 0.6 * np.sin(a * 1.6 + 0.5), 0, 1) ** 2
        lit = np.outer(rise * (0.6 + 1.0 * sun), base) + np.outer(rise * sun**4, rgb("eceab8")) * rng.uniform(0, 0.5)
        lit, dim = inks(lit), inks(np.outer(rise * 0.5, base))
        cx, cy = x * S, y * S
        for side, colours in ((-S, lit), (S, dim)):
            ex, ey = cx + side * px, cy + side * py
            for i in range(9):
                draw.polygon([(cx[i], cy[i]), (ex[i], ey[i]), (ex[i + 1], ey[i + 1]), (cx[i + 1], cy[i + 1])], fill=colours[i])
    return drawn(image) * (1.35 + 0.25 * cloud(rng, 110, octaves=2))[..., None]


def meadow(rng):
    image, draw = canvas(rgb("1c2510"))
    patch, dry = cloud(rng, 70, 22, 4), cloud(rng, 50, 16, 5)
    count = 52000
    d = np.sort(rng.random(count) ** 1.3)
    x0, y0, lean = rng.uniform(-4, 260, count), -2 + 266 * d, rng.normal(0.1, 0.4, count)
    size = (2.2 + 12 * d**1.4) * rng.uniform(0.6, 1.25, count)
    at = (np.clip(y0, 0, 255) * S).astype(int), (np.clip(x0, 0, 255) * S).astype(int)
    base = mix(rgb("475c2c"), rgb("8a9650"), np.clip(0.45 + 0.22 * patch[at] + rng.normal(0, 0.22, count), 0, 1))
    base = mix(base, rgb("b5a36e"), np.clip(0.25 * dry[at] - 0.10 + rng.normal(0, 0.12, count), 0, 0.8))
    base = mix(base, rgb("aab690"), 0.6 * (1 - d) ** 2) * rng.uniform(0.45, 1.25, (count, 1)) * (1 + 0.9 * (1 - d[:, None]) ** 2)
    root, tip = inks(base * 0.5), inks(base * 1.2)
    wide = 1 + (2.2 * d + rng.random(count)).astype(int)
    xs, ys = x0 + np.outer((0, 0.4, 1.1), size * lean), y0 - np.outer((0, 0.55, 1), size)
    for k in range(count):
        stroke(draw, xs[:, k], ys[:, k], (root[k], tip[k]), (wide[k] + 1, wide[k]))
        if rng.random() < 0.006:
            x, y, r = xs[2, k] * S, ys[2, k] * S, S * (0.25 + 0.9 * d[k])
            draw.ellipse([x - r, y - 0.7 * r, x + r, y + 0.7 * r], fill=ink(rgb("efe9d8" if rng.random() < 0.6 else "d9b73c")))
    return drawn(image) * (1.40 + 0.12 * patch + 0.10 * cloud(rng, 160, 60, 2))[..., None]


def foliage(rng):
    picture = np.zeros((N, N, 3), np.float32) + rgb("0a0f08")
    net, spots = cloud(rng, 2.2, octaves=3), cloud(rng, 9, octaves=4)
    count = 760
    for k in range(count):
        depth = k / count
        x, y, size = rng.uniform(-10, 266), rng.uniform(-10, 266), rng.uniform(11, 27) * (0.75 + 0.35 * depth)
        part = window(x, y, size * 1.15)
        if part is None:
            continue
        at, u, v = part
        angle = rng.normal(1.3, 0.9)
        a, b = turn(u, v, angle)
        a, b = a / size, b / size
        b = b + rng.normal(0, 0.12) * a * a
        squeeze = rng.uniform(0.55, 1)  # leaves are seen aslant
        b = b / squeeze
        t = np.clip((a + 1) / 2, 0, 1)
        saw = (t * 17 - 1.3 * np.abs(b)) % 1
        edge = 0.47 * np.sin(np.pi * t**0.85) ** 0.85 * (1 + 0.07 * saw) + 1e-4
        shape = smooth(0.02, -0.02, np.abs(b) - edge) * (np.abs(a) < 1)
        shift = rng.uniform(1, 3) / size
        c, s = np.cos(angle), np.sin(angle)
        a2, b2 = a - shift * (0.6 * c + 0.8 * s), b - shift * (0.8 * c - 0.6 * s)
        cast = smooth(0.10, -0.12, np.abs(b2) - 0.5 * np.sin(np.pi * np.clip((a2 + 1) / 2, 0, 1)))
        picture[at] *= (1 - 0.6 * cast)[..., None]
        vein = np.abs((t * 9 - 4.0 * np.abs(b) * 0.75 + 0.5 * (b > 0)) % 1 - 0.5) * 2
        ribs, mid = smooth(0.80, 0.97, vein), smooth(0.035, 0.012, np.abs(b) / (1.15 - t))
        place = np.s_[(k * 37) % 300 : (k * 37) % 300 + u.shape[0], (k * 53) % 300 : (k * 53) % 300 + u.shape[1]]
        bulge = np.sin(np.pi * vein * 0.5)
        side = np.sign(b) * np.cos(angle + 0.8) * 0.32
        shade = (0.16 + 0.95 * depth**1.3) * (0.80 + side - 0.16 * bulge + 0.06 * net[place] + 0.25 * (0.5 - t) * rng.normal(0, 1))
        base = mix(rgb("2f4a20"), rgb("7d9448"), rng.random() ** 1.5 * 0.9)
        if rng.random() < 0.06:
            base = rgb("a9913f")
        colour = base * np.clip(shade, 0.03, 2)[..., None]
        colour = mix(colour, base * 1.7 * (0.2 + 0.8 * depth) + 0.02, np.maximum(0.45 * ribs * (np.abs(b) < edge * 0.93), 0.8 * mid))
        shine = smooth(0.5, 1.0, np.clip(side * 2.6, 0, 1) * (1 - np.abs(np.abs(b) / edge - 0.5))) * rng.uniform(0, 0.5) * depth
        colour = colour + (shine * (0.8 + 0.4 * net[place] - 0.4 * ribs))[..., None].clip(0) * np.float32([0.42, 0.47, 0.46])
        colour = mix(colour, rgb("5b4524") * (0.3 + 0.7 * depth), smooth(1.7, 2.3, spots[place]) * 0.8)
        picture[at] = mix(picture[at], colour, shape)
    return picture * (1.45 + 0.25 * cloud(rng, 130, octaves=2))[..., None]


def fern(rng):
    picture = mix(rgb("0a100a"), rgb("2c3a20"), smooth(-0.8, 2.4, cloud(rng, 30, octaves=5)))

    def frond(draw, cut, x, y, angle, length, curl, light):
        steps = int(length / 6.2)
        for k in range(steps):
            t = (k + 0.5) / steps
            a = angle + curl * t * t
            px, py = x, y
            x, y = x + length / steps * np.cos(a), y + length / steps * np.sin(a)
            reach = length * 0.31 * np.sin(np.pi * (0.15 + 0.85 * t) ** 0.7) ** 0.9
            for side in (-1, 1):
                leaves = max(2, int(reach / 1.75))
                s = np.arange(leaves + 1) / leaves
                lean = a + side * (1.30 - 0.5 * t + rng.normal(0, 0.04) - 0.30 * s)
                qx, qy = x + reach * np.cumsum(np.cos(lean)) / leaves, y + reach * np.cumsum(np.sin(lean)) / leaves
                size = np.maximum(0.5, 3.5 * (1 - s) ** 0.6 * min(1, 0.35 + reach / 50))
                tone = light * rng.uniform(0.7, 1.15) * (1 + side * 0.22 * np.sin(a + 0.7))
                for way in (-1, 1):
                    d = lean + way * 1.15
                    tx, ty = qx + size * np.cos(d), qy + size * np.sin(d)
                    wx, wy = (0.26 * size + 0.12) * np.cos(lean), (0.26 * size + 0.12) * np.sin(lean)
                    mx, my = 0.4 * qx + 0.6 * tx, 0.4 * qy + 0.6 * ty
                    leaf = np.array([(qx - wx, qy - wy), (mx - wx, my - wy), (tx, ty), (mx + wx, my + wy), (qx + wx, qy + wy)]) * S
                    kind = np.clip(rng.normal(0.42, 0.17, leaves + 1) + 0.16 * way * np.sin(lean), 0, 1)
                    colours = mix(rgb("345522"), rgb("93a95a"), kind) * (tone * (0.75 + 0.45 * s))[:, None]
                    fills, rays = inks(colours), inks(colours * 1.6)
                    for m in range(leaves + 1):
                        shape = [tuple(v) for v in leaf[:, :, m]]
                        draw.polygon(shape, fill=fills[m])
                        cut.polygon(shape, fill=255)
                        draw.line((S * qx[m], S * qy[m], *shape[2]), fill=rays[m], width=1)
                draw.line((S * x, S * y, S * qx[-1], S * qy[-1]), fill=ink(rgb("66702f") * tone), width=2)
            for pen, fill in ((draw, ink(rgb("8a7a45") * light)), (cut, 255)):
                pen.line((S * px, S * py, S * x, S * y), fill=fill, width=int(2 + 5 * (1 - t)))

    for light, count in ((0.10, 13), (0.35, 9), (1.0, 5)):
        for k in range(count):
            image, draw = canvas(rgb("000000"))
            mask = Image.new("L", (N, N), 0)
            if light < 1:
                x, y, angle = rng.uniform(-20, 276), rng.uniform(90, 290), rng.uniform(-2.9, -0.2)
            else:
                x, y, angle = ((60, 275, -1.2), (300, 210, -2.45), (120, 290, -1.75), (-30, 200, -0.55), (215, 285, -1.35))[k]
            frond(draw, ImageDraw.Draw(mask), x, y, angle, rng.uniform(190, 250), rng.normal(0, 0.2) + 0.5 * np.sign(np.cos(angle)), light * rng.uniform(0.8, 1.1))
            cover = np.asarray(mask) / np.float32(255)
            picture = mix(picture * (1 - 0.55 * blur(shifted(cover, 3, 5), 2.5))[..., None], drawn(image), cover)
    return picture * (1.5 + 0.22 * cloud(rng, 120, octaves=2))[..., None]


# --- stone, wood and water -----------------------------------------------------------------------------------------


def brick(rng):
    x, y = X + 0.5 * cloud(rng, 10, octaves=5, gain=0.6), Y + 0.45 * cloud(rng, 14, octaves=5, gain=0.6)
    tall, wide = 19.0, 51.0
    row = np.floor(y / tall + 0.35).astype(int)
    shift = rng.normal(0, 1.2, 32)
    p = x / wide + 0.5 * (row % 2) + shift[row] / wide + 0.2
    column = np.floor(p).astype(int)
    u, v = (p - column) * wide, (y / tall + 0.35 - row) * tall
    tilt = rng.normal(0, 0.5, (32, 16))[row, column]
    edge = np.minimum(np.minimum(u, wide - u), np.minimum(v, tall - v) + 0.012 * tilt * (u - wide / 2))
    body = smooth(1.1, 2.6, edge)
    pit, grit, crumb = cloud(rng, 3.4, octaves=4, gain=0.8), cloud(rng, 1.1, octaves=2), cloud(rng, 7, octaves=5, gain=0.7)
    height = 2.2 * body + body * (0.20 * pit + 0.35 * crumb - 1.1 * smooth(1.5, 2.4, pit)) + (1 - body) * 0.35 * grit + 0.10 * grit
    tones = np.array([rgb(c) for c in ("87503f", "986049", "744538", "8e5842", "664039", "a6735e", "7d5546")])
    colour = tones[rng.integers(0, 7, (32, 16))[row, column]] * rng.uniform(0.8, 1.15, (32, 16))[row, column][..., None]
    colour = colour * (1 + 0.15 * pit + 0.13 * crumb + 0.09 * grit)[..., None]
    colour = mix(colour, rgb("3d2a27"), 0.75 * smooth(1.55, 2.1, cloud(rng, 2.2, octaves=2)))
    colour = mix(colour, rgb("d0b8a0"), 0.55 * smooth(1.9, 2.4, cloud(rng, 1.8, octaves=2)) + 0.20 * smooth(0.7, 2.2, cloud(rng, 34, 20, 5)))
    mortar = rgb("a89e8f") * (0.95 + 0.17 * grit + 0.12 * pit)[..., None]
    colour = mix(mortar, colour, smooth(1.2, 1.9, edge + 0.25 * grit))
    dark = 1 - 0.45 * (1 - body) * smooth(0.2, 1.0, blur(np.roll(body, (6, 5), (0, 1)), 1))
    return colour * (relief(0.9 * height, (-0.5, -0.65, 0.55)) * dark * (1.0 + 0.10 * cloud(rng, 120, octaves=3)))[..., None]


def stone(rng):
    picture = np.zeros((N, N, 3), np.float32) + rgb("2b2620")
    picture = picture * (1 + 0.5 * cloud(rng, 2, octaves=3))[..., None].clip(0.1)
    grain, layer = cloud(rng, 1.3, octaves=2), cloud(rng, 40, 6, 5)
    tones = [rgb(c) for c in ("8d8a84", "a39a8c", "6e6d6c", "b7ab98", "8a6f5c", "5b5754", "9a7f68", "c4bdb0", "7b8183")]
    count = 1150
    radii = np.concatenate([rng.uniform(3, 7, 650), np.sort(rng.uniform(6, 27, count - 650) * rng.uniform(0.35, 1, count - 650))])
    for k, radius in enumerate(radii):
        x, y = rng.uniform(-8, 264), rng.uniform(-8, 264)
        part = window(x, y, radius * 1.6)
        if part is None:
            continue
        at, u, v = part
        angle = rng.normal(0.2, 0.7)
        a, b = turn(u, v, angle)
        aspect = rng.uniform(0.58, 0.95)
        phase, wobble = rng.uniform(0, 6.3, 3), rng.uniform(0, 0.09, 3)

        def rim(a, b):
            around = np.arctan2(b, a)
            return np.hypot(a, b / aspect) / radius * (1 + sum(w * np.sin((m + 2) * around + p) for m, (w, p) in enumerate(zip(wobble, phase))))

        edge = rim(a, b)
        da, db = turn(np.float32(0.10 * radius + 0.6), np.float32(0.14 * radius + 0.8), angle)
        picture[at] *= (1 - 0.72 * smooth(1.25, 0.8, rim(a - da, b - db)))[..., None]
        i, j = rng.integers(0, 600, 2)
        place = ((b * S + i).astype(int) % N, (a * S + j).astype(int) % N)
        speck, strata = grain[place], layer[place]
        height = 0.55 * radius * np.clip(1 - edge**2.6, 0, 1) ** 0.55 * aspect + 0.05 * speck + 0.10 * strata
        gy, gx = np.gradient(height)
        gx, gy = gx * S, gy * S
        shade = np.clip((0.62 + 0.5 * gx + 0.6 * gy) / np.sqrt(1 + gx * gx + gy * gy), 0.03, 2) + 0.16
        colour = tones[rng.integers(9)] * rng.uniform(0.7, 1.1)
        colour = colour * (1 + rng.uniform(0.02, 0.22) * speck + rng.uniform(0, 0.20) * strata)[..., None].clip(0.2)
        if rng.random() < 0.4:
            colour = mix(colour, rgb("dcd6ca"), 0.75 * smooth(rng.uniform(0.05, 0.22), 0.02, np.abs(strata - rng.normal(0, 0.7))))
        if rng.random() < 0.4:
            colour = mix(colour, rgb("2c2a29"), 0.7 * smooth(1.3, 1.8, speck))
        picture[at] = mix(picture[at], colour * (shade * smooth(1.0, 0.75, edge * 0.75))[..., None] * 1.15, smooth(1 + 0.35 / radius, 1 - 0.35 / radius, edge))
    return picture * (1.15 + 0.13 * cloud(rng, 120, octaves=3))[..., None]


def bark(rng):
    wander = cloud(rng, 30, 70, 5, 0.55)
    x, y = X + 7 * wander + 0.8 * cloud(rng, 6, 10, 3), Y + 8 * cloud(rng, 40, octaves=3)
    near, far, name = cells(rng, x / 17, y / 52)
    near2, far2, name2 = cells(rng, x / 7 + 3 * name, y / 13)
    crack, chip = smooth(0.0, 0.42, far - near), smooth(0.0, 0.30, far2 - near2)
    fibre, grit, flake = cloud(rng, 2.0, 14, 4, 0.6), cloud(rng, 1.0, 1.6, 2), cloud(rng, 9, 5, 5, 0.65)
    height = 7 * crack + 1.5 * chip * crack + 0.45 * fibre + 0.7 * flake + 0.12 * grit + 1.2 * (name2 - 0.5) * chip
    shade = relief(0.8 * height, (-0.65, -0.35, 0.6)) * (0.10 + 0.90 * crack**0.8) * (0.65 + 0.35 * chip)
    colour = mix(rgb("5c4939"), rgb("9a8a78"), smooth(-1.4, 1.6, flake + 1.4 * (name - 0.5) + 0.4 * fibre))
    colour = mix(colour, rgb("7a5238"), 0.6 * smooth(0.55, 0.05, crack))
    lichen = smooth(0.55, 1.3, cloud(rng, 42, octaves=6, gain=0.75) + 0.5 * (crack - 1)) * crack
    colour = mix(colour, rgb("9aa384") * (1 + 0.20 * grit)[..., None], 0.65 * lichen)
    colour = colour * (1 + 0.16 * fibre + 0.12 * grit)[..., None].clip(0.2)
    return colour * (shade * (1.25 + 0.12 * cloud(rng, 140, octaves=2) - 0.35 * ((X - 110) / 150) ** 2))[..., None]


def wood(rng):
    picture = np.zeros((N, N, 3), np.float32)
    fibre, pore, hair = cloud(rng, 60, 1.1, 3, 0.6), cloud(rng, 9, 0.65, 2), cloud(rng, 22, 0.5, 2)
    for first, last, centre, knot, tint in ((-2, 83, 30, (70, 46), 1.0), (83, 170, 150, (300, 120), 0.86), (170, 260, 190, (188, 222), 1.06)):
        sway = 2.0 * cloud(rng, 190, 40, 3) + 0.25 * cloud(rng, 30, 5, 3)
        away = np.hypot((X - knot[0]) / 2.1, Y - knot[1])
        rings = np.hypot(Y - centre, (X - 330) * 0.16) + sway - 26 * np.exp(-away / 9) * np.sign(centre - knot[1])
        phase = (rings / 4.6 + 0.3 * cloud(rng, 200, 60, 2)) % 1
        late = smooth(0.25, 0.93, phase) * smooth(1.0, 0.94, phase)
        colour = mix(rgb("c39a68"), rgb("85562e"), 0.75 * late) * tint
        eye = np.hypot((X - knot[0]) / 1.35, Y - knot[1]) + 0.8 * cloud(rng, 12, octaves=3)
        core = mix(rgb("6b4020"), rgb("3b2212"), smooth(0.2, 0.9, (eye / 1.7) % 1)) * (1 + 0.06 * pore)[..., None]
        colour = mix(colour, core, smooth(8.0, 6.5, eye))
        colour = mix(colour, rgb("2a180d"), 0.7 * smooth(1.3, 0.2, np.abs(eye - 7.4)))
        board = smooth(0, 0.5, Y - first) * smooth(0, 0.5, last - Y)
        edge = np.minimum(Y - first, last - Y)
        round_off = 1 - 0.75 * np.exp(-np.clip(edge, 0, 50) / 0.9) + 0.18 * np.exp(-(((Y - first - 2.2) / 0.8) ** 2))
        picture = mix(picture, colour * round_off[..., None], board)
    picture = picture * (1 + 0.09 * fibre + 0.07 * hair)[..., None]
    picture = mix(picture, rgb("4a2e1a"), 0.5 * smooth(1.5, 2.3, pore))
    picture = mix(picture, rgb("dfc08f"), 0.18 * smooth(1.6, 2.4, -pore))
    for x, y in ((20, 64), (20, 102), (236, 150), (236, 188)):  # nails
        r = np.hypot(X - x, Y - y)
        picture = mix(picture, rgb("3a2b20"), 0.7 * smooth(5, 2.2, np.hypot(X - x - 0.6, Y - y - 0.8)))
        picture = mix(picture, rgb("77736d") * (1 + 0.25 * ((x - X) + (y - Y)) / 3 + 0.1 * pore)[..., None], smooth(2.7, 2.3, r))
    return picture * (relief(0.10 * fibre + 0.12 * pore + 0.05 * hair) * (1.0 + 0.10 * cloud(rng, 150, octaves=2)))[..., None]


def water(rng):
    depth = 300 / (Y + 70)
    wx, wy = (X - 128) * depth, 300 * depth
    sx, sy = np.zeros((N, N), np.float32), np.zeros((N, N), np.float32)
    for _ in range(70):
        length = 5 * 14 ** rng.random()
        angle = 1.45 + rng.normal(0, 0.5)
        fade = smooth(1.0, 4.0, length / depth**1.6)
        c = np.cos(2 * np.pi / length * (wx * np.cos(angle) + wy * np.sin(angle)) + rng.uniform(0, 6.3)) * (0.050 * fade * (length / 30) ** 0.3 * rng.uniform(0.4, 1.2))
        sx += c * np.cos(angle)
        sy += c * np.sin(angle)
    fine = cloud(rng, 7, 2.6, 4, 0.55)
    sy = sy + 0.018 * fine * (0.4 + Y / 256)
    up = 0.30 + 0.0008 * Y + 1.7 * sy + 0.4 * sx
    sky = mix(mix(rgb("28352f"), rgb("cdd6d8"), smooth(-0.10, 0.50, up)), rgb("5a80a4"), smooth(0.40, 0.95, up))
    fresnel = 0.05 + 0.95 * (1 - np.clip(0.18 + 0.0015 * Y + 1.1 * sy, 0, 1)) ** 3.5
    deep = mix(rgb("142c30"), rgb("35605c"), smooth(-2, 2.5, cloud(rng, 110, 50, 3) + 9 * sx + 3 * sy))
    picture = mix(deep, sky, fresnel)
    sun = np.exp(-(((X - 150) / (36 + 0.24 * Y)) ** 2)) + 0.03
    tilt = sy + 0.35 * sx + 0.085 * cloud(rng, 2.6, 1.0, 2)
    glint = smooth(0.35, 0.47, tilt)
    return picture * 1.05 + (glint * sun * 1.3)[..., None] * np.float32([1.0, 0.94, 0.80])


def roof(rng):
    picture = np.zeros((N, N, 3), np.float32) + rgb("1d1512")
    pit, grit, blotch = cloud(rng, 4, octaves=4, gain=0.8), cloud(rng, 1.0, octaves=2), cloud(rng, 18, octaves=5, gain=0.65)
    spots, moss = cloud(rng, 5, octaves=4), cloud(rng, 30, 18, 6, 0.75)
    tones = [rgb(c) for c in ("935c48", "835041", "9e6a53", "754a40", "a67a62", "6c4d46", "8c6152")]
    wide, tall = 20.6, 21.0
    for row in range(13, -2, -1):  # the lower rows lie below the upper
        for column in range(-1, 14):
            x = (column + 0.5 + 0.5 * (row % 2)) * wide + rng.normal(0, 0.35) - 6
            y = (row + 1) * tall + rng.normal(0, 0.5)  # the lower end
            part = window(x, y - 14, 30)
            if part is None:
                continue
            at, u, v = part
            a, b = turn(u, v - 14, rng.normal(0, 0.018))
            half = wide / 2 - 0.45 + rng.normal(0, 0.1)
            chip = 0.25 * blotch[at] + 0.15 * pit[at]
            round_end = np.maximum(np.abs(a) - half, np.where(b > -6.5, np.hypot(a / half, (b + 6.5) / 6.5) - 1, -1) * 7) + 0.5 * chip
            shape = smooth(0.2, -0.2, round_end) * (b > -2 * tall) * (b < 1)
            fall = np.maximum(np.abs(a - 1.2) - half - 0.6, np.where(b > -4, np.hypot((a - 1.2) / (half + 1), (b + 4) / 8) - 1, -1) * 7)
            picture[at] *= (1 - 0.75 * smooth(1.0, -2.2, fall) * (b > -2 * tall))[..., None]
            bow = 0.02 * rng.normal(1, 0.4) * a * a
            height = -bow + 0.10 * pit[at] + 0.07 * grit[at] + 0.14 * blotch[at] - 0.5 * smooth(1.2, 2.0, pit[at])
            gy, gx = np.gradient(height)
            shade = np.clip(1 + S * (0.75 * gx + 0.85 * gy), 0.15, 2) * rng.uniform(0.82, 1.12)
            rim = smooth(-1.5, -0.2, round_end)
            colour = tones[rng.integers(7)] * (1 + 0.13 * blotch[at] + 0.10 * pit[at] + 0.09 * grit[at])[..., None]
            colour = mix(colour, rgb("4a3a34"), 0.5 * smooth(0.2, 1.5, blotch[at] + 0.06 * (b + 6)))
            colour = mix(colour, rgb("b9b59c"), 0.7 * smooth(1.45, 1.75, spots[at] + 0.1 * grit[at]))
            colour = mix(colour, rgb("5d6338") * (0.8 + 0.3 * grit[at])[..., None], 0.85 * smooth(1.0, 1.5, moss[at] + 0.03 * np.abs(a) + 0.2 * (np.abs(a) > half - 1.5)))
            shade = shade * (1 - 0.45 * rim * (b > -7)) * (1 + 0.22 * smooth(-3.2, -1.8, round_end) * (1 - rim) * (b > -8))
            picture[at] = mix(picture[at], colour * shade[..., None], shape)
    return picture * (1.35 + 0.12 * cloud(rng, 130, octaves=3))[..., None]


def sand(rng):
    phase = 2 * np.pi * (Y + 0.3 * X + 9 * cloud(rng, 110, 140, 2, 0.4) + 0.5 * cloud(rng, 14, octaves=3)) / 19
    ripple = (0.5 + 0.5 * np.sin(phase + 0.6 * np.sin(phase))) * (0.85 + 0.2 * cloud(rng, 60, octaves=2))
    near, far, name = cells(rng, X / 1.15, Y / 1.15)
    near2, far2, name2 = cells(rng, X / 2.1 + 7, Y / 2.1)
    big = (name2 > 0.80) * smooth(0.42, 0.30, near2)
    height = 2.9 * ripple + 0.40 * smooth(0.75, 0.1, near) + 0.85 * big * np.sqrt(np.clip(1 - (near2 / 0.42) ** 2, 0, 1)) + 0.25 * cloud(rng, 7, octaves=4, gain=0.7)
    tones = np.array([rgb(c) for c in ("c9b08a", "b99a70", "d8c5a2", "a5865f", "cdb592", "8f7356", "e6dcc6", "c4a27c", "6b5a4a", "b8a288")])
    colour = tones[(name * 10).astype(int)]
    colour = mix(colour, tones[(name2 * 977 % 10).astype(int)], big)
    shade = (0.2 + 0.8 * relief(0.9 * height, (-0.35, -0.68, 0.55))) * (0.72 + 0.28 * smooth(0.0, 0.35, far - near))
    spark = (name > 0.985) * smooth(0.3, 0.1, near)
    picture = colour * (shade * (1.02 + 0.10 * cloud(rng, 140, octaves=2)))[..., None] * mix(np.float32([0.93, 0.97, 1.06]), np.float32([1.04, 1.0, 0.94]), np.clip(shade - 0.3, 0, 1))
    return picture + 0.5 * spark[..., None] * np.clip(shade, 0, 1)[..., None]


# --- a face --------------------------------------------------------------------------------------------------------


def grained(rng, wide=2.6):
    """The fine relief of skin: a net of creases, and pores."""
    near, far, _ = cells(rng, (X + 0.9 * cloud(rng, 9, octaves=2)) / wide + 0.25 * Y / wide, (Y + 0.9 * cloud(rng, 9, octaves=2)) / (0.8 * wide))
    spot, _, name = cells(rng, X / 5.2 + 0.3 * cloud(rng, 20, octaves=1), Y / 5.2)
    pores = smooth(0.17, 0.06, spot) * smooth(0.15, 0.65, name)
    return smooth(0.0, 0.45, far - near), pores


def skin(rng):
    net, pores = grained(rng, 3.2)
    fine = cloud(rng, 1.2, octaves=2)
    folds = np.zeros((N, N), np.float32)
    for _ in range(16):
        x, y, angle, reach = rng.uniform(0, 256), rng.uniform(0, 256), rng.normal(0.6, 0.22), rng.uniform(30, 110)
        a, b = turn(X - x, Y - y, angle)
        b = b + 3 * np.sin(a / 30 + rng.uniform(0, 6)) + 0.5 * fine * 0.4
        folds += np.exp(-((b / rng.uniform(0.6, 1.0)) ** 2)) * np.exp(-((a / reach) ** 2)) * rng.uniform(0.4, 1)
    form = 30 * np.exp(-(((X - 90) / 130) ** 2 + ((Y - 100) / 150) ** 2)) + 0.8 * cloud(rng, 60, octaves=2)
    away = np.hypot(X - 168, 1.15 * (Y - 150)) + 0.9 * cloud(rng, 8, octaves=3)
    mole = smooth(11.5, 8.0, away)
    height = 0.50 * net - 0.60 * pores - 1.1 * folds + 0.10 * fine + 3.0 * np.sqrt(np.clip(1 - (away / 11) ** 2, 0, 1)) + 0.30 * mole * cloud(rng, 3.2, octaves=2)
    red, pale = cloud(rng, 44, octaves=4, gain=0.6), cloud(rng, 13, octaves=3)
    colour = mix(rgb("d0a084"), rgb("c08a70"), smooth(-2.0, 2.6, red + 0.5 * pale))
    colour = mix(colour, rgb("dcb398"), 0.45 * smooth(0.2, 2, pale))
    freckles = smooth(1.9, 3.0, cloud(rng, 3.5, octaves=2)) * 0.4
    colour = mix(colour, rgb("96603f"), freckles)
    colour = mix(colour, rgb("9a5a48"), 0.30 * pores + 0.16 * (1 - net))
    colour = mix(colour, mix(rgb("6f432f"), rgb("40241a"), smooth(-0.8, 1.2, cloud(rng, 4, octaves=3))), 0.9 * mole)
    shade = relief(form, (-0.55, -0.5, 0.67)) * (0.35 + 0.65 * relief(0.62 * height, (-0.55, -0.5, 0.67)))
    gx, gy = slopes(0.8 * form + 0.75 * height)
    gloss = np.exp(-(((gx - 0.02) / 0.24) ** 2 + ((gy - 0.05) / 0.24) ** 2)) * np.exp(-(((X - 84) / 70) ** 2 + ((Y - 84) / 60) ** 2)) * smooth(-1.2, 1.5, fine + pale)
    picture = colour * shade[..., None] * 1.05 + 0.20 * gloss[..., None]
    image = Image.new("L", (N, N), 0)
    draw = ImageDraw.Draw(image)
    t = np.linspace(0, 1, 7)
    for _ in range(190):  # down
        x, y, a, length = rng.uniform(0, 256), rng.uniform(0, 256), rng.normal(0.9, 0.3), rng.uniform(5, 13)
        bend = rng.normal(0, 0.5)
        stroke(draw, x + length * t * np.cos(a + bend * t), y + length * t * np.sin(a + bend * t), [int(v) for v in rng.uniform(60, 150) * (1 - t[:-1])], [1] * 6)
    return mix(picture, rgb("f0d9c0"), 0.55 * np.asarray(image) / 255)


def face(rng):
    net, pores = grained(rng, 2.2)
    fine, soft = cloud(rng, 1.1, octaves=2), cloud(rng, 50, octaves=4)
    ex, ey, span = 92.0, 84.0, 50.0  # the eye and half its width
    s = (X - ex) / span
    lid = lambda s: np.clip(1 - s * s, 0, 1)
    tilt = 3.0 * s
    upper = ey + tilt - 17 * lid(s) ** 0.62 * (1 + 0.12 * s)
    lower = ey + tilt + 14 * lid(s) ** 0.8 * (1 - 0.18 * s)
    inside = smooth(-0.5, 0.5, Y - upper) * smooth(-0.5, 0.5, lower - Y) * (np.abs(s) < 1)

    # The form of the face: brow, socket, nose and cheek.
    bump = lambda x, y, a, b, turned=0.0: np.exp(-sum(((w / r) ** 2 for w, r in zip(turn(X - x, Y - y, turned), (a, b)))))
    form = 13 * bump(84, 36, 110, 30, 0.05) - 12 * bump(156, 76, 26, 34) + 9 * bump(92, 86, 60, 30)
    form += 40 * np.exp(-(((X - 246 + 0.03 * Y) / (30 + 0.09 * Y)) ** 2)) * smooth(-40, 170, Y) * smooth(212, 184, Y)
    form += 12 * bump(204, 176, 20, 15) + 18 * bump(60, 165, 70, 60) - 4 * bump(150, 204, 44, 16, -0.8)
    form += 8 * bump(216, 238, 60, 24) - 3 * bump(240, 208, 7, 12)
    crease = np.exp(-(((Y - (upper - 7.5 - 2 * lid(s))) / 1.1) ** 2)) * smooth(1.12, 0.9, np.abs(s))
    bag = np.exp(-(((Y - (lower + 8 + 3 * lid(s))) / 1.6) ** 2)) * smooth(1.0, 0.5, np.abs(s + 0.05))
    colour = mix(rgb("d6a88c"), rgb("c08370"), smooth(-2.4, 3.0, 0.6 * soft + 1.6 * bump(60, 170, 60, 50) + 1.6 * bump(210, 175, 30, 22)))
    wing = np.exp(-(((np.hypot((X - 206) / 26, (Y - 178) / 20) - 1) / 0.09) ** 2)) * smooth(196, 184, X) * smooth(150, 172, Y)
    colour = mix(colour, rgb("6f3d30"), 0.45 * wing)
    colour = mix(colour, rgb("a06a58"), 0.22 * pores + 0.12 * (1 - net) + 0.45 * bump(150, 82, 14, 16) + 0.30 * bump(92, 106, 50, 9))
    colour = mix(colour, rgb("8f5a41"), 0.35 * smooth(1.6, 3.0, cloud(rng, 3, octaves=2)) * smooth(90, 130, Y))
    height = 0.22 * net - 0.35 * pores + 0.10 * fine - 1.2 * crease - 0.5 * bag
    shade = (0.25 + 0.75 * relief(form, (-0.6, -0.45, 0.66))) * (0.4 + 0.6 * relief(0.55 * height, (-0.6, -0.45, 0.66))) * (1 - 0.5 * crease)
    gx, gy = slopes(form + 0.7 * height)
    gloss = np.exp(-(((gx + 0.55) / 0.4) ** 2 + ((gy + 0.45) / 0.45) ** 2)) * smooth(-1.5, 1.5, fine)
    picture = colour * shade[..., None] + 0.05 * gloss[..., None]
    nostril = smooth(1.15, 0.7, np.hypot((X - 214) / 10, (Y - 192 + 0.20 * (X - 214)) / 3.4))
    picture = mix(picture, rgb("2a120d"), 0.9 * nostril)

    # The eye: white, iris, pupil, and the window mirrored in it.
    r, around = np.hypot(X - 94, Y - 84), np.arctan2(Y - 82, X - 94)
    ball = mix(rgb("d9d0c8"), rgb("b5958a"), smooth(0.45, 1.0, np.abs(s)))
    ball = mix(ball, rgb("a8453c"), 0.22 * smooth(1.3, 2.2, cloud(rng, 9, 3, 4)) * smooth(0.3, 0.9, np.abs(s)))
    fibres = cloud(rng, 70, 1.5, 4, 0.65)[((around / 2 / np.pi + 0.5) * 900).astype(int) % N, np.clip(r * 4 * S, 0, N - 1).astype(int)]
    knots = cloud(rng, 12, 4, 3)[((around / 2 / np.pi + 0.5) * 900).astype(int) % N, np.clip(r * 4 * S, 0, N - 1).astype(int)]
    iris = mix(rgb("4f6a70"), rgb("a9bcb4"), smooth(-1.6, 1.8, fibres + 0.4 * knots))
    iris = mix(iris, rgb("8a6a3a") * (1 + 0.3 * fibres)[..., None].clip(0.2), smooth(12.5, 8, r + 1.2 * fibres) * 0.85)
    iris = mix(iris, rgb("141c20"), smooth(15.5, 19.0, r + 0.4 * fibres))
    iris = mix(iris, rgb("050404"), smooth(7.2, 6.4, r + 0.12 * fibres))
    ball = mix(ball, iris * (1 + 0.30 * smooth(-8, 16, Y - 84 + 0.4 * (X - 94)))[..., None], smooth(19.2, 17.8, r))
    ball = mix(ball, rgb("c47f74") * (1 + 0.15 * fine)[..., None], smooth(1.0, 0.6, np.hypot((X - ex - 45) / 7, (Y - ey - 3.5) / 4)))
    ball = ball * (1 - 0.75 * smooth(11, 0.5, Y - upper))[..., None] * (0.5 + 0.45 * np.cos(1.2 * s))[..., None]
    glass = smooth(0.4, -0.4, np.maximum(np.abs(X - 86 + 0.15 * (Y - 74)) - 3.3, np.abs(Y - 74) - 4.2)) * (1 - 0.8 * smooth(0.6, 0.2, np.abs(X - 86)))
    ball = ball + (0.8 * glass + 0.10 * smooth(6, 1, np.hypot(X - 103, Y - 93)))[..., None]
    picture = mix(picture, ball, inside)
    rim = np.exp(-(((Y - lower - 0.9) / 1.0) ** 2)) * (np.abs(s) < 0.96)
    picture = mix(picture, rgb("dca99a"), 0.75 * rim) + 0.25 * (np.exp(-(((Y - lower + 0.5) / 0.5) ** 2)) * (np.abs(s) < 0.9) * smooth(0.3, 1.4, cloud(rng, 6, octaves=2)))[..., None]
    picture = mix(picture, rgb("1d100c"), 0.8 * np.exp(-(((Y - upper + 0.6) / 1.3) ** 2)) * (np.abs(s) < 1.0))

    # The lips.
    m = (X - 240) / 92
    part = 234 + 2.5 * np.cos(m * 7) * (1 - np.abs(m)) + 5 * m * m + 0.4 * soft
    top = part - 17 * np.clip(1 - np.abs(m), 0, 1) ** 0.75 * (1 + 0.30 * np.exp(-(((np.abs(m) - 0.22) / 0.16) ** 2)) - 0.22 * np.exp(-((m / 0.12) ** 2)))
    low = part + 27 * np.clip(1 - m * m, 0, 1) ** 0.7
    lips = smooth(-0.8, 0.8, Y - top + 0.3 * fine) * smooth(-1, 1, low - Y) * (np.abs(m) < 1)
    wrinkles = cloud(rng, 2.0, 26, 3, 0.6)[np.arange(N)[:, None], np.clip((X + 0.5 * m * np.abs(Y - part)) * S, 0, N - 1).astype(int)]
    plump = 9 * np.sqrt(np.clip(1 - ((Y - (part + low) / 2) / 14) ** 2, 0, 1)) * (Y > part) + 5 * np.sqrt(np.clip(1 - ((Y - (part + top) / 2) / 11) ** 2, 0, 1)) * (Y < part)
    body = 0.7 * blur(plump, 1.5) + 0.32 * wrinkles + 0.1 * fine
    gx, gy = slopes(body)
    wet = np.exp(-(((gx + 0.1) / 0.35) ** 2 + ((gy + 0.28) / 0.24) ** 2)) * (Y > part + 2) * smooth(-1, 1.2, cloud(rng, 7, octaves=3) + 0.4 * wrinkles)
    flesh = mix(rgb("b0625a"), rgb("86403e"), smooth(-1.5, 1.8, wrinkles + 0.5 * soft)) * (0.35 + 0.65 * relief(body, (-0.5, -0.6, 0.63)))[..., None]
    flesh = flesh + 0.42 * wet[..., None]
    flesh = flesh * (1 - 0.9 * np.exp(-(((Y - part) / 1.2) ** 2)))[..., None] * (1 - 0.3 * (Y < part))[..., None]
    picture = mix(picture, flesh, lips)

    # Lashes and the brow.
    image = Image.fromarray((255 * to_srgb(picture) + 0.5).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    t = np.linspace(0, 1, 10)
    dark = [ink(rgb("140b08"))] * 9
    for _ in range(170):
        p = rng.uniform(-0.97, 0.86)
        x = ex + span * p
        y = ey + 3.0 * p - 17 * (1 - p * p) ** 0.62 * (1 + 0.12 * p)
        length, a = rng.uniform(9, 19) * (1 - 0.45 * smooth(0.2, 0.9, p)), -np.pi / 2 + 0.75 * p + rng.normal(0, 0.12)
        side = np.sign(p + 0.02) if abs(p) > 0.1 else rng.choice([-1, 1])
        stroke(draw, x + length * t * np.cos(a) + side * 0.16 * length * t**2, y + 1 + length * 0.32 * np.sin(np.pi * t) * 0.5 + length * t * np.sin(a) * (0.55 + 0.45 * t), dark, [4, 4, 4, 3, 3, 2, 2, 1, 1])
    for _ in range(70):
        p = rng.uniform(-0.93, 0.75)
        x, y = ex + span * p, ey + 3 * p + 14 * (1 - p * p) ** 0.8 * (1 - 0.18 * p) + 1.6
        length, a = rng.uniform(4, 9), np.pi / 2 - 0.75 * p + rng.normal(0, 0.2)
        stroke(draw, x + length * t * np.cos(a), y + length * t * np.sin(a) * (1 - 0.3 * t), [ink(rgb("3a241a"))] * 9, [3, 2, 2, 2, 2, 1, 1, 1, 1])
    for _ in range(1000):
        p, spread = rng.random() ** 0.9, rng.uniform(-1, 1)
        x = 160 - 142 * p
        y = 38 - 24 * np.sin(2.1 * p + 0.1) + 22 * p**3 + 7.5 * spread * min(1, 0.30 + 4 * p) * (1 - 0.8 * p**1.5)
        a = -np.pi / 2 - 1.25 * smooth(0, 0.35, p) - 0.75 * smooth(0.5, 1, p) - 0.45 * spread + rng.normal(0, 0.12)
        length = rng.uniform(6, 12) * (1 - 0.35 * p)
        tone = mix(rgb("3a251a"), rgb("7c5a44"), rng.random() ** 1.5)
        stroke(draw, x + length * t * np.cos(a - 0.3 * t), y + length * t * np.sin(a - 0.3 * t), [ink(tone)] * 9, [3, 3, 3, 2, 2, 2, 2, 1, 1])
    return drawn(image) * (1.05 + 0.05 * cloud(rng, 150, octaves=2))[..., None]


# --- letters -------------------------------------------------------------------------------------------------------


def text(rng):
    sheet = Image.new("L", (N, N), 0)
    draw = ImageDraw.Draw(sheet)
    serif, sans, slanted, bold, mono = "LiberationSerif-Regular", "LiberationSans-Regular", "LiberationSerif-Italic", "LiberationSerif-Bold", "LiberationMono-Regular"
    rows = [(bold, 24, "On Small Pictures"), (slanted, 12, "being a short account of how they are enlarged"), (None, 6, ""),
            (serif, 16, "A lens gathers light; a sensor"), (serif, 16, "counts it in squares. What falls"), (serif, 16, "between two squares is lost."), (None, 4, ""),
            (serif, 12, "The eye forgives a soft edge sooner than"), (serif, 12, "a false one: a leaf may be any leaf, but"), (serif, 12, "the letter e is not the letter c, nor 3 an 8."), (None, 4, ""),
            (sans, 9, "Table 4. Widths of 1 680 strokes, in µm: 0.38, 0.52,"), (sans, 9, "0.61, 0.77; mean 0.57 ± 0.09. Ink on rag paper."), (None, 4, ""),
            (serif, 8, "¹ The first edition has “graine” and “lense” throughout; see pp. 17–23"), (serif, 8, "and the plates at the end. Printed by J. Quill & Daughters, 1891."), (None, 3, ""),
            (sans, 7, "No part of this leaf was taken from another. ABCDEFGHIJKLM 0123456789"), (sans, 5.5, "The smallest line is there to be lost: few will read it without a glass, and none from memory."), (None, 4, ""),
            (mono, 10, "x = (a + b) / 2;  // mean of two"), (bold, 12, "Chapter II. Of Noise, and of Patience")]
    y = 6.0
    for name, size, words in rows:
        if name:
            draw.text((14 * S, y * S), words, font=font(name, size), fill=255)
        y += size * 1.17 if name else size
    sheet = np.asarray(sheet.rotate(-1.3, Image.BICUBIC)) / np.float32(255)
    tooth, fibre, stain = cloud(rng, 1.6, octaves=3), cloud(rng, 7, 1.5, 4), cloud(rng, 80, octaves=4)
    printed = smooth(0.20, 0.62, blur(sheet, 0.5) + 0.05 * tooth) * np.clip(0.90 + 0.05 * tooth, 0, 1)
    wave = 1.6 * cloud(rng, 160, 220, 2)
    paper = mix(rgb("e6dcc5"), rgb("d6c6a4"), smooth(-0.5, 2.8, stain)) * (1 + 0.02 * tooth + 0.015 * fibre)[..., None]
    paper = mix(paper, rgb("a48a62"), 0.5 * smooth(2.1, 2.7, cloud(rng, 5, octaves=3)))
    return mix(paper, rgb("241f1c"), printed) * (relief(wave + 0.035 * tooth + 0.035 * fibre) * (1.0 - 0.0009 * X - 0.0005 * (Y - 128)))[..., None]


def sign(rng):
    grit, rough, blot = cloud(rng, 1.1, octaves=2), cloud(rng, 8, octaves=5, gain=0.7), cloud(rng, 60, octaves=5)
    wall = rgb("b8ab98") * (1 + 0.06 * grit + 0.09 * blot)[..., None] * relief(0.55 * rough + 0.16 * grit)[..., None]
    crack = np.abs(cloud(rng, 70, octaves=5))
    wall = wall * (1 - 0.55 * smooth(0.03, 0.0, crack) * smooth(0.2, 1, blot))[..., None]
    box = lambda d, x, y: np.maximum(np.abs(x) - 112 + d, 0) ** 2 + np.maximum(np.abs(y) - 92 + d, 0) ** 2
    u, v = turn(X - 128, Y - 127, 0.014)
    outside = np.sqrt(box(9, u, v)) - 9
    cast = smooth(9, -5, np.sqrt(box(9, u - 4, v - 6)) - 9)
    wall = wall * (1 - 0.68 * cast)[..., None]
    letters = Image.new("L", (N, N), 0)
    draw = ImageDraw.Draw(letters)
    for words, y, name, size in (("ACUITY", 76, "LiberationSans-Bold", 50), ("BOAT HOUSE", 121, "LiberationSans-Bold", 29), ("Ropes, sails & small repairs", 158, "LiberationSerif-Italic", 16), ("open 9:30 – 17:45, not on Mondays", 183, "LiberationSans-Regular", 10.5)):
        draw.text((128 * S, y * S), words, font=font(name, size), fill=255, anchor="mm")
    draw.line([40 * S, 140 * S, 216 * S, 140 * S], fill=255, width=5)
    letters = np.asarray(letters.rotate(-0.8, Image.BICUBIC)) / np.float32(255)
    border = smooth(0.4, -0.4, np.abs(outside + 7) - 0.9)
    worn = smooth(1.25, 1.6, cloud(rng, 16, octaves=6, gain=0.75) + 0.35 * rough + 0.5 * smooth(-5, 0, outside))
    paint = np.maximum(letters, border) * (1 - 0.85 * smooth(1.2, 1.6, cloud(rng, 9, octaves=5, gain=0.8)))
    board = rgb("24463f") * (1 + 0.06 * grit + 0.16 * blot + 0.05 * rough)[..., None]
    scratch = smooth(2.2, 2.9, cloud(rng, 40, 0.8, 2)) * 0.35
    board = mix(mix(board, rgb("7f9a90"), scratch), rgb("e2d8bd") * (1 + 0.05 * grit + 0.05 * blot)[..., None], paint)
    rust = mix(rgb("6a3a22"), rgb("9c5d33"), smooth(-1, 1.5, rough)) * (1 + 0.2 * grit)[..., None]
    board = mix(board, rust, worn)
    height = 0.9 * smooth(0, -3, outside) + 0.35 * blur(paint, 0.6) - 0.45 * worn + 0.04 * grit + 0.03 * rough
    light = relief(height) * (1.05 - 0.0016 * (X - 128) - 0.0022 * (Y - 128)) * (1 + 0.06 * cloud(rng, 90, octaves=2))
    board = board * light[..., None] + 0.05 * np.exp(-(((u + 0.6 * v + 60) / 26) ** 2))[..., None]
    for x, y in ((-99, -79), (99, -79), (-99, 79), (99, 79)):  # screws
        a, b = u - x, v - y
        r, along = np.hypot(a, b), turn(a, b, rng.uniform(0, 3))
        run = np.exp(-((a / (1.6 + 0.03 * np.clip(b, 0, 90))) ** 2)) * smooth(0, 4, b) * smooth(rng.uniform(26, 50), 5, b)
        board = mix(board, rgb("7a4526"), 0.6 * run * smooth(-1.2, 0.8, cloud(rng, 2.5, 20, 3)))
        board = board * (1 - 0.6 * smooth(8.5, 4.5, np.hypot(a - 1, b - 1.4)))[..., None]
        dome = 2.6 * np.sqrt(np.clip(1 - (r / 6.2) ** 2, 0, 1)) - 1.6 * smooth(1.1, 0.7, np.abs(along[1])) * (r < 5.2)
        metal = mix(rgb("8f8b84"), rgb("7d5a3c"), 0.5 * smooth(0.2, 1.2, rough)) * (relief(blur(dome, 0.4) + 0.06 * grit) * (0.25 + 0.75 * smooth(0.5, 1.2, np.abs(along[1]) + (r > 5) * 2)))[..., None]
        board = mix(board, metal, smooth(5.6, 5.1, r))
    return mix(wall * (1.05 - 0.001 * (X + Y - 256))[..., None], board, smooth(0.3, -0.3, outside))


PICTURES = [("hair", hair), ("fur", fur), ("fabric-weave", fabric), ("denim", denim), ("knit", knit), ("grass", grass), ("grass-far", meadow),
            ("brick", brick), ("stone", stone), ("bark", bark), ("wood", wood), ("skin", skin), ("lips-and-eye", face), ("water", water),
            ("foliage", foliage), ("fern", fern), ("text", text), ("sign", sign), ("roof", roof), ("sand", sand)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("render.py FOLDER")
    os.makedirs(sys.argv[1], exist_ok=True)
    for number, (name, paint) in enumerate(PICTURES, 1):
        develop(paint(np.random.default_rng(number))).save(os.path.join(sys.argv[1], f"{number:02d}-{name}.png"), optimize=True)
