"""Patient-level bootstrap of the macro AUROC: intervals of a score and of a paired gap.

Whole clusters (patients, or images where a source names no patients) are drawn with replacement, so
that the images of a patient stay together. Scores are computed per seed and averaged over seeds in every
replicate, all seeds and both methods of a gap on the same draws; the interval is that of the percentiles
(Efron and Tibshirani 1993, chapter 13). It holds the test patients' part of the uncertainty only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.metrics.classification import macro_auroc, scorable

_TRIES = 1000
"""Plain redraws of a replicate that lacks a class before it is drawn within label strata."""

Scored = tuple[np.ndarray, np.ndarray]
"""Scores and labels of one seed, both [N, C]; labels in {0, 1, NaN}."""


@dataclass(frozen=True)
class Resamples:
    """Bootstrap replicates.

    Attributes:
        weights: uint16 [R, N], how often each case's cluster was drawn.
        redrawn: replicates that lacked a value of a class at first.
    """

    weights: np.ndarray
    redrawn: int


@dataclass(frozen=True)
class Interval:
    """A percentile interval around a score of all cases; `replicates` draws, `redrawn` of them again."""

    estimate: float
    low: float
    high: float
    replicates: int
    redrawn: int
    level: float


def cluster_weights(clusters: Sequence[str], replicates: int, seed: int, labels: np.ndarray | None = None) -> Resamples:
    """Draw as many clusters as there are, with replacement, once per replicate.

    Args:
        clusters: N names, one per case.
        replicates: R.
        seed: of the draws; replicates do not depend on how many follow them.
        labels: [N, C]; where given, a replicate without both values of every scorable class is drawn again,
            after 1000 tries within strata of clusters that hold the same values of the same classes.

    Raises:
        ValueError: there are fewer than two clusters.
    """
    _, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    size = int(member.max()) + 1 if len(member) else 0
    if size < 2:
        raise ValueError(f"an interval needs two clusters (patients) or more, there are {size}")
    held = _values_held(member, size, labels)
    full = np.bitwise_or.reduce(held, axis=0)
    rng = np.random.default_rng(seed)
    weights = np.empty((replicates, len(member)), np.uint16)
    redrawn = 0
    for row in weights:
        draw = rng.integers(0, size, size)
        if not np.array_equal(np.bitwise_or.reduce(held[draw], axis=0), full):
            redrawn += 1
            draw = _redraw(held, full, rng)
        row[:] = np.bincount(draw, minlength=size)[member]
    return Resamples(weights, redrawn)


def auroc_replicates(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUROC [R, C] of every class in every replicate, NaN where it lacks a value.

    Exact with ties: the same pair counts as `benchx.metrics.classification.auroc`, in integers.

    Args:
        scores: [N, C].
        labels: [N, C] in {0, 1, NaN}.
        weights: whole numbers [R, N].

    Raises:
        ValueError: the score of a labelled case is NaN.
    """
    if np.isnan(scores[~np.isnan(labels)]).any():
        raise ValueError("scores are NaN")
    columns = np.flatnonzero(scorable(labels))
    orders = [_order(scores[:, column], labels[:, column]) for column in columns]
    found = np.full((len(weights), labels.shape[1]), np.nan)
    # Replicate by replicate, since a row of weights fits the processor's cache and a block does not.
    for replicate, row in enumerate(weights):
        times = row.astype(np.int32)
        for column, order in zip(columns, orders, strict=True):
            found[replicate, column] = _weighted_auroc(times, order)
    return found


def macro_auroc_interval(
    scores: np.ndarray, labels: np.ndarray, clusters: Sequence[str], replicates: int, seed: int, level: float = 0.95
) -> Interval:
    """Return the interval of one seed's macro AUROC; arguments and errors as `seed_mean_interval`."""
    return seed_mean_interval([(scores, labels)], clusters, replicates, seed, level)


def seed_mean_interval(
    per_seed: Sequence[Scored], clusters: Sequence[str], replicates: int, seed: int, level: float = 0.95
) -> Interval:
    """Return the interval of the macro AUROC averaged over seeds.

    Args:
        per_seed: scores and labels [N, C] of every seed, on the same cases in the same order.
        clusters: N names.
        replicates: number of bootstrap draws.
        seed: of the draws.
        level: share of the replicates inside the interval.

    Raises:
        ValueError: fewer than two clusters, no scorable class, a NaN score, or seeds with other labels.
    """
    return _interval([per_seed], [1], clusters, replicates, seed, level)


def paired_gap(
    a_per_seed: Sequence[Scored],
    b_per_seed: Sequence[Scored],
    clusters: Sequence[str],
    replicates: int,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a's seed-averaged macro AUROC minus b's, on the same cases and the same draws.

    The numbers of seeds may differ; arguments and errors as `seed_mean_interval`.
    """
    return _interval([a_per_seed, b_per_seed], [1, -1], clusters, replicates, seed, level)


def _interval(
    methods: Sequence[Sequence[Scored]],
    signs: Sequence[int],
    clusters: Sequence[str],
    replicates: int,
    seed: int,
    level: float,
) -> Interval:
    """Return the interval of a signed sum of the methods' seed-averaged macro AUROCs."""
    labels = methods[0][0][1]
    if not all(np.array_equal(labels, other, equal_nan=True) for method in methods for _, other in method):
        raise ValueError("seeds and methods must be scored on the same cases with the same labels")
    if len(clusters) != len(labels):
        raise ValueError(f"{len(clusters)} clusters for {len(labels)} cases")
    scored = scorable(labels)
    if not scored.any():
        raise ValueError("no class has both values, so there is no score to put an interval around")
    resamples = cluster_weights(clusters, replicates, seed, labels)
    estimate, values = 0.0, np.zeros(replicates)
    for method, sign in zip(methods, signs, strict=True):
        estimate += sign * float(np.mean([macro_auroc(scores, labels) for scores, _ in method]))
        for scores, _ in method:
            replicated = auroc_replicates(scores[:, scored], labels[:, scored], resamples.weights)
            values += sign * replicated.mean(axis=1) / len(method)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), replicates, resamples.redrawn, level)


def _values_held(member: np.ndarray, size: int, labels: np.ndarray | None) -> np.ndarray:
    """Return per cluster the packed bits [size, B]: holds a positive, a negative of every scorable class."""
    if labels is None:
        return np.zeros((size, 1), np.uint8)
    labels = labels[:, scorable(labels)]
    held = np.zeros((size, 2 * labels.shape[1]), bool)
    np.logical_or.at(held, member, np.concatenate([labels == 1, labels == 0], axis=1))
    return np.packbits(held, axis=1)


def _redraw(held: np.ndarray, full: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw clusters until all values are there, at last within strata of clusters that hold the same values."""
    for _ in range(_TRIES):
        draw = rng.integers(0, len(held), len(held))
        if np.array_equal(np.bitwise_or.reduce(held[draw], axis=0), full):
            return draw
    _, stratum = np.unique(held, axis=0, return_inverse=True)
    strata = [np.flatnonzero(stratum == number) for number in range(stratum.max() + 1)]
    return np.concatenate([rng.choice(rows, len(rows)) for rows in strata])


@dataclass(frozen=True)
class _Order:
    """The pairs of one class, sorted once.

    Attributes:
        positives: case numbers.
        negatives: case numbers, in the order of their scores.
        below: per positive, how many negatives score lower.
        up_to: per positive, how many negatives score lower or the same.
    """

    positives: np.ndarray
    negatives: np.ndarray
    below: np.ndarray
    up_to: np.ndarray


def _order(scores: np.ndarray, labels: np.ndarray) -> _Order:
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    ranked = scores[negatives]
    below, up_to = (np.searchsorted(ranked, scores[positives], side) for side in ("left", "right"))
    return _Order(positives, negatives, below, up_to)


def _weighted_auroc(times: np.ndarray, order: _Order) -> float:
    """Return the AUROC of cases that count `times` [N] each, in whole numbers until the last division."""
    total = np.zeros(len(order.negatives) + 1, np.int64)
    np.cumsum(times.take(order.negatives), out=total[1:])
    positives = times.take(order.positives)
    pairs = int(positives.sum()) * int(total[-1])
    if pairs == 0:
        return float("nan")
    return int(positives @ (total.take(order.below) + total.take(order.up_to))) / (2 * pairs)
