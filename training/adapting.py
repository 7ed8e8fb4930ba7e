"""Fine-tuning of a checkpoint with a LoRA adapter: loading, quantizing, recomputed activations, the loss, files of PEFT."""
import json
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.checkpoint import checkpoint

from conversations import IGNORED
from greedy import answer
from model import CogVLM2, frequencies, prompt_mask

OFFICIAL_TARGETS = ["vision_expert_query_key_value"]


def load_checkpoint(folder, dtype):
    """Returns the model in `dtype`, with the weights of a folder in the published layout, and its config."""
    config = json.loads((folder / "config.json").read_text())
    with torch.device("meta"):
        model = CogVLM2(config)
    for shard in sorted(folder.glob("*.safetensors")):
        with safe_open(shard, "pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}
        weights = {name: w if name.endswith("inv_freq") else w.to(dtype) for name, w in weights.items()}
        model.load_state_dict(weights, strict=False, assign=True)
    d = config["hidden_size"] // config["num_attention_heads"]
    for layer in model.model.layers:
        rotary = layer.self_attn.rotary_emb
        if rotary.inv_freq.is_meta:  # the checkpoint has no frequencies: compute the exact ones
            rotary.inv_freq = frequencies(d)
    missing = [name for name, w in model.state_dict().items() if w.is_meta]
    if missing:
        raise SystemExit(f"{folder} lacks {len(missing)} tensors, {missing[0]} first.")
    return model.requires_grad_(False), config


def quantize(model):
    """QLoRA: quantizes the linear layers of decoder and tower to 4 bits (NF4) with bitsandbytes."""
    try:
        import bitsandbytes as bnb
    except ImportError:
        raise SystemExit("--quantize needs bitsandbytes: pip install bitsandbytes")
    for part in (model.model.layers, model.model.vision.transformer):
        for module in list(part.modules()):
            for name, child in list(module.named_children()):
                if type(child) is not nn.Linear:
                    continue
                small = bnb.nn.Linear4bit(child.in_features, child.out_features, child.bias is not None, compute_dtype=child.weight.dtype, quant_type="nf4")
                small.weight = bnb.nn.Params4bit(child.weight.data, requires_grad=False, quant_type="nf4")
                if child.bias is not None:
                    small.bias = child.bias
                setattr(module, name, small)


def adapt(model, targets, rank, alpha, dropout, base_name, is_float32=True):
    """Returns a PEFT model that contains `model`. `targets` is a list of module names, or one regular expression for whole paths.

    is_float32: the adapter is float32 while the weights have 16 bits. FSDP does not support this, because it needs one type per layer.
    """
    config = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, base_model_name_or_path=base_name)
    model.prepare_inputs_for_generation = None  # PEFT requires the attribute, but nothing calls it here
    return get_peft_model(model, config, autocast_adapter_dtype=is_float32)


def save_adapter(peft_model, folder, state=None):
    """Writes adapter_config.json and adapter_model.safetensors in PEFT's format. The file of weights is replaced atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    config = peft_model.peft_config["default"]
    mode, config.inference_mode = config.inference_mode, True
    config.save_pretrained(folder)
    config.inference_mode = mode
    weights = get_peft_model_state_dict(peft_model, state_dict=state, save_embedding_layers=False)
    save_file({name: w.detach().cpu().contiguous() for name, w in weights.items()}, folder / "new.safetensors", {"format": "pt"})
    (folder / "new.safetensors").chmod(0o644)
    (folder / "new.safetensors").rename(folder / "adapter_model.safetensors")


def load_adapter(peft_model, folder):
    set_peft_model_state_dict(peft_model, load_file(folder / "adapter_model.safetensors"))


def recompute(layers):
    """Keeps only the input of each layer for the backward pass, which computes the other activations again."""
    for layer in layers:
        forward = layer.forward
        layer.forward = lambda *args, forward=forward: checkpoint(forward, *args, use_reentrant=False)


class AnswerLoss(nn.Module):
    """The whole computation in one module, because FSDP and DeepSpeed must see each use of the weights."""

    def __init__(self, peft_model):
        super().__init__()
        self.peft_model = peft_model
        names = [name for name, w in peft_model.named_parameters() if w.requires_grad]
        self.trains_vision = any(".vision." in name for name in names)

    @property
    def model(self):
        return self.peft_model.base_model.model

    def forward(self, batch, questions=None, tokens=None):
        """batch: from `Examples.collate`, with "image" (B, 3, S, S), or with "image_rows" (B, T, H) that were computed before.

        Returns the mean loss of the answer tokens, and the image rows. With `questions` (one per image): greedy answers.
        """
        if questions is not None:
            return answer(self.model, tokens, batch["image"], questions)
        model, vision = self.model, self.model.model.vision
        if "image_rows" in batch:
            image_rows = batch["image_rows"]
        else:
            with torch.set_grad_enabled(self.trains_vision and torch.is_grad_enabled()):
                image_rows = vision(batch["image"])
        V = image_rows.shape[1] - 1
        language = model.model.embed_tokens(batch["ids"]).to(image_rows.dtype)
        rows = torch.cat([image_rows[:, :V], language[:, :1], image_rows[:, V:], language[:, 2:]], 1)
        first = batch["position"].new_tensor([1] + [2] * (V - 1)).expand(len(rows), V)
        positions = torch.cat([first, batch["position"]], 1)
        mask = prompt_mask(V, batch["order"], batch["segment"])
        mask = mask | torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)  # a padding row attends to itself
        hidden = model.decode(rows, V, positions, mask)
        asked = batch["label"] != IGNORED
        logits = model.lm_head(hidden[:, V:][asked]).float()
        return F.cross_entropy(logits, batch["label"][asked]), image_rows.detach()
