"""Pictures and packed questions as arrays, drawn by worker processes while the model learns."""
import random

import numpy as np
import torch

from canvas import pixels, slots
from generate import dense_picture, picture
from tokens import Tokens

LENGTH = 120  # language rows of one picture: bos, eoi and as many questions as fit


def pack(tokens, questions, rng):
    """One sequence from [(task, question, answer)]: independent conversations, some of two turns.

    -> ids, order, segment, position, label, each (LENGTH,); bos has order 0, eoi order 66 and a placeholder id.
    """
    ids, order, segment = [tokens.bos, tokens.pad], [0, 66], [0, 0]
    position, label = [0, 3], [-100, -100]
    left, number = list(questions), 0
    while left:
        turns = [left.pop(0)] + ([left.pop(0)] if left and rng.random() < 0.2 else [])
        part, target = [], []
        for i, (_, question, answer) in enumerate(turns):
            prompt = tokens.encode(f"Question: {question} Answer:")
            reply = tokens.encode(" " + answer)
            last = i == len(turns) - 1
            end = [tokens.eos] if last else tokens.encode("\n")
            target += [-100] * (len(prompt) - 1) + reply + ([tokens.eos] if last else [-100]) + ([] if last else [-100] * len(end))
            part += prompt + reply + ([] if last else end)
        if len(ids) + len(part) > LENGTH:
            continue
        number += 1
        n = len(part)
        ids += part
        label += target
        order += range(67, 67 + n)
        position += range(4, 4 + n)
        segment += [number] * n
    pad = LENGTH - len(ids)
    return [x + [fill] * pad for x, fill in ((ids, tokens.pad), (order, 67), (segment, 99), (position, 4), (label, -100))]


def example(tokens, index, dense):
    if dense:
        image, marks = dense_picture(index) if index % 4 else picture(index)[:2]
        return pixels(image), slots(marks), None
    image, marks, _, _, questions = picture(index)
    rng = random.Random(index)
    rng.shuffle(questions)
    return pixels(image), slots(marks), pack(tokens, questions, rng)


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
            packed = None if self.dense else torch.tensor(np.array(rows))  # (batch, 5, LENGTH)
            yield torch.from_numpy(np.stack(image)), torch.from_numpy(np.stack(chars)).long(), packed
            step += stride
