"""Trains the demo model: first the tower on where each character stands, then everything on questions and answers.

    python train.py RUN --phase characters --minutes 12
    python train.py RUN --phase answers --until 12:20

RUN/last.pt holds everything needed to go on exactly: run the same command again. RUN/log.jsonl has the losses.
"""
import argparse
import json
import math
import signal
import time
from datetime import datetime
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from batches import Pictures
from initial import MEAN, STD, config, start
from model import prompt_mask
from muon import BF16, Muon
from tokens import Tokens
from words import ALPHABET


class Reader(nn.Module):
    """Throw-away heads: which two characters has a patch, read off the tower (2 slots) or off its 2x2 cell (8 slots)."""

    def __init__(self, width):
        super().__init__()
        self.patch, self.patch_slot = nn.Linear(width, width), nn.Embedding(2, width)
        self.cell, self.cell_slot = nn.Linear(width, width), nn.Embedding(8, width)
        self.out = nn.Linear(width, len(ALPHABET))

    def forward(self, patches, cells, chars):
        """patches (B, 256, D), cells (B, 64, H), chars (B, 256, 2) -> two losses, two accuracies."""
        written = (chars > 0) | (torch.rand(chars.shape) < 0.06)
        b, p, k = written.nonzero(as_tuple=True)
        target = chars[b, p, k]
        y, x = p // 16, p % 16
        cell, slot = y // 2 * 8 + x // 2, (y % 2 * 2 + x % 2) * 2 + k
        seen = self.out(F.gelu(self.patch(patches[b, p]) + self.patch_slot(k)))
        told = self.out(F.gelu(self.cell(cells[b, cell]) + self.cell_slot(slot)))
        real = target > 0
        right = [(s.argmax(-1) == target)[real].float().mean() for s in (seen, told)]
        return F.cross_entropy(seen.float(), target), F.cross_entropy(told.float(), target), *right


def normalised(image):
    """(B, 3, S, S) uint8 -> float32, as published."""
    return (image.float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def pointing(scores, V, cell):
    """How badly the first head looks from the language rows (B, L) at the image token `cell` (-1: no matter) -> loss, share of hits."""
    b, row = (cell >= 0).nonzero(as_tuple=True)
    seen, target = scores[b, 0, V + row].float(), cell[b, row] + 1  # boi is key 0
    return F.cross_entropy(seen, target), (seen.argmax(-1) == target).float().mean()


def answer_loss(decode, model, cells, packed):
    """cells (B, 64, H), packed (B, 7, L) -> loss and accuracy a token of the answers, loss and hits of the pointing heads."""
    ids, order, segment, position, label, here, then = packed.unbind(1)
    B, V = len(ids), cells.shape[1] + 1
    vision = model.model.vision
    language = model.model.embed_tokens(ids).to(cells.dtype)
    language = torch.cat([language[:, :1], vision.eoi.expand(B, -1, -1).to(cells.dtype), language[:, 2:]], 1)
    rows = torch.cat([vision.boi.expand(B, -1, -1).to(cells.dtype), cells, language], 1)
    places = torch.cat([torch.tensor([1] + [2] * (V - 1)).expand(B, V), position], 1)
    hidden, looks = decode(rows, V, places, prompt_mask(V, order, segment))
    asked = label >= 0
    logits, target = model.lm_head(hidden[:, V:][asked]).float(), label[asked]
    # Reading is looking at the character that was just said, then at the next one.
    points = [pointing(looks[i], V, cell) for i, cell in ((1, here), (2, then), (3, then))]
    return F.cross_entropy(logits, target), (logits.argmax(-1) == target).float().mean(), sum(p for p, _ in points), points[-1][1]


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", type=Path)
    ask.add_argument("--phase", choices=("characters", "answers"), required=True)
    ask.add_argument("--minutes", type=float, help="how long this phase lasts from now")
    ask.add_argument("--until", help="or the time of day, HH:MM, at which it ends")
    ask.add_argument("--batch", type=int, default=16)
    ask.add_argument("--rate", type=float, default=0.02, help="of Muon, for the hidden matrices; AdamW has a thirtieth of it for the rest")
    ask.add_argument("--reader", type=float, default=0.3, help="weight of the characters' loss beside the answers'")
    ask.add_argument("--pointing", type=float, default=0.2, help="weight of looking at the right place beside the answers' loss")
    ask.add_argument("--workers", type=int, default=1)
    ask.add_argument("--threads", type=int, default=torch.get_num_threads())
    a = ask.parse_args()
    torch.set_num_threads(a.threads)
    end = time.time() + 60 * a.minutes if a.minutes else datetime.combine(datetime.now().date(), datetime.strptime(a.until, "%H:%M").time()).timestamp()
    a.run.mkdir(parents=True, exist_ok=True)
    tokens = Tokens()
    cfg = config(tokens.vocab, tokens.bos, [tokens.eos, tokens.eot], tokens.pad)
    model, dense = start(cfg), a.phase == "characters"
    reader = Reader(cfg["hidden_size"])
    params = [*model.parameters(), *reader.parameters()]
    hidden = [p for name, p in model.named_parameters() if p.dim() == 2 and ("layers." in name or "linear_proj" in name)]
    ours = set(map(id, hidden))
    rest = [p for p in params if id(p) not in ours]
    tables = [{"params": [p for p in rest if p.dim() > 1], "weight_decay": 0.02}, {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0}]
    opts = [Muon(hidden, a.rate), torch.optim.AdamW(tables, lr=a.rate / 30, betas=(0.9, 0.98), fused=True)]
    state = {"phase": a.phase, "seen": 0, "steps": 0, "total_seen": 0, "minutes": 0.0, "began": time.time(), "end": end}
    last = a.run / "last.pt"
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    if last.exists():
        kept = torch.load(last, weights_only=False)
        model.load_state_dict(kept["model"])
        reader.load_state_dict(kept["reader"])
        for opt, old in zip(opts, kept["opts"]):
            opt.load_state_dict(old)
        average, old = kept["average"], kept["state"]
        if old["phase"] == a.phase:
            state |= {k: old[k] for k in old if k != "end"}
        else:
            state |= {k: old[k] for k in ("total_seen", "minutes")}
            average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def save():
        torch.save({"model": model.state_dict(), "reader": reader.state_dict(), "opts": [o.state_dict() for o in opts], "average": average, "state": state, "config": cfg}, a.run / "new.pt")
        (a.run / "new.pt").rename(last)

    data = iter(torch.utils.data.DataLoader(Pictures(state["seen"] + (0 if dense else 10_000_000), a.batch, dense), batch_size=None, num_workers=a.workers, prefetch_factor=4))
    tower = torch.compile(model.model.vision.patches)  # a third faster

    @torch.compile
    def decode(rows, V, places, mask):
        looks = []
        return model.decode(rows, V, places, mask, None, looks), looks

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # finish the step, save, leave
    log, sums, count, mark, saved = open(a.run / "log.jsonl", "a"), None, 0, time.time(), time.time()
    while time.time() < end and not stop:
        image, chars, packed = next(data)
        done = (time.time() - state["began"]) / (end - state["began"])
        rate = a.rate * min(1, (state["steps"] + 1) / 100) * (1 - 0.6 * done if dense else max(0.02, 1 - done))
        for opt, share in zip(opts, (1, 1 / 30)):
            for group in opt.param_groups:
                group["lr"] = rate * share
        with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            patches = tower(normalised(image))
            cells = model.model.vision.cells(patches)
            seen, told, seen_right, told_right = reader(patches, cells, chars)
            if dense:
                loss, parts = seen + told, (seen, told, seen_right, told_right)
            else:
                answers, right, points, hits = answer_loss(decode, model, cells, packed)
                loss, parts = answers + a.pointing * points + a.reader * (0.5 * seen + told), (seen, told, seen_right, told_right, answers, right, points, hits)
        loss.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        state["steps"] += 1
        state["seen"] += a.batch
        state["total_seen"] += a.batch
        if state["steps"] % 4 == 0:  # the averaged weights are the ones exported
            keep, now = min(0.99, state["steps"] / (state["steps"] + 40)), model.state_dict()
            for name, value in average.items():
                value.lerp_(now[name], 1 - keep)
        values = torch.stack([p.detach().float() for p in parts])
        sums, count = values if sums is None else sums + values, count + 1
        if count == 1600 // a.batch:
            speed = count * a.batch / (time.time() - mark)
            state["minutes"] += (time.time() - mark) / 60
            line = dict(zip(("patch", "cell", "patch_right", "cell_right", "answer", "answer_right", "pointing", "hits"), [round(v, 4) for v in (sums / count).tolist()]))
            line = {"time": datetime.now().strftime("%H:%M:%S"), "phase": a.phase, "seen": state["seen"], "rate": round(rate, 6), "a_second": round(speed, 1)} | line
            print(json.dumps(line), file=log, flush=True)
            assert math.isfinite(line["cell"])
            sums, count, mark = None, 0, time.time()
        if time.time() - saved > 180:
            save()
            saved = time.time()
    save()


if __name__ == "__main__":
    main()
