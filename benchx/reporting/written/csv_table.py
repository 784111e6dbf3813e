"""A board as one tidy table: a row per method and column, published scores and absent methods among them."""

from __future__ import annotations

from math import sqrt
from typing import Any

from benchx.reporting.board import Board, Column, Published
from benchx.reporting.csv_text import csv_text
from benchx.reporting.grouping import difference, tied_with_best
from benchx.reporting.rows import Row


def to_csv(board: Board) -> str:
    """Return the board as CSV, see `benchx.reporting.csv_text`.

    `origin` is `here` for results of the store, else `paper` or `authors-code`. A method without a result has a
    row with its reason in `absent`.
    """
    rows = [
        _about(board, column) | row
        for column in board.columns
        for row in (
            *(_scored(column, row, place) for place, row in enumerate(column.rows, start=1)),
            *({"method": method, "origin": "here", "absent": reason} for method, reason in column.absent.items()),
            *(_published(column, row) for row in column.published),
        )
    ]
    secondary = sorted(
        {f"secondary_{name}" for column in board.columns for row in column.rows for name in row.secondary}
    )
    return csv_text([*_FIELDS, *secondary], rows)


_FIELDS = (
    "suite", "version", "data", "dataset", "family", "task", "protocol", "fraction", "split", "metric",
    "method", "origin", "place", "score", "low", "high", "level", "se", "df", "case_sd", "draw_sd", "draws",
    "planned_draws", "drawn", "next_draw_half_width", "letters", "tied_with_best", "rank_low", "rank_high", "p_best",
    "difference_to_best", "difference_low", "difference_high", "difference_p_adjusted", "contaminated", "certificate",
    "discriminability", "detectable", "reliability", "unit", "units", "cases", "excluded", "shared_units", "redrawn",
    "untrained", "unreadable", "wall_seconds", "peak_memory_bytes", "absent", "published_std",
    "ours_minus_published", "in_uncertainties", "source", "note",
    "transductive", "searches", "trials", "late_trials",
)  # fmt: skip


def _about(board: Board, column: Column) -> dict[str, Any]:
    told = column.discriminability
    return {
        "suite": board.suite,
        "version": board.version,
        "data": board.data,
        "dataset": column.dataset,
        "family": column.family,
        "task": column.task,
        "protocol": column.protocol,
        "fraction": column.fraction,
        "split": column.split_kind,
        "metric": column.primary,
        "level": board.level,
        "drawn": column.drawn,
        "discriminability": told and told.verdict,
        "detectable": told and told.detectable,
        "reliability": told and told.reliability,
        "unit": column.unit,
        "units": column.units,
        "cases": column.cases,
        "excluded": [f"{name} ({why})" for name, why in column.excluded.items()],
        "shared_units": column.shared_units,
        "redrawn": column.redrawn,
    }


def _scored(column: Column, row: Row, place: int) -> dict[str, Any]:
    score = row.score
    behind = difference(column, row.method, column.rows[0].method)
    return {
        "method": row.method,
        "origin": "here",
        "place": place,
        "score": score.value,
        "low": score.low,
        "high": score.high,
        "se": score.se,
        "df": score.df,
        "case_sd": sqrt(score.case_variance),
        "draw_sd": None if score.draw_variance is None else sqrt(score.draw_variance),
        "draws": len(row.draws),
        "planned_draws": row.planned_draws,
        "next_draw_half_width": row.next_draw,
        "letters": row.letters,
        "tied_with_best": place == 1 or row.method in tied_with_best(column),
        "rank_low": row.rank.low,
        "rank_high": row.rank.high,
        "p_best": row.rank.best,
        "difference_to_best": behind and behind.value,
        "difference_low": behind and behind.low,
        "difference_high": behind and behind.high,
        "difference_p_adjusted": behind and behind.p_adjusted,
        "contaminated": list(row.contaminated),
        "certificate": row.certificate,
        "untrained": list(row.untrained),
        "unreadable": row.unreadable,
        **{name: getattr(row, name) for name in ("transductive", "searches", "trials", "late_trials")},
        "wall_seconds": row.wall_seconds,
        "peak_memory_bytes": max(draw.peak_memory_bytes for draw in row.draws),
        **{f"secondary_{name}": value for name, value in row.secondary.items()},
    }


def _published(column: Column, row: Published) -> dict[str, Any]:
    gap, sigmas = column.against(row) or (None, None)
    return {
        "ours_minus_published": gap,
        "in_uncertainties": sigmas,
        "method": row.method,
        "origin": row.origin,
        "score": row.value,
        "published_std": row.std,
        "source": row.source,
        "note": row.note,
    }
