"""Tests of two methods on the same cases: McNemar, Wilcoxon signed-rank, and permutations.

Every test says with how many units it decides and how small its p value could have become with them, so that
a caller can tell "no difference found" from "could not have found one".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, chi2, rankdata, wilcoxon

_NOISE = 1e-12
"""Relative size under which a difference of sums is rounding, not a difference."""

_MOST_TIED = 13
"""Tied differences whose patterns of signs a signed-rank test counts out; scipy has the same bound, and is slow."""

_BLOCK = 2**20
"""Signs drawn at a time: bounds the memory of a permutation test."""


@dataclass(frozen=True)
class TestResult:
    """The outcome of a paired test.

    Attributes:
        statistic: the test's own; its docstring says which.
        p_value: two-sided, in (0, 1].
        n: the cases (or clusters) that decide: those on which the two methods differ.
        smallest_p: the smallest two-sided p value that so many can reach.
    """

    statistic: float
    p_value: float
    n: int
    smallest_p: float


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray, clusters: Sequence[str] | None = None) -> TestResult:
    """Test whether two methods are right equally often on the same cases.

    Without clusters the exact conditional test (McNemar 1947, Psychometrika 12:153): of the n discordant cases
    as many should favour either method; the statistic is the smaller of the two counts.

    With clusters the chi-square of Obuchowski (1998, Statistics in Medicine 17:1495), one degree of freedom: a
    cluster's d is the number of its cases that only a has right minus those that only b has right, the statistic
    (sum d)^2 / (sum d^2 x K / (K - 1)) over K clusters. It compares the shares of correct cases, as scores do,
    where that of Durkalski et al. (2003) gives every patient the same weight. n clusters whose d is not 0 take it
    to n (K - 1) / K at most. It is asymptotic: with fewer than some twenty of these, `paired_permutation` of
    the differences of correctness is the same comparison, exact.

    Args:
        correct_a: bool [N], whether a is right.
        correct_b: bool [N].
        clusters: N names of patients.

    Raises:
        ValueError: shapes differ, or a value is neither true nor false (0 or 1).
    """
    right = [np.asarray(each, float) for each in (correct_a, correct_b)]
    if not all(np.isin(each, (0, 1)).all() for each in right):
        raise ValueError("whether a case is correct must be true or false")
    difference = _differences(right[0], right[1])
    if clusters is None:
        only_a, only_b = int((difference > 0).sum()), int((difference < 0).sum())
        count = only_a + only_b
        p_value = float(binomtest(only_a, count).pvalue) if count else 1.0
        return TestResult(min(only_a, only_b), p_value, count, _smallest(count))
    total, _ = _per_cluster(difference, clusters)
    count = int((total != 0).sum())
    if not count:
        return TestResult(0.0, 1.0, 0, 1.0)
    shrink = (len(total) - 1) / len(total)
    statistic = float(total.sum() ** 2 / (total**2).sum()) * shrink
    return TestResult(statistic, float(chi2.sf(statistic, 1)), count, float(chi2.sf(count * shrink, 1)))


def wilcoxon_signed_rank(a: np.ndarray, b: np.ndarray, clusters: Sequence[str] | None = None) -> TestResult:
    """Test whether per-case scores (Dice, for example) of two methods differ, by signed ranks of the differences.

    Equal pairs are left out, as Wilcoxon (1945) did, and not ranked as Pratt (1959) has them: how many cases
    are trivially equal (an empty mask that both leave empty) then does not change the answer, and n and the
    smallest p stay those of an exact test. With clusters a patient's differences are averaged first, and patients
    are ranked.

    The null distribution is exact up to 50 differences without ties and 13 with ties, otherwise normal with
    tie correction and no continuity correction: that of scipy.stats.wilcoxon. The statistic is the smaller sum
    of ranks. Differences closer than 1e-12 of the largest score are ties.

    Args:
        a: [N].
        b: [N].
        clusters: N names of patients.

    Raises:
        ValueError: shapes differ, or a value is NaN or infinite.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    difference = _differences(a, b)
    if clusters is not None:
        total, size = _per_cluster(difference, clusters)
        difference = total / size
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    if scale > 0:
        difference = np.round(difference / scale, 12)
    difference = difference[difference != 0]
    if not len(difference):
        return TestResult(0.0, 1.0, 0, 1.0)
    ranks = np.sign(difference) * rankdata(np.abs(difference))
    count, tied = len(ranks), len(np.unique(np.abs(ranks))) < len(ranks)
    if tied and count <= _MOST_TIED:
        p_value = permuted(ranks.sum(), _flipped_sums(ranks), count, count**2, 2**count, 0).p_value
    else:
        p_value = float(wilcoxon(difference).pvalue)
    return TestResult(float(min(ranks[ranks > 0].sum(), -ranks[ranks < 0].sum())), p_value, count, _smallest(count))


def paired_permutation(
    differences: np.ndarray, clusters: Sequence[str] | None, permutations: int, seed: int
) -> TestResult:
    """Test whether the mean of per-case differences is 0, by flipping the signs of whole clusters.

    Under the null a cluster's two methods could be exchanged, so every pattern of signs is as likely as the one
    seen. All patterns are counted where there are no more than `permutations`; otherwise that many are drawn,
    and p is (hits + 1) / (permutations + 1) (Phipson and Smyth 2010, SAGMB 9:39). The statistic is the mean
    difference over cases; n counts the clusters whose differences do not cancel.

    Args:
        differences: [N], a's score minus b's.
        clusters: N names of patients; None: every case is its own.
        permutations: at most so many patterns are looked at.
        seed: of the draws.

    Raises:
        ValueError: shapes differ, a difference is NaN or infinite, or permutations is not positive.
    """
    differences = np.asarray(differences, float)
    _differences(differences, np.zeros_like(differences))
    total = differences if clusters is None else _per_cluster(differences, clusters)[0]
    scale = float(np.abs(differences).sum())
    total = total[np.abs(total) > _NOISE * scale]
    cases = max(len(differences), 1)
    return permuted(
        float(differences.sum()) / cases,
        _flipped_sums(total / cases),
        len(total),
        scale / cases,
        permutations,
        seed,
    )


def swap_permutation(
    metric: Callable[[np.ndarray], float],
    a: np.ndarray,
    b: np.ndarray,
    clusters: Sequence[str] | None,
    permutations: int,
    seed: int,
) -> TestResult:
    """Test whether two methods differ in a metric of a whole test set, by exchanging their scores cluster by cluster.

    For metrics that are no mean over cases, such as the AUROC. The null is that of exchangeability: what the two
    methods say about a patient could be swapped without anyone noticing. So both must speak on one scale: turn
    the scores of each method (and class) into ranks over the test set, or calibrated probabilities, before the
    call; otherwise swaps mix the scales, and the test answers whether these differ. Counting and p value
    are those of `paired_permutation`; the statistic is metric(a) - metric(b); n counts the clusters in
    which a and b differ.

    Args:
        metric: gives a number for scores [N, ...], in the order of the cases; it knows the labels.
        a: scores [N, ...].
        b: scores [N, ...].
        clusters: N names of patients; None: every case is its own.
        permutations: at most so many patterns are looked at, at two calls of the metric each.
        seed: of the draws.

    Raises:
        ValueError: shapes differ, a score is NaN or infinite, the metric is NaN, or permutations is not positive.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    apart = np.any(_differences(a, b).reshape(len(a), -1) != 0, axis=1)
    member = cluster_numbers(clusters, len(a))
    differing, place = np.unique(member[apart], return_inverse=True)
    rows = np.flatnonzero(apart)

    def swapped(flips: np.ndarray) -> np.ndarray:
        found = []
        for flip in flips:
            moved = rows[flip[place] == 1]
            one, other = a.copy(), b.copy()
            one[moved], other[moved] = b[moved], a[moved]
            found.append(metric(one) - metric(other))
        return np.array(found)

    of_a, of_b = float(metric(a)), float(metric(b))
    if math.isnan(of_a) or math.isnan(of_b):
        raise ValueError("the metric is NaN")
    return permuted(of_a - of_b, swapped, len(differing), max(abs(of_a), abs(of_b)), permutations, seed)


def needed(threshold: float) -> int:
    """Return how many differing units a sign, signed-rank or McNemar test needs to reach a p value.

    The smallest N whose smallest two-sided p, 2 / 2^N, is not above the threshold: 6 for 0.05.

    Raises:
        ValueError: the threshold is not in (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a threshold for p values lies in (0, 1], not {threshold}")
    # The threshold lies in [2^(e - 1), 2^e), so 2^(e - 1) is the largest power of two that is not above it.
    return 2 - math.frexp(threshold)[1]


def cluster_numbers(clusters: Sequence[str] | None, cases: int) -> np.ndarray:
    """Return the number of each case's cluster [N], in the order of their names; None: every case is its own.

    Raises:
        ValueError: there are not as many names as cases.
    """
    if clusters is None:
        return np.arange(cases)
    if len(clusters) != cases:
        raise ValueError(f"{len(clusters)} clusters for {cases} cases")
    return np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]


def _smallest(count: int) -> float:
    return min(1.0, 2.0 ** (1 - count))


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.shape != b.shape or a.ndim < 1:
        raise ValueError(f"values of shapes {a.shape} and {b.shape} are not paired")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("values are NaN or infinite")
    return a - b


def _per_cluster(values: np.ndarray, clusters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of the values [N] of each cluster [K]."""
    member = cluster_numbers(clusters, len(values))
    return np.bincount(member, values), np.bincount(member)


def _flipped_sums(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from flips [B, K] to the sums [B] of the values [K] with those signs turned."""
    return lambda flips: values.sum() - 2 * (flips @ values)


def permuted(
    observed: float,
    statistics: Callable[[np.ndarray], np.ndarray],
    count: int,
    scale: float,
    permutations: int,
    seed: int,
) -> TestResult:
    """Return how often flips of `count` clusters reach the observed statistic, up to rounding on a scale."""
    if permutations < 1:
        raise ValueError(f"the number of permutations must be positive, not {permutations}")
    if count == 0:
        return TestResult(observed, 1.0, 0, 1.0)
    exact = 2**count <= permutations
    patterns = 2 ** (count - 1) if exact else permutations
    blocks = _all_flips(count) if exact else _drawn_flips(count, permutations, seed)
    reached = 0
    for flips in blocks:
        found = statistics(flips)
        if np.isnan(found).any():
            raise ValueError("the metric is NaN for exchanged scores")
        reached += int((np.abs(found) >= abs(observed) - _NOISE * scale).sum())
    if exact:
        return TestResult(observed, reached / patterns, count, 1 / patterns)
    return TestResult(observed, (reached + 1) / (permutations + 1), count, 1 / (permutations + 1))


def _all_flips(count: int) -> Iterator[np.ndarray]:
    """Yield all patterns [B, count] whose first cluster stays: the others mirror them, with the same statistic."""
    patterns, step = 2 ** (count - 1), max(_BLOCK // count, 1)
    for start in range(0, patterns, step):
        numbers = np.arange(start, min(start + step, patterns))
        yield ((numbers[:, None] << 1 >> np.arange(count)) & 1).astype(float)


def _drawn_flips(count: int, permutations: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    step = max(_BLOCK // count, 1)
    for start in range(0, permutations, step):
        yield rng.integers(0, 2, (min(step, permutations - start), count), np.int8).astype(float)
