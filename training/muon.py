"""The optimizer Muon for the hidden matrices of a network. It makes the momentum of each matrix orthogonal before each step.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/. After three minutes, this model reads 80% of the characters with
Muon, and half of them with AdamW.
"""
from collections import defaultdict

import torch

BF16 = torch.cpu._is_avx512_bf16_supported()  # without bf16 instructions, products of bf16 take 50 times as long as those of float32


def orthogonal(g, steps=5):
    """(matrices, rows <= columns) -> the nearest matrices with singular values around 1, by a quintic Newton-Schulz iteration."""
    x = g / (g.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    x = x.bfloat16() if BF16 or x.is_cuda else x
    for _ in range(steps):
        a = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.float()


class Muon:
    """Muon for matrices that are views of one flat float32 tensor. `momentum` is a flat tensor of the same size.

    A q|k|v matrix (three times as tall as wide) counts as three matrices. Matrices of the same shape are processed together.
    """

    def __init__(self, weights, grads, momentum, decay=0.02, keep=0.95):
        self.weights, self.grads, self.momentum, self.decay, self.keep = weights, grads, momentum, decay, keep

    def step(self, flat_weights, flat_grads, rate):
        """Makes one update in place. Afterwards flat_grads has the update before it was made orthogonal.

        A matrix without a gradient (in the decoder, while the tower learns characters) keeps its values, because an orthogonal matrix
        makes a step of full size even if the momentum is small.
        """
        unused = [(weight, weight.clone()) for weight, grad in zip(self.weights, self.grads) if not grad.any()]
        self.momentum.lerp_(flat_grads, 1 - self.keep)
        flat_grads.lerp_(self.momentum, self.keep)
        flat_weights.mul_(1 - rate * self.decay)
        shapes = defaultdict(list)
        for weight, update in zip(self.weights, self.grads):
            count = 3 if len(weight) == 3 * weight.shape[1] else 1
            for part, change in zip(weight.chunk(count), update.chunk(count)):
                tall = len(part) > part.shape[1]
                scale = max(1, len(part) / part.shape[1]) ** 0.5
                shapes[min(part.shape), max(part.shape)].append((part.T if tall else part, change.T if tall else change, scale))
        for same in shapes.values():
            for (part, _, scale), change in zip(same, orthogonal(torch.stack([change for _, change, _ in same]))):
                part.add_(change, alpha=-rate * scale)
        for weight, kept in unused:
            weight.copy_(kept)
