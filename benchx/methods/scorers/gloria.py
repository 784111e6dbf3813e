"""GLoRIA's similarity (Huang et al. 2021): whole images with whole texts, and words with the places they attend to."""

from __future__ import annotations

import torch
from torch.nn.functional import cosine_similarity, normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures

SHARPNESS = 4.0
"""Factor on a word's share of each place, before the softmax over places (`temp1` of the official code)."""
SCALE = 5.0
"""Factor on the cosine of a word and what it attends to."""
CHUNK = 2**24
"""Attention weights held at a time, images x texts x places x words: 64 MB in float32."""


class GLoRIA(Scorer):
    """The mean of the global cosine and of the local similarity; texts without words have the global cosine alone.

    The official log(max exp(5 cos)) over the words of a text is written as 5 max cos. The words are those of the
    text; the official zero-shot code counts the characters of its prompt instead, so that padding is compared too
    and no local similarity is below 0.
    """

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B']: global cosines in [-1, 1], averaged with local similarities in [-5, 5]."""
        cosines = normalize(encoder.project(images), dim=-1) @ normalize(text.embedding, dim=-1).T
        if text.words is None:
            return cosines
        local = local_similarity(encoder.project_tokens(images), *_words(text))
        return torch.where(local.isfinite(), (cosines + local) / 2, cosines)


def local_similarity(places: torch.Tensor, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Compare every image's places with every text's words.

    Args:
        places: [B, L, P].
        words: [B', W, P].
        mask: bool [B', W], which words count.

    Returns:
        [B, B'], in [-5, 5]; -inf for texts without words.
    """
    step = max(1, CHUNK // max(1, places.shape[0] * places.shape[1] * words.shape[1]))
    chunks = zip(words.split(step), mask.split(step), strict=True)
    return torch.cat([_compared(places, some, counting) for some, counting in chunks], dim=1)


def _compared(places: torch.Tensor, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    affinities = torch.einsum("blp,twp->btlw", places, words)
    # Not -inf: a text without words would give NaN, in the gradient too.
    hidden = affinities.masked_fill(~mask[None, :, None], torch.finfo(affinities.dtype).min)
    attention = (SHARPNESS * hidden.softmax(dim=3)).softmax(dim=2)
    attended = torch.einsum("btlw,blp->btwp", attention, places)
    cosines = cosine_similarity(attended, words, dim=-1)
    best = cosines.masked_fill(~mask, -torch.inf).amax(dim=-1)
    return SCALE * best


def _words(text: TextFeatures) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the words and their mask, without places that no text uses; one place stays."""
    assert text.words is not None
    mask = text.word_mask
    if mask is None:
        mask = torch.ones(text.words.shape[:2], dtype=torch.bool, device=text.words.device)
    kept = mask.any(dim=0)
    kept[0] = True
    return text.words[:, kept], mask[:, kept]


def gloria() -> GLoRIA:
    """Build GLoRIA's scorer; it has no weights of its own."""
    return GLoRIA()
