"""The contract of segmentation decoders: feature maps in, logits at the size of the image out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate


class SegmentationDecoder(nn.Module, ABC):
    """Turns an encoder's maps into logits per pixel.

    Maps are [B, C, h, w] each, from fine to coarse, with the channels and strides that the decoder was built for.
    """

    @abstractmethod
    def forward(self, maps: Sequence[Tensor], size: int) -> Tensor:
        """Return logits [B, outputs, size, size].

        Args:
            maps: of the images.
            size: side of the images in pixels.
        """

    def with_auxiliary(self, maps: Sequence[Tensor], size: int) -> tuple[Tensor, Tensor | None]:
        """Return the logits and those of the auxiliary head that helps training, None where there is none."""
        return self(maps, size), None


def resized(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bring maps [B, C, h, w] to another size, bilinear with `align_corners=False`, as everywhere in MMSegmentation."""
    return interpolate(maps, size=size, mode="bilinear", align_corners=False)


def share_a_stride(strides: Sequence[int]) -> bool:
    """Return whether maps are blocks of a plain transformer, several with one stride, rather than a pyramid."""
    return len(strides) > 1 and len(set(strides)) == 1
