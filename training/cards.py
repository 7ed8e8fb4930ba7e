"""Draws loyalty cards, a layout that is not in the demo model's training: python cards.py FOLDER --count 60 [--first 0].

Writes images and questions.jsonl to FOLDER, for finetune.py and score.ts.
A text on a card has no label. Only its position shows its meaning. The demo model was not trained on these questions.
"""
import argparse
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

from canvas import LATIN, load_font
from words import Words

WIDTH, HEIGHT = 340, 260
TIERS = ("Bronze", "Silver", "Gold", "Platinum")
GROUND = ((20, 60, 120), (120, 25, 40), (25, 90, 60), (60, 40, 90), (40, 40, 45), (235, 230, 215), (205, 220, 235))


def card(seed):
    """Returns the image and [(question, answer)]."""
    rng = random.Random(seed)
    words = Words(rng)
    club, holder, tier = words.word(False), words.name(False), rng.choice(TIERS)
    number = f"{rng.randint(1000, 9999)} {rng.randint(1000, 9999)}"
    points = str(rng.randint(100, 9900))
    ground = rng.choice(GROUND)
    ink = (20, 20, 25) if sum(ground) > 400 else (245, 245, 240)
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    face = rng.choice(LATIN)

    def text(x, y, what, size, anchor):
        font = load_font(face, size)
        while font.getlength(what) > WIDTH * 0.56 and size > 20:
            size -= 1
            font = load_font(face, size)
        draw.text((x + rng.uniform(-4, 4), y + rng.uniform(-4, 4)), what, ink, font, anchor)

    text(16, 34, club, 30, "lm")
    text(WIDTH - 16, 80, tier, 26, "rm")
    text(WIDTH / 2, 138, number, 32, "mm")
    text(16, 190, holder, 27, "lm")
    text(WIDTH - 16, 232, points, 28, "rm")
    draw.line((16, 108, WIDTH - 16, 108), ink, 2)
    asked = [("Whose card is it?", holder), ("Which tier?", tier), ("Card number?", number), ("Points balance?", points), ("Which club?", club)]
    rng.shuffle(asked)
    return image, asked


def draw_cards(folder, count, first=0):
    """Returns the path of the file with the questions."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "questions.jsonl"
    with open(file, "w") as out:
        for i in range(first, first + count):
            image, asked = card(i)
            image.save(folder / f"{i}.png")
            for question, answer in asked:
                line = {"image": f"{i}.png", "scene": "card", "task": "lookup", "language": "en", "question": question, "answer": answer}
                out.write(json.dumps(line) + "\n")
    return file


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--count", type=int, default=60)
    ask.add_argument("--first", type=int, default=0)
    a = ask.parse_args()
    print(draw_cards(a.folder, a.count, a.first))
