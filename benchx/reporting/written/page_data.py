"""What the page's scripts read: a board as compact JSON, scores as integers of 1/10000."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from benchx.datasets.samples import UNITS
from benchx.reporting.board import Board, Column
from benchx.reporting.grouping import at_largest_fraction
from benchx.reporting.rows import Draw, Part, Row
from benchx.reporting.wording import against_published, digest_start, drawn_words, late_words
from benchx.reporting.written.page_tables import page_order, published_rows
from benchx.statistics.variance import Estimate

FINE = 10_000
"""Integers a unit of scores, differences and p values."""
COARSE = 1_000
"""Integers a unit of what the page shows with three digits: classes, subgroups, calibration."""

T = TypeVar("T", bound=Hashable)
Detail = Literal["all", "largest", "none"]


class _Numbered(Generic[T]):
    """Numbers values in the order of their first use: a device's name is written once, not once a cell."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def __call__(self, value: T) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    def all(self) -> list[T]:
        return list(self._numbers)


Setting = tuple[str, str | None, str, str | None]
"""Of a draw: benchx's version, commit, device, precision."""


@dataclass(frozen=True)
class _Tables:
    """What cells refer to by number, and the first minute of any draw."""

    methods: dict[str, int]
    published: dict[tuple[str, str], int]
    strings: _Numbered[str]
    settings: _Numbered[Setting]
    first: int


def page_data(board: Board, detail: Detail) -> dict[str, Any]:
    """Return the board as values that JSON can hold, arrays for what is many; data.js reads it.

    Args:
        board: the board.
        detail: the columns whose cells keep classes, subgroups, calibration and operating points: all, those of
            each dataset's largest fraction, or none.
    """
    created = [_minute(draw.created) for column in board.columns for row in column.rows for draw in row.draws]
    order = page_order(board)
    published = [(row.method, row.origin) for row in published_rows(board)]
    tables = _Tables(
        methods={method: number for number, method in enumerate(order)},
        published={row: number for number, row in enumerate(published)},
        strings=_Numbered(),
        settings=_Numbered(),
        first=min(created, default=0),
    )
    weights = {method.name: method.weights for method in board.methods}
    detailed = _detailed(board, detail)
    columns = [_column(column, tables, column.name in detailed) for column in board.columns]
    return {
        "level": board.level,
        "margin": board.margin,
        "baseline": tables.methods.get(board.baseline, 0),
        "methods": order,
        "weights": [weights.get(method) for method in order],
        "published": [list(row) for row in published],
        "columns": columns,
        "strings": tables.strings.all(),
        "settings": [list(setting) for setting in tables.settings.all()],
        "firstMinute": tables.first,
    }


def _detailed(board: Board, detail: Detail) -> set[str]:
    """Return the names of the columns whose cells keep everything."""
    kept = {"all": board.columns, "largest": at_largest_fraction(board.columns), "none": ()}[detail]
    return {column.name for column in kept}


def _column(column: Column, tables: _Tables, detailed: bool) -> dict[str, Any]:
    secondary = list(dict.fromkeys(name for row in column.rows for name in row.secondary))
    classes = _part_names([row.classes for row in column.rows]) if detailed else []
    subgroups = _part_names([row.subgroups for row in column.rows]) if detailed else []
    return {
        "name": column.name,
        "dataset": column.dataset,
        "task": column.task,
        "protocol": column.protocol,
        "fraction": column.fraction,
        "primary": column.primary,
        "drawn": drawn_words(column),
        "testSet": f"{column.cases} cases of {column.units} {UNITS.get(column.unit, column.unit)}",
        "images": digest_start(column.images),
        "split": digest_start(column.split),
        "detailed": detailed,
        "secondary": secondary,
        "classes": [list(name) for name in classes],
        "subgroups": [list(name) for name in subgroups],
        "methods": [tables.methods[row.method] for row in column.rows],
        "cells": [_cell(row, secondary, classes, subgroups, tables, detailed) for row in column.rows],
        "pairs": _pairs(column),
        "absent": {
            str(tables.methods[method]): reason for method, reason in column.absent.items() if method in tables.methods
        },
        "published": [
            [
                tables.published[p.method, p.origin],
                _fine(p.value),
                _fine(p.std),
                tables.strings(p.cited),
                tables.strings(against_published(column, p)),
            ]
            for p in column.published
        ],
    }


def _cell(
    row: Row,
    secondary: Sequence[str],
    classes: Sequence[tuple[str, int]],
    subgroups: Sequence[tuple[str, int]],
    tables: _Tables,
    detailed: bool,
) -> list[Any]:
    score, strings = row.score, tables.strings
    return [
        _interval(score, FINE),
        [_short(x) for x in (score.se, score.df, score.case_variance, score.draw_variance, row.next_draw)],
        row.planned_draws,
        row.letters,
        [row.rank.low, row.rank.high, _scaled(row.rank.best, COARSE)],
        [_draw(draw, tables) for draw in row.draws],
        [strings(text) for text in row.contaminated],
        None if row.certificate is None else strings(digest_start(row.certificate)),
        [_fine(row.secondary.get(name)) for name in secondary],
        [strings(name) for name in row.untrained],
        row.unreadable,
        _fine_print(row, classes, subgroups, strings) if detailed else None,
        int(row.transductive),
        strings(late_words(row)) if row.trials else None,
    ]


def _draw(draw: Draw, tables: _Tables) -> list[Any]:
    return [
        tables.strings(draw.name),
        _fine(draw.score),
        digest_start(draw.key),
        _minute(draw.created) - tables.first,
        tables.settings((draw.benchx, draw.commit and digest_start(draw.commit), draw.device, draw.precision)),
        _short(draw.wall_seconds),
        round(draw.peak_memory_bytes / 2**20),
    ]


def _fine_print(
    row: Row, classes: Sequence[tuple[str, int]], subgroups: Sequence[tuple[str, int]], strings: _Numbered[str]
) -> list[Any]:
    gaps = [
        [strings(gap.attribute), strings(gap.high), strings(gap.low), *_interval(gap.difference, FINE),
         _fine(gap.p_adjusted), len(gap.classes)]
        for gap in row.gaps
    ]  # fmt: skip
    bins = [
        value
        for b in row.reliability
        for value in (*(_scaled(x, COARSE) for x in (b.probability, b.observed, b.low, b.high)), b.cases)
    ]
    points = [
        value
        for p in row.operating_points
        for value in (*(_scaled(x, COARSE) for x in (p.target, p.sensitivity, p.specificity)), p.classes)
    ]
    return [_parts(row.classes, classes, strings), _parts(row.subgroups, subgroups, strings), gaps, bins, points]


def _part_names(rows: Sequence[Sequence[Part]]) -> list[tuple[str, int]]:
    """Return name and cases of every part in the order in which rows name them."""
    return list(dict.fromkeys((part.name, part.cases) for parts in rows for part in parts))


def _parts(parts: Sequence[Part], names: Sequence[tuple[str, int]], strings: _Numbered[str]) -> list[int | None]:
    """Return the intervals, one after the other; null, reason, 0 where there is no value."""
    found = {(part.name, part.cases): part for part in parts}
    flat: list[int | None] = []
    for name in names:
        part = found.get(name)
        if part is not None and part.score is not None:
            flat += _interval(part.score, COARSE)
        else:
            flat += [None, strings((part and part.reason) or "no score"), 0]
    return flat


def _pairs(column: Column) -> list[Any]:
    """Return the three parts of intervals, adjusted p values, and one digit a pair (1 different, 2 equivalent).

    The pairs are (0, 1), (0, 2), ..., (1, 2), ... of the rows.
    """
    found = {(pair.a, pair.b): pair for pair in column.pairs}
    methods = [row.method for row in column.rows]
    ordered = [found[a, b] for i, a in enumerate(methods) for b in methods[i + 1 :]]
    intervals = [_interval(pair.difference, FINE) for pair in ordered]
    return [
        *([interval[k] for interval in intervals] for k in range(3)),
        [_fine(pair.p_adjusted) for pair in ordered],
        "".join(str(int(pair.different) + 2 * bool(pair.equivalent)) for pair in ordered),
    ]


def _interval(estimate: Estimate, scale: int) -> list[int | None]:
    """Return value, length below it, and by how much the length above exceeds that: mostly 0 and short to write.

    The ends are rounded, not the lengths, so that they read as the board's own.
    """
    value, low, high = (_scaled(x, scale) for x in (estimate.value, estimate.low, estimate.high))
    if value is None or low is None or high is None:
        return [value, None, None]
    return [value, value - low, high + low - 2 * value]


def _minute(created: str) -> int:
    """Return minutes since 1970; a time without a zone is read as UTC."""
    time = datetime.fromisoformat(created)
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()) // 60


def _fine(value: float | None) -> int | None:
    return _scaled(value, FINE)


def _scaled(value: float | None, scale: int) -> int | None:
    return None if value is None or not math.isfinite(value) else round(value * scale)


def _short(value: float | None) -> float | None:
    """Return a number with three significant digits."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")
