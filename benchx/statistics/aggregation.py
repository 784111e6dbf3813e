"""One figure per method across datasets: mean rank, interquartile mean, wins and losses.

Missing cells, the rule: standings across datasets compare only the methods that have a result in every block; the
others are listed apart with what they lack and never ranked (`complete_case`). Datasets that come from one source
form one block and count once (`block_ranks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchx.statistics.ranking import ranks as ranks_of


@dataclass(frozen=True)
class Aggregate:
    """A figure over all datasets with its percentile interval."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class CompleteCase:
    """Which methods a standing compares: places of the `kept`, and of every other the blocks that it lacks."""

    kept: tuple[int, ...]
    missing: dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class WinTieLoss:
    """Counts [M] of each method's comparisons with the others, over all blocks.

    Attributes:
        wins: comparisons that the method won significantly.
        ties: comparisons without a significant difference.
        losses: comparisons that it lost significantly.
        untested: comparisons that could not be made.
        expected_false: upper bound of the expected number of blocks in which, among truly equal methods, any win is
            declared: alpha times the number of blocks with a comparison. Each block's family-wise error is at most
            alpha, and expectations add whatever the dependence of the blocks. It does not bound the number of false
            wins within such a block.
    """

    wins: np.ndarray
    ties: np.ndarray
    losses: np.ndarray
    untested: np.ndarray
    expected_false: float


def interquartile_mean(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the mean [...] of the middle half of values [..., n] (Agarwal et al. 2021).

    A quarter of the weight leaves at each end, a value that straddles the border in part.

    Args:
        values: [..., n].
        weights: [n], non-negative, of any sum; None means 1 each.

    Raises:
        ValueError: no value, or a NaN.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("an interquartile mean needs one value or more")
    if np.isnan(values).any():
        raise ValueError("a value is NaN")
    shares = np.ones(values.shape[-1]) if weights is None else np.asarray(weights, dtype=float)
    order = values.argsort(axis=-1)
    reached = (shares / shares.sum())[order].cumsum(axis=-1)
    inside = np.diff(np.clip(reached, 0.25, 0.75), axis=-1, prepend=0.25)
    return (np.take_along_axis(values, order, axis=-1) * inside).sum(axis=-1) / 0.5


def stratified_iqm(
    strata: Sequence[np.ndarray],
    weights: Sequence[float],
    replicates: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Aggregate:
    """Return one method's interquartile mean over columns and draws, draws drawn again within each column.

    The stratified bootstrap of Agarwal et al. (2021). The columns stay as they are, so the interval holds the draws'
    part of the uncertainty only. With 3 to 5 draws a percentile interval is too narrow; a column with one draw adds no
    width. Scores must be comparable between columns: of raw scores the easiest and the hardest datasets are trimmed
    rather than the unusual draws. A board gives each score's difference from its column's mean over the methods
    compared.

    Args:
        strata: per column the scores [S] of one method's draws, on one common scale.
        weights: of the columns, positive; the draws of a column share its weight.
        replicates: R.
        seed: of the draws.
        level: share of the replicates inside the interval.

    Raises:
        ValueError: no column, a column without a draw or a weight, or a NaN.
    """
    runs = [np.asarray(stratum, dtype=float) for stratum in strata]
    if not runs or any(run.ndim != 1 or len(run) == 0 for run in runs):
        raise ValueError("every column needs one draw or more, and there must be a column")
    if len(weights) != len(runs) or not all(weight > 0 for weight in weights):
        raise ValueError(f"{len(runs)} columns need a positive weight each")
    rng = np.random.default_rng(seed)
    shares = np.concatenate([np.full(len(run), weight / len(run)) for run, weight in zip(runs, weights, strict=True)])
    drawn = np.concatenate([run[rng.integers(0, len(run), (replicates, len(run)))] for run in runs], axis=1)
    low, high = np.quantile(interquartile_mean(drawn, shares), [(1 - level) / 2, (1 + level) / 2])
    return Aggregate(float(interquartile_mean(np.concatenate(runs), shares)), float(low), float(high), level)


def complete_case(present: np.ndarray) -> CompleteCase:
    """Return which methods have a result in every block, and what each of the others lacks.

    Args:
        present: bool [B, M], blocks x methods.
    """
    present = np.asarray(present, dtype=bool)
    lacking = {
        method: tuple(int(block) for block in np.flatnonzero(~present[:, method])) for method in range(present.shape[1])
    }
    kept = tuple(method for method, blocks in lacking.items() if not blocks)
    return CompleteCase(kept, {method: blocks for method, blocks in lacking.items() if blocks})


def win_tie_loss(value: np.ndarray, p_adjusted: np.ndarray, alpha: float = 0.05) -> WinTieLoss:
    """Count each method's significant wins and losses over blocks and opponents.

    Args:
        value: [B, M, M], row's score minus column's, higher better; the diagonal is not read.
        p_adjusted: [B, M, M], corrected within each block; NaN where a comparison could not be made.
        alpha: family-wise error of a block.

    Raises:
        ValueError: the shapes differ or are not [B, M, M].
    """
    value, p_adjusted = np.asarray(value, dtype=float), np.asarray(p_adjusted, dtype=float)
    if value.shape != p_adjusted.shape or value.ndim != 3 or value.shape[1] != value.shape[2]:
        raise ValueError(
            f"differences {value.shape} and p values {p_adjusted.shape} must be blocks x methods x methods"
        )
    pair = ~np.eye(value.shape[1], dtype=bool)
    made = pair & ~np.isnan(value) & ~np.isnan(p_adjusted)
    significant = made & (p_adjusted <= alpha)
    won, lost = significant & (value > 0), significant & (value < 0)

    def count(found: np.ndarray) -> np.ndarray:
        return found.sum(axis=(0, 2))

    expected_false = alpha * int(made.any(axis=(1, 2)).sum())
    return WinTieLoss(count(won), count(made & ~won & ~lost), count(lost), count(pair & ~made), expected_false)


def family_blocks(families: Sequence[str]) -> list[list[int]]:
    """Group columns by the source of their data, in order of appearance.

    Args:
        families: one name per column; datasets that share images share the name.
    """
    blocks: dict[str, list[int]] = {}
    for column, family in enumerate(families):
        blocks.setdefault(family, []).append(column)
    return list(blocks.values())


def block_ranks(ranks: np.ndarray, families: Sequence[str]) -> np.ndarray:
    """Return the methods' ranks [B, M] per block: the mean of their ranks in the block's columns.

    Args:
        ranks: [C, M] of `ranking.ranks`, one row per column of the board.
        families: C names.

    Raises:
        ValueError: another number of families than of columns.
    """
    ranks = np.asarray(ranks, dtype=float)
    if len(families) != len(ranks):
        raise ValueError(f"{len(families)} families for {len(ranks)} columns")
    return np.stack([ranks[block].mean(axis=0) for block in family_blocks(families)])


def block_order(ranked: np.ndarray, families: Sequence[str]) -> np.ndarray:
    """Return the ranks [B, M] of the methods within every block: those of their mean ranks in the block's columns.

    Args:
        ranked: [C, M] of `ranking.ranks`, one row per column of the board.
        families: C names.

    Raises:
        ValueError: as `block_ranks`.
    """
    return ranks_of(-block_ranks(ranked, families))
