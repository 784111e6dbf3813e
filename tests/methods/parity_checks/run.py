"""One method, loaded from a file of official shape, on the inputs of the parity runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.keyed_init import seeded_images
from benchx.methods.text.base import TextFeatures


@dataclass
class Run:
    """The features are computed when first asked for.

    Attributes:
        expected: the official code's figures by name; `text_ids` and `text_mask` are inputs.
    """

    encoder: Encoder
    expected: Mapping[str, np.ndarray]

    @cached_property
    def found(self) -> Features:
        return self.encoder.encode(seeded_images(self.encoder.image_size, channels=self.encoder.channels))

    @cached_property
    def text(self) -> TextFeatures:
        mask = torch.from_numpy(self.expected["text_mask"]) if "text_mask" in self.expected else None
        return self.encoder.read_tokens(torch.from_numpy(self.expected["text_ids"]), mask)


Check = Callable[[Run], torch.Tensor]
