"""Freezes held-out questions in a TSV like VLMEvalKit's: python freeze.py demo.tsv --count 60 [--first 1000000]."""
import argparse
import csv
from base64 import b64encode
from io import BytesIO
from itertools import count

from generate import picture

IMITATES = {  # the benchmark that a group of questions is like -> its scenes, its tasks
    "TextVQA": (("sign",), ("read",)),
    "OCRBench": (("lines",), ("read",)),
    "DocVQA": (("receipt", "form"), ("lookup", "read")),
    "ChartQA": (("chart", "table"), ("chart", "table")),
    "MMBench": (("shapes", "lines", "receipt"), ("shape", "count")),
    "MM-Vet": (("sign", "receipt", "form", "chart", "shapes"), ("what",)),
}
MISSING = {"NA", "NULL", "NaN", "None", "nan", "null", "n/a", "N/A"}  # what pandas takes for an empty cell


def encoded(image):
    """WebP: a sixth of PNG's size, since the pictures have a camera's noise in them."""
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=75, method=6)
    return b64encode(buffer.getvalue()).decode()


def group(language, scenes, tasks, wanted, first):
    """-> (encoded picture, or None for that of the question before; scene, task, question, answer), `wanted` of them."""
    done = 0
    for n in count(first):
        image, _, scene, _, questions = picture(n, True, scenes[n % len(scenes)], language)
        fitting = [q for q in questions if q[0] in tasks and q[2] not in MISSING]
        for i, (task, question, answer) in enumerate(fitting[:min(2, wanted - done)]):
            yield (encoded(image) if i == 0 else None), scene, task, question, answer
            done += 1
        if done == wanted:
            return


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("file")
    ask.add_argument("--count", type=int, default=60, help="questions of each group and language")
    ask.add_argument("--first", type=int, default=1_000_000, help="number of the first picture; nothing else is drawn from there")
    a = ask.parse_args()
    with open(a.file, "w", newline="") as out:
        rows = csv.writer(out, delimiter="\t", lineterminator="\n")
        rows.writerow(("index", "image", "question", "answer", "imitates", "task", "language", "scene"))
        index = 0
        for language in ("en", "zh"):
            for imitates, (scenes, tasks) in IMITATES.items():
                for image, scene, task, question, answer in group(language, scenes, tasks, a.count, a.first):
                    if image is not None:
                        shown = index
                    rows.writerow((index, image or shown, question, answer, imitates, task, language, scene))
                    index += 1


if __name__ == "__main__":
    main()
