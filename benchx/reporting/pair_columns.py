"""Two methods of a suite, column by column, by every test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchx.datasets.samples import UNITS
from benchx.digests import fraction_of_hash
from benchx.errors import StoreError, UsageError, unknown_name
from benchx.metrics.classification import scorable
from benchx.reporting.board import column_name
from benchx.reporting.columns import DrawsByCases, assess
from benchx.reporting.families import Scores, differences
from benchx.reporting.gathering import Found, Gathered, Gathering, gather
from benchx.reporting.leaderboard import Rules
from benchx.reporting.pair_sides import Pairing, PairTest, Side
from benchx.reporting.pair_tests import TESTS, equivalence_test
from benchx.results.store import Store
from benchx.suites import Suite
from benchx.tasks.predictions import scores_and_labels


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
    both = [one for one in columns if a in one.by_method and b in one.by_method]
    left_out = tuple(f"{_name(one)}: {_why(one, (a, b))}" for one in columns if one not in both)
    if not both:
        why = "; ".join(left_out) or f"no result on {', '.join(datasets)}"
        has = " and ".join(f"'{name}' has {_columns_of(columns, name)}" for name in (a, b))
        raise StoreError(
            f"'{a}' and '{b}' have no column of suite '{suite.name}' in common",
            f"{has} ({why})",
            f"run: benchx run --suite {suite.name} --method {a} --method {b} --store {stores[0].path}",
        )
    draws = DrawsByCases(rules.replicates)
    total = len(both) * (len(TESTS) + (rules.margin is not None))
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


def _check_known(gathering: Gathering, names: Sequence[str]) -> None:
    known = {method for one in gathering.columns for method in (*one.by_method, *one.absent)}
    for name in names:
        if name not in known:
            raise unknown_name("method in these results:", name, known)


def _name(gathered: Gathered) -> str:
    return column_name(*gathered.cell.column)


def _why(gathered: Gathered, names: Sequence[str]) -> str:
    lacking = [name for name in names if name not in gathered.by_method]
    return ", ".join(f"{name} {gathered.absent.get(name, 'not run')}" for name in lacking)


def _columns_of(columns: Sequence[Gathered], method: str) -> str:
    return ", ".join(_name(one) for one in columns if method in one.by_method) or "none"


def _column(
    gathered: Gathered, a: str, b: str, draws: DrawsByCases, rules: Rules, count: Callable[[], None]
) -> PairColumn:
    assessed = assess(gathered, draws, rules.replicates, rules.level)
    by_method = {one.method: one for one in assessed.scores}
    # The pair first, so that the first of all differences is theirs.
    ordered = [by_method[a], by_method[b], *(one for one in assessed.scores if one.method not in (a, b))]
    alpha = 1 - rules.level
    clusters = assessed.shared.clusters
    (_, _, estimate), (_, _, narrower) = (
        differences(ordered, clusters, level)[0] for level in (rules.level, 1 - 2 * alpha)
    )
    side_a, side_b = (_side(gathered.by_method[name], by_method[name]) for name in (a, b))
    table = side_a.tables[0]
    _, labels, classes = scores_and_labels(table)
    places = np.flatnonzero(scorable(labels))
    unit = gathered.newest.unit or "image"
    pair = Pairing(
        a=side_a,
        b=side_b,
        labels=labels[:, places],
        classes=tuple(classes[place] for place in places),
        places=places,
        clusters=tuple(table["cluster"].astype(str)),
        unit=unit,
        units=UNITS[unit],
        estimate=estimate,
        narrower=narrower,
        seed=int(fraction_of_hash("pair", gathered.cell.dataset) * 2**53),
    )
    tests = []
    for test in TESTS:
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
        a=by_method[a].estimate.value,
        b=by_method[b].estimate.value,
        a_draws=side_a.draws,
        b_draws=side_b.draws,
        unit=pair.units,
        units=clusters,
        cases=len(labels),
        tests=tuple(tests),
    )


def _side(found: Sequence[Found], scores: Scores) -> Side:
    """Read a method's predictions again, in the order of the cases that `assess` has checked."""
    tables = tuple(one.store.predictions(one.record.key).sort_values("sample", ignore_index=True) for one in found)
    parsed = [scores_and_labels(table) for table in tables]
    places = scorable(parsed[0][1])
    return Side(
        draws=scores.draws,
        tables=tables,
        details=tuple(one.record.details for one in found),
        scores=np.stack([logits[:, places] for logits, _, _ in parsed]),
        replicates=scores.replicates,
    )
