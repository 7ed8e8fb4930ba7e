"""The texts of the images: word lists in two languages, invented words, numbers. One word in ten is for scoring only."""
import hashlib
from pathlib import Path

EN = """apple bread milk coffee tea sugar rice butter cheese egg lemon onion tomato potato carrot banana orange grape melon
peach soup salad pizza pasta burger sandwich cake cookie honey juice water soda wine beer salt pepper chicken beef fish
shrimp noodle sushi taco waffle muffin bagel donut cream yogurt pen paper book lamp chair table clock phone cable mouse
keyboard screen printer camera battery bottle glass plate spoon knife fork towel soap brush mirror ticket bag box shirt
shoes hat jacket socks gloves scarf belt ring watch flower garden river mountain forest ocean island bridge station
market hotel museum library school office bank hospital theater park street north south east west open closed exit
entrance push pull stop danger caution welcome sale free parking private silence reserved ladies gentlemen help danger
fire first floor second summer winter spring autumn morning evening night sunday monday friday music dance movie game
sport tennis soccer golf travel train plane bus taxi boat car bike road map guide tour beach camp pool spa gym cafe bar
grill bakery deli shop store corner golden silver happy lucky royal grand central little old new city town green planet
star moon sun cloud rain snow wind storm paris london tokyo berlin madrid rome vienna oslo dublin boston denver austin
dallas miami""".split()
NAMES = """Anna Ben Clara David Emma Frank Grace Henry Iris Jack Karen Leo Maria Nina Oscar Paul Rosa Sam Tina Victor
Wendy Adam Bella Carl Diana Eric Fiona George Helen Ivan Julia Kevin Laura Martin Nora Peter Ruth Simon Tom Vera""".split()
ZH = """苹果 面包 牛奶 咖啡 红茶 白糖 大米 鸡蛋 西瓜 香蕉 草莓 葡萄 米饭 面条 饺子 包子 牛肉 羊肉 鸡肉 鱼汤 青菜 白菜 土豆 豆腐 果汁 可乐 啤酒
毛巾 牙刷 雨伞 书包 铅笔 本子 台灯 手机 电脑 电视 冰箱 水杯 衣服 鞋子 帽子 手表 花瓶 椅子 桌子 北京 上海 广州 天津 南京 西安 成都 杭州 大连 青岛
学校 医院 银行 书店 车站 机场 公园 饭店 商店 市场 图书馆 博物馆 电影院 超市 出口 入口 小心 安全 禁止 停车 欢迎 光临 开放 关门 请勿 吸烟 安静 免费
今天 明天 早上 晚上 春天 夏天 秋天 冬天 星期 新年 快乐 平安 健康 幸福 生日 你好 谢谢 再见 中国 长城 黄河 长江 东方 西方 南方 北方 红色 白色 黑色
音乐 电影 足球 篮球 游泳 跑步 旅行 火车 飞机 汽车 地铁 自行车 老师 学生 朋友 家庭 工作 学习 生活 世界 时间 天气 太阳 月亮 星星 大海 高山 森林 花园
阳光 幸运 和平 友好 金星 百家 万达 光明 长安 新华 人民 中心 大厦 广场 花店 茶馆 面馆 小吃""".split()
ZH_NAMES = "王明 李华 张伟 刘洋 陈静 杨光 赵丽 黄海 周平 吴江 徐红 孙文 马超 朱军 胡小明 林心如 高山 何方 郭云 罗成 王小红 李天 张国强 刘星 陈东".split()
ZH_EXTRA = (
    "一二三四五六七八九十百千万元角分年月日号上下左右大小多少里外前后东西南北男女老人口手足心水火土木金石田力工厂门户山川风云雨雪花草树林鸟鱼虫马牛羊米茶"
    "的是了我不在他有这个们到为子你说着就那和要她也得自以会可过能对然于心学么之都好看起发当没成只如事把还用样想作种美总从无情己面最但现些所同又行意动方期它头经儿回位分爱"
    "给名法间斯知世什两次使身者被已亲其进此话常与活正感见明问力理尔点文几定本公特做孩相果怎真走很像听向才体打应等必实打声长新做吗让变少气部再合全每走叫带解关"
    "表业务级产品类型单据款付收银费率税额折扣订购买卖找零现金卡号码件重量净含配料保质生产批准编制造限公司地址电传真箱邮网站客服热线营时段周末假节"
    "省县区镇村街道楼层室座栋幢单元梯厅厨卫床窗门墙灯茶酒烟糖油盐酱醋葱姜蒜菜瓜果梨桃橙柠檬芒榴莲蓝莓樱椰枣栗核仁蛋奶酪饼糕粉粥汤锅烤炸煮蒸炒拌")


def held_out(word):
    """True for the tenth of all words that is for scoring only."""
    return hashlib.md5(word.lower().encode()).digest()[0] < 26


class Words:
    """Draws text. `scoring` selects the part of the split for the real words."""

    def __init__(self, rng, scoring=False):
        self.rng, self.scoring = rng, scoring

    def real(self, words):
        for _ in range(200):
            word = self.rng.choice(words)
            if held_out(word) == self.scoring:
                return word
        return word

    def doubled(self, text, share):
        """In training, sometimes doubles a character, because two equal characters are hard to distinguish from one."""
        if self.scoring or not text or self.rng.random() > share:
            return text
        i = self.rng.randrange(len(text))
        return text[:i] + text[i] + text[i:]

    def invented(self):
        rng = self.rng
        if rng.random() < 0.3:
            return self.doubled("".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 6))), 0.3)
        parts = [rng.choice("bcdfghjklmnpqrstvwxyz") + rng.choice("aeiou") for _ in range(rng.randint(1, 3))]
        return self.doubled("".join(parts) + rng.choice("bdgklmnprstxyz"), 0.3)

    def english(self, case=None):
        rng = self.rng
        word = self.real(EN) if rng.random() < (0.45 if self.scoring else 0.2) else self.invented()
        case = case or rng.choice("UUTTTl")
        return word.upper() if case == "U" else word.title() if case == "T" else word

    def chinese(self):
        rng = self.rng
        if rng.random() < (0.5 if self.scoring else 0.25):
            return self.real(ZH)
        return "".join(rng.choice(CHINESE) for _ in range(rng.randint(2, 4)))

    def word(self, zh, case=None):
        return self.chinese() if zh else self.english(case)

    def name(self, zh):
        return self.real(ZH_NAMES if zh else NAMES)

    def digits(self, low, high):
        drawn = "".join(self.rng.choice("0123456789") for _ in range(self.rng.randint(low, high)))
        return self.doubled(drawn, 0.3)[:high]

    def number(self):
        return str(self.rng.randint(1, 9)) + self.digits(0, 3)

    def price(self):
        return f"{self.rng.choice((self.rng.randint(0, 9), self.rng.randint(10, 99)))}.{self.digits(2, 2)}"

    def date(self, zh):
        rng = self.rng
        y, m, d = rng.randint(2015, 2029), rng.randint(1, 12), rng.randint(1, 28)
        if zh:
            return rng.choice((f"{m}月{d}日", f"{y}-{m:02}-{d:02}"))
        return rng.choice((f"{y}-{m:02}-{d:02}", f"{d:02}/{m:02}/{y}"))

    def code(self):
        rng = self.rng
        return "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(1, 3))) + self.rng.choice(("", "-")) + self.digits(2, 4)


CHARACTERS = Path(__file__).with_name("characters.txt").read_text()  # sorted by frequency in jieba's word list
CHINESE = sorted(set("".join(ZH + ZH_NAMES)) | set(ZH_EXTRA))
KEYS_ZH = """姓名 电话 城市 日期 年龄 编号 房间 颜色 订单 座位 班级 地址 学校 数量 时间 价格 单位 密码 车次 桌号""".split()
LABELS_ZH = "合计总计收银小票商店单价品名找零电话折扣共有价格图表报名登记卡信息入场券通知数据统计：￥，。号"
# The classes of the reader's heads: ASCII, the Chinese characters above, 3,000 more by frequency, and signs.
ALPHABET = [None] + [chr(i) for i in range(33, 127)] + sorted(set(CHINESE) | set("".join(KEYS_ZH)) | set(LABELS_ZH) | set(CHARACTERS) | set("€£¥°–“”？！；、（）《》"))
CLASS = {c: i for i, c in enumerate(ALPHABET)}
