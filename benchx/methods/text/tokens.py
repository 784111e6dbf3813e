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
        entities: int64 [B, 24, 3], see `benchx.methods.text.base.TextFeatures`; None where the method reads none.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    continued: torch.Tensor
    entities: torch.Tensor | None = None

    def parts(self, device: torch.device | str) -> tuple[torch.Tensor, ...]:
        """Return what `Encoder.read_tokens` takes, in its order, on a device; entities only where there are any."""
        found = (self.ids, self.mask, self.continued)
        return tuple(part.to(device) for part in (found if self.entities is None else (*found, self.entities)))
