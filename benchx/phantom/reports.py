"""One or two sentences about an image, in the words of a radiology report."""

from __future__ import annotations

from collections.abc import Sequence

from benchx.phantom.findings import Finding

_SIZES = ("small", "moderate", "large")
_GRADES = ("subtle", "moderate", "marked")
_TEXT = {
    "Atelectasis": "{grade} {side} {zone} atelectasis with mild volume loss",
    "Cardiomegaly": "{grade} enlargement of the cardiac silhouette",
    "Consolidation": "{grade} {side} {zone} consolidation",
    "Edema": "{grade} perihilar pulmonary edema",
    "Effusion": "{size} {side} pleural effusion",
    "Emphysema": "{grade} hyperinflation with flattened diaphragm in keeping with emphysema",
    "Fibrosis": "{grade} {side} basal reticular opacities in keeping with fibrosis",
    "Hernia": "{size} hiatal hernia behind the heart",
    "Infiltration": "{grade} {side} {zone} infiltrate",
    "Mass": "{size} {side} {zone} mass",
    "Nodule": "{side} {zone} pulmonary nodule",
    "Pleural_Thickening": "{grade} {side} pleural thickening",
    "Pneumonia": "{grade} {side} {zone} opacity concerning for pneumonia",
    "Pneumothorax": "{size} {side} pneumothorax",
}


def report(findings: Sequence[Finding], objects: Sequence[str]) -> str:
    """Write the report of an image.

    Args:
        findings: what is on it, in alphabetical order.
        objects: names of foreign objects.

    Returns:
        One sentence on the lungs and heart, and a second one where objects are seen.
    """
    if findings:
        first = _join([_phrase(finding) for finding in findings])
    else:
        first = "The lungs are clear and the heart is of normal size"
    sentences = [first[0].upper() + first[1:] + "."]
    if objects:
        names = _join([name.replace("_", " ") for name in objects])
        sentences.append(f"Seen in place: {names}.")
    return " ".join(sentences)


def _phrase(finding: Finding) -> str:
    step = min(2, int(finding.severity * 3))
    side = "bilateral" if finding.side == "both" else finding.side
    zone = ("upper zone", "mid zone", "lower zone")[min(2, int(finding.height * 3))]
    return _TEXT[finding.name].format(size=_SIZES[step], grade=_GRADES[step], side=side, zone=zone)


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
