"""Put word pieces together: one vector per word, the sum of its pieces."""

from __future__ import annotations

import torch

from benchx.errors import UsageError

SEPARATOR = 102
"""The id of [SEP] in the vocabulary of Bio_ClinicalBERT."""


def sum_pieces(
    pieces: torch.Tensor, ids: torch.Tensor, continued: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sum the pieces of every word up to the first [SEP], which is a word of its own and the last one.

    [CLS] is the first word; pieces that go on it are summed into it, as GLoRIA and MGCA do.

    Args:
        pieces: [B, T, D].
        ids: int64 [B, T].
        continued: bool [B, T], pieces that go on a word.

    Returns:
        words [B, T, D], zero after the last one; bool [B, T], which places hold a word; int64 [B], the place of [SEP].

    Raises:
        UsageError: a text without [SEP].
    """
    ends = ids == SEPARATOR
    if not bool(ends.any(dim=1).all()):
        raise UsageError(
            "a text has no [SEP]",
            f"its words end at token {SEPARATOR}, [SEP] of Bio_ClinicalBERT's vocabulary",
            "use the method's tokenizer, which ends every text with it",
        )
    place = torch.arange(ids.shape[1], device=ids.device)
    stop = ends.int().argmax(dim=1, keepdim=True)
    starts = (~continued | (place == 0) | (place == stop)) & (place <= stop)
    word = starts.cumsum(dim=1) - 1
    inside = (pieces * (place <= stop)[..., None]).to(pieces.dtype)
    words = torch.zeros_like(pieces).scatter_add(1, word[..., None].expand_as(pieces), inside)
    last = word[:, -1]
    return words, place <= last[:, None], last
