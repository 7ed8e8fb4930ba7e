"""Receipts, bills and menus: names with prices, and the texts above and below them."""
from boxes import Box, column, disc, ends, framed, padded, row, rule, widened
from wordings import COST_OF, DATE, PHONE, TIME

SHOPS = ((" Cafe", " Shop", " Market", " Bar", "", "", " Restaurant", " Store", " & Co."), ("超市", "商店", "饭店", "书店", "餐厅", "便利店", ""))
TOTALS = (("Total", "TOTAL", "Total", "Amount due", "Grand total", "Sum", "Total:"), ("合计", "总计", "应付", "总额", "共计"))
EXTRAS = (("Tax", "Subtotal", "Tip", "Discount", "VAT", "Service"), ("折扣", "优惠", "税", "小计", "服务费"))
PAID = (("Cash", "Change", "Card", "Paid"), ("现金", "找零", "微信", "支付宝"))
STYLES = ("ends", "ends", "near", "dots", "below", "count", "price first")


def priced_rows(page, rows, style, width):
    """Turns rows of (name box, price box) into boxes of one style."""
    if style == "near":
        left = max(a.w for a, _ in rows)
        return [row([widened(a, left), b], 0.6) for a, b in rows]
    if style == "price first":
        left = max(b.w for _, b in rows)
        return [row([widened(b, left), a], 0.6) for a, b in rows]
    if style == "below":
        return [column([a, b], -0.1) for a, b in rows]
    made = [ends(a, b, width) for a, b in rows]
    if style == "dots":
        for (a, b), box in zip(rows, made):
            box.items += [disc(a.w + 0.3 + 0.35 * k, 0.9, 0.05, page.ink) for k in range(int((width - a.w - b.w - 0.6) / 0.35))]
    return made


def header(page, say):
    """Date, time, number and phone of a receipt. Returns boxes and questions."""
    rng, boxes, asked = page.rng, [], []
    entries = ((0.45, say.date, (("Date: ", "", "Date ", "DATE "), ("日期：", "", "日期")), DATE), (0.2, say.clock, (("Time: ", "", ""), ("时间：", "")), TIME),
               (0.2, say.serial, (("No. ", "Order ", "Receipt # ", "Invoice "), ("单号：", "No. ", "编号：")), (("What is the number?", "What is the order number?", "What is the receipt number?"), ("单号是多少？", "编号是什么？", "单号是什么？"))),
               (0.2, say.phone, (("Tel ", "", "Tel. ", "Phone: "), ("电话：", "")), PHONE))
    for often, draw, label, question in entries:
        if rng.random() < often:
            value, before = draw(), say.label(*label)
            boxes.append(row([page.text(before), page.text(value)], 0.2) if before and rng.random() < 0.3 else page.text(before + value, rng.uniform(0.75, 1)))
            asked.append(("lookup", say.ask(*question), value))
    return boxes, asked


def footer(page, say, currency):
    """Tax, total and cash. Returns rows (label, amount) and questions."""
    rng, rows, asked = page.rng, [], []

    def add(label, english, chinese):
        rows.append((label, currency.format(say.amount())))
        asked.append(("lookup", say.ask(english, chinese, label if label == "VAT" else label.lower()), rows[-1][1]))

    if rng.random() < 0.4:
        add(say.label(*EXTRAS), ("What is the {}?", "How much is the {}?"), ("{}是多少？", "{}多少钱？"))
    add(say.label(*TOTALS), ("What is the total?", "How much is the total?", "How much is it in total?", "What is the total amount?", "How much do I have to pay?", "How much did it cost?", "What's the total?", "What does it come to?"),
        ("总计多少钱？", "合计是多少？", "一共多少钱？", "总共多少钱？", "总价是多少？", "要付多少钱？", "总金额是多少？"))
    if rng.random() < 0.25:
        add(say.label(*PAID), ("How much is the {}?", "What is the {}?"), ("{}是多少？",))
    return rows, asked


def receipt(page, say, load):
    rng, chinese = page.rng, page.chinese
    currency, style = say.currency(), rng.choice(STYLES)
    items = {say.thing(): (currency.format(say.amount()), rng.randint(1, 9)) for _ in range(rng.randint(1, max(1, round(5 * load))))}
    menu = rng.random() < 0.15
    tail, asked = ([], []) if menu or rng.random() < 0.25 else footer(page, say, currency)
    head, about = ([], []) if menu else header(page, say)
    names = {name: (f"{name} x{count}" if chinese else f"{count} x {name}") if style == "count" else name for name, (_, count) in items.items()}
    rows = [(page.text(names[name]), page.text(price)) for name, (price, _) in items.items()]
    tail = [(page.text(label), page.text(amount)) for label, amount in tail]
    width = max([a.w + b.w + 1.0 for a, b in rows + tail] + [b.w for b in head]) * rng.choice((1, 1, 1.3))
    parts = []
    if rng.random() < 0.8:
        shop = say.phrase(1, 3) + say.label(*SHOPS)
        parts.append(page.heading(shop, rng.uniform(0.95, 1.35)))
        asked.append(("read", say.ask(("What is the name of the shop?", "Which shop is the receipt from?", "What is the shop called?", "Where is this from?", "What is the name of the store?", "Which store is this?", "What's the name of this place?"),
                                      ("店名是什么？", "这是哪家店的小票？", "这家店叫什么？", "商店的名字是什么？", "是哪家店？", "店名叫什么？")), shop))
    above = rng.random() < 0.6
    parts += head if above else []
    if parts and rng.random() < 0.5:
        parts.append(rule(width))
    parts.append(column(priced_rows(page, rows, style, width), rng.uniform(-0.05, 0.25)))
    if tail:
        parts += [rule(width)] * (rng.random() < 0.5)
        parts += priced_rows(page, tail, "near" if style in ("near", "price first", "below") else "ends", width)
    parts += [] if above else head
    box = column(parts, rng.uniform(0, 0.2), rng.choice(("middle", "left")))
    if rng.random() < 0.15:
        box = framed(padded(box, 0.5, 0.4), None, page.ink, 0.04)
    prices = [price for price, _ in items.values()]
    for name, (price, count) in items.items():
        asked.append(("lookup", say.ask(*COST_OF, name), price))
        if style == "count" and rng.random() < 0.3:
            asked.append(("lookup", say.ask(("How many {}?", "How many {} were bought?"), ("{}有几份？", "{}买了几个？"), name), str(count)))
        if prices.count(price) == 1 and rng.random() < 0.15:
            asked.append(("lookup", say.ask(("What costs {}?", "Which item is {}?"), ("哪个是{}？", "什么东西卖{}？"), price), name))
    asked.append(("count", say.ask(("How many items are there?", "How many things are listed?"), ("有几件商品？", "一共有几种商品？")), str(len(items))))
    return box, asked + about
