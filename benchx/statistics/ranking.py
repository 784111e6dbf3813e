"""Ranks of methods: within a column by bootstrap, across columns by the Friedman test and what follows it.

Rank 1 is the best. A block is what the methods are ranked on: a dataset, or a family of datasets from one source
(`benchx.statistics.aggregation.block_ranks`). The tests across blocks are those that Demsar (2006, Journal of Machine
Learning Research 7:1-30) recommends.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, prod, sqrt

import numpy as np
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import f as f_distribution
from scipy.stats import rankdata, studentized_range

from benchx.statistics.multiplicity import first_threshold, holm
from benchx.statistics.paired_tests import needed, wilcoxon_signed_rank


@dataclass(frozen=True)
class RankDistribution:
    """How often each method takes each rank over bootstrap replicates.

    Attributes:
        probabilities: [M, M], method x rank; rows and columns sum to 1.
        best: [M], the first column: P(rank 1).
        low: [M], lower end of the rank interval, a whole number.
        high: [M], its upper end.
    """

    probabilities: np.ndarray
    best: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Friedman:
    """The Friedman test over blocks: chi-square, and the F of Iman and Davenport (1980), which is less conservative.

    `mean_ranks` is [M]; `f` is infinite where every block ranks the methods alike.
    """

    mean_ranks: np.ndarray
    chi2: float
    chi2_p: float
    f: float
    f_p: float
    blocks: int
    methods: int


@dataclass(frozen=True)
class WilcoxonHolm:
    """Pairwise Wilcoxon signed-rank tests over blocks, corrected by Holm.

    Attributes:
        p: [M, M] adjusted two-sided p values, 1 on the diagonal.
        smallest_p: what an unadjusted p can fall to with this many blocks, 2 / 2^B.
        needed_blocks: the fewest blocks with which any pair could be told apart.
        decides: False where there are fewer blocks than that: no data whatever would have led to a rejection.
    """

    p: np.ndarray
    smallest_p: float
    needed_blocks: int
    decides: bool


def ranks(scores: np.ndarray) -> np.ndarray:
    """Return the ranks [..., M] of scores [..., M] where higher is better; ties share their mean rank.

    Raises:
        ValueError: a score is NaN (missing cells are set apart by `aggregation.complete_case` first).
    """
    return rankdata(-_without_nan(scores), axis=-1)


def bootstrap_ranks(replicates: np.ndarray, level: float = 0.95) -> RankDistribution:
    """Return the distribution of the methods' ranks over bootstrap replicates of their scores.

    Methods that tie in a replicate share the ranks that they cover evenly. The interval is that of the percentiles;
    it is a description: where true scores are equal the bootstrap of ranks is not consistent (Hall and Miller 2009,
    Annals of Statistics 37:3929-3959), so which methods differ is told by the tests.

    Args:
        replicates: [R, M] scores on the same draws for all methods, higher better.
        level: share of the replicates inside the rank interval.

    Raises:
        ValueError: a score is NaN, or there is no replicate or no method.
    """
    negated = -_without_nan(replicates)
    if negated.ndim != 2 or 0 in negated.shape:
        raise ValueError(f"ranks need replicates x methods, not an array of shape {negated.shape}")
    first, last = rankdata(negated, "min", axis=1), rankdata(negated, "max", axis=1)
    share = 1 / (last - first + 1)
    places = range(1, negated.shape[1] + 1)
    probabilities = np.stack([(share * ((first <= k) & (k <= last))).mean(axis=0) for k in places], axis=1)
    cumulative = probabilities.cumsum(axis=1)
    rounding = 1e-9
    low = 1 + (cumulative < (1 - level) / 2 - rounding).sum(axis=1)
    high = 1 + (cumulative < (1 + level) / 2 - rounding).sum(axis=1)
    return RankDistribution(probabilities, probabilities[:, 0], low, high)


def friedman(scores: np.ndarray) -> Friedman:
    """Test whether methods have the same mean rank over blocks (Friedman 1937), corrected for ties.

    Args:
        scores: [B, M], blocks x methods, higher better; only their order within a block counts.

    Raises:
        ValueError: a score is NaN, fewer than two blocks, or fewer than two methods.
    """
    ranked = ranks(scores)
    blocks, methods = ranked.shape
    tied = sum(int((size**3 - size).sum()) for size in (np.unique(row, return_counts=True)[1] for row in ranked))
    scale = blocks * methods * (methods**2 - 1)
    return friedman_from_ranks(ranked.mean(axis=0), blocks, 1 - tied / scale if scale else 1.0)


def friedman_from_ranks(mean_ranks: np.ndarray, blocks: int, tie_correction: float = 1.0) -> Friedman:
    """Return the Friedman test of published mean ranks.

    Where every block ranks the methods alike F is infinite, and `f_p` is then the exact probability of that under the
    null: one over the number of orders, to the power B - 1.

    Args:
        mean_ranks: [M].
        blocks: B.
        tie_correction: 1 - sum(t^3 - t) / (B M (M^2 - 1)) over groups of t tied methods in a block; 0 if all are tied.

    Raises:
        ValueError: fewer than two blocks, or fewer than two methods.
    """
    mean_ranks = np.asarray(mean_ranks, dtype=float)
    methods = len(mean_ranks)
    _check_sizes(methods, blocks)
    spread = float(((mean_ranks - (methods + 1) / 2) ** 2).sum())
    most = blocks * (methods - 1)
    chi2 = 12 * blocks / (methods * (methods + 1)) * spread / tie_correction if tie_correction else 0.0
    chi2_p = float(chi2_distribution.sf(chi2, methods - 1))
    if most - chi2 <= 1e-9 * most:
        tied = np.unique(mean_ranks.round(9), return_counts=True)[1]
        orders = factorial(methods) // prod(factorial(int(size)) for size in tied)
        return Friedman(mean_ranks, chi2, chi2_p, float("inf"), float(orders) ** (1 - blocks), blocks, methods)
    f = (blocks - 1) * chi2 / (most - chi2)
    f_p = float(f_distribution.sf(f, methods - 1, (methods - 1) * (blocks - 1)))
    return Friedman(mean_ranks, chi2, chi2_p, f, f_p, blocks, methods)


def nemenyi(mean_ranks: np.ndarray, blocks: int) -> np.ndarray:
    """Return the p values [M, M] of Nemenyi's test (1963) for every pair of mean ranks, 1 on the diagonal.

    They already hold for the whole family of pairs (studentized range with infinite degrees of freedom).

    Raises:
        ValueError: fewer than two blocks, or fewer than two methods.
    """
    mean_ranks = np.asarray(mean_ranks, dtype=float)
    error = _rank_error(len(mean_ranks), blocks)
    gaps = np.abs(mean_ranks[:, None] - mean_ranks[None, :])
    p = np.ones_like(gaps)
    upper = np.triu_indices(len(mean_ranks), 1)
    p[upper] = np.clip(studentized_range.sf(gaps[upper] / error * sqrt(2), len(mean_ranks), np.inf), 0, 1)
    return np.minimum(p, p.T)


def critical_difference(methods: int, blocks: int, alpha: float = 0.05) -> float:
    """Return the gap of mean ranks from which on Nemenyi's test rejects (Demsar 2006, section 3.2.2).

    Raises:
        ValueError: fewer than two blocks, or fewer than two methods.
    """
    error = _rank_error(methods, blocks)
    return float(studentized_range.isf(alpha, methods, np.inf)) / sqrt(2) * error


def cliques(mean_ranks: np.ndarray, critical_difference: float) -> list[list[int]]:
    """Return the groups that a critical-difference diagram joins by a bar, from the best on.

    A group is a largest run of neighbours in rank whose ends are closer than the critical difference; it has two
    methods or more.

    Args:
        mean_ranks: [M].
        critical_difference: of `critical_difference`.

    Returns:
        Places in `mean_ranks`, best first within a group.
    """
    order = np.argsort(mean_ranks, kind="stable")
    ranked = np.asarray(mean_ranks, dtype=float)[order]
    groups, reached = [], 0
    for start in range(len(order)):
        end = start + int((ranked[start:] - ranked[start] < critical_difference).sum())
        if end > max(reached, start + 1):
            groups.append([int(place) for place in order[start:end]])
            reached = end
    return groups


def wilcoxon_holm(scores: np.ndarray, alpha: float = 0.05) -> WilcoxonHolm:
    """Compare every pair of methods over blocks by the Wilcoxon signed-rank test, corrected by Holm.

    A pair's p does not depend on which other methods are compared, as Nemenyi's does (Benavoli, Corani and Mangili
    2016). Differences must be of one scale, so blocks hold scores of one metric.

    Args:
        scores: [B, M], blocks x methods.
        alpha: family-wise error.

    Raises:
        ValueError: a score is NaN, no block, or fewer than two methods.
    """
    scores = _without_nan(scores)
    blocks, methods = scores.shape
    _check_sizes(methods, blocks, fewest=1)
    first, second = np.triu_indices(methods, 1)
    raw = [wilcoxon_signed_rank(scores[:, a], scores[:, b]).p_value for a, b in zip(first, second, strict=True)]
    p = np.ones((methods, methods))
    p[first, second] = holm(np.array(raw))
    enough = needed(first_threshold(len(raw), alpha))
    return WilcoxonHolm(np.minimum(p, p.T), min(1.0, 2.0 ** (1 - blocks)), enough, blocks >= enough)


def _rank_error(methods: int, blocks: int) -> float:
    """Return the standard deviation of the difference of two mean ranks under the null hypothesis, without ties."""
    _check_sizes(methods, blocks)
    return sqrt(methods * (methods + 1) / (6 * blocks))


def _check_sizes(methods: int, blocks: int, fewest: int = 2) -> None:
    if methods < 2:
        raise ValueError(f"a comparison needs two methods or more, there are {methods}")
    if blocks < fewest:
        raise ValueError(f"this test needs {fewest} blocks (datasets) or more, there are {blocks}")


def _without_nan(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=float)
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: rank only methods with a result in every block")
    return scores
