"""Images of text: signs, lines, receipts, forms, tables. A scene draws on a canvas and returns (task, question, answer) triples."""
from canvas import CHINESE, LATIN, load_font
from words import KEYS_ZH, Words

ORDINAL = ("first", "second", "third", "fourth", "fifth", "sixth")
HAN = "一二三四五六"
KEYS = {  # key of a form's line -> kind of its value
    "Name": "name", "Phone": "phone", "City": "word", "Date": "date", "Age": "age", "Code": "code", "Room": "number",
    "Color": "word", "Order": "code", "Seat": "code", "Gate": "code", "Flight": "code", "Size": "number", "Type": "word",
    "Street": "word", "Price": "price", "Weight": "number", "Team": "word", "School": "word", "Time": "time",
    "Table": "number", "Level": "number", "Model": "code", "Brand": "word",
}
KINDS_ZH = "name phone word date age code number word code code word word word number time price word number code number".split()
KEYS_CN = dict(zip(KEYS_ZH, KINDS_ZH))


def value(w, kind, zh):
    if kind == "name":
        return w.name(zh) if w.rng.random() < 0.6 else w.word(zh, "T")
    return {"phone": lambda: w.digits(5, 8), "word": lambda: w.word(zh), "date": lambda: w.date(zh),
            "age": lambda: str(w.rng.randint(5, 99)), "code": w.code, "number": w.number, "price": w.price,
            "time": lambda: f"{w.rng.randint(0, 23)}:{w.rng.randint(0, 59):02}"}[kind]()


def rows(c, zh, lines, title=None, keyed="wide", spread=False):
    """Draws lines in one face. A line is a string or a pair (left, right). keyed: wide = right parts are aligned right, near = beside the left parts."""
    rng = c.rng
    name = rng.choice(CHINESE if zh else LATIN)
    n = len(lines) + (1.25 if title else 0)
    top, bottom = c.H * rng.uniform(0.02, 0.08), c.H * rng.uniform(0.92, 0.98)
    pitch = min((bottom - top) / n, rng.uniform(26 if spread else 34, 48) * c.sy)
    left, right = c.W * rng.uniform(0.03, 0.08), c.W * rng.uniform(0.92, 0.97)
    size = pitch * rng.uniform(0.55, 0.72)
    size = min(size, 28 * c.sy)
    font = load_font(name, round(size))
    columns = [(t, "") if isinstance(t, str) else (t[0] + "n", t[1]) for t in lines]
    width = max(font.getlength(a) for a, _ in columns) + max(font.getlength(b) for _, b in columns)
    if width > right - left:
        font = load_font(name, max(9, int(size * (right - left) / width)))
    y = top + rng.uniform(0, 1) * (bottom - top - n * pitch) + pitch / 2
    if title:
        big = c.fit(rng.choice((name, name, rng.choice(CHINESE if zh else LATIN))), title, size * 1.2, right - left)
        c.text((left + right) / 2, y + pitch * 0.1, title, big, c.colour(sum(c.paper) < 300), "m")
        y += pitch * 1.25
        if rng.random() < 0.4:
            c.draw.line((left, y - pitch * 0.55, right, y - pitch * 0.55), c.ink, 1)
    centred = keyed == "free" and rng.random() < 0.5
    gap = max((font.getlength(t[0]) for t in lines if not isinstance(t, str)), default=0) + font.getlength("n") * 1.2
    for line in lines:
        if isinstance(line, str):
            c.text((left + right) / 2 if centred else left, y, line, font, anchor="m" if centred else "l")
        else:
            c.text(left, y, line[0], font)
            if keyed == "wide":
                c.text(right, y, line[1], font, anchor="r")
            else:
                c.text(left + gap, y, line[1], font)
            if keyed == "near" and c.boxed:
                c.draw.line((left + gap, y + pitch * 0.4, right, y + pitch * 0.4), c.ink, 1)
        y += pitch


def sign(c, w, zh):
    rng = w.rng
    text = w.word(zh) if rng.random() < 0.6 else w.number() if rng.random() < 0.25 else w.code() if rng.random() < 0.2 else w.word(zh)
    parts = [text] + ([w.word(zh)] if rng.random() < 0.45 else [])
    joined = "".join(parts) if zh else " ".join(parts)
    lines = parts if rng.random() < 0.6 else [joined]
    box = [c.W * rng.uniform(0, 0.12), c.H * rng.uniform(0.0, 0.2), c.W * rng.uniform(0.88, 1), c.H * rng.uniform(0.8, 1)]
    if rng.random() < 0.6:
        light = rng.random() < 0.5
        fill = rng.choice(((200, 30, 30), (20, 110, 50), (25, 60, 150), (30, 30, 30))) if light else rng.choice(((250, 215, 60), (250, 250, 250), (235, 240, 200)))
        c.draw.rounded_rectangle(box, radius=rng.choice((0, 12)), fill=fill, outline=c.ink, width=rng.choice((1, 3)))
        ink = c.colour(light) if light else c.colour(False)
    else:
        ink = c.ink
    name = rng.choice(CHINESE if zh else LATIN)
    size = rng.uniform(20, 46) * c.sy / (1 if len(lines) == 1 else 1.15)
    font = c.fit(name, max(lines, key=len), size, (box[2] - box[0]) * 0.92)
    pitch, middle = font.size * rng.uniform(1.3, 1.6), (box[1] + box[3]) / 2 + rng.uniform(-0.1, 0.1) * c.H
    for i, line in enumerate(lines):
        c.text((box[0] + box[2]) / 2, middle + (i - (len(lines) - 1) / 2) * pitch, line, font, ink, "m")
    if zh:
        return [("read", rng.choice(("牌子上写着什么？", "图中写的是什么？", "上面写了什么字？")), joined), ("what", "图中有什么？", f"一块写着{joined}的牌子")]
    return [("read", rng.choice(("What does the sign say?", "What is written here?", "Read the text.")), joined),
            ("what", "What is in the picture?", f"A sign that says {joined}")]


def line_questions(rng, zh, texts):
    """Questions about each line, in random order."""
    out = []
    for i, text in enumerate(texts):
        if zh:
            nth = HAN[i] if i < len(HAN) else str(i + 1)
            out.append(("read", rng.choice((f"第{nth}行写着什么？", f"读出第{nth}行。")), text))
        else:
            ways = [f"What does line {i + 1} say?", f"Read line {i + 1}."] + [f"What is on the {nth} line?" for nth in ORDINAL[i:i + 1]]
            out.append(("read", rng.choice(ways), text))
    rng.shuffle(out)
    return out


def lines(c, w, zh):
    rng = w.rng
    count = rng.randint(2, 6)
    texts = []
    for _ in range(count):
        r = rng.random()
        text = w.word(zh) if r < 0.65 else w.number() if r < 0.75 else w.code() if r < 0.82 else w.word(zh) + ("" if zh else " ") + w.word(zh)
        texts.append(text)
    rows(c, zh, texts, keyed="free")
    out = line_questions(rng, zh, texts)
    if zh:
        out += [("read", "最后一行写着什么？", texts[-1]), ("count", "有几行字？", str(count)), ("what", "图中有什么？", f"{count}行字")]
    else:
        out += [("read", "What is on the last line?", texts[-1]), ("count", "How many lines of text are there?", str(count)),
                ("what", "What is in the picture?", f"{count} lines of text")]
    return out


def receipt(c, w, zh):
    rng = w.rng
    shop = w.word(zh) + ("" if zh else " ") + (rng.choice(("超市", "商店", "饭店", "书店")) if zh else rng.choice(("Cafe", "Shop", "Market", "Bar")))
    if not zh and rng.random() < 0.5:
        shop = shop.upper()
    items = {}
    for _ in range(rng.randint(1, 4)):
        items[w.word(zh, rng.choice("TTU"))] = w.price()
    tax = w.price() if rng.random() < 0.35 else None
    if zh and tax and float(tax) >= sum(map(float, items.values())):
        tax = None
    total = f"{sum(map(float, items.values())) + (float(tax) if tax and not zh else -float(tax or 0)):.2f}"
    money = rng.choice(("", "", "￥" if zh else "$"))
    body = [(k, money + v) for k, v in items.items()]
    out = [("lookup", rng.choice((f"{k}多少钱？", f"{k}的价格是多少？") if zh else (f"How much is the {k}?", f"What is the price of {k}?")), money + v)
           for k, v in items.items()]
    extra = []
    label = rng.choice(("合计", "总计") if zh else ("Total", "TOTAL"))
    extra.append((label, money + total))
    out.append(("lookup", rng.choice(("总计多少钱？", "合计是多少？") if zh else ("What is the total?", "How much is the total?")), money + total))
    if rng.random() < 0.5:
        d = w.date(zh)
        extra.insert(rng.choice((0, len(extra))), ("日期" if zh else "Date", d))
        out.append(("lookup", "日期是什么？" if zh else "What is the date?", d))
    if tax:
        extra.insert(0, ("折扣" if zh else "Tax", money + tax))
        out.append(("lookup", "折扣是多少？" if zh else "What is the tax?", money + tax))
    title = rng.random() < 0.8
    rows(c, zh, body + extra, shop if title else None)
    rng.shuffle(out)
    n = len(items)
    if title:
        out.insert(rng.randrange(len(out) + 1), ("read", rng.choice(("店名是什么？", "这是哪家店的小票？") if zh else ("What is the name of the shop?", "Which shop is the receipt from?")), shop))
        out.append(("what", "图中有什么？", f"{shop}的小票，有{n}件商品") if zh else
                   ("what", "What is in the picture?", f"A receipt from {shop} with {n} item{'s' if n > 1 else ''}"))
    out.append(("count", "有几件商品？" if zh else "How many items are there?", str(n)))
    return out


def form(c, w, zh):
    rng = w.rng
    table = KEYS_CN if zh else KEYS
    keys = rng.sample(sorted(table), rng.randint(2, 6))
    values = [value(w, table[k], zh) for k in keys]
    style = rng.choice(("：", "", "：") if zh else (":", "", ":"))
    upper = not zh and rng.random() < 0.25
    c.boxed = rng.random() < 0.3
    title = w.word(zh) + ("登记卡" if zh else rng.choice((" Card", " Form", " Ticket"))) if len(keys) < 5 and rng.random() < 0.5 else None
    rows(c, zh, [((k.upper() if upper else k) + style, v) for k, v in zip(keys, values)], title, rng.choice(("near", "near", "wide")))
    out = [("lookup", rng.choice((f"{k}是什么？", f"{k}是多少？") if zh else (f"What is the {k.lower()}?", f"{k}?")), v) for k, v in zip(keys, values)]
    rng.shuffle(out)
    n = len(keys)
    if title:
        out.append(("read", "标题是什么？" if zh else "What is the title?", title))
    out.append(("what", "图中有什么？", f"一张有{n}项的表格") if zh else ("what", "What is in the picture?", f"A form with {n} fields"))
    return out


def table(c, w, zh):
    rng = w.rng
    cols = rng.sample(("数量", "价格", "年龄", "编号") if zh else ("Price", "Age", "Size", "Level"), rng.randint(1, 2))
    names = []
    while len(names) < rng.randint(2, 4):
        names.append(w.word(zh, "T")[:6])
    names = list(dict.fromkeys(names))
    cells = [[w.digits(1, 3) for _ in cols] for _ in names]
    name = rng.choice(CHINESE if zh else LATIN)
    pitch = min(c.H * 0.94 / (len(names) + 1), rng.uniform(34, 46) * c.sy)
    longest = max(names, key=len) + "".join("  " + x for x in cols)
    font = c.fit(name, longest, pitch * rng.uniform(0.55, 0.68), c.W * 0.9)
    left = c.W * rng.uniform(0.03, 0.06)
    first = left + max(font.getlength(x) for x in names) + font.getlength("n")
    step = min((c.W * 0.98 - first) / len(cols), font.size * 5)
    y = c.H * 0.03 + rng.random() * (c.H * 0.94 - pitch * (len(names) + 1)) + pitch / 2
    ruled = rng.random() < 0.5
    for r, line in enumerate([[""] + list(cols)] + [[n] + v for n, v in zip(names, cells)]):
        c.text(left, y, line[0], font)
        for i, cell in enumerate(line[1:]):
            c.text(first + step * (i + 0.45), y, cell, font, anchor="m")
        y += pitch
        if ruled:
            c.draw.line((left, y - pitch / 2, first + step * len(cols), y - pitch / 2), c.ink, 1)
    out = [("table", f"{n}的{col}是多少？" if zh else f"What is the {col.lower()} of {n}?", v)
           for n, row in zip(names, cells) for col, v in zip(cols, row)]
    rng.shuffle(out)
    out = out[:4]
    out.append(("what", "图中有什么？", f"一张有{len(names)}行的表格") if zh else ("what", "What is in the picture?", f"A table with {len(names)} rows"))
    return out
