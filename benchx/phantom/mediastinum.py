"""The middle of the chest: heart, great vessels, hila and airways."""

from __future__ import annotations

import numpy as np

from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.solids import Solid, column, ellipsoid


def middle(
    patient: Patient,
    spec: ImageSpec,
    severity: dict[str, float],
    emphysema: float,
    apex: float,
    rng: np.random.Generator,
) -> tuple[tuple[Solid, ...], tuple[Solid, ...]]:
    """Build what lies between the lungs.

    Args:
        patient: whose.
        spec: inspiration lowers and straightens the heart; a supine (AP) patient's is a little wider.
        severity: of each finding; Cardiomegaly scales the heart by 1.14 to 1.44.
        emphysema: 0 for healthy, to 1.25; narrows and lowers the heart.
        apex: height of the lungs' apices, mm.
        rng: draws the lean of the heart.

    Returns:
        The heart's parts; and all parts that displace air, the heart's among them.
    """
    habitus, s = patient.habitus, patient.habitus.scale
    grow = habitus.heart * (1 - 0.14 * emphysema) * (1 + 0.04 * (spec.view == "AP"))
    if "Cardiomegaly" in severity:
        grow *= 1.14 + 0.30 * severity["Cardiomegaly"]
    base = (55 + 9 * spec.inspiration + 10 * emphysema) * s
    lean = 38 - 8 * spec.inspiration + 3 * rng.normal()
    heart = (
        ellipsoid((26 * s * grow, base, 22), (72 * s * grow, 50 * s * grow, 52 * s * grow), lean),
        ellipsoid((-12 * s * grow, base - 8, 12), (30 * s * grow, 54 * s * grow, 40 * s * grow)),
        ellipsoid((20 * s, base - 48 * s, 14), (24 * s, 36 * s, 30), 20),
    )
    knob = 15 * habitus.aorta * s
    aorta = ellipsoid((19 * s, -38 * s, -8), (knob * 1.1, knob * 1.3, 34))
    descending = column([-30, 140], [22 * s, 12 * s], [-48, -50], [12 * habitus.aorta] * 2, [13, 13])
    vein = column([apex + 10, 20], [-16 * s, -18 * s], [10, 12], [15 * s, 14 * s], [40, 42])
    y = np.array([-260, apex, apex + 45, -20, 40, 200])
    half = np.array([30, 30, 24, 22, 21, 20]) * s * (1 + 0.08 * (spec.view == "AP"))
    core = column(y, [0, 0, 2, 3, 2, 0], [-5] * 6, half, [55, 55, 70, 84, 90, 90])
    hila = (
        ellipsoid((33 * s, -6 * s, -10), (11 * s, 20 * s, 22), -12),
        ellipsoid((-34 * s, 4 * s, -10), (11 * s, 22 * s, 22), 14),
    )
    return heart, (*heart, *hila, aorta, descending, vein, core)


def airways(apex: float, s: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """Build trachea and main bronchi from the apex height (mm) and size; `rng` draws the tilt."""
    tilt = 3 * rng.normal()
    trachea = column(
        [apex - 150, apex - 80, apex - 60, -48, -22],
        [0, 0, 0, -2 + tilt, -3 + tilt],
        [-4, -4, -6, -14, -18],
        [11, 11, 7 * s, 8.5 * s, 4],
        [10, 10, 8, 8, 4],
    )
    bronchi = (
        ellipsoid((-17 * s + tilt, -16, -18), (24 * s, 5.5, 6), 38),
        ellipsoid((16 * s + tilt, -13, -18), (27 * s, 5, 6), -30),
    )
    return (trachea, *bronchi)
