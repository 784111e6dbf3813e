"""CheXpert, downsampled (Irvin et al., AAAI 2019): `train.csv`, `valid.csv`, JPEG images by patient and study.

Two patients of nine are in the validation list, those that are test patients in the phantom NIH ChestX-ray14. As in
the original, a finding may be uncertain (-1) in the training list, and the validation list knows only 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.phantom.writers.studies import OBSERVATIONS, observations, studies
from benchx.writing import write_whole

HEADER = ",".join(["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS])
FOLDER = "CheXpert-v1.0-small"
"""The name that paths begin with, whatever the folder is called."""

_VALID_OF_NINE = (4, 8)
_SEXES = {"M": "Male", "F": "Female"}


class _Row(NamedTuple):
    part: str
    line: str


def _write_patient(root: Path, views: Views) -> list[_Row]:
    patient = views.patient
    part = "valid" if patient.index % 9 in _VALID_OF_NINE else "train"
    rows = []
    for study, numbers in enumerate(studies(patient), start=1):
        labels = _labels(observations([patient.images[number] for number in numbers], certain=part == "valid"), part)
        for view, number in enumerate(numbers, start=1):
            radiograph = views[number]
            lateral = radiograph.view == "LATERAL"
            name = f"view{view}_{'lateral' if lateral else 'frontal'}.jpg"
            path = f"{part}/patient{patient.index:05d}/study{study}/{name}"
            write_whole(root / path, encode_jpeg(to_8_bit(radiograph.pixels)))
            about = ["Lateral", ""] if lateral else ["Frontal", radiograph.view]
            cells = [f"{FOLDER}/{path}", _SEXES[patient.sex], str(patient.age), *about, *labels]
            rows.append(_Row(part, ",".join(cells)))
    return rows


def _labels(said: dict[str, float], part: str) -> list[str]:
    unsaid = "0.0" if part == "valid" else ""
    return [str(said[name]) if name in said else unsaid for name in OBSERVATIONS]


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    for part in ("train", "valid"):
        write_lines(root / f"{part}.csv", [HEADER, *(row.line for row in rows if row.part == part)])


LAYOUTS = {"chexpert": Layout("chexpert", _write_patient, _write_tables)}
