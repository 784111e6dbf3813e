"""COVID-19 Image Data Collection as published (Cohen et al. 2020, release of late 2020).

The findings of the simulator become those of the collection by `finding_of`. As in the original, lateral images
have empty masks, mask files hold PNG data under the name of their image, the value 127 marks what lies over a
lung and is not lung (here foreign objects), and about two images of three have a mask. Every fourth patient also
has a CT, which has no files here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchx.phantom.findings import FOREIGN_OBJECT
from benchx.phantom.render import Radiograph
from benchx.phantom.writers.encoding import encode_jpeg, encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.root import write_lines
from benchx.writing import write_whole

COLUMNS = (
    "patientid",
    "offset",
    "sex",
    "age",
    "finding",
    "RT_PCR_positive",
    "survival",
    "intubated",
    "intubation_present",
    "went_icu",
    "in_icu",
    "needed_supplemental_O2",
    "extubated",
    "temperature",
    "pO2_saturation",
    "leukocyte_count",
    "neutrophil_count",
    "lymphocyte_count",
    "view",
    "modality",
    "date",
    "location",
    "folder",
    "filename",
    "doi",
    "url",
    "license",
    "clinical_notes",
    "other_notes",
    "",
)
"""The columns, the nameless last one included."""

COVID = frozenset({"Infiltration", "Pneumonia"})
"""Findings that count as COVID-19."""

VIEWS = {"PA": "PA", "AP": "AP Supine", "LATERAL": "L"}
MASKS = "annotations/semantic_masks_v7labs_lungs"


def finding_of(labels: frozenset[str]) -> str:
    """Return the collection's finding: consolidation alone is a bacterial pneumonia, anything else not yet read."""
    if labels & COVID:
        return "Pneumonia/Viral/COVID-19"
    if "Consolidation" in labels:
        return "Pneumonia/Bacterial"
    return "todo" if labels else "No Finding"


def _write_patient(root: Path, views: Views) -> list[dict[str, object]]:
    patient = views.patient
    rows: list[dict[str, object]] = []
    for number, spec in enumerate(patient.images):
        radiograph = views[number]
        file = f"{patient.index:05d}_{number}." + ("png" if number % 2 else "jpg")
        pixels = to_8_bit(radiograph.pixels)
        write_whole(root / "images" / file, encode_png(pixels) if number % 2 else encode_jpeg(pixels))
        if (patient.index + number) % 3:
            write_whole(root / MASKS / file, encode_png(_mask(radiograph)))
        rows.append(
            {
                "patientid": patient.index,
                "offset": 2 * spec.study,
                "sex": patient.sex,
                "age": patient.age,
                "finding": finding_of(radiograph.labels),
                "view": VIEWS[radiograph.view],
                "modality": "X-ray",
                "folder": "images",
                "filename": file,
                "clinical_notes": radiograph.report,
            }
        )
    if patient.index % 4 == 0:
        scan = {"view": "Axial", "modality": "CT", "folder": "volumes", "filename": f"{patient.index:05d}.nii.gz"}
        rows.append(rows[0] | scan)
    return rows


def _mask(radiograph: Radiograph) -> NDArray[np.uint8]:
    """Return 255 on the lungs, 127 on foreign objects and 0 elsewhere, uint8 [H, W]; all 0 from the side."""
    mask = 255 * radiograph.lungs.max(axis=0)
    if FOREIGN_OBJECT in radiograph.masks:
        mask[radiograph.masks[FOREIGN_OBJECT] > 0] = 127
    return np.zeros_like(mask) if radiograph.view == "LATERAL" else mask


def _write_tables(root: Path, rows: Sequence[dict[str, object]]) -> None:
    lines = []
    table = [list[object](COLUMNS), *([row.get(name, "") for name in COLUMNS] for row in rows)]
    for cells in table:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cells)
        lines.append(line.getvalue())
    write_lines(root / "metadata.csv", lines)


LAYOUTS = {"covid-chestxray": Layout("covid-chestxray", _write_patient, _write_tables)}
