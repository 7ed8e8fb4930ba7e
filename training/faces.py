"""The faces of the varied images: Latin families with frequencies, Chinese faces, and families for scoring only.

`fonts.sh` installs them. A family that is not installed is skipped, so the data depend a little on the machine. The frozen
benchmark files do not depend on it.
"""
import os
import re
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

DEMO_FONTS = Path(os.environ.get("DEMO_FONTS", "/usr/local/share/demo-fonts"))
ROOTS = (Path("/usr/share/fonts"), DEMO_FONTS / "ttf")
COMMON = """dejavusans dejavusansmono dejavuserif liberationsans liberationserif liberationmono roboto opensans lato carlito caladea
notosans notoserif freesans nimbussans nimbusroman inter arimo tinos lora bitter titilliumweb dmsans karla archivo manrope spectral
robotoslab charissil cabin firasans ptsans sourcesans3 sourceserif4 publicsans ibmplexsans ibmplexserif ubuntu figtree outfit""".split()
OTHERS = """alegreya alfaslabone amaticsc andika archivonarrow architectsdaughter asap averiasansgwf averiaserifgwf bangers
bevietnampro bungee c059 cardo chivo cinzel comfortaa cormorantgaramond courgette cousine cutivemono dancingscript dejavusanscondensed
dejavuserifcondensed dmmono domine dosis ebgaramond ebgaramond12 encodesans exo2 fanwood fanwoodtext fantasquesansmono firacode
firasanscondensed fjallaone fredoka freemono gentium gilliusadf gochihand hack heebo hind humorsans indieflower jetbrainsmono
junicodetwobeta kalam kanit leaguegothic lexend liberationsansnarrow librefranklin librisadfstd lobstertwo mononoki mukta mulish neucha
nimbusmonops nimbussansnarrow noticiatext notosansdisplay notosansmono notoserifdisplay oldstandardtt orbitron overpassmono oxygen pacifico
passionone pathwaygothicone patrickhand patuaone permanentmarker play playball plusjakartasans pressstart2p prompt redhatdisplay righteous
robotocondensed rokkitt sairacondensed satisfy shadowsintolight sharetechmono signika slabo27px sora sourcecodepro spacegrotesk staatliches
teko ubuntumono ultra urbanist urwbookman urwgothic varelaround vollkorn yanonekaffeesatz""".split()
SCORING = "accanthisadfstd signika exo2 lexend gentium noticiatext overpassmono kalam domine chivo sourcesans3 firasanscondensed".split()

CHINESE = {  # file stem -> frequency. Faces with thin and thick strokes (Song) are the hardest to read.
    "NotoSansCJK-Regular": 2.5, "NotoSansCJK-Bold": 2.5, "NotoSansCJK-Light": 1, "NotoSansCJK-Black": 1, "wqy-microhei": 1.5, "wqy-zenhei": 1.5,
    "LXGWWenKai-Regular": 1.5, "LXGWWenKai-Bold": 1.5, "TW-Kai-98_1": 1.5, "BabelStoneHan": 4, "HanaMinA": 4, "TW-Sung-98_1": 4,
    "SmileySans-Oblique": 0.7, "zh-mksjh": 1, "zh-hlxsjt": 0.5, "zh-jxzk": 0.7, "zh-zcool-qingke-huangyou": 0.7}
SCORING_CHINESE = ("LXGWWenKai-Light", "NotoSansCJK-Medium")
SKIPPED = re.compile(r"italic|oblique|-it\b|thin|hairline|extralight|opsz|bdita|condensed(light|thin)", re.I)


def family(stem):
    """`FiraSans-BoldItalic`, `fira-sans-700` -> firasans."""
    name = re.sub(r"-(\d{3})$", "", stem)
    name = name if name != stem else re.split(r"[-_](?=[A-Z])|(?<=[a-z])(?=Bold|Regular|Medium|Light|Black)", stem)[0]
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(1)
def installed():
    """Returns family -> files. A Chinese face has its file stem as the key."""
    found = {}
    for root in ROOTS:
        for file in sorted(root.rglob("*.[ot]t[fc]")):
            if file.stem in CHINESE or file.stem in SCORING_CHINESE:
                found[file.stem] = [str(file)]
            elif not SKIPPED.search(file.stem) and file.suffix != ".ttc":
                found.setdefault(family(file.stem), []).append(str(file))
    return found


@lru_cache(4)
def choices(chinese, scoring):
    """Returns the families and their frequencies."""
    if chinese:
        named = dict.fromkeys(SCORING_CHINESE, 1) if scoring else CHINESE
    elif scoring:
        named = dict.fromkeys(SCORING, 1)
    else:
        named = {name: 2.5 for name in COMMON} | {name: 1 for name in OTHERS}
        named = {name: often for name, often in named.items() if name not in SCORING}
    named = {name: often for name, often in named.items() if name in installed()}
    if not named:
        raise SystemExit("no faces are installed: run fonts.sh, then set DEMO_FONTS to its folder")
    return list(named), list(named.values())


def pick(rng, chinese, scoring=False):
    """Returns the file of a face."""
    return rng.choice(installed()[rng.choices(*choices(chinese, scoring))[0]])


def collection_index(file):
    """The index of simplified Chinese in the Noto collections."""
    return 2 if "CJK" in file and file.endswith(".ttc") else 0


@lru_cache(3000)
def font(file, size):
    """`size` in pixels."""
    return ImageFont.truetype(file, size, index=collection_index(file), layout_engine=ImageFont.Layout.BASIC)


ADVANCES = {}


def width(file, text):
    """Width of `text` in ems. Advances are cached, because reading them from the font is slow."""
    known, total = ADVANCES.setdefault(file, {}), 0.0
    for char in text:
        advance = known.get(char)
        if advance is None:
            advance = known[char] = font(file, 100).getlength(char) / 100
        total += advance
    return total


@lru_cache(None)
def characters(file):
    return frozenset(map(chr, TTFont(file, fontNumber=collection_index(file), lazy=True).getBestCmap()))


def covers(file, text):
    return characters(file).issuperset(text)


@lru_cache(2)
def fallback(chinese):
    """A face with all characters of the lists."""
    return installed()["NotoSansCJK-Regular"][0] if chinese else next(f for f in installed()["dejavusans"] if f.endswith("DejaVuSans.ttf"))
