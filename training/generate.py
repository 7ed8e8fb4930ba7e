"""One picture from one number: `picture(seed)` is all the trainer and `draw.py` need."""
import random

from canvas import Canvas
from figures import chart, shapes
from scenes import form, lines, receipt, rows, sign, table
from words import Words

SCENES = {"sign": (sign, 0.24), "lines": (lines, 0.18), "receipt": (receipt, 0.25), "form": (form, 0.22),
          "table": (table, 0.03), "chart": (chart, 0.03), "shapes": (shapes, 0.05)}


def picture(seed, scoring=False, scene=None, language=None):
    """-> RGB picture, marks (character, x, y in fractions), scene name, language, [(task, question, answer)]."""
    rng = random.Random(f"{'scoring' if scoring else 'training'} {seed}")
    name = scene or rng.choices(list(SCENES), [weight for _, weight in SCENES.values()])[0]
    zh = rng.random() < 0.3 if language is None else language == "zh"
    c = Canvas(rng, dark=False if name in ("shapes", "chart") else None)
    c.boxed = False
    w = Words(rng, scoring)
    questions = SCENES[name][0](c, w, zh)
    image, marks = c.finish()
    return image, marks, name, "zh" if zh else "en", questions


def dense_picture(seed):
    """A page full of mixed text, for teaching the tower characters before anything is asked."""
    rng = random.Random(f"dense {seed}")
    c, w = Canvas(rng), Words(rng)
    zh = rng.random() < 0.25
    short = rng.randint(9, 17)
    texts = []
    for _ in range(rng.randint(5, 8)):
        line = ""
        while len(line) < (short * 0.6 if zh else short):
            r = rng.random()
            line += (w.word(zh) if r < 0.55 else w.code() if r < 0.65 else w.price() if r < 0.75 else w.number() if r < 0.85 else w.english("l") if not zh else w.word(zh))
            line += "" if zh else " "
        texts.append(line.strip())
    rows(c, zh, texts, keyed="free", spread=True)
    image, marks = c.finish()
    return image, marks
