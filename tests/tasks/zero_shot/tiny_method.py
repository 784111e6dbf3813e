"""Small methods with a text side: one in memory, and one with card, checkpoint and tokenizer in a weights root."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map
from benchx.methods.scorers.cosine import cosine
from benchx.methods.text import build_tower
from benchx.methods.text.base import TextFeatures

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] no effusion cardiomegaly mass nodule atelectasis pneumothorax there is a"

CARD = """
name: tiny
title: a small method
paper: none
code: none
licence: none
weights: {files: [tiny.pth], page: none}
encoder:
  name: resnet50
  arguments:
    stages: 3
    projection: {layer: linear, widths: [12]}
    token_projection: {layer: linear, widths: [12]}
layout: {prefix: image.}
input: {size: 64, resize: stretch, mean: [0.5], std: [0.25]}
pooling: mean
text:
  name: bert
  arguments: {vocabulary: 15, layers: 1, pooling: cls, head: {layer: linear, widths: [12]}}
  layout: {prefix: text.}
  tokenizer: {repo: tiny/words, max_length: 12}
scorer: {name: cosine}
exposure: []
"""


class SmallEncoder(Encoder):
    """Patches of 16 pixels through one layer; a text's embedding is drawn from its letters."""

    def __init__(self) -> None:
        super().__init__(dim=8, channels=1, image_size=64, patch_size=16)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.patches = nn.Conv2d(1, 8, 16, stride=16)
            self.projection, self.token_projection = nn.Linear(8, 12), nn.Linear(8, 12)
        self.scorer = cosine()

    def encode_text(self, texts: Sequence[str]) -> TextFeatures:
        drawn = [torch.randn(12, generator=torch.Generator().manual_seed(zlib.crc32(one.encode()))) for one in texts]
        return TextFeatures(torch.stack(drawn), torch.stack(drawn))

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(self.patches(images))

    def _features(self, images: torch.Tensor) -> Features:
        grid = self.patches(images)
        return Features(pool_map(grid), map_tokens(grid), (grid,), (16,))


def tiny_method(root: Path) -> Card:
    """Write the method into a weights root."""
    path = root / "tiny.yaml"
    path.write_text(CARD)
    card = read_card(str(path))
    folder = root / "tokenizers" / "tiny--words"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS.split()) + "\n")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {"image.": build_encoder(card), "text.": build_tower(card)}
    tensors = {
        prefix + name.removeprefix("trunk."): value
        for prefix, part in parts.items()
        for name, value in part.state_dict().items()
    }
    (root / "tiny").mkdir()
    torch.save(tensors, root / "tiny" / "tiny.pth")
    return card
