"""CogVLM2 in PyTorch.

Attribute names equal the tensor names of the published checkpoints, so `state_dict()` is the checkpoint.
Letters in the shapes: B images, P patches + 1, D tower width, T image tokens (P // 4 + 2 with boi and eoi),
V rows of the vision experts (boi and the patches), L rows of the language experts (bos, eoi, text), N = V + L,
H decoder width, A heads, G key/value heads, d head size.

The rows of an image are first in memory, then the language rows follow. This is not the order of the prompt. Attention depends on
the order only through the mask and the positions, and both are explicit here. So each expert gets one contiguous block, and several
independent questions about an image can share its rows.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


def attend(q, k, v, mask=None, looks=None):
    """softmax(q k^T / sqrt(d)) v; `looks` collects the scores for the loss of attention. On a CPU in bf16, this trains a third faster than the fused kernel, whose backward pass is slow."""
    if q.is_cuda and looks is None:  # the scores of 9,217 patches would need gigabytes
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    if looks is not None:
        looks.append(scores)
    return scores.float().softmax(-1).to(v.dtype) @ v


class Attention(nn.Module):
    """Full attention of the tower. q, k and v are contiguous, and all projections have biases."""

    def __init__(self, c):
        super().__init__()
        self.heads = c["num_heads"]
        self.query_key_value = nn.Linear(c["hidden_size"], 3 * c["hidden_size"])
        self.dense = nn.Linear(c["hidden_size"], c["hidden_size"])

    def forward(self, x):  # (B, P, D)
        B, P, D = x.shape
        q, k, v = self.query_key_value(x).view(B, P, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        out = attend(q, k, v)  # (B, A, P, d)
        return self.dense(out.transpose(1, 2).reshape(B, P, D))


class TowerMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1 = nn.Linear(c["hidden_size"], c["intermediate_size"])
        self.fc2 = nn.Linear(c["intermediate_size"], c["hidden_size"])

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class TowerLayer(nn.Module):
    """The norms are on the output of each sub-layer, inside the residual branch."""

    def __init__(self, c):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])
        self.attention = Attention(c)
        self.mlp = TowerMLP(c)
        self.post_attention_layernorm = nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])

    def forward(self, x):
        x = x + self.input_layernorm(self.attention(x))
        return x + self.post_attention_layernorm(self.mlp(x))


class PatchEmbedding(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(c["in_channels"], c["hidden_size"], c["patch_size"], stride=c["patch_size"])
        self.cls_embedding = nn.Parameter(torch.zeros(1, c["hidden_size"]))
        self.position_embedding = nn.Embedding(c["num_positions"], c["hidden_size"])

    def forward(self, image):  # (B, 3, S, S)
        x = self.proj(image).flatten(2).transpose(1, 2)  # (B, P-1, D), row-major
        cls = self.cls_embedding.expand(len(x), -1, -1).to(x.dtype)
        return (torch.cat([cls, x], 1) + self.position_embedding.weight).to(x.dtype)


class Tower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.ModuleList(TowerLayer(c) for _ in range(c["num_hidden_layers"]))


class Adapter(nn.Module):
    """The gated linear unit between tower and decoder."""

    def __init__(self, config):
        super().__init__()
        D, H, inner = config["vision_config"]["hidden_size"], config["hidden_size"], config["intermediate_size"]
        self.linear_proj = nn.Linear(D, H, bias=False)
        self.norm1 = nn.LayerNorm(H)
        self.gate_proj = nn.Linear(H, inner, bias=False)
        self.dense_h_to_4h = nn.Linear(H, inner, bias=False)
        self.dense_4h_to_h = nn.Linear(inner, H, bias=False)

    def forward(self, x):  # (B, T-2, D)
        x = F.gelu(self.norm1(self.linear_proj(x)))
        return self.dense_4h_to_h(F.silu(self.gate_proj(x)) * self.dense_h_to_4h(x))


class Vision(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config["vision_config"]
        self.patch_embedding = PatchEmbedding(c)
        self.transformer = Tower(c)
        self.conv = nn.Conv2d(c["hidden_size"], c["hidden_size"], 2, stride=2)
        self.linear_proj = Adapter(config)
        self.boi = nn.Parameter(torch.zeros(1, 1, config["hidden_size"]))
        self.eoi = nn.Parameter(torch.zeros(1, 1, config["hidden_size"]))

    def patches(self, image):
        """(B, 3, S, S) -> (B, P-1, D): the tower's output without CLS. There is no final norm."""
        x = self.patch_embedding(image)
        for layer in self.transformer.layers:
            x = layer(x)
        return x[:, 1:]

    def cells(self, x):
        """(B, P-1, D) -> (B, T-2, H): 2x2 patches become one token of the decoder."""
        B, P, D = x.shape
        side = int(P ** 0.5)
        x = self.conv(x.transpose(1, 2).reshape(B, D, side, side)).flatten(2).transpose(1, 2)
        return self.linear_proj(x)

    def forward(self, image):
        """(B, 3, S, S) -> (B, T, H), boi first and eoi last."""
        x = self.cells(self.patches(image))
        boi, eoi = self.boi.expand(len(x), -1, -1), self.eoi.expand(len(x), -1, -1)
        return torch.cat([boi.to(x.dtype), x, eoi.to(x.dtype)], 1)


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps).to(x.dtype)


def frequencies(size):
    """The exact frequencies of the rotary embedding. Returns (size / 2,) float32."""
    return 1.0 / 500000 ** (torch.arange(0, size, 2).float() / size)


class Rotary(nn.Module):
    """The frequencies are stored in bfloat16, like the published ones. The angles are computed in float32."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("inv_freq", frequencies(size).bfloat16().float())

    def forward(self, positions):  # (B, N) -> two of (B, 1, N, d)
        angle = positions[:, None, :, None].float() * self.inv_freq.float()
        return torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)


def rotate(x, cos, sin):
    """Half-split rotation of (B, A, N, d)."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class ExpertAttention(nn.Module):
    """One attention over all rows. Image rows and language rows have different projections."""

    def __init__(self, c):
        super().__init__()
        H, self.A, self.G = c["hidden_size"], c["num_attention_heads"], c["num_multi_query_heads"]
        self.d = H // self.A
        width = H + 2 * self.G * self.d
        self.vision_expert_query_key_value = nn.Linear(H, width)
        self.vision_expert_dense = nn.Linear(H, H, bias=False)
        self.language_expert_query_key_value = nn.Linear(H, width, bias=False)
        self.language_expert_dense = nn.Linear(H, H, bias=False)
        self.rotary_emb = Rotary(self.d)

    def forward(self, x, V, rope, mask, cache=None, looks=None):  # (B, N, H); the first V rows are image rows
        B, N, H = x.shape
        rows = self.language_expert_query_key_value(x[:, V:])
        if V:
            rows = torch.cat([self.vision_expert_query_key_value(x[:, :V]), rows], 1)
        q, k, v = rows.view(B, N, -1, self.d).transpose(1, 2).split([self.A, self.G, self.G], 1)
        q, k = rotate(q, *rope).to(v.dtype), rotate(k, *rope).to(v.dtype)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        share = self.A // self.G
        out = attend(q, k.repeat_interleave(share, 1), v.repeat_interleave(share, 1), mask, looks)
        out = out.transpose(1, 2).reshape(B, N, H)
        language = self.language_expert_dense(out[:, V:])
        return torch.cat([self.vision_expert_dense(out[:, :V]), language], 1) if V else language


class GatedMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class ExpertMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.language_mlp, self.vision_mlp = GatedMLP(c), GatedMLP(c)

    def forward(self, x, V):
        language = self.language_mlp(x[:, V:])
        return torch.cat([self.vision_mlp(x[:, :V]), language], 1) if V else language


class DecoderLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = ExpertAttention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = ExpertMLP(c)

    def forward(self, x, V, rope, mask, cache=None, looks=None):
        x = x + self.self_attn(self.input_layernorm(x), V, rope, mask, cache, looks)
        return x + self.mlp(self.post_attention_layernorm(x), V)


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(DecoderLayer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.vision = Vision(c)


class CogVLM2(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config["hidden_size"], config["vocab_size"], bias=False)

    def decode(self, x, V, positions, mask, caches=None, looks=None):
        """Rows (B, N, H), positions (B, N), mask (B, 1, N, keys) -> normed rows (B, N, H). `looks` collects the scores of each layer."""
        rope = self.model.layers[0].self_attn.rotary_emb(positions)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, V, rope, mask, caches[i] if caches is not None else None, looks)
        return self.model.norm(x)


def prompt_mask(V, order, segment):
    """A row attends to earlier rows of its own conversation.

    order, segment (B, L) belong to the language rows. All later rows attend to segment 0 (bos, eoi). The rows of the image have the
    orders 1 .. V. Returns (B, 1, V+L, V+L), True where attention is allowed.
    """
    B = len(order)
    order = torch.cat([torch.arange(1, V + 1, device=order.device).expand(B, V), order], 1)
    segment = torch.cat([segment.new_zeros(B, V), segment], 1)
    seen = order[:, None, :] <= order[:, :, None]
    ours = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    return (seen & ours)[:, None]
