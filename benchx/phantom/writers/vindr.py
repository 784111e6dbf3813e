"""VinDr-CXR 1.0.0 as published on PhysioNet (Nguyen et al., Scientific Data 2022), and its conversion to PNG.

One image per patient, the last frontal one (AP ones included; the original holds PA only). One patient in six is a
test patient (3 000 of 18 000), chosen by number. Three readers see each training image; each of them overlooks a
finding with probability 0.15 and draws its boxes by hand. The test files hold the truth, as a consensus would.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchx.phantom.findings import NIH_FINDINGS
from benchx.phantom.patients import Patient
from benchx.phantom.render import Boxed, Radiograph
from benchx.phantom.streams import stream
from benchx.phantom.writers.dicom import encode_dicom, uid
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

COLUMNS = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    "Other diseases",
    "No finding",
)
"""The label columns; the test file calls the one before the last `Other disease`."""

NAMES = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Effusion": "Pleural effusion",
    "Emphysema": "Emphysema",
    "Fibrosis": "Pulmonary fibrosis",
    "Hernia": "Other lesion",
    "Infiltration": "Infiltration",
    "Mass": "Nodule/Mass",
    "Nodule": "Nodule/Mass",
    "Pleural_Thickening": "Pleural thickening",
    "Pneumonia": "Lung Opacity",
    "Pneumothorax": "Pneumothorax",
}
"""How a finding of the phantom is boxed; pneumonia is also diagnosed, foreign objects are not named."""

DIAGNOSES = {"Pneumonia": "Pneumonia"}
READERS = ("R8", "R9", "R10")
OVERLOOKED = 0.15
HAND = 0.02
"""Standard deviation of an edge drawn by hand, as a fraction of the box."""

_TEST_OF_SIX = 2
_INVERTED_OF_FIVE = 3
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.vindr.benchx")


class _Rows(NamedTuple):
    test: bool
    labels: list[str]
    boxes: list[str]


def image_id(patient: Patient) -> str:
    """Return the 32 hexadecimal digits that name a patient's image."""
    return uuid.uuid5(_NAMESPACE, f"{patient.seed}/{patient.index}").hex


def is_test(patient: Patient) -> bool:
    """Whether a patient is a test patient."""
    return patient.index % 6 == _TEST_OF_SIX


def seen(patient: Patient, radiograph: Radiograph, reader: str) -> list[Boxed]:
    """Return the boxes, by phantom finding, that one reader draws; which are overlooked does not depend on the size."""
    rng = stream(patient.seed, patient.index, "vindr", reader)
    noticed = {name for name in NIH_FINDINGS if rng.random() >= OVERLOOKED}
    size = radiograph.pixels.shape[0]
    return [_by_hand(box, size, rng) for box in radiograph.boxes if box[0] in noticed]


def _by_hand(box: Boxed, size: int, rng: np.random.Generator) -> Boxed:
    name, x, y, width, height = box
    errors = HAND * rng.normal(size=4) * (width, height, width, height)
    left, top, right, bottom = np.clip(np.rint(np.add((x, y, x + width, y + height), errors)), 0, size).astype(int)
    return name, int(left), int(top), max(int(right - left), 1), max(int(bottom - top), 1)


def _labels(boxes: Sequence[Boxed]) -> list[str]:
    present = {NAMES[name] for name, *_ in boxes} | {DIAGNOSES[name] for name, *_ in boxes if name in DIAGNOSES}
    present = present or {"No finding"}
    return [str(int(column in present)) for column in COLUMNS]


def _box_cells(boxes: Sequence[Boxed]) -> list[list[str]]:
    """Return class name and corners of every box, or the one row of an image without any."""
    rows = [[NAMES[name], *map(str, map(float, (x, y, x + w, y + h)))] for name, x, y, w, h in boxes]
    return rows or [["No finding", "", "", "", ""]]


def _write_patient(
    encode: Callable[[str, Patient, Radiograph], tuple[str, bytes]], root: Path, views: Views
) -> list[_Rows]:
    patient, radiograph = views.patient, views[views.patient.frontal[-1]]
    name, test = image_id(patient), is_test(patient)
    suffix, data = encode(name, patient, radiograph)
    write_whole(root / ("test" if test else "train") / f"{name}{suffix}", data)
    readings: dict[tuple[str, ...], list[Boxed]]
    if test:
        readings = {(name,): [box for box in radiograph.boxes if box[0] in NAMES]}
    else:
        readings = {(name, reader): seen(patient, radiograph, reader) for reader in READERS}
    labels = [",".join([*key, *_labels(boxes)]) for key, boxes in readings.items()]
    return [
        _Rows(test, labels, [",".join([*key, *row]) for key, boxes in readings.items() for row in _box_cells(boxes)])
    ]


def _write_tables(root: Path, rows: Sequence[_Rows]) -> None:
    corners = "class_name,x_min,y_min,x_max,y_max"
    columns = ",".join(COLUMNS)
    headers = {
        "train": (f"image_id,rad_id,{columns}", f"image_id,rad_id,{corners}"),
        "test": (f"image_id,{columns.replace('Other diseases', 'Other disease')}", f"image_id,{corners}"),
    }
    for part, (labels, boxes) in headers.items():
        own = [row for row in rows if row.test == (part == "test")]
        folder = root / "annotations"
        write_lines(folder / f"image_labels_{part}.csv", [labels, *(line for row in own for line in row.labels)])
        write_lines(folder / f"annotations_{part}.csv", [boxes, *(line for row in own for line in row.boxes)])


def _dicom(name: str, patient: Patient, radiograph: Radiograph) -> tuple[str, bytes]:
    header = {
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03d}Y",
        "PixelSpacing": [round(radiograph.pixel_mm, 6)] * 2,
    }
    instance, study, series = (uid("vindr", name, level) for level in ("image", "study", "series"))
    inverted = patient.index % 5 == _INVERTED_OF_FIVE
    data = encode_dicom(
        radiograph.pixels, instance=instance, study=study, series=series, header=header, inverted=inverted
    )
    return ".dicom", data


def _png(name: str, patient: Patient, radiograph: Radiograph) -> tuple[str, bytes]:
    return ".png", encode_png(to_8_bit(radiograph.pixels))


LAYOUTS = {
    "vindr": Layout("vindr", partial(_write_patient, _dicom), _write_tables),
    "vindr-png": Layout("vindr", partial(_write_patient, _png), _write_tables),
}
