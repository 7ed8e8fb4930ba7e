"""Dialog windows, settings, and pages of a wall calendar."""
from boxes import Box, column, disc, ends, framed, padded, rectangle, row, rule
from strings import DAYS, DAYS_ZH, MONTHS
from wordings import TITLE, broken

SWITCHED = (("on", "off"), ("开", "关"))


def button(page, text, filled):
    label = page.text(text, 0.9, page.white if filled else None)
    return framed(padded(label, 0.6, 0.15), page.accent if filled else None, page.accent, 0.05, page.rng.choice((0, 0.25, 0.5)))


def dialog(page, say, load):
    rng = page.rng
    title, message, left, right = say.phrase(1, 3), say.phrase(2, 7 if load > 0.6 else 4), say.word("T"), say.word("T")
    body = column([page.text(line) for line in broken(rng, page.chinese, message, rng.choice((1, 2, 2, 3)))], -0.1)
    asked = [("read", say.ask(TITLE[0][:4] + ("What is the heading of the window?",), TITLE[1][:3] + ("窗口标题是什么？",)), title),
             ("read", say.ask(("What is the message?", "What does the message say?", "What does the dialog say?", "What does it ask?", "What does the text in the window say?"), ("提示内容是什么？", "消息是什么？", "提示了什么？", "对话框里写了什么？", "提示说什么？")), message)]
    filled = rng.random() < 0.5
    if rng.random() < 0.25:
        buttons = button(page, left, True)
        asked.append(("read", say.ask(("What does the button say?", "What is on the button?", "What is written on the button?"), ("按钮上写着什么？", "按钮写的是什么？")), left))
    else:
        buttons = row([button(page, left, filled), button(page, right, not filled)], rng.uniform(0.4, 1.2))
        asked += [("read", say.ask(("What does the left button say?", "What is on the left button?", "What is written on the left button?"), ("左边的按钮写着什么？", "左侧按钮是什么？", "左边按钮上写的是什么？")), left),
                  ("read", say.ask(("What does the right button say?", "What is on the right button?", "What is written on the right button?"), ("右边的按钮写着什么？", "右侧按钮是什么？", "右边按钮上写的是什么？")), right)]
    align = rng.choice(("left", "middle"))
    inner = column([page.heading(title, rng.uniform(1, 1.3)), body, buttons], rng.uniform(0.2, 0.6), align)
    box = framed(padded(inner, 0.7, 0.5), page.card, page.faint, 0.04, rng.choice((0, 0.3, 0.5)))
    return box, asked


def settings(page, say, load):
    """Names at the left, switches or values at the right."""
    rng, boxes, asked = page.rng, [], []
    entries = {say.thing(): None for _ in range(rng.randint(2, max(2, round(6 * load))))}
    width = max(page.text(name).w for name in entries) + rng.uniform(3, 5)
    for name in entries:
        if rng.random() < 0.5:
            on = rng.random() < 0.5
            knob = Box(1.6, 1.25, [rectangle(1.5, 0.8, page.accent if on else page.faint, None, 0.03, 0.4, 0, 0.2), disc(1.1 if on else 0.4, 0.6, 0.32, page.white)])
            boxes.append(ends(page.text(name), knob, width))
            asked.append(("lookup", say.ask(("Is {} on or off?", "Is {} turned on or off?"), ("{}是开还是关？", "{}开了还是关了？"), name), say.label(*[(way[0 if on else 1],) for way in SWITCHED])))
        else:
            value = say.pick(lambda: say.word("T"), say.number, say.quantity, say.clock)
            shown = page.text(value, 1, page.faint)
            boxes.append(ends(page.text(name), shown, max(width, page.text(name).w + shown.w + 0.8)))
            asked.append(("lookup", say.ask(("What is the {}?", "What is {} set to?", "What is the value of {}?", "What does it say next to {}?"), ("{}是什么？", "{}设为什么？", "{}的值是多少？", "{}旁边写着什么？"), name), value))
        if rng.random() < 0.3:
            boxes.append(rule(width, 0.2, page.faint))
    title = say.phrase(1, 2)
    asked.append(("read", say.ask(*TITLE), title))
    return column([page.heading(title, rng.uniform(1.1, 1.5)), column(boxes, rng.uniform(0, 0.4))], 0.3, rng.choice(("left", "middle"))), asked


def calendar_leaf(page, say, load):
    """Month, day and weekday in a column. The day has the largest text."""
    rng, chinese = page.rng, page.chinese
    month, day, weekday = rng.randrange(12), str(rng.randint(1, 31)), rng.choice(DAYS_ZH if chinese else DAYS)
    name = say.pick(f"{month + 1}月", f"{'一二三四五六七八九十'[month]}月" if month < 10 else f"{month + 1}月") if chinese else say.pick(MONTHS[month], MONTHS[month][:3])
    year = str(rng.randint(1990, 2040)) + ("年" if chinese and rng.random() < 0.5 else "")
    if not chinese and rng.random() < 0.4:
        name, weekday = name.upper(), weekday.upper()
    entries = {"month": (name, rng.uniform(0.8, 1.1)), "day": (day, rng.uniform(1.8, 3)), "weekday": (weekday, rng.uniform(0.7, 1))}
    names = rng.choice((("month", "day", "weekday"), ("weekday", "day", "month"), ("month", "day"), ("weekday", "month", "day"), ("day", "month", "weekday")))
    questions = {"month": (("What is the month?", "Which month is it?", "What month is shown?", "What month is it?"), ("是几月？", "月份是什么？", "现在是几月？")),
                 "day": (("What is the day?", "Which day of the month is it?", "What is the large number?", "What day of the month is it?"), ("是几号？", "是几日？", "大数字是多少？", "几号？")),
                 "weekday": (("What day of the week is it?", "Which weekday is it?", "What weekday is shown?", "What is the day of the week?"), ("是星期几？", "星期几？", "是周几？"))}
    boxes = [page.text(entries[n][0], entries[n][1], page.strong if n == "day" else None, page.other if n == "day" else None) for n in names]
    asked = [("lookup", say.ask(*questions[n]), entries[n][0]) for n in names]
    if rng.random() < 0.3:
        boxes.append(page.text(year, 0.8))
        asked.append(("lookup", say.ask(("What is the year?", "Which year is it?", "What year is it?"), ("是哪一年？", "年份是多少？")), year))
    if rng.random() < 0.3:
        note = say.phrase(1, 3)
        boxes.append(page.text(note, 0.8))
        asked.append(("read", say.ask(("What is on that day?", "What is written at the bottom?", "What happens on this day?"), ("最下面写着什么？", "这一天有什么事？")), note))
    if rng.random() < 0.5:
        date = f"{name}{day}日" if chinese else f"{name} {day}"
        asked.append(("lookup", say.ask(("What is the date?", "What date is shown?", "What date is it?"), ("日期是什么？", "是几月几日？", "今天几月几号？")), date))
    box = column(boxes, rng.uniform(-0.15, 0.3), "middle")
    if names[0] == "month" and rng.random() < 0.4:
        top = page.text(entries["month"][0], entries["month"][1], page.white)
        rest = column(boxes[1:], 0, "middle")
        width = max(top.w, rest.w) + 1.2
        box = column([framed(Box(width, top.h + 0.3, top.at((width - top.w) / 2, 0.15)), page.accent), rest], 0.1, "middle")
    return box, asked
