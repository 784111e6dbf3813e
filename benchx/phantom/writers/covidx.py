"""COVIDx CXR-4 as published (Kaggle andyczhao/covidx-cxr2, version 9).

COVID-19 stands for pneumonia or infiltration. File names follow three sources of the original, chosen by the
patient's number: dots within them are as in the original, so that names cut at the first dot collide. Unlike the
original, a source does not tell the label.

One patient of ten is for validation and one for testing, by number.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchx.phantom.patients import Patient
from benchx.phantom.writers.encoding import encode_jpeg, encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

COVID = frozenset({"Infiltration", "Pneumonia"})
"""Findings that count as COVID-19."""

PARTS = ("train", "val", "test")
SOURCES = ("cohen", "ricord", "rsna")
_OF_TEN = {3: "val", 7: "test"}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.covidx.benchx")


class _Row(NamedTuple):
    part: str
    line: str


def _write_patient(root: Path, views: Views) -> list[_Row]:
    patient = views.patient
    part = _OF_TEN.get(patient.index % 10, "train")
    rows = []
    for number in patient.frontal:
        radiograph = views[number]
        source, identity, file = _names(patient, number)
        pixels = to_8_bit(radiograph.pixels)
        encoded = encode_jpeg(pixels) if file.endswith(".jpg") else encode_png(pixels)
        write_whole(root / part / file, encoded)
        kind = "positive" if radiograph.labels & COVID else "negative"
        rows.append(_Row(part, f"{identity} {file} {kind} {source}"))
    return rows


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    for part in PARTS:
        write_lines(root / f"{part}.txt", [row.line for row in rows if row.part == part])


def _names(patient: Patient, number: int) -> tuple[str, str, str]:
    """Return source, patient id and file name of an image."""
    source = SOURCES[patient.index % len(SOURCES)]
    if source == "cohen":
        return source, f"{patient.index}", f"SARS-10.1148rg.{patient.index}-Fig{number}-day{number}.jpg"
    if source == "ricord":
        identity = f"419639-{patient.index:06d}"
        return source, identity, f"MIDRC-RICORD-1C-{identity}-8.{number}-0.png"
    identity = str(uuid.uuid5(_NAMESPACE, f"{patient.seed}/{patient.index}/{number}"))
    return source, identity, f"{identity}.png"


LAYOUTS = {"covidx": Layout("covidx", _write_patient, _write_tables)}
