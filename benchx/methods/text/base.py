"""The contract of every text tower: token ids in, one embedding per text and, where a method has them, words out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from benchx.errors import UsageError
from benchx.methods.parts import Part


@dataclass(frozen=True)
class TextFeatures:
    """What a text tower says of a batch of texts.

    Attributes:
        pooled: [B, D], before the projection.
        embedding: [B, P], in the space shared with images; not normalised.
        words: [B, W, P], embeddings of words in that space, or [B, W, D], every token for a fusion to read; None where
            the method has neither.
        word_mask: bool [B, W], which of them are words of the text.
        entities: int64 [B, 24, 3], what a text names of a method's knowledge base: id, first and last word; id -100
            where there is none. None where the texts were not linked.
    """

    pooled: torch.Tensor
    embedding: torch.Tensor
    words: torch.Tensor | None = None
    word_mask: torch.Tensor | None = None
    entities: torch.Tensor | None = None


class TextTower(Part, ABC):
    """A pretrained text encoder."""

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        continued: torch.Tensor | None = None,
    ) -> TextFeatures:
        """Read tokenised texts.

        Args:
            input_ids: int64 [B, T].
            attention_mask: [B, T], 1 for tokens and 0 for padding; without it, as the method's tokenizer pads.
            continued: bool [B, T], tokens that go on a word; without it every token is a word.

        Raises:
            UsageError: the tokens are of another shape, none or too many, or not of the tower's vocabulary.
        """
        _check_shapes(input_ids, attention_mask, continued)
        mask = self.padding_mask(input_ids) if attention_mask is None else attention_mask
        return self._read(input_ids, mask, torch.zeros_like(mask, dtype=torch.bool) if continued is None else continued)

    @abstractmethod
    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are the tokenizer's padding."""

    @abstractmethod
    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures: ...


def check_tokens(ids: torch.Tensor, mask: torch.Tensor, vocabulary: int, positions: int) -> None:
    """Refuse tokens that a tower cannot read.

    Args:
        ids: int64 [B, T].
        mask: [B, T], 0 for padding.
        vocabulary: number of token ids.
        positions: the most tokens per text.

    Raises:
        UsageError: more tokens than positions, ids outside of the vocabulary, or a text of padding alone.
    """
    if ids.shape[1] > positions:
        raise UsageError(
            f"texts of {ids.shape[1]} tokens are too long",
            f"the text tower reads up to {positions}",
            "cut them, or use the method's tokenizer, which does",
        )
    if not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
        raise UsageError(
            f"token ids from {int(ids.min())} to {int(ids.max())} are not the method's",
            f"the text tower knows the ids 0 to {vocabulary - 1}",
            "use the method's tokenizer",
        )
    if not bool((mask != 0).any(dim=1).all()):
        raise UsageError(
            "a text has no token",
            "its attention mask is 0 everywhere",
            "use the method's tokenizer: the special tokens of an empty text are tokens too",
        )


def _check_shapes(ids: torch.Tensor, mask: torch.Tensor | None, continued: torch.Tensor | None) -> None:
    if ids.ndim != 2 or 0 in ids.shape or ids.dtype not in (torch.int64, torch.int32):
        raise UsageError(
            "a text tower takes token ids int64 [B, T], one text or more of one token or more",
            f"it was given {ids.dtype} {list(ids.shape)}",
            "use the method's tokenizer",
        )
    for name, given in (("attention_mask", mask), ("continued", continued)):
        if given is not None and given.shape != ids.shape:
            raise UsageError(
                f"{name} does not fit the token ids",
                f"it is {list(given.shape)}, the ids are {list(ids.shape)}",
                "give both from one call of the tokenizer",
            )
