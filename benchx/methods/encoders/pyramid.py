"""Feature maps at strides 4, 8, 16 and 32 from whatever blocks a network has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class Pyramid:
    """Which blocks of a network become maps.

    Attributes:
        indices: of the blocks, rising.
        strides: of the maps, in pixels of the input image.
        rescaled: whether all blocks have one stride, so that their maps are brought to four by interpolation.
    """

    indices: tuple[int, ...]
    strides: tuple[int, ...]
    rescaled: bool

    def maps(self, blocks: Sequence[torch.Tensor], image_size: int) -> tuple[torch.Tensor, ...]:
        """Return the maps of the chosen blocks, [B, C, h, w] each, from fine to coarse.

        Args:
            blocks: [B, C, h, w] each, those of `indices`.
            image_size: side of the images in pixels.
        """
        if not self.rescaled:
            return tuple(blocks)
        sides = [max(1, image_size // stride) for stride in self.strides]
        return tuple(
            block
            if block.shape[-1] == side
            else functional.interpolate(block, size=(side, side), mode="bilinear", align_corners=False)
            for block, side in zip(blocks, sides, strict=True)
        )


def choose_blocks(strides: Sequence[int]) -> Pyramid:
    """Choose the blocks that become maps.

    Where the blocks have different strides, the last one of each of 4, 8, 16 and 32. Where all have one stride, as
    in a plain vision transformer, four that are evenly spaced and end with the last.

    Args:
        strides: of all blocks, in pixels of the input image.
    """
    if len(set(strides)) == 1 and len(strides) >= len(STRIDES):
        count = len(strides)
        return Pyramid(tuple(count * quarter // 4 - 1 for quarter in (1, 2, 3, 4)), STRIDES, rescaled=True)
    last = {stride: index for index, stride in enumerate(strides) if stride in STRIDES}
    found = sorted((index, stride) for stride, index in last.items())
    return Pyramid(tuple(index for index, _ in found), tuple(stride for _, stride in found), rescaled=False)
