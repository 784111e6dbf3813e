"""Calibration of multi-label classification: Brier score, expected calibration error, reliability plot data.

All of them look at one class at a time and take the predicted probability of that class, sigmoid(logit), at its word.
Labels are in {0, 1, NaN}, and a case whose label is NaN does not count. Folds are pooled: a class that a fold
could not train has a constant logit there, and its probability says nothing about those cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.special import expit

from benchx.metrics.classification import scorable

BINS = 15
"""Bins of a calibration error where cases are many; the number that Guo et al. (ICML 2017) used."""

MIN_CASES = 10
"""Cases that a bin holds on average at least: with fewer, its observed rate is noise, and so is its distance."""


@dataclass(frozen=True)
class Bin:
    """One point of a reliability plot.

    Attributes:
        probability: mean predicted probability of its cases.
        observed: their share of positives.
        low, high: Wilson's interval (1927) of that share, as if every case were a patient of its own.
        cases: how many.
    """

    probability: float
    observed: float
    low: float
    high: float
    cases: int


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance of probability and label (Brier 1950), 0 (best) to 1; NaN without a case.

    Args:
        probabilities: [N], in [0, 1].
        labels: [N] in {0, 1, NaN}.

    Raises:
        ValueError: shapes differ, a label is another value, or a labelled case's probability lies outside [0, 1].
    """
    probabilities, labels = _labelled(probabilities, labels)
    return float(np.mean((probabilities - labels) ** 2)) if len(labels) else float("nan")


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS, level: float = 0.95
) -> tuple[Bin, ...]:
    """Return the points of a reliability plot in bins of equal mass, by ascending probability.

    Bins are those of adaptive calibration error (Nixon et al., CVPR workshops 2019): the cases in the order of their
    probabilities, cut into `bins` parts of equal size, fewer where a part would hold less than ten cases on
    average. Cases of equal probability are never separated: all of them go where the middle one falls,
    so that bins can be unequal, or fewer, and a constant prediction makes one.

    Args:
        probabilities, labels: as `brier_score`.
        bins: how many at most.
        level: of the intervals.

    Raises:
        ValueError: as `brier_score`.
    """
    probabilities, labels = _labelled(probabilities, labels)
    cases = len(labels)
    bins = max(1, min(bins, cases // MIN_CASES))
    _, tied, count = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle_twice = 2 * (np.cumsum(count) - count) + count - 1
    number = (middle_twice * bins // (2 * max(cases, 1)))[tied]
    z = NormalDist().inv_cdf((1 + level) / 2)
    return tuple(_bin(probabilities[number == one], labels[number == one], z) for one in np.unique(number))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Return the mean over cases of the distance between a bin's mean probability and its share of positives.

    The bins are those of `reliability`. The value is biased upwards where bins hold few cases, as noise alone makes a
    distance (Roelofs et al., AISTATS 2022): compare methods on the same cases only. NaN without a labelled case.

    Raises:
        ValueError: as `brier_score`.
    """
    return _distance(reliability(probabilities, labels, bins))


def calibration_scores(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return the calibration of a test set.

    Args:
        scores: logits [N, C].
        labels: [N, C] in {0, 1, NaN}.
        classes: the C names.

    Returns:
        A JSON value: `brier` and `ece` (means over the scorable classes, None without one), and
        `per_class` {name: brier, ece, bins (how many there were)}, None each where the class is not scorable.

    Raises:
        ValueError: as `brier_score`, or the names do not match the columns.
    """
    if scores.shape != labels.shape or scores.ndim != 2 or len(classes) != scores.shape[1]:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} must both be [N, C] with C = {len(classes)}")
    per_class: dict[str, dict[str, Any]] = {name: {"brier": None, "ece": None, "bins": None} for name in classes}
    for index in np.flatnonzero(scorable(labels)):
        probabilities, truth = expit(np.asarray(scores[:, index], np.float64)), labels[:, index]
        points = reliability(probabilities, truth)
        values = {"brier": brier_score(probabilities, truth), "ece": _distance(points), "bins": len(points)}
        per_class[classes[int(index)]] = values
    known = [values for values in per_class.values() if values["bins"]]
    return {
        "brier": float(np.mean([values["brier"] for values in known])) if known else None,
        "ece": float(np.mean([values["ece"] for values in known])) if known else None,
        "per_class": per_class,
    }


def _labelled(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cases whose label is known, as float64."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    if probabilities.shape != labels.shape or labels.ndim != 1:
        raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} do not match")
    valid = ~np.isnan(labels)
    probabilities, labels = probabilities[valid], labels[valid]
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        raise ValueError(f"{int(outside.sum())} of {len(outside)} probabilities are NaN or outside 0 to 1")
    return probabilities, labels


def _bin(probabilities: np.ndarray, labels: np.ndarray, z: float) -> Bin:
    cases, rate = len(labels), float(labels.mean())
    centre = (rate + z**2 / (2 * cases)) / (1 + z**2 / cases)
    half = z / (1 + z**2 / cases) * (rate * (1 - rate) / cases + z**2 / (4 * cases**2)) ** 0.5
    return Bin(float(probabilities.mean()), rate, max(0.0, centre - half), min(1.0, centre + half), cases)


def _distance(points: Sequence[Bin]) -> float:
    if not points:
        return float("nan")
    distances = [abs(point.probability - point.observed) for point in points]
    return float(np.average(distances, weights=[point.cases for point in points]))
