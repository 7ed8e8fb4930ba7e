"""One image from one number: `picture(seed)` for the first, plain kinds, `training_example` for the trainer's mix."""
import random

from canvas import CHINESE, LATIN, Canvas, load_font
from figures import chart, shapes
from scenes import form, line_questions, lines, receipt, sign, table
from varied import varied
from words import Words

SCENES = {  # how often while scoring, and while learning
    "sign": (sign, 0.22, 0.3), "lines": (lines, 0.12, 0.18), "receipt": (receipt, 0.24, 0.18), "form": (form, 0.2, 0.15),
    "table": (table, 0.07, 0.06), "chart": (chart, 0.07, 0.07), "shapes": (shapes, 0.08, 0.06)}


def picture(seed, scoring=False, scene=None, language=None):
    """-> RGB image, marks (see canvas.py), scene name, language, [(task, question, answer)]."""
    rng = random.Random(f"{'scoring' if scoring else 'training'} {seed}")
    name = scene or rng.choices(list(SCENES), [often if scoring else learned for _, often, learned in SCENES.values()])[0]
    zh = rng.random() < 0.35 if language is None else language == "zh"
    c = Canvas(rng, dark=False if name in ("shapes", "chart") else None)
    c.boxed = False
    w = Words(rng, scoring)
    questions = SCENES[name][0](c, w, zh)
    image, marks = c.finish()
    return image, marks, name, "zh" if zh else "en", questions


def dense_picture(seed):
    """A page full of mixed text, for teaching the tower characters. -> RGB image, marks, [(task, question, answer)]."""
    rng = random.Random(f"dense {seed}")
    c, w = Canvas(rng), Words(rng)
    zh = rng.random() < 0.5  # a thousand characters want more pages than a hundred
    face = rng.choice(CHINESE if zh else LATIN)
    font = load_font(face, max(9, round((rng.uniform(15.5, 29) if rng.random() < 0.7 else rng.uniform(27, 46)) * c.sy)))
    room, pitch = c.W * rng.uniform(0.9, 0.97), font.size * rng.uniform(1.15, 1.45)
    top, left = rng.uniform(0.0, pitch), rng.uniform(0.01, 0.05) * c.W
    y, texts = top + pitch * 0.2, []
    while y < c.H - font.size * 0.3:
        line = ""
        for _ in range(9):
            r = rng.random()
            part = w.word(zh) if r < 0.5 else w.code() if r < 0.65 else w.price() if r < 0.75 else w.digits(2, 5) if r < 0.85 else w.english() if not zh else w.chinese()
            longer = line + ("" if zh or not line else " ") + part
            if font.getlength(longer) > room:
                continue
            line = longer
        x = left + rng.uniform(0, max(0, room - font.getlength(line)))
        c.text(x, y, line, font)
        texts.append(line)
        y += pitch
    image, marks = c.finish()
    return image, marks, line_questions(rng, zh, texts[:-1])  # the last may be cut by the edge


def training_example(index, rng, characters_only):
    """A quarter plain images, a quarter dense pages, half varied images; for characters nearly all dense pages. -> image, marks, questions."""
    r = rng.random()
    if r < (0.04 if characters_only else 0.26):
        image, marks, _, _, questions = picture(index)
    elif r < (0.06 if characters_only else 0.28):
        image, marks, questions = dense_picture(index)
    else:
        image, marks, _, _, questions = varied(index, only_dense=r < (0.85 if characters_only else 0.54))
    return image, marks, questions
