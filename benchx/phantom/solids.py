"""Solids as stacks of ellipses, and the analytic chords of rays through them.

A horizontal ray stays within one slice of a stack, and a slice is an ellipse, so where the ray enters and
leaves is known in closed form for every view. Ellipsoids are the special case used for round organs.
Axes in mm: x to the patient's left, y down, z to the front. Image axes: u right, y down; t along the ray.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Solid:
    """A stack of ellipses: at height y, centre (x, z) and half axes (half_width, half_depth), each [K] mm."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    z: NDArray[np.float64]
    half_width: NDArray[np.float64]
    half_depth: NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Geometry of one view.

    Attributes:
        size: pixels along each side.
        field_mm: width of the field at the patient.
        shift_mm: beam centre, right and down.
        angle: turn of the patient in radians; 0 frontal, pi/2 lateral (front to the right).
        source_mm: distance from source to detector.
        detector_mm: where the detector is on the ray axis t; positive in front (PA), negative behind (AP).
    """

    size: int
    field_mm: float
    shift_mm: tuple[float, float]
    angle: float
    source_mm: float
    detector_mm: float

    @property
    def pixel_mm(self) -> float:
        """Width of one pixel, mm."""
        return self.field_mm / self.size

    @functools.cached_property
    def u(self) -> Map:
        """Horizontal position of the pixel centres, float32 [size] mm."""
        return self._axis(self.shift_mm[0])

    @functools.cached_property
    def y(self) -> Map:
        """Vertical position of the pixel centres, float32 [size] mm."""
        return self._axis(self.shift_mm[1])

    @property
    def lateral(self) -> bool:
        """Whether the patient is seen from the side."""
        return abs(self.angle) > 1.0

    def _axis(self, shift: float) -> Map:
        return ((np.arange(self.size) + 0.5) * self.pixel_mm - self.field_mm / 2 + shift).astype(np.float32)

    def magnification(self, t: float) -> float:
        """Cone-beam magnification of things at depth t, relative to the patient's mid-plane."""
        distance = self.source_mm - abs(self.detector_mm)
        return distance / (distance + math.copysign(1, self.detector_mm) * t)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project points [..., 3] (x, y, z) to pixels [..., 2] (column, row), each with its magnification."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u = points[..., 0] * cos + points[..., 2] * sin
        t = points[..., 2] * cos - points[..., 0] * sin
        distance = self.source_mm - abs(self.detector_mm)
        scale = distance / (distance + math.copysign(1, self.detector_mm) * t)
        corner = self.field_mm / 2 - np.asarray(self.shift_mm)
        return (np.stack([u, points[..., 1]], -1) * scale[..., None] + corner) / self.pixel_mm - 0.5


@dataclass(frozen=True)
class Shadow:
    """A solid seen in a frame, row by row, each float32 [size, 1].

    Along row r the ray at u runs from mid - half * s to mid + half * s, where
    s = sqrt(1 - ((u - centre) / width)^2) and mid = depth + slope * (u - centre). `width` is 0 outside.
    """

    centre: Map
    width: Map
    half: Map
    depth: Map
    slope: Map


def ellipsoid(centre: tuple[float, float, float], axes: tuple[float, float, float], roll_deg: float = 0.0) -> Solid:
    """Build an ellipsoid with half axes along x, y, z (mm), rolled clockwise in the frontal plane."""
    a, b, c = axes
    roll = math.radians(roll_deg)
    xx = (a * math.cos(roll)) ** 2 + (b * math.sin(roll)) ** 2
    yy = (a * math.sin(roll)) ** 2 + (b * math.cos(roll)) ** 2
    xy = (a * a - b * b) * math.sin(roll) * math.cos(roll)
    dy = -math.sqrt(yy) * np.cos(np.linspace(0, math.pi, 49))
    ring = np.sqrt(np.maximum(0, 1 - dy * dy / yy))
    return Solid(
        centre[1] + dy,
        centre[0] + xy / yy * dy,
        np.full(dy.shape, centre[2]),
        math.sqrt(max(0.0, xx - xy * xy / yy)) * ring,
        c * ring,
    )


def column(y: ArrayLike, x: ArrayLike, z: ArrayLike, half_width: ArrayLike, half_depth: ArrayLike) -> Solid:
    """Build an upright solid from a few slices, each argument [K] mm; between slices it is linear."""
    return Solid(*(np.asarray(values, np.float64) for values in (y, x, z, half_width, half_depth)))


def shadow(solid: Solid, frame: Frame) -> Shadow:
    """Project a solid: weak perspective, one magnification for the whole of it."""
    cos, sin = math.cos(frame.angle), math.sin(frame.angle)
    scale = frame.magnification(float(np.mean(solid.z)) * cos - float(np.mean(solid.x)) * sin)
    rows = frame.y.astype(np.float64) / scale
    inside = (rows > solid.y[0]) & (rows < solid.y[-1])
    x, z, w, d = (np.interp(rows, solid.y, v) for v in (solid.x, solid.z, solid.half_width, solid.half_depth))
    w, d = np.maximum(w, 1e-3), np.maximum(d, 1e-3)
    reach2 = (w * cos) ** 2 + (d * sin) ** 2
    reach = np.sqrt(reach2)

    def upright(values: NDArray[np.float64]) -> Map:
        return values.astype(np.float32)[:, None]

    return Shadow(
        upright((x * cos + z * sin) * scale),
        upright(np.where(inside, reach * scale, 0.0)),
        upright(np.where(inside, w * d / reach, 0.0)),
        upright(z * cos - x * sin),
        upright((d * d - w * w) * sin * cos / reach2 / scale),
    )


def bounds(cast: Shadow, frame: Frame) -> Box:
    """Return the smallest pixel box that holds a shadow (possibly empty)."""
    rows = np.flatnonzero(cast.width[:, 0] > 0)
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    inside = slice(top, bottom)
    edges = np.stack([cast.centre[inside] - cast.width[inside], cast.centre[inside] + cast.width[inside]])
    pixels = (edges - frame.shift_mm[0] + frame.field_mm / 2) / frame.pixel_mm
    left, right = int(max(0, math.floor(pixels.min()))), int(min(frame.size, math.ceil(pixels.max()) + 1))
    return inside, slice(min(left, frame.size), max(right, 0))


def offset(cast: Shadow, frame: Frame, box: Box) -> Map:
    """Return (u - centre) / width, float32 [h, w]: -1 to 1 inside, huge in rows the solid does not reach."""
    width = np.maximum(cast.width[box[0]], np.float32(1e-3))
    return np.asarray((frame.u[box[1]][None, :] - cast.centre[box[0]]) / width, np.float32)


def reach(cast: Shadow, frame: Frame, box: Box) -> Map:
    """Return half the chord in mm, float32 [h, w], 0 outside."""
    off = offset(cast, frame, box)
    return np.asarray(np.sqrt(np.maximum(np.float32(0), 1 - off * off)) * cast.half[box[0]], np.float32)


def chord(solid: Solid, frame: Frame) -> tuple[Box, Map]:
    """Return a solid's box and the chord length within it, mm."""
    cast = shadow(solid, frame)
    box = bounds(cast, frame)
    return box, 2 * reach(cast, frame, box)


def interval(cast: Shadow, frame: Frame, box: Box) -> tuple[Map, Map]:
    """Return where rays enter and leave, float32 [h, w] mm on the ray axis; equal outside the solid."""
    half = reach(cast, frame, box)
    mid = cast.depth[box[0]] + cast.slope[box[0]] * (frame.u[box[1]][None, :] - cast.centre[box[0]])
    return mid - half, mid + half
