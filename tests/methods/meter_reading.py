"""A second reading of M3AE's, ARL's and PTUnifier's official code, in plain torch on their own tensor names.

Nothing of benchx's encoders, towers or fusions is used. `w` maps the names of the official file to tensors.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

Weights = dict[str, torch.Tensor]
WIDTH = 768


def linear(w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(w: Weights, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int, seen: torch.Tensor | None) -> torch.Tensor:
    """Multi-head attention; `seen` [B, keys] is 1 for the keys that are looked at."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if seen is not None:
        scores = scores + (1.0 - seen[:, None, None].float()) * torch.finfo(torch.float32).min
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def gelu(x: torch.Tensor) -> torch.Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def embedded_patches(w: Weights, images: torch.Tensor) -> torch.Tensor:
    """CLIP's patches with their positions."""
    kernel = w["vision_encoder.visual.conv1.weight"]
    patches = functional.unfold(images, kernel.shape[-1], stride=kernel.shape[-1]).transpose(1, 2)
    return patches @ kernel.flatten(1).T + w["vision_encoder.visual.positional_embedding"][1:]


def clip(w: Weights, images: torch.Tensor, blocks: int = 11) -> torch.Tensor:
    """All tokens of CLIP's image side after `ln_post`."""
    return clip_blocks(w, embedded_patches(w, images), blocks)


def clip_blocks(w: Weights, patches: torch.Tensor, blocks: int = 11) -> torch.Tensor:
    v = "vision_encoder.visual"
    start = w[f"{v}.class_embedding"] + w[f"{v}.positional_embedding"][0]
    x = norm(w, f"{v}.ln_pre", torch.cat([start.expand(len(patches), 1, -1), patches], 1), 1e-5)
    for number in range(blocks):
        b = f"{v}.transformer.resblocks.{number}"
        h = norm(w, f"{b}.ln_1", x, 1e-5)
        q, k, t = (h @ w[f"{b}.attn.in_proj_weight"].T + w[f"{b}.attn.in_proj_bias"]).chunk(3, dim=-1)
        x = x + linear(w, f"{b}.attn.out_proj", attend(q, k, t, 12, None))
        h = linear(w, f"{b}.mlp.c_fc", norm(w, f"{b}.ln_2", x, 1e-5))
        x = x + linear(w, f"{b}.mlp.c_proj", h * torch.sigmoid(1.702 * h))
    return norm(w, f"{v}.ln_post", x, 1e-5)


def bert_attention(
    w: Weights, name: str, x: torch.Tensor, y: torch.Tensor, seen: torch.Tensor | None, eps: float, heads: int = 12
) -> torch.Tensor:
    q = linear(w, f"{name}.self.query", x)
    k, v = linear(w, f"{name}.self.key", y), linear(w, f"{name}.self.value", y)
    found = linear(w, f"{name}.output.dense", attend(q, k, v, heads, seen))
    return norm(w, f"{name}.output.LayerNorm", found + x, eps)


def feed_forward(w: Weights, name: str, x: torch.Tensor, eps: float, kind: str = "") -> torch.Tensor:
    h = gelu(linear(w, f"{name}.{kind}intermediate.dense", x))
    return norm(w, f"{name}.{kind}output.LayerNorm", linear(w, f"{name}.{kind}output.dense", h) + x, eps)


def embedded_words(w: Weights, ids: torch.Tensor) -> torch.Tensor:
    e = "language_encoder.embeddings"
    places = torch.tensor([[1 if one == 1 else 2 + sum(x != 1 for x in row[:n]) for n, one in enumerate(row)]
                           for row in ids.tolist()])  # fmt: skip
    x = w[f"{e}.word_embeddings.weight"][ids] + w[f"{e}.position_embeddings.weight"][places]
    return norm(w, f"{e}.LayerNorm", x + w[f"{e}.token_type_embeddings.weight"][0], 1e-5)


def roberta(w: Weights, ids: torch.Tensor, mask: torch.Tensor, layers: int = 12) -> torch.Tensor:
    return roberta_layers(w, embedded_words(w, ids), mask, layers)


def roberta_layers(w: Weights, x: torch.Tensor, mask: torch.Tensor, layers: int = 12) -> torch.Tensor:
    for number in range(layers):
        name = f"language_encoder.encoder.layer.{number}"
        x = feed_forward(w, name, bert_attention(w, f"{name}.attention", x, x, mask, 1e-5), 1e-5)
    return x


def cross_layer(
    w: Weights, name: str, x: torch.Tensor, y: torch.Tensor, own: torch.Tensor | None, other: torch.Tensor | None,
    eps: float,
) -> torch.Tensor:  # fmt: skip
    x = bert_attention(w, f"{name}.attention", x, x, own, eps)
    x = bert_attention(w, f"{name}.crossattention", x, y, other, eps)
    return feed_forward(w, name, x, eps)


def enter(w: Weights, words: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    kinds = w["modality_type_embeddings.weight"]
    return (
        linear(w, "multi_modal_language_proj", words) + kinds[0],
        linear(w, "multi_modal_vision_proj", tokens) + kinds[1],
    )


def leave(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    text = torch.tanh(linear(w, "multi_modal_language_pooler.dense", x[:, 0]))
    return torch.cat([text, torch.tanh(linear(w, "multi_modal_vision_pooler.dense", y[:, 0]))], 1)


def fuse(
    w: Weights, words: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor, *, layers: int = 6,
    eps: float = 1e-12, sequential: bool = False,
) -> torch.Tensor:  # fmt: skip
    """`multi_modal_cls_feats`; `sequential` is the trap: the image's layer reads the text that its pair just gave."""
    x, y = enter(w, words, tokens)
    for number in range(layers):
        after = cross_layer(w, f"multi_modal_language_layers.{number}", x, y, mask, None, eps)
        y = cross_layer(w, f"multi_modal_vision_layers.{number}", y, after if sequential else x, None, mask, eps)
        x = after
    return leave(w, x, y)


def graph_layer(w: Weights, name: str, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Graph attention on a table of edges, `counts` [target, source] says how many there are."""
    source, target = w[f"{name}.att_src"][0], w[f"{name}.att_dst"][0]
    values = (x @ w[f"{name}.lin.weight"].T).unflatten(1, source.shape)
    scores = (values * target).sum(-1)[:, None] + (values * source).sum(-1)[None]
    weights = functional.leaky_relu(scores, 0.2).exp() * counts[..., None]
    weights = weights / weights.sum(1, keepdim=True)
    return torch.einsum("tsh,shd->thd", weights, values).flatten(1) + w[f"{name}.bias"]


def graph(w: Weights) -> torch.Tensor:
    x, (source, target) = w["align_head.x"], w["align_head.edge_index"].tolist()
    counts = torch.eye(len(x))
    for one, other in zip(source, target, strict=True):
        if one != other:
            counts[other, one] += 1
    x = norm(w, "align_head.embedding_ln", x, 1e-5)
    x = functional.elu(graph_layer(w, "align_head.conv1", x, counts))
    return graph_layer(w, "align_head.conv2", x, counts)


def fuse_with_entities(
    w: Weights, words: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor, ids: torch.Tensor, places: torch.Tensor,
    *, layers: int = 6, eps: float = 1e-12,
) -> torch.Tensor:  # fmt: skip
    table = torch.cat([graph(w), torch.zeros(1, 256)])
    z, known = table[torch.where(ids == -100, len(table) - 1, ids)], (ids != -100).long()
    x, y = enter(w, words, tokens)
    for number in range(layers):
        name = f"multi_modal_language_layers.{number}"
        z = bert_attention(w, f"{name}.knowledge_attention", z, z, known, eps, heads=4)
        seen = linear(w, f"{name}.image2knowledge", y)
        z = bert_attention(w, f"{name}.knowledge_crossattention", z, seen, None, eps, heads=4)
        h = bert_attention(w, f"{name}.attention", x, x, mask, eps)
        h = bert_attention(w, f"{name}.crossattention", h, y, None, eps)
        told = h + places.transpose(1, 2) @ linear(w, f"{name}.knowledge2text", z)
        told = linear(w, f"{name}.knowledge_fusion_output.dense", told)
        h = norm(w, f"{name}.knowledge_fusion_output.LayerNorm", told + h, eps)
        y = cross_layer(w, f"multi_modal_vision_layers.{number}", y, x, None, mask, eps)
        x, z = feed_forward(w, name, h, eps), feed_forward(w, name, z, eps, "knowledge_")
    return leave(w, x, y)


def answer(w: Weights, fused: torch.Tensor) -> torch.Tensor:
    hidden = norm(w, "vqa_head.1", linear(w, "vqa_head.0", fused), 1e-5)
    return linear(w, "vqa_head.3", gelu(hidden))


def match(w: Weights, fused: torch.Tensor) -> torch.Tensor:
    return linear(w, "itm_head.fc", fused)[:, 1]


def nearest(pool: torch.Tensor, query: torch.Tensor, count: int) -> torch.Tensor:
    """The tokens of PTUnifier's pool with the largest dot products, [B, count, 768]."""
    return pool[(query @ pool.T).argsort(1, descending=True)[:, :count]]


def embed_image(w: Weights, images: torch.Tensor) -> torch.Tensor:
    """PTUnifier's contrastive embedding of images, with 32 pseudo words between <s> and </s>."""
    patches = embedded_patches(w, images)
    start, end = (embedded_words(w, torch.tensor([[one]])).expand(len(images), -1, -1) for one in (0, 2))
    words = torch.cat([start, nearest(w["pseudo_language_token_pool"], patches.mean(1), 32), end], 1)
    mask = torch.ones(words.shape[:2])
    fused = fuse(w, roberta_layers(w, words, mask), clip_blocks(w, patches), mask, eps=1e-5)
    return norm(w, "itc_head.vision_ln", fused, 1e-5) @ w["itc_head.vision_proj.weight"].T


def embed_text(w: Weights, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """PTUnifier's contrastive embedding of texts, with 49 pseudo patches; <s> is no part of the query."""
    words = embedded_words(w, ids)
    kept = mask[:, 1:, None].float()
    query = (words[:, 1:] * kept).sum(1) / kept.sum(1)
    patches = clip_blocks(w, nearest(w["pseudo_vision_token_pool"], query, 49))
    fused = fuse(w, roberta_layers(w, words, mask), patches, mask, eps=1e-5)
    return norm(w, "itc_head.language_ln", fused, 1e-5) @ w["itc_head.language_proj.weight"].T
