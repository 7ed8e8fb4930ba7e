"""Draws a folder of images with questions: python draw.py FOLDER --count 1000 --first 0 [--varied] [--scoring] [--language en] [--scene receipt]."""
import argparse
import json
import random
from pathlib import Path

from generate import SCENES, picture
from varied import KINDS, varied


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--count", type=int, default=100)
    ask.add_argument("--first", type=int, default=0, help="number of the first image")
    ask.add_argument("--questions", type=int, default=2, help="maximum number of questions per image")
    ask.add_argument("--varied", action="store_true", help="the varied kinds instead of the plain ones")
    ask.add_argument("--scoring", action="store_true", help="held-out words, faces and wordings")
    ask.add_argument("--language", choices=("en", "zh"))
    ask.add_argument("--scene", help="only this kind")
    a = ask.parse_args()
    kinds = {kind.__name__: kind for kind in KINDS} if a.varied else SCENES
    if a.scene and a.scene not in kinds:
        ask.error(f"--scene is one of {' '.join(kinds)}")
    (a.folder / "images").mkdir(parents=True, exist_ok=True)
    with open(a.folder / "questions.jsonl", "a") as out:
        for n in range(a.first, a.first + a.count):
            if a.varied:
                image, _, scene, language, questions = varied(n, kinds.get(a.scene), a.language and a.language == "zh", a.scoring)
            else:
                image, _, scene, language, questions = picture(n, a.scoring, a.scene, a.language)
            name = f"images/{'scoring' if a.scoring else 'training'}-{scene}-{language}-{n:06}.png"
            image.save(a.folder / name)
            for task, question, answer in random.Random(n).sample(questions, min(a.questions, len(questions))):
                out.write(json.dumps({"image": name, "scene": scene, "task": task, "language": language, "question": question, "answer": answer}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
