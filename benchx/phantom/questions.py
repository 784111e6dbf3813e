"""Questions about a phantom image, with their answers, in the words and types of VQA-RAD.

What the image is taken with can be answered without looking. Which view it is, whether a finding is there, on which
side and how large cannot: of every image one finding that is there and as many that are not are asked about, if it has
any, so that a yes is as frequent as a no.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchx.phantom.findings import NIH_FINDINGS, Finding
from benchx.phantom.patients import ImageSpec, Patient
from benchx.phantom.streams import stream

_SIZES = ("small", "moderate", "large")
_WITHOUT_FINDING = 2
"""Findings that an image without any is asked about."""


class Question(NamedTuple):
    """A question and its answer.

    Attributes:
        kind: VQA-RAD's type: PRES, POS, SIZE, ABN, MODALITY, PLANE or COUNT.
        closed: whether the answer is yes or no.
    """

    text: str
    answer: str
    kind: str
    closed: bool


def asked_image(patient: Patient) -> int:
    """Return the number of the image that a patient's questions are about, one per patient as in VQA-RAD."""
    return patient.index % len(patient.images)


def questions(patient: Patient) -> tuple[Question, ...]:
    """Return the questions about a patient's image, the same at every call."""
    spec = patient.images[asked_image(patient)]
    rng = stream(patient.seed, patient.index, "questions")
    return (
        Question("What kind of image is this?", "X-ray", "MODALITY", closed=False),
        Question("In which view was the image taken?", spec.view.lower(), "PLANE", closed=False),
        Question("Is this a normal chest?", _yes(not spec.findings), "ABN", closed=True),
        *_presence(spec, rng),
        *_place(spec, rng),
        Question("How many different findings are there?", str(len(spec.findings)), "COUNT", closed=False),
        Question("Are there foreign objects?", _yes(bool(spec.objects)), "PRES", closed=True),
    )


def _presence(spec: ImageSpec, rng: np.random.Generator) -> list[Question]:
    there = sorted(finding.name for finding in spec.findings)
    absent = [name for name in NIH_FINDINGS if name not in there]
    chosen = [str(name) for name in rng.permutation(there)[:_WITHOUT_FINDING]]
    chosen += [str(name) for name in rng.permutation(absent)[: len(chosen) or _WITHOUT_FINDING]]
    return [
        Question(f"Is there evidence of {_named(name)}?", _yes(name in there), "PRES", closed=True)
        for name in sorted(chosen)
    ]


def _place(spec: ImageSpec, rng: np.random.Generator) -> list[Question]:
    """Ask where a one-sided finding is, and how large it is."""
    sided = [finding for finding in spec.findings if finding.side != "both"]
    if not sided:
        return []
    finding: Finding = sided[int(rng.integers(len(sided)))]
    size = _SIZES[min(2, int(finding.severity * 3))]
    return [
        Question(f"On which side is the {_named(finding.name)}?", finding.side, "POS", closed=False),
        Question(f"How large is the {_named(finding.name)}?", size, "SIZE", closed=False),
    ]


def _named(finding: str) -> str:
    return finding.replace("_", " ").lower()


def _yes(there: bool) -> str:
    return "Yes" if there else "No"
