"""RSNA Pneumonia Detection Challenge, stage 2 (Shih et al., Radiology: AI 2019), as published on Kaggle.

One image per patient, the last frontal one. As in the original, both tables have one row per box, and boxes are
in pixels of the image. RSNA's own mapping names the file of the NIH layout that shows the same image.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchx.phantom.patients import Patient
from benchx.phantom.render import Radiograph, boxes_of
from benchx.phantom.writers.dicom import encode_dicom, uid
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

OPACITIES = ("Consolidation", "Infiltration", "Pneumonia")
"""Findings that count as lung opacity (Target 1)."""

LABEL_HEADER = "patientId,x,y,width,height,Target"
CLASS_HEADER = "patientId,class"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.rsna.benchx")


class _Rows(NamedTuple):
    labels: list[str]
    classes: list[str]
    mapping: dict[str, object]


def _write_patient(root: Path, views: Views) -> list[_Rows]:
    patient = views.patient
    radiograph = views[patient.frontal[-1]]
    name = str(uuid.uuid5(_NAMESPACE, f"{patient.seed}/{patient.index}"))
    write_whole(root / "stage_2_train_images" / f"{name}.dcm", _dicom(name, patient, radiograph))
    mapping = _mapping(name, patient, radiograph)
    present = [radiograph.masks[finding] for finding in OPACITIES if finding in radiograph.labels]
    if present:
        opacity = np.logical_or.reduce(present)
        boxes = [box for _, *box in boxes_of("opacity", opacity, radiograph.pixel_mm)]
        labels = [",".join([name, *(str(float(v)) for v in box), "1"]) for box in boxes]
        return [_Rows(labels, [f"{name},Lung Opacity"] * len(labels), mapping)]
    kind = "No Lung Opacity / Not Normal" if radiograph.labels else "Normal"
    return [_Rows([f"{name},,,,,0"], [f"{name},{kind}"], mapping)]


def _write_tables(root: Path, rows: Sequence[_Rows]) -> None:
    classes = [line for row in rows for line in row.classes]
    write_lines(root / "stage_2_detailed_class_info.csv", [CLASS_HEADER, *classes])
    write_lines(root / "stage_2_train_labels.csv", [LABEL_HEADER, *(line for row in rows for line in row.labels)])
    write_whole(root / MAPPING, json.dumps([row.mapping for row in rows], indent=1).encode())


def _uids(name: str) -> tuple[str, str, str]:
    """Return the UIDs of image, study and series."""
    return uid("rsna", name, "image"), uid("rsna", name, "study"), uid("rsna", name, "series")


def _mapping(name: str, patient: Patient, radiograph: Radiograph) -> dict[str, object]:
    """Say which file of the NIH layout shows the same image."""
    instance, study, series = _uids(name)
    return {
        "img_id": f"{patient.index:08d}_{len(patient.frontal) - 1:03d}.png",
        "subset_img_id": name,
        "orig_labels": sorted(radiograph.labels) or ["No Finding"],
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SOPInstanceUID": instance,
    }


def _dicom(name: str, patient: Patient, radiograph: Radiograph) -> bytes:
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
    instance, study, series = _uids(name)
    return encode_dicom(radiograph.pixels, instance=instance, study=study, series=series, header=header, jpeg=True)


LAYOUTS = {"rsna": Layout("rsna", _write_patient, _write_tables)}
