"""Chosen pairs by GLoRIA's similarity, in blocks, against comparing one image with one text at a time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from benchx import held_texts
from benchx.encoding import Execution
from benchx.images.geometry import prepare
from benchx.images.spec import InputSpec
from benchx.images.store import build
from benchx.methods.encoders.base import Features
from benchx.methods.scorers.gloria import gloria
from benchx.methods.text.base import TextFeatures
from benchx.metrics.retrieval.positives import Positives
from benchx.pair_reading import Pairs, compared, open_pairs, read_pairs
from benchx.tasks.retrieval.finding import find
from benchx.tasks.retrieval.own import reordered
from benchx.tasks.retrieval.pool import Pool

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


@pytest.mark.parametrize("held", [1, 2**30])
@pytest.mark.parametrize("at_a_time", [2, 512])
def test_every_pair_is_as_compared_alone(pixels, tmp_path, held, at_a_time, monkeypatch) -> None:
    monkeypatch.setattr(held_texts, "WORD_BYTES", held)
    texts = ["no effusion", "a", "large left effusion and mass", "mass", "clear lungs today"]
    images = np.array([7, 2, 9, 4, 0, 1, 3])
    rng = np.random.default_rng(1)
    keys = np.sort(rng.choice(len(images) * len(texts), 17, replace=False))
    pairs, told, encoder = Pairs(images, texts, keys), [], LooksAtPlaces()
    read_pairs(
        encoder,
        pixels,
        pairs,
        SPEC,
        EXECUTION,
        compared(encoder),
        tmp_path / "pairs",
        lambda done, total: told.append((done, total)),
        at_a_time=at_a_time,
    )
    found = open_pairs(tmp_path / "pairs")
    for key, value in zip(keys, found, strict=True):
        image = encoder.encode(prepare(pixels.images(images[[key // 5]]), SPEC))
        alone = encoder.similarity(image, encoder.encode_text([texts[key % 5]]))
        assert float(alone) == pytest.approx(float(value), abs=1e-5)
        assert found[pairs.places(np.array([key // 5]), np.array([[key % 5]]))] == value
    assert told[-1] == (17, 17)
    assert len(set(found.tolist())) > 10


def test_pairs_of_both_lists_are_read_once_and_give_the_new_order() -> None:
    rng = np.random.default_rng(2)
    reports = ("b", "a", "b", "cc", "d")
    right = Positives.sharing(["a", "b", "cc", "d"], reports), Positives.sharing(reports, ["a", "b", "cc", "d"])
    pool = Pool(np.array([3, 1, 8, 5]), np.zeros(4, np.int8), reports, reports, np.array([1, 0, 1, 2, 3]), *right, 0)
    cosines = rng.random((4, 5)).astype(np.float32)
    cosines[:, 2] = cosines[:, 0]
    ways = {"i2t": (cosines, right[0]), "t2i": (cosines.T.copy(), right[1])}
    found = {
        way: find(
            lambda table=table: iter([(0, len(table), torch.from_numpy(table.copy()))]),
            table.shape[1],
            positives,
            None,
            exclude_own=False,
            top=10,
        )
        for way, (table, positives) in ways.items()
    }
    score = rng.permutation(16).reshape(4, 4).astype(np.float32)
    asked = []

    def similarities(pairs: Pairs) -> np.ndarray:
        asked.append(pairs)
        return score[np.divmod(pairs.keys, 4)]

    after = reordered(pool, found, 10, similarities)
    (pairs,) = asked
    assert (len(pairs), list(pairs.texts)) == (16, ["a", "b", "d", "cc"])
    for way in ways:
        table = score[:, [1, 0, 1, 3, 2]]
        table = table if way == "i2t" else table.T
        top = after[way].ranking.top
        np.testing.assert_array_equal(np.take_along_axis(table, top.rows, 1), -np.sort(-table, axis=1))
