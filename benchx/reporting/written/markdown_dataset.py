"""The Markdown of one dataset: scores, differences to the leader, and what a reader of them should know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from benchx.datasets.samples import UNITS
from benchx.reporting.board import Column
from benchx.reporting.grouping import difference
from benchx.reporting.markdown_text import bullets, escape, table
from benchx.reporting.rows import Row
from benchx.reporting.wording import (
    DOTS,
    ORIGINS,
    TRANSDUCTIVE,
    VERDICTS,
    against_published,
    cases,
    drawn_words,
    estimate_text,
    interval,
    late_words,
    number,
    p_value,
    percent,
    published_value,
)
from benchx.statistics.discriminability import pooled
from benchx.words import agreeing, plural


def dataset_parts(columns: Sequence[Column]) -> list[str]:
    """Return the paragraphs of a dataset's columns, label fractions in rising order."""
    parts = [f"### {escape(columns[-1].dataset)}", _about(columns), _scores(columns)]
    if any(len(column.rows) > 1 for column in columns):
        parts += ["Difference to the leader of each fraction; bold where it is significant.", _differences(columns)]
    return [*parts, bullets([*_over_fractions(columns), *_remarks(columns)])]


def _over_fractions(columns: Sequence[Column]) -> list[str]:
    """Say what all label fractions together tell of the test set."""
    told = [column.discriminability for column in columns if column.discriminability is not None]
    if len(told) < 2:
        return []
    found = pooled(told)
    why = f"mean F = {found.f:.2f}, {p_value(found.p_value)}, reliability {found.reliability:.2f}"
    return [f"over its {len(told)} label fractions this test set {VERDICTS[found.verdict]} ({why})"]


def _about(columns: Sequence[Column]) -> str:
    last = columns[-1]
    excluded = {name: why for column in columns for name, why in column.excluded.items()}
    classes = ", ".join(escape(f"{name} ({why})") for name, why in excluded.items())
    left_out = f" Classes that cannot be scored: {classes}." if classes else ""
    shared = max(column.shared_units for column in columns)
    sharing = f"{plural(shared, last.unit, UNITS[last.unit])} {agreeing(shared, 'stands', 'stand')}"
    leak = f" **{sharing} in two parts of this split.**" if shared else ""
    return (
        f"{escape(last.primary)} on {cases(last)} of "
        f"{plural(last.units, last.unit, UNITS[last.unit])}, split {escape(last.split_kind)}; "
        f"intervals over {UNITS[last.unit]}.{leak}{left_out}"
    )


def _order(columns: Sequence[Column]) -> list[str]:
    ranked = [row.method for row in columns[-1].rows]
    return ranked + sorted({row.method for column in columns for row in column.rows} - set(ranked))


def _by_method(columns: Sequence[Column], cell: Callable[[Column, Row], str]) -> list[list[str]]:
    rows = []
    for method in _order(columns):
        found = [(column, column.row(method)) for column in columns]
        rows.append([escape(method), *("" if row is None else cell(column, row) for column, row in found)])
    return rows


def _headers(columns: Sequence[Column]) -> list[str]:
    return ["method", *(percent(column.fraction) for column in columns)]


def _scores(columns: Sequence[Column]) -> str:
    def cell(_: Column, row: Row) -> str:
        missing = f" ({len(row.draws)} of {row.planned_draws} draws)" if len(row.draws) < row.planned_draws else ""
        marks = " †" * bool(row.contaminated) + " ‡" * row.transductive
        return f"{estimate_text(row.score)} {escape(row.letters)}{marks}{missing}"

    rows = _by_method(columns, cell)
    for method, origin in dict.fromkeys((one.method, one.origin) for column in columns for one in column.published):
        values = [
            next((published_value(one) for one in column.published if (one.method, one.origin) == (method, origin)), "")
            for column in columns
        ]
        rows.append([f"*{escape(method)}* ({ORIGINS[origin]}: published, not run here)", *values])
    rows.append(["**separates methods? ● yes, ◐ weakly, ○ no**", *(_told(column) for column in columns)])
    return table(_headers(columns), rows)


def _told(column: Column) -> str:
    told = column.discriminability
    if told is None:
        return "one method only"
    return f"{DOTS[told.verdict]} detectable {number(told.detectable)} (n = {column.units})"


def _differences(columns: Sequence[Column]) -> str:
    def cell(column: Column, row: Row) -> str:
        leader = column.rows[0].method
        if row.method == leader:
            return "leader"
        behind = difference(column, row.method, leader)
        if behind is None:
            return "not compared"
        value = interval(behind.value, behind.low, behind.high, signed=True)
        equivalent = ", equivalent" if behind.equivalent else ""
        return f"{f'**{value}**' if behind.different else value} {p_value(behind.p_adjusted)}{equivalent}"

    return table(_headers(columns), _by_method(columns, cell))


def _remarks(columns: Sequence[Column]) -> list[str]:
    """Say what a reader of the scores should know; what holds for several fractions is said once."""
    said: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        for text in _remarks_on(column):
            said[text].append(percent(column.fraction))
    if len(columns) == 1:
        return list(said)
    return [f"{', '.join(shares)}: {text}" for text, shares in said.items()]


def _remarks_on(column: Column) -> list[str]:
    one_draw = all(len(row.draws) == 1 for row in column.rows)
    lines = [drawn_words(column) + ("; the intervals cover the test cases only" if one_draw else "")]
    told = column.discriminability
    if told is not None and told.verdict != "separates":
        why = f"F = {told.f:.2f}, {p_value(told.p_value)}, reliability {told.reliability:.2f}"
        lines.append(f"this test set {VERDICTS[told.verdict]} ({why})")
    if rare := [escape(part.name) for part in column.rows[0].classes if part.score is None and part.cases]:
        lines.append(
            f"{', '.join(rare)}: fewer than 5 {UNITS[column.unit]} hold a positive, or a negative; no interval alone, "
            "and the macro score's is wider for it"
        )
    lines += _remarks_on_rows(column)
    leader = column.rows[0]
    if leader.next_draw is not None:
        now = (leader.score.high - leader.score.low) / 2
        lines.append(
            "one more draw would change the half-width of the leader's interval from "
            f"{number(now, digits=4)} to {number(leader.next_draw, digits=4)}"
        )
    if column.redrawn:
        were = agreeing(column.redrawn, "was", "were")
        replicates = plural(column.redrawn, "bootstrap replicate")
        lines.append(f"{replicates} lacked a value of a class and {were} drawn again")
    lines += [f"{escape(method)}: no result ({escape(why)})" for method, why in column.absent.items()]
    lines += [
        f"published, not run here: {escape(one.method)} ({ORIGINS[one.origin]}) is from {escape(one.cited)}"
        + (f"; the score here differs by {against}" if (against := against_published(column, one)) else "")
        for one in column.published
    ]
    return lines


def _remarks_on_rows(column: Column) -> list[str]:
    """Return remarks on rows with the methods they hold for in front; none where they hold for all."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in column.rows:
        if row.contaminated:
            said[f"† pretraining saw {escape(', '.join(row.contaminated))}"].append(row.method)
        if row.untrained:
            said[f"in some draw no training case to learn {escape(', '.join(row.untrained))}"].append(row.method)
        if row.transductive:
            said[f"‡ {TRANSDUCTIVE}"].append(row.method)
        if row.trials:
            said[f"search: {late_words(row)}"].append(row.method)
        if row.unreadable:
            said[f"{plural(row.unreadable, 'unreadable image')} left out"].append(row.method)
    return [
        text if len(methods) == len(column.rows) else f"{', '.join(map(escape, methods))}: {text}"
        for text, methods in said.items()
    ]
