"""A small method that embeds images and texts in one space, made here: its card, checkpoint and tokenizer."""

from __future__ import annotations

import string
from pathlib import Path

import torch

from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card
from benchx.methods.encoders import build_encoder
from benchx.methods.text import build_tower

_LETTERS = string.ascii_lowercase + string.digits + ".,:-%()/'"
_WORDS = (
    "the lungs are clear and heart is of normal size seen in place subtle moderate marked small large left right "
    "bilateral upper mid lower zone pulmonary pleural effusion opacity concerning for pneumonia atelectasis with mild "
    "volume loss enlargement cardiac silhouette consolidation perihilar edema hyperinflation flattened diaphragm "
    "keeping emphysema basal reticular opacities fibrosis hiatal hernia behind infiltrate mass nodule thickening "
    "pneumothorax"
)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
PIECES += [word for word in dict.fromkeys(_WORDS.split()) if word not in PIECES]

CARD = f"""
name: small-reader
title: a small method
paper: none
code: none
licence: none
weights: {{files: [small.pth], page: none}}
encoder: {{name: resnet50, arguments: {{stages: 3, projection: {{layer: linear, widths: [16]}}}}}}
layout: {{prefix: image.}}
input: {{size: 64, resize: stretch, mean: [0.5], std: [0.25]}}
pooling: mean
text:
  name: bert
  arguments: {{vocabulary: {len(PIECES)}, layers: 1, pooling: cls, head: {{layer: linear, widths: [16]}}}}
  layout: {{prefix: text.}}
  tokenizer: {{repo: small/letters, max_length: 320}}
scorer: {{name: cosine}}
exposure: []
"""


def small_reader(root: Path) -> Card:
    """Write the method, with random weights, into a weights root."""
    path = root / "small-reader.yaml"
    path.write_text(CARD)
    card = read_card(str(path))
    folder = root / "tokenizers" / "small--letters"
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        parts = {"image.": build_encoder(card), "text.": build_tower(card)}
    tensors = {
        prefix + name.removeprefix("trunk."): value
        for prefix, part in parts.items()
        for name, value in part.state_dict().items()
    }
    (root / "small-reader").mkdir()
    torch.save(tensors, root / "small-reader" / "small.pth")
    return card
