"""Plain readings of what MedKLIP, MeDSLIP and KAD are made of, on tensors under their official names."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

Tensors = Mapping[str, torch.Tensor]


def linear(of: Tensors, name: str, values: torch.Tensor) -> torch.Tensor:
    return values @ of[f"{name}.weight"].T + of[f"{name}.bias"]


def norm(of: Tensors, name: str, values: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    centred = values - values.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * of[f"{name}.weight"] + of[f"{name}.bias"]


def attended(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int, hidden: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of [B, Q, D] over [B, T, D], and its weights averaged over heads; `hidden` is added to the logits."""
    queries, keys, values = (one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (queries, keys, values))
    logits = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
    weights = (logits if hidden is None else logits + hidden).softmax(-1)
    return (weights @ values).transpose(1, 2).flatten(2), weights.mean(1)


def packed_attention(of: Tensors, name: str, queries: torch.Tensor, places: torch.Tensor):
    """The attention of `torch.nn.MultiheadAttention` with 4 heads."""
    matrices, biases = of[f"{name}.in_proj_weight"].chunk(3), of[f"{name}.in_proj_bias"].chunk(3)
    sides = (queries, places, places)
    projected = (side @ matrix.T + bias for side, matrix, bias in zip(sides, matrices, biases, strict=True))
    found, weights = attended(*projected, heads=4)
    return linear(of, f"{name}.out_proj", found), weights


def decoder(
    of: Tensors, name: str, queries: torch.Tensor, places: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Four pre-norm layers without positions; neither the norm after them nor one before."""
    maps = []
    for layer in (f"{name}.layers.{number}" for number in range(4)):
        normed = norm(of, f"{layer}.norm1", queries)
        queries = queries + packed_attention(of, f"{layer}.self_attn", normed, normed)[0]
        found, weights = packed_attention(of, f"{layer}.multihead_attn", norm(of, f"{layer}.norm2", queries), places)
        queries = queries + found
        hidden = linear(of, f"{layer}.linear1", norm(of, f"{layer}.norm3", queries)).clamp(min=0)
        queries = queries + linear(of, f"{layer}.linear2", hidden)
        maps.append(weights)
    return queries, maps


def resnet(of: Tensors, images: torch.Tensor, stages: int) -> torch.Tensor:
    """The places of the last of so many stages, [B, T, D], from `res_features.0, 1, 4, 5, 6, 7`."""

    def batch_norm(name: str, grid: torch.Tensor) -> torch.Tensor:
        mean, var, weight, bias = (of[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        scale = weight / (var + 1e-5).sqrt()
        return grid * scale[:, None, None] + (bias - mean * scale)[:, None, None]

    def convolved(name: str, grid: torch.Tensor, **how: int) -> torch.Tensor:
        return functional.conv2d(grid, of[f"{name}.weight"], **how)

    grid = batch_norm("res_features.1", convolved("res_features.0", images, stride=2, padding=3)).relu()
    grid = functional.max_pool2d(grid, 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3)[:stages]):
        for block in range(blocks):
            name = f"res_features.{stage + 4}.{block}"
            stride = 2 if stage > 0 and block == 0 else 1
            found = batch_norm(f"{name}.bn1", convolved(f"{name}.conv1", grid)).relu()
            found = batch_norm(f"{name}.bn2", convolved(f"{name}.conv2", found, stride=stride, padding=1)).relu()
            found = batch_norm(f"{name}.bn3", convolved(f"{name}.conv3", found))
            if block == 0:
                grid = batch_norm(f"{name}.downsample.1", convolved(f"{name}.downsample.0", grid, stride=stride))
            grid = (grid + found).relu()
    return grid.flatten(2).transpose(1, 2)


def bert(of: Tensors, name: str, ids: torch.Tensor, layers: int) -> torch.Tensor:
    """The pooler's output, [B, 768]; id 0 is padding."""
    hidden = torch.zeros(ids.shape).masked_fill(ids == 0, -torch.inf)[:, None, None]
    embeddings = f"{name}.embeddings"
    words = of[f"{embeddings}.word_embeddings.weight"][ids] + of[f"{embeddings}.token_type_embeddings.weight"][0]
    words = words + of[f"{embeddings}.position_embeddings.weight"][: ids.shape[1]]
    words = norm(of, f"{embeddings}.LayerNorm", words, 1e-12)
    for layer in (f"{name}.encoder.layer.{number}" for number in range(layers)):
        sides = (linear(of, f"{layer}.attention.self.{side}", words) for side in ("query", "key", "value"))
        found = linear(of, f"{layer}.attention.output.dense", attended(*sides, heads=12, hidden=hidden)[0])
        words = norm(of, f"{layer}.attention.output.LayerNorm", words + found, 1e-12)
        found = functional.gelu(linear(of, f"{layer}.intermediate.dense", words))
        found = linear(of, f"{layer}.output.dense", found)
        words = norm(of, f"{layer}.output.LayerNorm", words + found, 1e-12)
    return linear(of, f"{name}.pooler.dense", words[:, 0]).tanh()
