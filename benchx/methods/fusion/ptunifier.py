"""PTUnifier's joint reading of real image-text pairs (Chen et al. 2023), without pseudo tokens."""

from __future__ import annotations

import torch

from benchx.errors import UsageError
from benchx.methods.coattention import FUSED
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.fusion.base import Fusion
from benchx.methods.fusion.heads import matched, matching_head
from benchx.methods.fusion.pairs import patches_of, words_of
from benchx.methods.text.base import TextFeatures
from benchx.methods.text.ptunifier import PTUnifierText


class PTUnifierPairs(Fusion):
    """Runs pairs through the layers that the text tower holds; its own is the matching head."""

    def __init__(self) -> None:
        super().__init__(dim=FUSED, matches=True)
        self.itm_head = matching_head()

    def forward(self, encoder: Encoder, images: Features, text: TextFeatures) -> torch.Tensor:
        """Read M pairs, see Fusion; [M, 1536].

        Raises:
            UsageError: the features lack tokens or words, a text is padding alone, or the text tower is another's.
        """
        tower = encoder.text
        if not isinstance(tower, PTUnifierText):
            raise UsageError(
                "the fusion 'ptunifier' goes with the text tower 'ptunifier'",
                "the tower holds the layers that read pairs",
                "name it in the card's text",
            )
        words, padding = words_of(text)
        return tower.fuse(words, patches_of(images), padding)

    def match(self, fused: torch.Tensor) -> torch.Tensor:
        """Return how well image and text belong together, [M, 1536] -> [M]: a logit, higher is better."""
        return matched(self.itm_head, fused)


def ptunifier_pairs() -> PTUnifierPairs:
    """Build PTUnifier's fusion."""
    return PTUnifierPairs()
