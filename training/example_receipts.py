"""Draws examples/receipts: receipts of three shops in each language, and the English ones as one PDF.

python example_receipts.py ../examples/receipts
"""
import random
import sys
from pathlib import Path

from PIL import Image

from canvas import Canvas
from scenes import rows

ENGLISH = {
    "cafe": ("CORNER CAFE", "2026-03-14", [("Coffee", "3.20"), ("Carrot cake", "4.50"), ("Water", "1.80")], "9.50"),
    "market": ("Green Market", "2026-03-15", [("Bread", "2.90"), ("Apples", "3.45"), ("Cheese", "6.20")], "12.55"),
    "books": ("River Shop", "2026-03-18", [("Paper", "5.60"), ("Pencil", "1.40")], "7.00"),
}
CHINESE = {
    "cafe-zh": ("街角饭店", "2026-03-14", [("米饭", "3.00"), ("面条", "16.00"), ("豆腐", "12.50")], "31.50"),
    "market-zh": ("绿叶超市", "2026-03-15", [("苹果", "9.80"), ("牛奶", "12.60")], "22.40"),
    "books-zh": ("新华书店", "2026-03-18", [("地图", "15.00"), ("铅笔", "2.40"), ("本子", "6.00")], "23.40"),
}


def receipt(seed, chinese, shop, date, items, total):
    canvas = Canvas(random.Random(seed), dark=False)
    canvas.boxed = False
    canvas.paper, canvas.ink = (255, 255, 255), (20, 20, 20)
    canvas.image.paste(canvas.paper, (0, 0, canvas.W, canvas.H))
    body = [("日期" if chinese else "Date", date), *items, ("合计" if chinese else "Total", total)]
    rows(canvas, chinese, body, title=shop)
    return canvas.image.quantize(16, dither=Image.Dither.NONE)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    drawn = {}
    for chinese, receipts in ((False, ENGLISH), (True, CHINESE)):
        for seed, (name, content) in enumerate(receipts.items()):
            drawn[name] = receipt(seed + 11, chinese, *content)
            drawn[name].save(folder / f"{name}.png", optimize=True)
    first, *others = (drawn[name].convert("RGB") for name in ENGLISH)
    first.save(folder / "receipts.pdf", save_all=True, append_images=others, resolution=72, quality=92)


if __name__ == "__main__":
    main()
