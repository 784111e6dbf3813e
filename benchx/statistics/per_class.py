"""The AUROC of every class of a column, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.metrics.classification import auroc
from benchx.statistics.case_error import holders, of_macro
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import Estimate, mean_estimate

MIN_CLUSTERS = 5
"""Clusters that hold a positive, and that hold a negative, below which a class gets no interval: a bootstrap replicate
lacks a value that m clusters hold with probability about exp(-m), at five in one of 150."""

Scored = tuple[np.ndarray, np.ndarray]
"""Scores and labels of one draw, both [N, C]; labels in {0, 1, NaN}."""


@dataclass(frozen=True)
class ClassScore:
    """The AUROC of one class, averaged over draws.

    Attributes:
        name: of the class.
        positives, negatives: cases.
        estimate: with its interval over clusters and draws; None where there is none.
        reason: why there is none.
    """

    name: str
    positives: int
    negatives: int
    estimate: Estimate | None
    reason: str | None


def class_scores(
    per_draw: Sequence[Scored],
    replicates: np.ndarray,
    classes: Sequence[str],
    draws: Draws,
    level: float = 0.95,
) -> tuple[ClassScore, ...]:
    """Score every class by itself.

    Args:
        per_draw: scores and labels of every draw (seed) of a method, on the same cases.
        replicates: [S, R, C] of `benchx.statistics.auroc_kernel.auroc_replicates`, of every draw.
        classes: the C names.
        draws: resampled clusters of these cases. Replicates that lack a value of a class are left out for that class,
            which is what drawing them again would do.
        level: of the intervals.

    Raises:
        ValueError: draws have other labels or other cases, or a score is NaN.
    """
    labels = shared_labels(per_draw, draws)
    if len(classes) != labels.shape[1]:
        raise ValueError(f"{len(classes)} class names for {labels.shape[1]} columns")
    held = holders(labels, draws.member)
    clusters = len(np.unique(draws.member))
    found = []
    for index, name in enumerate(classes):
        truth = labels[:, index]
        counts = int((truth == 1).sum()), int((truth == 0).sum())
        if held[index] < MIN_CLUSTERS:
            reason = f"too few: fewer than {MIN_CLUSTERS} clusters hold a positive, or a negative"
            found.append(ClassScore(name, *counts, None, reason))
            continue
        values = np.array([auroc(scores[:, index], truth) for scores, _ in per_draw])
        kept = np.isfinite(replicates[:, :, index]).all(axis=0)
        seen = replicates[:, kept, index]
        error = of_macro(seen.mean(axis=0)[:, None], held[[index]], clusters)
        estimate = mean_estimate(values, seen, error, level)
        found.append(ClassScore(name, *counts, estimate, None))
    return tuple(found)


def shared_labels(per_draw: Sequence[Scored], draws: Draws) -> np.ndarray:
    """Return the labels [N, C] that all draws share.

    Raises:
        ValueError: there is no draw, their labels differ, or they are not of the resampled cases.
    """
    if not per_draw:
        raise ValueError("there is no draw to score")
    labels = per_draw[0][1]
    if not all(np.array_equal(labels, other, equal_nan=True) for _, other in per_draw):
        raise ValueError("draws must be scored on the same cases with the same labels")
    if len(labels) != len(draws.member):
        raise ValueError(f"{len(labels)} cases, but clusters of {len(draws.member)} were resampled")
    return labels
