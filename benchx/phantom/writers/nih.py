"""NIH ChestX-ray14 as published (Wang et al., CVPR 2017; the 2020 release of its table)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.patients import Patient, make_patient
from benchx.phantom.render import Radiograph, render
from benchx.phantom.writers.root import for_each_patient, open_root, write_lines, write_whole

ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOX_NAMES = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Effusion": "Effusion",
    "Infiltration": "Infiltrate",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
"""The eight findings that are boxed, by the name that the table of boxes gives them."""

_BOX_FRAME = 1024
_TEST_OF_NINE = (4, 8)


class _Row(NamedTuple):
    image: str
    entry: str
    boxes: list[str]
    test: bool


def write(out: Path, patients: int, seed: int, size: int, on_progress: Callable[[int, int], None]) -> None:
    """Write `images/`, the table of entries, the table of boxes and the two split lists.

    Two patients of nine are test patients (the official lists hold 23 % of the images), chosen by their
    number, so that a larger phantom keeps the split of a smaller one.

    Args:
        out: new or empty folder, or one that an interrupted run of the same phantom left.
        patients: how many.
        seed: seed of the population.
        size: pixels along each side of the 8-bit PNG files.
        on_progress: called with (patients done, patients).

    Raises:
        UsageError: `out` holds something else.
    """
    open_root(out, "nih", patients, seed, size)
    images = out / "images"
    images.mkdir(exist_ok=True)
    rows = for_each_patient(
        patients, lambda index: _write_patient(images, make_patient(seed, index), size), on_progress
    )
    write_lines(out / "BBox_List_2017.csv", [BOX_HEADER, *(line for row in rows for line in row.boxes)])
    write_lines(out / "train_val_list.txt", [row.image for row in rows if not row.test])
    write_lines(out / "test_list.txt", [row.image for row in rows if row.test])
    write_lines(out / "Data_Entry_2017_v2020.csv", [ENTRY_HEADER, *(row.entry for row in rows)])


def to_8_bit(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Keep the upper 8 of 12 bits."""
    return (pixels >> 4).astype(np.uint8)


def _write_patient(images: Path, patient: Patient, size: int) -> list[_Row]:
    rows = []
    for follow_up, number in enumerate(patient.frontal):
        radiograph = render(patient, number, size)
        name = f"{patient.index:08d}_{follow_up:03d}.png"
        _, code = cv2.imencode(".png", to_8_bit(radiograph.pixels))
        write_whole(images / name, code.tobytes())
        test = patient.index % 9 in _TEST_OF_NINE
        rows.append(_Row(name, _entry(name, follow_up, patient, radiograph), _boxes(name, radiograph), test))
    return rows


def _entry(name: str, follow_up: int, patient: Patient, radiograph: Radiograph) -> str:
    labels = "|".join(sorted(radiograph.labels)) or "No Finding"
    size, spacing = radiograph.pixels.shape[0], round(radiograph.pixel_mm, 6)
    cells = [name, labels, follow_up, patient.index, patient.age, patient.sex, radiograph.view]
    return ",".join(map(str, [*cells, size, size, spacing, spacing]))


def _boxes(name: str, radiograph: Radiograph) -> list[str]:
    scale = _BOX_FRAME / radiograph.pixels.shape[0]
    return [
        ",".join([name, BOX_NAMES[finding], *(str(float(value * scale)) for value in box)])
        for finding, *box in radiograph.boxes
        if finding in BOX_NAMES
    ]
