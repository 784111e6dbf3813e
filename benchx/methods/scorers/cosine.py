"""Cosine similarity of the projected embeddings, with the pretrained scale where the method applies it."""

from __future__ import annotations

import torch
from pydantic import validate_call
from torch import nn
from torch.nn.functional import normalize

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.scorers.base import Scorer
from benchx.methods.text.base import TextFeatures


class Cosine(Scorer):
    """Cosine of image and text embeddings; where the method uses them, times exp(logit_scale), plus logit_bias."""

    def __init__(self, *, scaled: bool, limits: tuple[float, float] | None, biased: bool) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.empty(())) if scaled else None
        self.logit_bias = nn.Parameter(torch.empty(())) if biased else None
        self.limits = limits

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return [B, B'], in [-1, 1] without scale and bias."""
        scores = normalize(encoder.project(images), dim=-1) @ normalize(text.embedding, dim=-1).T
        if self.logit_scale is not None:
            scale = self.logit_scale if self.limits is None else self.logit_scale.clamp(*self.limits)
            scores = scores * scale.exp()
        return scores if self.logit_bias is None else scores + self.logit_bias


@validate_call
def cosine(*, scaled: bool = False, limits: tuple[float, float] | None = None, biased: bool = False) -> Cosine:
    """Build a cosine scorer.

    Args:
        scaled: whether to multiply by exp(logit_scale) of the checkpoint.
        limits: between which logit_scale is clamped before that (MedCLIP: 0 to 4.6052, its rounding of log 100).
        biased: whether to add the checkpoint's logit_bias (SigLIP).
    """
    return Cosine(scaled=scaled, limits=limits, biased=biased)
