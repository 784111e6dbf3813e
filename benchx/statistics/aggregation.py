"""One figure per method across datasets: mean rank, interquartile mean, wins and losses.

Missing cells, the rule: standings across datasets compare only the methods that have a result in every block; the
others are listed apart with what they lack and never ranked (`complete_case`). Datasets that come from one source
form one block and count once (`block_ranks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm

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


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean [...] of the middle half of values [..., n] (Agarwal et al. 2021): n // 4 leave at each end.

    Raises:
        ValueError: no value, or a NaN.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("an interquartile mean needs one value or more")
    if np.isnan(values).any():
        raise ValueError("a value is NaN")
    size = values.shape[-1]
    return np.sort(values, axis=-1)[..., size // 4 : size - size // 4].mean(axis=-1)


def stratified_bootstrap(
    scores: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], np.ndarray],
    replicates: int,
    seed: int,
    level: float = 0.95,
) -> Aggregate:
    """Return a statistic over all runs of all datasets, runs drawn again within each dataset (Agarwal et al. 2021).

    The datasets stay as they are, so the interval holds the runs' part of the uncertainty only. Every dataset weighs
    the
    same: where datasets have different numbers of runs, runs are repeated up to the least common multiple. With 3 to
    5 runs a percentile interval is too narrow; a dataset with one run adds no width.

    Args:
        scores: per dataset the scores [S_b] of one method's runs, on one common scale.
        statistic: of values [..., n], over the last axis.
        replicates: R.
        seed: of the draws.
        level: share of the replicates inside the interval.

    Raises:
        ValueError: no dataset, a dataset without a run, or a NaN.
    """
    runs = [np.asarray(block, dtype=float) for block in scores]
    if not runs or any(block.ndim != 1 or len(block) == 0 for block in runs):
        raise ValueError("every dataset needs one run or more, and there must be a dataset")
    if any(np.isnan(block).any() for block in runs):
        raise ValueError("a score is NaN")
    rng = np.random.default_rng(seed)
    drawn = [block[rng.integers(0, len(block), (replicates, len(block)))] for block in runs]
    values = statistic(_balanced(drawn))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Aggregate(float(statistic(_balanced(runs))), float(low), float(high), level)


def stratified_iqm(
    scores: Sequence[np.ndarray], replicates: int = 10_000, seed: int = 0, level: float = 0.95
) -> Aggregate:
    """Return one method's interquartile mean over datasets and runs; arguments and errors as `stratified_bootstrap`.

    Scores must be comparable between datasets: of raw scores, the easiest and the hardest datasets are trimmed rather
    than the unusual runs. A board gives each score's difference from its dataset's mean over the methods compared.
    """
    return stratified_bootstrap(scores, interquartile_mean, replicates, seed, level)


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


def _balanced(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Join blocks [..., S_b] into [..., n] so that each fills the same number of places."""
    size = lcm(*(block.shape[-1] for block in blocks))
    return np.concatenate([np.repeat(block, size // block.shape[-1], axis=-1) for block in blocks], axis=-1)
