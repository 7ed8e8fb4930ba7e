"""Signs, street signs, posters and price tags: a few words in large letters."""
from boxes import column, framed, padded
from page import hsv
from wordings import COST, COST_OF, DATE, PLACE, READ, TIME, broken, joined, nth_line

STREETS = ((" Street", " Road", " Ave", " St", " Station", " Lane", " Square", ""), ("路", "街", "大道", "站", "巷", "桥"))


def sign(page, say, load):
    rng, chinese = page.rng, page.chinese
    text = say.phrase(1, 6 if load > 0.6 else 3)
    if rng.random() < 0.12:
        text = say.pick(say.serial, say.clock, say.phone, say.date, say.money)
    tall = {True: 4, False: 1}[page.aspect < 0.7]
    lines = broken(rng, chinese, text, tall if rng.random() < 0.5 else rng.randint(1, 4))
    plate, ink = None, None
    if rng.random() < 0.5:
        plate = hsv(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.2, 0.65)) if rng.random() < 0.65 else hsv(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.8, 1))
        ink = hsv(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.85, 1)) if sum(plate) < 380 else hsv(rng.random(), rng.random(), rng.uniform(0, 0.3))
    boxes, small, whole = [page.text(line, 1, ink) for line in lines], None, joined(chinese, lines)
    if rng.random() < 0.25:
        small = say.phrase(1, 3)
        boxes.append(page.text(small, rng.uniform(0.5, 0.8), ink, page.other))
    box = column(boxes, rng.uniform(-0.1, 0.35), rng.choice(("middle", "middle", "middle", "left")))
    if plate:
        box = framed(padded(box, rng.uniform(0.3, 1), rng.uniform(0.2, 0.8)), plate, rng.choice((None, ink)), 0.08, rng.choice((0, 0.2, 0.5)))
    asked = [("read", say.ask(*READ), joined(chinese, [whole, small] if small else [whole]))]
    if small:
        asked += [("read", say.ask(("What does the large text say?", "What is the biggest text?", "What is the main text?"), ("最大的字是什么？", "大字写着什么？")), whole),
                  ("read", say.ask(("What does the small text say?", "What is written below?", "What is the smaller text?"), ("小字写着什么？", "下面的小字是什么？")), small)]
    elif rng.random() < 0.5:
        asked.append(("what", say.ask(("What is in the picture?",), ("图中有什么？",)), f"一块写着{whole}的牌子" if chinese else f"A sign that says {whole}"))
    if len(lines) > 1 and rng.random() < 0.6:
        i = rng.randrange(len(lines))
        asked.append(("read", nth_line(say, i, len(lines), not small), lines[i]))
    return box, asked


def street(page, say, load):
    rng = page.rng
    name = say.phrase(1, 2, rng.choice("TTU")) + say.label(*STREETS)
    name = name.upper() if rng.random() < 0.3 else name
    boxes = [column([page.text(line, 1.2) for line in broken(rng, page.chinese, name, rng.choice((1, 1, 2)))], -0.1, "middle")]
    asked = [("read", say.ask(("What is the name of the street?", "What street is this?", "Which street is it?", "What is the street called?", "Which road is this?"),
                              ("这是什么路？", "路名是什么？", "站名是什么？", "这条路叫什么？", "是哪条街？")), name)]
    if rng.random() < 0.45:
        far = f"{rng.randint(1, 99)}{say.label((' km', ' mi', 'km', ' m'), ('公里', '米'))}"
        number = say.pick(lambda: str(rng.randint(1, 999)), far)
        boxes.insert(rng.randint(0, 1), page.text(number, rng.uniform(0.7, 1.1)))
        if number == far:
            asked.append(("lookup", say.ask(("How far is it?", "What is the distance?", "How far away is it?"), ("还有多远？", "距离是多少？")), far))
        else:
            asked.append(("lookup", say.ask(("What is the number?", "What number is it?", "Which house number is it?"), ("号码是多少？", "门牌号是多少？", "是几号？")), number))
    else:
        asked.append(("read", say.ask(*READ), name))
    box = column(boxes, rng.uniform(0, 0.4), "middle")
    if rng.random() < 0.7:
        plate = hsv(rng.random(), rng.uniform(0.5, 1), rng.uniform(0.25, 0.6))
        for item in range(len(box.items)):
            kind, points, text, face, size, _ = box.items[item]
            box.items[item] = (kind, points, text, face, size, page.white)
        box = framed(padded(box, rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.6)), plate, rng.choice((None, page.white)), 0.08, rng.choice((0, 0.3)))
    return box, asked


def event(page, say, load):
    """A poster: event, date, time and place."""
    rng = page.rng
    wanted = {"what": (say.phrase(1, 4), rng.uniform(1, 1.5)), "when": (say.date(), 1.0), "time": (say.clock(), 1.0), "where": (say.phrase(1, 3), rng.uniform(0.8, 1))}
    names = ["what", "when"] + ["time"] * (load > 0.6) + ["where"] * (load > 0.4)
    if rng.random() < 0.3:
        rng.shuffle(names)
    boxes = []
    for name in names:
        text, size = wanted[name]
        boxes.append(page.heading(text, size) if name == "what" else page.text(text, size))
    questions = {"what": (("What is the event?", "What is it called?", "What event is this?", "What is the event called?", "What is going on?"), ("是什么活动？", "活动叫什么？", "活动名称是什么？", "这是什么活动？")),
                 "when": DATE, "time": TIME, "where": PLACE}
    return column(boxes, rng.uniform(0, 0.5), rng.choice(("left", "middle", "middle"))), [("lookup", say.ask(*questions[name]), wanted[name][0]) for name in names]


def price_tag(page, say, load):
    rng = page.rng
    thing, price = say.phrase(1, 3), say.money()
    boxes = [page.text(thing, rng.uniform(0.6, 1)), page.heading(price, rng.uniform(1, 2))]
    if rng.random() < 0.35:
        boxes.reverse()
    asked = [("lookup", say.ask(*COST), price), ("lookup", say.ask(*COST_OF, thing), price),
             ("read", say.ask(("What is being sold?", "What is the product?", "What is the name of the product?", "What product is this?", "What is for sale?", "What is it?"),
                              ("卖的是什么？", "商品叫什么？", "商品名称是什么？", "是什么商品？", "这是什么？")), thing)]
    if rng.random() < 0.45:
        extras = ((("Was", "Old price", "Before"), ("原价", "市场价"), ("What was the old price?", "How much was it before?", "What was the price before?"), ("原价是多少？", "原来多少钱？")),
                  (("Members", "Member price"), ("会员价",), ("What is the price for members?", "How much is it for members?"), ("会员价是多少？", "会员多少钱？")))
        english, chinese, *question = rng.choice(extras)
        other = say.money()
        boxes.append(page.text(f"{say.label(english, chinese)} {other}", 0.7))
        asked.append(("lookup", say.ask(*question), other))
    if rng.random() < 0.3:
        weight = say.quantity()
        boxes.insert(rng.randint(0, len(boxes)), page.text(weight, 0.7))
        asked.append(("lookup", say.ask(("What is the weight?", "How much is in it?", "What size is it?"), ("净含量是多少？", "规格是多少？", "重量是多少？")), weight))
    return column(boxes, rng.uniform(0, 0.3), rng.choice(("left", "middle", "middle"))), asked
