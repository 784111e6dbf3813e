"""Soft parts around the rib cage: trunk with neck and shoulders, arms, breasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.solids import Solid, column, ellipsoid
from benchx.phantom.tissue import SIGN


def trunk(width: float, depth: float, fat: float, s: float, rng: np.random.Generator) -> Solid:
    """Build the trunk.

    Args:
        width: half width of the rib cage, mm.
        depth: its half depth, mm.
        fat: thickness of the subcutaneous tissue, mm.
        s: size relative to an average man.
        rng: draws the neck and how far the shoulders hang.
    """
    neck = 52 + 0.35 * fat + 4 * rng.normal()
    side, front = width + 10 + 1.1 * fat, depth + 6 + 0.6 * fat
    hang = (14 * rng.normal() + 8) * np.linspace(1, 0, 11)
    y = np.array([-330, -215, -182, -158, -135, -100, -55, 0, 60, 130, 420]) * s + hang
    w = [neck + 16, neck, neck + 14, neck + 62, side - 6, side + 16, side + 6, side, side, side + 2, side + 8]
    d = [64, 62, 66, 74, 86, 98, 0.97 * front, front, front, front + 4, front + 8]
    smooth = np.linspace(y[0], y[-1], 300)
    kernel = np.hanning(13) / np.hanning(13).sum()

    def curve(values: Sequence[float]) -> np.ndarray:
        return np.convolve(np.pad(np.interp(smooth, y, values), 6, mode="edge"), kernel, mode="valid")

    return Solid(smooth, np.zeros(300), np.full(300, -2.0), curve(w), curve(d))


def extras(
    patient: Patient, spec: ImageSpec, width: float, depth: float, rng: np.random.Generator
) -> tuple[Solid, ...]:
    """Build the arms (not in a lateral view, where they are raised) and in women the breasts.

    Args:
        patient: whose.
        spec: the view; in a PA image the arms are turned away from the chest.
        width: half width of the rib cage, mm.
        depth: its half depth, mm.
        rng: draws how low the breasts hang.
    """
    habitus = patient.habitus
    s, fat = habitus.scale, habitus.fat_mm
    parts: list[Solid] = []
    out = 26 if spec.view == "PA" else 6
    for side in SIGN.values() if spec.view != "LATERAL" else ():
        x = side * (width + 34 * s + 0.7 * fat)
        axis = [x, x, x + side * out * 0.8, x + side * out * 1.7]
        half = 34 * s + 0.4 * fat
        widths, depths = [8, half, half, half - 6], [12, 50, 44, 38]
        parts.append(column([-150 * s, -125 * s, 40, 240], axis, [-10] * 4, widths, depths))
    for side in SIGN.values() if habitus.breast_mm else ():
        place = (side * 78 * s, 62 + 8 * rng.normal() + 0.4 * fat, depth - 12)
        half = 54 * s + 0.5 * fat
        parts.append(ellipsoid(place, (half, half * 0.95, habitus.breast_mm + 0.35 * fat)))
    return tuple(parts)
