"""Forms, tickets, labels and business cards: keys with values, or values without keys whose format shows their meaning."""
from boxes import Box, column, ends, framed, padded, row, rule, widened
from page import blend, hsv
from wordings import PERSON, PHONE, TITLE, nth_line

FIELDS = {  # key -> kind of its value
    "Name": "person", "Phone": "phone", "City": "word", "Date": "date", "Age": "age", "Code": "serial", "Room": "number", "Color": "word", "Order": "serial", "Seat": "serial", "Gate": "serial",
    "Flight": "serial", "Size": "number", "Type": "thing", "Street": "street", "Price": "money", "Weight": "quantity", "Team": "word", "School": "phrase", "Time": "clock", "Table": "number", "Level": "number",
    "Model": "serial", "Brand": "word", "Address": "street", "Email": "mail", "Company": "phrase", "Title": "phrase", "Department": "thing", "Status": "word", "Country": "word", "From": "word", "To": "word",
    "Doctor": "person", "Passenger": "person", "Departure": "clock", "Arrival": "clock", "Class": "word", "Height": "quantity", "Length": "quantity", "Subject": "thing", "Teacher": "person", "Guest": "person",
    "Amount": "money", "Balance": "money", "Zip code": "number", "Course": "thing", "Start": "clock", "End": "clock", "Birthday": "date", "Expires": "date", "Valid until": "date", "Member since": "date",
    "Author": "person", "Pages": "number", "Platform": "number", "Train": "serial", "ID": "serial", "Username": "word", "Speed": "quantity", "Temperature": "quantity", "Floor": "number", "Location": "phrase",
    "Hotel": "phrase", "Nights": "number", "Job": "thing", "Manager": "person", "Version": "serial", "License": "serial"}
FIELDS_ZH = {
    "姓名": "person", "电话": "phone", "城市": "word", "日期": "date", "年龄": "age", "编号": "serial", "房间": "number", "颜色": "word", "订单": "serial", "座位": "serial", "班级": "word", "地址": "street",
    "学校": "word", "数量": "number", "时间": "clock", "价格": "money", "单位": "word", "密码": "serial", "车次": "serial", "桌号": "number", "部门": "thing", "职位": "thing", "公司": "phrase", "邮箱": "mail",
    "性别": "word", "身高": "quantity", "体重": "quantity", "医生": "person", "老师": "person", "科目": "thing", "航班": "serial", "登机口": "serial", "出发地": "word", "目的地": "word", "出发": "clock", "到达": "clock",
    "型号": "serial", "品牌": "word", "产地": "word", "规格": "quantity", "重量": "quantity", "金额": "money", "余额": "money", "有效期": "date", "生日": "date", "作者": "person", "页数": "number", "站台": "number",
    "楼层": "number", "状态": "word", "类型": "thing", "地点": "phrase", "会员号": "serial", "联系人": "person", "收件人": "person", "寄件人": "person", "经理": "person", "名称": "phrase", "净含量": "quantity",
    "温度": "quantity", "国家": "word", "姓氏": "word", "座位号": "serial"}
FORM_NAMES = ((" Card", " Form", " Ticket", "", " Report", " Pass", ""), ("登记卡", "信息", "", "通知", "名片", "卡"))
ENGLISH = ("What is the {0}?", "What is the {0}?", "{1}?", "What's the {0}?", "What does it say for {0}?", "What {0} is given?", "Tell me the {0}.", "Which {0}?", "What is written next to {1}?")
CHINESE = ("{1}是什么？", "{1}是多少？", "{1}？", "{1}写的是什么？", "请问{1}是什么？", "{1}一栏写了什么？")
MORE = {  # kind of value -> more wordings
    "person": (("Who is the {0}?",), ("{1}是谁？", "{1}叫什么？")), "date": ((), ("{1}是哪天？",)), "clock": (("What time is the {0}?", "When is the {0}?"), ("{1}是几点？",)), "money": (("How much is the {0}?",), ("{1}多少钱？",)),
    "phone": (("What is the phone number?", "What number should I call?"), ("电话号码是多少？",))}


def value(say, kind):
    if kind == "word":
        return say.word("T")
    if kind == "age":
        return str(say.rng.randint(3, 99))
    return say.phrase(1, 3) if kind == "phrase" else getattr(say, kind)()


def question(say, key, kind):
    english, chinese = MORE.get(kind, ((), ()))
    if key in ("Name", "姓名"):
        english, chinese = PERSON
    return say.ask(ENGLISH + tuple(english), CHINESE + tuple(chinese), key if key == "ID" else key.lower(), key)


def arranged(page, keys, values, style):
    """Combines boxes of keys and values to one box."""
    rng = page.rng
    if style == "near":
        left = max(k.w for k in keys)
        return column([row([widened(k, left), v], 0.5) for k, v in zip(keys, values)], rng.uniform(0, 0.5))
    if style == "flow":
        return column([row([k, v], 0.3) for k, v in zip(keys, values)], rng.uniform(0, 0.5), rng.choice(("left", "middle")))
    if style == "ends":
        width = max(k.w + v.w for k, v in zip(keys, values)) + rng.uniform(0.8, 3)
        lined, rows = rng.random() < 0.35, []
        for k, v in zip(keys, values):
            rows += [ends(k, v, width)] + [rule(width, 0.2, page.faint)] * lined
        return column(rows, rng.uniform(0, 0.4))
    if style == "above":
        align = rng.choice(("left", "left", "middle"))
        return column([column([k, v], -0.1, align) for k, v in zip(keys, values)], rng.uniform(0.15, 0.5), align)
    count = min(len(keys), rng.choice((2, 2, 3)))
    cells = [column([k, v], -0.1) for k, v in zip(keys, values)]
    widths = [max(c.w for c in cells[i::count]) for i in range(count)]
    rows = [row([widened(c, widths[i]) for i, c in enumerate(cells[first:first + count])], 0.8, "top") for first in range(0, len(cells), count)]
    return column(rows, rng.uniform(0.2, 0.6))


def titled(page, say, body):
    """Adds a title above a form, sometimes on a coloured bar. Returns the box and the title."""
    rng = page.rng
    title = say.phrase(1, 2) + say.label(*FORM_NAMES)
    head = page.heading(title, rng.uniform(1, 1.4))
    if rng.random() > 0.35:
        return column([head, body], 0.3, rng.choice(("left", "middle"))), title
    head = page.text(title, 1.1, hsv(rng.random(), rng.uniform(0, 0.2), 1), page.other)
    width = max(head.w, body.w) + 0.8
    return column([framed(Box(width, 1.7, head.at(0.4, 0.15)), page.accent), padded(body, 0.4, 0.1)], 0.2), title


def form(page, say, load):
    rng, fields = page.rng, FIELDS_ZH if page.chinese else FIELDS
    keys = rng.sample(sorted(fields), rng.randint(2, max(2, round(7 * load))))
    values = [value(say, fields[key]) for key in keys]
    style = rng.choice(("near", "near", "ends", "ends", "above", "above", "above", "grid", "grid", "flow"))
    after = say.label((":", "", ":", ""), ("：", "", "："))
    upper = rng.random() < 0.3
    size = rng.choice((1, 1, 0.85)) if style in ("near", "ends", "flow") else rng.choice((1, 1, 0.8, 0.7))
    ink = rng.choice((None, None, blend(page.ink, page.paper, 0.33), page.strong))
    key_face, value_face = rng.choice(((page.main, page.main), (page.main, page.main), (page.other, page.main), (page.main, page.other)))
    box = arranged(page, [page.text((key.upper() if upper else key) + after, size, ink, key_face) for key in keys], [page.text(v, 1, None, value_face) for v in values], style)
    asked = [("lookup", question(say, key, fields[key]), v) for key, v in zip(keys, values)]
    if rng.random() < 0.45:
        box, title = titled(page, say, box)
        asked.append(("read", say.ask(*TITLE), title))
    if rng.random() < 0.3:
        box = framed(padded(box, 0.5, 0.4), None if rng.random() < 0.6 else page.card, page.ink, 0.04, rng.choice((0, 0.4)))
    return box, asked


def business_card(page, say, load):
    """Values without keys."""
    rng = page.rng
    entries = {"name": (say.person(), rng.uniform(1, 1.4)), "job": (say.phrase(1, 2, "T"), rng.uniform(0.7, 1)), "company": (say.phrase(1, 2), rng.uniform(0.7, 1.2)),
               "phone": (say.phone(), rng.uniform(0.7, 1)), "mail": (say.mail(), rng.uniform(0.65, 0.9))}
    names = ["name", "job"] + ["company"] * (load > 0.6) + ["phone"] * (load > 0.4) + ["mail"] * (load > 0.8)
    if rng.random() < 0.3:
        rng.shuffle(names)
    questions = {"name": (PERSON[0] + ("Whose card is this?",), PERSON[1] + ("这是谁的名片？",)), "phone": PHONE,
                 "mail": (("What is the email?", "What is the email address?", "What is the e-mail address?"), ("邮箱是什么？", "邮箱地址是什么？")),
                 "job": (("What is the job title?", "What does this person do?", "What is the job?", "What is the position?"), ("职位是什么？", "做什么工作？", "职务是什么？")),
                 "company": (("What is the company?", "Which company is it?", "What company is this?", "What is the name of the company?"), ("公司是哪家？", "公司叫什么？", "公司名称是什么？", "是哪个公司？"))}
    lines = [entries[name][0] for name in names]
    boxes = [page.heading(*entries[name]) if name == "name" else page.text(*entries[name]) for name in names]
    asked = [("lookup", say.ask(*questions[name]), entries[name][0]) for name in names] + [("read", nth_line(say, i, len(lines)), line) for i, line in enumerate(lines)]
    box = column(boxes, rng.uniform(0, 0.4), rng.choice(("left", "left", "middle", "right")))
    if rng.random() < 0.3:
        box = framed(padded(box, 0.6, 0.5), page.card, page.faint, 0.04, rng.choice((0, 0.3)))
    return box, asked
