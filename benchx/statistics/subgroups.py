"""Scores of subgroups of test cases (sex, age band, view), and the gap between the best and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from benchx.metrics.classification import macro_auroc
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.case_error import holders, of_macro, pool
from benchx.statistics.multiplicity import holm
from benchx.statistics.per_class import MIN_CLUSTERS
from benchx.statistics.resampling import Draws
from benchx.statistics.variance import Estimate, difference_estimate, mean_estimate, of_difference

Scored = tuple[np.ndarray, np.ndarray]
"""Scores and labels of one draw, both [N, C]; labels in {0, 1, NaN}."""


_LEAST_KEPT = 0.1
"""The share of replicates that must hold every class in every compared subgroup."""


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
        ValueError: draws have other labels or other cases, or a score is NaN.
    """
    labels = _shared_labels(per_draw, draws)
    if len(groups) != len(labels):
        raise ValueError(f"{len(groups)} subgroup values for {len(labels)} cases")
    members = {name: _members(groups == name, labels, draws) for name in sorted({*groups} - {None})}
    classes = _common_classes(list(members.values()))
    scored = _scored(per_draw, {name: one for name, one in members.items() if one.enough.any()}, classes, draws)
    estimates = {
        name: mean_estimate(one.values, one.macro, of_macro(one.by_class, one.held, one.pooled, one.clusters), level)
        for name, one in scored.items()
    }
    order = sorted(scored, key=lambda name: -estimates[name].value)
    pairs = {(a, b): _difference(scored[a], scored[b], level) for a, b in combinations(order, 2)}
    subgroups = tuple(
        Subgroup(
            name, len(one.rows), one.clusters, estimates.get(name), None if name in estimates else _why(one.enough)
        )
        for name, one in members.items()
    )
    return SubgroupScores(subgroups, tuple(int(index) for index in classes), _largest(pairs))


@dataclass(frozen=True)
class _Members:
    """The cases [n] of a subgroup, its clusters, and the fewest of them that hold a value of each class [C]."""

    rows: np.ndarray
    clusters: int
    held: np.ndarray

    @property
    def enough(self) -> np.ndarray:
        """Which classes can be scored, bool [C]."""
        return self.held >= MIN_CLUSTERS


@dataclass(frozen=True)
class _Scores:
    """A subgroup on the common classes: macro AUROC `values` [S], replicates [S, R, C], and what they rest on."""

    values: np.ndarray
    replicates: np.ndarray
    held: np.ndarray
    pooled: int
    clusters: int

    @property
    def macro(self) -> np.ndarray:
        """Replicates of the macro AUROC, [S, R]."""
        return self.replicates.mean(axis=2)

    @property
    def by_class(self) -> np.ndarray:
        """Replicates averaged over draws, [R, C]."""
        return self.replicates.mean(axis=0)


def _members(inside: np.ndarray, labels: np.ndarray, draws: Draws) -> _Members:
    rows = np.flatnonzero(inside)
    member = draws.member[rows]
    return _Members(rows, len(np.unique(member)), holders(labels[rows], member))


def _common_classes(members: Sequence[_Members]) -> np.ndarray:
    """Return the classes that every subgroup with any class can be scored on."""
    enough = [one.enough for one in members if one.enough.any()]
    return np.flatnonzero(np.logical_and.reduce(enough)) if enough else np.zeros(0, int)


def _scored(
    per_draw: Sequence[Scored], members: dict[str, _Members], classes: np.ndarray, draws: Draws
) -> dict[str, _Scores]:
    """Score subgroups on the same classes and replicates; nothing where too few of either are left."""
    if not len(classes):
        return {}
    found = {}
    for name, one in members.items():
        inside = replace(draws, member=draws.member[one.rows])
        chosen = np.ix_(one.rows, classes)
        parts = [(scores[chosen], labels[chosen]) for scores, labels in per_draw]
        values = np.array([macro_auroc(*part) for part in parts], np.float64)
        replicates = np.stack([auroc_replicates(*part, inside) for part in parts])
        pooled = pool(parts[0][1], inside.member)
        found[name] = _Scores(values, replicates, one.held[classes], pooled, one.clusters)
    kept = np.logical_and.reduce([np.isfinite(one.replicates).all(axis=(0, 2)) for one in found.values()])
    if kept.sum() < len(kept) * _LEAST_KEPT:
        return {}
    return {name: replace(one, replicates=one.replicates[:, kept]) for name, one in found.items()}


def _difference(a: _Scores, b: _Scores, level: float) -> Estimate:
    error = of_macro(
        a.by_class - b.by_class,
        np.minimum(a.held, b.held),
        min(a.pooled, b.pooled),
        min(a.clusters, b.clusters),
        "difference",
    )
    return of_difference(
        difference_estimate(a.values, a.macro, b.values, b.macro, error, paired_draws=True, level=level)
    )


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
        return "too few: no class can be scored in every subgroup, or in enough replicates"
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
