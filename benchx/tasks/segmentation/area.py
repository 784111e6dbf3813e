"""The part of the network's square that shows the image: where masks are compared, and in which unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchx.images.spec import InputSpec, place

DISTANCE_UNIT = "pixels of the original image"
"""Of HD95 and of the tolerance of NSD: no dataset's reader tells the spacing in mm."""


class Area(NamedTuple):
    """The image inside of the square.

    Attributes:
        rows, columns: of the square; the rest is padding.
        spacing: rows and columns of the original image per row and column of the square.
    """

    rows: slice
    columns: slice
    spacing: tuple[float, float]

    def of(self, masks: np.ndarray) -> np.ndarray:
        """Return what a square [..., S, S] shows of the image."""
        return masks[..., self.rows, self.columns]


def area(height: int, width: int, spec: InputSpec) -> Area:
    """Return where `prepare` puts an image of `height` x `width` pixels; a centre crop shows a part of it only."""
    placed = place(height, width, spec)
    rows = slice(max(-placed.top, 0), min(placed.height - placed.top, spec.size))
    columns = slice(max(-placed.left, 0), min(placed.width - placed.left, spec.size))
    return Area(rows, columns, (height / placed.height, width / placed.width))
