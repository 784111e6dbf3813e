"""The contract of every text tower: token ids in, one embedding per text and, where a method has them, words out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from benchx.methods.parts import Part


@dataclass(frozen=True)
class TextFeatures:
    """What a text tower says of a batch of texts.

    Attributes:
        pooled: [B, D], before the projection.
        embedding: [B, P], in the space shared with images; not normalised.
        words: [B, W, P], embeddings of words in that space; None where the method compares no words.
        word_mask: bool [B, W], which of them are words of the text.
    """

    pooled: torch.Tensor
    embedding: torch.Tensor
    words: torch.Tensor | None = None
    word_mask: torch.Tensor | None = None


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
        """
        mask = self.padding_mask(input_ids) if attention_mask is None else attention_mask
        return self._read(input_ids, mask, torch.zeros_like(mask, dtype=torch.bool) if continued is None else continued)

    @abstractmethod
    def padding_mask(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return [B, T], 0 where the ids are the tokenizer's padding."""

    @abstractmethod
    def _read(self, ids: torch.Tensor, mask: torch.Tensor, continued: torch.Tensor) -> TextFeatures: ...
