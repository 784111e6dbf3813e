"""What a radiologist would say of a phantom study: its report, and CheXpert's 14 observations."""

from __future__ import annotations

from collections.abc import Sequence

from benchx.phantom.findings import Finding
from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.reports import report

OBSERVATIONS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""CheXpert's 14 (Irvin et al., AAAI 2019), in the order of its header."""

OBSERVED_AS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Effusion": "Pleural Effusion",
    "Infiltration": "Lung Opacity",
    "Mass": "Lung Lesion",
    "Nodule": "Lung Lesion",
    "Pleural_Thickening": "Pleural Other",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
"""Phantom findings by observation. Emphysema, fibrosis and hernia are none of the 14; they only rule out
`No Finding`, as they do for the labeller of the originals."""

DEVICES = ("catheter", "leads", "pacemaker", "sternal_wires", "tube")
"""Foreign objects that are support devices; a coin or a necklace is none."""

UNCERTAIN_BELOW = 0.2
"""Severity under which a reader is not sure of a finding."""

_NEGATED_WHEN_CLEAR = ("Consolidation", "Pneumothorax", "Pleural Effusion")


def studies(patient: Patient) -> list[list[int]]:
    """Return the numbers of the images of every study, oldest first."""
    numbers: dict[int, list[int]] = {}
    for number, spec in enumerate(patient.images):
        numbers.setdefault(spec.study, []).append(number)
    return list(numbers.values())


def observations(images: Sequence[ImageSpec], *, certain: bool) -> dict[str, float]:
    """Return what is said of a study's images; an observation that is not mentioned is left out.

    Args:
        images: of one study.
        certain: whether a faint finding counts as present; else as uncertain (-1).
    """
    said: dict[str, float] = {}
    findings = images[0].findings
    for finding in findings:
        if name := OBSERVED_AS.get(finding.name):
            sure = certain or finding.severity >= UNCERTAIN_BELOW
            said[name] = 1.0 if sure else said.get(name, -1.0)
    if not findings:
        said = {"No Finding": 1.0} | dict.fromkeys(_NEGATED_WHEN_CLEAR, 0.0)
    if set(_objects(images)) & set(DEVICES):
        said["Support Devices"] = 1.0
    return said


def findings_text(images: Sequence[ImageSpec]) -> str:
    """Return the findings section of a study's report."""
    return report(images[0].findings, _objects(images))


def impression_text(findings: Sequence[Finding]) -> str:
    """Return the impression section of a study's report: the names of its findings."""
    if not findings:
        return "No acute cardiopulmonary process."
    return ", ".join(finding.name.replace("_", " ").lower() for finding in findings).capitalize() + "."


def _objects(images: Sequence[ImageSpec]) -> list[str]:
    return sorted({name for image in images for name in image.objects})
