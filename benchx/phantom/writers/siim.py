"""SIIM-ACR Pneumothorax Segmentation (Kaggle 2019), as DICOM with run lengths and as the PNG form that BenchX uses.

One image per patient: the first frontal one with a pneumothorax, else the last, because the challenge chose its images
for it. A pneumothorax counts when its mask has a pixel. The run lengths are over 1024 x 1024 pixels as in the
original, so that masks of smaller phantoms are stretched by nearest neighbour; every separate part is a row of its own.
The images without labels (`dicom-images-test`) are left out.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.patients import Patient
from benchx.phantom.render import Radiograph
from benchx.phantom.writers.dicom import encode_dicom, uid
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

FINDING = "Pneumothorax"
RUN_HEADER = "ImageId, EncodedPixels"
PNG_HEADER = "new_filename,ImageId,has_pneumo"

_FRAME = 1024
_TEST_OF_NINE = 4
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.siim.benchx")


class _PngRow(NamedTuple):
    part: str
    line: str


def image_number(patient: Patient) -> int:
    """Return which of a patient's images is written."""
    ill = [n for n in patient.frontal if FINDING in {finding.name for finding in patient.images[n].findings}]
    return ill[0] if ill else patient.frontal[-1]


def _write_dicom(root: Path, views: Views) -> list[str]:
    patient, radiograph = views.patient, views[image_number(views.patient)]
    instance, study, series = (_uid(patient, level) for level in ("image", "study", "series"))
    content = _dicom(patient, radiograph, instance, study, series)
    write_whole(root / "dicom-images-train" / study / series / f"{instance}.dcm", content)
    return [f"{instance},{cell}" for cell in _encode_parts(_mask(radiograph)) or ["-1"]]


def _write_run_lengths(root: Path, rows: Sequence[str]) -> None:
    write_lines(root / "train-rle.csv", [RUN_HEADER, *rows])


def _write_png(root: Path, views: Views) -> list[_PngRow]:
    patient, radiograph = views.patient, views[image_number(views.patient)]
    part = "test" if patient.index % 9 == _TEST_OF_NINE else "train"
    mask = _mask(radiograph)
    label = int(mask.any())
    name = f"{patient.index}_{part}_{label}_.png"
    write_whole(root / "png_images" / name, encode_png(to_8_bit(radiograph.pixels)))
    write_whole(root / "png_masks" / name, encode_png(255 * mask))
    return [_PngRow(part, f"{name},{_uid(patient, 'image')},{label}")]


def _write_png_tables(root: Path, rows: Sequence[_PngRow]) -> None:
    for part in ("train", "test"):
        lines = [row.line for row in rows if row.part == part]
        write_lines(root / f"stage_1_{part}_images.csv", [PNG_HEADER, *lines])


def _uid(patient: Patient, level: str) -> str:
    return uid("siim", patient.seed, patient.index, level)


def _mask(radiograph: Radiograph) -> NDArray[np.uint8]:
    return radiograph.masks.get(FINDING, np.zeros(radiograph.pixels.shape, np.uint8))


def _encode_parts(mask: NDArray[np.uint8]) -> list[str]:
    """Encode the separate parts of a mask (uint8 [H, W] of 0 and 1) as relative run lengths down the columns."""
    stretched = cv2.resize(mask, (_FRAME, _FRAME), interpolation=cv2.INTER_NEAREST_EXACT)
    count, parts = cv2.connectedComponents(stretched, connectivity=8)
    return [_encode(parts == part) for part in range(1, count)]


def _encode(mask: NDArray[np.bool_]) -> str:
    flat = mask.T.ravel().astype(np.int8)
    edges = np.flatnonzero(np.diff(flat, prepend=0, append=0))
    return " ".join(map(str, np.diff(edges, prepend=0)))


def _dicom(patient: Patient, radiograph: Radiograph, instance: str, study: str, series: str) -> bytes:
    name = str(uuid.uuid5(_NAMESPACE, f"{patient.seed}/{patient.index}"))
    header = {
        "PatientID": name,
        "PatientName": name,
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03d}Y",
        "ConversionType": "WSD",
        "SeriesDescription": f"view: {radiograph.view}",
        "ViewPosition": radiograph.view,
        "PixelSpacing": [round(radiograph.pixel_mm, 6)] * 2,
    }
    return encode_dicom(radiograph.pixels, instance=instance, study=study, series=series, header=header, jpeg=True)


LAYOUTS = {
    "siim": Layout("siim", _write_dicom, _write_run_lengths),
    "siim-png": Layout("siim", _write_png, _write_png_tables),
}
