"""The contract of a scorer: how a method itself compares images with texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

from benchx.methods.parts import Part

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures


class Scorer(Part, ABC):
    """A method's similarity of images and texts, with its own weights if it has any."""

    @abstractmethod
    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Return the similarity of every image with every text, [B, B']."""
