"""A canvas that records the position of each character, and the effects of a camera."""
import math
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from faces import ROOTS, collection_index
from words import CLASS

SIZE, PATCH, SLOTS = 336, 14, 3  # a patch can hold three characters
UNITS = 224  # the generator's unit of length is 1/224 of the image's width, for every image size of a model
LATIN = "DejaVuSans DejaVuSans-Bold LiberationSans-Regular LiberationSans-Bold LiberationSerif-Bold Roboto-Medium OpenSans-Semibold Lato-Bold".split()
CHINESE = "NotoSansCJK-Regular NotoSansCJK-Bold wqy-microhei wqy-zenhei".split()


@lru_cache(1)
def font_files():
    """Returns font name -> file for the fonts above. A missing font is an error, because the data would differ."""
    found = {p.stem: p for root in ROOTS for p in root.rglob("*.tt[fc]")} | {p.stem: p for p in ROOTS[0].rglob("*.tt[fc]")}
    missing = [name for name in LATIN + CHINESE if name not in found]
    if missing:
        raise SystemExit(f"fonts not installed: {' '.join(missing)}")
    return found


@lru_cache(1500)
def load_font(name, size):
    file = str(font_files()[name])
    return ImageFont.truetype(file, size, index=collection_index(file), layout_engine=ImageFont.Layout.BASIC)


@lru_cache(1)
def noise_bank():
    return np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)


class Canvas:
    def __init__(self, rng, dark=None):
        """A canvas with sides of 260 to 500 pixels. `sx` and `sy` are pixels per unit."""
        self.rng = rng
        height = rng.randint(300, 440)
        self.W, self.H = int(height * rng.uniform(0.88, 1.14)), height
        self.sx, self.sy = self.W / UNITS, self.H / UNITS
        dark = rng.random() < 0.1 if dark is None else dark
        tint = [rng.randint(0, 25) for _ in range(3)]
        self.paper = tuple(rng.randint(15, 60) + t for t in tint) if dark else tuple(255 - rng.randint(0, 12) - t for t in tint)
        self.ink = self.colour(dark)
        self.image = Image.new("RGB", (self.W, self.H), self.paper)
        self.draw = ImageDraw.Draw(self.image)
        self.marks = []  # (character, x, y, True at the beginning of a text); x and y are its centre in pixels of the canvas

    def colour(self, light=False):
        """A colour for readable text: mostly black or white, sometimes another colour."""
        rng = self.rng
        v = [rng.randint(0, 60) for _ in range(3)]
        if rng.random() < 0.35:
            v[rng.randrange(3)] += 100
        return tuple(255 - x for x in v) if light else tuple(v)

    def font(self, zh, size):
        """A random face for this image. `size` is its height in units."""
        return load_font(self.rng.choice(CHINESE if zh else LATIN), max(9, round(size * self.sy)))

    def fit(self, name, text, size, width):
        """The named font in a size of at most `size` pixels, so that the text is at most `width` wide."""
        size = round(size)
        length = load_font(name, size).getlength(text)
        if length > width:
            size = int(size * width / length)
        return load_font(name, max(size, 8))

    def text(self, x, y, text, font, ink=None, anchor="l"):
        """Draws text. The vertical middle of a capital is at y; x is the left end, the middle or the right end."""
        width = font.getlength(text)
        x -= {"l": 0, "m": width / 2, "r": width}[anchor]
        self.draw.text((x, y), text, fill=ink or self.ink, font=font, anchor="lm")
        before = 0.0
        for i, char in enumerate(text):
            after = font.getlength(text[:i + 1])
            if char != " ":
                self.marks.append((char, x + (before + after) / 2, y, i == 0))
            before = after
        return x, x + width

    def finish(self):
        """Applies slight rotation, blur, noise, light and JPEG. Returns an RGB image, and the marks in fractions of its sides."""
        rng, image, marks = self.rng, self.image, self.marks
        if rng.random() < 0.2:
            angle = rng.uniform(-2, 2)
            image = image.rotate(angle, Image.BILINEAR, fillcolor=self.paper)
            c, s, cx, cy = math.cos(math.radians(angle)), math.sin(math.radians(angle)), self.W / 2, self.H / 2
            marks = [(t, cx + c * (x - cx) + s * (y - cy), cy - s * (x - cx) + c * (y - cy), first) for t, x, y, first in marks]
        if rng.random() < 0.2:
            image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7) * self.sy))
        if rng.random() < 0.4:
            dx, dy = rng.randint(0, 512 - self.W) if self.W < 512 else 0, rng.randint(0, 512 - self.H)
            noise = noise_bank()[dy:dy + self.H, dx:dx + self.W, None] * rng.uniform(2, 8)
            image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
        if rng.random() < 0.25:
            buffer = BytesIO()
            image.save(buffer, "JPEG", quality=rng.randint(50, 92))
            image = Image.open(buffer).convert("RGB")
        return image, [(t, x / self.W, y / self.H, first) for t, x, y, first in marks]


def pixels(image):
    """The published preprocessing up to the 8-bit image: a bicubic resize to a square. Returns (3, SIZE, SIZE) uint8."""
    return np.asarray(image.resize((SIZE, SIZE), Image.BICUBIC)).transpose(2, 0, 1)


def slots(marks):
    """Returns the characters with their centres in each patch, at most SLOTS, left to right: (patches, SLOTS) int16, 0 for none."""
    side = SIZE // PATCH
    out, count = np.zeros((side * side, SLOTS), np.int16), {}
    for char, x, y, _ in sorted(marks, key=lambda m: m[1]):
        if 0 <= x < 1 and 0 <= y < 1 and char in CLASS:
            patch = int(y * side) * side + int(x * side)
            k = count.get(patch, 0)
            if k < SLOTS:
                out[patch, k] = CLASS[char]
            count[patch] = k + 1
    return out


def cells(marks, text):
    """Returns the image token of each character of `text` except spaces, if the whole text was drawn exactly once."""
    written, wanted = "".join(char for char, *_ in marks), text.replace(" ", "")
    begins = {i for i, (*_, first) in enumerate(marks) if first} | {len(marks)}
    found, at = [], written.find(wanted)
    while at >= 0:
        if at in begins and at + len(wanted) in begins:
            found.append(at)
        at = written.find(wanted, at + 1)
    if len(found) != 1:
        return []
    side = SIZE // PATCH // 2
    return [min(side - 1, max(0, int(y * side))) * side + min(side - 1, max(0, int(x * side))) for _, x, y, _ in marks[found[0]:found[0] + len(wanted)]]
