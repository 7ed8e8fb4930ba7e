"""Varied images: many shapes, faces, layouts, formats and wordings. `varied(seed)` is one image from one number."""
import math
import random

import faces
from boxes import Box, column
from canvas import UNITS
from kinds.charts import chart
from kinds.forms import business_card, form
from kinds.pages import cover, item_list, slide, text_lines
from kinds.receipts import receipt
from kinds.screens import calendar_leaf, dialog, settings
from kinds.signs import event, price_tag, sign, street
from kinds.tables import table
from page import SMALLEST, Page
from strings import Strings
from wordings import ABSENT, COST_OF, DATE, PHONE, nth_line

KINDS = {  # how often
    sign: 0.18, street: 0.05, event: 0.04, price_tag: 0.04, text_lines: 0.08, item_list: 0.06, slide: 0.05, cover: 0.1, receipt: 0.12, form: 0.1, business_card: 0.03, dialog: 0.06, settings: 0.02,
    calendar_leaf: 0.03, table: 0.05, chart: 0.09}


def dense(page, say):
    """A page full of lines, for learning characters."""
    rng = page.rng
    em = math.exp(rng.uniform(math.log(SMALLEST), math.log(36))) * max(page.W, page.H) / UNITS
    room, pitch = page.W / em * 0.96, rng.uniform(1.1, 1.6)
    if page.chinese:
        makers = [say.chinese_word] * 4 + [say.person, say.serial, say.date]
    else:
        makers = [say.thing, say.thing, say.word, say.word, lambda: say.phrase(1, 3), say.serial, say.person, say.date, say.phone, say.money]
    texts = []
    for _ in range(max(1, int(page.H / em / pitch))):
        line, used = "", 0.0
        for _ in range(8):
            more = ("" if page.chinese or not line else " ") + say.pick(*makers)
            width = faces.width(page.main, more)
            if used + width <= room:
                line, used = line + more, used + width
        texts.append(line or say.digits(1, 2))
    boxes = [page.text(t) for t in texts]
    box = column([Box(b.w, pitch, b.items) for b in boxes], 0, rng.choice(("left", "left", "left", "middle")), room)
    return box, [("read", nth_line(say, i, len(texts)), t) for i, t in enumerate(texts[:8])]


def absent(say, asked):
    """A question about something that is not there, unless the same question is asked about something that is."""
    question = say.pick(lambda: say.ask(*COST_OF, say.thing()), lambda: say.ask(*PHONE), lambda: say.ask(*DATE))
    taken = any(task == "lookup" and (q in PHONE[say.chinese] or q in DATE[say.chinese]) for task, q, _ in asked)
    if taken or any(q == question for _, q, _ in asked):
        question = say.ask(*COST_OF, say.thing())
    return "absent", question, ABSENT[say.chinese]


def varied(seed, kind=None, chinese=None, scoring=False, only_dense=False):
    """-> RGB image, marks (see canvas.py), name of the kind, language, [(task, question, answer)]."""
    rng = random.Random(f"varied {'scoring' if scoring else 'training'} {seed}")
    chinese = rng.random() < (0.8 if only_dense else 0.55) if chinese is None else chinese
    page, say = Page(rng, chinese, scoring), Strings(rng, chinese, scoring)
    if only_dense:
        name, (box, asked) = "dense", dense(page, say)
    else:
        kind = kind or rng.choices(list(KINDS), list(KINDS.values()))[0]
        name, load = kind.__name__, rng.uniform(0.4, 1.0)
        for _ in range(12):
            box, asked = kind(page, say, load)
            if page.em(box) >= SMALLEST:
                break
            load = max(0.2, load * 0.8)
        if rng.random() < 0.05 and name in ("receipt", "form", "price_tag", "item_list", "sign"):
            asked.append(absent(say, asked))
    image, marks = page.render(box)
    rng.shuffle(asked)
    return image, marks, name, "zh" if chinese else "en", asked
