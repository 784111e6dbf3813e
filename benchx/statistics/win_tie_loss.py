"""Wins, ties and losses of one method against another, as "Medical adaptation" counts them (arXiv:2411.04118).

A difference is a win where its percentile interval lies above 0, a loss where it lies below, else a tie. Of equal
methods each cell still gives a false win or loss with probability 1 - level, which is why rates stand beside
`expected_false` and beside the same rates after Holm's correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np

from benchx.statistics.multiplicity import holm

Verdict = Literal["win", "tie", "loss"]
VERDICTS: tuple[Verdict, ...] = ("win", "tie", "loss")

MOST_KINDS = 256
"""Kinds of clusters up to which drawing their numbers is faster than drawing the clusters."""


@dataclass(frozen=True)
class Rates:
    """Shares of wins, ties and losses, which sum to 1, and the number of cells that they are of."""

    win: float
    tie: float
    loss: float
    cells: int


def verdict(low: float, high: float) -> Verdict:
    """Return what an interval of adapted - base says."""
    return "win" if low > 0 else "loss" if high < 0 else "tie"


def percentile_p_value(replicates: np.ndarray) -> float:
    """Return 1 - the largest level whose percentile interval leaves out 0, at least 2 / (R + 1) and at most 1.

    A percentile interval of level L leaves 0 out exactly where this is below 1 - L, for every L up to
    1 - 2 / (R + 1).

    Args:
        replicates: finite [R], of a difference; limits are interpolated as in
            `benchx.statistics.bootstrap.percentile_interval`.

    Raises:
        ValueError: fewer than two replicates, or one is not finite.
    """
    ordered = np.sort(np.asarray(replicates, np.float64))
    if len(ordered) < 2 or not np.isfinite(ordered).all():
        raise ValueError("a p value needs two replicates or more, all of them finite")
    tail = min(_share_up_to_zero(ordered), _share_up_to_zero(-ordered[::-1]))
    return min(1.0, max(2 * tail, smallest_p_value(len(ordered))))


def smallest_p_value(replicates: int) -> float:
    """Return the least p value that a number of replicates can show."""
    return 2 / (replicates + 1)


def corrected(verdicts: Sequence[Verdict], p_values: Sequence[float], level: float) -> tuple[list[Verdict], np.ndarray]:
    """Return the verdicts that Holm's correction over all of them leaves, the others being ties, and its p values."""
    adjusted = holm(np.array(p_values, np.float64))
    alpha = 1 - level
    return [one if p <= alpha else "tie" for one, p in zip(verdicts, adjusted, strict=True)], adjusted


def rates(verdicts: Mapping[str, Sequence[Verdict]]) -> Rates:
    """Return the rates of one pair: within every dataset over its cells, then over datasets, so that each counts once.

    Args:
        verdicts: by dataset, one per cell.

    Raises:
        ValueError: there is none, or a dataset has none.
    """
    if not verdicts or not all(verdicts.values()):
        raise ValueError("rates need a verdict for every dataset")
    shares = [fmean(some.count(one) / len(some) for some in verdicts.values()) for one in VERDICTS]
    return Rates(shares[0], shares[1], shares[2], sum(map(len, verdicts.values())))


def mean_rates(pairs: Sequence[Rates]) -> Rates:
    """Return the mean over pairs, each of which counts once; their cells are summed.

    Raises:
        ValueError: there is none.
    """
    if not pairs:
        raise ValueError("a mean needs a pair")
    win, tie, loss = (fmean(getattr(one, name) for one in pairs) for name in VERDICTS)
    return Rates(win, tie, loss, sum(one.cells for one in pairs))


def expected_false(level: float) -> float:
    """Return the rate of false wins, and that of false losses, that equal methods show without correction."""
    return (1 - level) / 2


def multinomial_sums(terms: np.ndarray, member: np.ndarray, replicates: int, seed: int) -> np.ndarray | None:
    """Return the sums over the cases of every bootstrap replicate of clusters, drawn by kinds of clusters.

    Clusters with equal sums cannot be told apart in a replicate's sum. Drawing K of K clusters with replacement thus
    gives sums with the same law as drawing how often each kind comes up, a multinomial of K trials with the kinds'
    shares. Of answers that are right or wrong there are few kinds, whatever the number of questions.

    Args:
        terms: finite [N, M], of every case.
        member: int [N], the cluster of each case, numbered from 0 without gaps.
        replicates: R.
        seed: of the draws.

    Returns:
        float64 [R, M]; None with more than `MOST_KINDS` kinds, where nothing is gained.
    """
    sums = np.zeros((int(member.max()) + 1, terms.shape[1]))
    np.add.at(sums, member, terms)
    kinds, numbers = np.unique(sums, axis=0, return_counts=True)
    if len(kinds) > MOST_KINDS:
        return None
    drawn = np.random.default_rng(seed).multinomial(len(sums), numbers / len(sums), size=replicates)
    return np.asarray(drawn @ kinds)


def _share_up_to_zero(ordered: np.ndarray) -> float:
    """Return the largest share whose quantile, interpolated linearly, is at most 0; 0 where all lie above."""
    below = int(np.searchsorted(ordered, 0.0, side="right"))
    if below == 0:
        return 0.0
    last = len(ordered) - 1
    if below > last:
        return 1.0
    under, over = ordered[below - 1], ordered[below]
    return float((below - 1 - under / (over - under)) / last)
