"""Greedy answers to a drawn folder's questions: python score.py CHECKPOINT FOLDER ANSWERS.jsonl [--every N]."""
import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image

from canvas import pixels
from loss import normalised
from model import prompt_mask
from test_model import load
from tokens import Tokens


@torch.no_grad()
def answer(model, tokens, images, questions, most=48):
    """images (B, 3, S, S) uint8, B questions -> B greedy answers, in float32 with a key/value cache."""
    vision, B = model.model.vision, len(questions)
    picture = vision(normalised(images))
    prompts = [tokens.encode(f"Question: {q} Answer:") for q in questions]
    V, width = picture.shape[1] - 1, max(map(len, prompts))
    ids = torch.tensor([[tokens.pad] * (width - len(p)) + p for p in prompts])  # flush right
    place = torch.tensor([[0] * (width - len(p)) + list(range(4, 4 + len(p))) for p in prompts])
    segment = torch.tensor([[9] * (width - len(p)) + [1] * len(p) for p in prompts])
    one = torch.ones(B, 1, dtype=torch.long)
    rows = torch.cat([picture[:, :V], model.model.embed_tokens(one * tokens.bos), picture[:, V:], model.model.embed_tokens(ids)], 1)
    positions = torch.cat([one, *[2 * one] * (V - 1), 0 * one, 3 * one, place], 1)
    order = torch.cat([0 * one, one * (V + 1), place + V - 2], 1)
    mask = prompt_mask(V, order, torch.cat([0 * one, 0 * one, segment], 1))
    caches = [[] for _ in model.model.layers]
    hidden = model.decode(rows, V, positions, mask, caches)
    seen = torch.cat([torch.ones(B, V + 2), (segment == 1).float()], 1).bool()
    at, out, done = place[:, -1:], [], torch.zeros(B, dtype=torch.bool)
    for _ in range(most):
        token = model.lm_head(hidden[:, -1]).argmax(-1)
        done |= (token == tokens.eos) | (token == tokens.eot)
        if done.all():
            break
        out.append(torch.where(done, tokens.pad, token))
        seen, at = torch.cat([seen, one.bool()], 1), at + 1
        hidden = model.decode(model.model.embed_tokens(token[:, None]), 0, at, seen[:, None, None], caches)
    written = torch.stack(out, 1).tolist() if out else [[]] * B
    return [tokens.decode([t for t in row if t != tokens.pad]).strip() for row in written]


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("checkpoint", type=Path)
    ask.add_argument("folder", type=Path)
    ask.add_argument("answers", type=Path)
    ask.add_argument("--every", type=int, default=1, help="only each n-th question")
    a = ask.parse_args()
    model, tokens = load(a.checkpoint), Tokens()
    items = [json.loads(line) for line in open(a.folder / "questions.jsonl")][::a.every]
    tally = defaultdict(lambda: [0, 0])
    with open(a.answers, "w") as out:
        for i in range(0, len(items), 32):
            part = items[i:i + 32]
            images = torch.stack([torch.tensor(pixels(Image.open(a.folder / x["picture"]).convert("RGB"))) for x in part])
            for x, said in zip(part, answer(model, tokens, images, [x["question"] for x in part])):
                right = said == x["answer"]
                kind = "reading and look-up" if x["task"] in ("read", "lookup") else "the rest"
                for key in ((x["language"], "task", x["task"]), (x["language"], "picture", x["scene"]), (x["language"], kind)):
                    tally[key][0] += right
                    tally[key][1] += 1
                out.write(json.dumps(x | {"said": said, "right": right}, ensure_ascii=False) + "\n")
    for key, (right, count) in sorted(tally.items()):
        print(f"{' '.join(key):30} {right:5} of {count:5} {right / count:7.1%}")


if __name__ == "__main__":
    main()
