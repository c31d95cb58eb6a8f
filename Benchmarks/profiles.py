# profiles.py: ICC profiles of RGB spaces, and how far two colours are apart (CIEDE2000), for the scripts of this folder.
import math
import struct

D65, D50 = (0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290), (0.9642, 1.0, 0.8249)
BRADFORD = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def inverse(m):
    (a, b, c), (d, e, f), (g, h, i) = m
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return [[(e * i - f * h) / whole, (c * h - b * i) / whole, (b * f - c * e) / whole],
            [(f * g - d * i) / whole, (a * i - c * g) / whole, (c * d - a * f) / whole],
            [(d * h - e * g) / whole, (b * g - a * h) / whole, (a * e - b * d) / whole]]


class Space:
    """Primaries xy of red, green, blue under D65, and a gamma, or None for sRGB's curve."""

    def __init__(self, name, primaries, gamma=None):
        self.name, self.gamma = name, gamma
        columns = [(x / y, 1, (1 - x - y) / y) for x, y in primaries]
        rows = [list(row) for row in zip(*columns)]
        shares = times(inverse(rows), D65)
        self.matrix = [[value * share for value, share in zip(row, shares)] for row in rows]
        self.back = inverse(self.matrix)

    def linear(self, v):
        if self.gamma:
            return v**self.gamma
        return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4

    def encoded(self, v):
        v = min(max(0.0, v), 1.0)
        if self.gamma:
            return v ** (1 / self.gamma)
        return 12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055

    def profile(self):
        """A version 2 profile: the matrix adapted to D50 by Bradford's method."""
        scale = [b / a for a, b in zip(times(BRADFORD, D65), times(BRADFORD, D50))]
        adapted = [times(inverse(BRADFORD), [v * s for v, s in zip(times(BRADFORD, column), scale)]) for column in zip(*self.matrix)]

        def fixed(values):
            return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

        if self.gamma:
            curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(self.gamma * 256)) + bytes(2)
        else:
            curve = b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *[round(self.linear(i / 1023) * 65535) for i in range(1024)])
        words = self.name.encode() + b"\0"
        tags = [(b"desc", b"desc" + bytes(4) + struct.pack(">I", len(words)) + words + bytes(78)), (b"cprt", b"text" + bytes(4) + b"none\0"),
                (b"wtpt", b"XYZ " + bytes(4) + fixed(D50))]
        tags += [(name, b"XYZ " + bytes(4) + fixed(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), adapted)]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
        table, data, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
        for name, body in tags:
            table += name + struct.pack(">II", start + len(data), len(body))
            data += body + bytes(-len(body) % 4)
        header = struct.pack(">I", start + len(data)) + bytes(4) + b"\2\x40\0\0mntrRGB XYZ " + struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp"
        return header.ljust(68, b"\0") + fixed(D50).ljust(60, b"\0") + table + data


SRGB = Space("sRGB of our own", [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
DISPLAY_P3 = Space("P3 of our own", [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)])
ADOBE_RGB = Space("Adobe RGB of our own", [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], 563 / 256)


def lab(xyz):
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (v / white for v, white in zip(xyz, D65)))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def delta_e(p, q):
    """CIEDE2000 between two colours in Lab (Sharma, Wu and Dalal 2005)."""
    mean = (math.hypot(p[1], p[2]) + math.hypot(q[1], q[2])) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = p[1] * (1 + g), q[1] * (1 + g)
    c1, c2 = math.hypot(a1, p[2]), math.hypot(a2, q[2])
    h1, h2 = math.degrees(math.atan2(p[2], a1)) % 360, math.degrees(math.atan2(q[2], a2)) % 360
    dh = 0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    big_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    l, c = (p[0] + q[0]) / 2, (c1 + c2) / 2
    h = h1 + h2 if c1 * c2 == 0 else (h1 + dh / 2) % 360
    t = (1 - 0.17 * math.cos(math.radians(h - 30)) + 0.24 * math.cos(math.radians(2 * h)) + 0.32 * math.cos(math.radians(3 * h + 6))
         - 0.20 * math.cos(math.radians(4 * h - 63)))
    sl, sc, sh = 1 + 0.015 * (l - 50) ** 2 / math.sqrt(20 + (l - 50) ** 2), 1 + 0.045 * c, 1 + 0.015 * c * t
    turn = math.radians(30 * math.exp(-(((h - 275) / 25) ** 2)))
    rotation = -2 * math.sqrt(c**7 / (c**7 + 25**7)) * math.sin(2 * turn)
    ll, cc, hh = (q[0] - p[0]) / sl, (c2 - c1) / sc, big_h / sh
    return math.sqrt(max(0, ll * ll + cc * cc + hh * hh + rotation * cc * hh))
