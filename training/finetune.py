"""Fine-tunes a CogVLM2 checkpoint with LoRA on questions about images, and writes the adapter in PEFT's format.

    python finetune.py MODEL DATA OUTPUT [--validate LINES.jsonl] [--epochs 5]
    accelerate launch --config_file fsdp.yaml finetune.py MODEL DATA OUTPUT

MODEL is a folder in the published layout. DATA is a file of JSON lines (image, question, answer) or a folder with images/ and
labels_en/. Writes adapter_config.json, adapter_model.safetensors, log.jsonl and state/ to OUTPUT. --resume continues from state/.
Ctrl-C or SIGTERM stops it at any time: it finishes the step and saves.
"""
import argparse
import json
import math
import random
import signal
import time
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import set_seed

from adapting import OFFICIAL_TARGETS, AnswerLoss, adapt, load_adapter, load_checkpoint, quantize, recompute, save_adapter
from conversations import CheckpointTokens, Examples, ImageRows, pixels, read_data


def options(arguments=None):
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("model", type=Path)
    ask.add_argument("data", type=Path)
    ask.add_argument("output", type=Path)
    ask.add_argument("--validate", type=Path, help="validation data in the same format; answered greedily after each epoch")
    ask.add_argument("--targets", default=",".join(OFFICIAL_TARGETS), help="names of modules, separated by commas; or one regular expression of whole module paths")
    ask.add_argument("--rank", type=int, default=8)
    ask.add_argument("--alpha", type=float, default=32)
    ask.add_argument("--dropout", type=float, default=0.1)
    ask.add_argument("--rate", type=float, default=1e-4, help="learning rate of AdamW; it falls to zero")
    ask.add_argument("--warmup", type=int, default=0, help="steps in which the learning rate rises")
    ask.add_argument("--clip", type=float, default=1.0, help="maximum norm of the gradient; 0 means no limit")
    ask.add_argument("--epochs", type=int, default=5)
    ask.add_argument("--batch", type=int, default=1, help="images per batch on each device")
    ask.add_argument("--accumulate", type=int, default=1, help="batches per optimizer step")
    ask.add_argument("--length", type=int, default=1024, help="maximum number of language tokens in a sequence, including all its questions")
    ask.add_argument("--precision", choices=("bf16", "f32"), default=None, help="type of the frozen weights; default: bf16 on a GPU, f32 on a CPU")
    ask.add_argument("--checkpointing", action="store_true", help="compute activations again in the backward pass: needs less memory and a third more time")
    ask.add_argument("--quantize", action="store_true", help="QLoRA: frozen weights in 4 bits (bitsandbytes)")
    ask.add_argument("--official-spacing", action="store_true", help="omit the space before an answer, like the authors' script")
    ask.add_argument("--image-cache-gb", type=float, default=4, help="memory of each process for encoded images, if the tower is not trained")
    ask.add_argument("--save-every", type=int, default=100, help="number of steps between two saves")
    ask.add_argument("--resume", action="store_true", help="continue from OUTPUT/state")
    ask.add_argument("--seed", type=int, default=0)
    return ask.parse_args(arguments)


def targets_of(text):
    """Returns a regular expression, or a list of names."""
    return text if any(c in text for c in "\\.*()[]|^$") else [name.strip() for name in text.split(",")]


def validate(module, data, tokens, size, device, dtype, batch):
    """Returns the share of questions whose greedy answer equals the expected one, ignoring case and outer spaces."""
    asked = [(file, turns[0]) for file, conversations in data for turns in conversations]
    right = 0
    module.eval()
    for i in range(0, len(asked), batch):
        part = asked[i:i + batch]
        images = torch.stack([pixels(file, size) for file, _ in part]).to(device, dtype)
        with torch.no_grad():
            said = module({"image": images}, questions=[question for _, (question, _) in part], tokens=tokens)
        right += sum(s.strip().lower() == expected.strip().lower() for s, (_, (_, expected)) in zip(said, part))
    module.train()
    return right / len(asked)


class Run:
    """The state of a run. It can be saved and resumed. FSDP and DeepSpeed save their own shards."""

    def __init__(self, a, accelerator, module, optimizer, schedule):
        self.a, self.accelerator, self.module, self.optimizer, self.schedule = a, accelerator, module, optimizer, schedule
        self.state_dir = a.output / "state"
        self.is_sharded = accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED)
        self.step = self.epoch = self.batches = 0

    def peft_model(self):
        return self.accelerator.unwrap_model(self.module).peft_model

    def save(self):
        """Saves the adapter, and the state for --resume."""
        whole = None
        if self.is_sharded:
            whole = self.accelerator.get_state_dict(self.module)
            whole = {name.removeprefix("peft_model."): w for name, w in whole.items()}
            self.accelerator.save_state(str(self.state_dir))
        if not self.accelerator.is_main_process:
            return
        save_adapter(self.peft_model(), self.a.output, whole)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        kept = {"step": self.step, "epoch": self.epoch, "batches": self.batches}
        if not self.is_sharded:
            save_adapter(self.peft_model(), self.state_dir)
            kept |= {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}
        torch.save(kept, self.state_dir / "new.pt")
        (self.state_dir / "new.pt").rename(self.state_dir / "run.pt")

    def resume(self):
        file = self.state_dir / "run.pt"
        if not file.exists():
            raise SystemExit(f"There is nothing to resume: {file} is missing.")
        kept = torch.load(file, map_location="cpu", weights_only=True)
        self.step, self.epoch, self.batches = kept["step"], kept["epoch"], kept["batches"]
        if self.is_sharded:
            self.accelerator.load_state(str(self.state_dir))
        else:
            load_adapter(self.peft_model(), self.state_dir)
            self.optimizer.load_state_dict(kept["optimizer"])
            self.schedule.load_state_dict(kept["schedule"])


def order_of(count, epoch, seed):
    """The order of an epoch. It is the same in all processes and in a resumed run."""
    order = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return order


def train(a):
    """Runs the fine-tuning. Returns the last line of the log."""
    accelerator = Accelerator(gradient_accumulation_steps=1)
    set_seed(a.seed)
    device = accelerator.device
    precision = a.precision or ("f32" if device.type == "cpu" else "bf16")
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[precision]
    model, config = load_checkpoint(a.model, dtype)
    tokens = CheckpointTokens(a.model, config)
    space = "" if a.official_spacing else " "
    data = read_data(a.data)
    examples = Examples(data, tokens, config, a.length, space)
    held_out = read_data(a.validate) if a.validate else None
    if a.quantize:
        quantize(model)
    peft_model = adapt(model, targets_of(a.targets), a.rank, a.alpha, a.dropout, str(a.model), accelerator.distributed_type != DistributedType.FSDP)
    module = AnswerLoss(peft_model).train()
    if a.checkpointing:
        recompute(model.model.layers)
        if module.trains_vision:
            recompute(model.model.vision.transformer.layers)
    trained = [w for w in module.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=a.rate)
    trains_vision, encoded = module.trains_vision, ImageRows(a.image_cache_gb * 1e9)
    a_step = a.batch * a.accumulate * accelerator.num_processes
    steps_an_epoch = math.ceil(len(examples) / a_step)
    total = steps_an_epoch * a.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / max(1, a.warmup), max(0.0, 1 - step / total)))
    module, optimizer = accelerator.prepare(module, optimizer)
    run = Run(a, accelerator, module, optimizer, schedule)
    if a.resume:
        run.resume()
    say = accelerator.print
    numbers = sum(w.numel() for w in trained)
    say(f"{len(examples)} sequences with {sum(len(c) for _, c in data)} conversations; {numbers:,} trained numbers; {total} steps on {accelerator.num_processes} x {device}")
    a.output.mkdir(parents=True, exist_ok=True)
    stop = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.append(True))
    log, line = open(a.output / "log.jsonl", "a"), {}
    size = config["vision_config"]["image_size"]
    began = time.time()
    while run.epoch < a.epochs and not stop:
        order = order_of(len(examples), run.epoch, a.seed)
        while run.batches < steps_an_epoch and not stop:
            set_seed(a.seed + 1 + run.step)  # dropout: the same for a resumed run
            first = run.batches * a_step + accelerator.process_index * a.batch * a.accumulate
            loss_sum = 0.0
            for i in range(a.accumulate):
                # The last step of an epoch continues with the first images, so that all processes have images.
                picked = [order[(first + i * a.batch + k) % len(order)] for k in range(a.batch)]
                items = [examples[k] for k in picked]
                batch, known = examples.collate(items), encoded.find(items)
                batch |= {"image": examples.images(items)} if known is None else {"image_rows": known}
                batch = {key: x.to(device, dtype if x.is_floating_point() else None) for key, x in batch.items()}
                loss, image_rows = module(batch)
                if known is None and not trains_vision:
                    encoded.keep(items, image_rows)
                accelerator.backward(loss / a.accumulate)
                loss_sum += loss.detach().float() / a.accumulate
            if a.clip > 0:
                accelerator.clip_grad_norm_(trained, a.clip)
            rate = schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            run.step, run.batches = run.step + 1, run.batches + 1
            loss_mean = accelerator.reduce(loss_sum, "mean").item()
            line = {"step": run.step, "epoch": run.epoch, "loss": round(loss_mean, 5), "rate": rate, "seconds": round(time.time() - began, 1)}
            if not math.isfinite(loss_mean):
                raise SystemExit(f"The loss is {loss_mean} at step {run.step}. Lower --rate. {a.output} has the last saved adapter.")
            if accelerator.is_main_process:
                print(json.dumps(line), file=log, flush=True)
            if run.step % a.save_every == 0:
                run.save()
        if run.batches == steps_an_epoch:
            run.epoch, run.batches = run.epoch + 1, 0
            if held_out and not stop:
                share = validate(module, held_out, tokens, size, device, dtype, max(8, a.batch))
                line |= {"validation": round(share, 4)}
                say(f"epoch {run.epoch}: loss {line['loss']}, {share:.1%} of the validation answers are right")
                if accelerator.is_main_process:
                    print(json.dumps(line), file=log, flush=True)
    run.save()
    say(f"{'stopped' if stop else 'done'} after {run.step} steps in {time.time() - began:.0f} s; the adapter is in {a.output}")
    return line


if __name__ == "__main__":
    train(options())
