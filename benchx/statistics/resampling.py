"""Which clusters of test cases a bootstrap replicate holds, and which a jackknife leaves out.

Whole clusters (patients, or images where a source names no patients) are drawn with replacement, so that
the images of a patient stay together (Davison and Hinkley 1997, section 3.8). Everything scored on the same
test cases is scored on the same draws: that is what makes differences of methods paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.metrics.classification import scorable
from benchx.statistics.paired_tests import cluster_numbers

_TRIES = 1000
"""Plain redraws of a replicate that lacks a value of a class before it is drawn within strata."""

_CHUNK = 50
"""Redraws tried together."""

_BLOCK = 64
"""Replicates drawn together; how many changes no draw."""

_RARE = 16
"""A value held by more clusters than this is absent from fewer than 1 in 10 million plain draws."""


@dataclass(frozen=True)
class Draws:
    """Which clusters each replicate holds, and how often.

    Attributes:
        counts: uint8 [R, K], how often each cluster was drawn.
        member: int64 [N], the cluster of each case; clusters are numbered in the order of their names.
        redrawn: replicates that lacked a value of a class at first.
    """

    counts: np.ndarray
    member: np.ndarray
    redrawn: int

    def weights(self, replicate: int) -> np.ndarray:
        """Return int64 [N]: how often one replicate holds each case."""
        return self.counts[replicate].astype(np.int64)[self.member]


def draw_clusters(
    clusters: Sequence[str],
    replicates: int,
    seed: int,
    labels: np.ndarray | None = None,
    *,
    stratified: bool = False,
) -> Draws:
    """Draw as many clusters as there are, with replacement, once per replicate.

    The draws of a replicate depend on the names of the clusters and on which of them hold which labels,
    neither on the order of the cases nor on how many replicates follow.

    Args:
        clusters: N names, one per case.
        replicates: R.
        seed: of the draws.
        labels: [N, C] in {0, 1, NaN}; where given, a replicate without both values of every scorable class is
            drawn again, after 1000 tries within strata of clusters that hold the same values of the same classes.
        stratified: draw every replicate within those strata. For rare classes: their numbers of positive
            clusters then stay as they are, and so does what varies with them. A cluster alone in its stratum is
            drawn once in every replicate, so many strata of one make an interval too narrow.

    Raises:
        ValueError: fewer than two clusters, labels of another length, strata without labels, or a cluster
            drawn more than 255 times.
    """
    member, size = _numbered(clusters)
    if labels is not None and len(labels) != len(member):
        raise ValueError(f"{len(member)} clusters for {len(labels)} cases")
    if stratified and labels is None:
        raise ValueError("strata are made from labels, and none are given")
    held = np.zeros((size, 0), bool)
    if labels is not None:
        held = values_held(labels[:, scorable(labels)], member).reshape(size, -1)
    strata = _strata(held) if stratified else None
    rng = np.random.default_rng(seed)
    counts = np.empty((replicates, size), np.uint8)
    for start in range(0, replicates, _BLOCK):
        block = counts[start : start + _BLOCK]
        drawn = strata.draw(len(block), rng) if strata else rng.integers(0, size, block.shape, dtype=np.uint32)
        for row, draw in zip(block, drawn, strict=True):
            row[:] = _counted(draw, size)
    lacking = np.flatnonzero(_lacks_a_value(counts, [np.flatnonzero(column) for column in held.T]))
    if len(lacking):
        _redraw(counts, lacking, held, seed)
    return Draws(counts, member, len(lacking))


def leave_out(clusters: Sequence[str], groups: int = 1000) -> Draws:
    """Return the jackknife's replicates: each holds every case once, but for those of one left-out cluster.

    Above `groups` clusters, each replicate leaves out a group instead: every `groups`-th cluster in the order of
    the names, K / groups of them. The acceleration of `bca_interval` keeps its expectation: a group's
    influence is a sum of m influences, whose second and third moments are m times a cluster's, so that
    with K / m groups in place of K clusters the sum of cubes and the sum of squares both stay what they were.

    Args:
        clusters: N names, one per case.
        groups: the largest number of replicates.

    Raises:
        ValueError: there are fewer than two clusters or groups.
    """
    member, size = _numbered(clusters)
    if groups < 2:
        raise ValueError(f"a jackknife needs two groups or more, not {groups}")
    each = np.arange(size)
    counts = np.ones((min(size, groups), size), np.uint8)
    counts[each % groups, each] = 0
    return Draws(counts, member, 0)


@dataclass(frozen=True)
class _Strata:
    """Clusters grouped by the values they hold.

    Attributes:
        clusters: [K], stratum by stratum.
        first, sizes: [K], for each of them where in `clusters` its stratum begins and how many it has.
    """

    clusters: np.ndarray
    first: np.ndarray
    sizes: np.ndarray

    def draw(self, replicates: int, rng: np.random.Generator) -> np.ndarray:
        """Return [replicates, K] clusters, from every stratum as many as it has."""
        return self.clusters[self.first + rng.integers(0, self.sizes, (replicates, len(self.clusters)))]


def values_held(labels: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return bool [K, 2, C]: which clusters hold a positive, and which a negative, of each class.

    Args:
        labels: [N, C] in {0, 1, NaN}.
        member: int [N], the cluster of each case; K is one more than the largest.
    """
    held = np.zeros((int(member.max(initial=-1)) + 1, 2, labels.shape[1]), bool)
    for place, value in enumerate((1, 0)):
        cases, columns = np.nonzero(labels == value)
        held[member[cases], place, columns] = True
    return held


def _numbered(clusters: Sequence[str]) -> tuple[np.ndarray, int]:
    """Return the cluster [N] of each case, and how many there are."""
    member = cluster_numbers(clusters, len(clusters))
    size = int(member.max(initial=-1)) + 1
    if size < 2:
        raise ValueError(f"an interval needs two clusters (patients) or more, there are {size}")
    return member, size


def _strata(held: np.ndarray) -> _Strata:
    _, stratum = np.unique(held, axis=0, return_inverse=True)
    stratum = stratum.reshape(-1)
    sizes = np.bincount(stratum)
    clusters = np.argsort(stratum, kind="stable")
    return _Strata(clusters, (np.cumsum(sizes) - sizes)[stratum[clusters]], sizes[stratum[clusters]])


def _counted(draw: np.ndarray, size: int) -> np.ndarray:
    """Return how often each cluster [size] is in a draw."""
    counts = np.bincount(draw, minlength=size)
    if counts.max(initial=0) > 255:
        raise ValueError(f"a cluster was drawn {counts.max()} times, and counts end at 255")
    return counts


def _lacks_a_value(counts: np.ndarray, holders: Sequence[np.ndarray]) -> np.ndarray:
    """Return bool [R]: which replicates hold none of the clusters of some value.

    Nearly always one of the first few holders was drawn; only where none was are the others looked at.
    """
    lacking = np.zeros(len(counts), bool)
    for rows in holders:
        unseen = np.flatnonzero(~counts[:, rows[:_RARE]].any(axis=1))
        lacking[unseen] |= ~counts[np.ix_(unseen, rows)].any(axis=1)
    return lacking


def _redraw(counts: np.ndarray, lacking: np.ndarray, held: np.ndarray, seed: int) -> None:
    """Draw some replicates again until all values are there, each from a stream of its own.

    What decides is how often the clusters that hold a rare value are drawn, so these are drawn first: their
    number is binomial, each of them equally likely. The others follow only where the rare values are there. These are
    plain draws, of which the first to hold every value is kept.
    """
    size = len(held)
    holders = [np.flatnonzero(column) for column in held.T]
    rare_values = held.sum(axis=0) <= _RARE
    rare, others = (np.flatnonzero(held[:, rare_values].any(axis=1) == chosen) for chosen in (True, False))
    holds = held[np.ix_(rare, rare_values)].astype(np.float32)
    strata = _strata(held)

    def plain(rng: np.random.Generator) -> np.ndarray | None:
        for _ in range(_TRIES // _CHUNK):
            sums = rng.binomial(size, len(rare) / size, _CHUNK)
            cells = np.repeat(np.arange(_CHUNK), sums) * len(rare) + rng.integers(0, len(rare), sums.sum())
            tried = np.bincount(cells, minlength=_CHUNK * len(rare)).reshape(_CHUNK, len(rare))
            for number in np.flatnonzero(((tried > 0).astype(np.float32) @ holds).all(axis=1)):
                draw = np.repeat(rare, tried[number])
                draw = np.append(draw, others[rng.integers(0, len(others), size - len(draw))])
                counted = _counted(draw, size)
                if not _lacks_a_value(counted[None], holders).any():
                    return counted
        return None

    for replicate in lacking:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(replicate),)))
        found = plain(rng)
        counts[replicate] = _counted(strata.draw(1, rng)[0], size) if found is None else found
