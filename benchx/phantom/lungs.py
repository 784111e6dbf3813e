"""One lung in one view: how much aerated tissue each ray crosses, and where in the lung it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.solids import Box, Frame, Map, Shadow, bounds, interval, offset, shadow
from benchx.phantom.tissue import SIGN


@dataclass(frozen=True)
class LungView:
    """A lung seen in a frame; all maps are float32 [h, w] of its box.

    Attributes:
        side: `left` or `right`.
        frame: the view.
        box: rows and columns of the image.
        cast: the lung's shadow.
        across: -1 to 1 from the inner to the outer edge (back to front in a lateral view).
        down: 0 at the apex, 1 at the top of the dome, float32 [h, 1].
        whole: chord of the lung before heart and diaphragm push into it, mm.
        air: length of aerated lung on the ray, mm.
    """

    side: str
    frame: Frame
    box: Box
    cast: Shadow
    across: Map
    down: Map
    whole: Map
    air: Map

    @property
    def u(self) -> Map:
        """Horizontal position, float32 [1, w] mm."""
        return self.frame.u[self.box[1]][None, :]

    @property
    def y(self) -> Map:
        """Vertical position, float32 [h, 1] mm."""
        return self.frame.y[self.box[0]][:, None]

    def place(self, across: float, down: float) -> tuple[float, float]:
        """Return the image position (u, y) in mm of a place given as a fraction of the lung."""
        row = int(np.argmin(np.abs(self.down[:, 0] - down)))
        cast_row = self.box[0].start + row
        sign = 1.0 if self.side == "left" or self.frame.lateral else -1.0
        u = self.cast.centre[cast_row, 0] + sign * across * self.cast.width[cast_row, 0]
        return float(u), float(self.y[row, 0])


def view_lungs(anatomy: Anatomy, frame: Frame) -> dict[str, LungView]:
    """Project both lungs and take from each the air that heart, vessels and diaphragm displace.

    Overlaps along a ray are intersections of intervals, exact for one organ; those of several organs are
    added, which takes at most the whole chord.
    """
    centre = [shadow(solid, frame) for solid in anatomy.centre]
    return {side: _view(side, anatomy, frame, centre) for side in SIGN}


def _view(side: str, anatomy: Anatomy, frame: Frame, centre: list[Shadow]) -> LungView:
    cast = shadow(anatomy.lungs[side], frame)
    box = bounds(cast, frame)
    low, high = interval(cast, frame, box)
    whole = high - low
    air = whole.copy()
    for other in [*centre, shadow(anatomy.domes[side], frame)]:
        inner = _common(bounds(other, frame), box)
        if inner is None:
            continue
        local = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, box, strict=True))
        begin, end = interval(other, frame, inner)
        np.minimum(end, high[local], out=end)
        np.maximum(begin, low[local], out=begin)
        air[local] -= np.maximum(np.float32(0), end - begin)
    across = offset(cast, frame, box)
    sign = np.float32(1 if frame.lateral or side == "left" else -1)
    span = anatomy.dome_tops[side] - anatomy.lung_top
    down = (frame.y[box[0]][:, None] - np.float32(anatomy.lung_top)) / np.float32(span)
    return LungView(side, frame, box, cast, sign * across, down, whole, np.maximum(np.float32(0), air))


def _common(first: Box, second: Box) -> Box | None:
    rows = slice(max(first[0].start, second[0].start), min(first[0].stop, second[0].stop))
    cols = slice(max(first[1].start, second[1].start), min(first[1].stop, second[1].stop))
    return None if rows.start >= rows.stop or cols.start >= cols.stop else (rows, cols)
