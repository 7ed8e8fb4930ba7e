"""Answers questions about images greedily, with a KV cache."""
import torch

from model import prompt_mask


@torch.no_grad()
def answer(model, tokens, images, questions, most=48):
    """images (B, 3, S, S) normalized, B questions -> B answers. `tokens` has encode, decode, bos, eos, eot and pad."""
    vision, B = model.model.vision, len(questions)
    image_rows = vision(images)
    device = image_rows.device
    prompts = [tokens.encode(f"Question: {q} Answer:") for q in questions]
    V, width = image_rows.shape[1] - 1, max(map(len, prompts))
    ids = torch.tensor([[tokens.pad] * (width - len(p)) + p for p in prompts], device=device)  # padded at the left
    place = torch.tensor([[0] * (width - len(p)) + list(range(4, 4 + len(p))) for p in prompts], device=device)
    segment = torch.tensor([[9] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    one = torch.ones(B, 1, dtype=torch.long, device=device)
    embed = model.model.embed_tokens
    rows = torch.cat([image_rows[:, :V], embed(one * tokens.bos), image_rows[:, V:], embed(ids)], 1)
    positions = torch.cat([one, *[2 * one] * (V - 1), 0 * one, 3 * one, place], 1)
    order = torch.cat([0 * one, one * (V + 1), place + V - 2], 1)
    mask = prompt_mask(V, order, torch.cat([0 * one, 0 * one, segment], 1))
    caches = [[] for _ in model.model.layers]
    hidden = model.decode(rows, V, positions, mask, caches)
    seen = torch.cat([torch.ones(B, V + 2, device=device), (segment == 1).float()], 1).bool()
    at, out, done = place[:, -1:], [], torch.zeros(B, dtype=torch.bool, device=device)
    for _ in range(most):
        token = model.lm_head(hidden[:, -1]).argmax(-1)
        done |= (token == tokens.eos) | (token == tokens.eot)
        if done.all():
            break
        out.append(torch.where(done, tokens.pad, token))
        seen, at = torch.cat([seen, one.bool()], 1), at + 1
        hidden = model.decode(embed(token[:, None]), 0, at, seen[:, None, None], caches)
    written = torch.stack(out, 1).tolist() if out else [[]] * B
    return [tokens.decode([t for t in row if t != tokens.pad]).strip() for row in written]
