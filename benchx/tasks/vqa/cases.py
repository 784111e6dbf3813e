"""The cases of question answering: one per question, with its image and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchx.datasets.samples import Samples
from benchx.errors import NotApplicable
from benchx.metrics.vqa import normalise


@dataclass(frozen=True)
class Cases:
    """The questions of a dataset, in the order of `Samples.cases`. Their texts are never shown by printing them.

    Attributes:
        samples: the cases as they are split: one row per question.
        images: int64 [M], row numbers of their images in the dataset's samples.
        texts: the M questions.
        answers: str [M], normalised.
        closed: bool [M].
        kinds: str or None [M], what they ask about.
    """

    samples: Samples
    images: np.ndarray
    texts: tuple[str, ...] = field(repr=False)
    answers: np.ndarray = field(repr=False)
    closed: np.ndarray
    kinds: np.ndarray


def read_cases(samples: Samples) -> Cases:
    """Return the questions of a dataset.

    Raises:
        NotApplicable: it asks none, or none about an image that is there.
    """
    asked = samples.questions
    if asked is None or asked.empty:
        raise NotApplicable(
            f"'{samples.dataset}' asks no question about an image that is there",
            f"it has {len(samples.table)} readable images",
            "use a dataset of questions, such as vqa-rad, and complete its images",
        )
    row_of = {name: row for row, name in enumerate(samples.table["sample"])}
    return Cases(
        samples=samples.cases,
        images=np.array([row_of[name] for name in asked["sample"]], np.int64),
        texts=tuple(asked["text"]),
        answers=np.array([normalise(answer) for answer in asked["answer"]], object),
        closed=asked["closed"].to_numpy(bool),
        kinds=asked["kind"].to_numpy(object),
    )
