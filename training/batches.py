"""Pictures and packed questions as arrays, drawn by worker processes while the model learns."""
import random

import numpy as np
import torch

from canvas import cells, pixels, slots
from generate import dense_picture, picture
from tokens import Tokens

LENGTH = 120  # language rows of one picture: bos, eoi and as many questions as fit


def pack(tokens, questions, marks, rng):
    """One sequence from [(task, question, answer)]: independent conversations, some of two turns.

    -> ids, order, segment, position, label, here, next, each (LENGTH,); bos has order 0, eoi order 66 and a placeholder
    id. `here` and `next` are the image tokens in which a row's own character and the one to say next stand, or -1.
    """
    ids, order, segment = [tokens.bos, tokens.pad], [0, 66], [0, 0]
    position, label, here, then = [0, 3], [-100, -100], [-1, -1], [-1, -1]
    left, number = list(questions), 0
    while left:
        turns = [left.pop(0)] + ([left.pop(0)] if left and rng.random() < 0.2 else [])
        part, target, own, pointed = [], [], [], []
        for i, (task, question, answer) in enumerate(turns):
            prompt = tokens.encode(f"Question: {question} Answer:")
            reply, before = tokens.spans(" " + answer)
            places = (cells(marks, answer) if task in ("read", "lookup", "table", "chart") else []) + [-1]
            places = [places[k] if k < len(places) else -1 for k in before]
            end = [tokens.eos] if i == len(turns) - 1 else tokens.encode("\n")
            part += prompt + reply + end
            target += [-100] * (len(prompt) - 1) + reply + [tokens.eos] + [-100] * len(end)
            own += [-1] * len(prompt) + places + [-1] * len(end)
            pointed += [-1] * (len(prompt) - 1) + places + [-1] * (1 + len(end))
        if len(ids) + len(part) > LENGTH:
            continue
        number += 1
        n = len(part)
        ids += part
        label += target
        here += own
        then += pointed
        order += range(67, 67 + n)
        position += range(4, 4 + n)
        segment += [number] * n
    pad = LENGTH - len(ids)
    return [x + [fill] * pad for x, fill in ((ids, tokens.pad), (order, 67), (segment, 99), (position, 4), (label, -100), (here, -1), (then, -1))]


def example(tokens, index, dense):
    """Characters: three pages to a scene. Answers: three pages to seven scenes."""
    if index % 4 != 0 if dense else index % 10 < 3:
        image, marks, questions = dense_picture(index)
    else:
        image, marks, _, _, questions = picture(index)
    rng = random.Random(index)
    rng.shuffle(questions)
    return pixels(image), slots(marks), None if dense else pack(tokens, questions, marks, rng)


class Pictures(torch.utils.data.IterableDataset):
    """Endless batches from a picture number on, each picture drawn once; exact to resume."""

    def __init__(self, first, batch, dense):
        self.first, self.batch, self.dense = first, batch, dense

    def __iter__(self):
        tokens, worker = Tokens(), torch.utils.data.get_worker_info()
        step, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            base = self.first + step * self.batch
            image, chars, rows = zip(*(example(tokens, base + i, self.dense) for i in range(self.batch)))
            packed = None if self.dense else torch.tensor(np.array(rows))  # (batch, 7, LENGTH)
            yield torch.from_numpy(np.stack(image)), torch.from_numpy(np.stack(chars)).long(), packed
            step += stride
