"""Embeddings of texts: read once, kept by what they depend on, without the texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchx.embeddings import text_embeddings
from benchx.errors import BenchxError
from benchx.methods.text.base import TextFeatures


class CountsLetters:
    """A method whose text embedding counts letters; it remembers what it was given."""

    def __init__(self) -> None:
        self.read: list[list[str]] = []

    def encode_text(self, texts) -> TextFeatures:
        self.read.append(list(texts))
        counts = torch.tensor([[float(text.count(letter)) for letter in "abc"] for text in texts])
        return TextFeatures(counts, counts)


def test_texts_are_read_once_in_batches_and_then_from_disk(tmp_path) -> None:
    method = CountsLetters()
    texts = ["aab", "c", "aab", "secret b", "cc"]
    found = text_embeddings(texts, lambda: method, tmp_path / "x", 3)
    np.testing.assert_array_equal(found, [[2, 1, 0], [0, 0, 1], [2, 1, 0], [0, 1, 1], [0, 0, 2]])
    assert found.dtype == np.float32
    assert method.read == [["aab", "c", "secret b"], ["cc"]]
    again = text_embeddings(texts, lambda: pytest.fail("loaded again"), tmp_path / "x", 3)
    np.testing.assert_array_equal(again, found)
    assert not any(b"secret" in path.read_bytes() for path in (tmp_path / "x").iterdir())


def test_embeddings_that_are_no_numbers_are_an_error_that_shows_no_text(tmp_path) -> None:
    class Broken(CountsLetters):
        def encode_text(self, texts) -> TextFeatures:
            return TextFeatures(*[super().encode_text(texts).embedding / torch.tensor([1.0, 0, 1])] * 2)

    with pytest.raises(BenchxError, match="of 2 of 2 texts") as caught:
        text_embeddings(["secret", "b"], Broken, tmp_path, 8)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "embeddings.npy").exists()
