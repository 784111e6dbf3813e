"""AUROCs, their covariance and tests of their differences, without resampling.

The rule is that of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44:837): an AUROC is a mean over
pairs, and each case's *placement* (the share of the other class that it stands on the right side of) says
how much the AUROC hangs on that case. Placements come from midranks in O(N log N) (Sun and Xu 2014, IEEE
Signal Processing Letters 21:1389). Where patients repeat, placements are summed within the patient, who may
have positive and negative images (Obuchowski 1997, Biometrics 53:567).

Small samples: sums over positives carry the factor I/(I - 1), with I the clusters that hold a positive, and
sums over negatives that of the clusters that hold a negative, as Obuchowski has them; with one case a cluster
these are the divisors P - 1 and Q - 1 of DeLong. Cross terms between the two carry the geometric mean of the
two factors, where Obuchowski has K/(K - 1) of all K clusters: a difference of the order of 1/I of a minor
term, for which every variance is a sum of squares and never negative.

Intervals and p values are those of the normal distribution, so they ask for some tens of clusters of each
class; a variance of 0 (perfect separation, constant scores) makes an interval of no width, and any
difference infinitely significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from benchx.metrics.classification import scorable
from benchx.statistics.paired_tests import cluster_numbers


@dataclass(frozen=True)
class AurocCovariance:
    """AUROCs of M methods on the same cases.

    Attributes:
        auroc: [M], in [0, 1].
        covariance: [M, M], estimated, of the AUROCs.
        positives: labelled cases.
        negatives: labelled cases.
        clusters: how many hold a labelled case; None where every case counts as its own.
    """

    auroc: np.ndarray
    covariance: np.ndarray
    positives: int
    negatives: int
    clusters: int | None


@dataclass(frozen=True)
class AurocTest:
    """A difference of two AUROCs (or means of AUROCs), first minus second.

    Attributes:
        statistic: the difference in standard errors; infinite where the variance is 0 and the difference is not.
        p_value: two-sided, of no difference; 1 where the difference is 0.
        difference: in [-1, 1].
        low: of the interval, not below -1.
        high: of the interval, not above 1.
    """

    statistic: float
    p_value: float
    difference: float
    low: float
    high: float


def placements(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the structural components V10 [..., P] of the positives and V01 [..., Q] of the negatives.

    V10 is the share of negatives that a positive outranks, V01 the share of positives that outrank a negative,
    ties counting half; both average to the AUROC.

    Args:
        scores: [..., N], higher means more positive.
        labels: [N] in {0, 1}.

    Raises:
        ValueError: shapes differ, a score is NaN, a label is another value, or one of the two is absent.
    """
    outranked, outranking = _pair_counts(np.asarray(scores, float), np.asarray(labels, float))
    return outranked / outranking.shape[-1], outranking / outranked.shape[-1]


def delong(scores: np.ndarray, labels: np.ndarray, clusters: Sequence[str] | None = None) -> AurocCovariance:
    """Return the AUROCs of M methods on the same cases and their covariance.

    Args:
        scores: [M, N], or [N] of one method; higher means more positive.
        labels: [N] in {0, 1, NaN}; a case whose label is NaN is left out.
        clusters: N names of patients; None: every case is its own.

    Raises:
        ValueError: shapes differ, the score of a labelled case is NaN, a label is another value, or a value is
            held by fewer than two clusters, so that there is no variance to estimate.
    """
    scores, labels = np.atleast_2d(np.asarray(scores, float)), np.asarray(labels, float)
    member = cluster_numbers(clusters, len(labels))
    if scores.shape[1:] != labels.shape:
        raise ValueError(f"scores of shape {scores.shape} for labels of shape {labels.shape}")
    auroc, influence = _influence(scores, labels, member)
    known = ~np.isnan(labels)
    return AurocCovariance(
        auroc,
        # Not a matrix product: equal rows must give equal entries to the last bit, so that their difference has none.
        np.array([[(one * other).sum() for other in influence] for one in influence]),
        positives=int((labels == 1).sum()),
        negatives=int((labels == 0).sum()),
        clusters=None if clusters is None else len(np.unique(member[known])),
    )


def auroc_interval(found: AurocCovariance, index: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Return the normal interval of one method's AUROC, cut at 0 and 1.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    half = _quantile(level) * math.sqrt(found.covariance[index, index])
    return max(float(found.auroc[index]) - half, 0.0), min(float(found.auroc[index]) + half, 1.0)


def delong_test(found: AurocCovariance, first: int = 0, second: int = 1, level: float = 0.95) -> AurocTest:
    """Test the difference of two methods on the same cases: DeLong's test for correlated AUROCs.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    pair = found.covariance[np.ix_([first, second], [first, second])]
    variance = float(pair[0, 0] + pair[1, 1] - 2 * pair[0, 1])
    return _test(float(found.auroc[first] - found.auroc[second]), variance, level)


def delong_unpaired(first: AurocCovariance, second: AurocCovariance, level: float = 0.95) -> AurocTest:
    """Test the difference of one method each on different patients: the variances add.

    Raises:
        ValueError: a covariance holds more than one method, or the level is not between 0 and 1.
    """
    if len(first.auroc) != 1 or len(second.auroc) != 1:
        raise ValueError(f"one method each is compared, not {len(first.auroc)} and {len(second.auroc)}")
    variance = float(first.covariance[0, 0] + second.covariance[0, 0])
    return _test(float(first.auroc[0] - second.auroc[0]), variance, level)


def macro_delong(
    a: np.ndarray, b: np.ndarray, labels: np.ndarray, clusters: Sequence[str] | None = None, level: float = 0.95
) -> AurocTest:
    """Test the difference of two methods' macro AUROC on the same cases.

    What a cluster adds to the difference is summed over all its cases and all classes before it is squared, so
    that the classes' correlation (the same patients, findings that come together) is in the variance. With several
    draws of a method, AUROCs and what clusters add to them are averaged over its draws, which are held fixed.

    Args:
        a: scores [N, C], or [S, N, C] of S draws.
        b: scores [N, C], or [S', N, C].
        labels: [N, C] in {0, 1, NaN}; classes without both values are left out, as in the macro AUROC.
        clusters: N names of patients; None: every case is its own.
        level: of the interval.

    Raises:
        ValueError: as `delong` for any class that counts, or none counts; a method without a draw.
    """
    a, b, labels = (np.asarray(each, float) for each in (a, b, labels))
    of_a, of_b = (each[None] if each.ndim == 2 else each for each in (a, b))
    if not of_a.shape[1:] == of_b.shape[1:] == labels.shape or labels.ndim != 2:
        raise ValueError(f"scores of shapes {a.shape} and {b.shape} for labels of shape {labels.shape}")
    if not (len(of_a) and len(of_b)):
        raise ValueError("a method has no draw")
    columns = np.flatnonzero(scorable(labels))
    if not len(columns):
        raise ValueError("no class has both values, so there is no macro AUROC to compare")
    member = cluster_numbers(clusters, len(labels))
    draws = len(of_a)
    per_class = [
        _influence(np.concatenate([of_a[:, :, one], of_b[:, :, one]]), labels[:, one], member) for one in columns
    ]
    macro = np.mean([auroc for auroc, _ in per_class], axis=0)
    influence = np.mean([each[:draws].mean(axis=0) - each[draws:].mean(axis=0) for _, each in per_class], axis=0)
    return _test(float(macro[:draws].mean() - macro[draws:].mean()), float((influence**2).sum()), level)


def _pair_counts(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many negatives each positive outranks [..., P], how many positives outrank each negative [..., Q]."""
    if labels.ndim != 1 or scores.shape[-1:] != labels.shape:
        raise ValueError(f"scores of shape {scores.shape} for labels of shape {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    if np.isnan(scores).any():
        raise ValueError("scores are NaN")
    positive = labels == 1
    if positive.all() or not positive.any():
        raise ValueError("the labels hold one value only, so there is no AUROC")
    ranks = rankdata(scores, axis=-1)
    outranked = ranks[..., positive] - rankdata(scores[..., positive], axis=-1)
    ties_and_below = ranks[..., ~positive] - rankdata(scores[..., ~positive], axis=-1)
    return outranked, positive.sum() - ties_and_below


def _influence(scores: np.ndarray, labels: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROCs [M] of scores [M, N], and what each cluster adds to their errors [M, K].

    The products of the latter, summed over clusters, estimate the covariance; the small-sample factors are in.
    """
    known = ~np.isnan(labels)
    scores, labels, held = scores[:, known], labels[known], member[known]
    outranked, outranking = _pair_counts(scores, labels)
    positives, negatives = outranked.shape[1], outranking.shape[1]
    auroc = outranked.sum(axis=1) / (positives * negatives)
    influence = np.zeros((len(scores), int(member.max()) + 1))
    for value, placed in ((1, outranked / negatives), (0, outranking / positives)):
        groups = held[labels == value]
        count = len(np.unique(groups))
        if count < 2:
            raise ValueError(f"label {value} is held by one cluster only, so the AUROC's variance cannot be estimated")
        scale = math.sqrt(count / (count - 1)) / len(groups)
        for row, deviations in zip(influence, placed - auroc[:, None], strict=True):
            row += scale * np.bincount(groups, deviations, minlength=len(row))
    return auroc, influence


def _test(difference: float, variance: float, level: float) -> AurocTest:
    error = math.sqrt(max(variance, 0.0))
    if difference == 0:
        statistic = 0.0
    elif error == 0:
        statistic = math.copysign(math.inf, difference)
    else:
        statistic = difference / error
    half = _quantile(level) * error
    return AurocTest(
        statistic,
        p_value=2 * float(norm.sf(abs(statistic))),
        difference=difference,
        low=max(difference - half, -1.0),
        high=min(difference + half, 1.0),
    )


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return float(norm.ppf((1 + level) / 2))
