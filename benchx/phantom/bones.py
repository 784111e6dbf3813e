"""Bones: ribs and spine in closed form, clavicles, scapulae and arms as drawn tubes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.drawing import Canvas, tube
from benchx.phantom.solids import Frame, Map
from benchx.phantom.streams import stream
from benchx.phantom.tissue import MU_BONE, MU_SOFT, SIGN

RIBS = 11
_LAST_TRUE_RIB = 7
_RIB_RADIUS_MM = 6.4
_RIB_DEPTH_MM = 9.0


def add_bones(line: Map, anatomy: Anatomy, frame: Frame, key: tuple[int, int]) -> None:
    """Add the skeleton to the line integrals, in place.

    Args:
        line: line integrals, float32 [size, size].
        anatomy: the patient's organs.
        frame: the view.
        key: seed and index of the patient.
    """
    rng = stream(*key, "bones")
    density = (MU_BONE - MU_SOFT) * float(rng.uniform(0.85, 1.2))
    if frame.lateral:
        _ribs_from_the_side(line, anatomy, frame, density)
    else:
        _ribs(line, anatomy, frame, density, rng)
    _spine(line, anatomy, frame, density, rng)
    _limbs(line, anatomy, frame, density, rng)


def _hoop(number: int, anatomy: Anatomy) -> tuple[float, float, float]:
    """Height of a rib at the side of the chest, and half axes of its hoop across and in depth, mm."""
    fraction = number / (RIBS - 1)
    height = anatomy.lung_top + 15 + (_dome_level(anatomy) + 48 - anatomy.lung_top) * fraction**0.95
    lung = anatomy.lungs["left"]
    across = float(np.interp(height, lung.y, np.maximum.accumulate(lung.x + lung.half_width))) + 4
    return height, across, anatomy.cage[1] * (0.35 + 0.65 * across / anatomy.cage[0])


def _dome_level(anatomy: Anatomy) -> float:
    """Mean height of the two domes, mm."""
    return (anatomy.dome_tops["left"] + anatomy.dome_tops["right"]) / 2


def _ribs(line: Map, anatomy: Anatomy, frame: Frame, density: float, rng: np.random.Generator) -> None:
    """Each pair of ribs is a tilted hoop; its shadow is a tube about an ellipse.

    The distance to the ellipse is the implicit function over its gradient (Sampson's first-order distance);
    where the hoop turns at the side of the chest the ray runs along the bone and the shadow is denser.
    """
    u, y = frame.u, frame.y
    shift = math.sin(frame.angle) * 60
    for number in range(RIBS):
        height, a, b = _hoop(number, anatomy)
        height += float(rng.normal(0, 1.2))
        fall = max(17.0, anatomy.rib_slope * b)
        for branch in (-1, 1) if number < _LAST_TRUE_RIB else (-1,):
            low, high = (height - fall - 9, height + 9) if branch < 0 else (height - 9, height + fall + 9)
            rows = slice(*np.searchsorted(y, [low, high]))
            cols = slice(*np.searchsorted(u, [-a - 9 + branch * shift, a + 9 + branch * shift]))
            if rows.start >= rows.stop or cols.start >= cols.stop:
                continue
            du, dy = (u[cols] - branch * shift * 0.6)[None, :], (y[rows] - height)[:, None]
            profile = _tube_about_ellipse(du, dy, a, fall)
            across = np.abs(du) / a
            if branch > 0:
                profile *= 0.62 * np.clip((across - 0.36) / 0.16, 0, 1)
                profile *= dy > 0
            else:
                profile *= 1 - 0.35 * np.clip(1 - across / 0.25, 0, 1)
                profile *= dy <= 0
            profile *= 0.8 + np.minimum(0.55, 0.2 / np.sqrt(np.maximum(1 - across * across, 0.008)))
            line[rows, cols] += np.float32(density * 2 * _RIB_DEPTH_MM) * profile


def _tube_about_ellipse(du: Map, dy: Map, a: float, fall: float) -> Map:
    qx, qy = du / np.float32(a), dy / np.float32(fall)
    q = np.sqrt(qx * qx + qy * qy + np.float32(1e-6))
    gx, gy = qx / np.float32(a), qy / np.float32(fall)
    distance2 = ((q - 1) * q) ** 2 / (gx * gx + gy * gy + np.float32(1e-9)) / np.float32(_RIB_RADIUS_MM**2)
    # Cortex outside, marrow inside: the edges of a rib are its brightest lines.
    outer = np.sqrt(np.maximum(np.float32(0), 1 - distance2))
    inner = np.sqrt(np.maximum(np.float32(0), 1 - distance2 / np.float32(0.6)))
    return np.asarray(1.25 * outer - np.float32(0.55) * inner, np.float32)


def _ribs_from_the_side(line: Map, anatomy: Anatomy, frame: Frame, density: float) -> None:
    """From the side both ribs of a pair are nearly one oblique line, drawn as a tube about an arc."""
    u, y = frame.u, frame.y
    for number in range(RIBS):
        height, _, b = _hoop(number, anatomy)
        for side in (-1.0, 1.0):
            scale = frame.magnification(-side * anatomy.cage[0] * 0.8)
            cols = slice(*np.searchsorted(u, [-b * scale, b * 0.8 * scale]))
            along = u[cols] / np.float32(b * scale)
            centre = (height + 34 * anatomy.rib_slope * (along * 2.4 + 1.1 * (1 - along * along))) * scale
            rows = slice(*np.searchsorted(y, [float(centre.min()) - 9, float(centre.max()) + 9]))
            distance2 = ((y[rows][:, None] - centre[None, :]) / np.float32(_RIB_RADIUS_MM * 1.1)) ** 2
            outer = np.sqrt(np.maximum(np.float32(0), 1 - distance2))
            inner = np.sqrt(np.maximum(np.float32(0), 1 - distance2 / np.float32(0.6)))
            fade = np.clip((0.62 - along) / 0.3, 0, 1)
            line[rows, cols] += np.float32(density * 13) * (1.25 * outer - 0.55 * inner) * fade


def _spine(line: Map, anatomy: Anatomy, frame: Frame, density: float, rng: np.random.Generator) -> None:
    """Vertebral bodies with darker discs, and from the front the pedicles and spinous processes."""
    s = anatomy.scale
    curve = float(rng.normal(0, 5))
    step, half = 25.5 * s, (17 if frame.lateral else 19) * s
    depth = 34 if frame.lateral else 15
    y = frame.y
    if frame.lateral:
        axis = np.interp(y, [-230, -150, -60, 40, 140, 250], [-14, -40, -74, -80, -66, -52])
    else:
        axis = curve * np.sin(y / 110) - 34 * math.sin(frame.angle)
    phase = np.mod(y / step, 1.0)
    body = 0.55 + 0.45 * np.clip(np.minimum(phase, 1 - phase) * 12 - 0.6, 0, 1)
    reach = (frame.u[None, :] - axis[:, None]) / np.float32(half)
    cols = np.flatnonzero((np.abs(reach) < 1).any(axis=0))
    if cols.size == 0:
        return
    band = slice(int(cols[0]), int(cols[-1]) + 1)
    reach = np.abs(reach[:, band])
    profile = np.clip((1 - reach) * 6, 0, 1) * body[:, None].astype(np.float32)
    if not frame.lateral:
        pedicle = 1 - ((reach - 0.62) / 0.17) ** 2 - ((phase - 0.36)[:, None] * step / 6.0) ** 2
        process = 1 - (reach / 0.14) ** 2 - ((phase - 0.7)[:, None] * step / 7.0) ** 2
        profile += 0.25 * np.maximum(0, pedicle) + 0.3 * np.maximum(0, process)
    line[:, band] += np.float32(density * depth) * profile.astype(np.float32)


def _limbs(line: Map, anatomy: Anatomy, frame: Frame, density: float, rng: np.random.Generator) -> None:
    canvas = Canvas(frame)
    s, width = anatomy.scale, anatomy.cage[0]
    supine = frame.detector_mm < 0
    if frame.lateral:
        y = np.linspace(-90, 90, 9)
        sternum = np.stack([np.zeros(9), y, anatomy.cage[1] + 4 + 0.09 * y], -1)
        tube(canvas, sternum, 6.0, 0.5)
    for sign in SIGN.values() if not frame.lateral else ():
        shoulder = sign * (width + 26 * s)
        tube(
            canvas,
            np.array([[shoulder, -112 * s, -10.0], [shoulder + sign * 2, -104 * s, -10.0]]),
            22 * s,
            0.8,
        )
        out = sign * (8 if supine else 34)
        shaft = [[shoulder + out * k, (-98 + 120 * k) * s, -10.0] for k in np.linspace(0, 2.5, 6)]
        tube(canvas, np.array(shaft), 10.5 * s, 1.0, cortex=True)
        _scapula(canvas, sign, width - (10 if supine else -14), s)
        lift = (4 if supine else 12) + 5 * rng.normal()
        along = np.linspace(0, 1, 12)
        x = sign * (14 + along * (width + 8))
        y = anatomy.lung_top + 34 - lift * along - 9 * np.sin(along * 2 * math.pi) - 20 * along**2
        tube(canvas, np.stack([x, y, 70 - 60 * along], -1), 6.0, 1.0, cortex=True)
    layer = cv2.GaussianBlur(canvas.layer(), (0, 0), 0.5)
    line += np.float32(density * 22) * layer


def _scapula(canvas: Canvas, sign: float, x: float, s: float) -> None:
    corners = [(26, -112), (10, -108), (-20, -116), (-27, -96), (-6, 34), (4, 36), (18, -60), (30, -92)]
    blade = np.array([[sign * (x + dx * s), dy * s, -70.0] for dx, dy in corners])
    canvas.polygon(blade, 0.22)
    tube(canvas, blade[3:6], 2.6, 0.42)
    tube(canvas, blade[5:], 3.6, 0.42)
    spine = np.array([[sign * (x + dx * s), dy * s, -80.0] for dx, dy in ((-24, -88), (10, -108), (36, -122))])
    tube(canvas, spine, 4.0, 0.5)
