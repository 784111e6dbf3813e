"""Two of the six pairs of layers of a fusion, filled from tensors of the official names, as a checkpoint fills it."""

from __future__ import annotations

from pathlib import Path

import torch
from meter_reading import Weights

from benchx.methods.cards.reading import read_card
from benchx.methods.encoders.base import Features
from benchx.methods.encoders.vit import ViT
from benchx.methods.filling import Checkpoint, fill
from benchx.methods.fusion import build_fusion
from benchx.methods.fusion.base import Fusion
from benchx.methods.keyed_init import keyed_tensor
from benchx.methods.text.base import TextFeatures

PAIRS = 2


def cross_shapes(name: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for kind in ("attention", "crossattention"):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= {f"{name}.{kind}.{part}.weight": (768, 768), f"{name}.{kind}.{part}.bias": (768,)}
        shapes |= {f"{name}.{kind}.output.LayerNorm.{part}": (768,) for part in ("weight", "bias")}
    shapes |= {f"{name}.intermediate.dense.weight": (3072, 768), f"{name}.intermediate.dense.bias": (3072,)}
    shapes |= {f"{name}.output.dense.weight": (768, 3072), f"{name}.output.dense.bias": (768,)}
    return shapes | {f"{name}.output.LayerNorm.{part}": (768,) for part in ("weight", "bias")}


def keyed(shapes: dict[str, tuple[int, ...]]) -> Weights:
    return {name: keyed_tensor(name, shape) for name, shape in shapes.items()}


def fusion_shapes() -> dict[str, tuple[int, ...]]:
    """M3AE's fusion without a head."""
    shapes: dict[str, tuple[int, ...]] = {"modality_type_embeddings.weight": (2, 768)}
    for side in ("language", "vision"):
        for part in ("proj", "pooler.dense"):
            name = f"multi_modal_{side}_{part}"
            shapes |= {f"{name}.weight": (768, 768), f"{name}.bias": (768,)}
        for number in range(PAIRS):
            shapes |= cross_shapes(f"multi_modal_{side}_layers.{number}")
    return shapes


def filled_fusion(method: str, weights: Weights, **arguments: object) -> Fusion:
    """The method's fusion, cut to two pairs of layers, by the rules of its card."""
    card = read_card(method)
    assert card.fusion is not None
    choice = card.fusion.model_copy(update={"arguments": {**card.fusion.arguments, **arguments}})
    card = card.model_copy(update={"fusion": choice})
    with torch.device("meta"):
        fusion = build_fusion(card)
    for side in (fusion.language, fusion.vision):
        side.layers = side.layers[:PAIRS]
    fill(fusion, choice.layout, Checkpoint(card, Path("official.ckpt"), {"state_dict": weights}), "fusion")
    return fusion.eval()


def small_encoder() -> ViT:
    """An image encoder that a fusion is put on; the tests give the features themselves."""
    with torch.device("meta"):
        return ViT(pooling="cls", channels=3, image_size=32, patch_size=16, depth=11, style="clip",
                   resize_positions=True, positions="bicubic")  # fmt: skip


def pairs(count: int, words: int = 5, patches: int = 4) -> tuple[Features, TextFeatures]:
    """Features of pairs, the last text one word shorter."""
    draw = torch.Generator().manual_seed(count)
    tokens = torch.randn(count, 1 + patches, 768, generator=draw)
    read = torch.randn(count, words, 768, generator=draw)
    mask = torch.ones(count, words, dtype=torch.bool)
    mask[-1, -1] = False
    return Features(tokens[:, 0], tokens, (), ()), TextFeatures(read[:, 0], read[:, 0], read, mask)
