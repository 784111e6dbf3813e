"""The AUROC of every class of a column, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.statistics.case_error import holders, of_macro
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import Estimate, mean_estimate

MIN_CLUSTERS = 5
"""Clusters that hold a positive, and that hold a negative, below which a class gets no interval: a bootstrap replicate
lacks a value that m clusters hold with probability about exp(-m), at five in one of 150."""


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
    scores: np.ndarray,
    replicates: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    draws: Draws,
    level: float = 0.95,
) -> tuple[ClassScore, ...]:
    """Put an interval around the score of every class by itself.

    Args:
        scores: AUROCs [S, C] of every draw (seed) of a method, NaN where a class lacks a value.
        replicates: [S, R, C] of `benchx.statistics.auroc_kernel.auroc_replicates`, of every draw.
        labels: [N, C] in {0, 1, NaN}, the same for all draws.
        classes: the C names.
        draws: resampled clusters of the N cases. Replicates that lack a value of a class are left out for that class,
            which is what drawing them again would do.
        level: of the intervals.

    Raises:
        ValueError: shapes do not match.
    """
    count = len(classes)
    if not count == scores.shape[1] == replicates.shape[2] == labels.shape[1] or len(labels) != len(draws.member):
        raise ValueError(
            f"{count} classes and {len(draws.member)} cases, but scores {scores.shape}, replicates {replicates.shape} "
            f"and labels {labels.shape}"
        )
    held = holders(labels, draws.member)
    clusters = len(np.unique(draws.member))
    found = []
    for index, name in enumerate(classes):
        counts = int((labels[:, index] == 1).sum()), int((labels[:, index] == 0).sum())
        if held[index] < MIN_CLUSTERS:
            reason = f"too few: fewer than {MIN_CLUSTERS} clusters hold a positive, or a negative"
            found.append(ClassScore(name, *counts, None, reason))
            continue
        seen = replicates[:, np.isfinite(replicates[:, :, index]).all(axis=0), index]
        error = of_macro(seen.mean(axis=0)[:, None], held[[index]], int(held[index]), clusters)
        found.append(ClassScore(name, *counts, mean_estimate(scores[:, index], seen, error, level), None))
    return tuple(found)
