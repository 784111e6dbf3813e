"""Virtual patients: who they are, and which images were taken of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchx.phantom.findings import Finding, chronic_findings, image_findings
from benchx.phantom.streams import stream

FRONTAL_VIEWS = ("PA", "AP")
_OBJECTS_PA = (("sternal_wires", 0.06), ("pacemaker", 0.04), ("coin", 0.01), ("necklace", 0.02))
_OBJECTS_AP = (
    ("leads", 0.55),
    ("tube", 0.18),
    ("catheter", 0.30),
    ("sternal_wires", 0.10),
    ("pacemaker", 0.05),
)


@dataclass(frozen=True)
class Habitus:
    """The lasting build of a patient.

    Attributes:
        scale: size relative to an average man, about 0.85 to 1.1.
        breadth: width of the rib cage relative to its height, about 0.9 to 1.1.
        fat_mm: thickness of the subcutaneous tissue, 6 to 45 mm.
        rib_slope: fall of the ribs, mm per mm of depth, 0.3 to 0.55.
        heart: heart size relative to the cage, 0.9 to 1.1 (healthy).
        aorta: size of the aortic knob, grows with age.
        breast_mm: half thickness of a breast, 0 in men.
    """

    scale: float
    breadth: float
    fat_mm: float
    rib_slope: float
    heart: float
    aorta: float
    breast_mm: float


@dataclass(frozen=True)
class ImageSpec:
    """How one image was taken and what is on it.

    Attributes:
        view: `PA`, `AP` or `LATERAL`.
        study: number of the study, from 0; a lateral shares the study of its PA image.
        inspiration: -1 (shallow) to 1 (deep).
        rotation_deg: turn of the patient about the long axis.
        field_mm: width of the square field, at the patient.
        shift_mm: offset of the beam centre, right and down.
        exposure: photons relative to a standard exposure.
        contrast: relative slope of the display curve.
        collimation: unexposed border as a fraction of the width, 0 for none.
        findings: what is seen, in alphabetical order.
        objects: names of foreign objects.
    """

    view: str
    study: int
    inspiration: float
    rotation_deg: float
    field_mm: float
    shift_mm: tuple[float, float]
    exposure: float
    contrast: float
    collimation: float
    findings: tuple[Finding, ...]
    objects: tuple[str, ...]


@dataclass(frozen=True)
class Patient:
    """One virtual patient.

    Attributes:
        seed: seed of the population.
        index: number of the patient in it.
        sex: `M` or `F`.
        age: years, 18 to 92.
        habitus: the lasting build.
        images: the images taken, oldest first.
    """

    seed: int
    index: int
    sex: str
    age: int
    habitus: Habitus
    images: tuple[ImageSpec, ...]

    @property
    def frontal(self) -> tuple[int, ...]:
        """Numbers of the PA and AP images."""
        return tuple(i for i, spec in enumerate(self.images) if spec.view in FRONTAL_VIEWS)


def make_patient(seed: int, index: int) -> Patient:
    """Make one patient, the same whatever others are made.

    Args:
        seed: seed of the population, >= 0.
        index: number of the patient, >= 0.

    Returns:
        The patient with one to six frontal images (mean about 1.8) and some laterals.
    """
    rng = stream(seed, index, "patient")
    sex = "M" if rng.random() < 0.56 else "F"
    age = int(np.clip(rng.normal(52, 17), 18, 92))
    sickness = float(rng.gamma(1.6, 1 / 1.6)) * (0.75 + age / 200)
    habitus = _habitus(sex, age, rng)
    chronic = chronic_findings(sickness, rng)
    studies = int(min(6, rng.geometric(0.62 if sickness < 1.2 else 0.45)))
    images: list[ImageSpec] = []
    previous: tuple[Finding, ...] = ()
    for study in range(studies):
        rng = stream(seed, index, study, "study")
        now = image_findings(chronic, previous, sickness, study, rng)
        view = "AP" if rng.random() < min(0.85, 0.12 + 0.2 * sickness + 0.06 * len(now)) else "PA"
        images.append(_image(view, study, now, rng))
        if view == "PA" and rng.random() < 0.2:
            images.append(_image("LATERAL", study, now, rng))
        previous = now
    return Patient(seed, index, sex, age, habitus, tuple(images))


def _habitus(sex: str, age: int, rng: np.random.Generator) -> Habitus:
    woman = sex == "F"
    return Habitus(
        scale=float(np.clip(rng.normal(0.93 if woman else 1.0, 0.04), 0.82, 1.1)),
        breadth=float(np.clip(rng.normal(1.0, 0.04), 0.9, 1.1)),
        fat_mm=float(np.clip(rng.gamma(5, 3.8), 6, 45)),
        rib_slope=float(rng.uniform(0.3, 0.55)),
        heart=float(np.clip(rng.normal(0.97, 0.05), 0.86, 1.08)),
        aorta=float(np.clip(rng.normal(0.85 + 0.005 * age, 0.1), 0.7, 1.5)),
        breast_mm=float(rng.uniform(6, 34)) if woman else 0.0,
    )


def _image(view: str, study: int, findings: tuple[Finding, ...], rng: np.random.Generator) -> ImageSpec:
    supine = view == "AP"
    rates = _OBJECTS_AP if supine else _OBJECTS_PA
    return ImageSpec(
        view=view,
        study=study,
        inspiration=float(np.clip(rng.normal(-0.35 if supine else 0.25, 0.4), -1, 1)),
        rotation_deg=float(np.clip(rng.normal(0, 4.0 if supine else 2.0), -10, 10)),
        field_mm=float(rng.uniform(360, 430)) - 60 * (view == "LATERAL"),
        shift_mm=(float(rng.normal(0, 7)), float(rng.normal(0, 9))),
        exposure=float(rng.lognormal(-0.3 if supine else 0.0, 0.3)),
        contrast=float(np.clip(rng.normal(1.0, 0.12), 0.75, 1.3)) * (1.2 if view == "LATERAL" else 1.0),
        collimation=float(rng.uniform(0.01, 0.07)) if rng.random() < 0.2 else 0.0,
        findings=findings,
        objects=tuple(name for name, rate in rates if rng.random() < rate),
    )
