"""Object-CXR (JF Healthcare, 2020): foreign objects outlined by rectangles, ellipses and polygons.

One image per patient: the first frontal one with a foreign object, else the last, because half of the original's
images have one. Unlike there, leads, tubes and pacemakers are outlined, too. Each separate part of the mask of
foreign objects that `boxes_of` boxes gets one outline, by its shape: an ellipse when it fills its box as one does (a
coin), a polygon around it when it fills less than half of its box (wires, tubes), else its box. Eight patients of ten
are for training, one for validation (`dev`) and one for testing; only the test table names its column `image_path`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.findings import FOREIGN_OBJECT
from benchx.phantom.patients import Patient
from benchx.phantom.render import Radiograph
from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

HEADERS = {"train": "image_name,annotation", "dev": "image_name,annotation", "test": "image_path,annotation"}
RECTANGLE, ELLIPSE, POLYGON = 0, 1, 2

_PARTS_OF_TEN = {8: "dev", 9: "test"}
_ROUND_FROM = 5
_ROUND_WITHIN = 0.1


class _Row(NamedTuple):
    part: str
    line: str


def image_number(patient: Patient) -> int:
    """Return which of a patient's images is written."""
    return next((n for n in patient.frontal if patient.images[n].objects), patient.frontal[-1])


def _write_patient(root: Path, views: Views) -> list[_Row]:
    radiograph = views[image_number(views.patient)]
    part = _PARTS_OF_TEN.get(views.patient.index % 10, "train")
    name = f"{views.patient.index:05d}.jpg"
    write_whole(root / part / name, encode_jpeg(to_8_bit(radiograph.pixels)))
    listed = f"{part}/{name}" if part == "test" else name
    return [_Row(part, f"{listed},{';'.join(_outlines(radiograph))}")]


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    for part, header in HEADERS.items():
        write_lines(root / f"{part}.csv", [header, *(row.line for row in rows if row.part == part)])


def _outlines(radiograph: Radiograph) -> list[str]:
    if FOREIGN_OBJECT not in radiograph.masks:
        return []
    boxed = [tuple(box) for name, *box in radiograph.boxes if name == FOREIGN_OBJECT]
    mask = radiograph.masks[FOREIGN_OBJECT]
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    numbers = {tuple(stats[number, :4].tolist()): number for number in range(1, count)}
    return [" ".join(map(str, _outline(parts == numbers[box], *box))) for box in boxed]


def _outline(part: NDArray[np.bool_], x: int, y: int, width: int, height: int) -> list[int]:
    """Outline one part of a mask (bool [H, W]) whose box is given; return the kind and its coordinates."""
    filled = part.sum() / (width * height)
    if min(width, height) >= _ROUND_FROM and abs(filled - math.pi / 4) < _ROUND_WITHIN:
        return [ELLIPSE, x, y, x + width, y + height]
    if filled < 0.5:
        contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        points = cv2.approxPolyDP(contours[0], 0.5, True).reshape(-1, 2)
        if len(points) >= 3:
            return [POLYGON, *map(int, points.ravel())]
    return [RECTANGLE, x, y, x + width, y + height]


LAYOUTS = {"object-cxr": Layout("object-cxr", _write_patient, _write_tables)}
