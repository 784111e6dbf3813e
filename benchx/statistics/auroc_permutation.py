"""The permutation test of two methods' macro AUROC, as fast as a bootstrap of the same size.

`swap_permutation` calls a metric twice per permutation. For the AUROC that is not needed: the scores of both methods
stand in one list of 2 N cases, sorted once, and a permutation is a choice of one of the two scores of every case: a
weight of 0 or 1. That is what the bootstrap's kernel counts, 64 permutations in one walk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from benchx.metrics.classification import scorable
from benchx.statistics.auroc_kernel import auroc_replicates
from benchx.statistics.paired_tests import TestResult, cluster_numbers, permuted
from benchx.statistics.resampling import Draws


def auroc_permutation(
    a: np.ndarray, b: np.ndarray, labels: np.ndarray, clusters: Sequence[str] | None, permutations: int, seed: int
) -> TestResult:
    """Test whether two methods differ in macro AUROC, by exchanging what they say cluster by cluster.

    `swap_permutation` of the ranks of every draw, method and class over its labelled cases, so that both methods speak
    on one scale; all classes and draws of a cluster are exchanged together. The statistic is the difference of the
    macro AUROCs averaged over draws, first minus second; n counts the clusters with a rank that differs.

    Args:
        a: scores [S, N, C], higher means more positive.
        b: scores [S, N, C] of the same draws.
        labels: [N, C] in {0, 1, NaN}; classes without both values are left out, as in the macro AUROC.
        clusters: N names of patients; None: every case is its own.
        permutations: at most so many patterns are looked at.
        seed: of the draws.

    Raises:
        ValueError: shapes differ, there is no draw, no class is scorable, a score of a labelled case is NaN, a label
            is another value, or permutations is not positive.
    """
    a, b, labels = (np.asarray(each, np.float64) for each in (a, b, labels))
    if a.shape != b.shape or a.ndim != 3 or a.shape[1:] != labels.shape or not len(a):
        raise ValueError(f"scores [S, N, C] of both are needed, not {a.shape} and {b.shape} for labels {labels.shape}")
    scored = scorable(labels)
    if not scored.any():
        raise ValueError("no class has both values, so there is no macro AUROC to compare")
    labels = labels[:, scored]
    ranks_a, ranks_b = (_ranks(each[:, :, scored], labels) for each in (a, b))
    member = cluster_numbers(clusters, len(labels))
    size = int(member.max()) + 1
    differing = np.unique(member[(ranks_a != ranks_b).any(axis=(0, 2))])
    both = [np.concatenate(pair) for pair in zip(ranks_a, ranks_b, strict=True)]
    doubled, owners = np.concatenate([labels, labels]), np.concatenate([member, member + size])

    def differences(flips: np.ndarray) -> np.ndarray:
        swapped = np.zeros((len(flips), size), np.uint8)
        swapped[:, differing] = flips
        first, second = np.hstack([1 - swapped, swapped]), np.hstack([swapped, 1 - swapped])
        draws = Draws(np.concatenate([first, second]), owners, 0)
        found = np.mean([auroc_replicates(one, doubled, draws).mean(axis=1) for one in both], axis=0)
        return found[: len(flips)] - found[len(flips) :]

    observed = float(differences(np.zeros((1, len(differing))))[0])
    return permuted(observed, differences, len(differing), 1.0, permutations, seed)


def _ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the midrank [S, N, C] of every score over the labelled cases of its draw and class; 0 where unlabelled."""
    known = ~np.isnan(labels)
    if np.isnan(scores[:, known]).any():
        raise ValueError("scores of labelled cases are NaN")
    ranks = np.zeros(scores.shape)
    for column in range(labels.shape[1]):
        ranks[:, known[:, column], column] = rankdata(scores[:, known[:, column], column], axis=1)
    return ranks
