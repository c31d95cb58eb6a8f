# render.py: paints the sample pictures of this folder, so that every pixel of them is ours.
# Needs Python 3 with numpy and Pillow; `python3 render.py` writes harbour.png, harbour.jpg, lighthouse.png (a part of it), logo.png and mug.png.
# Everything is painted large and reduced by area in linear light, as a lens and a sensor would, because a small
# picture with hard computer-made edges would be no fair example of a photograph.
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = os.path.dirname(os.path.abspath(__file__))


def to_linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def to_srgb(x):
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def reduce(picture, factor):
    """Mean over factor × factor blocks."""
    h, w, c = picture.shape
    return picture.reshape(h // factor, factor, w // factor, factor, c).mean((1, 3))


def fbm(rng, height, width, cells, octaves=6, gain=0.5, stretch=1.0):
    """Fractal value noise, 0…1; `cells` is the number of cells across the picture in the first octave."""
    total, amplitude, norm = np.zeros((height, width), np.float32), 1.0, 0.0
    for _ in range(octaves):
        rows = max(2, int(cells * stretch * height / width) + 2)
        grid = Image.fromarray(rng.random((rows, int(cells) + 2), dtype=np.float32))
        total += amplitude * np.asarray(grid.resize((width, height), Image.BICUBIC))
        norm += amplitude
        amplitude *= gain
        cells *= 2
        if cells > width / 2:
            break
    return total / norm


def smooth(edge0, edge1, x):
    t = np.clip((x - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    return a + (np.asarray(b, np.float32) - a) * t


# --- the harbour ---------------------------------------------------------------------------------------------------


def harbour(width=320, height=240, s=8):
    rng = np.random.default_rng(7)
    W, H = width * s, height * s
    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    u, v = x / W, y / H
    horizon = 0.56

    # Sky: a gradient, a low sun, and clouds.
    t = np.clip(v / horizon, 0, 1)[..., None]
    sky = mix(mix(np.float32([0.20, 0.40, 0.68]), [0.56, 0.72, 0.86], t), [0.99, 0.83, 0.62], t**4)
    distance = np.hypot(u - 0.30, (v - 0.47) * H / W)[..., None]
    sky = sky + np.float32([0.42, 0.28, 0.08]) * np.exp(-distance * 9) + np.float32([0.6, 0.55, 0.4]) * np.exp(-((distance / 0.028) ** 4))
    cloud = fbm(rng, H, W, 5, 8, 0.55, 2.6)
    cover = smooth(0.50, 0.72, cloud + 0.10 * (0.5 - np.abs(v - 0.2)))[..., None]
    light = smooth(-0.03, 0.03, np.roll(cloud, (-30, 30), (0, 1)) - cloud)[..., None]
    sky = mix(sky, mix(np.float32([1.0, 0.95, 0.88]), [0.60, 0.62, 0.70], light), cover * 0.85)
    picture = sky

    # Mountains: three ridges, the far ones paler.
    for k, (base, rough, colour) in enumerate(
        [(0.40, 0.19, [0.56, 0.63, 0.72]), (0.46, 0.15, [0.40, 0.47, 0.54]), (0.51, 0.10, [0.24, 0.33, 0.31])]
    ):
        ridge = base + rough * (0.5 - fbm(rng, 4, W, 4 + 3 * k, 9, 0.5)[1])
        ridge = np.minimum(ridge, horizon - 0.005)
        below = smooth(-0.7, 0.7, (v - ridge) * H)[..., None]
        rock = fbm(rng, H, W, 20 + 20 * k, 6, 0.6)
        slope = (np.roll(rock, 6, 1) - rock)[..., None]
        body = np.float32(colour) * (0.85 + 0.3 * rock[..., None] + 3.0 * slope)
        if k == 0:  # snow on the far ridge
            snow = smooth(0.055, 0.0, (v - ridge)[..., None] + 0.09 * (rock[..., None] - 0.5)) * smooth(0.40, 0.33, ridge)[..., None]
            body = mix(body, [0.93, 0.93, 0.96], snow)
        picture = mix(picture, body, below * (v < horizon)[..., None])

    # Sea: the mirrored shore, broken by waves that shrink towards the horizon.
    depth = np.clip((v - horizon) / (1 - horizon), 1e-4, 1)
    row = depth**0.45 * 60
    waves = np.sin(row * 5.2 + 9 * fbm(rng, H, W, 14, 5, 0.5, 6)) * 0.5 + fbm(rng, H, W, 60, 4, 0.6, 7) - 0.5
    source_y = np.clip((horizon * H - (v - horizon) * H * 1.15 + waves * 26 * depth), 0, horizon * H - 2).astype(int)
    source_x = np.clip(x + waves * 20 * depth, 0, W - 1).astype(int)
    sea = mix(picture[source_y, source_x] * 0.78, [0.05, 0.20, 0.27], 0.30 + 0.42 * depth[..., None])
    sea = sea * (1 + 0.35 * waves[..., None])
    glint = np.exp(-((u - 0.30) / (0.035 + 0.10 * depth)) ** 2) * smooth(0.42, 0.80, waves)
    sea = sea + glint[..., None] * np.float32([1.1, 0.85, 0.5])
    picture = np.where((v >= horizon)[..., None], sea, picture)

    canvas = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    P = lambda a, b: (a * W, b * H)

    # Sailing boats, with shrouds of less than a pixel.
    for bx, by, k, sail in [(0.47, 0.612, 1.0, (244, 236, 220)), (0.165, 0.588, 0.55, (226, 120, 78)), (0.60, 0.578, 0.33, (240, 240, 236))]:
        q = lambda a, b: P(bx + a * k, by + b * k * W / H)
        draw.polygon([q(-0.055, -0.004), q(0.062, -0.010), q(0.040, 0.016), q(-0.040, 0.016)], fill=(58, 36, 30))
        draw.line([q(-0.055, -0.004), q(0.062, -0.010)], fill=(230, 210, 180), width=max(2, int(8 * k)))
        draw.line([q(0.005, 0), q(0.005, -0.172)], fill=(70, 54, 44), width=max(3, int(9 * k)))
        for i in range(40):  # the sail is shaded across
            a, b = i / 40, (i + 1) / 40
            shade = 0.72 + 0.28 * np.sin(np.pi * (a * 0.8 + 0.15))
            colour = tuple(int(c * shade) for c in sail)
            draw.polygon([q(0.008 + 0.050 * a, -0.014 ), q(0.008, -0.165 + 0.151 * a), q(0.008, -0.165 + 0.151 * b), q(0.008 + 0.050 * b, -0.014)], fill=colour)
        draw.polygon([q(0.002, -0.150), q(0.002, -0.020), q(-0.048, -0.016)], fill=tuple(int(c * 0.86) for c in sail))
        for a in (-0.052, -0.03, 0.03, 0.06):
            draw.line([q(0.005, -0.170), q(a, -0.006)], fill=(50, 44, 44), width=max(1, int(4 * k)))

    # The headland with the lighthouse.
    xs = np.linspace(0.62, 1.0, 300)
    land = 0.60 - 0.075 * smooth(0.64, 0.82, xs) - 0.02 * (fbm(rng, 4, 300, 9, 6)[1] - 0.5)
    land[0] = 0.605
    mask = Image.new("L", (W, H), 0)
    ImageDraw.Draw(mask).polygon([P(a, b) for a, b in zip(xs, land)] + [P(1, 0.70), P(0.80, 0.665), P(0.62, 0.605)], fill=255)
    rock = fbm(rng, H, W, 30, 7, 0.62, 1.6)
    lit = (np.roll(rock, (10, 10), (0, 1)) - rock) * 5
    stone = np.float32([0.40, 0.35, 0.30]) * (0.75 + 0.6 * rock[..., None] + lit[..., None])
    top = smooth(0.09, 0.0, v - np.interp(u, xs, land) + 0.05 * (rock - 0.5))[..., None]
    stone = mix(stone, np.float32([0.33, 0.42, 0.19]) * (0.6 + 0.9 * rock[..., None] + 0.5 * lit[..., None]), top)
    canvas.paste(Image.fromarray((np.clip(stone, 0, 1) * 255).astype(np.uint8)), mask=mask)

    tower = Image.new("RGBA", (W, H), (0, 0, 0, 0))
    a = np.asarray(tower).copy().astype(np.float32) / 255
    cx, bottom, crown = 0.835, 0.545, 0.195
    half = 0.022 + 0.014 * np.clip((v - crown) / (bottom - crown), 0, 1)
    across = (u - cx) / half
    inside = (np.abs(across) < 1) & (v > crown) & (v < bottom)
    round_shade = np.sqrt(np.clip(1 - across**2, 0, 1)) * 0.55 + 0.40 * np.clip(0.5 - across * 0.7, 0, 1) + 0.12
    turn = np.arcsin(np.clip(across, -1, 1))
    band = np.floor((v - crown) / (bottom - crown) * 5) % 2
    brick_row = np.floor(v * H / 22)
    joint = ((v * H) % 22 < 3) | (((turn * 140 + 20 * (brick_row % 2)) % 40) < 3)
    colour = np.where(band[..., None] > 0, np.float32([0.94, 0.92, 0.88]), np.float32([0.78, 0.16, 0.13]))
    colour = colour * (1 - 0.16 * joint[..., None]) * round_shade[..., None] * (0.93 + 0.14 * rock[..., None])
    arr = np.asarray(canvas).astype(np.float32) / 255
    arr = np.where(inside[..., None], np.clip(colour, 0, 1), arr)
    canvas = Image.fromarray((arr * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for wy in (0.285, 0.375, 0.465):
        draw.rectangle([P(cx - 0.005, wy), P(cx + 0.005, wy + 0.026)], fill=(28, 30, 38), outline=(220, 214, 200), width=5)
    draw.rectangle([P(cx - 0.034, 0.187), P(cx + 0.034, 0.197)], fill=(44, 42, 46))  # gallery
    for i in range(15):
        gx = cx - 0.033 + 0.066 * i / 14
        draw.line([P(gx, 0.162), P(gx, 0.188)], fill=(34, 32, 36), width=4)
    draw.line([P(cx - 0.034, 0.162), P(cx + 0.034, 0.162)], fill=(34, 32, 36), width=6)
    draw.rectangle([P(cx - 0.016, 0.132), P(cx + 0.016, 0.187)], fill=(255, 236, 170))  # lantern
    for i in range(5):
        gx = cx - 0.016 + 0.032 * i / 4
        draw.line([P(gx, 0.132), P(gx, 0.187)], fill=(40, 40, 44), width=6)
    draw.pieslice([P(cx - 0.020, 0.105), P(cx + 0.020, 0.160)], 180, 360, fill=(120, 28, 26))
    draw.line([P(cx, 0.105), P(cx, 0.065)], fill=(40, 40, 44), width=6)
    # The keeper's house: weatherboards, a tiled roof, a name board.
    hx, hy = 0.885, 0.475
    draw.rectangle([P(hx, hy), P(hx + 0.098, hy + 0.075)], fill=(232, 226, 210))
    for i in range(14):
        yy = hy + 0.075 * i / 14
        draw.line([P(hx, yy), P(hx + 0.098, yy)], fill=(190, 184, 170), width=3)
    draw.polygon([P(hx - 0.010, hy), P(hx + 0.108, hy), P(hx + 0.092, hy - 0.058), P(hx + 0.008, hy - 0.058)], fill=(138, 62, 46))
    for i in range(9):
        yy = hy - 0.058 * i / 9
        draw.line([P(hx - 0.010 + 0.002 * i, yy), P(hx + 0.108 - 0.002 * i, yy)], fill=(96, 40, 32), width=4)
    for i in range(24):
        draw.line([P(hx - 0.010 + 0.118 * i / 24, hy), P(hx + 0.008 + 0.084 * i / 24, hy - 0.058)], fill=(110, 48, 38), width=3)
    for wx in (0.012, 0.066):
        draw.rectangle([P(hx + wx, hy + 0.018), P(hx + wx + 0.020, hy + 0.050)], fill=(52, 74, 92), outline=(250, 250, 246), width=7)
        draw.line([P(hx + wx + 0.010, hy + 0.018), P(hx + wx + 0.010, hy + 0.050)], fill=(250, 250, 246), width=5)
        draw.line([P(hx + wx, hy + 0.034), P(hx + wx + 0.020, hy + 0.034)], fill=(250, 250, 246), width=5)
    draw.rectangle([P(hx + 0.040, hy + 0.024), P(hx + 0.058, hy + 0.075)], fill=(52, 84, 66))

    # The near shore: grass, a plank wall with lettering, mossy stones, a buoy.
    arr = np.asarray(canvas).astype(np.float32) / 255
    shore = 0.845 + 0.05 * np.sin(u * 3.4 + 0.6) - 0.06 * smooth(0.55, 1.0, u) + 0.012 * (fbm(rng, 4, W, 12, 6)[1] - 0.5)
    ground = np.float32([0.22, 0.27, 0.11]) * (0.5 + 1.0 * fbm(rng, H, W, 50, 6, 0.7)[..., None])
    arr = mix(arr, ground, smooth(-2, 2, (v - shore) * H)[..., None])
    for bx, by, r, tint in [(0.30, 0.868, 0.030, [0.45, 0.43, 0.40]), (0.355, 0.885, 0.022, [0.38, 0.36, 0.35]), (0.245, 0.888, 0.019, [0.50, 0.46, 0.40]),
                            (0.41, 0.80, 0.026, [0.86, 0.22, 0.10])]:
        dx, dy = (u - bx) / r, (v - by) * H / W / r
        rr = dx**2 + dy**2
        z = np.sqrt(np.clip(1 - rr, 0, 1))
        buoy = tint[0] > 0.8
        diffuse = np.clip(-0.55 * dx - 0.6 * dy + 0.55 * z, 0, 1)
        albedo = np.broadcast_to(np.float32(tint), arr.shape)
        if buoy:
            albedo = np.where((np.abs(dy + 0.1) < 0.26)[..., None], np.float32([0.95, 0.94, 0.90]), albedo)
        else:
            albedo = albedo * (0.6 + 0.9 * fbm(rng, H, W, 90, 5, 0.7)[..., None])
        body = albedo * (0.20 + 0.95 * diffuse[..., None]) + (np.clip(diffuse, 0, 1)[..., None] ** 24) * (0.7 if buoy else 0.08)
        if buoy:  # the part under water
            body = mix(body, [0.06, 0.17, 0.21], smooth(0.55, 0.60, dy)[..., None] * 0.8)
        arr = mix(arr, body, smooth(1.01, 0.99, rr)[..., None])
    canvas = Image.fromarray((np.clip(arr, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    patches = fbm(rng, 64, 64, 5, 5, 0.6)
    patches = (patches - patches.min()) / np.ptp(patches)
    for along in np.sort(rng.random(16000)):  # grass, the far blades first
        gx = rng.random()
        gy = 0.845 + 0.05 * np.sin(gx * 3.4 + 0.6) - 0.06 * smooth(0.55, 1.0, gx) + 0.25 * along**1.2 + 0.004
        length, lean = (0.012 + 0.040 * rng.random()) * (0.5 + 3.2 * max(0, gy - 0.80)), rng.normal(0.2, 0.4)
        k = rng.random() * (0.25 + 0.9 * patches[int(min(63, max(0, gy - 0.75) * 250)), int(gx * 63)])
        k *= 0.45 + 0.55 * float(smooth(0.0, 0.10, np.hypot((gx - 0.13) * 0.6, gy - 0.95)))  # the tree's shadow
        tone = (int(34 + 130 * k), int(50 + 122 * k), int(16 + 34 * rng.random()))
        if rng.random() < 0.006 and along > 0.1:  # a flower
            draw.ellipse([gx * W - 9, gy * H - 9, gx * W + 9, gy * H + 7], fill=(250, 246, 230) if k > 0.3 else (240, 196, 60))
        draw.line([P(gx, gy), P(gx + lean * length * 0.5, gy - length * 0.7), P(gx + lean * length * 1.3, gy - length)], fill=tone, width=int(3 + 4 * rng.random()))
    board = Image.new("RGB", (int(0.29 * W), int(0.115 * H)), (96, 68, 46))
    grain = fbm(rng, board.height, board.width, 6, 7, 0.7, 14)[..., None]
    planks = np.float32([0.46, 0.34, 0.23]) * (0.6 + 0.8 * grain)
    planks[(np.arange(board.height) % (board.height // 4)) < 6] *= 0.45
    board = Image.fromarray((np.clip(planks, 0, 1) * 255).astype(np.uint8))
    bd = ImageDraw.Draw(board)
    bd.text((board.width / 2, board.height * 0.32), "ACUITY HARBOUR", font=ImageFont.load_default(82), fill=(246, 240, 224), anchor="mm", stroke_width=1)
    bd.text((board.width / 2, board.height * 0.74), "FERRY 9:45 · FISH · ROPES & SAILS", font=ImageFont.load_default(40), fill=(238, 222, 180), anchor="mm")
    bx, by = int(0.655 * W), int(0.815 * H)
    for post in (0.02, 0.25):
        draw.rectangle([bx + post * W, by - 0.01 * H, bx + (post + 0.016) * W, by + 0.19 * H], fill=(70, 50, 36))
    canvas.paste(board, (bx, by))
    draw.rectangle([bx, by, bx + board.width, by + board.height], outline=(52, 36, 26), width=8)

    # A fractal tree on the left.
    def branch(px, py, angle, length, thick, depth_left):
        qx, qy = px + length * np.cos(angle), py - length * np.sin(angle) * W / H
        bark = int(40 + 30 * rng.random())
        draw.line([P(px, py), P(qx, qy)], fill=(bark + 4, bark - 10, bark - 20), width=max(2, int(thick)))
        if thick > 8:  # the lit side
            draw.line([(px * W - thick * 0.2, py * H), (qx * W - thick * 0.14, qy * H)], fill=(bark + 44, bark + 22, bark), width=int(thick * 0.45))
        if depth_left == 0:
            for _ in range(13):
                lx, ly = qx + rng.normal(0, 0.012), qy + rng.normal(0, 0.014)
                k = np.clip(0.55 * rng.random() + 2.6 * (0.46 - ly), 0, 1) ** 1.3
                tone = (int(26 + 130 * k), int(48 + 118 * k), int(18 + 26 * k))
                r, e = 5 + 8 * rng.random(), 0.5 + 0.5 * rng.random()
                draw.ellipse([lx * W - r, ly * H - r * e, lx * W + r, ly * H + r * e], fill=tone)
            return
        for turn_by in (0.42, -0.36) if depth_left > 6 else (0.48, 0.02, -0.44) if depth_left % 3 == 0 else (0.45, -0.42):
            branch(qx, qy, angle + turn_by + rng.normal(0, 0.13), length * (0.76 + 0.08 * rng.random()), thick * 0.68, depth_left - 1)

    branch(0.055, 0.93, 1.50, 0.105, 64, 8)
    # Gulls.
    for gx, gy, k in [(0.55, 0.20, 1.0), (0.60, 0.235, 0.8), (0.66, 0.17, 0.7), (0.51, 0.25, 0.6)]:
        draw.arc([P(gx - 0.022 * k, gy), P(gx, gy + 0.022 * k)], 200, 350, fill=(60, 60, 70), width=int(9 * k))
        draw.arc([P(gx, gy), P(gx + 0.022 * k, gy + 0.022 * k)], 190, 340, fill=(60, 60, 70), width=int(9 * k))

    arr = to_linear(np.asarray(canvas).astype(np.float32) / 255)
    small = to_srgb(reduce(arr, s))
    return Image.fromarray((small * 255 + 0.5).astype(np.uint8))


# --- the logo ------------------------------------------------------------------------------------------------------


def logo(side=128, s=8):
    """A lens over a letter, with a soft shadow, on nothing."""
    S = side * s
    y, x = (np.mgrid[0:S, 0:S].astype(np.float32) + 0.5) / S
    rgba = np.zeros((S, S, 4), np.float32)

    def over(colour, alpha):
        a = alpha[..., None]
        rgba[..., :3] = np.float32(colour) * a + rgba[..., :3] * (1 - a)  # premultiplied
        rgba[..., 3:] = a + rgba[..., 3:] * (1 - a)

    edge = 0.7 / S
    disc = np.hypot(x - 0.44, y - 0.44)
    over(np.broadcast_to(np.float32([0, 0, 0]), rgba[..., :3].shape), 0.35 * smooth(0.46, 0.34, np.hypot(x - 0.46, y - 0.485)))
    along = ((x - 0.44) + (y - 0.44)) / np.sqrt(2)
    aside = ((x - 0.44) - (y - 0.44)) / np.sqrt(2)
    handle = (np.abs(aside) < 0.052 - 0.01 * np.abs(along - 0.5)) & (along > 0.30) & (along < 0.62 - 3 * aside**2)
    over(mix(np.broadcast_to(np.float32([0.09, 0.11, 0.17]), rgba[..., :3].shape), [0.44, 0.50, 0.62], smooth(0.05, -0.05, aside)[..., None]), handle.astype(np.float32))
    over(mix(np.broadcast_to(np.float32([0.06, 0.45, 0.72]), rgba[..., :3].shape), [0.35, 0.86, 0.80], smooth(0.1, 0.8, (x + y) / 1.4)[..., None]), smooth(0.36 + edge, 0.36 - edge, disc))
    glyph = Image.new("L", (S, S), 0)
    d = ImageDraw.Draw(glyph)
    q = lambda a, b: (a * S, b * S)
    d.polygon([q(0.44, 0.20), q(0.63, 0.66), q(0.555, 0.66), q(0.44, 0.36), q(0.325, 0.66), q(0.25, 0.66)], fill=255)
    d.polygon([q(0.36, 0.52), q(0.52, 0.52), q(0.54, 0.57), q(0.34, 0.57)], fill=255)
    over(np.broadcast_to(np.float32([1, 1, 1]), rgba[..., :3].shape), np.asarray(glyph).astype(np.float32) / 255)
    over(np.broadcast_to(np.float32([1, 1, 1]), rgba[..., :3].shape), 0.38 * smooth(0.34, 0.335, disc) * smooth(0.335, 0.345, np.hypot(x - 0.52, y - 0.56)))
    over(mix(np.broadcast_to(np.float32([0.10, 0.12, 0.18]), rgba[..., :3].shape), [0.62, 0.68, 0.78], smooth(0.75, 0.25, (x + y) / 1.2)[..., None]),
         smooth(0.345 - edge, 0.345 + edge, disc) * smooth(0.395 + edge, 0.395 - edge, disc))
    small = reduce(rgba, s)
    alpha = small[..., 3:]
    colour = np.where(alpha > 0, small[..., :3] / np.maximum(alpha, 1e-6), 0)
    return Image.fromarray((np.concatenate([colour, alpha], 2) * 255 + 0.5).astype(np.uint8), "RGBA")


# --- the mug -------------------------------------------------------------------------------------------------------


def mug(width=256, height=256, s=4):
    """A printed mug and its box on a white table, ray-marched through signed distances."""
    rng = np.random.default_rng(3)
    W, H = width * s, height * s
    band = Image.new("RGB", (2048, 512), (238, 232, 220))
    d = ImageDraw.Draw(band)
    d.rectangle([0, 0, 2048, 70], fill=(24, 78, 96))
    d.rectangle([0, 442, 2048, 512], fill=(24, 78, 96))
    for i in range(0, 2048, 32):
        d.polygon([(i, 70), (i + 16, 96), (i + 32, 70)], fill=(24, 78, 96))
        d.polygon([(i, 442), (i + 16, 416), (i + 32, 442)], fill=(24, 78, 96))
    for cx in (512, 1536):
        d.text((cx, 190), "MORNING", font=ImageFont.load_default(122), fill=(176, 52, 32), anchor="mm", stroke_width=2)
        d.text((cx, 300), "HARBOUR ROAST", font=ImageFont.load_default(70), fill=(24, 78, 96), anchor="mm")
        d.text((cx, 372), "dark · 250 ml · since 1867", font=ImageFont.load_default(40), fill=(60, 60, 60), anchor="mm")
    band = np.asarray(band).astype(np.float32) / 255
    label = Image.new("RGB", (512, 720), (214, 174, 122))
    d = ImageDraw.Draw(label)
    d.rectangle([30, 40, 482, 330], fill=(248, 244, 234))
    d.text((256, 110), "ROAST", font=ImageFont.load_default(110), fill=(130, 44, 26), anchor="mm", stroke_width=2)
    d.text((256, 200), "whole beans", font=ImageFont.load_default(52), fill=(40, 40, 40), anchor="mm")
    d.text((256, 270), "500 g  No. 7", font=ImageFont.load_default(52), fill=(40, 40, 40), anchor="mm")
    d.rectangle([90, 420, 422, 620], fill=(255, 255, 255))
    bx = 110
    while bx < 400:
        bar = int(rng.integers(4, 14))
        d.rectangle([bx, 436, bx + bar, 570], fill=(16, 16, 16))
        bx += bar + int(rng.integers(4, 12))
    d.text((256, 596), "4 006381 333931", font=ImageFont.load_default(36), fill=(16, 16, 16), anchor="mm")
    label = np.asarray(label).astype(np.float32) / 255

    def cylinder(p, radius, low, high, rounding):
        a = np.hypot(p[..., 0], p[..., 2]) - radius + rounding
        b = np.abs(p[..., 1] - (low + high) / 2) - (high - low) / 2 + rounding
        return np.minimum(np.maximum(a, b), 0) + np.hypot(np.maximum(a, 0), np.maximum(b, 0)) - rounding

    BOX = np.float32([-1.30, 0.95, -0.75]), np.float32([0.55, 0.95, 0.40]), 0.45

    def in_box(p):
        q = p - BOX[0]
        c, n = np.cos(BOX[2]), np.sin(BOX[2])
        return np.stack([c * q[..., 0] + n * q[..., 2], q[..., 1], -n * q[..., 0] + c * q[..., 2]], -1)

    def parts(p):
        q = p - np.float32([0.45, 0, 0.1])
        body = cylinder(q, 0.80, 0.02, 1.72, 0.06)
        body = np.maximum(body, -cylinder(q, 0.71, 0.14, 2.2, 0.08))
        h = q - np.float32([0.86, 0.90, 0])
        ring = np.hypot(h[..., 0] * 1.05, h[..., 1] * 0.82) - 0.42
        handle = np.hypot(ring, h[..., 2]) - 0.105
        handle = np.maximum(handle, -(np.hypot(q[..., 0], q[..., 2]) - 0.74))
        blend = np.clip(0.5 + 0.5 * (handle - body) / 0.08, 0, 1)
        cup = handle + (body - handle) * blend - 0.08 * blend * (1 - blend)
        coffee = np.maximum(np.hypot(q[..., 0], q[..., 2]) - 0.72, np.abs(q[..., 1] - 0.8) - 0.72)
        e = np.abs(in_box(p)) - BOX[1] + 0.03
        box = np.linalg.norm(np.maximum(e, 0), axis=-1) + np.minimum(e.max(-1), 0) - 0.03
        return np.stack([p[..., 1], cup, coffee, box], -1)

    def field(p):
        return parts(p).min(-1)

    def march(o, direction, steps, far):
        t = np.full(o.shape[:-1], 0.01, np.float32)
        for _ in range(steps):
            t = np.minimum(t + field(o + direction * t[..., None]) * 0.9, far)
        return t

    eye, target = np.float32([0.9, 2.75, 5.6]), np.float32([0.02, 0.80, 0.0])
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 1, 0]).astype(np.float32)
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    result = np.zeros((H, W, 3), np.float32)
    for first in range(0, H, 64):  # in strips, to keep memory small
        yy, xx = np.mgrid[first : min(H, first + 64), 0:W].astype(np.float32)
        a, b = (xx + 0.5 - W / 2) / W * 0.70, -(yy + 0.5 - H / 2) / W * 0.70
        ray = forward + right * a[..., None] + up * b[..., None]
        ray = (ray / np.linalg.norm(ray, axis=-1, keepdims=True)).astype(np.float32)
        o = np.broadcast_to(eye, ray.shape)
        t = march(o, ray, 80, 20)
        p = o + ray * t[..., None]
        which = parts(p).argmin(-1)
        step = np.float32(2e-3)
        n = np.stack([field(p + step * np.eye(3, dtype=np.float32)[i]) - field(p - step * np.eye(3, dtype=np.float32)[i]) for i in range(3)], -1)
        n /= np.linalg.norm(n, axis=-1, keepdims=True) + 1e-9
        # Colours.
        albedo = np.full(p.shape, 0.93, np.float32)
        q = p - np.float32([0.45, 0, 0.1])
        angle = np.arctan2(q[..., 0], q[..., 2])
        iu = (np.mod(angle / (2 * np.pi) + 0.215, 1) * 2047).astype(int)
        iv = np.clip((1.52 - q[..., 1]) / 1.30 * 511, -1, 512).astype(int)
        printed = (np.hypot(q[..., 0], q[..., 2]) > 0.77) & (np.hypot(q[..., 0], q[..., 2]) < 0.815) & (iv >= 0) & (iv < 512)
        cup = np.where(printed[..., None], to_linear(band[np.clip(iv, 0, 511), iu]), np.float32([0.86, 0.83, 0.76]))
        albedo = np.where((which == 1)[..., None], cup, albedo)
        albedo = np.where((which == 2)[..., None], np.float32([0.045, 0.018, 0.008]), albedo)
        r = in_box(p)
        lu = np.clip((r[..., 0] / BOX[1][0] + 1) / 2 * 511, 0, 511).astype(int)
        lv = np.clip((1 - r[..., 1] / BOX[1][1]) / 2 * 719, 0, 719).astype(int)
        face = r[..., 2] > BOX[1][2] - 0.03
        carton = np.where(face[..., None], to_linear(label[lv, lu]), np.float32([0.62, 0.40, 0.20]))
        albedo = np.where((which == 3)[..., None], carton, albedo)
        # One soft window light, its shadow, the sky's light with occlusion, and a gloss.
        light = np.float32([-0.52, 0.72, 0.46])
        light /= np.linalg.norm(light)
        shade = np.ones(t.shape, np.float32)
        so, st = p + n * 0.02, np.full(t.shape, 0.03, np.float32)
        for _ in range(36):
            near = field(so + light * st[..., None])
            shade = np.minimum(shade, np.clip(0.5 + 0.5 * 7 * near / st, 0, 1))
            st = st + np.clip(near, 0.03, 0.25)
        occlusion = np.ones(t.shape, np.float32)
        for k in (0.05, 0.12, 0.25, 0.45):
            occlusion -= 0.30 * np.clip(1 - field(p + n * k) / k, 0, 1) * (0.55 / (1 + 2 * k))
        occlusion = np.clip(occlusion, 0, 1)
        diffuse = np.clip((n * light).sum(-1), 0, 1) * shade**2
        mirror = ray - 2 * (ray * n).sum(-1, keepdims=True) * n
        gloss = np.where(which == 1, 0.55, np.where(which == 2, 0.8, 0.0)) * np.clip((mirror * light).sum(-1), 0, 1) ** 60 * shade
        fresnel = np.where((which == 1) | (which == 2), 0.04 + 0.5 * (1 - np.clip(-(ray * n).sum(-1), 0, 1)) ** 5, 0)
        colour = albedo * (0.78 * diffuse * np.float32(1))[..., None] * np.float32([1.0, 0.97, 0.92])
        colour += albedo * (occlusion * (0.30 + 0.12 * n[..., 1]))[..., None] * np.float32([0.92, 0.97, 1.05])
        colour += gloss[..., None] + (fresnel * np.clip(mirror[..., 1], 0, 1))[..., None] * 0.7
        # The table fades into a white studio.
        fade = np.where(which == 0, smooth(2.2, 7.0, np.hypot(p[..., 0], p[..., 2])), (t >= 19.9).astype(np.float32))
        colour = mix(colour, [0.93, 0.94, 0.95], fade[..., None])
        result[first : first + yy.shape[0]] = colour
    small = to_srgb(reduce(np.clip(result, 0, 1), s))
    return Image.fromarray((small * 255 + 0.5).astype(np.uint8))


if __name__ == "__main__":
    picture = harbour()
    picture.save(os.path.join(HERE, "harbour.png"), optimize=True)
    picture.save(os.path.join(HERE, "harbour.jpg"), quality=85)
    picture.crop((205, 20, 315, 130)).save(os.path.join(HERE, "lighthouse.png"), optimize=True)
    logo().save(os.path.join(HERE, "logo.png"), optimize=True)
    mug().save(os.path.join(HERE, "mug.png"), optimize=True)
