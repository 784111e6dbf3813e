"""RSNA Pneumonia Detection Challenge, stage 2 (Shih et al., Radiology: AI 2019), as published on Kaggle."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ComputedRadiographyImageStorage, JPEGBaseline8Bit

from benchx.phantom.patients import Patient, make_patient
from benchx.phantom.render import Radiograph, boxes_of, render
from benchx.phantom.writers.nih import to_8_bit
from benchx.phantom.writers.root import for_each_patient, open_root, write_lines, write_whole

OPACITIES = ("Consolidation", "Infiltration", "Pneumonia")
"""Findings that count as lung opacity (Target 1)."""

LABEL_HEADER = "patientId,x,y,width,height,Target"
CLASS_HEADER = "patientId,class"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.rsna.benchx")
_JPEG_QUALITY = 95


class _Rows(NamedTuple):
    labels: list[str]
    classes: list[str]


def write(out: Path, patients: int, seed: int, size: int, on_progress: Callable[[int, int], None]) -> None:
    """Write `stage_2_train_images/` and the two tables; one image per patient, the last frontal one.

    As in the original, both tables have one row per box, and boxes are in pixels of the image.

    Args:
        out: new or empty folder, or one that an interrupted run of the same phantom left.
        patients: how many.
        seed: seed of the population.
        size: pixels along each side.
        on_progress: called with (patients done, patients).

    Raises:
        UsageError: `out` holds something else.
    """
    open_root(out, "rsna", patients, seed, size)
    images = out / "stage_2_train_images"
    images.mkdir(exist_ok=True)
    rows = for_each_patient(
        patients, lambda index: _write_patient(images, make_patient(seed, index), size), on_progress
    )
    write_lines(
        out / "stage_2_detailed_class_info.csv",
        [CLASS_HEADER, *(line for row in rows for line in row.classes)],
    )
    write_lines(out / "stage_2_train_labels.csv", [LABEL_HEADER, *(line for row in rows for line in row.labels)])


def _write_patient(images: Path, patient: Patient, size: int) -> list[_Rows]:
    radiograph = render(patient, patient.frontal[-1], size)
    name = str(uuid.uuid5(_NAMESPACE, f"{patient.seed}/{patient.index}"))
    write_whole(images / f"{name}.dcm", _dicom(name, patient, radiograph))
    present = [radiograph.masks[finding] for finding in OPACITIES if finding in radiograph.labels]
    if present:
        opacity = np.logical_or.reduce(present)
        boxes = [box for _, *box in boxes_of("opacity", opacity, radiograph.pixel_mm)]
        labels = [",".join([name, *(str(float(v)) for v in box), "1"]) for box in boxes]
        return [_Rows(labels, [f"{name},Lung Opacity"] * len(labels))]
    kind = "No Lung Opacity / Not Normal" if radiograph.labels else "Normal"
    return [_Rows([f"{name},,,,,0"], [f"{name},{kind}"])]


def _dicom(name: str, patient: Patient, radiograph: Radiograph) -> bytes:
    """Encode an image as DICOM with a baseline JPEG inside."""
    pixels = to_8_bit(radiograph.pixels)
    header = Dataset()
    header.SOPClassUID = ComputedRadiographyImageStorage
    header.SOPInstanceUID, header.StudyInstanceUID, header.SeriesInstanceUID = (
        _uid(name, level) for level in ("image", "study", "series")
    )
    header.PatientID = header.PatientName = name
    header.PatientSex, header.PatientAge = patient.sex, f"{patient.age:03d}Y"
    header.Modality, header.BodyPartExamined = "CR", "CHEST"
    header.ConversionType, header.SeriesDescription = "WSD", f"view: {radiograph.view}"
    header.ViewPosition = radiograph.view
    header.PixelSpacing = [round(radiograph.pixel_mm, 6)] * 2
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.LossyImageCompression, header.LossyImageCompressionMethod = "01", "ISO_10918_1"
    header.PixelData = encapsulate([_jpeg(pixels)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return code.tobytes()


def _uid(name: str, level: str) -> str:
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{name}/{level}').int}"
