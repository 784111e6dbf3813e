"""Compare two results stores, cell by cell: what has become better or worse, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from benchx.errors import UsageError
from benchx.reporting.building.draws import DrawsByCases
from benchx.reporting.compare.comparison import Comparison, Row, Verdict, worst_first
from benchx.reporting.compare.matching import CellName, Side, nothing_in_common, read_both
from benchx.reporting.compare.measuring import REPLICATES, measure
from benchx.reporting.compare.notes import unfinished_reason, what_would_do
from benchx.reporting.compare.rule import judge, need
from benchx.results.store import Store
from benchx.statistics.variance import Estimate

_NOWHERE = Side({}, {}, 0)


def compare(
    base: Store, head: Store, *, suite: str | None, margin: float, level: float, advance: Callable[[int, int], None]
) -> Comparison:
    """Compare two stores by the rule of `benchx.reporting.compare.rule`.

    A cell is compared on the draws that both stores have, pair by pair; where they share none, as independent draws.
    Identical predictions are `same` without a test. A cell is `missing` that BASE has and HEAD has not; so is one of
    which HEAD records that a draw that BASE has failed there, or does not apply.

    Args:
        suite: name of the only suite to compare; None: all.
        margin: in [0, 1), differences below it do not matter.
        level: in (0, 1), of intervals; tests reject at 1 - level.
        advance: called with the cells done and the cells in all.

    Raises:
        UsageError: the comparison is refused: a cell's data, split, settings, metric or test cases differ, the stores
            have no cell in common or no such suite, or margin or level are out of range.
        StoreError: a record or predictions cannot be read, or are not as benchx writes them.
    """
    if not 0 <= margin < 1:
        raise UsageError(f"a margin of {margin:g} cannot be", "it lies between 0 and 1", "give e.g. 0.01")
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} cannot be", "it lies between 0 and 1", "give e.g. 0.95")
    before, after = read_both(base, head, suite)
    if not any(side.done and name in after for name, side in before.items()):
        raise UsageError(
            f"{base.path} and {head.path} have no cell{f' of suite {suite!r}' if suite else ''} in common",
            nothing_in_common(base, head, before, after),
            "compare two runs of the same suite and methods; benchx store status shows what a store holds",
        )
    names = sorted(before.keys() | after.keys(), key=lambda name: (name.dataset, name.fraction, str(name)))
    draws = DrawsByCases(REPLICATES)
    rows = []
    for number, name in enumerate(names):
        advance(number, len(names))
        if (row := _row(name, before.get(name, _NOWHERE), after.get(name, _NOWHERE), draws, level)) is not None:
            rows.append(row)
    advance(len(names), len(names))
    judged = _judged(rows, margin, level)
    tests = sum(row.difference is not None for row in judged)
    return Comparison(str(base.path), str(head.path), margin, level, REPLICATES, tests, worst_first(judged))


def _row(name: CellName, base: Side, head: Side, draws: DrawsByCases, level: float) -> Row | None:
    """Return a cell's row; None where neither store has a result."""
    if not base.done:
        return _one_sided(name, "new", head) if head.done else None
    lost = {draw: head.unfinished[draw] for draw in base.done if draw in head.unfinished}
    broken = any(record.state in ("failed", "not-applicable") for record in lost.values())
    if head.done and not broken:
        return measure(name, base, head, draws, level)
    said = [unfinished_reason(draw, record.state, record.reason) for draw, record in lost.items()]
    reason = "; ".join(dict.fromkeys(said)) or "HEAD has no result"
    return replace(_one_sided(name, "missing", base), reason=reason, broken=broken)


def _one_sided(name: CellName, verdict: Verdict, side: Side) -> Row:
    records = [found.record for found in side.done.values()]
    metric = records[0].cell["primary"]
    scores = [value for record in records if (value := (record.scores or {}).get(metric)) is not None]
    score = fmean(scores) if scores else None
    base, head = (None, score) if verdict == "new" else (score, None)
    return Row(name, verdict, metric, draws=tuple(side.done), base=base, head=head)


def _judged(rows: Sequence[Row], margin: float, level: float) -> list[Row]:
    """Return the rows, those with a difference with their verdicts."""
    tested = [row.difference for row in rows if row.difference is not None]
    judgements = iter(judge(tested, margin, level))
    judged = []
    for row in rows:
        if (difference := row.difference) is not None:
            found = next(judgements)
            row = replace(row, p_different=found.p_different, p_negligible=found.p_negligible, verdict=found.verdict)
            if found.verdict == "inconclusive":
                row = _undecided(row, difference, margin, level, len(tested))
        judged.append(row)
    return judged


def _undecided(row: Row, difference: Estimate, margin: float, level: float, tests: int) -> Row:
    """Say what an inconclusive row lacks."""
    if difference.se == 0:
        return replace(row, reason="the difference is the same in all resampled test sets, so nothing tests it")
    if margin == 0 and difference.value == 0:
        return replace(row, reason="no difference to be seen, and with a margin of 0 none is small enough")
    return replace(row, reason=what_would_do(need(difference, margin, level, tests), row.unit, difference.draws))
