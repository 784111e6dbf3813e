"""Set adapted methods against their bases, in every column of a suite that both have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from benchx.datasets.samples import UNITS
from benchx.errors import StoreError
from benchx.reporting.board import column_name
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.building.gathering import Gathered, Gathering, gather
from benchx.reporting.head_to_head.contest import Cell, HeadToHead, Pair
from benchx.reporting.head_to_head.drawing import ROUNDING, Column
from benchx.reporting.head_to_head.naming import Names, read_pairs
from benchx.reporting.head_to_head.sides import side_of
from benchx.results.store import Store
from benchx.statistics.bootstrap import percentile_interval
from benchx.statistics.win_tie_loss import Verdict, corrected, mean_rates, percentile_p_value, rates, verdict
from benchx.suites import Suite

REPLICATES = 10_000
"""As in "Medical adaptation", section 3."""

_Computation = tuple[Names, str, str, float, str, str]
"""A pair, dataset, task and fraction, and the digests of the two methods' predictions."""


@dataclass(frozen=True)
class _Compared:
    """One column's cells by pair, before correction, and why a pair has none."""

    cells: dict[Names, Cell]
    left_out: dict[Names, str]


def head_to_head(
    suite: Suite,
    stores: Sequence[Store],
    pairs: Sequence[str],
    registered: Collection[str],
    advance: Callable[[int, int], None],
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> HeadToHead:
    """Compare adapted methods with their bases by the paired percentile bootstrap, cluster by cluster.

    Results are those that a board of the same stores takes. Draws (seeds) are averaged and held fixed: the intervals
    are about these trained models on other patients. Columns of one dataset, task and fraction in which both methods
    have the same predictions, draw by draw, are one computation: the first in the suite's order is the cell.

    Args:
        pairs: `ADAPTED:BASE`.
        registered: names of methods that need no result to be known.
        advance: told of every column.
        level: of the intervals; Holm's correction rejects at 1 - level.
        replicates: of the bootstrap.

    Raises:
        UsageError: as `read_pairs`.
        StoreError: two methods have no column in common, or as `gather` and `Column`.
    """
    gathering = gather(suite, stores)
    found = {method for one in gathering.columns for method in (*one.by_method, *one.absent)}
    named = read_pairs(pairs, found | set(registered))
    for adapted, base in named:
        if not any(adapted in one.by_method and base in one.by_method for one in gathering.columns):
            raise _nothing_in_common(suite, stores, gathering, adapted, base)
    draws = DrawsByCases(replicates)
    known: dict[_Computation, str] = {}
    columns = []
    for number, gathered in enumerate(gathering.columns):
        advance(number, len(gathering.columns))
        columns.append(_column(gathered, named, draws, known, replicates, level))
    advance(len(gathering.columns), len(gathering.columns))
    for adapted, base in named:
        if not any((adapted, base) in one.cells for one in columns):
            raise StoreError(
                f"'{adapted}' and '{base}' can be compared in no column",
                "; ".join(dict.fromkeys(one.left_out[adapted, base] for one in columns)),
                "test on more patients",
            )
    compared = tuple(_pair(names, columns, gathering.empty, level) for names in named)
    return HeadToHead(
        suite.name,
        suite.version,
        gathering.data,
        level,
        replicates,
        compared,
        mean_rates([one.rates for one in compared]),
        mean_rates([one.corrected for one in compared]),
        gathering.notes,
    )


def _column(
    gathered: Gathered,
    pairs: Sequence[Names],
    draws: DrawsByCases,
    known: dict[_Computation, str],
    replicates: int,
    level: float,
) -> _Compared:
    """Compare in one column the pairs that it is the first to compare by their predictions; `known` names it so."""
    planned = gathered.cell
    name = column_name(*planned.column)
    left_out = {
        names: f"{name}: " + ", ".join(f"{one}: {gathered.absent.get(one, 'not run')}" for one in lacking)
        for names in pairs
        if (lacking := [one for one in names if one not in gathered.by_method])
    }
    both = [names for names in pairs if names not in left_out]
    cells = {}
    if both:
        column = Column(gathered, list(dict.fromkeys(one for names in both for one in names)), draws, replicates)
        for names in both:
            digests = column.digest(names[0]), column.digest(names[1])
            computed = (names, planned.dataset, planned.task, planned.fraction, *digests)
            if computed in known:
                left_out[names] = f"{name}: the same predictions as {known[computed]}"
            elif isinstance(cell := _cell(gathered, column, names, level), str):
                left_out[names] = f"{name}: {cell}"
            else:
                known[computed] = name
                cells[names] = cell
    return _Compared(cells, left_out)


def _cell(gathered: Gathered, column: Column, names: Names, level: float) -> Cell | str:
    drawn = column.difference(*names)
    if isinstance(drawn, str):
        return drawn
    low, high = percentile_interval(drawn.replicates, level)
    p_value = percentile_p_value(drawn.replicates)
    difference = drawn.a - drawn.b
    cell = gathered.cell
    adapted, base = (
        side_of(cell.dataset, gathered.by_method[name], score)
        for name, score in zip(names, (drawn.a, drawn.b), strict=True)
    )
    said = verdict(low, high)
    return Cell(
        dataset=cell.dataset,
        task=cell.task,
        protocol=cell.protocol,
        fraction=cell.fraction,
        metric=cell.primary,
        adapted=adapted,
        base=base,
        difference=difference if abs(difference) > ROUNDING else 0.0,
        low=low,
        high=high,
        p_value=p_value,
        p_adjusted=p_value,
        verdict=said,
        corrected=said,
        unit=UNITS[gathered.newest.unit or "image"],
        units=drawn.units,
        cases=drawn.cases,
        shared_units=max(one.record.provenance.shared_units for name in names for one in gathered.by_method[name]),
    )


def _pair(names: Names, columns: Sequence[_Compared], empty: Sequence[str], level: float) -> Pair:
    cells = [one.cells[names] for one in columns if names in one.cells]
    kept, adjusted = corrected([one.verdict for one in cells], [one.p_value for one in cells], level)
    told = tuple(
        replace(one, p_adjusted=float(p), corrected=said) for one, p, said in zip(cells, adjusted, kept, strict=True)
    )
    without: dict[str, list[Verdict]] = defaultdict(list)
    with_holm: dict[str, list[Verdict]] = defaultdict(list)
    for one in told:
        without[one.dataset].append(one.verdict)
        with_holm[one.dataset].append(one.corrected)
    left_out = (*(one.left_out[names] for one in columns if names in one.left_out), *empty)
    return Pair(*names, told, rates(without), rates(with_holm), left_out)


def _nothing_in_common(
    suite: Suite, stores: Sequence[Store], gathering: Gathering, adapted: str, base: str
) -> StoreError:
    def columns_of(method: str) -> str:
        return ", ".join(column_name(*one.cell.column) for one in gathering.columns if method in one.by_method)

    has = "; ".join(f"'{name}' has {columns_of(name) or 'no result'}" for name in (adapted, base))
    return StoreError(
        f"'{adapted}' and '{base}' have no column of suite '{suite.name}' in common",
        has,
        f"run: benchx run --suite {suite.name} --method {adapted} --method {base} --store {stores[0].path}",
    )
