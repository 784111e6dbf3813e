"""A pyramid learned from blocks of one stride, for plain vision transformers under UPerNet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from benchx.methods.encoders.pyramid import STRIDES


class LearnedPyramid(nn.Module):
    """Brings four blocks of one stride to strides 4, 8, 16 and 32, as MMSegmentation's Feature2Pyramid does.

    Of stride 16: two transposed convolutions of 2 x 2 with BatchNorm and GELU between, one, none, and maximum pooling
    of 2 x 2 (`rescales=[4, 2, 1, 0.5]`, as BenchX has it). Of stride 32 all are one doubling further. Where the
    stride is no power of two, as 14, maps are scaled as if it were the nearest one.

    Args:
        channels: of the blocks, kept.
        stride: of all blocks, in pixels of the image.
    """

    def __init__(self, channels: Sequence[int], stride: int) -> None:
        super().__init__()
        doublings = [round(math.log2(stride / target)) for target in STRIDES]
        self.levels = nn.ModuleList(_scaling(*level) for level in zip(channels, doublings, strict=True))

    def forward(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps [B, C, h, w] of the blocks, from fine to coarse."""
        return [level(block) for level, block in zip(self.levels, blocks, strict=True)]


def _scaling(channels: int, doublings: int) -> nn.Module:
    if doublings < 0:
        return nn.MaxPool2d(2**-doublings, ceil_mode=True)
    layers: list[nn.Module] = []
    for number in range(doublings):
        between = [nn.BatchNorm2d(channels), nn.GELU()] if number else []
        layers += [*between, nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)]
    return nn.Sequential(*layers)
