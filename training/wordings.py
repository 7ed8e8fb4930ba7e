"""Wordings that several kinds of images share. Each is a pair (English wordings, Chinese wordings). `Strings.ask` selects one."""
READ = (
    ("What does the sign say?", "What is written here?", "Read the text.", "What does it say?", "What does this say?", "Read this.", "Can you read this?", "What is the text in this picture?",
     "Please read the text.", "What's written on it?", "Read it to me.", "What text is shown?", "Read the words in the picture.", "What is written in the image?", "What words do you see?",
     "Tell me what it says.", "What is the text?", "Transcribe the text.", "Read the text in the image."),
    ("牌子上写着什么？", "图中写的是什么？", "上面写了什么字？", "写了什么？", "这是什么字？", "读一下上面的字。", "图片里的文字是什么？", "请读出图中的文字。", "上面写着什么？", "这上面写的什么？",
     "请问写了什么？", "图上的字是什么？", "文字内容是什么？", "读出来。", "识别图中文字。"))
TITLE = (
    ("What is the title?", "What is the heading?", "What does the title say?", "What's the title?", "What is at the top?", "What is this called?", "What is the name of this?"),
    ("标题是什么？", "大标题写着什么？", "题目是什么？", "最上面写着什么？", "这叫什么？", "标题写的是什么？"))
PERSON = (("What is the name?", "Who is this?", "What is the person's name?", "What is this person called?", "Whose name is it?"), ("名字是什么？", "姓名是什么？", "这个人叫什么？", "是谁？", "叫什么名字？"))
PHONE = (
    ("What is the phone number?", "What number can I call?", "What's the telephone number?", "What is the telephone number?", "Which number should I call?", "What is the number to call?"),
    ("电话是多少？", "电话号码是什么？", "联系电话是多少？", "打什么电话？", "电话号码是多少？"))
DATE = (
    ("What is the date?", "When is it?", "On what day is it?", "What date is shown?", "What day is it?", "What's the date?", "Which date is it?"),
    ("日期是什么？", "是哪一天？", "什么时候？", "哪天？", "日期是多少？", "是几月几日？"))
TIME = (
    ("What time is it?", "What time does it start?", "At what time?", "When does it start?", "What is the time?", "At what time does it begin?"),
    ("几点？", "几点开始？", "时间是几点？", "什么时间？", "时间是多少？"))
PLACE = (("Where is it?", "What is the place?", "Where does it take place?", "What is the location?", "What is the address?"), ("在哪里？", "地点是哪里？", "在什么地方？", "地址是什么？", "地点在哪？"))
COST = (
    ("How much is it?", "What is the price?", "How much does it cost?", "What does it cost?", "What's the price?", "How much is this?", "What is the cost?"),
    ("多少钱？", "价格是多少？", "卖多少钱？", "这个多少钱？", "价钱是多少？", "售价是多少？"))
COST_OF = (
    ("How much is the {}?", "What is the price of {}?", "How much does the {} cost?", "What does {} cost?", "How much is {}?", "Price of {}?", "How much for the {}?", "What is the cost of {}?"),
    ("{}多少钱？", "{}的价格是多少？", "{}是多少钱？", "{}卖多少钱？", "买{}要多少钱？", "{}的单价是多少？"))
ABSENT = ("not in the picture", "图中没有")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
DIGITS_ZH = "一二三四五六七八"


def nth_line(say, i, count, last=True):
    """Questions about a line: by its number, and as the top or the bottom line. `last` is False if there is more text below."""
    english = ["What does line {0} say?", "Read line {0}.", "What is on the {1} line?", "What is the {1} line?", "What's written on line {0}?", "Read the {1} line.", "What is written on the {1} line?"]
    chinese = ["第{1}行写着什么？", "读出第{1}行。", "第{1}行是什么？", "第{1}行的内容是什么？", "请读第{1}行。", "第{0}行写的是什么？"]
    if i == 0:
        english += ["What is at the top?", "What does the top line say?"]
        chinese += ["最上面写着什么？"]
    if i == count - 1 and last:
        english += ["What is on the last line?", "Read the last line.", "What does the bottom line say?"]
        chinese += ["最后一行写着什么？", "最下面一行是什么？"]
    return say.ask(english, chinese, i + 1, DIGITS_ZH[i] if say.chinese else ORDINALS[i])


def nth_item(say, i):
    return say.ask(("What is the {1} item?", "What is item {0}?", "What is item number {0}?", "What is the {1} thing on the list?", "What comes {1} on the list?", "What is number {0} on the list?"),
                   ("第{1}项是什么？", "列表第{1}项写着什么？", "第{0}项是什么？", "第{1}条是什么？", "清单第{1}项是什么？"), i + 1, DIGITS_ZH[i] if say.chinese else ORDINALS[i])


def joined(chinese, parts):
    return ("" if chinese else " ").join(parts)


def broken(rng, chinese, text, most):
    """Splits a phrase into at most `most` lines."""
    parts = list(text) if chinese else text.split(" ")
    count = min(most, max(1, len(parts) // 2) if chinese else len(parts))
    cuts = sorted(rng.sample(range(1, len(parts)), count - 1)) if count > 1 else []
    return [joined(chinese, parts[a:b]) for a, b in zip([0] + cuts, cuts + [len(parts)])]
