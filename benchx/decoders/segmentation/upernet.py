"""UPerNet (Xiao et al. 2018, arXiv:1807.10221), wired as MMSegmentation's UPerHead and FCNHead."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchx.decoders.segmentation.base import SegmentationDecoder, resized, share_a_stride
from benchx.decoders.segmentation.neck import LearnedPyramid

POOL_SIZES = (1, 2, 3, 6)
AUXILIARY_WIDTH = 256


class UPerNet(SegmentationDecoder):
    """A pyramid of pooled contexts on the coarsest map, then a feature pyramid down to the finest.

    The auxiliary head is a 3 x 3 convolution of 256 channels and a classifier on the last map but one: stride 16 of
    four maps, stride 8 of MedKLIP's three, as in BenchX. Where all maps have one stride, a `LearnedPyramid` goes
    before. Convolutions have no bias and are followed by BatchNorm and ReLU; starts are those of MMSegmentation:
    Kaiming normal (fan out), classifiers normal of std 0.01.

    Args:
        channels: of the maps.
        strides: of the maps, in pixels.
        outputs: logits per pixel.
        width: channels of all levels; 512 in MMSegmentation, BenchX has 768 for vision transformers.
        dropout: of whole channels, before the classifiers.
        auxiliary: whether there is an auxiliary head.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        outputs: int,
        *,
        width: int,
        dropout: float,
        auxiliary: bool,
    ) -> None:
        super().__init__()
        *finer, coarsest = channels
        self.contexts = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), _convolution(coarsest, width, 1)) for side in POOL_SIZES
        )
        self.top = _convolution(coarsest + len(POOL_SIZES) * width, width, 3)
        self.laterals = nn.ModuleList(_convolution(one, width, 1) for one in finer)
        self.smoothing = nn.ModuleList(_convolution(width, width, 3) for _ in finer)
        self.fusion = _convolution(len(channels) * width, width, 3)
        self.classifier = _classifier(width, outputs, dropout)
        self.auxiliary = (
            nn.Sequential(
                _convolution(channels[-2:][0], AUXILIARY_WIDTH, 3), _classifier(AUXILIARY_WIDTH, outputs, dropout)
            )
            if auxiliary
            else None
        )
        # After the start of the rest, since transposed convolutions keep that of torch.
        self.neck = LearnedPyramid(channels, strides[0]) if share_a_stride(strides) else None

    def forward(self, maps: Sequence[Tensor], size: int) -> Tensor:
        """Return logits [B, outputs, size, size], see `SegmentationDecoder`."""
        return self._logits(self._pyramid(maps), size)

    def with_auxiliary(self, maps: Sequence[Tensor], size: int) -> tuple[Tensor, Tensor | None]:
        """Return the logits and those of the auxiliary head, None where there is none."""
        maps = self._pyramid(maps)
        auxiliary = None if self.auxiliary is None else resized(self.auxiliary(maps[-2:][0]), size)
        return self._logits(maps, size), auxiliary

    def _pyramid(self, maps: Sequence[Tensor]) -> Sequence[Tensor]:
        return maps if self.neck is None else self.neck(maps)

    def _logits(self, maps: Sequence[Tensor], size: int) -> Tensor:
        *finer, coarsest = maps
        contexts = [resized(context(coarsest), _side(coarsest)) for context in self.contexts]
        above = self.top(torch.cat([coarsest, *contexts], dim=1))
        levels = [above]
        for number in reversed(range(len(finer))):
            lateral = self.laterals[number](finer[number])
            above = lateral + resized(above, _side(lateral))
            levels.insert(0, self.smoothing[number](above))
        same_size = [level if level is levels[0] else resized(level, _side(levels[0])) for level in levels]
        return resized(self.classifier(self.fusion(torch.cat(same_size, dim=1))), size)


def _side(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]


def _convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _classifier(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    linear = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.Dropout2d(dropout), linear)
