"""What fusions over words and patches take from the features of their pairs."""

from __future__ import annotations

import torch

from benchx.errors import UsageError
from benchx.methods.encoders.base import Features
from benchx.methods.text.base import TextFeatures


def patches_of(images: Features) -> torch.Tensor:
    """Return the tokens of the images, [M, T, D].

    Raises:
        UsageError: they have none.
    """
    if images.tokens is None:
        raise UsageError(
            "these images have no tokens", "the fusion reads patches", "give what the encoder's encode gave"
        )
    return images.tokens


def words_of(text: TextFeatures) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the words of the texts, [M, W, D], and which of them are padding, bool [M, W].

    Raises:
        UsageError: the texts have no words, or one of them is padding alone.
    """
    if text.words is None:
        raise UsageError(
            "these texts have no words",
            "the fusion reads every token, embeddings of whole texts are not enough",
            "give what encode_text or read_tokens gave",
        )
    if text.word_mask is None:
        return text.words, torch.zeros(text.words.shape[:2], dtype=torch.bool, device=text.words.device)
    if not bool(text.word_mask.any(dim=1).all()):
        raise UsageError(
            "a text has no word", "its word_mask is false everywhere", "give what encode_text or read_tokens gave"
        )
    return text.words, ~text.word_mask
