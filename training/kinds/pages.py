"""Lines of text, lists, slides and covers: where text stands says what it is."""
from boxes import Box, column, disc, framed, padded, rectangle, row, rule
from wordings import DIGITS_ZH, ORDINALS, READ, TITLE, broken, joined, nth_item, nth_line


def bullet(page, style, i):
    """-> a box before an item."""
    if style == "disc":
        return Box(0.45, 1.25, [disc(0.22, 0.62, 0.13, page.ink)])
    if style == "square":
        return Box(0.75, 1.25, [rectangle(0.6, 0.6, None, page.ink, 0.05, 0, 0.05, 0.33)])
    return page.text(f"{i + 1}." if style == "number" else "-")


def text_lines(page, say, load):
    rng, chinese = page.rng, page.chinese
    count = rng.randint(2, max(2, round(7 * load)))
    texts = [say.pick(lambda: say.phrase(1, 4), lambda: say.phrase(1, 3), lambda: say.phrase(1, 5 if load > 0.7 else 2), say.thing, say.serial, say.date, say.number, say.phone) for _ in range(count)]
    box = column([page.text(t) for t in texts], rng.uniform(-0.05, 0.6), rng.choice(("left", "left", "middle")))
    asked = [("read", nth_line(say, i, count), t) for i, t in enumerate(texts)]
    asked.append(("count", say.ask(("How many lines of text are there?", "How many lines are there?"), ("有几行字？", "一共几行？")), str(count)))
    if sum(map(len, texts)) < 26:
        asked.append(("read", say.ask(*READ), joined(chinese, texts)))
    return box, asked + neighbours(say, texts)


def neighbours(say, texts):
    """A question about what stands below a line that occurs once."""
    i = say.rng.randrange(len(texts) - 1)
    if texts.count(texts[i]) > 1 or say.rng.random() < 0.5:
        return []
    return [("read", say.ask(("What comes after {}?", "What is below {}?", "What is written under {}?"), ("“{}”下面是什么？", "{}的下一行是什么？"), texts[i]), texts[i + 1])]


def item_list(page, say, load):
    rng = page.rng
    count = rng.randint(2, max(2, round(7 * load)))
    texts, style = [say.phrase(1, 3) for _ in range(count)], rng.choice(("disc", "square", "number", "dash", "none"))
    boxes = [page.text(t) if style == "none" else row([bullet(page, style, i), page.text(t)], 0.3) for i, t in enumerate(texts)]
    items, title = column(boxes, rng.uniform(-0.05, 0.6)), say.phrase(1, 3)
    head = page.heading(title, rng.uniform(1, 1.5))
    parts = [head, rule(max(head.w, items.w)), items] if rng.random() < 0.4 else [head, items]
    box = column(parts, 0.15, rng.choice(("left", "middle")))
    if rng.random() < 0.2:
        box = framed(padded(box, 0.5, 0.4), None, page.ink, 0.04, rng.choice((0, 0.3)))
    asked = [("read", say.ask(*TITLE), title)] + [("read", nth_item(say, i), t) for i, t in enumerate(texts)]
    asked += [("read", say.ask(("What is the last item?", "What is the last thing on the list?", "What is at the end of the list?"), ("最后一项是什么？", "列表的最后一项是什么？")), texts[-1]),
              ("count", say.ask(("How many items are there?", "How many items are on the list?"), ("有几项？", "一共有几项？")), str(count))]
    return box, asked + neighbours(say, texts)


def slide(page, say, load):
    rng = page.rng
    title, points = say.phrase(1, 4), [say.phrase(1, 4) for _ in range(rng.randint(1, max(1, round(4 * load))))]
    align, style = rng.choice(("left", "left", "middle")), rng.choice(("disc", "dash", "number", "none"))
    head = column([page.heading(line, rng.uniform(1.2, 1.7)) for line in broken(rng, page.chinese, title, rng.choice((1, 1, 2)))], -0.1, align)
    body = column([page.text(t) if style == "none" else row([bullet(page, style, i), page.text(t)], 0.25) for i, t in enumerate(points)], rng.uniform(0, 0.4))
    parts = [head, body]
    if rng.random() < 0.35:
        parts.insert(1, rule(max(head.w, body.w), 0.3, page.accent))
    asked = [("read", say.ask(*TITLE), title)]
    for i, t in enumerate(points):
        asked.append(("read", say.ask(("What is the {1} point?", "What does bullet {0} say?", "What is the {1} bullet point?", "What is point {0}?", "What does the {1} bullet say?", "Read the {1} point."),
                                      ("第{1}点是什么？", "第{1}条写着什么？", "第{0}点是什么？", "第{1}个要点是什么？", "要点{1}是什么？"), i + 1, DIGITS_ZH[i] if say.chinese else ORDINALS[i]), t))
    if rng.random() < 0.3:
        foot = say.person()
        parts.append(page.text(foot, rng.uniform(0.7, 0.9), page.faint))
        asked.append(("lookup", say.ask(("Who is the speaker?", "Who gives the talk?", "Who is presenting?"), ("主讲人是谁？", "谁来讲？", "报告人是谁？")), foot))
    return column(parts, rng.uniform(0.2, 0.7), align), asked


def cover(page, say, load):
    """A book: the largest text is the title; the author is above it or below it, near or at the other end of the page."""
    rng, chinese = page.rng, page.chinese
    title, author, align = say.phrase(1, 5), say.person(), rng.choice(("left", "middle", "middle", "middle"))
    size = rng.uniform(1.15, 2.1)
    head = column([page.heading(line, size) for line in broken(rng, chinese, title, rng.choice((1, 2, 2, 3)))], -0.15, align)
    prefix, suffix = rng.choice((("", ""), ("", ""), ("作者：", ""), ("", " 著"))) if chinese else (rng.choice(("by ", "", "", "By ")), "")
    writer = page.text(prefix + author + suffix, rng.uniform(0.65, min(1.05, size * 0.85)))
    far = rng.random() < 0.5
    gap = Box(1, rng.uniform(2, 9) / max(0.7, page.aspect * 1.4) if far else rng.uniform(0.3, 2))
    if far and rng.random() < 0.6:
        gap = ornament(page, gap.h, head.w)
    parts = [head]
    asked = [("read", say.ask(("What is the title?", "What is the title of the book?", "What is this book called?", "What's the title?", "What does the title say?", "What is the book called?"),
                              ("标题是什么？", "书名是什么？", "这本书叫什么？", "书的名字是什么？", "大标题写着什么？")), title),
             ("lookup", say.ask(("Who is the author?", "Who wrote it?", "Who wrote this?", "What is the author's name?", "Who is it by?", "Who wrote the book?"), ("作者是谁？", "谁写的？", "作者叫什么？", "这本书是谁写的？", "书的作者是谁？")), author)]
    if rng.random() < 0.35:
        below = say.phrase(1, 4)
        parts.append(page.text(below, rng.uniform(0.6, min(0.9, size * 0.7))))
        asked.append(("read", say.ask(("What is the subtitle?", "What does the subtitle say?", "What is under the title?"), ("副标题是什么？", "小标题是什么？", "标题下面写着什么？")), below))
    parts = [writer, gap, *parts] if rng.random() < 0.45 else [*parts, gap, writer]
    if rng.random() < 0.35:
        publisher = say.phrase(1, 2) + say.label((" Press", " Books", ""), ("出版社", "书局"))
        parts += [Box(1, rng.uniform(0.2, 1)), page.text(publisher, rng.uniform(0.6, 0.85))]
        asked.append(("lookup", say.ask(("Who is the publisher?", "What is the publisher?", "Who published it?"), ("出版社是哪家？", "哪个出版社？", "出版社是什么？")), publisher))
    return column(parts, rng.uniform(0, 0.2), align), asked


def ornament(page, height, width):
    """A rule, a disc or a block of colour in the empty part of a cover."""
    rng = page.rng
    thick = height * rng.uniform(0.3, 0.8)
    kind = rng.choice(("rule", "disc", "block"))
    if kind == "rule":
        return rule(width * rng.uniform(0.2, 1), height, page.accent)
    if kind == "disc":
        return Box(thick, height, [disc(thick / 2, height / 2, thick / 2, page.accent)])
    return Box(width, height, [rectangle(width, thick, page.accent, y=(height - thick) / 2)])
