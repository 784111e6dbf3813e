"""Operating points: a threshold that holds a specificity on held-out cases, and the rates it gives on others.

A case is called positive when its score is greater than the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_NEGATIVES = 10
"""Held-out negatives that a threshold needs: with fewer, a specificity of 0.9 means above every one of them."""


@dataclass(frozen=True)
class Rates:
    """What calls come to.

    Attributes:
        sensitivity: share of the positives that are called, None without one.
        specificity: share of the negatives that are not called, None without one.
        positives, negatives: how many cases the shares are of.
    """

    sensitivity: float | None
    specificity: float | None
    positives: int
    negatives: int


def threshold_at_specificity(negatives: np.ndarray, target: float) -> float | None:
    """Return the smallest threshold that leaves at least a share `target` of the negatives uncalled.

    It is the score of one of them. Negatives that share it are all uncalled, so that with ties the specificity
    is above the target and never below.

    Args:
        negatives: [n], scores of held-out negatives.
        target: specificity, in (0, 1].

    Returns:
        The threshold; None for fewer than ten negatives.

    Raises:
        ValueError: a score is not finite, or the target is not in (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"a specificity lies above 0 and up to 1, this is {target}")
    if not np.isfinite(negatives).all():
        raise ValueError("scores of negatives are NaN or infinite")
    if len(negatives) < MIN_NEGATIVES:
        return None
    reached = np.arange(1, len(negatives) + 1) / len(negatives) >= target
    return float(np.sort(negatives)[np.argmax(reached)])


def rates(called: np.ndarray, labels: np.ndarray) -> Rates:
    """Return sensitivity and specificity of calls.

    Args:
        called: [N], 1 = called positive, 0 = not, NaN = no threshold was there to judge the case.
        labels: [N] in {0, 1, NaN}; cases that are NaN in either do not count.

    Raises:
        ValueError: shapes differ, or a value is none of these.
    """
    called, labels = np.asarray(called, np.float64), np.asarray(labels, np.float64)
    if called.shape != labels.shape or labels.ndim != 1:
        raise ValueError(f"calls {called.shape} and labels {labels.shape} do not match")
    counted = ~np.isnan(called) & ~np.isnan(labels)
    called, labels = called[counted], labels[counted]
    if not np.isin(np.append(called, labels), (0, 1)).all():
        raise ValueError("calls and labels must be 0, 1 or NaN")
    positive, negative = called[labels == 1], called[labels == 0]
    return Rates(
        float(positive.mean()) if len(positive) else None,
        float((1 - negative).mean()) if len(negative) else None,
        len(positive),
        len(negative),
    )
