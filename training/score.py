"""Answers the questions of a drawn folder greedily: python score.py CHECKPOINT FOLDER ANSWERS.jsonl [--every N]."""
import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image

from canvas import pixels
from greedy import answer
from loss import normalized
from test_model import load
from tokens import Tokens


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("checkpoint", type=Path)
    ask.add_argument("folder", type=Path)
    ask.add_argument("answers", type=Path)
    ask.add_argument("--every", type=int, default=1, help="use only each n-th question")
    a = ask.parse_args()
    model, tokens = load(a.checkpoint), Tokens()
    items = [json.loads(line) for line in open(a.folder / "questions.jsonl")][::a.every]
    tally = defaultdict(lambda: [0, 0])
    with open(a.answers, "w") as out:
        for i in range(0, len(items), 32):
            part = items[i:i + 32]
            images = torch.stack([torch.tensor(pixels(Image.open(a.folder / x["image"]).convert("RGB"))) for x in part])
            for x, said in zip(part, answer(model, tokens, normalized(images), [x["question"] for x in part])):
                right = said == x["answer"]
                kind = "reading and look-up" if x["task"] in ("read", "lookup") else "the rest"
                for key in ((x["language"], "task", x["task"]), (x["language"], "image", x["scene"]), (x["language"], kind)):
                    tally[key][0] += right
                    tally[key][1] += 1
                out.write(json.dumps(x | {"said": said, "right": right}, ensure_ascii=False) + "\n")
    for key, (right, count) in sorted(tally.items()):
        print(f"{' '.join(key):30} {right:5} of {count:5} {right / count:7.1%}")


if __name__ == "__main__":
    main()
