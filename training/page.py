"""One varied image: its shape, colours and faces. `text` makes boxes in ems, and `render` scales them to the image."""
import colorsys
import math

import numpy as np
from PIL import Image, ImageDraw

import faces
from boxes import Box
from camera import photograph
from canvas import UNITS

SMALLEST = 10.5  # the smallest em that can be read, in units


def hsv(h, s, v):
    return tuple(int(255 * x) for x in colorsys.hsv_to_rgb(h, s, v))


def blend(a, b, share):
    """Mixes the colour `a` with a share of `b`."""
    return tuple(int(x + (y - x) * share) for x, y in zip(a, b))


class Page:
    def __init__(self, rng, chinese, scoring=False):
        self.rng, self.chinese, self.scoring = rng, chinese, scoring
        low, high = (math.log(0.4), math.log(2.5)) if rng.random() < 0.85 else (math.log(0.88), math.log(1.14))
        aspect, side = math.exp(rng.uniform(low, high)), UNITS * rng.uniform(1.3, 2)
        self.W, self.H = max(120, int(side * aspect ** 0.5)), max(120, int(side / aspect ** 0.5))
        self.aspect = self.W / self.H
        self.dark = rng.random() < 0.14
        self.choose_colours()
        self.main = faces.pick(rng, chinese, scoring)
        self.other = self.main if rng.random() < 0.5 else faces.pick(rng, chinese, scoring)
        self.largest = math.exp(rng.uniform(math.log(13), math.log(64)))  # the largest em, in units

    def choose_colours(self):
        rng = self.rng
        if self.dark:
            self.paper, self.ink = hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.05, 0.4)), hsv(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.82, 1))
        else:
            self.paper = hsv(rng.random(), rng.uniform(0, 0.22) if rng.random() < 0.75 else rng.uniform(0.2, 0.4), rng.uniform(0.86, 1))
            self.ink = hsv(rng.random(), rng.random(), rng.uniform(0, 0.28)) if rng.random() < 0.75 else hsv(rng.random(), rng.uniform(0.5, 1), rng.uniform(0.25, 0.5))
        self.accent = hsv(rng.random(), rng.uniform(0.5, 1), rng.uniform(0.3, 0.65))
        self.strong = self.ink if self.dark else rng.choice((self.ink, self.accent))  # the colour of headings
        self.faint = blend(self.ink, self.paper, 0.35)
        self.card = tuple(min(255, x + 12) for x in self.paper)
        self.white = hsv(0, 0, 1)

    def text(self, text, size=1.0, ink=None, face=None):
        """A line of text, `size` in ems."""
        face = face or self.main
        if not faces.covers(face, text):
            face = faces.fallback(self.chinese)
        return Box(faces.width(face, text) * size, size * 1.25, [("text", [(0, size * 0.625)], text, face, size, ink or self.ink)])

    def heading(self, text, size=1.0, ink=None):
        return self.text(text, size, ink or self.strong, self.other)

    def em(self, box):
        """The em in units of the square image if the box fills the page, in the direction that is reduced more."""
        return min(self.W * 0.94 / box.w, self.H * 0.94 / box.h) * UNITS / max(self.W, self.H)

    def render(self, box):
        """Returns the image and its marks (see canvas.py)."""
        rng = self.rng
        self.image = Image.new("RGB", (self.W, self.H), self.paper)
        if rng.random() < 0.12:
            self.gradient()
        self.draw, self.marks = ImageDraw.Draw(self.image), []
        margin = rng.uniform(0.02, 0.08)
        room_x, room_y = self.W * (1 - 2 * margin), self.H * (1 - 2 * margin)
        scale = min(room_x / box.w, room_y / box.h)
        most = self.largest * max(self.W, self.H) / UNITS
        if scale > most and rng.random() < 0.85:
            scale = max(most, scale * 0.35)
        left = margin * self.W + rng.choice((0.5, 0.5, rng.random())) * (room_x - box.w * scale)
        top = margin * self.H + rng.choice((0.5, rng.random())) * (room_y - box.h * scale)
        for kind, points, *rest in box.items:
            self.draw_item(kind, [(left + x * scale, top + y * scale) for x, y in points], rest, scale)
        return photograph(rng, self.image, self.marks, self.paper, scale * UNITS / max(self.W, self.H))

    def draw_item(self, kind, points, rest, scale):
        """Points are in pixels of this image. Sizes in `rest` are in ems."""
        draw = self.draw
        if kind == "text":
            text, face, size, ink = rest
            self.write(*points[0], text, face, max(5, int(size * scale)), ink)
        elif kind == "line":
            ink, thick = rest
            draw.line(points, ink or self.ink, max(1, round(thick * scale)))
        elif kind == "area":
            draw.polygon(points, rest[0])
        elif kind == "disc":
            draw.ellipse(points, rest[0])
        elif kind == "slice":
            start, stop, fill = rest
            draw.pieslice(points, start, stop, fill, self.paper)
        else:
            fill, line, thick, radius = rest
            draw.rounded_rectangle(points, radius * scale, fill, line, max(1, round(thick * scale)))

    def write(self, x, y, text, face, size, ink):
        self.draw.text((x, y), text, fill=ink, font=faces.font(face, size), anchor="lm")
        before = 0.0
        for i, char in enumerate(text):
            after = before + faces.width(face, char) * size
            if char != " ":
                self.marks.append((char, x + (before + after) / 2, y, i == 0))
            before = after

    def gradient(self):
        """Paper that gets lighter or darker towards a side."""
        rng = self.rng
        x, y = np.linspace(0, 1, self.W)[None, :, None], np.linspace(0, 1, self.H)[:, None, None]
        change = rng.uniform(-30, 30) * (x * rng.randint(0, 1) + y * rng.randint(0, 1)) / 2
        shaded = np.broadcast_to(np.array(self.paper, float) + change, (self.H, self.W, 3))
        self.image = Image.fromarray(shaded.clip(0, 255).astype(np.uint8))
