"""A tokenizer without a vocabulary, for text towers whose weights are random: a word's id is its hash."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from benchx.digests import fraction_of_hash
from benchx.methods.text.tokens import Tokens

_WORD = re.compile(r"\w+")


def hashed_words(texts: Sequence[str], ids: int, max_length: int) -> Tokens:
    """Tokenise texts.

    Args:
        ids: how many there are; the last two begin and end a text, 0 is also padding.
        max_length: tokens per text with those two; all texts are padded to it.
    """
    found = torch.zeros(len(texts), max_length, dtype=torch.int64)
    mask = torch.zeros_like(found)
    for row, text in enumerate(texts):
        words = _WORD.findall(text.lower())[: max_length - 2]
        numbers = [1 + int(fraction_of_hash("word", word) * (ids - 3)) for word in words]
        tokens = [ids - 2, *numbers, ids - 1]
        found[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return Tokens(found, mask, torch.zeros_like(found, dtype=torch.bool))
