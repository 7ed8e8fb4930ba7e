"""Writes held-out questions to a TSV in VLMEvalKit's format: python freeze.py demo.tsv --count 60 [--first 1000000] [--varied]."""
import argparse
import csv
from base64 import b64encode
from io import BytesIO
from itertools import count

from generate import picture
from varied import KINDS, varied

IMITATES = {  # published benchmark -> scenes and tasks of the group of questions that is similar to it
    "TextVQA": (("sign",), ("read",)),
    "OCRBench": (("lines",), ("read",)),
    "DocVQA": (("receipt", "form"), ("lookup", "read")),
    "ChartQA": (("chart", "table"), ("chart", "table")),
    "MMBench": (("shapes", "lines", "receipt"), ("shape", "count")),
    "MM-Vet": (("sign", "receipt", "form", "chart", "shapes"), ("what",)),
}
VARIED = {  # the same for the varied kinds; all tasks except counting
    "TextVQA": ("sign", "street", "event", "price_tag"),
    "OCRBench": ("text_lines", "item_list", "slide", "cover"),
    "DocVQA": ("receipt", "form", "business_card", "dialog", "settings", "calendar_leaf"),
    "ChartQA": ("chart", "table"),
}
READING = ("read", "lookup", "table", "chart", "absent")
MISSING = {"NA", "NULL", "NaN", "None", "nan", "null", "n/a", "N/A"}  # pandas reads these texts as empty cells


def encoded(image):
    """Encodes as WebP, which is a sixth of the size of PNG for images with noise of a camera."""
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=75, method=6)
    return b64encode(buffer.getvalue()).decode()


def drawn(n, scene, language):
    """Draws a plain kind by its name, or a varied kind by its function."""
    return picture(n, True, scene, language) if isinstance(scene, str) else varied(n, scene, language == "zh", True)


def group(language, scenes, tasks, wanted, first):
    """Returns `wanted` tuples (encoded image, scene, task, question, answer). The image is None if it is that of the previous tuple."""
    done = 0
    for n in count(first):
        image, _, scene, _, questions = drawn(n, scenes[n % len(scenes)], language)
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
    ask.add_argument("--first", type=int, default=1_000_000, help="number of the first image; training and other data do not use these numbers")
    ask.add_argument("--varied", action="store_true", help="the varied kinds")
    a = ask.parse_args()
    kinds = {kind.__name__: kind for kind in KINDS}
    groups = {name: ([kinds[kind] for kind in names], READING) for name, names in VARIED.items()} if a.varied else IMITATES
    with open(a.file, "w", newline="") as out:
        rows = csv.writer(out, delimiter="\t", lineterminator="\n")
        rows.writerow(("index", "image", "question", "answer", "imitates", "task", "language", "scene"))
        index = 0
        for language in ("en", "zh"):
            for imitates, (scenes, tasks) in groups.items():
                for image, scene, task, question, answer in group(language, scenes, tasks, a.count, a.first):
                    if image is not None:
                        shown = index
                    rows.writerow((index, image or shown, question, answer, imitates, task, language, scene))
                    index += 1


if __name__ == "__main__":
    main()
