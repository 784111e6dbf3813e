"""Scores of bootstrap replicates, and intervals from them.

The replicates of any metric come from the same `Draws`, so that scores of several methods or seeds on the
same cases can be subtracted and averaged replicate by replicate. The two intervals here hold the test
cases' part of the uncertainty only: that of one fixed set of predictions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from benchx.metrics.classification import scorable
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.resampling import Draws

_ROWS = 256
"""Replicates of a mean taken together, so that their counts as float64 stay small."""

_ROUNDING = 1e-12
"""Of the largest score: replicates of a score of sums that all lie closer do not differ."""


def macro_auroc_replicates(scores: np.ndarray, labels: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the macro AUROC float64 [R] of every replicate: the mean over the scorable classes.

    Args:
        scores: [N, C].
        labels: [N, C] in {0, 1, NaN}; classes without both values are left out.
        draws: of the clusters of the N cases; drawn with these labels, every replicate has a score.

    Returns:
        NaN where a replicate lacks a value of a scorable class, since a mean over fewer classes is another score.

    Raises:
        ValueError: no class is scorable, or as `auroc_replicates`.
    """
    scored = scorable(labels)
    if not scored.any():
        raise ValueError("no class has both values, so there is no macro AUROC")
    return auroc_replicates(scores[:, scored], labels[:, scored], draws).mean(axis=1)


def mean_replicates(values: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the mean over cases float64 [R] of every replicate, NaN where it holds no case.

    Args:
        values: [N], one per case (a Dice coefficient, a rank, correct or not).
        draws: of the clusters of the N cases.

    Raises:
        ValueError: a value is not finite, or there is not one per case.
    """
    values = np.asarray(values, np.float64)
    if values.shape != draws.member.shape:
        raise ValueError(f"values {values.shape} for {len(draws.member)} cases")
    if not np.isfinite(values).all():
        raise ValueError("values of cases must be finite; leave out, with their clusters, those that have none")
    replicates, clusters = draws.counts.shape
    # Means are taken of the distance from one of the values, so that cases of equal value give it exactly.
    origin = values[0] if len(values) else 0.0
    sums = np.bincount(draws.member, values - origin, clusters)
    sizes = np.bincount(draws.member, minlength=clusters).astype(np.float64)
    found = np.empty(replicates)
    for start in range(0, replicates, _ROWS):
        counts = draws.counts[start : start + _ROWS].astype(np.float64)
        with np.errstate(invalid="ignore"):
            found[start : start + _ROWS] = origin + (counts @ sums) / (counts @ sizes)
    return found


def sums_replicates(terms: np.ndarray, of_sums: Callable[[np.ndarray], np.ndarray], draws: Draws) -> np.ndarray:
    """Return a score of sums over cases float64 [R] of every replicate, NaN where it has none.

    Where all differ by rounding alone (1e-12 of the largest), all are the first, so that equal cases show no variance.

    Args:
        terms: [N, M], of every case (a Dice coefficient and a one, or n-gram counts).
        of_sums: maps sums [..., M] to scores [...].
        draws: of the clusters of the N cases.

    Raises:
        ValueError: a term is not finite, or there is not one row per case.
    """
    terms = np.asarray(terms, np.float64)
    if terms.ndim != 2 or len(terms) != len(draws.member):
        raise ValueError(f"terms {terms.shape} for {len(draws.member)} cases")
    if not np.isfinite(terms).all():
        raise ValueError("terms of cases must be finite")
    replicates, clusters = draws.counts.shape
    sums = np.zeros((clusters, terms.shape[1]))
    np.add.at(sums, draws.member, terms)
    found = np.empty(replicates)
    for start in range(0, replicates, _ROWS):
        counts = draws.counts[start : start + _ROWS].astype(np.float64)
        found[start : start + _ROWS] = of_sums(counts @ sums)
    if len(found) and np.isfinite(found).all() and np.ptp(found) <= _ROUNDING * np.abs(found).max():
        found[:] = found[0]
    return found


def metric_replicates(metric: Callable[[np.ndarray], float], draws: Draws) -> np.ndarray:
    """Return any metric float64 [R] of every replicate.

    Args:
        metric: the score of the test set, given int64 [N]: how often each case counts.
        draws: of the clusters of the N cases.
    """
    return np.array([metric(draws.weights(replicate)) for replicate in range(len(draws.counts))], np.float64)


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval (Efron and Tibshirani 1993, chapter 13), limits interpolated linearly.

    Args:
        replicates: [R].
        level: share of the replicates inside, in (0, 1).

    Raises:
        ValueError: there is no replicate, one is not finite, or the level is not in (0, 1).
    """
    _check(replicates, level)
    return _quantiles(replicates, (1 - level) / 2, (1 + level) / 2)


def bca_interval(
    replicates: np.ndarray, estimate: float, jackknife: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval (Efron 1987).

    Percentiles again, moved by the bias correction (the share of the replicates below the estimate, those equal to
    it counted half) and by the acceleration (from the skewness of the jackknife). An estimate beyond
    all replicates has an infinite bias correction, whose limit is taken: both ends are the nearest replicate.

    Args:
        replicates: [R].
        estimate: the score of all cases.
        jackknife: [G], the same score without each of the clusters (`leave_out`). Where a score without a cluster
            does not exist (the only one with a positive), give NaN: it does not enter the acceleration.
        level: of the interval, in (0, 1).

    Raises:
        ValueError: there is no replicate, one is not finite, or the level is not in (0, 1); the estimate is not
            finite; fewer than two finite jackknife scores.
    """
    _check(replicates, level)
    jackknife = np.asarray(jackknife, np.float64)
    jackknife = jackknife[np.isfinite(jackknife)]
    if not np.isfinite(estimate) or len(jackknife) < 2:
        raise ValueError("a BCa interval needs a finite estimate and two finite jackknife scores or more")
    below = np.mean(replicates < estimate) + np.mean(replicates == estimate) / 2
    bias, acceleration = ndtri(below), _acceleration(jackknife)
    low, high = (_moved(bias, acceleration, ndtri(share)) for share in ((1 - level) / 2, (1 + level) / 2))
    return _quantiles(replicates, low, high)


def _acceleration(jackknife: np.ndarray) -> float:
    """Return the sum of cubed influences over six times the 3/2 power of the sum of their squares."""
    influence = jackknife.mean() - jackknife
    largest = np.abs(influence).max()
    # Influences no larger than the rounding of the scores are none.
    if largest <= 4 * np.spacing(np.abs(jackknife).max()):
        return 0.0
    influence = influence / largest
    return float(np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5))


def _moved(bias: float, acceleration: float, quantile: float) -> float:
    """Return the share of replicates below the limit that stands for a normal quantile."""
    if np.isinf(bias):
        return float(bias > 0)
    shifted = bias + quantile
    shrunk = 1 - acceleration * shifted
    # Where this reaches zero the limit has moved to infinity.
    return float(ndtr(bias + shifted / shrunk)) if shrunk > 0 else float(shifted > 0)


def _quantiles(replicates: np.ndarray, low: float, high: float) -> tuple[float, float]:
    found = np.quantile(replicates, [low, high])
    return float(found[0]), float(found[1])


def _check(replicates: np.ndarray, level: float) -> None:
    if not len(replicates) or not np.isfinite(replicates).all():
        raise ValueError("an interval needs replicates, and all of them finite")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not {level}")
