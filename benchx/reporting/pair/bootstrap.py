"""The bootstrap tests of a pair: percentile, BCa, and percentile within strata of the rarest classes.

Each resamples the test cases' clusters and holds the draws fixed: it asks about these trained models on other patients.
Its p value is one minus the largest level whose interval leaves out 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchx.reporting.pair.sides import ROUNDING, Pairing, PairTest, unvarying
from benchx.statistics.bootstrap import bca_interval, macro_auroc_replicates, percentile_interval, sums_replicates
from benchx.statistics.paired_tests import cluster_numbers
from benchx.statistics.resampling import Draws, draw_clusters, leave_out, values_held

_LEAST_CLUSTERS = 10
"""Per stratum, on average. A bootstrap within H strata of K clusters loses the share H / K of the variance, since a
stratum of n clusters adds (n - 1) / n of its own (one that is alone is in every replicate once)."""


def percentile_test(pair: Pairing) -> PairTest:
    """Return the percentile interval of the draw-averaged difference, and the p value that follows from it."""
    replicates = _averaged(pair.a.replicates, pair.b.replicates)
    basis = f"resamples {pair.units}, draws fixed; {len(replicates)} replicates, smallest p {_smallest(replicates):.2g}"
    return _bootstrapped("percentile", pair, replicates, lambda level: percentile_interval(replicates, level), basis)


def bca_test(pair: Pairing) -> PairTest:
    """Return the BCa interval of the draw-averaged difference, and the p value that follows from it."""
    left_out = leave_out(pair.clusters)
    jackknife = _replicated(pair, left_out)
    if np.isfinite(jackknife).sum() < 2:
        return PairTest("BCa", reason=f"a class has no value left without one {pair.unit}: no jackknife")
    replicates = _averaged(pair.a.replicates, pair.b.replicates)
    basis = f"as percentile, bias and skewness corrected; jackknife of {len(left_out.counts)}"
    return _bootstrapped(
        "BCa",
        pair,
        replicates,
        lambda level: bca_interval(replicates, pair.estimate.value, jackknife, level),
        basis,
    )


def stratified_test(pair: Pairing) -> PairTest:
    """Return the percentile interval where the numbers of positive clusters of the rarest classes are held.

    Replicates that lack a value of another class are left out, which is what drawing them again would do.
    """
    name = "stratified percentile"
    strata = _rare_strata(pair.labels, pair.clusters)
    if not strata.columns:
        return PairTest(name, reason=f"{pair.size} {pair.units} are too few for strata by even the rarest class")
    draws = draw_clusters(
        pair.clusters,
        pair.a.replicates.shape[1],
        pair.seed,
        pair.labels[:, strata.columns],
        stratified=True,
    )
    replicates = _replicated(pair, draws)
    replicates = replicates[np.isfinite(replicates)]
    if len(replicates) < len(draws.counts) / 2:
        return PairTest(name, reason="most replicates lack a value of a class that makes no strata")
    held = pair.classes[strata.columns[0]] if len(strata.columns) == 1 else f"the {len(strata.columns)} rarest classes"
    basis = f"as percentile, within {strata.count} strata by {held}; {len(replicates)} replicates"
    return _bootstrapped(name, pair, replicates, lambda level: percentile_interval(replicates, level), basis)


@dataclass(frozen=True)
class _Strata:
    """By which classes clusters are grouped, the rarest first, and into how many groups."""

    columns: list[int]
    count: int


def _rare_strata(labels: np.ndarray, clusters: Sequence[str]) -> _Strata:
    """Choose as many of the rarest classes as leave ten clusters a stratum on average; none where one leaves fewer."""
    held = values_held(labels, cluster_numbers(clusters, len(labels)))
    rarest = np.argsort(held.sum(axis=0).min(axis=0), kind="stable")
    for chosen in (rarest[:count] for count in range(len(rarest), 0, -1)):
        strata = len(np.unique(held[:, :, chosen].reshape(len(held), -1), axis=0))
        if strata * _LEAST_CLUSTERS <= len(held):
            return _Strata(chosen.tolist(), strata)
    return _Strata([], 0)


def _averaged(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.mean(axis=0) - b.mean(axis=0)


def _replicated(pair: Pairing, draws: Draws) -> np.ndarray:
    """Return the draw-averaged difference of every replicate [R]."""
    if (measure := pair.measure) is not None:
        sides = (
            np.stack([sums_replicates(terms, measure.of_sums, draws) for terms in side.scores])
            for side in (pair.a, pair.b)
        )
        return _averaged(*sides)
    of_a, of_b = (
        np.stack([macro_auroc_replicates(scores, pair.labels, draws) for scores in side.scores])
        for side in (pair.a, pair.b)
    )
    return _averaged(of_a, of_b)


def _bootstrapped(
    name: str, pair: Pairing, replicates: np.ndarray, interval: Callable[[float], tuple[float, float]], basis: str
) -> PairTest:
    if np.ptp(replicates) <= ROUNDING:
        return PairTest(name, reason=unvarying(pair))
    low, high = interval(pair.estimate.level)
    smallest = _smallest(replicates)
    p_value = _inverted(interval, smallest)
    return PairTest(name, pair.estimate.value, low, high, p_value, pair.size, smallest, basis)


def _smallest(replicates: np.ndarray) -> float:
    return 2 / (len(replicates) + 1)


def _inverted(interval: Callable[[float], tuple[float, float]], smallest: float) -> float:
    """Return 1 - the largest level whose interval leaves out 0, not below the smallest p value, by bisection."""

    def leaves_out_zero(level: float) -> bool:
        low, high = interval(level)
        return low > 0 or high < 0

    if leaves_out_zero(1 - smallest):
        return smallest
    outside, inside = 0.0, 1 - smallest
    while inside - outside > smallest / 100:
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if leaves_out_zero(middle) else (outside, middle)
    return 1 - outside
