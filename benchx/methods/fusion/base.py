"""The contract of a fusion: how a method reads an image and a text together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

from benchx.errors import UsageError
from benchx.methods.parts import Part

if TYPE_CHECKING:
    from benchx.methods.encoders.base import Encoder, Features
    from benchx.methods.text.base import TextFeatures


class Fusion(Part, ABC):
    """A method's joint reading of image-text pairs.

    The encoder reads each image once and the text tower each text once; a fusion takes what they gave, pair by pair.

    Attributes:
        dim: width of what it gives.
        matches: whether it has a head that tells how well the two belong together.
        answers: number of answers of its own question head; 0 where it has none.
    """

    def __init__(self, *, dim: int, matches: bool, answers: int = 0) -> None:
        super().__init__()
        self.dim, self.matches, self.answers = dim, matches, answers

    @abstractmethod
    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Read M pairs.

        Args:
            encoder: the method, for parts that it shares with the fusion.
            images: of M images, `tokens` [M, T, D]; `maps` may be empty.
            text: of M texts, `words` [M, W, D] and `word_mask` [M, W].

        Returns:
            [M, dim].
        """

    def match(self, fused: torch.Tensor) -> torch.Tensor:
        """Return how well the image and the text of each pair belong together, [M, dim] -> [M], higher is better.

        Raises:
            UsageError: the method has no such head.
        """
        raise UsageError(
            "the method does not tell whether an image and a text belong together",
            "its weights hold no matching head",
            "use its features, or another method",
        )

    def answer(self, fused: torch.Tensor) -> torch.Tensor:
        """Return the logits of the method's own answers, [M, dim] -> [M, answers].

        Raises:
            UsageError: the method has no such head.
        """
        raise UsageError("the method has no answers of its own", "its weights hold no such head", "train a head on it")
