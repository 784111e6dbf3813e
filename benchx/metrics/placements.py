"""The AUROC averaged over many scorings of the same cases, as sums over the cases.

A case's placement is the share of the other value's cases that it stands on the right side of (DeLong, DeLong and
Clarke-Pearson 1988, Biometrics 44:837). The mean placement of the positives is the AUROC; that of the negatives, less
the AUROC, is 0. Placements of several scorings average to those of their mean AUROC, so that one number per case
replaces one per case and scoring, and the sums of resampled cases vary as the mean AUROC does, to first order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Placed:
    """One class in S scorings.

    Attributes:
        placements: float64 [N]. Of a positive the mean over scorings of the share of negatives that it outranks; of a
            negative that of the share of positives that outrank it, less the mean AUROC. Ties count half. NaN where
            the label is.
        aurocs: float64 [S].
    """

    placements: np.ndarray
    aurocs: np.ndarray


def mean_placements(scores: np.ndarray, labels: np.ndarray) -> Placed:
    """Place every case among those of the other value, averaged over scorings.

    Args:
        scores: [S, N], higher means more positive.
        labels: [N] in {0, 1, NaN}.

    Returns:
        All placements and AUROCs NaN where the labels lack one of the two values.

    Raises:
        ValueError: shapes differ, there is no scoring, a label is another value, or the score of a labelled case is
            NaN.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if scores.ndim != 2 or scores.shape[1:] != labels.shape or not len(scores):
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} must be [S, N] and [N], with S >= 1")
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN")
    positive, negative = labels == 1, labels == 0
    if np.isnan(scores[:, positive | negative]).any():
        raise ValueError("scores of labelled cases are NaN")
    placements, aurocs = np.full(len(labels), np.nan), np.full(len(scores), np.nan)
    if not positive.any() or not negative.any():
        return Placed(placements, aurocs)
    outranked, outranking = np.zeros(int(positive.sum())), np.zeros(int(negative.sum()))
    for number, scoring in enumerate(scores):
        high, low = scoring[positive], scoring[negative]
        below = _below(low, high) / len(low)
        aurocs[number] = below.mean()
        outranked += below
        outranking += 1 - _below(high, low) / len(high)
    placements[positive] = outranked / len(scores)
    placements[negative] = outranking / len(scores) - placements[positive].mean()
    return Placed(placements, aurocs)


def placement_terms(placements: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return what is summed over cases: of every class the placements of positives, their number, and of negatives.

    Where cases are placed among those of their own fold, the mean is one of the folds' AUROCs, each weighted by its
    positives. A fold's negatives then weigh as its positives do.

    Args:
        placements: [N, C], NaN where a case has none.
        labels: [N, C] in {0, 1, NaN}.
        folds: int [N].

    Returns:
        float64 [N, 4 C], finite.
    """
    known = ~np.isnan(placements)
    sides = [known & (labels == value) for value in (1, 0)]
    weights = np.ones_like(placements, dtype=np.float64)
    for fold in np.unique(folds):
        mine = folds == fold
        positives, negatives = (side[mine].sum(axis=0) / np.maximum(side.sum(axis=0), 1) for side in sides)
        weights[mine] = np.where(negatives > 0, positives / np.where(negatives > 0, negatives, 1), 0)
    values = np.where(known, placements, 0)
    terms = [values * sides[0], sides[0], values * weights * sides[1], sides[1]]
    return np.stack(terms, axis=-1).reshape(len(placements), -1).astype(np.float64)


def aurocs_of_sums(sums: np.ndarray) -> np.ndarray:
    """Return the AUROCs [..., C] from sums [..., 4 C] of `placement_terms`, NaN where a class lacks a value."""
    high, positives, low, negatives = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 4), -1, 0)
    both = (positives > 0) & (negatives > 0)
    found = high / np.where(both, positives, 1) + low / np.where(both, negatives, 1)
    return np.asarray(np.where(both, found, np.nan))


def _below(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how many of a reference lie below each value, those that equal it counting half."""
    ordered = np.sort(reference)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2
