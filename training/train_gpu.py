"""The phase of answers on a GPU: all CPU cores draw, and the GPU computes.

    python train_gpu.py RUN --minutes 12 --from ../models/demo

The learning rate falls to zero over the whole time, so the result can be exported directly. `train.py` and `export.py` read
RUN/last.pt. `--device cpu --batch 8` runs it without a GPU.
"""
import argparse
import json
import os
import time
from pathlib import Path

import torch
import torch.multiprocessing as multiprocessing

from batches import micro_batch
from export import exported
from initial import config, start
from loss import Reader, total_loss
from tokens import Tokens
from weights import Weights


def draw(queue, number, batch):
    """A process that draws batches until it is stopped."""
    torch.set_num_threads(1)
    tokens = Tokens()
    while True:
        with number.get_lock():
            first = number.value
            number.value += batch
        queue.put(micro_batch(tokens, first, batch))


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", type=Path)
    ask.add_argument("--minutes", type=float, required=True)
    ask.add_argument("--from", dest="origin", type=Path, required=True, help="a last.pt or an exported folder")
    ask.add_argument("--rate", type=float, default=0.012)
    ask.add_argument("--batch", type=int, default=192)
    ask.add_argument("--device", default="cuda")
    ask.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    a = ask.parse_args()
    a.run.mkdir(parents=True, exist_ok=True)
    tokens = Tokens()
    cfg = config(tokens.vocab, tokens.bos, [tokens.eos, tokens.eot], tokens.pad)
    model, reader = start(cfg), Reader(cfg["hidden_size"])
    kept = {"model": exported(a.origin, tokens, model)} if a.origin.is_dir() else torch.load(a.origin, weights_only=False)
    state = {"images": 0, "steps": 0, "minutes": 0.0, "next": {"characters": 0, "answers": 10_000_000}} | kept.get("state", {})
    multiprocessing.set_start_method("spawn")
    queue, number = multiprocessing.Queue(2 * a.workers), multiprocessing.Value("q", state["next"]["answers"])
    drawers = [multiprocessing.Process(target=draw, args=(queue, number, a.batch), daemon=True) for _ in range(a.workers)]
    for process in drawers:
        process.start()
    weights = Weights(model.to(a.device), reader.to(a.device))
    weights.load(kept)
    del kept
    gradient = torch.zeros_like(weights.master)
    began, marked, sums, log = time.time(), time.time(), 0, open(a.run / "log.jsonl", "a")
    while (done := (time.time() - began) / 60 / a.minutes) < 1:
        batch = {name: x.to(a.device, non_blocking=True) for name, x in queue.get().items()}
        loss, parts = total_loss(model, reader, batch, 0.7, 0.2)
        found = torch.autograd.grad(loss, weights.parameters, allow_unused=True)
        for total, g in zip(weights.views(gradient), found):
            total.zero_() if g is None else total.copy_(g)
        state["steps"] += 1
        state["images"] += a.batch
        rate = a.rate * min(1, state["steps"] / 100) * max(0.02, 1 - done)
        weights.step([gradient], 1, rate, 0.99)
        sums = sums + parts
        if state["steps"] % 50 == 0:
            line = {"images": state["images"], "rate": round(rate, 5), "a_second": round(50 * a.batch / (time.time() - marked), 1), "parts": [round(x, 4) for x in (sums / 50).tolist()]}
            print(json.dumps(line), file=log, flush=True)
            marked, sums = time.time(), 0
    for process in drawers:
        process.kill()
    state["minutes"] += a.minutes
    state["next"]["answers"] = number.value
    # Save only the running average (50 MB), because a session on shared hardware may limit the size of its results.
    saved = {name: {key: x.cpu() for key, x in weights.named(weights.average, name).items()} for name in ("model", "reader")}
    torch.save(saved | {"average": saved["model"], "state": state, "config": cfg}, a.run / "last.pt")
    print(json.dumps(state))


if __name__ == "__main__":
    main()
