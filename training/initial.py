"""The sizes and the initial weights of the demo model. With these weights, it learns to read in minutes instead of hours.

With random weights, reading starts late: each patch must first learn to find its neighbours, and each feature mixes content
and position. So the initial tower separates them. The first 64 columns have only the position (sines and cosines). The other
192 columns have the content of the patch (160 cosine waves of lightness, the slowest ones, and 32 of colour). Each head attends
to one neighbouring patch: a shift of sines and cosines is a linear map, so it can be the query matrix. The initial tower is a
small convolutional network. Training changes all of these weights.
"""
import math

import torch

from canvas import PATCH, SIZE
from model import CogVLM2

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PLACE = 64
FREQUENCIES = torch.logspace(math.log10(3.0), math.log10(0.15), PLACE // 4)  # radians per patch
LOOK = [((-1, 0), (1, 0), (0, -1), (0, 1)), ((-1, 0), (1, 0), (0, -1), (0, 0)), ((-1, 0), (1, 0), (0, 1), (0, 0)), ((-1, 0), (1, 0), (-2, 0), (2, 0))]


def config(vocab, bos, eos, pad, tower_layers=4, decoder_layers=4):
    return {
        "architectures": ["CogVLMForCausalLM"], "model_type": "cogvlm", "torch_dtype": "bfloat16", "template_version": "chat",
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": decoder_layers, "num_attention_heads": 4,
        "num_multi_query_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 2048,
        "vocab_size": vocab, "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "tie_word_embeddings": False,
        "use_cache": True,
        "vision_config": {
            "hidden_size": 256, "num_hidden_layers": tower_layers, "num_heads": 4, "intermediate_size": 1024,
            "patch_size": PATCH, "image_size": SIZE, "num_positions": (SIZE // PATCH) ** 2 + 1, "in_channels": 3, "hidden_act": "gelu",
            "layer_norm_eps": 1e-6, "dropout_prob": 0.0,
        },
    }


def positions(side):
    """(side * side, 64): for each of 16 frequencies sin x, cos x, sin y, cos y."""
    y, x = torch.meshgrid(torch.arange(side).float(), torch.arange(side).float(), indexing="ij")
    a = [f(p.flatten()[:, None] * FREQUENCIES) for p in (x, y) for f in (torch.sin, torch.cos)]
    return torch.stack(a, -1).flatten(1)


def resized(table, rows):
    """Resizes a position table (old rows, D), class row first, for another image size. Returns (rows, D).

    The heads find a neighbour by the waves of `positions`, whose periods are numbers of patches. Interpolation would change the
    periods. So this fits a linear combination of the waves and of polynomials of the position in the image to the old table, and
    evaluates it for the new size.
    """
    if rows == len(table):
        return table.float()
    before, after = (math.isqrt(n - 1) for n in (len(table), rows))

    def features(side):
        y, x = torch.meshgrid(*[(torch.arange(side) + 0.5) / side - 0.5] * 2, indexing="ij")
        x, y = x.flatten(), y.flatten()
        place = torch.stack([torch.ones_like(x), x, y, x * y, x * x, y * y], 1)
        return torch.cat([positions(side), place], 1).double()

    known = features(before)
    ridge = 0.01 * torch.eye(known.shape[1], dtype=torch.double)
    fit = torch.linalg.solve(known.T @ known + ridge, known.T @ table[1:].double())
    return torch.cat([table[:1].float(), (features(after) @ fit).float()])


def waves(size, rows):
    """(rows, 3, size, size): cosine waves over a patch, slowest first. 5 of 6 are waves of lightness, the others of colour."""
    k = torch.arange(size).float()
    basis = torch.cos(math.pi / size * (k + 0.5) * k[:, None]) * (2 / size) ** 0.5
    basis[0] /= 2 ** 0.5
    order = sorted(((u, v) for u in range(size) for v in range(size)), key=lambda f: f[0] ** 2 + f[1] ** 2)
    wave = [basis[u][:, None] * basis[v] * (0.1 + 0.06 * math.hypot(u, v)) for u, v in order]  # fast waves are weak in images
    light, hue = torch.tensor([1, 1, 1]) / 3, torch.tensor([[1, -1, 0], [0.5, 0.5, -1]])
    hues = rows // 6
    out = [light[:, None, None] * w for w in wave[:rows - hues]]
    return torch.stack(out + [c[:, None, None] * w for w in wave[:hues // 2] for c in hue])


def start(cfg, seed=1):
    """Returns a new model."""
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
    patch, table = vision.patch_embedding.proj, vision.patch_embedding.position_embedding.weight.data
    table.zero_()
    table[1:, :PLACE] = positions(side)
    patch.weight.data[:PLACE] = 0
    patch.weight.data[PLACE:] = waves(cfg["vision_config"]["patch_size"], len(patch.weight) - PLACE)
    paper = torch.tensor([(0.93 - m) / s for m, s in zip(MEAN, STD)])
    patch.bias.data = -(patch.weight.data.sum((2, 3)) @ paper)  # paper is near zero
    for layer, looks in zip(vision.transformer.layers, LOOK):
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            norm.weight.data[:PLACE] = 0.02
            norm.weight.data[PLACE:] = 0.4
        layer.mlp.fc1.weight.data *= 1.5
        layer.mlp.fc1.weight.data[:, :PLACE] = 0
        weight = layer.attention.query_key_value.weight.data  # (3 * 256, 256)
        weight[:512] *= 0.1
        weight[512:, :PLACE] = 0
        for head, (dx, dy) in enumerate(looks):
            for i, f in enumerate(FREQUENCIES.tolist()):
                for part, shift in ((0, dx * f), (2, dy * f)):
                    column, row = i * 4 + part, head * 64 + i * 4 + part
                    s, c = math.sin(shift), math.cos(shift)  # sin(p + s) and cos(p + s) from sin p and cos p
                    turn = torch.tensor([[c, s], [-s, c]])
                    weight[row:row + 2, column:column + 2] += 1.75 * turn
                    weight[256 + row:258 + row, column:column + 2] += 1.75 * torch.eye(2)
    return model
