"""The image side of a method that reads only text."""

from __future__ import annotations

from typing import NoReturn

import torch

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder


class TextOnly(Encoder):
    """Refuses images; its text side works as any other's."""

    def __init__(self, name: str) -> None:
        super().__init__(dim=0, channels=0, image_size=0, patch_size=0)
        self.name = name

    def _check(self, images: torch.Tensor) -> NoReturn:
        raise UsageError(f"'{self.name}' encodes no images", "it is a text tower alone", "choose another method")

    def _pooled(self, images: torch.Tensor) -> NoReturn:
        self._check(images)

    _features = _pooled
