"""Texts read once by a method's tower and held without padding, to stand beside images in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchx.methods.encoders.base import Encoder
from benchx.methods.text.base import TextFeatures
from benchx.training.memory import free, halved

WORD_BYTES = 2**30
"""Words held at a time: 350,000 of 768 numbers, the questions of any dataset and some thousand reports."""


@dataclass(frozen=True)
class HeldTexts:
    """What a tower says of consecutive texts.

    Attributes:
        start: number of the first of them among all texts.
        pooled: [T, D].
        embedding: [T, P].
        words: [1 + L, D], the words of all texts one after another, behind one of zeros that stands for padding; None
            where the tower gives no words.
        counted: bool [1 + L], which of them are words of a text.
        places: int64 [T + 1]; those of text t are `words[places[t] : places[t + 1]]`.
        entities: int64 [T, 24, 3], see `TextFeatures`; None where the method reads none.
    """

    start: int
    pooled: torch.Tensor
    embedding: torch.Tensor
    words: torch.Tensor | None
    counted: torch.Tensor
    places: np.ndarray
    entities: torch.Tensor | None = None

    @property
    def stop(self) -> int:
        """Number of the text after the last."""
        return self.start + len(self.pooled)

    def of(self, numbers: np.ndarray) -> TextFeatures:
        """Return some texts, in that order, their words filled up to the longest with words that do not count.

        Args:
            numbers: int [n], from `start` to `stop` - 1; a text may stand there several times.
        """
        mine = numbers - self.start
        chosen = torch.from_numpy(mine).to(self.pooled.device)
        pooled, embedding = self.pooled[chosen], self.embedding[chosen]
        if self.words is None:
            return TextFeatures(pooled, embedding)
        first, stop = self.places[mine], self.places[mine + 1]
        across = first[:, None] + np.arange(int((stop - first).max()))
        index = torch.from_numpy(np.where(across < stop[:, None], across, 0)).to(self.pooled.device)
        entities = None if self.entities is None else self.entities[chosen]
        return TextFeatures(pooled, embedding, self.words[index], self.counted[index], entities)


def read_texts(encoder: Encoder, texts: Sequence[str], batch: int, start: int = 0) -> Iterator[HeldTexts]:
    """Read texts from number `start` on, in float32, and yield them in blocks of about `WORD_BYTES`.

    A batch that does not fit into memory is read in halves.

    Args:
        batch: texts per forward pass.

    Raises:
        UsageError: the method has no text tower.
        WeightsMissing: its weights or its tokenizer's files are not there.
    """
    parts: list[TextFeatures] = []
    held = 0
    for first in range(start, len(texts), batch):
        for part in _read(encoder, texts[first : first + batch]):
            parts.append(part)
            held += 0 if part.words is None else part.words.nbytes
        stop = min(first + batch, len(texts))
        if held >= WORD_BYTES or stop == len(texts):
            yield _joined(start, parts)
            parts, held, start = [], 0, stop


def _read(encoder: Encoder, texts: Sequence[str]) -> list[TextFeatures]:
    try:
        return [_trimmed(encoder.encode_text(texts))]
    except (RuntimeError, MemoryError) as error:
        half = halved(len(texts), error)
    free()
    return [*_read(encoder, texts[:half]), *_read(encoder, texts[half:])]


def _trimmed(read: TextFeatures) -> TextFeatures:
    """Return texts in float32 without what no text of the batch needs: words [1, L, D] of all, mask [B, W] as it is."""
    if read.words is None:
        return TextFeatures(read.pooled.float(), read.embedding.float())
    mask = read.word_mask if read.word_mask is not None else read.words.new_ones(read.words.shape[:2])
    kept = torch.arange(mask.shape[1], device=mask.device) < _lengths(mask)[:, None]
    words = read.words[kept][None].float()
    return TextFeatures(read.pooled.float(), read.embedding.float(), words, mask.bool(), read.entities)


def _lengths(mask: torch.Tensor) -> torch.Tensor:
    """Return how many places each text takes up to its last word, int64 [B], 1 or more."""
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask.bool().long() * places).amax(dim=1).clamp_min(1)


def _joined(start: int, parts: list[TextFeatures]) -> HeldTexts:
    pooled, embedding = (torch.cat([getattr(part, name) for part in parts]) for name in ("pooled", "embedding"))
    words, counted, lengths = [], [], [torch.ones(1, dtype=torch.int64)]
    for part in parts:
        if part.words is None or part.word_mask is None:
            continue
        taken = _lengths(part.word_mask)
        words.append(part.words[0])
        counted.append(part.word_mask[torch.arange(part.word_mask.shape[1], device=taken.device) < taken[:, None]])
        lengths.append(taken.cpu())
    if not words:
        return HeldTexts(start, pooled, embedding, None, pooled.new_zeros(0, dtype=torch.bool), np.zeros(0, np.int64))
    entities = [part.entities for part in parts if part.entities is not None]
    return HeldTexts(
        start,
        pooled,
        embedding,
        torch.cat([words[0].new_zeros(1, words[0].shape[1]), *words]),
        torch.cat([counted[0].new_zeros(1), *counted]),
        torch.cat(lengths).cumsum(0).numpy(),
        torch.cat(entities) if entities else None,
    )
