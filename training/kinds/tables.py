"""Tables with a header row, and with names in the first column."""
from boxes import Box, column, rectangle, segment
from page import blend
from wordings import TITLE

HEADS = (("Price", "Age", "Size", "Level", "Score", "Time", "City", "Weight", "Points", "Qty", "Rank", "Team", "Date", "Grade"),
         ("数量", "价格", "年龄", "编号", "分数", "时间", "城市", "重量", "班级", "电话", "金额", "名次"))
CORNERS = (("", "", "Name", "Item"), ("", "", "名称", "项目"))


def grid(page, cells, style, header):
    """cells: rows of strings, header first. Returns one box, with each column as wide as its longest cell."""
    rng, count = page.rng, len(cells[0])
    ink = page.white if header else None
    boxes = [[page.text(text, 1, ink if r == 0 else None, page.other if r == 0 else page.main) for text in line] for r, line in enumerate(cells)]
    gap, height = rng.uniform(0.4, 1.2), 1.25 + rng.uniform(0.0, 0.5)
    widths = [max(line[i].w for line in boxes) + gap for i in range(count)]
    aligns = ["left"] + [rng.choice(("left", "middle", "right"))] * (count - 1)
    width, items = sum(widths), []
    for r, line in enumerate(boxes):
        if r == 0 and header:
            items.append(rectangle(width, height, page.accent))
        elif r % 2 and style == "stripes":
            items.append(rectangle(width, height, blend(page.paper, page.ink, 0.12), y=r * height))
        x = 0.0
        for box, cell, align in zip(line, widths, aligns):
            shift = {"left": gap / 2, "middle": (cell - box.w) / 2, "right": cell - box.w - gap / 2}[align]
            items += box.at(x + shift, r * height + (height - 1.25) / 2)
            x += cell
    if style in ("rows", "grid"):
        items += [segment(0, r * height, width, r * height, page.ink, 0.03) for r in range(len(cells) + 1)]
    if style == "grid":
        items += [segment(x, 0, x, height * len(cells), page.ink, 0.03) for x in [sum(widths[:i]) for i in range(count + 1)]]
    return Box(width, height * len(cells), items)


def table(page, say, load):
    rng = page.rng
    columns, rows = rng.randint(1, 3 if load > 0.6 else 2), rng.randint(2, max(2, round(6 * load)))
    heads = rng.sample(HEADS[page.chinese], columns) if rng.random() < 0.75 else list(dict.fromkeys(say.word("T") for _ in range(columns)))
    names = list(dict.fromkeys(say.pick(say.thing, say.person, lambda: say.word("T")) for _ in range(rows)))
    makers = [rng.choice((lambda: say.digits(1, 3), say.number, say.amount, lambda: say.word("T"), say.clock)) for _ in heads]
    values = [[make() for make in makers] for _ in names]
    box = grid(page, [[say.label(*CORNERS), *heads]] + [[name, *line] for name, line in zip(names, values)], rng.choice(("none", "rows", "grid", "stripes")), rng.random() < 0.35)
    asked = []
    for name, line in zip(names, values):
        for head, text in zip(heads, line):
            asked.append(("table", say.ask(("What is the {1} of {0}?", "What is the {1} for {0}?", "What {1} does {0} have?", "What is {0}'s {1}?", "{2} of {0}?", "What is in the {2} column for {0}?"),
                                           ("{0}的{2}是多少？", "{0}的{2}是什么？", "{0}的{2}？", "表中{0}的{2}是多少？", "{0}这一行的{2}是什么？"), name, head.lower(), head), text))
    rng.shuffle(asked)
    asked = asked[:5]
    asked.append(("count", say.ask(("How many rows are there?", "How many rows does the table have?"), ("表格有几行？", "有几行数据？")), str(len(names))))
    if rng.random() < 0.2:
        title = say.phrase(1, 3)
        box = column([page.heading(title, 1.1), box], 0.2, rng.choice(("left", "middle")))
        asked.append(("read", say.ask(*TITLE), title))
    return box, asked
