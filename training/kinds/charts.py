"""Charts: bars, horizontal bars, lines and pies, with printed values or only with an axis."""
from boxes import Box, column, disc, rectangle, row, segment
from page import blend, hsv
from strings import MONTHS
from wordings import TITLE

BLUE = (31, 119, 180)  # the first colours of matplotlib
MATPLOTLIB = (BLUE, (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75))


class Data:
    def __init__(self, page, say, load):
        rng, self.kind = page.rng, page.rng.choice(("bars", "bars", "across", "across", "line", "pie"))
        count = rng.randint(2, max(2, round(6 * load)))
        labels = [say.pick(lambda: say.word("T")[:8], lambda: say.word("T")[:6], str(rng.randint(1990, 2030)), f"{rng.randint(1, 12)}月" if page.chinese else MONTHS[rng.randrange(12)][:3]) for _ in range(count)]
        self.labels = list(dict.fromkeys(labels))
        if len(self.labels) < 2:
            self.labels.append("其他" if page.chinese else "Other")
        count = len(self.labels)
        scale = rng.choice((100, 100, 50, 1000, 10 * count + 10))
        self.values = rng.sample(range(max(1, scale // 20), scale), count)
        self.unit = rng.choice(("", "", "", "%")) if scale <= 100 else ""
        if self.kind == "pie":
            self.values, self.unit = [round(100 * v / sum(self.values)) for v in self.values], "%"
        self.printed = self.kind == "pie" or rng.random() < 0.8
        self.plain = rng.random() < 0.3  # the default style of matplotlib
        if self.plain:
            self.colours = [BLUE] * count if self.kind != "pie" else list(MATPLOTLIB)
        elif rng.random() < 0.5 and self.kind != "pie":
            self.colours = [hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.4, 0.95))] * count
        else:
            self.colours = [hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.4, 0.95)) for _ in range(count)]

    def shown(self):
        return [f"{v}{self.unit}" for v in self.values]


def ticks(top):
    return range(0, top + 1, max(1, top // 3))


def upright(page, data):
    """Bars or a line above an axis."""
    rng, top, count = page.rng, max(data.values), len(data.values)
    labels, values = [page.text(x) for x in data.labels], [page.text(x) for x in data.shown()]
    step = max(b.w for b in labels + values) + rng.uniform(0.3, 1)
    height, left, items = step * count * rng.uniform(0.5, 1.1) / max(0.6, min(2, page.aspect)), 0.0, []
    if not data.printed or data.plain or rng.random() < 0.3:
        numbers = [(t, page.text(str(t), 0.8)) for t in ticks(top)]
        left = max(b.w for _, b in numbers) + 0.3
        for t, b in numbers:
            y = height * (1 - t / top) + 1
            items += b.at(left - 0.25 - b.w, y - 0.5)
            if not data.plain and rng.random() < 0.5:
                items.append(segment(left, y, left + step * count, y, blend(page.ink, page.paper, 0.75), 0.02))
        items.append(segment(left, 0.6, left, height + 1, page.ink, 0.04))
    tops = [(left + step * (i + 0.5), 1 + height * (1 - v / top)) for i, v in enumerate(data.values)]
    if data.kind == "line":
        items.append(("line", tops, data.colours[0], 0.1))
        items += [disc(x, y, 0.15, data.colours[0]) for x, y in tops]
    for (x, y), label, value, colour in zip(tops, labels, values, data.colours):
        if data.kind == "bars":
            half = step * (0.4 if data.plain else 0.35)
            items.append(rectangle(2 * half, height + 1 - y, colour, x=x - half, y=y))
        items += label.at(x - label.w / 2, height + 1.1)
        if data.printed:
            items += value.at(x - value.w / 2, y - 1.25)
    right = left + step * count
    items.append(segment(left, height + 1, right, height + 1, page.ink))
    if data.plain:
        items += [segment(left, 0, right, 0, page.ink, 0.04), segment(right, 0, right, height + 1, page.ink, 0.04), segment(left, 0, left, 1, page.ink, 0.04)]
    return Box(right, height + 2.4, items)


def across(page, data):
    """Horizontal bars with labels at the left."""
    rng, top = page.rng, max(data.values)
    labels, values = [page.text(x) for x in data.labels], [page.text(x) for x in data.shown()]
    left, step, length, items = max(b.w for b in labels) + 0.4, rng.uniform(1.3, 2), rng.uniform(5, 9), []
    for i, (v, label, value, colour) in enumerate(zip(data.values, labels, values, data.colours)):
        items += label.at(left - 0.3 - label.w, i * step)
        items.append(rectangle(length * v / top, 1.05, colour, x=left, y=i * step + 0.1))
        if data.printed:
            items += value.at(left + length * v / top + 0.2, i * step)
    bottom = step * len(labels)
    items.append(segment(left, -0.1, left, bottom, page.ink))
    if not data.printed:
        for t in ticks(top):
            b = page.text(str(t), 0.8)
            items += b.at(left + length * t / top - b.w / 2, bottom)
    return Box(left + length + max(b.w for b in values) + 0.3, bottom + (0 if data.printed else 1), items)


def pie(page, data):
    """A pie. The names and shares of its slices are in a legend or around the pie."""
    rng, radius, start, items = page.rng, page.rng.uniform(2.2, 3.5), page.rng.uniform(0, 360), []
    around = rng.random() < 0.3
    names, shares = [page.text(x) for x in data.labels], [page.text(x) for x in data.shown()]
    notes, angle = [column([n, s], -0.2, "middle") for n, s in zip(names, shares)], start
    margin = max(b.w for b in notes) + 0.2 if around else 0.0
    middle = radius + margin
    for i, (v, colour) in enumerate(zip(data.values, data.colours)):
        stop = angle + 3.6 * v if i < len(data.values) - 1 else start + 360
        items.append(("slice", [(margin, margin), (margin + 2 * radius, margin + 2 * radius)], angle, stop, colour))
        if around:
            items += placed(notes[i], middle, radius, (angle + stop) / 2)
        angle = stop
    box = Box(2 * middle, 2 * middle, items)
    if around:
        return box
    legend = column([row([Box(0.8, 1.25, [rectangle(0.6, 0.6, c, x=0.1, y=0.35)]), n, s], 0.3) for c, n, s in zip(data.colours, names, shares)], 0.1)
    return row([box, legend], 0.5) if page.aspect > 0.9 else column([box, legend], 0.3, "middle")


def placed(note, middle, radius, angle):
    """A note beside the slice whose middle is at `angle` degrees."""
    from math import cos, radians, sin
    x, y = middle + (radius + 0.2 + note.w / 2) * cos(radians(angle)), middle + (radius + 0.2 + note.h / 2) * sin(radians(angle))
    return note.at(x - note.w / 2, y - note.h / 2)


def chart(page, say, load):
    rng, data = page.rng, Data(page, say, load)
    if data.plain and not page.dark:
        page.paper, page.ink = (255, 255, 255), (0, 0, 0)
    box, asked = {"bars": upright, "line": upright, "across": across, "pie": pie}[data.kind](page, data), []
    if rng.random() < 0.5:
        title = say.phrase(1, 3)
        box = column([page.heading(title, rng.uniform(1, 1.3)), box], 0.3, "middle")
        asked.append(("read", say.ask(TITLE[0][:4] + ("What is the title of the chart?", "What is the chart about?"), TITLE[1][:3] + ("图表的标题是什么？",)), title))
    shown = data.shown()
    if data.printed:
        for label, value in list(zip(data.labels, shown))[:4]:
            asked.append(("chart", say.ask(("What is the value of {}?", "What is the value for {}?", "How much is {}?", "What is {}'s value?", "How many for {}?", "What number does {} have?", "What is the number for {}?"),
                                           ("{}的数值是多少？", "{}是多少？", "{}的值是多少？", "{}有多少？", "{}对应的数值是多少？"), label), value))
    if len(set(data.values)) == len(data.values):
        highest, lowest = (data.labels[data.values.index(f(data.values))] for f in (max, min))
        asked += [("chart", say.ask(("Which one is the highest?", "Which is the highest?", "Which has the most?", "What is the largest?", "Which one has the highest value?", "Which is the biggest?"), ("哪个最高？", "哪个最大？", "哪一项最多？", "数值最大的是哪个？", "最多的是哪个？")), highest),
                  ("chart", say.ask(("Which one is the lowest?", "Which is the lowest?", "Which has the least?", "What is the smallest?", "Which one has the lowest value?"), ("哪个最低？", "哪个最小？", "哪一项最少？", "数值最小的是哪个？", "最少的是哪个？")), lowest)]
        asked.append(("chart", say.ask(("What is the highest value?", "What is the largest number?"), ("最大的数值是多少？", "最高值是多少？")), shown[data.values.index(max(data.values))])) if data.printed else None
    asked.append(("count", say.ask(("How many values are there?", "How many categories are there?"), ("有几个数据？", "一共有几项？")), str(len(data.labels))))
    rng.shuffle(asked)
    return box, asked
