"""A score of sums over cases within the subgroups of a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchx.reporting.rows import Part
from benchx.statistics.bootstrap import sums_replicates
from benchx.statistics.per_class import MIN_CLUSTERS
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import mean_estimate, of_score
from benchx.tasks.measures import Measure


def measure_subgroups(
    measure: Measure, terms: Sequence[np.ndarray], groups: Mapping[str, np.ndarray], draws: Draws, level: float
) -> tuple[Part, ...]:
    """Score every subgroup of every attribute; replicates without a case of it are left out.

    Args:
        terms: of every draw, [N, M].
        groups: by attribute the subgroup of every case, None where unknown.
    """
    return tuple(
        _part(f"{attribute}: {name}", measure, [one * (of_case == name)[:, None] for one in terms], draws, level)
        for attribute, of_case in groups.items()
        for name in sorted({*of_case} - {None})
    )


def _part(name: str, measure: Measure, terms: Sequence[np.ndarray], draws: Draws, level: float) -> Part:
    counting = terms[0].any(axis=1)
    cases, clusters = int(counting.sum()), len(np.unique(draws.member[counting]))
    if clusters < MIN_CLUSTERS:
        return Part(name, cases, None, f"fewer than {MIN_CLUSTERS} clusters")
    replicates = np.stack([sums_replicates(one, measure.of_sums, draws) for one in terms])
    kept = np.isfinite(replicates).all(axis=0)
    scores = np.array([float(measure.of_sums(one.sum(axis=0))) for one in terms])
    if kept.sum() < 2 or not np.isfinite(scores).all():
        return Part(name, cases, None, "no score")
    return Part(name, cases, of_score(mean_estimate(scores, replicates[:, kept], clusters, level)))
