"""IU X-Ray (Demner-Fushman et al., JAMIA 2016) in R2Gen's form and in Open-i's.

One study per patient, the first that has a lateral image, else the first; as in the original, R2Gen's form has
studies with findings only. Phantom patients have a lateral less often than the originals, so an entry may have one
image. Two patients of nine are test patients, those of the phantom NIH ChestX-ray14, and one is for validation.
Every seventh patient's report has no findings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchx.phantom.patients import Patient
from benchx.phantom.writers.encoding import encode_png, to_8_bit
from benchx.phantom.writers.layout import Layout, Views
from benchx.phantom.writers.studies import findings_text, impression_text, studies
from benchx.writing import write_whole

_PARTS_OF_NINE = {3: "val", 4: "test", 8: "test"}
_VIEW_CODES = ("3001", "4001")


def chosen_study(patient: Patient) -> list[int]:
    """Return the numbers of the images of the patient's study that is published."""
    of_all = studies(patient)
    return next((numbers for numbers in of_all if len(numbers) > 1), of_all[0])


def without_findings(patient: Patient) -> bool:
    """Whether a patient's report has no findings; R2Gen's form leaves such a patient out."""
    return patient.index % 7 == 0


def _write_r2gen(root: Path, views: Views) -> list[dict[str, Any]]:
    patient = views.patient
    if without_findings(patient):
        return []
    name, paths = f"CXR{patient.index}_IM-{patient.index:04d}", []
    numbers = chosen_study(patient)
    for position, number in enumerate(numbers):
        paths.append(f"{name}/{position}.png")
        write_whole(root / "images" / paths[-1], encode_png(to_8_bit(views[number].pixels)))
    report = findings_text([patient.images[number] for number in numbers])
    split = _PARTS_OF_NINE.get(patient.index % 9, "train")
    return [{"id": name, "report": report, "image_path": paths, "split": split}]


def _write_annotation(root: Path, entries: Sequence[dict[str, Any]]) -> None:
    parts = {part: [entry for entry in entries if entry["split"] == part] for part in ("train", "val", "test")}
    write_whole(root / "annotation.json", json.dumps(parts).encode())


def _write_open_i(root: Path, views: Views) -> list[Any]:
    patient = views.patient
    numbers = chosen_study(patient)
    names = [f"CXR{patient.index}_1_IM-{patient.index:04d}-{code}" for code in _VIEW_CODES[: len(numbers)]]
    for name, number in zip(names, numbers, strict=True):
        write_whole(root / "NLMCXR_png" / f"{name}.png", encode_png(to_8_bit(views[number].pixels)))
    write_whole(root / "ecgen-radiology" / f"{patient.index}.xml", _xml(patient, numbers, names).encode())
    return []


def _write_nothing(root: Path, rows: Sequence[Any]) -> None:
    """Open-i publishes no table."""


def _xml(patient: Patient, numbers: list[int], names: list[str]) -> str:
    images = [patient.images[number] for number in numbers]
    findings = images[0].findings
    sections = {
        "COMPARISON": "None.",
        "INDICATION": f"{patient.age}-year-old XXXX, phantom, no patient",
        "FINDINGS": "" if without_findings(patient) else findings_text(images),
        "IMPRESSION": impression_text(findings),
    }
    texts = "".join(f'<AbstractText Label="{label}">{escape(text)}</AbstractText>' for label, text in sections.items())
    terms = [finding.name for finding in findings] or ["normal"]
    figures = "".join(
        f'<parentImage id="{name}"><figureId>F{number}</figureId><caption>Xray Chest</caption></parentImage>'
        for number, name in enumerate(names, start=1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<eCitation><meta type="rr"/><uId id="CXR{patient.index}"/><pmcId id="{patient.index}"/>'
        f'<docSource>CXR</docSource><IUXRId id="{patient.index}"/><MedlineCitation><Article><Abstract>{texts}'
        f"</Abstract></Article></MedlineCitation><MeSH>{''.join(f'<major>{term}</major>' for term in terms)}</MeSH>"
        f"{figures}</eCitation>\n"
    )


LAYOUTS = {
    "iu-xray": Layout("iu-xray", _write_r2gen, _write_annotation),
    "iu-xray-openi": Layout("iu-xray", _write_open_i, _write_nothing),
}
