"""Images with little text: bar and line charts with printed values, shapes and colours."""
from canvas import CHINESE, LATIN

COLOURS = {"red": ("红色", (215, 35, 35)), "blue": ("蓝色", (35, 75, 215)), "green": ("绿色", (30, 150, 60)),
           "yellow": ("黄色", (245, 210, 40)), "black": ("黑色", (25, 25, 25)), "purple": ("紫色", (130, 50, 170)),
           "orange": ("橙色", (245, 135, 25))}
SHAPES = {"circle": "圆形", "square": "方形", "triangle": "三角形", "star": "星形"}


def chart(c, w, zh):
    rng = w.rng
    n = rng.randint(2, 5)
    limit = {2: 6, 3: 5, 4: 4, 5: 3}[n]
    labels = []
    while len(labels) < n:
        label = (w.word(zh)[:3] if zh else rng.choice((w.english("T"), w.english("U"))))[:limit - (1 if zh else 0)]
        if label not in labels:
            labels.append(label)
    values = rng.sample(range(2, 100), n)
    name = rng.choice(CHINESE if zh else LATIN)
    font = c.fit(name, max(labels, key=len), 20 * c.sy, c.W * 0.86 / n)
    kind = rng.choice(("bar", "bar", "line"))
    base, top, left = c.H * 0.84, c.H * 0.2, c.W * 0.04
    step = (c.W * 0.92) / n
    c.draw.line((left, base, c.W * 0.97, base), c.ink, 2)
    colours = rng.sample(sorted(COLOURS), n)
    single = rng.random() < 0.5
    points = []
    for i, (label, v) in enumerate(zip(labels, values)):
        x, y = left + step * (i + 0.5), base - (base - top) * v / max(values)
        points.append((x, y))
        if kind == "bar":
            c.draw.rectangle((x - step * 0.3, y, x + step * 0.3, base), COLOURS[colours[0 if single else i]][1])
        c.text(x, base + font.size * 0.85, label, font, anchor="m")
        c.text(x, y - font.size * 0.75, str(v), font, anchor="m")
    if kind == "line":
        c.draw.line(points, COLOURS[colours[0]][1], 3)
        for x, y in points:
            c.draw.ellipse((x - 4, y - 4, x + 4, y + 4), COLOURS[colours[0]][1])
    high, low = labels[values.index(max(values))], labels[values.index(min(values))]
    if zh:
        out = [("chart", f"{k}的数值是多少？", str(v)) for k, v in zip(labels, values)][:2]
        out += [("chart", "哪个最高？", high), ("chart", "哪个最低？", low), ("count", "有几个数据？", str(n)),
                ("what", "图中有什么？", f"一张有{n}项的{'柱状图' if kind == 'bar' else '折线图'}")]
    else:
        out = [("chart", f"What is the value of {k}?", str(v)) for k, v in zip(labels, values)][:2]
        out += [("chart", "Which one is the highest?", high), ("chart", "Which one is the lowest?", low),
                ("count", "How many values are there?", str(n)),
                ("what", "What is in the picture?", f"A {kind} chart with {n} {'bars' if kind == 'bar' else 'points'}")]
    rng.shuffle(out)
    return out


def one_shape(c, shape, fill, x, y, r):
    import math
    box = (x - r, y - r, x + r, y + r)
    if shape == "circle":
        c.draw.ellipse(box, fill)
    elif shape == "square":
        c.draw.rectangle((x - r * 0.9, y - r * 0.9, x + r * 0.9, y + r * 0.9), fill)
    else:
        points, inner = (3, 1) if shape == "triangle" else (10, 0.45)
        turn = [(r * (inner if i % 2 and points > 3 else 1), -math.pi / 2 + 2 * math.pi * i / points) for i in range(points)]
        c.draw.polygon([(x + k * math.cos(a), y + k * math.sin(a)) for k, a in turn], fill)


def shapes(c, w, zh):
    rng = w.rng
    groups = {}
    for _ in range(rng.randint(1, 3)):
        groups.setdefault(rng.choice(sorted(SHAPES)), (rng.choice(sorted(COLOURS)), rng.randint(1, 3)))
    spots = [(x, y) for x in range(3) for y in range(3)]
    rng.shuffle(spots)
    for shape, (colour, n) in groups.items():
        for _ in range(n):
            sx, sy = spots.pop()
            r = rng.uniform(0.09, 0.15) * min(c.W, c.H)
            one_shape(c, shape, COLOURS[colour][1], c.W * (sx + 0.5 + rng.uniform(-0.1, 0.1)) / 3, c.H * (sy + 0.5 + rng.uniform(-0.1, 0.1)) / 3, r)
    out, other = [], (rng.choice(sorted(COLOURS)), rng.choice(sorted(SHAPES)))
    for shape, (colour, n) in groups.items():
        if zh:
            out += [("shape", f"{SHAPES[shape]}是什么颜色？", COLOURS[colour][0]), ("count", f"有几个{SHAPES[shape]}？", str(n))]
        else:
            out += [("shape", f"What color {'is' if n == 1 else 'are'} the {shape}{'s' if n > 1 else ''}?", colour), ("count", f"How many {shape}s are there?", str(n))]
    pick = rng.choice([(col, s) for s, (col, _) in groups.items()] + [other])
    yes = pick[1] in groups and groups[pick[1]][0] == pick[0]
    if zh:
        out.append(("shape", f"有{COLOURS[pick[0]][0]}的{SHAPES[pick[1]]}吗？", "有" if yes else "没有"))
        out.append(("what", "图中有什么？", "和".join(f"{n}个{COLOURS[col][0]}的{SHAPES[s]}" for s, (col, n) in sorted(groups.items()))))
    else:
        out.append(("shape", f"Is there a {pick[0]} {pick[1]}?", "yes" if yes else "no"))
        parts = [f"{n} {col} {s}{'s' if n > 1 else ''}" for s, (col, n) in sorted(groups.items())]
        out.append(("what", "What is in the picture?", " and ".join(parts)))
    rng.shuffle(out)
    return out
