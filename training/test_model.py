"""Compares the model with outputs of the published code: python test_model.py GOLDENS (the folder that contains small/ and odd/)."""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from model import CogVLM2, frequencies, prompt_mask


def load(folder):
    """Loads a model in float32 from a checkpoint in the published layout."""
    config = json.loads((folder / "config.json").read_text())
    weights = {}
    for shard in folder.glob("model*.safetensors"):
        weights |= load_file(shard)
    model = CogVLM2(config)
    missing, unexpected = model.load_state_dict({name: w.float() for name, w in weights.items()}, strict=False)
    assert not unexpected and all(name.endswith("inv_freq") for name in missing), (missing, unexpected)
    if missing:  # a checkpoint without frequencies uses the exact ones
        d = config["hidden_size"] // config["num_attention_heads"]
        for layer in model.model.layers:
            layer.self_attn.rotary_emb.inv_freq.copy_(frequencies(d))
    return model.eval()


def embed(model, ids, types, image_rows):
    """Splits a prompt into image rows and language rows. Returns rows, V, positions, mask, and the indices of the rows in the prompt."""
    count = int(types.sum())
    places = torch.arange(len(ids))
    if not count:
        return model.model.embed_tokens(ids)[None], 0, places[None], prompt_mask(0, places[None], 0 * places[None]), places
    V = count - 1
    language = torch.cat([places[:1], places[count:]])
    positions = torch.cat([torch.tensor([1] + [2] * (V - 1)), language.clamp(max=1) * (language - count + 3)])
    rows = torch.cat([image_rows[:V], model.model.embed_tokens(ids[:1]), image_rows[V:], model.model.embed_tokens(ids[count + 1:])])
    mask = prompt_mask(V, language[None], 0 * language[None])
    return rows[None], V, positions[None], mask, torch.cat([torch.arange(1, V + 1), language])


def main(goldens):
    worst = 0.0

    def compare(name, ours, golden):
        nonlocal worst
        error = ((ours - golden).abs().max() / golden.std()).item()
        worst = max(worst, error)
        assert error < 2e-4, f"{name}: differs by {error:.1e} of the standard deviation"

    for folder in (goldens / "small", goldens / "odd"):
        model, gold = load(folder), load_file(folder / "golden.safetensors")
        image_rows = model.model.vision(gold["image"][None])[0]
        compare("vision.output", image_rows, gold["vision.output"])
        for name in ("image_chat", "image_long", "text_only"):
            ids, types = gold[f"{name}.input_ids"].long(), gold[f"{name}.token_type_ids"].long()
            greedy = gold[f"{name}.greedy_ids"].long()
            count = len(ids)
            ids = torch.cat([ids, greedy])  # teacher forcing: one pass gives the logits of every step
            types = torch.cat([types, torch.zeros_like(greedy)])
            rows, V, positions, mask, places = embed(model, ids, types, image_rows)
            hidden = torch.empty_like(rows[0])
            hidden[places] = model.decode(rows, V, positions, mask)[0]
            logits = model.lm_head(hidden)
            in_order = torch.empty(len(ids), dtype=torch.long)
            in_order[places] = positions[0]
            assert in_order[:count].equal(gold[f"{name}.position_ids"].long()), "positions"
            compare(f"{name}.logits", logits[:count], gold[f"{name}.logits"])
            compare(f"{name}.greedy_logits", logits[count:], gold[f"{name}.greedy_logits"])
            assert logits[count - 1:-1].argmax(-1).equal(greedy), f"{name}: greedy ids"
        print(f"{folder.name}: equal, worst difference {worst:.1e} of a standard deviation")


if __name__ == "__main__":
    with torch.no_grad():
        main(Path(sys.argv[1]))
