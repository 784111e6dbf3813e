"""U-Net (Ronneberger et al. 2015), the decoder of segmentation-models-pytorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from benchx.decoders.segmentation.base import SegmentationDecoder, share_a_stride
from benchx.methods.encoders.pyramid import STRIDES, Pyramid

WIDTHS = {1: 16, 2: 32, 4: 64, 8: 128, 16: 256}
"""Channels of the block that ends at a stride, those of the library's U-Net of depth 5."""


class UNet(SegmentationDecoder):
    """The library's decoder and head, from the coarsest map up to the image in steps of two.

    The library wants a map at every stride 1, 2, 4, ... Where the encoder has none, as at 1 and 2, the map given has
    no channels, which is how the library itself feeds encoders without a stride of 2 (its Mix Transformers): there
    the decoder goes up without a skip connection. Blocks of one stride are first interpolated to strides 4 to 32.

    Args:
        channels: of the maps.
        strides: of the maps, in pixels: rising powers of two, or all the same.
        outputs: logits per pixel.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], outputs: int) -> None:
        from segmentation_models_pytorch.base import SegmentationHead
        from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        super().__init__()
        self.blocks = share_a_stride(strides)
        self.strides = STRIDES if self.blocks else tuple(strides)
        levels = [2**power for power in range(math.frexp(self.strides[-1])[1])]
        if list(self.strides) != [stride for stride in levels if stride in self.strides]:
            raise ValueError(f"strides are rising powers of two, or all the same; not {list(strides)}")
        of_stride = dict(zip(self.strides, channels, strict=True))
        self.levels = levels
        widths = [WIDTHS.get(level, 256) for level in reversed(levels[:-1])]
        self.decoder: Any = UnetDecoder([of_stride.get(level, 0) for level in levels], widths, n_blocks=len(widths))
        self.head: Any = SegmentationHead(widths[-1], outputs)
        initialize_decoder(self.decoder)
        initialize_head(self.head)

    def forward(self, maps: Sequence[Tensor], size: int) -> Tensor:
        """Return logits [B, outputs, size, size], see `SegmentationDecoder`."""
        if self.blocks:
            maps = Pyramid((), STRIDES, rescaled=True).maps(maps, size)
        of_stride = dict(zip(self.strides, maps, strict=True))
        features = []
        for level in self.levels:
            side = math.ceil(size / level)
            features.append(of_stride[level] if level in of_stride else maps[0].new_empty(len(maps[0]), 0, side, side))
        logits: Tensor = self.head(self.decoder(features))
        return logits
