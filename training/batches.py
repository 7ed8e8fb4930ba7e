"""Micro-batches for training: drawn images, one sequence of questions for each image, and the positions of characters."""
import random

import numpy as np
import torch

from canvas import PATCH, SIZE, SLOTS, cells, pixels, slots
from generate import training_example
from tokens import Tokens

LENGTH = 128  # language rows of one image: bos, eoi and all questions that fit
PLACES, ASKED = 80, 64  # labelled character positions and answer tokens per image, on average over a micro-batch
POINTED = ("read", "lookup", "table", "chart")  # tasks whose answer is printed in the image


def pack(tokens, questions, marks, rng):
    """Makes one sequence from [(task, question, answer)]: independent conversations, some with two turns.

    Returns ids, order, segment, position, here, next, label; each has LENGTH elements. bos has order 0. eoi has a placeholder id
    and the order after the image. For a row of an answer, `here` is the key of the image token that shows the row's own character,
    and `next` is the key of the image token that shows the next character; -100 if there is none.
    """
    image_rows = (SIZE // PATCH // 2) ** 2 + 1
    after = image_rows + 1
    ids, order, segment, position = [tokens.bos, tokens.pad], [0, after], [0, 0], [0, 3]
    here, then, label = [-100, -100], [-100, -100], [-100, -100]
    left, number = list(questions), 0
    while left:
        turns = [left.pop(0)] + ([left.pop(0)] if left and rng.random() < 0.2 else [])
        part, target, own, pointed = [], [], [], []
        for i, (task, question, answer) in enumerate(turns):
            prompt = tokens.encode(f"Question: {question} Answer:")
            reply, before = tokens.spans(" " + answer)
            at = [cell + 1 for cell in cells(marks, answer)] if task in POINTED else []
            at = [at[k] if k < len(at) else -100 for k in before]
            end = [tokens.eos] if i == len(turns) - 1 else tokens.encode("\n")
            part += prompt + reply + end
            target += [-100] * (len(prompt) - 1) + reply + [tokens.eos] + [-100] * len(end)
            own += [-100] * len(prompt) + at + [-100] * len(end)
            pointed += [-100] * (len(prompt) - 1) + at + [-100] * (1 + len(end))
        if len(ids) + len(part) > LENGTH:
            continue
        number, n = number + 1, len(part)
        ids, label, here, then = ids + part, label + target, here + own, then + pointed
        order += range(after + 1, after + 1 + n)
        position += range(4, 4 + n)
        segment += [number] * n
    pad = LENGTH - len(ids)
    return [x + [fill] * pad for x, fill in ((ids, tokens.pad), (order, after + 1), (segment, 99), (position, 4), (here, -100), (then, -100), (label, -100))]


def labelled_places(characters, rng):
    """characters (B, P, SLOTS), 0 for none -> (6, B * PLACES), see Reader. Most positions have a character, some are empty."""
    count, side = len(characters) * PLACES, SIZE // PATCH
    written, empty = np.argwhere(characters > 0), np.argwhere(characters == 0)
    most = count * 7 // 8 if len(written) else 0
    chosen = written[rng.permutation(max(most, len(written)))[:most] % len(written)] if most else written
    chosen = np.concatenate([chosen, empty[rng.integers(len(empty), size=count - most)]])
    image, patch, slot = chosen.T
    y, x = patch // side, patch % side
    return np.stack([image, patch, slot, y // 2 * (side // 2) + x // 2, (y % 2 * 2 + x % 2) * SLOTS + slot, characters[image, patch, slot]])


def asked_rows(labels, rng):
    """labels (B, L), -100 for none -> (2, B * ASKED): rows of the flattened batch and their target tokens, padded with -100."""
    rows = np.flatnonzero(labels >= 0)
    rows = rng.permutation(rows)[:len(labels) * ASKED]
    pad = len(labels) * ASKED - len(rows)
    return np.stack([np.pad(rows, (0, pad)), np.pad(labels.flatten()[rows], (0, pad), constant_values=-100)])


def micro_batch(tokens, first, count, characters_only=False):
    """Draws `count` images from number `first` on. A run uses each number once. Returns tensors of fixed shapes, see loss.py."""
    images, characters, packed = [], [], []
    for index in range(first, first + count):
        rng = random.Random(index)
        image, marks, questions = training_example(index, rng, characters_only)
        images.append(pixels(image))
        characters.append(slots(marks))
        rng.shuffle(questions)
        packed.append(None if characters_only else pack(tokens, questions, marks, rng))
    rng = np.random.default_rng(first)
    batch = {"image": np.stack(images), "places": labelled_places(np.stack(characters).astype(np.int64), rng)}
    if not characters_only:
        packed = np.array(packed)
        batch |= {"packed": packed[:, :6], "asked": asked_rows(packed[:, 6], rng)}
    return {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in batch.items()}
