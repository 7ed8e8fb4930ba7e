"""Makes sequences for fine-tuning from questions and answers about images.

There are two formats of data. JSON lines: each line is {"image": file, "question": text, "answer": text}. The lines of an image
become one sequence. The authors' format: a folder with images/NAME.jpg and labels_en/NAME.json, a JSON object with
"conversations": [{"role": "user", "content": ...}, {"role": "assistant", "content": ...}, ...].

All conversations about an image share its rows. A conversation attends to the image and to itself, but not to other conversations.
"""
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer

from initial import MEAN, STD

IGNORED = -100


class CheckpointTokens:
    """The tokenizer of a checkpoint, and the ids of its config."""

    def __init__(self, folder, config):
        self.tokenizer = Tokenizer.from_file(str(Path(folder, "tokenizer.json")))
        ends = config["eos_token_id"] if isinstance(config["eos_token_id"], list) else [config["eos_token_id"]]
        self.bos, self.eos, self.eot = config["bos_token_id"], ends[0], ends[-1]
        self.pad = config["pad_token_id"] if config.get("pad_token_id") is not None else self.eos

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(ids)


def read_data(path):
    """Returns [(image file, [conversation])]. A conversation is a list of turns (question, answer)."""
    path = Path(path)
    return read_folder(path) if path.is_dir() else read_lines(path)


def read_lines(path):
    images = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            image, question, answer = item["image"], item["question"], item["answer"]
        except (ValueError, TypeError, KeyError) as error:
            raise SystemExit(f'{path}, line {number}: {{"image": file, "question": text, "answer": text}} is needed ({error!r}).')
        if not all(isinstance(x, str) and x.strip() for x in (image, question, answer)):
            raise SystemExit(f"{path}, line {number}: image, question and answer must be texts that are not empty.")
        images.setdefault(path.parent / image, []).append([(question, answer)])
    if not images:
        raise SystemExit(f"{path} has no questions.")
    return list(images.items())


def read_folder(path):
    """Reads a folder in the authors' format, with labels_en or labels_zh."""
    labels = next((path / name for name in ("labels_en", "labels_zh") if (path / name).is_dir()), None)
    if labels is None or not (path / "images").is_dir():
        raise SystemExit(f"{path} needs the folders images and labels_en (or labels_zh).")
    data = []
    for image in sorted((path / "images").iterdir()):
        label = labels / f"{image.stem}.json"
        if not label.exists():
            raise SystemExit(f"{image} has no {label}.")
        turns = json.loads(label.read_text())["conversations"]
        if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2) or not turns:
            raise SystemExit(f"{label}: the roles must be user and assistant in turn.")
        texts = [turn["content"] for turn in turns]
        data.append((image, [list(zip(texts[::2], texts[1::2]))]))
    if not data:
        raise SystemExit(f"{path}/images is empty.")
    return data


def pixels(file, size):
    """The published preprocessing: RGB, bicubic resize to a square, normalized. Returns (3, size, size) float32."""
    with Image.open(file) as image:
        array = np.asarray(image.convert("RGB").resize((size, size), Image.BICUBIC), dtype=np.float32) / 255
    return torch.from_numpy(((array - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).transpose(2, 0, 1).copy())


def encode_conversation(tokens, turns, space=" "):
    """Returns ids and labels. The label of a row is the next token, if that token belongs to an answer."""
    ids, labels = [], []
    for i, (question, answer) in enumerate(turns):
        prompt = tokens.encode(f"Question: {question} Answer:")
        reply = tokens.encode(space + answer.strip())
        end = [tokens.eos] if i == len(turns) - 1 else tokens.encode("\n")
        ids += prompt + reply + end
        labels += [IGNORED] * (len(prompt) - 1) + reply + [tokens.eos] + [IGNORED] * len(end)
    return ids, labels


def pack(tokens, conversations, image_tokens, length, space=" "):
    """Makes sequences of at most `length` language rows from the conversations about one image.

    Returns [{ids, order, segment, position, label}]. Rows 0 and 1 are bos and eoi. A conversation that does not fit is an error,
    because an answer must not be cut.
    """
    sequences, free = [], 0
    after = image_tokens  # the order of eoi; bos has 0 and the other rows of the image have 1 .. image_tokens - 1
    for turns in conversations:
        ids, labels = encode_conversation(tokens, turns, space)
        n = len(ids)
        if n + 2 > length:
            raise SystemExit(f'"{turns[0][0][:40]}" has {n + 2} tokens; --length is {length}.')
        if n > free:
            sequences.append({"ids": [tokens.bos, tokens.pad], "order": [0, after], "segment": [0, 0], "position": [0, 3], "label": [IGNORED] * 2})
            free = length - 2
        row = sequences[-1]
        number = row["segment"][-1] + 1
        row["ids"] += ids
        row["label"] += labels
        row["order"] += range(after + 1, after + 1 + n)
        row["position"] += range(4, 4 + n)
        row["segment"] += [number] * n
        free -= n
    return sequences


class Examples(torch.utils.data.Dataset):
    """An item is one image with some of its conversations."""

    def __init__(self, data, tokens, config, length, space=" "):
        vision = config["vision_config"]
        self.size = vision["image_size"]
        side = self.size // vision["patch_size"]
        image_tokens = (side // 2) ** 2 + 2
        self.tokens = tokens
        self.items = [(file, row) for file, conversations in data for row in pack(tokens, conversations, image_tokens, length, space)]
        for file in {file for file, _ in self.items}:
            if not Path(file).exists():
                raise SystemExit(f"There is no image {file}.")

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        file, row = self.items[index]
        return {"file": file, **row}

    def images(self, items):
        """Returns (B, 3, S, S), normalized."""
        return torch.stack([pixels(item["file"], self.size) for item in items])

    def collate(self, items):
        """Returns ids, order, segment, position, label (B, L). No row attends to padding rows."""
        longest = max(len(item["ids"]) for item in items)
        fill = {"ids": self.tokens.pad, "order": 1 << 30, "segment": -1, "position": 4, "label": IGNORED}
        return {key: torch.tensor([item[key] + [value] * (longest - len(item[key])) for item in items]) for key, value in fill.items()}


class ImageRows:
    """A cache of image tokens on the CPU, for a tower that is not trained. Each image is encoded once, until the cache is full."""

    def __init__(self, limit_bytes):
        self.left, self.rows = limit_bytes, {}

    def find(self, items):
        """Returns (B, T, H), or None if the image tokens of an item are missing."""
        found = [self.rows.get(item["file"]) for item in items]
        return None if any(rows is None for rows in found) else torch.stack(found)

    def keep(self, items, image_rows):
        for item, rows in zip(items, image_rows):
            size = rows.numel() * rows.element_size()
            if item["file"] not in self.rows and size <= self.left:
                self.rows[item["file"]] = rows.to("cpu", copy=True)
                self.left -= size
