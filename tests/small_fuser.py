"""A small method that reads image and text together, with random weights: its encoder, tower, fusion and cards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchx.methods.cards.schema import Card
from benchx.methods.encoders import ENCODERS
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.fusion import FUSIONS
from benchx.methods.fusion.base import Fusion
from benchx.methods.text import TOWERS
from benchx.methods.text.base import TextFeatures, TextTower

PLACES, WIDTH, SHARED = 4, 8, 6
WORDS, LONGEST = 300, 24


class Eyes(Encoder):
    """Means of 4 x 4 places, each by itself."""

    def __init__(self, *, projects: bool = False, pooling: str, channels: int, image_size: int) -> None:
        super().__init__(dim=WIDTH, channels=channels, image_size=image_size, patch_size=PLACES)
        self.of_place = nn.Linear(1, WIDTH)
        self.across = nn.Parameter(torch.randn(PLACES**2, WIDTH))
        if projects:
            self.projection = nn.Linear(WIDTH, SHARED)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self._features(images).pooled

    def _features(self, images: torch.Tensor) -> Features:
        places = nn.functional.adaptive_avg_pool2d(images[:, :1], PLACES)
        tokens = torch.tanh(self.of_place(places.flatten(2).transpose(1, 2)) + self.across)
        return Features(tokens.mean(1), tokens, (places,), (images.shape[2] // PLACES,))


class Ears(TextTower):
    """One vector per word."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(WORDS, WIDTH)
        self.shared = nn.Linear(WIDTH, SHARED)

    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        return (input_ids != 0).long()

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures:
        words = self.word(ids)
        pooled = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return TextFeatures(pooled, self.shared(pooled), words, mask.bool())


class Both(Fusion):
    """Words that attend to places."""

    def __init__(self, *, matches: bool = True) -> None:
        super().__init__(dim=2 * WIDTH, matches=matches)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(2 * WIDTH, 1)

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        weight = (self.query(text.words) @ images.tokens.transpose(1, 2)).softmax(-1)
        seen = (weight @ images.tokens) * text.words
        kept = text.word_mask[..., None]
        return torch.cat([(seen * kept).sum(1) / kept.sum(1), seen.masked_fill(~kept, -9).amax(1)], dim=1)

    def match(self, fused: torch.Tensor) -> torch.Tensor:
        return self.head(fused)[:, 0] if self.matches else super().match(fused)


def cards(monkeypatch: pytest.MonkeyPatch) -> dict[str, Card]:
    """Register the parts and return methods of them, by name.

    `fuser` reads pairs and has no embeddings, `unifier` has both, `reader` embeddings alone, `unmatched` a fusion
    without a matching head, `eyes` no text, `ears` no images.
    """
    monkeypatch.setitem(ENCODERS, "small_eyes", Eyes)
    monkeypatch.setitem(TOWERS, "small_ears", Ears)
    monkeypatch.setitem(FUSIONS, "small_both", Both)
    text = {"name": "small_ears", "tokenizer": {"words": WORDS, "max_length": LONGEST}}
    fusion = {"name": "small_both"}
    projects = {"name": "small_eyes", "arguments": {"projects": True}}
    return {
        "fuser": _card("fuser", text=text, fusion=fusion),
        "unifier": _card("unifier", encoder=projects, text=text, fusion=fusion),
        "reader": _card("reader", encoder=projects, text=text),
        "unmatched": _card("unmatched", text=text, fusion=fusion | {"arguments": {"matches": False}}),
        "eyes": _card("eyes"),
        "ears": _card("ears", encoder=None, input=None, pooling=None, text=text),
    }


def _card(name: str, **parts: object) -> Card:
    whole = {
        "name": name,
        "title": "a small method",
        "paper": "none",
        "code": "none",
        "licence": "none",
        "weights": {"seed": 5},
        "encoder": {"name": "small_eyes"},
        "input": {"size": 32, "resize": "stretch", "mean": [0.5], "std": [0.25], "channels": 1},
        "pooling": "mean",
        "exposure": [],
    }
    return Card.model_validate(whole | parts)
