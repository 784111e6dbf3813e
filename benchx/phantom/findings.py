"""The findings a phantom can have, how often, how severe, and which come together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

NIH_FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
"""The 14 findings of NIH ChestX-ray14 (Wang et al., CVPR 2017), in alphabetical order."""

FOREIGN_OBJECT = "Foreign_Object"
"""Metal on or in the patient; no NIH finding, but it has a mask and boxes."""

_CHRONIC = {
    "Cardiomegaly": 0.060,
    "Emphysema": 0.055,
    "Fibrosis": 0.055,
    "Hernia": 0.035,
    "Mass": 0.050,
    "Nodule": 0.075,
    "Pleural_Thickening": 0.055,
}
_ACUTE = {
    "Atelectasis": 0.085,
    "Consolidation": 0.060,
    "Edema": 0.045,
    "Effusion": 0.085,
    "Infiltration": 0.110,
    "Pneumonia": 0.055,
    "Pneumothorax": 0.060,
}
_COMPANIONS = {
    "Cardiomegaly": (("Effusion", 0.20), ("Edema", 0.15)),
    "Edema": (("Effusion", 0.35), ("Infiltration", 0.15)),
    "Effusion": (("Atelectasis", 0.25),),
    "Pneumonia": (("Infiltration", 0.25), ("Consolidation", 0.15)),
}
_BOTH_SIDES = {"Cardiomegaly": 1.0, "Edema": 1.0, "Emphysema": 1.0, "Hernia": 1.0, "Fibrosis": 0.8}
_OFTEN_BOTH = {"Effusion": 0.3, "Infiltration": 0.4, "Pneumonia": 0.15, "Pleural_Thickening": 0.2}
_EXCLUDES = {"Pneumothorax": {"Effusion", "Pleural_Thickening"}, "Emphysema": {"Edema", "Cardiomegaly"}}


@dataclass(frozen=True)
class Finding:
    """One finding of one image.

    Attributes:
        name: one of `NIH_FINDINGS`.
        severity: 0 (barely visible) to 1 (obvious).
        side: `left`, `right` or `both`, the patient's own sides.
        height: where in the lung, 0 (apex) to 1 (dome).
        origin: number of the image in which it first appeared; its shape is drawn from that number, so
            a finding that persists looks the same in the next image.
    """

    name: str
    severity: float
    side: str
    height: float
    origin: int

    @property
    def sides(self) -> tuple[str, ...]:
        """The lungs concerned."""
        return ("left", "right") if self.side == "both" else (self.side,)


def draw(name: str, image: int, rng: np.random.Generator) -> Finding:
    """Draw the severity and the place of one finding that appears in an image."""
    both = _BOTH_SIDES.get(name, _OFTEN_BOTH.get(name, 0.0))
    side = "both" if rng.random() < both else ("right", "left")[int(rng.random() < 0.45)]
    low, high = (0.45, 0.95) if name in {"Pneumonia", "Atelectasis", "Consolidation"} else (0.2, 0.9)
    return Finding(name, float(rng.beta(1.3, 1.5)), side, float(rng.uniform(low, high)), image)


def chronic_findings(sickness: float, rng: np.random.Generator) -> tuple[Finding, ...]:
    """Draw what a patient has in every image; `sickness` (mean 1) scales the rates."""
    return _draw_all(_CHRONIC, sickness, (), 0, rng)


def image_findings(
    chronic: tuple[Finding, ...],
    previous: tuple[Finding, ...],
    sickness: float,
    image: int,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    """Draw the findings of one image.

    Args:
        chronic: the patient's lasting findings, kept with a small change of severity.
        previous: findings of the image before; each acute one lasts with probability one half.
        sickness: scales the rates of new acute findings.
        image: number of the image.
        rng: the image's stream.

    Returns:
        Findings in alphabetical order, each name at most once.
    """
    acute = tuple(f for f in previous if f.name in _ACUTE and rng.random() < 0.5)
    kept = tuple(replace(f, severity=float(np.clip(f.severity + rng.normal(0, 0.08), 0, 1))) for f in chronic + acute)
    return _draw_all(_ACUTE, sickness, kept, image, rng)


def _draw_all(
    rates: dict[str, float],
    sickness: float,
    kept: tuple[Finding, ...],
    image: int,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    drawn = {f.name: f for f in kept}
    for name, rate in rates.items():
        if rng.random() < min(0.5, rate * sickness) and name not in drawn:
            drawn[name] = draw(name, image, rng)
    for name in sorted(drawn):
        for companion, rate in _COMPANIONS.get(name, ()):
            if rng.random() < rate and companion not in drawn and companion in rates:
                drawn[companion] = draw(companion, image, rng)
    for name, excluded in _EXCLUDES.items():
        if name in drawn:
            drawn = {key: f for key, f in drawn.items() if key not in excluded}
    return tuple(drawn[name] for name in sorted(drawn))
