"""Two methods of a suite, column by column, by every test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchx.errors import StoreError, UsageError, unknown_name
from benchx.reporting.board import column_name
from benchx.reporting.building.columns import assess
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.gathering import Gathered, Gathering, gather
from benchx.reporting.building.leaderboard import Rules
from benchx.reporting.pair.sides import Pairing, PairTest, make_pairing
from benchx.reporting.pair.tests import MEASURE_TESTS, TESTS, equivalence_test
from benchx.results.store import Store
from benchx.suites import Suite


@dataclass(frozen=True)
class PairColumn:
    """Two methods in one column.

    Attributes:
        metric: what is compared.
        a, b: the metric's mean over draws.
        a_draws, b_draws: their names.
        unit: what clusters are, in the plural.
        units, cases: size of the test set.
    """

    dataset: str
    task: str
    protocol: str
    fraction: float
    metric: str
    a: float
    b: float
    a_draws: tuple[str, ...]
    b_draws: tuple[str, ...]
    unit: str
    units: int
    cases: int
    tests: tuple[PairTest, ...]

    @property
    def name(self) -> str:
        """The column in words."""
        return column_name(self.dataset, self.task, self.protocol, self.fraction)


@dataclass(frozen=True)
class ComparedPair:
    """Two methods of a suite; differences are a - b.

    Attributes:
        data: `real` or `phantom`.
        left_out: columns that one of the two lacks, with the reason.
        notes: results of the suite that were left out, with the reason.
    """

    suite: str
    version: int
    data: Literal["real", "phantom"]
    a: str
    b: str
    level: float
    margin: float | None
    columns: tuple[PairColumn, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def compare_pair(
    suite: Suite,
    stores: Sequence[Store],
    a: str,
    b: str,
    rules: Rules,
    advance: Callable[[int, int], None],
    datasets: Sequence[str] = (),
) -> ComparedPair:
    """Compare two methods by every test, in every column that both have.

    Results are those that a board of the same stores takes, and the first test is the board's: its other methods say
    how draws vary, so all of a column's methods are assessed (and kept in the stores' caches).

    Args:
        rules: level, replicates and margin are used.
        advance: told of every test made.
        datasets: only these; empty = all.

    Raises:
        UsageError: a and b are one, or a method or dataset is not known.
        StoreError: they have no column in common, or as `gather` and `assess`.
    """
    if a == b:
        raise UsageError(f"'{a}' is named twice", "a pair is two methods", "name another method")
    for dataset in datasets:
        if dataset not in suite.datasets:
            raise unknown_name(f"dataset of suite {suite.name}:", dataset, suite.datasets)
    gathering = gather(suite, stores)
    columns = [one for one in gathering.columns if not datasets or one.cell.dataset in datasets]
    _check_known(gathering, (a, b))
    both = [one for one in columns if not _lacking(one, (a, b))]
    left_out = (
        *(f"{_name(one)}: {_why(one, (a, b))}" for one in columns if _lacking(one, (a, b))),
        *(one for one in gathering.empty if not datasets or one.split(" / ")[0] in datasets),
    )
    if not both:
        why = "; ".join(left_out)
        has = " and ".join(f"'{name}' has {_columns_of(columns, name)}" for name in (a, b))
        raise StoreError(
            f"'{a}' and '{b}' have no column of suite '{suite.name}' in common",
            f"{has} ({why})",
            f"run: benchx run --suite {suite.name} --method {a} --method {b} --store {stores[0].path}",
        )
    draws = DrawsByCases(rules.replicates)
    total = sum(len(_tests(one)) + (rules.margin is not None) for one in both)
    made = 0

    def count() -> None:
        nonlocal made
        made += 1
        advance(made, total)

    advance(0, total)
    compared = tuple(_column(one, a, b, draws, rules, count) for one in both)
    return ComparedPair(
        suite.name, suite.version, gathering.data, a, b, rules.level, rules.margin, compared, left_out, gathering.notes
    )


def _tests(gathered: Gathered) -> tuple[Callable[[Pairing], PairTest], ...]:
    return TESTS if gathered.cell.primary == "macro_auroc" else MEASURE_TESTS


def _check_known(gathering: Gathering, names: Sequence[str]) -> None:
    known = {method for one in gathering.columns for method in (*one.by_method, *one.absent)}
    for name in names:
        if name not in known:
            raise unknown_name("method in these results:", name, known)


def _name(gathered: Gathered) -> str:
    return column_name(*gathered.cell.column)


def _lacking(gathered: Gathered, names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in gathered.by_method]


def _why(gathered: Gathered, names: Sequence[str]) -> str:
    return ", ".join(f"{name}: {gathered.absent.get(name, 'not run')}" for name in _lacking(gathered, names))


def _columns_of(columns: Sequence[Gathered], method: str) -> str:
    return ", ".join(_name(one) for one in columns if method in one.by_method) or "none"


def _column(
    gathered: Gathered, a: str, b: str, draws: DrawsByCases, rules: Rules, count: Callable[[], None]
) -> PairColumn:
    assessed = assess(gathered, draws, rules.replicates, rules.level)
    pair = make_pairing(assessed, a, b, rules.level)
    tests = []
    for test in _tests(gathered):
        tests.append(test(pair))
        count()
    if rules.margin is not None:
        tests.append(equivalence_test(pair, rules.margin))
        count()
    cell = gathered.cell
    return PairColumn(
        dataset=cell.dataset,
        task=cell.task,
        protocol=cell.protocol,
        fraction=cell.fraction,
        metric=cell.primary,
        a=pair.a.value,
        b=pair.b.value,
        a_draws=pair.a.draws,
        b_draws=pair.b.draws,
        unit=pair.units,
        units=pair.size,
        cases=assessed.shared.cases,
        tests=tuple(tests),
    )
