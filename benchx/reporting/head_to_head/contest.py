"""What a head-to-head is: pairs of an adapted method and its base, cell by cell, with the rates of wins and losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchx.reporting.board import column_name
from benchx.statistics.win_tie_loss import Rates, Verdict, expected_false, smallest_p_value

SCHEMA_VERSION = 1

FEW_UNITS = 30
"""Percentile intervals of n clusters are too narrow by about 1 / 2n, and by the skewness that so few do not average
out: below this, false wins and losses are noticeably more than one in twenty."""


@dataclass(frozen=True)
class Prompts:
    """The prompt set that a method took.

    Attributes:
        chosen: its kind and number.
        validation: the macro AUROC there; None where validation could not score it.
        searched: how many sets it was chosen from.
    """

    chosen: str
    validation: float | None
    searched: int


@dataclass(frozen=True)
class Side:
    """One of the two methods in a cell.

    Attributes:
        score: the metric's mean over draws.
        draws: their names.
        prompts: those of every search, the draws' one after the other, equal ones once; empty where none was made.
        saw: what of the dataset the pretraining saw, in words; empty if nothing is known.
    """

    score: float
    draws: tuple[str, ...]
    prompts: tuple[Prompts, ...]
    saw: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """Adapted - base on one dataset, task, protocol and label fraction, on the same test cases.

    Attributes:
        difference: of the draw-averaged scores, with the percentile interval from low to high.
        p_value: 1 - the largest level whose interval leaves out 0, see
            `benchx.statistics.win_tie_loss.percentile_p_value`.
        p_adjusted: by Holm over the cells of the pair.
        verdict, corrected: without and with that correction.
        unit: what is resampled, in the plural.
        units, cases: how many count for the metric (in an F1, true negatives do not).
        shared_units: units that the published split has in two of its parts.
    """

    dataset: str
    task: str
    protocol: str
    fraction: float
    metric: str
    adapted: Side
    base: Side
    difference: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    verdict: Verdict
    corrected: Verdict
    unit: str
    units: int
    cases: int
    shared_units: int

    @property
    def name(self) -> str:
        """The cell in words."""
        return column_name(self.dataset, self.task, self.protocol, self.fraction)

    @property
    def is_seen(self) -> bool:
        """Whether either pretraining saw something of the dataset."""
        return bool(self.adapted.saw or self.base.saw)


@dataclass(frozen=True)
class Pair:
    """An adapted method against its base.

    Attributes:
        rates, corrected: over datasets, without and with Holm's correction over the cells.
        left_out: columns of the suite that were not compared, with the reason.
    """

    adapted: str
    base: str
    cells: tuple[Cell, ...]
    rates: Rates
    corrected: Rates
    left_out: tuple[str, ...]

    @property
    def name(self) -> str:
        """The pair in words."""
        return f"{self.adapted} against {self.base}"


@dataclass(frozen=True)
class HeadToHead:
    """All pairs of a suite.

    Attributes:
        data: `real` or `phantom`.
        replicates: of the bootstrap.
        rates, corrected: means over pairs.
        notes: results of the suite that were left out, with the reason.
    """

    suite: str
    version: int
    data: Literal["real", "phantom"]
    level: float
    replicates: int
    pairs: tuple[Pair, ...]
    rates: Rates
    corrected: Rates
    notes: tuple[str, ...]

    @property
    def false_rate(self) -> float:
        """The rate of false wins, and that of false losses, to be expected of equal methods without correction."""
        return expected_false(self.level)

    @property
    def smallest_p(self) -> float:
        """The least p value that could come out."""
        return smallest_p_value(self.replicates)
