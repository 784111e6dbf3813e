"""Cosine similarity of the projected embeddings, with the pretrained scale where the method applies it."""

from __future__ import annotations

import torch
from pydantic import validate_call
from torch import nn
from torch.nn.functional import normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures

SCALE_LIMITS = (0.0, 4.6052)
"""Of logit_scale; the upper one is log 100, as rounded in MedCLIP's code."""


class Cosine(Scorer):
    """Cosine of image and text embeddings, times exp(logit_scale) where that scalar of the checkpoint is used."""

    def __init__(self, *, scaled: bool) -> None:
        super().__init__()
        if scaled:
            self.logit_scale = nn.Parameter(torch.empty(()))
        self.scaled = scaled

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], in [-1, 1] without the scale, in [-100, 100] with it."""
        cosines = normalize(encoder.project(images), dim=-1) @ normalize(text.embedding, dim=-1).T
        return cosines * self.logit_scale.clamp(*SCALE_LIMITS).exp() if self.scaled else cosines


@validate_call
def cosine(*, scaled: bool = False) -> Cosine:
    """Build a cosine scorer.

    Args:
        scaled: whether to multiply by exp(logit_scale) of the checkpoint (MedCLIP).
    """
    return Cosine(scaled=scaled)
