"""Draws a folder of pictures with questions: python draw.py FOLDER --count 1000 --first 0 [--scoring] [--language en] [--scene receipt]."""
import argparse
import json
import random
from pathlib import Path

from generate import SCENES, picture


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--count", type=int, default=100)
    ask.add_argument("--first", type=int, default=0, help="number of the first picture")
    ask.add_argument("--questions", type=int, default=2, help="at most this many of each picture")
    ask.add_argument("--scoring", action="store_true", help="held-out words")
    ask.add_argument("--language", choices=("en", "zh"))
    ask.add_argument("--scene", choices=sorted(SCENES))
    a = ask.parse_args()
    (a.folder / "pictures").mkdir(parents=True, exist_ok=True)
    with open(a.folder / "questions.jsonl", "a") as out:
        for n in range(a.first, a.first + a.count):
            image, _, scene, language, questions = picture(n, a.scoring, a.scene, a.language)
            name = f"pictures/{'scoring' if a.scoring else 'training'}-{scene}-{language}-{n:06}.png"
            image.save(a.folder / name)
            for task, question, answer in random.Random(n).sample(questions, min(a.questions, len(questions))):
                out.write(json.dumps({"picture": name, "scene": scene, "task": task, "language": language, "question": question, "answer": answer}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
