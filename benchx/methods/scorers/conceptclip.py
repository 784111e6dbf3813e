"""ConceptCLIP's similarities: whole images with whole texts, and the patches that fit a concept best."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.cosine import Cosine
from benchx.methods.text.base import TextFeatures

BEST_PATCHES = 128
"""How many patches a concept is compared with, those nearest to it (`zero_shot.py` of the official code)."""


class ConceptCLIP(Cosine):
    """Called, it gives what pretraining puts a sigmoid on: exp(logit_scale) cos + logit_bias, of whole texts.

    Zero-shot classification uses `whole` and `local`, without the biases.

    Attributes:
        concept_logit_scale, concept_logit_bias: the same of concepts and places.
    """

    def __init__(self) -> None:
        super().__init__(scaled=True, limits=None, biased=True)
        self.concept_logit_scale = nn.Parameter(torch.empty(()))
        self.concept_logit_bias = nn.Parameter(torch.empty(()))

    def whole(self, encoder: Encoder, images: Features, directions: torch.Tensor) -> torch.Tensor:
        """Return exp(logit_scale) times the cosines of images with unit vectors, [B, P] and [K, P] -> [B, K]."""
        assert self.logit_scale is not None
        return self.logit_scale.exp() * normalize(encoder.project(images), dim=-1) @ directions.T

    def local(self, encoder: Encoder, images: Features, directions: torch.Tensor) -> torch.Tensor:
        """Return exp(concept_logit_scale) times the mean of the 128 best cosines of an image's patches with concepts.

        Args:
            directions: [K, P], of `concept`; an image of fewer patches is compared by all of them.

        Returns:
            [B, K].
        """
        cosines = normalize(encoder.project_tokens(images), dim=-1) @ directions.T
        best = cosines.topk(min(BEST_PATCHES, cosines.shape[1]), dim=1).values
        return self.concept_logit_scale.exp() * best.mean(dim=1)


def concept(texts: TextFeatures, rows: Sequence[int], places: Sequence[Sequence[int]]) -> torch.Tensor | None:
    """Return the direction of a concept: over its texts, the mean of the means of its words, at length 1.

    A text without any of its words is left out.

    Args:
        texts: with words [T, W, P].
        rows: of the texts that speak of it.
        places: of its words in each of these texts.

    Returns:
        [P]; None where no text has a word of it.
    """
    assert texts.words is not None
    means = [texts.words[row, list(some)].mean(dim=0) for row, some in zip(rows, places, strict=True) if some]
    return normalize(torch.stack(means).mean(dim=0), dim=0) if means else None


def conceptclip() -> ConceptCLIP:
    """Build ConceptCLIP's scorer."""
    return ConceptCLIP()
