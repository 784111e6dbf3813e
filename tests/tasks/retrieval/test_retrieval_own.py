"""Chosen pairs by GLoRIA's similarity, in blocks, against comparing one image with one text at a time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from benchx.encoding import Execution
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import build
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.gloria import gloria
from benchx.methods.text.base import TextFeatures
from benchx.tasks.retrieval import own

SPEC = InputSpec(size=32, resize="stretch", mean=(0.5,), std=(0.25,), channels=1)
EXECUTION = Execution("cpu", "fp32", False, 3)


class LooksAtPlaces(nn.Module):
    """An encoder whose features are the means of 16 places, and whose words are drawn from their letters."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = gloria()

    def encode(self, images: torch.Tensor) -> Features:
        places = nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return Features(places, places[:, :, None] * torch.linspace(-1, 1, 16), (images,), (1,))

    def project(self, features: Features) -> torch.Tensor:
        return features.pooled

    def project_tokens(self, features: Features) -> torch.Tensor:
        return features.tokens

    def encode_text(self, texts) -> TextFeatures:
        longest = max(len(text.split()) for text in texts)
        words, mask = torch.zeros(len(texts), longest, 16), torch.zeros(len(texts), longest, dtype=torch.bool)
        for row, text in enumerate(texts):
            for place, word in enumerate(text.split()):
                generator = torch.Generator().manual_seed(sum(map(ord, word)))
                words[row, place], mask[row, place] = torch.randn(16, generator=generator), True
        whole = words.sum(1)
        return TextFeatures(whole, whole, words, mask)

    def similarity(self, images: Features, text: TextFeatures) -> torch.Tensor:
        return self.scorer(self, images, text)


@pytest.fixture
def pixels(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), rng.integers(0, 255, (40, 40), np.uint8))
    items = [(str(number), tmp_path / f"{number}.png") for number in range(10)]
    return build(items, 40, tmp_path / "store", skip_unreadable=False, on_progress=lambda done, total: None)


@pytest.mark.parametrize("block", [2, 512])
def test_every_pair_is_as_compared_alone(pixels, block, monkeypatch) -> None:
    monkeypatch.setattr(own, "TEXTS", block)
    texts = ["no effusion", "a", "large left effusion and mass", "mass", "clear lungs today"]
    images = np.array([7, 2, 9, 4, 0, 1, 3])
    rng = np.random.default_rng(1)
    keys = np.sort(rng.choice(len(images) * len(texts), 17, replace=False))
    told = []
    encoder = LooksAtPlaces()
    found = own.compare_pairs(
        encoder, pixels, images, texts, keys, SPEC, EXECUTION, lambda done, total: told.append((done, total))
    )
    for key, value in zip(keys, found.values, strict=True):
        image = encoder.encode(prepare(pixels.images(images[[key // 5]]), SPEC))
        alone = encoder.similarity(image, encoder.encode_text([texts[key % 5]]))
        assert float(alone) == pytest.approx(float(value), abs=1e-5)
        assert found.of(np.array([key // 5]), np.array([[key % 5]])) == value
    assert told[-1] == (17, 17)
    assert len(set(found.values.tolist())) > 10
