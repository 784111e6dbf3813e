"""CheXbert's labels (Smit et al. 2020), and the F1 between those of generated reports and of their references."""

from __future__ import annotations

from typing import Any

import numpy as np

OBSERVATIONS = (
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
    "No Finding",
)
"""In the order of the labeler's heads."""

FIVE = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
"""The observations that CheXpert's competition is about."""

BLANK, POSITIVE, NEGATIVE, UNCERTAIN = range(4)
"""The classes of a head; the last, `No Finding`, has the first two alone."""

CLASSES = (4,) * 13 + (2,)
"""Number of classes of every head."""


def chexbert_f1(hypotheses: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Score labels against labels as f1chexbert does: a mention counts as positive if it is positive or uncertain.

    Args:
        hypotheses: classes of the generated reports, int [N, 14], N >= 1.
        references: those of their references.

    Returns:
        `micro_14`, `macro_14`, `micro_5`, `macro_5`, in [0, 1]: F1 over all decisions, and the mean of the
        observations' F1, over all 14 and over `FIVE`. An observation that is positive nowhere has F1 0 and counts in
        the mean, as in scikit-learn's classification report.

    Raises:
        ValueError: another shape, no report, or a class that does not exist.
    """
    if hypotheses.shape != references.shape or hypotheses.ndim != 2 or hypotheses.shape[1] != len(OBSERVATIONS):
        raise ValueError(f"labels are [N, 14], not {hypotheses.shape} and {references.shape}")
    if not len(hypotheses):
        raise ValueError("there are no reports")
    if not (np.isin(hypotheses, range(4)).all() and np.isin(references, range(4)).all()):
        raise ValueError("a class is 0 blank, 1 positive, 2 negative or 3 uncertain")
    found, wanted = (np.isin(labels, (POSITIVE, UNCERTAIN)) for labels in (hypotheses, references))
    shared = (found & wanted).sum(axis=0)
    said = found.sum(axis=0) + wanted.sum(axis=0)
    five = [OBSERVATIONS.index(name) for name in FIVE]
    scores = {}
    for name, chosen in (("14", slice(None)), ("5", five)):
        scores[f"micro_{name}"] = float(_f1(shared[chosen].sum(), said[chosen].sum()))
        scores[f"macro_{name}"] = float(_f1(shared[chosen], said[chosen]).mean())
    return scores


def _f1(shared: np.ndarray, said: np.ndarray) -> np.ndarray:
    return 2 * shared / np.maximum(said, 1)


def checked_labels(value: Any) -> list[int]:
    """Return the labels of one report: the class of every observation.

    Raises:
        ValueError: they are not 14 classes, each one that its head has.
    """
    if not isinstance(value, list) or len(value) != len(OBSERVATIONS):
        raise ValueError("labels are a list of 14 classes")
    for label, classes in zip(value, CLASSES, strict=True):
        if type(label) is not int or not 0 <= label < classes:
            raise ValueError("a class is 0 blank, 1 positive, 2 negative or 3 uncertain; No Finding has 0 and 1")
    return value
