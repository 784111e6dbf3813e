"""How uncertain a score is because of its test cases: what a bootstrap variance leaves out.

Resampling K clusters gives (K - 1) / K of the variance of a mean, and a normal quantile pretends to know it exactly;
both matter little at K = 200. But the AUROC of a class rests on its positives: with three positive patients among
thousands the bootstrap gives two thirds of the variance, known with two degrees of freedom. So the clusters that
count are, class by class, the fewest that hold a positive, or a negative; and where the same few hold many classes,
their number limits the degrees of freedom, however many classes there are. A class that one cluster alone holds shows
no variance at all, so its place among the others is taken to be anywhere with equal chance; one that is told apart
without an error is given that of one more cluster whose place is anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchx.statistics.resampling import values_held

_NEUTRAL = {"score": 0.5, "difference": 0.0}
"""What an AUROC, or a difference of two, is without any variance when predictions are constant, or the same."""

_ANYWHERE = {"score": 1 / 12, "difference": 1 / 6}
"""The variance of an AUROC that is uniform on [0, 1], and of the difference of two such."""


@dataclass(frozen=True)
class CaseError:
    """What the bootstrap variance over test cases has to be corrected by.

    Attributes:
        clusters: K.
        factor: by which it is multiplied.
        added: to it, in squared units of the score.
        df: degrees of freedom of the result.
    """

    clusters: int
    factor: float
    added: float
    df: float


def of_mean(clusters: int) -> CaseError:
    """Return the correction for a mean over K clusters: K / (K - 1), with K - 1 degrees of freedom.

    Raises:
        ValueError: there are fewer than two.
    """
    if clusters < 2:
        raise ValueError(f"an interval needs at least two clusters, not {clusters}")
    return CaseError(clusters, clusters / (clusters - 1), 0.0, clusters - 1.0)


def holders(labels: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return int [C]: the fewest clusters that hold a positive, or a negative, of each class.

    Args:
        labels: [N, C] in {0, 1, NaN}.
        member: int [N], the cluster of each case.
    """
    return values_held(labels, member).sum(axis=0).min(axis=0)


def pool(labels: np.ndarray, member: np.ndarray) -> int:
    """Return how many clusters hold the rarer value of any class; arguments as `holders`."""
    held = values_held(labels, member)
    positives, negatives = held.sum(axis=0)
    return int(np.where(positives < negatives, held[:, 0], held[:, 1]).any(axis=1).sum())


def of_macro(
    by_class: np.ndarray,
    held: np.ndarray,
    pooled: int,
    clusters: int,
    of: Literal["score", "difference"] = "score",
) -> CaseError:
    """Return the correction for a mean of AUROCs over classes, or for a difference of two such means.

    A class's part of the variance is in proportion to its own bootstrap variance; parts and their degrees of freedom
    are joined by Satterthwaite (1946, Biometrics Bulletin 2:110), but never to more than the clusters behind them all.

    Args:
        by_class: [R, C], every class's AUROC, or difference, averaged over draws, in the bootstrap replicates.
        held: int [C] of `holders`, 1 or more.
        pooled: of `pool`, for the same classes.
        clusters: K, 2 or more.
        of: what the AUROCs are.
    """
    count = len(held)
    variance = by_class.var(axis=0, ddof=1)
    variance[np.ptp(by_class, axis=0) == 0] = 0
    alone = held == 1
    faultless = ~alone & (variance == 0) & (by_class[0] != _NEUTRAL[of])
    seen = np.where(alone, 0, variance)
    spread = np.where(alone, 0.0, seen * held / np.maximum(held - 1, 1))
    parts = np.where(faultless, 0.25 / (held + 1.0) ** 2, spread)
    squares = float((parts**2 / np.maximum(held - 1, 1)).sum())
    return CaseError(
        clusters,
        factor=float(spread.sum() / seen.sum()) if seen.any() else 1.0,
        added=float(parts[faultless].sum() + _ANYWHERE[of] * alone.sum()) / count**2,
        df=max(1.0, min(float(parts.sum() ** 2 / squares), pooled - 1.0)) if squares else clusters - 1.0,
    )
