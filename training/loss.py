"""The loss of a micro-batch: of the answers, of the attention of the decoder, and of the characters at each position.

All shapes are fixed, so that `torch.compile` makes one graph of the whole forward and backward pass. B images, R labelled positions
of characters, A answer tokens, V image rows (boi and the cells), L language rows, N = V + L.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from canvas import SLOTS
from initial import MEAN, STD
from model import prompt_mask
from words import ALPHABET


class Reader(nn.Module):
    """Heads for training only. They predict the characters of a patch from the tower's row, or from the row of its 2 x 2 cell."""

    def __init__(self, width):
        super().__init__()
        self.patch, self.patch_slot = nn.Linear(width, width), nn.Embedding(SLOTS, width)
        self.cell, self.cell_slot = nn.Linear(width, width), nn.Embedding(4 * SLOTS, width)
        self.out = nn.Linear(width, len(ALPHABET))

    def forward(self, patches, cells, places):
        """patches (B, P, D), cells (B, P / 4, H), places (6, R): image, patch, slot, cell, slot in the cell, character -> two losses."""
        image, patch, slot, cell, cell_slot, character = places.unbind(0)
        from_patch = self.out(F.gelu(self.patch(patches[image, patch]) + self.patch_slot(slot)))
        from_cell = self.out(F.gelu(self.cell(cells[image, cell]) + self.cell_slot(cell_slot)))
        return tuple(F.cross_entropy(x.float(), character) for x in (from_patch, from_cell))


def normalized(image):
    """(B, 3, S, S) uint8 -> float32, with the published mean and standard deviation."""
    mean, std = (torch.tensor(x, device=image.device)[:, None, None] for x in (MEAN, STD))
    return (image.float() / 255 - mean) / std


def answers(model, cells, packed, asked):
    """cells (B, V - 1, H), packed (B, 6, L), asked (2, A): language row and target token, or -100.

    Returns the cross-entropy of the answer tokens, and that of the attention of the first head in three layers to the current cell.
    """
    ids, order, segment, position, here, then = packed.unbind(1)
    vision, B, V = model.model.vision, len(cells), cells.shape[1] + 1
    language = model.model.embed_tokens(ids)
    language = torch.cat([language[:, :1], vision.eoi.expand(B, -1, -1), language[:, 2:]], 1)
    rows = torch.cat([vision.boi.expand(B, -1, -1), cells, language], 1)
    places = torch.cat([position.new_tensor([1] + [2] * (V - 1)).expand(B, V), position], 1)
    scores = []
    hidden = model.decode(rows, V, places, prompt_mask(V, order, segment), None, scores)
    logits = model.lm_head(hidden[:, V:].flatten(0, 1)[asked[0]]).float()
    # To read, layer 1 attends to the character of this row, and layers 2 and 3 to the next one. Key 0 is boi, then the cells follow.
    pointing = [F.cross_entropy(scores[layer][:, 0, V:].flatten(0, 1).float(), cell.flatten(), ignore_index=-100)
                for layer, cell in ((1, here), (2, then), (3, then))]
    return F.cross_entropy(logits, asked[1], ignore_index=-100), sum(pointing)


def total_loss(model, reader, batch, reading, point):
    """Returns the weighted sum, and its parts (4,): characters of patches, characters of cells, answers, attention."""
    patches = model.model.vision.patches(normalized(batch["image"]).to(reader.out.weight.dtype))
    cells = model.model.vision.cells(patches)
    from_patch, from_cell = reader(patches, cells, batch["places"])
    answer, pointing = answers(model, cells, batch["packed"], batch["asked"]) if "packed" in batch else (from_cell * 0,) * 2
    loss = answer + point * pointing + reading * (0.5 * from_patch + from_cell)
    return loss, torch.stack([from_patch, from_cell, answer, pointing]).detach()
