"""Cosine similarity of the projected embeddings, with the pretrained temperature where the method applies it."""

from __future__ import annotations

import torch
from pydantic import validate_call
from torch import nn
from torch.nn.functional import normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures


class Cosine(Scorer):
    """Cosine of image and text embeddings, times exp(logit_scale) where the checkpoint has that scalar."""

    def __init__(self, *, scaled: bool) -> None:
        super().__init__()
        if scaled:
            self.logit_scale = nn.Parameter(torch.empty(()))
        self.scaled = scaled

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], in [-1, 1] without the scale."""
        cosines = normalize(encoder.project(images), dim=-1) @ normalize(text.embedding, dim=-1).T
        return cosines * self.logit_scale.exp() if self.scaled else cosines


@validate_call
def cosine(*, scaled: bool = False) -> Cosine:
    """Build a cosine scorer.

    Args:
        scaled: whether to multiply by exp(logit_scale) of the checkpoint (CLIP, MedCLIP).
    """
    return Cosine(scaled=scaled)
