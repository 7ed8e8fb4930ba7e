"""Trains the demo model: first the tower on the position of each character, then the whole model on questions and answers.

    python train.py RUN --phase characters --until 10:30
    python train.py RUN --phase answers --until 16:00 --decay 30

SIGTERM stops it at any time, and the same command resumes it. RUN/last.pt is the whole state, RUN/log.jsonl has the losses.
`--from` starts a new run from the last.pt of another run, or from an exported folder.

Two workers with one thread each draw images and compute micro-batches. They wait for each other once per step, at semaphores
and without spinning. So another job on the machine slows them down only by its share of the CPU time.
"""
import argparse
import json
import math
import multiprocessing
import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

import torch

from batches import micro_batch
from export import exported
from initial import config, start
from loss import Reader, total_loss
from tokens import Tokens
from weights import Weights

PARTS = ("patch", "cell", "answer", "pointing")


def options():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", type=Path)
    ask.add_argument("--phase", choices=("characters", "answers"), required=True)
    ask.add_argument("--until", required=True, help="the time of day, HH:MM, at which it ends")
    ask.add_argument("--decay", type=float, default=0, help="minutes before the end in which the learning rate falls to zero")
    ask.add_argument("--from", dest="origin", type=Path, help="the last.pt of another run, or an exported folder")
    ask.add_argument("--rate", type=float, default=0.01, help="learning rate of Muon, for the hidden matrices")
    ask.add_argument("--reading", type=float, default=0.7, help="weight of the loss of the characters; the loss of the answers has weight 1")
    ask.add_argument("--point", type=float, default=0.2, help="weight of the loss of attention")
    ask.add_argument("--images", type=int, default=8, help="images per micro-batch")
    ask.add_argument("--micro-batches", type=int, default=6, help="micro-batches per step")
    ask.add_argument("--workers", type=int, default=2)
    return ask.parse_args()


class Worker:
    """One process that draws and computes. The parent makes it before the fork, so that all processes share one compilation."""

    def __init__(self, a, weights, tokens, number):
        self.a, self.weights, self.tokens, self.number = a, weights, tokens, number
        fork = multiprocessing.get_context("fork")
        self.tickets, self.finished = fork.Semaphore(0), fork.Semaphore(0)
        self.gradients = torch.zeros(a.workers, len(weights.master)).share_memory_()
        self.parts, self.cpu = torch.zeros(a.workers, len(PARTS)).share_memory_(), torch.zeros(a.workers, dtype=torch.double).share_memory_()
        modules = weights.modules

        @torch.compile(fullgraph=True, dynamic=False)
        def loss(batch):
            return total_loss(modules["model"], modules["reader"], batch, a.reading, a.point)

        self.loss = loss
        self.processes = [fork.Process(target=self.work, args=(rank,), daemon=True) for rank in range(a.workers)]

    def draw(self):
        with self.number.get_lock():
            first = self.number.value
            self.number.value += self.a.images
        return micro_batch(self.tokens, first, self.a.images, self.a.phase == "characters")

    def compute(self, rank, batch):
        loss, parts = self.loss(batch)
        parameters = self.weights.parameters
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        both = [(total, g) for total, g in zip(self.weights.views(self.gradients[rank]), found) if g is not None]
        torch._foreach_add_([total for total, _ in both], [g for _, g in both])
        self.parts[rank] += parts

    def work(self, rank):
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)  # the parent handles it
        parent = os.getppid()
        while True:
            batch = self.draw()
            while not self.tickets.acquire(timeout=10):
                if os.getppid() != parent:
                    os._exit(1)
            self.compute(rank, batch)
            self.cpu[rank] = time.process_time()
            self.finished.release()


def next_time(text):
    """-> the next moment at which the clock shows HH:MM; it may be tomorrow."""
    now = datetime.now()
    end = datetime.combine(now.date(), datetime.strptime(text, "%H:%M").time())
    return end if end > now else end + timedelta(days=1)


def main():
    a = options()
    torch.set_num_threads(1)
    a.run.mkdir(parents=True, exist_ok=True)
    end = next_time(a.until).timestamp()
    tokens = Tokens()
    cfg = config(tokens.vocab, tokens.bos, [tokens.eos, tokens.eot], tokens.pad)
    weights = Weights(start(cfg), Reader(cfg["hidden_size"]))
    last, state = a.run / "last.pt", {"images": 0, "steps": 0, "minutes": 0.0, "next": {"characters": 0, "answers": 10_000_000}}
    origin, warm_up = last if last.exists() else a.origin, 60
    if origin:
        kept = {"model": exported(origin, tokens, weights.modules["model"])} if origin.is_dir() else torch.load(origin, weights_only=False)
        weights.load(kept)
        warm_up = 30 if "momentum" in kept else 200
        state |= kept.get("state", {})
        del kept
    number = multiprocessing.get_context("fork").Value("q", state["next"][a.phase])
    worker = Worker(a, weights, tokens, number)
    worker.compute(0, worker.draw())  # compiles
    for shared in (worker.gradients, worker.parts):
        shared.zero_()

    def save():
        state["next"][a.phase] = number.value
        torch.save(weights.saved() | {"state": state, "config": cfg}, a.run / "new.pt")
        (a.run / "new.pt").rename(last)

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))  # finish the step, save, exit
    for process in worker.processes:
        process.start()
    log, warm, per_step = open(a.run / "log.jsonl", "a"), 0, a.images * a.micro_batches
    mark = saved = time.time()
    counted, cpu = 0, 0.0
    while time.time() < end and not stop:
        for _ in range(a.micro_batches):
            worker.tickets.release()
        for _ in range(a.micro_batches):
            while not worker.finished.acquire(timeout=60):
                assert all(process.is_alive() for process in worker.processes), "a worker died"
        warm, counted = warm + 1, counted + 1
        left = (end - time.time()) / 60
        rate = a.rate * min(1, warm / warm_up) * (min(1, max(0.02, left / a.decay)) if a.decay else 1)
        weights.step(worker.gradients, a.micro_batches, rate, min(0.99, state["steps"] / (state["steps"] + 20)))
        worker.gradients.zero_()
        state["steps"] += 1
        state["images"] += per_step
        if counted == 20:
            now, used = time.time(), worker.cpu.sum().item() + time.process_time()
            state["minutes"] += (now - mark) / 60
            line = {"time": datetime.now().strftime("%H:%M:%S"), "phase": a.phase, "images": state["images"], "rate": round(rate, 5),
                    "a_second": round(counted * per_step / (now - mark), 1), "cpu_ms_an_image": round(1000 * (used - cpu) / counted / per_step, 1)}
            line |= dict(zip(PARTS, [round(x, 4) for x in (worker.parts.sum(0) / counted / a.micro_batches).tolist()]))
            print(json.dumps(line), file=log, flush=True)
            assert math.isfinite(line["cell"])
            worker.parts.zero_()
            mark, counted, cpu = now, 0, used
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()
    for process in worker.processes:
        process.kill()


if __name__ == "__main__":
    main()
