"""Lung markings and tissue texture: vessels that branch from the hila, and noise fixed to the patient."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.drawing import Canvas
from benchx.phantom.solids import Frame, Map
from benchx.phantom.streams import stream
from benchx.phantom.tissue import SIGN

_GRID_MM = 480.0
_LEVELS = 5
_TRUNKS = 7


@functools.lru_cache(maxsize=64)
def _grid(key: tuple[int | str, ...], cells: int) -> Map:
    noise = stream(*key, "texture").standard_normal((cells, cells), dtype=np.float32)
    noise.setflags(write=False)
    return noise


def texture(key: tuple[int | str, ...], grain_mm: float, frame: Frame) -> Map:
    """Return smooth noise that stays with the patient, float32 [size, size], mean 0, deviation about 0.6.

    Args:
        key: names the noise.
        grain_mm: distance of its independent points.
        frame: the view; the noise covers 480 mm about the patient's middle.
    """
    cells = round(_GRID_MM / grain_mm)
    scale = frame.pixel_mm / grain_mm
    start = [(shift - frame.field_mm / 2 + _GRID_MM / 2) / grain_mm + scale / 2 - 0.5 for shift in frame.shift_mm]
    matrix = np.array([[scale, 0, start[0]], [0, scale, start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (frame.size, frame.size)
    noise = cv2.warpAffine(_grid(key, cells), matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(noise, np.float32)


def vessels(anatomy: Anatomy, frame: Frame, key: tuple[int, int], fullness: float) -> Map:
    """Draw the pulmonary vessels of both lungs.

    Args:
        anatomy: gives the height of apex and domes, which the trees follow.
        frame: the view.
        key: seed and index of the patient.
        fullness: width of the vessels, 1 healthy, less in emphysema, more in congestion.

    Returns:
        Float32 [size, size] in 0 to 1; 1 is 10 mm of blood.
    """
    canvas = Canvas(frame)
    for side, sign in SIGN.items():
        top, bottom = anatomy.lung_top, anatomy.dome_tops[side] + 30
        span = np.array([sign * (anatomy.cage[0] - 24), bottom - top, 62.0])
        origin = np.array([sign * 21.0, top, -8.0])
        trees = _tree(*key, side)
        for level in reversed(range(_LEVELS)):
            lines, radius = trees[level]
            fixed = canvas.fixed(lines * span + origin)
            width = 2 * radius * fullness / canvas.pixel_mm
            strength = min(1.0, 0.28 * radius * fullness)
            canvas.stroke(list(fixed), width, strength * 0.75)
            if width > 3:
                canvas.stroke(list(fixed), width * 0.6, strength)
    soft = cv2.GaussianBlur(canvas.layer(), (0, 0), max(0.35, 0.5 / frame.pixel_mm))
    return np.asarray(soft, np.float32)


@functools.lru_cache(maxsize=64)
def _tree(seed: int, index: int, side: str) -> tuple[tuple[NDArray[np.float64], float], ...]:
    """Grow one lung's tree in fractions of its width, height and depth.

    Returns:
        For each level the branches [B, 5, 3] and their radius in mm; a branch splits in two, and radius
        falls by the cube root of one half at each split (Murray's law).
    """
    rng = stream(seed, index, side, "vessels")
    heading = np.linspace(-1.35, 1.5, _TRUNKS) + rng.normal(0, 0.1, _TRUNKS)
    tilt = rng.uniform(-0.8, 0.8, _TRUNKS)
    tips = np.stack([np.zeros(_TRUNKS), 0.46 + 0.05 * np.sin(heading), np.zeros(_TRUNKS)], -1)
    length, radius, levels = 0.25, 3.6, []
    along = np.linspace(0, 1, 5)[None, :, None]
    for _ in range(_LEVELS):
        reach = length * rng.uniform(0.7, 1.25, len(heading))
        step = np.stack([np.cos(heading) * reach, np.sin(heading) * reach * 0.8, tilt * reach], -1)
        bend = np.stack([-step[:, 1], step[:, 0], step[:, 2]], -1) * rng.normal(0, 0.16, (len(heading), 1))
        levels.append((tips[:, None] + step[:, None] * along + bend[:, None] * np.sin(along * math.pi), radius))
        tips = np.repeat(tips + step, 2, axis=0)
        fork = rng.uniform(0.18, 0.55, len(heading))
        heading = np.stack([heading - fork, heading + fork * rng.uniform(0.5, 1, len(fork))], -1).ravel()
        tilt = np.repeat(tilt, 2) + rng.normal(0, 0.35, 2 * len(tilt))
        length, radius = length * 0.84, radius * 0.5 ** (1 / 3)
    return tuple(levels)
