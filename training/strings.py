"""The texts of the varied images: phrases, names, dates, times, phone numbers, amounts and codes in many formats."""
import json
from functools import lru_cache
from pathlib import Path

from faces import DEMO_FONTS
from words import CHARACTERS, NAMES, ZH_NAMES, Words, held_out

PACKED = DEMO_FONTS / "words.json"
SURNAMES = ("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚"
            "谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文")
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
DAYS_ZH = [start + day for start in ("星期", "周") for day in "一二三四五六日"]
ONSETS = "b c d f g h j k l m n p qu r s t v w x z th sh ch br st tr pl cr gr fl".split()
ENDS = ("", "n", "r", "ll", "s", "t", "ck", "ng", "m")
SHORT = {"to", "of", "in", "on", "at", "up", "go", "no", "my", "we", "is", "it", "by"}
UNFIT = {"fuck", "fucking", "shit", "bitch", "nigger", "cunt", "dick", "porn", "sex"}


@lru_cache(1)
def english_words():
    """Common words, most frequent first (PyPI wordfreq, or the list from pack.py)."""
    if PACKED.exists():
        return json.loads(PACKED.read_text())["english"]
    from wordfreq import top_n_list
    fits = [w for w in top_n_list("en", 30000) if w.isascii() and w.replace("'", "").isalpha() and 2 <= len(w) <= 13]
    return [w for w in fits if w not in UNFIT and (len(w) > 2 or w in SHORT)]


@lru_cache(1)
def chinese_words():
    """60,000 words of the common characters, most frequent first (PyPI jieba, or the list from pack.py)."""
    if PACKED.exists():
        return json.loads(PACKED.read_text())["chinese"]
    import jieba
    rows = [line.split() for line in open(Path(jieba.__file__).with_name("dict.txt"), encoding="utf-8")]
    known = set(CHARACTERS)
    fits = [(-int(count), word) for word, count, *_ in rows if 2 <= len(word) <= 6 and known.issuperset(word)]
    return [word for _, word in sorted(fits)[:60000]]


@lru_cache(4)
def listed(chinese, scoring):
    return [w for w in (chinese_words() if chinese else english_words()) if held_out(w) == scoring]


class Strings:
    """Each method draws a new string. `chinese` selects the language. `scoring` selects the tenth of the words that is for scoring only."""

    def __init__(self, rng, chinese, scoring=False):
        self.rng, self.chinese, self.scoring = rng, chinese, scoring
        self.basic = Words(rng, scoring)
        self.digits, self.number = self.basic.digits, self.basic.number

    def ask(self, english, chinese, *values):
        """One wording of a question, with its values. If there are five or more wordings, one in ten is for scoring only."""
        ways = chinese if self.chinese else english
        if len(ways) >= 5:
            ways = [way for way in ways if held_out(way) == self.scoring] or ways
        return self.rng.choice(ways).format(*values)

    def label(self, english, chinese):
        """A word in the language of the image."""
        return self.rng.choice(chinese if self.chinese else english)

    def pick(self, *ways):
        """One of several strings, or the result of one of several functions."""
        way = self.rng.choice(ways)
        return way() if callable(way) else way

    def often(self, items, power):
        """An item of a list. Early items are more frequent; with power 1, all are equally frequent."""
        return items[int(len(items) * self.rng.random() ** power)]

    def cased(self, text, how=None):
        """U: UPPER, T: Title, S: Sentence, l: lower."""
        how = how or self.rng.choice("UUTTTTSl")
        if how == "U":
            return text.upper()
        return text.title().replace("'S", "'s") if how == "T" else text[:1].upper() + text[1:] if how == "S" else text

    def english_word(self):
        r, rng = self.rng.random(), self.rng
        if r < 0.62:
            return self.often(listed(False, self.scoring), 1.6)
        if r < 0.72:
            syllables = "".join(rng.choice(ONSETS) + rng.choice("aeiouaeiouy") for _ in range(rng.randint(1, 3)))
            return self.basic.doubled(syllables + rng.choice(ENDS), 0.2)
        return self.basic.invented()

    def chinese_word(self):
        if self.rng.random() < 0.5:
            return self.often(listed(True, self.scoring), 1.7)
        return "".join(self.often(CHARACTERS, 1.05) for _ in range(self.rng.randint(1, 4)))

    def word(self, how=None):
        if self.chinese:
            return self.chinese_word()
        return self.cased(self.english_word(), how or self.rng.choice("TTTSlU"))

    def phrase(self, least=1, most=6, how=None):
        """1 to 6 English words, or up to 12 Chinese characters."""
        count = min(most, max(least, self.rng.choice((1, 1, 2, 2, 2, 3, 3, 4, 5, 6))))
        if self.chinese:
            return "".join(self.chinese_word() for _ in range(max(1, (count + 1) // 2)))
        words = [self.english_word() for _ in range(count)]
        if count > 1 and self.rng.random() < 0.1:
            words[self.rng.randrange(count)] = self.rng.choice(("&", "of", "the", "and", "for", str(self.rng.randint(1, 99))))
        return self.cased(" ".join(words), how)

    def thing(self):
        return self.phrase(1, 2, self.rng.choice("TTTSlU"))

    def person(self):
        rng = self.rng
        if self.chinese:
            given = "".join(self.often(CHARACTERS[:1500], 1) for _ in range(rng.choice((1, 2, 2))))
            return self.basic.real(ZH_NAMES) if rng.random() < 0.3 else rng.choice(SURNAMES) + given
        first, last = self.basic.real(NAMES), self.english_word().title()
        title = rng.choice(("Dr.", "Mr.", "Ms.", "Mrs."))
        return self.pick(f"{first} {last}", f"{first} {last}", first, f"{rng.choice('ABCDEFGHJKLMNPRSTW')}. {last}", f"{self.english_word().title()} {last}", f"{title} {last}")

    def date(self):
        rng = self.rng
        y, m, d = rng.randint(1995, 2031), rng.randint(1, 12), rng.randint(1, 31)
        if self.chinese:
            return self.pick(f"{m}月{d}日", f"{y}-{m:02}-{d:02}", f"{y}年{m}月{d}日", f"{y}/{m}/{d}", f"{y}.{m:02}.{d:02}", f"{y}年{m}月", f"{m}月{d}日{rng.choice(DAYS_ZH)}")
        name, short = MONTHS[m - 1], MONTHS[m - 1][:3]
        return self.pick(f"{y}-{m:02}-{d:02}", f"{d:02}/{m:02}/{y}", f"{m}/{d}/{y}", f"{name} {d}, {y}", f"{d} {name} {y}", f"{short} {d}, {y}", f"{d} {short} {y}", f"{d}.{m}.{y}",
                         f"{name} {d}", f"{d} {name}", f"{short} {d}", f"{rng.choice(DAYS)}, {name} {d}")

    def clock(self):
        rng = self.rng
        h, m = rng.randint(0, 23), rng.choice((0, 15, 30, 45, rng.randint(0, 59)))
        if self.chinese:
            return self.pick(f"{h:02}:{m:02}", f"{h}:{m:02}", f"上午{h % 12 + 1}点", f"下午{h % 12 + 1}点", f"{h}点{m}分" if m else f"{h}点")
        return self.pick(f"{h:02}:{m:02}", f"{h}:{m:02}", f"{h % 12 + 1}:{m:02} {rng.choice(('AM', 'PM', 'am', 'pm'))}", f"{h % 12 + 1} {rng.choice(('am', 'pm'))}")

    def phone(self):
        def d(n):
            return "".join(self.rng.choice("0123456789") for _ in range(n))

        if self.chinese:
            return self.pick("1" + d(10), f"1{d(2)} {d(4)} {d(4)}", f"0{d(2)}-{d(8)}", f"400-{d(3)}-{d(4)}", d(8))
        return self.pick(f"{d(3)}-{d(4)}", f"({d(3)}) {d(3)}-{d(4)}", f"{d(3)}-{d(3)}-{d(4)}", f"+{self.rng.randint(1, 99)} {d(3)} {d(4)}", f"{d(3)} {d(4)}", d(7), f"555-{d(4)}")

    def amount(self):
        rng = self.rng
        return self.pick(f"{rng.randint(0, 9)}.{rng.randint(0, 99):02}", f"{rng.randint(10, 99)}.{rng.randint(0, 99):02}", f"{rng.randint(1, 999)}.{rng.choice(('00', '50', '99', '95'))}",
                         str(rng.randint(2, 250)), f"{rng.randint(1, 9)},{rng.randint(0, 999):03}")

    def currency(self):
        """Returns a pattern for `format`, with the currency before or after the amount, or without it."""
        if self.chinese:
            return self.pick("{}", "￥{}", "¥{}", "{}元", "{}元", "￥{}")
        return self.pick("{}", "{}", "${}", "${}", "${}", "€{}", "£{}", "{} €", "{} USD", "$ {}")

    def money(self):
        return self.currency().format(self.amount())

    def serial(self):
        return self.pick(self.basic.code, self.basic.code, lambda: "#" + self.digits(3, 6), lambda: self.digits(2, 3) + self.rng.choice("ABCDEFGH"), lambda: self.digits(4, 8),
                         lambda: f"{self.basic.code()}-{self.digits(2, 3)}")

    def street(self):
        n = self.rng.randint(1, 300)
        if self.chinese:
            return f"{self.chinese_word()}路{n}号"
        name = self.english_word().title()
        return self.pick(f"{n} {name} {self.pick('St', 'Street', 'Road', 'Ave', 'Lane')}", f"{name} {self.pick('Street', 'Road', 'Avenue')} {n}")

    def quantity(self):
        n = self.rng.randint(1, 999)
        return f"{n}{self.pick('克', '公斤', 'kg', '厘米', '米', '毫升')}" if self.chinese else f"{n}{self.pick('', ' ')}{self.pick('kg', 'g', 'cm', 'km', 'ml', 'L', '%')}"

    def mail(self):
        return f"{self.basic.invented()}@{self.basic.invented()}.{self.pick('com', 'org', 'net', 'cn')}"
