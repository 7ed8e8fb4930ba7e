"""Tests that fine-tuning steps equal those of the published code with PEFT: python test_finetune.py GOLDENS PUBLISHED.

GOLDENS contains small/, a checkpoint with golden.safetensors. PUBLISHED is a folder with modeling_cogvlm.py, configuration_cogvlm.py,
util.py and visual.py of THUDM/cogvlm2-llama3-chat-19B. Its GPU kernels do not run on a CPU, so plain PyTorch replaces the rotary
embedding (Triton) and the tower's attention (xformers) here. Everything else is the published code.
"""
import importlib
import json
import re
import sys
import types
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file

from adapting import OFFICIAL_TARGETS, AnswerLoss, adapt, load_checkpoint
from conversations import IGNORED

STEPS, ANSWER, RATE, LIMIT = 5, 8, 1e-3, 1e-4


def stub(name, **members):
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


def published(folder, config, weights):
    """Loads the published model in float32 with the weights of a checkpoint."""
    attention = lambda q, k, v, scale: F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v)), scale=scale).transpose(1, 2).contiguous()
    stub("xformers").ops = stub("xformers.ops", memory_efficient_attention=attention)
    jit = types.SimpleNamespace(jit=lambda f: f, cdiv=lambda a, b: -(-a // b))
    stub("triton", **jit.__dict__).language = stub("triton.language", constexpr=int)
    stub("torchvision").transforms = stub("torchvision.transforms")
    package = stub("published")
    package.__path__ = [str(folder)]
    code = importlib.import_module("published.modeling_cogvlm")
    util = sys.modules["published.util"]

    def rotate(x, cos, sin, **_):
        a, b = x.chunk(2, -1)
        cos, sin = (torch.cat([t, t], -1)[:, None] for t in (cos, sin))
        return x * cos + torch.cat([-b, a], -1) * sin

    util.apply_rotary_emb_func = rotate
    # Its padding token, 128002, is not in a small vocabulary. It only matters if embeddings are trained.
    class Embedding(torch.nn.Embedding):
        def __init__(self, size, width, padding):
            super().__init__(size, width)

    code.nn = types.SimpleNamespace(**vars(torch.nn) | {"Embedding": Embedding})
    settings = dict(config)
    settings["vision_config"] = settings["vision_config"] | {"in_channels": 3}
    made = code.CogVLMForCausalLM(code.CogVLMConfig(**settings))
    missing, unexpected = made.load_state_dict(weights, strict=False)
    assert not unexpected and not [name for name in missing if not name.endswith("inv_freq")], (missing, unexpected)
    return made.float()


def batches(gold):
    """Returns the golden prompts as inputs for both models: [(published, ours)]. The last tokens are the answer."""
    made = []
    for name in ("image_chat", "image_long"):
        ids, kinds = gold[f"{name}.input_ids"].long(), gold[f"{name}.token_type_ids"].long()
        count = int(kinds.sum())
        labels = torch.full_like(ids, IGNORED)
        labels[-ANSWER:] = ids[-ANSWER:]
        theirs = {"input_ids": ids[None], "token_type_ids": kinds[None], "images": [[gold["image"]]], "labels": labels[None]}
        text = ids[count + 1:]
        n = len(text)
        ours = {
            "ids": torch.cat([ids[:1], ids.new_zeros(1), text])[None], "image": gold["image"][None],
            "order": torch.tensor([0, *range(count, count + n + 1)])[None], "segment": torch.tensor([0, 0] + [1] * n)[None],
            "position": torch.tensor([0, *range(3, n + 4)])[None],
            "label": torch.cat([labels[:1], labels[count + 1:], labels.new_tensor([IGNORED])])[None],
        }
        made.append((theirs, ours))
    return made


def main(goldens, folder):
    torch.manual_seed(0)
    small = goldens / "small"
    gold = load_file(small / "golden.safetensors")
    weights = {}
    for shard in small.glob("model*.safetensors"):
        weights |= {name: w.float() for name, w in load_file(shard).items()}
    config = json.loads((small / "config.json").read_text())
    for targets in (OFFICIAL_TARGETS, r"model\.(layers|vision\.transformer\.layers)\..*"):
        theirs = get_peft_model(published(folder, config, weights), LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=32, target_modules=linear(targets, weights)))
        model, _ = load_checkpoint(small, torch.float32)
        ours = AnswerLoss(adapt(model, linear(targets, weights), 8, 32, 0.0, "small"))
        start = {name: torch.randn_like(w) * 0.05 for name, w in get_peft_model_state_dict(ours.peft_model).items()}
        set_peft_model_state_dict(ours.peft_model, start)
        set_peft_model_state_dict(theirs, start)
        compare_gradients(theirs, ours, batches(gold)[0])
        if targets is OFFICIAL_TARGETS:
            compare_steps(theirs, ours, batches(gold), start)


def trained(model):
    return {name.removeprefix("peft_model."): w for name, w in model.named_parameters() if w.requires_grad}


def compare_gradients(theirs, ours, batch):
    """Compares the gradients of one loss, relative to the largest gradient of each tensor."""
    theirs(**batch[0]).loss.backward()
    ours(batch[1])[0].backward()
    own, worst = trained(ours), 0.0
    for name, w in trained(theirs).items():
        # The loss does not depend on the image rows of the last layer, so some of their gradients are zero.
        largest = w.grad.abs().max().clamp(min=1e-8)
        worst = max(worst, ((w.grad - own[name].grad).abs().max() / largest).item())
    print(f"{len(own)} gradients differ by up to {worst:.1e} of the largest of their tensor")
    assert worst < LIMIT, "the gradients differ"


def compare_steps(theirs, ours, batches, start):
    """Compares losses and adapters after AdamW steps. AdamW would amplify rounding errors of tensors whose gradients are almost zero."""
    optimizers = [torch.optim.AdamW(trained(m).values(), lr=RATE) for m in (theirs, ours)]
    worst = 0.0
    for step in range(STEPS):
        their_batch, our_batch = batches[step % 2]
        losses = theirs(**their_batch).loss, ours(our_batch)[0]
        for loss, optimizer in zip(losses, optimizers):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        worst = max(worst, abs(losses[0] - losses[1]).item() / losses[0].item())
        print(f"step {step + 1}: loss {losses[0].item():.6f} published, {losses[1].item():.6f} ours")
    states = [get_peft_model_state_dict(m) for m in (theirs, ours.peft_model)]
    assert states[0].keys() == states[1].keys()
    moved = max((states[0][name] - start[name]).abs().max().item() for name in start)
    apart = max((states[0][name] - states[1][name]).abs().max().item() for name in start)
    print(f"{len(start)} adapter tensors moved by up to {moved:.1e} and differ by up to {apart:.1e}; losses differ by up to {worst:.1e}")
    assert worst < LIMIT and apart < LIMIT, "the steps differ"


def linear(targets, weights):
    """The official target by its name, else the linear modules whose paths match."""
    if isinstance(targets, list):
        return targets
    return [name.removesuffix(".weight") for name, w in weights.items() if w.ndim == 2 and name.endswith(".weight") and re.match(targets, name)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
