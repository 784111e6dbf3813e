"""Foreign objects, and the marks that a technician leaves on the film."""

from __future__ import annotations

import cv2
import numpy as np

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.drawing import Canvas, tube
from benchx.phantom.solids import Frame, Map
from benchx.phantom.streams import stream
from benchx.phantom.tissue import SIGN

METAL = 2.6
"""Line integral of the densest object."""


def draw_objects(names: tuple[str, ...], anatomy: Anatomy, frame: Frame, key: tuple[int, int, int]) -> Map:
    """Draw the foreign objects of one image, float32 [size, size]: line integral to add.

    Args:
        names: keys of `OBJECTS`.
        anatomy: the patient's organs.
        frame: the view.
        key: seed, patient and image.
    """
    canvas = Canvas(frame)
    for name in names:
        OBJECTS[name](canvas, anatomy, stream(*key, name))
    return canvas.layer() * np.float32(METAL)


def _sternal_wires(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    front = anatomy.cage[1]
    turn = np.linspace(0, 2 * np.pi, 20)
    for y in np.linspace(-62, 52, 6) + rng.normal(0, 2, 6):
        loop = np.stack([9 * np.cos(turn), y + 4.5 * np.sin(turn), np.full(20, front)], -1)
        tube(canvas, loop, 0.5, 0.9)
        tube(canvas, loop[4:7] + np.array([rng.normal(0, 3), -3, 0]), 1.0, 0.9)


def _pacemaker(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    x, y, z = anatomy.cage[0] * 0.7, anatomy.lung_top + 38 + rng.normal(0, 6), 90.0
    turn = np.linspace(0, 2 * np.pi, 24)
    canvas.polygon(np.stack([x + 20 * np.cos(turn), y + 23 * np.sin(turn), np.full(24, z)], -1), 1.0)
    lead = [[x - 14, y - 12, z], [35, y - 22, 50], [-12, -70, 20], [-22, 0, 20], [-12, 50, 30], [34, 78, 40]]
    tube(canvas, _smooth(lead), 0.9, 0.75)


def _leads(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    front = anatomy.cage[1] + 8
    for x, y in ((-88, -70), (86, -74), (-98, 62), (100, 66)):
        if rng.random() < 0.15:
            continue
        at = np.array([x + rng.normal(0, 12), y + rng.normal(0, 12), front])
        turn = np.linspace(0, 2 * np.pi, 16)
        ring = at + np.stack([4.5 * np.cos(turn), 4.5 * np.sin(turn), np.zeros(16)], -1)
        canvas.polygon(ring, 0.45)
        end = at + np.array([np.sign(x) * rng.uniform(20, 90), rng.uniform(60, 150), 0])
        middle = (at + end) / 2 + np.array([rng.normal(0, 25), rng.normal(0, 10), 0])
        tube(canvas, _smooth([at, middle, end]), 0.8, 0.35)


def _tube(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    tip = -32 + rng.normal(0, 9)
    for x in (-4.0, 4.0):
        points = [[x, anatomy.lung_top - 90, -8], [x + 1, anatomy.lung_top, -8], [x - 1, tip, -14]]
        tube(canvas, _smooth(points), 0.7, 0.3)


def _catheter(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    sign = SIGN["right"] if rng.random() < 0.7 else SIGN["left"]
    top = anatomy.lung_top
    points = [
        [sign * 46, top - 60, 30],
        [sign * 34, top + 12, 30],
        [-16, -55, 10],
        [-19, rng.uniform(-25, 25), 10],
    ]
    tube(canvas, _smooth(points), 1.0, 0.42)


def _coin(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    x, y = rng.uniform(-90, 90), rng.uniform(-80, 90)
    turn = np.linspace(0, 2 * np.pi, 24)
    canvas.polygon(np.stack([x + 11 * np.cos(turn), y + 11 * np.sin(turn), np.full(24, 60.0)], -1), 1.0)


def _necklace(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    top, drop = anatomy.lung_top - 30, rng.uniform(40, 90)
    along = np.linspace(-1, 1, 24)
    tube(canvas, np.stack([56 * along, top + drop * (1 - along**2), np.full(24, 80.0)], -1), 0.7, 0.8)


OBJECTS = {
    "sternal_wires": _sternal_wires,
    "pacemaker": _pacemaker,
    "leads": _leads,
    "tube": _tube,
    "catheter": _catheter,
    "coin": _coin,
    "necklace": _necklace,
}


def _smooth(corners: list) -> np.ndarray:
    """Round a path through corners [K, 3] by a quadratic Bezier between the middles of its sides."""
    points = np.asarray(corners, np.float64)
    middles = np.concatenate([points[:1], (points[1:] + points[:-1]) / 2, points[-1:]])
    t = np.linspace(0, 1, 9)[:, None]
    parts = [
        (1 - t) ** 2 * middles[i] + 2 * t * (1 - t) * points[i] + t**2 * middles[i + 1] for i in range(len(points))
    ]
    return np.concatenate(parts)


def marks(frame: Frame, view: str, rng: np.random.Generator) -> Map:
    """Burn the side letter (and on most bedside films the word PORTABLE) in, float32 [size, size] 0 to 1."""
    canvas = Canvas(frame)
    side = canvas.pixels.shape[0]
    letter = "L" if rng.random() < 0.6 else "R"
    x = int(side * (rng.uniform(0.88, 0.93) if letter == "L" else rng.uniform(0.04, 0.09)))
    y = int(side * rng.uniform(0.06, 0.2))
    font = cv2.FONT_HERSHEY_DUPLEX
    grow = side / 512
    if view != "LATERAL":
        cv2.putText(canvas.pixels, letter, (x, y), font, 0.75 * grow, 255, max(1, round(1.6 * grow)), cv2.LINE_AA)
    if view == "AP" and rng.random() < 0.6:
        at = (int(side * rng.uniform(0.72, 0.8)), int(y + side * 0.06))
        cv2.putText(canvas.pixels, "PORTABLE", at, font, 0.32 * grow, 255, 1, cv2.LINE_AA)
    return canvas.layer()
