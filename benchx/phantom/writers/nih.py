"""NIH ChestX-ray14 as published (Wang et al., CVPR 2017; the 2020 release of its table).

Two patients of nine are test patients (the official lists hold 23 % of the images), chosen by their number, so
that a larger phantom keeps the split of a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchx.phantom.patients import Patient
from benchx.phantom.render import Radiograph
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

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


def _write_patient(root: Path, views: Views) -> list[_Row]:
    patient = views.patient
    rows = []
    for follow_up, number in enumerate(patient.frontal):
        radiograph = views[number]
        name = f"{patient.index:08d}_{follow_up:03d}.png"
        write_whole(root / "images" / name, encode_png(to_8_bit(radiograph.pixels)))
        test = patient.index % 9 in _TEST_OF_NINE
        rows.append(_Row(name, _entry(name, follow_up, patient, radiograph), _boxes(name, radiograph), test))
    return rows


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    write_lines(root / "BBox_List_2017.csv", [BOX_HEADER, *(line for row in rows for line in row.boxes)])
    write_lines(root / "train_val_list.txt", [row.image for row in rows if not row.test])
    write_lines(root / "test_list.txt", [row.image for row in rows if row.test])
    write_lines(root / "Data_Entry_2017_v2020.csv", [ENTRY_HEADER, *(row.entry for row in rows)])


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


LAYOUTS = {"nih": Layout("nih", _write_patient, _write_tables)}
