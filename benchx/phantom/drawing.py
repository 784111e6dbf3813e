"""Thin curved things: tubes and polygons drawn once at a fixed scale, then resampled to the image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.solids import Frame, Map

_DRAWN_AT = 256
_SHIFT = 4


class Canvas:
    """An 8-bit layer of a frame on which later strokes cover earlier ones.

    Drawn at no less than 256 pixels, so that a 1 mm line is the same line in an image of any size.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.oversampling = max(1, _DRAWN_AT // frame.size)
        side = frame.size * self.oversampling
        self.pixels: NDArray[np.uint8] = np.zeros((side, side), np.uint8)

    @property
    def pixel_mm(self) -> float:
        """Width of one canvas pixel, mm."""
        return self.frame.pixel_mm / self.oversampling

    def fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Project points [..., 3] mm to the fixed-point canvas coordinates of OpenCV, int32 [..., 2]."""
        return self._fix(self.frame.project(points))

    def fixed_flat(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Like `fixed` for points [..., 2] (u, y) mm that are already in the image plane."""
        corner = self.frame.field_mm / 2 - np.asarray(self.frame.shift_mm)
        return self._fix((points + corner) / self.frame.pixel_mm - 0.5)

    def _fix(self, pixels: NDArray[np.float64]) -> NDArray[np.int32]:
        pixels = (pixels + 0.5) * self.oversampling - 0.5
        return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)

    def stroke(self, lines: list[NDArray[np.int32]], width_px: float, level: float) -> None:
        """Draw polylines (fixed-point) of one width; a line thinner than a pixel is paler instead."""
        value = round(255 * min(1.0, level * min(1.0, width_px)))
        cv2.polylines(self.pixels, lines, False, value, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)

    def polygon(self, points: NDArray[np.float64], level: float) -> None:
        """Fill a polygon of points [K, 3] mm."""
        cv2.fillPoly(self.pixels, [self.fixed(points)], round(255 * level), cv2.LINE_AA, _SHIFT)

    def layer(self) -> Map:
        """Return the layer at the image's size, float32 [size, size] in 0 to 1."""
        pixels = self.pixels
        if self.oversampling > 1:
            size = (self.frame.size, self.frame.size)
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        return pixels.astype(np.float32) * np.float32(1 / 255)


def tube(canvas: Canvas, points: NDArray[np.float64], radius_mm: float, level: float, cortex: bool = False) -> None:
    """Draw a tube along points [K, 3] mm whose chord profile is `level` at its middle.

    Args:
        canvas: where.
        points: the axis.
        radius_mm: radius of the tube.
        level: peak, 0 to 1; nested strokes follow the circle's chord.
        cortex: whether the rim is denser than the inside, as in a long bone.
    """
    line = [canvas.fixed(points)]
    width = 2 * radius_mm / canvas.pixel_mm
    steps = 1 if width < 2 else 3 if width < 6 else 6
    for step in range(steps):
        edge = 1 - step / steps
        thickness = np.sqrt(1 - ((edge - 0.5 / steps) ** 2 if steps > 1 else 0.0))
        if cortex and edge < 0.75:
            thickness *= 0.78
        canvas.stroke(line, width * edge, level * float(thickness))
