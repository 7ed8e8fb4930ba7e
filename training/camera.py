"""The effects of a camera: rotation, perspective, a border with other objects, blur, uneven light, noise, JPEG."""
import math
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from canvas import UNITS, noise_bank


def homography(source, target):
    """Returns the 3 x 3 matrix that maps four points to four points."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(right, float)), 1).reshape(3, 3)


def tilted(rng, image, marks, paper):
    """Applies a rotation of up to about 8 degrees, a perspective of up to 12%, and a border of another colour, sometimes with bars."""
    W, H = image.size
    strong = rng.random() < 0.35
    angle, lens = math.radians(max(-8, min(8, rng.gauss(0, 3.5 if strong else 1.2)))), 0.12 if strong else 0.03
    c, s, zoom = math.cos(angle), math.sin(angle), rng.uniform(0.9, 1.0) if rng.random() < 0.4 else rng.uniform(0.96, 1.0)
    corners, targets = ((0, 0), (W, 0), (W, H), (0, H)), []
    for x, y in corners:
        dx, dy = (x - W / 2) * zoom, (y - H / 2) * zoom
        targets.append((W / 2 + c * dx - s * dy + rng.uniform(-lens, lens) * W / 2, H / 2 + s * dx + c * dy + rng.uniform(-lens, lens) * H / 2))
    forward = homography(corners, targets)
    back = np.linalg.inv(forward)
    around = paper if rng.random() < 0.5 else tuple(rng.randint(30, 220) for _ in range(3))
    image = image.transform((W, H), Image.PERSPECTIVE, (back / back[2, 2]).flatten()[:8], Image.BILINEAR, fillcolor=around)
    moved = []
    for char, x, y, first in marks:
        u, v, w = forward @ (x, y, 1)
        moved.append((char, u / w, v / w, first))
    return image, moved


def cluttered(rng, image):
    """Draws bars along one or two edges, which stand for a table, a hand or another sheet."""
    draw, (W, H) = ImageDraw.Draw(image), image.size
    for _ in range(rng.randint(1, 2)):
        depth, colour = rng.uniform(0.005, 0.025), tuple(rng.randint(0, 255) for _ in range(3))
        draw.rectangle(rng.choice(((0, 0, W * depth, H), (W * (1 - depth), 0, W, H), (0, 0, W, H * depth), (0, H * (1 - depth), W, H))), colour)


def lit(rng, image):
    """Adds noise of the sensor, and light that decreases towards one side."""
    W, H = image.size
    a = np.asarray(image).astype(np.float32)
    if rng.random() < 0.6:
        dx, dy = rng.randint(0, max(0, 512 - W)), rng.randint(0, max(0, 512 - H))
        noise = noise_bank()[dy:dy + H, dx:dx + W, None] * rng.uniform(2, 10)
        a[:len(noise), :noise.shape[1]] += noise
    if rng.random() < 0.6:
        a *= 1 + rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, W)[None, :, None] + rng.uniform(-0.25, 0.25) * np.linspace(-1, 1, H)[:, None, None]
    return Image.fromarray(a.clip(0, 255).astype(np.uint8))


def photograph(rng, image, marks, paper, em):
    """`em` is the size of the text in units; small letters are blurred less. Returns the image, and the marks in fractions of its sides."""
    W, H = image.size
    if rng.random() < 0.12:
        cluttered(rng, image)
    if rng.random() < 0.35:
        image, marks = tilted(rng, image, marks, paper)
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5) * min(1.0, em / 20) * min(W, H) / UNITS))
    if rng.random() < 0.3:
        image = lit(rng, image)
    if rng.random() < 0.25:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(40, 92))
        image = Image.open(buffer).convert("RGB")
    return image, [(char, x / W, y / H, first) for char, x, y, first in marks]
