"""What a comparison of two results stores is: one row per cell, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from benchx.reporting.compare.matching import CellName
from benchx.statistics.variance import Estimate

Verdict = Literal["regressed", "missing", "inconclusive", "improved", "new", "same"]
VERDICTS: tuple[Verdict, ...] = ("regressed", "missing", "inconclusive", "improved", "new", "same")
FailOn = Literal["regression", "any"]
FAIL_ON: tuple[FailOn, ...] = ("regression", "any")


@dataclass(frozen=True)
class Cost:
    """What a cell took, its compared draws together.

    Attributes:
        base_seconds, head_seconds: wall time, summed; a first cell of a method and dataset pays for their features.
        base_bytes, head_bytes: peak memory of the process, the largest.
        comparable: device and number of threads are the same.
        slower, larger: comparable, at least 1.2 times BASE's, and by more than 1 s or 50 MB.
    """

    base_seconds: float
    head_seconds: float
    base_bytes: int
    head_bytes: int
    comparable: bool
    slower: bool
    larger: bool


@dataclass(frozen=True)
class Row:
    """One cell in both stores.

    Attributes:
        data: `real` or `phantom`; empty where nothing was compared.
        unit: what the interval resamples, in the plural; empty likewise.
        units: how many of them the test set has.
        draws: those that both stores have; of a `new` cell HEAD's, of a cell that was not measured BASE's.
        lost: draws left out of the comparison because HEAD has no result of them.
        base, head: primary metric, mean over the draws.
        difference: HEAD minus BASE; None where nothing was tested.
        p_different, p_negligible: corrected over the tested cells.
        identical: the predictions are the same to the last bit.
        reason: why a cell is missing or inconclusive, and what would decide it.
        broken: HEAD records that the cell failed, or that it does not apply any more.
    """

    name: CellName
    verdict: Verdict
    metric: str
    data: str = ""
    unit: str = ""
    units: int = 0
    draws: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    base: float | None = None
    head: float | None = None
    difference: Estimate | None = None
    p_different: float | None = None
    p_negligible: float | None = None
    identical: bool = False
    reason: str = ""
    broken: bool = False
    notes: tuple[str, ...] = ()
    cost: Cost | None = None


@dataclass(frozen=True)
class Comparison:
    """Two stores.

    Attributes:
        base, head: the folders.
        tests: how many cells were tested: the family of the corrections.
        rows: by verdict, the worst first.
    """

    base: str
    head: str
    margin: float
    level: float
    replicates: int
    tests: int
    rows: tuple[Row, ...]

    def counts(self) -> dict[Verdict, int]:
        """Return how many cells have each verdict, those without any left out."""
        found = [row.verdict for row in self.rows]
        return {verdict: found.count(verdict) for verdict in VERDICTS if verdict in found}


def fails(row: Row, fail_on: FailOn) -> bool:
    """Whether a row fails the comparison.

    With `regression`: a cell that has regressed, and one that HEAD could not finish. With `any` also every other
    missing cell, one that lacks a draw, and the inconclusive ones.
    """
    if fail_on == "any":
        return row.verdict in ("regressed", "missing", "inconclusive") or bool(row.lost)
    return row.verdict == "regressed" or row.broken


def judged_by(comparison: Comparison, fail_on: FailOn) -> Comparison:
    """Return the comparison with the verdicts that an option gives.

    With `any`, a cell of which HEAD lacks a draw that BASE has is missing, whatever the other draws say, unless they
    say that it has regressed: a job that was killed leaves nothing else behind.
    """
    if fail_on == "regression":
        return comparison
    return replace(comparison, rows=worst_first(_missing(row) if row.lost else row for row in comparison.rows))


def worst_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Sort rows by verdict, then by name."""
    return tuple(sorted(rows, key=lambda row: (VERDICTS.index(row.verdict), str(row.name))))


def _missing(row: Row) -> Row:
    if row.verdict == "regressed":
        return row
    others = f"{row.verdict} on the draws that both have" + (f": {row.reason}" if row.reason else "")
    return replace(row, verdict="missing", reason=others)
