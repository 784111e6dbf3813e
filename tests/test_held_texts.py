"""Texts that are read once and held: what stands beside their words stays with its text."""

from __future__ import annotations

import numpy as np
import torch

from benchx.held_texts import read_texts
from benchx.methods.text.base import TextFeatures


class Reader:
    """Gives every text its length in everything."""

    def encode_text(self, texts: list[str]) -> TextFeatures:
        lengths = torch.tensor([len(text) for text in texts])
        mask = torch.arange(9) < lengths[:, None]
        own = lengths[:, None].float()
        words = own[..., None].expand(-1, 9, 2).clone()
        return TextFeatures(own, own, words, mask, lengths[:, None, None].expand(-1, 24, 3))


def test_entities_stay_with_their_text_over_batches_and_in_any_order():
    (held,) = read_texts(Reader(), ["a", "bbb", "cc", "ddddd", "a"], batch=2)
    numbers = np.array([3, 0, 3, 1])
    chosen = held.of(numbers)
    assert chosen.entities.shape == (4, 24, 3)
    for kept in (chosen.entities[:, 0, 0], chosen.pooled[:, 0], chosen.word_mask.sum(1)):
        assert kept.tolist() == [5, 1, 5, 3]


def test_texts_without_entities_have_none():
    class Plain(Reader):
        def encode_text(self, texts: list[str]) -> TextFeatures:
            read = super().encode_text(texts)
            return TextFeatures(read.pooled, read.embedding, read.words, read.word_mask)

    (held,) = read_texts(Plain(), ["a", "bb"], batch=2)
    assert held.of(np.array([1])).entities is None
