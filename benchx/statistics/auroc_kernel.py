"""The AUROC of every class in every bootstrap replicate, exact with ties, in one compiled kernel.

Each class is sorted once. A replicate is then a weight per case, the count of its cluster, and its AUROC the
Mann-Whitney statistic of the weighted cases (Hanley and McNeil 1982), found in one walk over the sorted cases; 64
replicates share a walk, since the 64 counts of a cluster lie side by side in one line of the processor's cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from benchx.metrics.classification import scorable
from benchx.statistics.resampling import Draws

_LANES = 64
"""Replicates in one walk."""

_MOST_CASES = (2**31 - 1) // 255
"""8,421,504. With counts of 255 at most, the weights of so many cases sum to less than 2^31, so 32 bits hold the
sum; twice the pairs of two such sums that together stay below 2^31 is less than 2^61, so 64 bits hold the pairs."""


def auroc_replicates(scores: np.ndarray, labels: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the AUROC float64 [R, C] of every class in every replicate.

    Pairs are counted in integers until the last division, a tied pair as one half: the number is
    that of `benchx.metrics.classification.auroc` with the replicate's weights. The interpreter's lock is
    free while pairs are counted, so several threads may call this at once. The first call compiles, which takes a
    second or two; the machine code is kept beside this module or in numba's cache folder of the user.

    Args:
        scores: [N, C], higher means more positive.
        labels: [N, C] in {0, 1, NaN}; a case whose label is NaN does not count for that class.
        draws: of the clusters of the N cases.

    Returns:
        NaN where the cases of a replicate, or of the test set, lack one of the two values.

    Raises:
        ValueError: shapes do not match, a label is another value, the score of a labelled case is NaN, or there
            are more than 8,421,504 cases.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    _check(scores, labels, draws)
    count = _compiled()
    columns = np.flatnonzero(scorable(labels))
    orders = [_sorted_pairs(scores[:, column], labels[:, column], draws.member) for column in columns]
    replicates, clusters = draws.counts.shape
    found = np.full((replicates, labels.shape[1]), np.nan)
    block = np.zeros((clusters, _LANES), np.uint8)
    doubled, pairs = np.empty(_LANES, np.int64), np.empty(_LANES, np.int64)
    for start in range(0, replicates, _LANES):
        rows = draws.counts[start : start + _LANES]
        block[:, : len(rows)] = rows.T
        for column, order in zip(columns, orders, strict=True):
            count(block, order.negatives, order.positives, order.ends, order.below, order.up_to, doubled, pairs)
            with np.errstate(invalid="ignore"):
                found[start : start + len(rows), column] = (doubled / (2 * pairs))[: len(rows)]
    return found


@dataclass(frozen=True)
class _SortedPairs:
    """One class, sorted once; G is the number of distinct scores of positives.

    Attributes:
        negatives, positives: clusters of the cases, int32, in the order of the scores.
        ends: int32 [G], where in `positives` each score ends.
        below: int32 [G], how many negatives score lower.
        up_to: int32 [G], how many negatives score lower or the same.
    """

    negatives: np.ndarray
    positives: np.ndarray
    ends: np.ndarray
    below: np.ndarray
    up_to: np.ndarray


def _sorted_pairs(scores: np.ndarray, labels: np.ndarray, member: np.ndarray) -> _SortedPairs:
    negatives, positives = (np.flatnonzero(labels == value) for value in (0, 1))
    negatives, positives = (rows[np.argsort(scores[rows], kind="stable")] for rows in (negatives, positives))
    values = scores[positives]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, len(values))
    below, up_to = (np.searchsorted(scores[negatives], values[ends - 1], side) for side in ("left", "right"))
    return _SortedPairs(*(a.astype(np.int32) for a in (member[negatives], member[positives], ends, below, up_to)))


def _check(scores: np.ndarray, labels: np.ndarray, draws: Draws) -> None:
    if scores.ndim != 2 or scores.shape != labels.shape or len(scores) != len(draws.member):
        raise ValueError(f"scores {scores.shape}, labels {labels.shape} and draws of {len(draws.member)} cases differ")
    if draws.counts.dtype != np.uint8:
        raise ValueError(f"counts must be uint8, not {draws.counts.dtype}")
    if len(scores) > _MOST_CASES:
        raise ValueError(f"{len(scores)} cases, and pairs are counted for {_MOST_CASES} at most")
    if len(scores) and not 0 <= draws.member.min() <= draws.member.max() < draws.counts.shape[1]:
        raise ValueError("a case belongs to a cluster that was not drawn from")
    valid = ~np.isnan(labels)
    if not np.isin(labels[valid], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")
    if np.isnan(scores[valid]).any():
        raise ValueError("scores of labelled cases are NaN")


def _count_pairs(block, negatives, positives, ends, below, up_to, doubled, pairs):  # type: ignore[no-untyped-def]
    """Count the pairs of one class in 64 replicates.

    Args:
        block: uint8 [K, 64], how often each cluster is in each replicate.
        negatives, positives, ends, below, up_to: of `_SortedPairs`.
        doubled: int64 [64], filled with twice the pairs in which the positive scores higher, plus the tied ones.
        pairs: int64 [64], filled with all pairs.
    """
    passed = np.zeros(64, np.int32)
    around = np.zeros(64, np.int64)
    tied = np.zeros(64, np.int32)
    ill = np.zeros(64, np.int64)
    doubled[:] = 0
    negative = positive = 0
    for group in range(len(ends)):
        while negative < below[group]:
            passed += block[negatives[negative]]
            negative += 1
        around[:] = passed
        while negative < up_to[group]:
            passed += block[negatives[negative]]
            negative += 1
        around += passed
        tied[:] = 0
        while positive < ends[group]:
            tied += block[positives[positive]]
            positive += 1
        doubled += around * tied
        ill += tied
    while negative < len(negatives):
        passed += block[negatives[negative]]
        negative += 1
    pairs[:] = ill * passed


@functools.cache
def _compiled() -> Callable[..., None]:
    """Compile the kernel, or read it from the cache; where no folder can be written, do without a cache."""
    signature = (
        "void(uint8[:, ::1], int32[::1], int32[::1], int32[::1], int32[::1], int32[::1], int64[::1], int64[::1])"
    )
    try:
        return njit(signature, nogil=True, cache=True)(_count_pairs)
    except (RuntimeError, OSError):
        return njit(signature, nogil=True)(_count_pairs)
