"""A patient's organs in one image, as solids: soft parts, lungs, and what pushes the lungs aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.phantom import body, mediastinum
from benchx.phantom.findings import Finding
from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.solids import Solid, ellipsoid
from benchx.phantom.streams import stream
from benchx.phantom.tissue import SIGN


@dataclass(frozen=True)
class Anatomy:
    """Organs of one patient in one image.

    Attributes:
        scale: size of the cage relative to an average man.
        trunk: body wall with neck and shoulders.
        extras: soft parts outside the trunk (arms, breasts).
        lungs: each lung before anything pushes into it, by side.
        lung_top: height of the apex, mm.
        domes: each half of the diaphragm with what lies below, by side.
        dome_tops: height of each dome without loss of volume, mm.
        heart: the heart's parts.
        centre: heart, great vessels and mediastinum: all that takes air away in the middle.
        airways: air in the middle: trachea and main bronchi.
        bubble: air in the stomach.
        lucency: how much less a given length of lung attenuates (1 healthy, smaller in emphysema).
        cage: (half width, half depth) of the rib cage at its widest, mm.
        rib_slope: fall of the ribs, mm per mm of depth.
    """

    scale: float
    trunk: Solid
    extras: tuple[Solid, ...]
    lungs: dict[str, Solid]
    lung_top: float
    domes: dict[str, Solid]
    dome_tops: dict[str, float]
    heart: tuple[Solid, ...]
    centre: tuple[Solid, ...]
    airways: tuple[Solid, ...]
    bubble: Solid
    lucency: float
    cage: tuple[float, float]
    rib_slope: float


def build(patient: Patient, spec: ImageSpec) -> Anatomy:
    """Build the anatomy of one image.

    Args:
        patient: whose.
        spec: the image; findings that change shapes are Cardiomegaly, Emphysema and Atelectasis.

    Returns:
        Solids in patient coordinates, mm.
    """
    habitus = patient.habitus
    rng = stream(patient.seed, patient.index, "organs")
    severity = {f.name: f.severity for f in spec.findings}
    emphysema = severity["Emphysema"] + 0.25 if "Emphysema" in severity else 0.0
    scale = habitus.scale
    width, depth = 132 * scale * habitus.breadth, (98 + 14 * emphysema) * scale
    apex = (-128 + 7 * rng.normal()) * scale
    tops = _dome_tops(spec, scale, emphysema, rng)
    raised = _raised(tops, spec.findings)
    heart, centre = mediastinum.middle(patient, spec, severity, emphysema, apex, rng)
    return Anatomy(
        scale=scale,
        trunk=body.trunk(width, depth, habitus.fat_mm, scale, rng),
        extras=body.extras(patient, spec, width, depth, rng),
        lungs={side: _lung(side, width, depth, apex, tops[side]) for side in SIGN},
        lung_top=apex,
        domes={side: _dome(side, width, depth, raised[side], emphysema) for side in SIGN},
        dome_tops=tops,
        heart=heart,
        centre=centre,
        airways=mediastinum.airways(apex, scale, rng),
        bubble=ellipsoid(
            (SIGN["left"] * 68 * scale + 8 * rng.normal(), tops["left"] + 32, 20),
            (26 + 10 * rng.random(), 1 + max(0.0, 17 * rng.random() - 3), 24),
        ),
        lucency=1 - 0.38 * emphysema,
        cage=(width + 5, depth + 3),
        rib_slope=habitus.rib_slope - 0.06 * spec.inspiration - 0.08 * emphysema,
    )


def _dome_tops(spec: ImageSpec, scale: float, emphysema: float, rng: np.random.Generator) -> dict[str, float]:
    level = (84 + 16 * spec.inspiration + 18 * emphysema + 6 * rng.normal()) * scale
    return {"left": level + 5, "right": level - 6 + 3 * rng.normal()}


def _raised(tops: dict[str, float], findings: Sequence[Finding]) -> dict[str, float]:
    """Volume loss: the dome stands higher on the side of an atelectasis."""
    lifted = dict(tops)
    for finding in findings:
        if finding.name == "Atelectasis":
            for side in finding.sides:
                lifted[side] -= 14 * finding.severity
    return lifted


def _lung(side: str, width: float, depth: float, apex: float, dome: float) -> Solid:
    """A lung from its apex to the recess behind the dome; its inner edge stays near the midline."""
    bottom = dome + 62
    down = np.linspace(0, 1, 97) ** 2
    inner = 19 - 9 * down
    span = (width - 11) * (1 - (1 - down) ** 2.6) ** 0.56
    half = span / 2
    close = np.sqrt(np.clip((1 - down) / 0.06, 0, 1))
    return Solid(
        apex + (bottom - apex) * down,
        SIGN[side] * (inner + half),
        -22 + 24 * np.minimum(1, 2 * down),
        half * close,
        depth * 0.94 * (1 - (1 - down) ** 2) ** 0.5 * close,
    )


def _dome(side: str, width: float, depth: float, top: float, emphysema: float) -> Solid:
    height = 105 - 62 * min(1.0, emphysema)
    # Below its widest level the dome goes on as a column, so that no lung shows again under it.
    cap = ellipsoid((SIGN[side] * width * 0.47, top + height, 14), (width * 0.66, height, depth * 1.02))
    y = np.append(cap.y[:25], top + height + 400)
    return Solid(y, *(np.append(v[:25], v[24]) for v in (cap.x, cap.z, cap.half_width, cap.half_depth)))
