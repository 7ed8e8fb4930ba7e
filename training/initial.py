"""The start of training: sizes, and weights from which reading is learnt in minutes instead of hours.

Two facts decide whether it starts at all. Norms on the sub-layers' outputs drown position and content unless their
gains start small; and a patch must find its neighbours before it can see a letter. So the position table starts as
sines and cosines, and each head of the tower starts out looking at one neighbouring place: rotating those sines by a
fixed shift is a linear map, hence a query matrix.
"""
import math

import torch

from model import CogVLM2

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
LOOK = [((-1, 0), (1, 0), (0, -1), (0, 1)), ((-1, 0), (1, 0), (0, -1), (0, 0)), ((-1, 0), (1, 0), (0, 1), (0, 0)), ((-1, 0), (1, 0), (-2, 0), (2, 0))]


def config(vocab, bos, eos, pad, tower_layers=4, decoder_layers=4):
    return {
        "architectures": ["CogVLMForCausalLM"], "model_type": "cogvlm", "torch_dtype": "bfloat16", "template_version": "chat",
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": decoder_layers, "num_attention_heads": 4,
        "num_multi_query_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 2048,
        "vocab_size": vocab, "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "tie_word_embeddings": False,
        "use_cache": True,
        "vision_config": {
            "hidden_size": 256, "num_hidden_layers": tower_layers, "num_heads": 4, "intermediate_size": 512,
            "patch_size": 14, "image_size": 224, "num_positions": 257, "in_channels": 3, "hidden_act": "gelu",
            "layer_norm_eps": 1e-6, "dropout_prob": 0.0,
        },
    }


def positions(side, frequencies):
    """(side * side, 256): for each of 64 frequencies sin x, cos x, sin y, cos y; 64 columns per head of the tower."""
    y, x = torch.meshgrid(torch.arange(side).float(), torch.arange(side).float(), indexing="ij")
    a = [f(p.flatten()[:, None] * frequencies) for p in (x, y) for f in (torch.sin, torch.cos)]
    return torch.stack(a, -1).flatten(1)


def start(cfg, seed=1):
    """A fresh model."""
    torch.manual_seed(seed)
    model = CogVLM2(cfg)
    for name, p in model.named_parameters():
        if p.dim() > 1:
            fan = p[0].numel()
            torch.nn.init.normal_(p, std=fan ** -0.5 * (0.5 if any(s in name for s in ("dense.weight", "down_proj", "4h_to_h")) else 1))
        elif name.endswith("bias"):
            torch.nn.init.zeros_(p)
    vision = model.model.vision
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=0.3)
    torch.nn.init.normal_(model.lm_head.weight, std=0.02)
    for p in (vision.boi, vision.eoi, vision.patch_embedding.cls_embedding):
        torch.nn.init.normal_(p, std=0.3)
    side = cfg["vision_config"]["image_size"] // cfg["vision_config"]["patch_size"]
    frequencies = torch.logspace(math.log10(2.0), math.log10(0.1), 64)[torch.randperm(64)]
    table = vision.patch_embedding.position_embedding.weight.data
    table[1:] = positions(side, frequencies) * 0.6
    table[0] = 0
    patch = vision.patch_embedding.proj
    patch.weight.data *= 0.3
    paper = torch.tensor([(0.93 - m) / s for m, s in zip(MEAN, STD)])
    patch.bias.data = -(patch.weight.data.sum((2, 3)) @ paper)  # paper is near zero
    for layer, looks in zip(vision.transformer.layers, LOOK):
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            norm.weight.data.fill_(0.3)
        weight = layer.attention.query_key_value.weight.data  # (3 * 256, 256)
        weight[:512] *= 0.1
        for head, (dx, dy) in enumerate(looks):
            for i in range(16):  # 16 frequencies to a head, four columns each
                column, f = head * 64 + i * 4, frequencies[head * 16 + i]
                for part, shift in ((0, dx * f), (2, dy * f)):
                    a, b = column + part, column + part + 1
                    weight[256 + a, a] += 2.3
                    weight[256 + b, b] += 2.3
                    s, c = math.sin(shift), math.cos(shift)  # sin(p + s) and cos(p + s) from sin p, cos p
                    weight[a, a] += 2.3 * c
                    weight[a, b] += 2.3 * s
                    weight[b, b] += 2.3 * c
                    weight[b, a] -= 2.3 * s
    return model
