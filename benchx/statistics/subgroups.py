"""Scores of subgroups of test cases (sex, age band, view), and the gap between the best and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchx.metrics.classification import macro_auroc
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.case_error import holders, of_macro
from benchx.statistics.multiplicity import holm
from benchx.statistics.per_class import MIN_CLUSTERS
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import Estimate, difference_estimate, mean_estimate

Scored = tuple[np.ndarray, np.ndarray]
"""Scores and labels of one draw, both [N, C]; labels in {0, 1, NaN}."""


@dataclass(frozen=True)
class Subgroup:
    """One subgroup of the test cases.

    Attributes:
        name: its value, such as `female`.
        cases, clusters: how many.
        estimate: macro AUROC over `SubgroupScores.classes`, averaged over draws; None where it is not compared.
        reason: why it is not.
    """

    name: str
    cases: int
    clusters: int
    estimate: Estimate | None
    reason: str | None


@dataclass(frozen=True)
class Gap:
    """The best subgroup minus the worst.

    Attributes:
        best, worst: names.
        estimate: of the difference. Its interval and p value know nothing of the choice of this pair among all.
        p_value: of this pair after Holm's correction over all pairs.
        p_any: that no two subgroups differ: the smallest of all corrected p values.
        pairs: how many there were.
    """

    best: str
    worst: str
    estimate: Estimate
    p_value: float
    p_any: float
    pairs: int


@dataclass(frozen=True)
class SubgroupScores:
    """All subgroups, by name; the columns of the classes they are scored on; and the gap, None below two compared."""

    subgroups: tuple[Subgroup, ...]
    classes: tuple[int, ...]
    gap: Gap | None


def subgroup_scores(
    per_draw: Sequence[Scored], groups: np.ndarray, draws: Draws, level: float = 0.95
) -> SubgroupScores:
    """Score every subgroup on the classes that all of them can be scored on, so that the scores compare.

    A class can be scored in a subgroup where five clusters of it or more hold a positive, and five a negative (see
    `benchx.statistics.per_class.MIN_CLUSTERS`). A subgroup without such a class is listed as too few and does
    not hold up the others. All subgroups share the resampled clusters, so that a patient with cases in two
    of them (views) is drawn for both. A replicate that lacks a value of a class in any compared subgroup is left out,
    which is what drawing it again would do. The gap's degrees of freedom are those of the smaller subgroup,
    class by class: the conservative choice for a difference.

    The pair with the largest gap is picked by looking: its own interval is too narrow as a statement about it.
    `Gap.p_any` and `Gap.p_value` are corrected for that over all pairs (Holm 1979).

    Args:
        per_draw: scores and labels of every draw (seed) of a method, on the same cases.
        groups: [N], the subgroup of each case, a string, or None where unknown; such cases count nowhere.
        draws: resampled clusters of these cases.
        level: of the intervals.

    Raises:
        ValueError: draws have other labels or other cases, a score is NaN, or fewer than two replicates are left.
    """
    labels = _shared_labels(per_draw, draws)
    if len(groups) != len(labels):
        raise ValueError(f"{len(groups)} subgroup values for {len(labels)} cases")
    rows = {name: np.flatnonzero(groups == name) for name in sorted({name for name in groups if name is not None})}
    clusters = {name: len(np.unique(draws.member[one])) for name, one in rows.items()}
    held = {name: holders(labels[one], draws.member[one]) for name, one in rows.items()}
    enough = {name: one >= MIN_CLUSTERS for name, one in held.items()}
    compared = [name for name in rows if enough[name].any()]
    classes = (
        np.flatnonzero(np.logical_and.reduce([enough[name] for name in compared])) if compared else np.zeros(0, int)
    )
    if not len(classes):
        compared = []
    scored = {name: _scored(per_draw, rows[name], classes, draws) for name in compared}
    kept = np.logical_and.reduce([np.isfinite(replicates).all(axis=(0, 2)) for _, replicates in scored.values()])
    if compared and kept.sum() < 2:
        raise ValueError(f"of {len(draws.counts)} replicates {int(kept.sum())} hold every class in every subgroup")
    scored = {name: (values, replicates[:, kept]) for name, (values, replicates) in scored.items()}
    means = {name: (values, replicates.mean(axis=2)) for name, (values, replicates) in scored.items()}
    by_class = {name: replicates.mean(axis=0) for name, (_, replicates) in scored.items()}
    estimates = {
        name: mean_estimate(*means[name], of_macro(by_class[name], held[name][classes], clusters[name]), level)
        for name in compared
    }
    subgroups = tuple(
        Subgroup(name, len(one), clusters[name], estimates.get(name), None if name in estimates else _why(enough[name]))
        for name, one in rows.items()
    )
    pairs = {
        (a, b): difference_estimate(
            *means[a],
            *means[b],
            of_macro(
                by_class[a] - by_class[b],
                np.minimum(held[a], held[b])[classes],
                min(clusters[a], clusters[b]),
                "difference",
            ),
            paired_draws=True,
            level=level,
        )
        for a, b in combinations(sorted(compared, key=lambda name: -estimates[name].value), 2)
    }
    return SubgroupScores(subgroups, tuple(int(index) for index in classes), _largest(pairs))


def _scored(
    per_draw: Sequence[Scored], rows: np.ndarray, classes: np.ndarray, draws: Draws
) -> tuple[np.ndarray, np.ndarray]:
    """Return the macro AUROC [S] of some cases, and every class's replicates [S, R, C], NaN where one lacks a value."""
    inside = replace(draws, member=draws.member[rows])
    parts = [(scores[np.ix_(rows, classes)], labels[np.ix_(rows, classes)]) for scores, labels in per_draw]
    values = np.array([macro_auroc(*part) for part in parts], np.float64)
    return values, np.stack([auroc_replicates(*part, inside) for part in parts])


def _largest(pairs: dict[tuple[str, str], Estimate]) -> Gap | None:
    """Return the gap between the first name of the first pair and the last of the last, the pairs in falling order."""
    if not pairs:
        return None
    corrected = holm(np.array([estimate.p_value for estimate in pairs.values()]))
    best, worst = next(iter(pairs))[0], list(pairs)[-1][1]
    place = list(pairs).index((best, worst))
    return Gap(best, worst, pairs[best, worst], float(corrected[place]), float(corrected.min()), len(pairs))


def _why(enough: np.ndarray) -> str:
    if enough.any():
        return "no class can be scored in every subgroup"
    return f"too few: no class with a positive in {MIN_CLUSTERS} clusters, and a negative in {MIN_CLUSTERS}"


def _shared_labels(per_draw: Sequence[Scored], draws: Draws) -> np.ndarray:
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
