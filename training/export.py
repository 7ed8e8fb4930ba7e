"""Exports the averaged weights of a run in the published layout, and reads them back: python export.py RUN FOLDER."""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from initial import resized
from tokens import Tokens


def exported(folder, tokens, model):
    """Reads the weights of an exported folder in float32. Its vocabulary may be smaller, and its image size may be different."""
    old = json.loads((folder / "tokenizer.json").read_text())
    old, new = ({**t["model"]["vocab"], **{a["content"]: a["id"] for a in t["added_tokens"]}} for t in (old, tokens.json))
    both = [token for token in new if token in old]
    new_ids, old_ids = torch.tensor([new[t] for t in both]), torch.tensor([old[t] for t in both])
    state = {name: w.detach().float().clone() for name, w in model.state_dict().items()}
    for name, w in load_file(folder / "model.safetensors").items():
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            state[name][new_ids] = w.float()[old_ids]
        elif name.endswith("position_embedding.weight"):
            state[name] = resized(w, len(state[name]))
        else:
            state[name] = w.float()
    return state


def main(run, folder):
    folder.mkdir(parents=True, exist_ok=True)
    kept = torch.load(run / "last.pt", weights_only=False)
    weights = {name: w.to(torch.bfloat16).contiguous() for name, w in kept["average"].items()}
    save_file(weights, folder / "new.safetensors", {"format": "pt"})
    (folder / "new.safetensors").chmod(0o644)
    (folder / "new.safetensors").rename(folder / "model.safetensors")
    cfg = kept["config"]
    (folder / "config.json").write_text(json.dumps(cfg, indent=1) + "\n")
    generation = {"bos_token_id": cfg["bos_token_id"], "eos_token_id": cfg["eos_token_id"], "pad_token_id": cfg["pad_token_id"],
                  "do_sample": False, "max_length": cfg["max_position_embeddings"]}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n")
    Tokens().save(folder)
    print(json.dumps(kept["state"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
