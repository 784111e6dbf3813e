"""MIMIC-CXR-JPG 2.0.0 (Johnson et al., 2019) with the reports of MIMIC-CXR unpacked beside the images.

Two patients of nine are test patients and one is for validation; the test patients are those of the phantom NIH
ChestX-ray14. Every seventh patient's reports have no FINDINGS section, as some of the originals: what is seen stands
in the impression.
"""

from __future__ import annotations

import gzip
import hashlib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.writers.encoding import encode_jpeg, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.studies import OBSERVATIONS, findings_text, impression_text, observations, studies
from benchx.writing import write_whole

LABEL_NAMES = tuple(sorted(OBSERVATIONS))
"""MIMIC's table has the observations in alphabetical order."""

HEADERS = {
    "split": "dicom_id,study_id,subject_id,split",
    "metadata": (
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
        "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
    ),
    "chexpert": ",".join(["subject_id", "study_id", *LABEL_NAMES]),
}
_PARTS_OF_NINE = {3: "validate", 4: "test", 8: "test"}
_VIEWS = {"PA": "postero-anterior", "AP": "antero-posterior", "LATERAL": "lateral"}


class _Row(NamedTuple):
    table: str
    line: str


def without_findings(patient: Patient) -> bool:
    """Whether a patient's reports have no FINDINGS section."""
    return patient.index % 7 == 0


def _write_patient(root: Path, views: Views) -> list[_Row]:
    patient = views.patient
    subject = 10_000_000 + patient.index
    folder = root / "files" / f"p{subject}"[:3] / f"p{subject}"
    part = _PARTS_OF_NINE.get(patient.index % 9, "train")
    rows = []
    for number, numbers in enumerate(studies(patient)):
        study = 50_000_000 + 10 * patient.index + number
        images = [patient.images[image] for image in numbers]
        write_whole(folder / f"s{study}.txt", _report(patient, images).encode())
        said = observations(images, certain=False)
        cells = [str(said.get(name, "")) for name in LABEL_NAMES]
        rows.append(_Row("chexpert", ",".join([str(subject), str(study), *cells])))
        for image in numbers:
            name = _dicom_id(patient, image)
            write_whole(folder / f"s{study}" / f"{name}.jpg", encode_jpeg(to_8_bit(views[image].pixels)))
            rows.append(_Row("split", f"{name},{study},{subject},{part}"))
            about = _about(patient.images[image].view, number, views.size)
            rows.append(_Row("metadata", ",".join([name, str(subject), str(study), *about])))
    return rows


def _write_tables(root: Path, rows: Sequence[_Row]) -> None:
    for table, header in HEADERS.items():
        lines = [header, *(row.line for row in rows if row.table == table)]
        content = "".join(f"{line}\n" for line in lines).encode()
        write_whole(root / f"mimic-cxr-2.0.0-{table}.csv.gz", gzip.compress(content, mtime=0))


def _dicom_id(patient: Patient, image: int) -> str:
    """Return five groups of eight hexadecimal digits, as the originals have."""
    digest = hashlib.sha256(f"mimic-cxr/{patient.seed}/{patient.index}/{image}".encode()).hexdigest()
    return "-".join(textwrap.wrap(digest[:40], 8))


def _about(view: str, study: int, size: int) -> list[str]:
    """Return the columns of the metadata from the procedure on."""
    procedure = "CHEST (PORTABLE AP)" if view == "AP" else "CHEST (PA AND LAT)"
    position = "Recumbent" if view == "AP" else "Erect"
    return [procedure, view, str(size), str(size), f"218{study}0101", "120000.0", procedure, _VIEWS[view], position]


def _report(patient: Patient, images: list[ImageSpec]) -> str:
    seen, impression = findings_text(images), impression_text(images[0].findings)
    sections = {
        "EXAMINATION": "CHEST (PORTABLE AP)" if images[0].view == "AP" else "CHEST (PA AND LAT)",
        "INDICATION": f"{patient.age} year old {'woman' if patient.sex == 'F' else 'man'} // phantom, no patient",
    }
    if without_findings(patient):
        sections["IMPRESSION"] = seen
    else:
        sections |= {"FINDINGS": seen, "IMPRESSION": impression}
    lines = [" " * 33 + "FINAL REPORT"]
    for heading, text in sections.items():
        lines += [*_wrap(f"{heading}:  {text}"), " "]
    return "\n".join(lines)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent=" ", subsequent_indent=" ", break_on_hyphens=False)


LAYOUTS = {"mimic-cxr": Layout("mimic-cxr", _write_patient, _write_tables)}
