"""Networks written out in plain torch, from the official tensors by their official names; nothing of benchx is used."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]


def below(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def linear(weights: Weights, name: str, values: Tensor) -> Tensor:
    product = values @ weights[f"{name}.weight"].T
    return product + weights[f"{name}.bias"] if f"{name}.bias" in weights else product


def layer_norm(weights: Weights, name: str, values: Tensor, eps: float) -> Tensor:
    spread = values - values.mean(dim=-1, keepdim=True)
    scaled = spread / (spread.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Attention of [B, T, D] to [B, S, D] in `heads` slices of D; `mask` [B, S] is 0 where nothing is to be read."""
    width = query.shape[-1] // heads
    answers = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        affinity = query[..., part] @ key[..., part].transpose(1, 2) / width**0.5
        if mask is not None:
            affinity = affinity.masked_fill(mask[:, None] == 0, -torch.inf)
        answers.append(affinity.softmax(dim=-1) @ value[..., part])
    return torch.cat(answers, dim=-1)


def clip_vit(weights: Weights, images: Tensor) -> Tensor:
    """The class token of open_clip's vision transformer with QuickGELU after ln_post, [B, D]."""
    kernel = weights["conv1.weight"]
    patches = functional.conv2d(images, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    start = weights["class_embedding"].expand(len(images), 1, -1)
    tokens = torch.cat([start, patches], dim=1) + weights["positional_embedding"]
    tokens = layer_norm(weights, "ln_pre", tokens, 1e-5)
    depth = len({name.split(".")[2] for name in weights if name.startswith("transformer.resblocks.")})
    for number in range(depth):
        block = below(weights, f"transformer.resblocks.{number}.")
        joint = {"in.weight": block["attn.in_proj_weight"], "in.bias": block["attn.in_proj_bias"]}
        query, key, value = linear(joint, "in", layer_norm(block, "ln_1", tokens, 1e-5)).chunk(3, dim=-1)
        answer = attention(query, key, value, heads=tokens.shape[-1] // 64)
        tokens = tokens + linear(block, "attn.out_proj", answer)
        inner = linear(block, "mlp.c_fc", layer_norm(block, "ln_2", tokens, 1e-5))
        tokens = tokens + linear(block, "mlp.c_proj", inner * (1.702 * inner).sigmoid())
    return layer_norm(weights, "ln_post", tokens[:, 0], 1e-5)


def gelu(values: Tensor) -> Tensor:
    """The exact GELU."""
    return values * (1 + (values / 2**0.5).erf()) / 2


def bert(weights: Weights, ids: Tensor, mask: Tensor) -> Tensor:
    """BERT's last hidden state, [B, T, D]; heads of 64 numbers."""
    tokens = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    tokens = layer_norm(weights, "embeddings.LayerNorm", tokens, 1e-12)
    depth = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
    for number in range(depth):
        block = below(weights, f"encoder.layer.{number}.")
        query, key, value = (linear(block, f"attention.self.{part}", tokens) for part in ("query", "key", "value"))
        answer = attention(query, key, value, heads=tokens.shape[-1] // 64, mask=mask)
        tokens = layer_norm(
            block, "attention.output.LayerNorm", tokens + linear(block, "attention.output.dense", answer), 1e-12
        )
        inner = gelu(linear(block, "intermediate.dense", tokens))
        tokens = layer_norm(block, "output.LayerNorm", tokens + linear(block, "output.dense", inner), 1e-12)
    return tokens


def resnet50(weights: Weights, images: Tensor) -> Tensor:
    """The last map of torchvision's ResNet-50 in eval mode, [B, 2048, h, w]."""

    def convolved(values: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        values = functional.conv2d(values, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        scale = weights[f"{norm}.weight"] / (variance + 1e-5).sqrt()
        return values * scale[:, None, None] + (weights[f"{norm}.bias"] - mean * scale)[:, None, None]

    values = functional.max_pool2d(convolved(images, "conv1", "bn1", 2).relu(), 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for number in range(blocks):
            block = f"layer{stage}.{number}"
            stride = 2 if stage > 1 and number == 0 else 1
            inner = convolved(values, f"{block}.conv1", f"{block}.bn1").relu()
            inner = convolved(inner, f"{block}.conv2", f"{block}.bn2", stride).relu()
            inner = convolved(inner, f"{block}.conv3", f"{block}.bn3")
            if number == 0:
                values = convolved(values, f"{block}.downsample.0", f"{block}.downsample.1", stride)
            values = (values + inner).relu()
    return values


def attention_pool(weights: Weights, vectors: Tensor, heads: int = 8) -> Tensor:
    """CLIP's attention pooling, by torch's own function, [B, T, D] -> [B, D]; positions where the weights have some."""
    joined = torch.cat([vectors.mean(dim=1, keepdim=True), vectors], dim=1).transpose(0, 1)
    if "positional_embedding" in weights:
        joined = joined + weights["positional_embedding"][:, None]
    pooled, _ = functional.multi_head_attention_forward(
        joined,
        joined,
        joined,
        joined.shape[-1],
        heads,
        in_proj_weight=None,
        in_proj_bias=torch.cat([weights[f"{part}_proj.bias"] for part in "qkv"]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=weights["c_proj.weight"],
        out_proj_bias=weights["c_proj.bias"],
        training=False,
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=weights["q_proj.weight"],
        k_proj_weight=weights["k_proj.weight"],
        v_proj_weight=weights["v_proj.weight"],
    )
    return pooled[0]


def cubic(values: Tensor, side: int, *, aligned: bool) -> Tensor:
    """Resample rows and columns [h, h, D] by the cubic kernel with a = -0.75, edges repeated, no antialiasing."""

    def kernel(distance: Tensor) -> Tensor:
        near = (1.25 * distance - 2.25) * distance**2 + 1
        far = -0.75 * (((distance - 5) * distance + 8) * distance - 4)
        return torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros(())))

    before = values.shape[0]
    number = torch.arange(side, dtype=torch.float64)
    place = number * (before - 1) / (side - 1) if aligned else (number + 0.5) * before / side - 0.5
    share = torch.zeros(side, before, dtype=torch.float64)
    for step in range(-1, 3):
        source = place.floor() + step
        share.scatter_add_(1, source.long().clamp(0, before - 1)[:, None], kernel((place - source).abs())[:, None])
    return torch.einsum("ia,jb,abd->ijd", share, share, values.double()).to(values.dtype)
