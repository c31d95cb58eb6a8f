# render.py: draws the twelve pictures of docs/text.md, makes them small as the world does, and puts results side by side.
# Needs Python 3 with Pillow and the fonts DejaVu and Liberation; docs/text/make.sh runs it.
#   render.py draw FOLDER            FOLDER/NAME.truth.png and the small FOLDER/NAME.png or .jpg
#   render.py sheet FOLDER OUT       OUT/NAME.jpg: small (nearest) | Lanczos | fast | text | truth, a part of each at 100 %
import os
import random
import sys

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT, ZOOM, SCALE = 480, 320, 2, 4  # Drawn on a grid of 480 × 320, twice as large.
BOOKS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/truetype/liberation", "/usr/share/fonts/truetype/liberation2")


def font(name, size):
    for folder in BOOKS:
        path = os.path.join(folder, name + ".ttf")
        if os.path.exists(path):
            return ImageFont.truetype(path, ZOOM * size)
    raise SystemExit(f"render.py: no font {name}")


def sans(size, bold=False):
    return font("LiberationSans-" + ("Bold" if bold else "Regular"), size)


def serif(size):
    return font("LiberationSerif-Regular", size)


def mono(size):
    return font("DejaVuSansMono", size)


class Pen:
    """Draws what is told in the grid's units."""

    def __init__(self, picture):
        self.draw = ImageDraw.Draw(picture)

    def textlength(self, *arguments, **options):
        return self.draw.textlength(*arguments, **options) / ZOOM

    def __getattr__(self, name):
        def zoomed(value):
            return type(value)(map(zoomed, value)) if isinstance(value, (list, tuple)) else value * ZOOM

        def method(place, *arguments, **options):
            if name == "rounded_rectangle":
                arguments = (arguments[0] * ZOOM, *arguments[1:])
            options = {key: value * ZOOM if key in ("width", "stroke_width") else value for key, value in options.items()}
            getattr(self.draw, name)(zoomed(place), *arguments, **options)

        return method


def page(colour):
    picture = Image.new("RGB", (ZOOM * WIDTH, ZOOM * HEIGHT), colour)
    return picture, Pen(picture)


def example(name):
    """Our sample picture, as large as a page."""
    picture = Image.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Examples", name)).convert("RGB")
    picture = picture.resize((ZOOM * WIDTH, ZOOM * HEIGHT), Image.LANCZOS)
    return picture, Pen(picture)


def lines(draw, place, texts, face, fill, step):
    x, y = place
    for text in texts:
        draw.text((x, y), text, font=face, fill=fill)
        y += step


def paper(picture, seed, strength):
    """Grain and a soft shadow, as a scanner or a camera sees paper."""
    noise = random.Random(seed)
    grain = Image.frombytes("L", picture.size, bytes(min(255, max(0, round(noise.gauss(128, strength)))) for _ in range(picture.width * picture.height)))
    grain = grain.filter(ImageFilter.GaussianBlur(1.4))
    shade = Image.linear_gradient("L").resize(picture.size).point(lambda v: 120 + v // 16)
    both = Image.blend(grain, shade, 0.5)
    bands = (bytes(min(255, max(0, a + b - 126)) for a, b in zip(band.tobytes(), both.tobytes())) for band in picture.split())
    return Image.merge("RGB", [Image.frombytes("L", picture.size, band) for band in bands])


def food():
    picture, draw = page((250, 247, 236))
    draw.rectangle((12, 12, 467, 307), outline=(20, 20, 20), width=3)
    draw.text((24, 20), "Nutrition facts", font=sans(34, True), fill=(20, 20, 20))
    draw.line((24, 66, 456, 66), fill=(20, 20, 20), width=8)
    rows = [("Energy", "1 573 kJ / 376 kcal"), ("Fat", "9.8 g"), ("  of which saturates", "1.2 g"), ("Carbohydrate", "58 g"), ("  of which sugars", "0.9 g"), ("Fibre", "11 g"), ("Salt", "0.03 g")]
    for i, (name, value) in enumerate(rows):
        y = 82 + i * 32
        draw.text((24, y), name, font=sans(23), fill=(20, 20, 20))
        draw.text((456, y), value, font=sans(23, True), fill=(20, 20, 20), anchor="ra")
        draw.line((24, y + 29, 456, y + 29), fill=(120, 120, 120), width=1)
    return picture


def parcel():
    picture, draw = page((255, 255, 255))
    draw.rectangle((0, 0, WIDTH, 54), fill=(255, 204, 0))
    draw.text((16, 8), "PRIORITY", font=sans(36, True), fill=(200, 0, 20))
    lines(draw, (16, 68), ["To: Zoë Håkansson", "Storgatan 17 B, 3 tr", "SE-903 26 Umeå", "Sweden"], sans(26), (0, 0, 0), 33)
    bars, x = random.Random(5), 16
    while x < 450:
        w = bars.choice((2, 2, 4, 6))
        draw.rectangle((x, 214, x + w - 1, 276), fill=(0, 0, 0))
        x += w + bars.choice((2, 4, 4))
    draw.text((16, 282), "RR 482 917 603 SE", font=mono(25), fill=(0, 0, 0))
    return picture


def code():
    picture, draw = page((30, 30, 46))
    colours = {"k": (203, 166, 247), "t": (205, 214, 244), "s": (166, 227, 161), "n": (250, 179, 135), "c": (127, 132, 156)}
    text = [[("c", "// Sums of squares, in place.")], [("k", "func "), ("t", "energy(_ v: ["), ("n", "Float"), ("t", "]) -> "), ("n", "Float"), ("t", " {")],
            [("k", "    var "), ("t", "sum: Float = "), ("n", "0.0")], [("k", "    for "), ("t", "x "), ("k", "in "), ("t", "v { sum += x * x }")],
            [("k", "    if "), ("t", "sum.isNaN { "), ("k", "return "), ("n", "-1"), ("t", " }")], [("k", "    print"), ("t", "("), ("s", "\"E = \\(sum) J\""), ("t", ")")], [("k", "    return "), ("t", "sum")], [("t", "}")]]
    face = mono(22)
    for i, row in enumerate(text):
        x = 14
        for kind, word in row:
            draw.text((x, 18 + 36 * i), word, font=face, fill=colours[kind])
            x += draw.textlength(word, font=face)
    return picture


def dialog():
    picture, draw = page((86, 120, 160))
    draw.rounded_rectangle((30, 30, 450, 290), 14, fill=(246, 246, 246), outline=(170, 170, 170))
    draw.text((50, 46), "Save changes?", font=sans(30, True), fill=(30, 30, 30))
    lines(draw, (50, 96), ["“Invoice 2026-118.odt” has changes", "that are not saved. If you close it", "now, they will be lost."], sans(24), (60, 60, 60), 34)
    for x, text, fill, ink in ((50, "Discard", (255, 255, 255), (190, 30, 30)), (186, "Cancel", (255, 255, 255), (30, 30, 30)), (322, "Save", (10, 110, 230), (255, 255, 255))):
        draw.rounded_rectangle((x, 224, x + 110, 270), 8, fill=fill, outline=(180, 180, 180))
        draw.text((x + 55, 247), text, font=sans(23, True), fill=ink, anchor="mm")
    return picture


def receipt():
    picture, draw = page((244, 243, 240))
    draw.text((240, 26), "BÄCKEREI VOGT", font=mono(30), fill=(40, 40, 48), anchor="mm")
    rows = [("2 Roggenbrot 750g", "9,80"), ("1 Apfelstrudel", "3,45"), ("4 Brötchen", "1,96"), ("1 Kaffee groß", "3,20")]
    for i, (name, price) in enumerate(rows):
        draw.text((24, 58 + 36 * i), name, font=mono(25), fill=(40, 40, 48))
        draw.text((456, 58 + 36 * i), price, font=mono(25), fill=(40, 40, 48), anchor="ra")
    draw.text((24, 206), "-" * 28, font=mono(25), fill=(40, 40, 48))
    draw.text((24, 236), "SUMME EUR", font=mono(30), fill=(40, 40, 48))
    draw.text((456, 236), "18,41", font=mono(30), fill=(40, 40, 48), anchor="ra")
    draw.text((24, 282), "07.11.2026 08:16 Bon 6093", font=mono(23), fill=(40, 40, 48))
    return paper(picture, 1, 8)


def card():
    picture, draw = page((28, 52, 60))
    draw.ellipse((330, 30, 450, 150), fill=(226, 180, 90))
    draw.ellipse((360, 60, 450, 150), fill=(28, 52, 60))
    draw.text((30, 50), "Irène Dubois", font=serif(46), fill=(245, 240, 228))
    draw.text((32, 108), "Restauration de livres", font=serif(27), fill=(226, 180, 90))
    lines(draw, (32, 190), ["12, rue de l’Écluse · 67000 Strasbourg", "+33 3 88 00 41 97", "irene@dubois-reliure.example"], sans(23), (220, 224, 222), 36)
    return picture


def scan():
    picture, draw = page((238, 234, 224))
    lines(draw, (26, 20), ["It was in the seventh year of the", "survey that the northern stations", "reported a level of 0.38 m below", "the mean of 1891, and Dr. Quill", "wrote: “We find no cause for this", "in wind or tide; the gauge itself", "must be examined.” By October", "it had risen again to 1.06 m."], serif(29), (45, 40, 38), 36)
    return paper(picture.rotate(-1.2, Image.BICUBIC, fillcolor=(238, 234, 224)), 2, 9)


def logo():
    picture, draw = page((255, 255, 255))
    draw.polygon([(60, 250), (150, 70), (240, 250)], fill=(0, 98, 114))
    draw.polygon([(150, 250), (210, 130), (270, 250)], fill=(242, 142, 43))
    draw.arc((40, 40, 290, 290), 200, 340, fill=(0, 98, 114), width=6)
    draw.text((286, 110), "NORD", font=sans(58, True), fill=(0, 98, 114))
    draw.text((286, 172), "FJELL", font=sans(58, True), fill=(242, 142, 43))
    draw.text((288, 240), "outdoor since 1974", font=sans(22), fill=(70, 70, 70))
    return picture


def price():
    picture, draw = example("mug.png")
    draw.rounded_rectangle((250, 150, 466, 306), 10, fill=(255, 236, 64))
    draw.text((262, 156), "Stoneware mug", font=sans(26, True), fill=(20, 20, 20))
    draw.text((262, 188), "£8.95", font=sans(62, True), fill=(204, 0, 0))
    draw.text((262, 258), "0.35 l · dishwasher safe", font=sans(18), fill=(20, 20, 20))
    draw.text((262, 280), "Art. 60-3381", font=sans(18), fill=(20, 20, 20))
    return picture


def sign():
    flat, draw = page((92, 108, 120))
    draw.rounded_rectangle((20, 40, 460, 280), 16, fill=(0, 92, 58), outline=(255, 255, 255), width=6)
    lines(draw, (50, 64), ["Zürich       46", "Chur        83", "St. Gallen  112"], sans(48, True), (255, 255, 255), 66)
    corners = (16, 10, 4, 316, 470, 300, 476, 30)
    return flat.transform(flat.size, Image.QUAD, [ZOOM * value for value in corners], Image.BICUBIC)


def chart():
    picture, draw = page((255, 255, 255))
    draw.text((240, 22), "Visitors per month (thousand)", font=sans(25, True), fill=(40, 40, 40), anchor="mm")
    for i in range(5):
        y = 260 - i * 50
        draw.line((60, y, 460, y), fill=(210, 210, 210), width=1)
        draw.text((52, y), str(i * 25), font=sans(20), fill=(80, 80, 80), anchor="rm")
    values, colours = (38, 52, 47, 71, 93, 88), ((78, 121, 167), (242, 142, 43))
    for i, value in enumerate(values):
        x = 74 + i * 64
        draw.rectangle((x, 260 - 2 * value, x + 40, 260), fill=colours[i % 2])
        draw.text((x + 20, 280), ("Jan", "Feb", "Mar", "Apr", "May", "Jun")[i], font=sans(21), fill=(60, 60, 60), anchor="mm")
        draw.text((x + 20, 250 - 2 * value), str(value), font=sans(19), fill=(60, 60, 60), anchor="mm")
    draw.line((60, 260, 460, 260), fill=(0, 0, 0), width=1)
    return picture


def caption():
    picture, draw = example("harbour.png")
    draw.text((240, 236), "– Did the ferry leave at 6:40?", font=sans(29, True), fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0), anchor="mm")
    draw.text((240, 276), "– No, it is still at the quay.", font=sans(29, True), fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0), anchor="mm")
    return picture


# Name, picture, how it becomes small, JPEG quality (0: PNG), and the corner of the part that is shown.
PICTURES = [("food", food, Image.BICUBIC, 0, (20, 120)), ("parcel", parcel, Image.BOX, 50, (0, 60)), ("code", code, Image.BOX, 0, (0, 40)),
            ("dialog", dialog, Image.NEAREST, 0, (40, 85)), ("receipt", receipt, Image.BOX, 75, (20, 200)), ("card", card, Image.BICUBIC, 75, (20, 180)),
            ("scan", scan, Image.BOX, 60, (20, 100)), ("logo", logo, Image.BICUBIC, 50, (290, 160)), ("price", price, Image.BOX, 50, (250, 210)),
            ("sign", sign, Image.BICUBIC, 75, (20, 60)), ("chart", chart, Image.BOX, 0, (10, 160)), ("caption", caption, Image.BICUBIC, 50, (110, 215))]


def draw_all(folder):
    os.makedirs(folder, exist_ok=True)
    for name, make, method, quality, _ in PICTURES:
        truth = make()
        truth.save(os.path.join(folder, name + ".truth.png"))
        small = truth.resize((truth.width // SCALE, truth.height // SCALE), method)
        if quality:
            small.save(os.path.join(folder, name + ".jpg"), quality=quality, subsampling=2)
        else:
            small.save(os.path.join(folder, name + ".png"))


def sheets(folder, out, width=300, height=200):
    for name, _, _, quality, corner in PICTURES:
        x, y = (ZOOM * value for value in corner)
        box = (x, y, x + width, y + height)
        small = Image.open(os.path.join(folder, name + (".jpg" if quality else ".png"))).convert("RGB")
        small = small.resize((ZOOM * WIDTH, ZOOM * HEIGHT), Image.NEAREST)
        row = [small] + [Image.open(os.path.join(folder, f"{name}.{method}.png")).convert("RGB") for method in ("lanczos3", "fast", "text")]
        row.append(Image.open(os.path.join(folder, name + ".truth.png")))
        sheet = Image.new("RGB", (len(row) * (width + 4) - 4, height), (255, 255, 255))
        for i, picture in enumerate(row):
            sheet.paste(picture.crop(box), (i * (width + 4), 0))
        sheet.save(os.path.join(out, name + ".jpg"), quality=88)


if len(sys.argv) == 3 and sys.argv[1] == "draw":
    draw_all(sys.argv[2])
elif len(sys.argv) == 4 and sys.argv[1] == "sheet":
    sheets(sys.argv[2], sys.argv[3])
else:
    raise SystemExit("render.py draw FOLDER | render.py sheet FOLDER OUT")
