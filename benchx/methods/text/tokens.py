"""What a tokenizer makes of texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts.

    Attributes:
        ids: int64 [B, T].
        mask: int64 [B, T], 0 for padding.
        continued: bool [B, T], tokens that go on the word of the token before.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    continued: torch.Tensor
