"""Write a board as Markdown and JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchx.datasets.samples import UNITS
from benchx.errors import UsageError
from benchx.reporting.board import SCHEMA_VERSION, Board, Column, Row
from benchx.statistics.bootstrap import Interval
from benchx.writing import write_whole


def write_board(board: Board, folder: Path) -> list[Path]:
    """Write `leaderboard.md` and `leaderboard.json` into a folder, each whole or not at all."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a board is a folder of files", "give --out DIR")
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "leaderboard.md": to_markdown(board) + "\n",
        "leaderboard.json": json.dumps(to_json(board), indent=1, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
    return [folder / name for name in texts]


def to_json(board: Board) -> dict[str, Any]:
    """Return the board as JSON-able values, `schema_version` first."""
    return {"schema_version": SCHEMA_VERSION, **asdict(board)}


def to_markdown(board: Board) -> str:
    """Return the board as Markdown: per dataset and protocol one table of scores and one of paired gaps."""
    groups: dict[tuple[str, str, str], list[Column]] = defaultdict(list)
    for column in board.columns:
        groups[column.dataset, column.task, column.protocol].append(column)
    parts = [f"# Leaderboard: suite {board.suite}, version {board.version}", _preamble(board)]
    for (dataset, task, protocol), columns in groups.items():
        parts += [f"## {dataset}: {task}, {protocol}", _about(columns), _scores(columns), _gaps(columns)]
        parts += _remarks(columns)
    if board.empty:
        parts += ["## Not on this board", "\n".join(f"- {line}" for line in board.empty)]
    return "\n\n".join(part for part in parts if part)


def _preamble(board: Board) -> str:
    kind = "**Simulated images (phantom): says nothing about patients.** " if board.data == "phantom" else ""
    return (
        f"{kind}Mean over seeds, with a {100 * board.level:g} % percentile bootstrap interval over the test cases' "
        f"units ({board.replicates} replicates; the variance between seeds is not in it). Best first by the "
        "largest fraction. Gaps are paired: the same resampled cases for both methods."
    )


def _about(columns: list[Column]) -> str:
    first = columns[0]
    classes = ", ".join(f"{name} ({why})" for name, why in first.excluded.items())
    left_out = f" Classes that cannot be scored: {classes}." if classes else ""
    leak = (
        f" **{first.shared_units} {UNITS[first.unit]} stand in two parts of this split.**" if first.shared_units else ""
    )
    return (
        f"{first.primary} on {first.cases} test images of {first.units} {UNITS[first.unit]}, split {first.split_kind}."
        f"{leak}{left_out}"
    )


def _order(columns: list[Column]) -> list[str]:
    last = columns[-1]
    ranked = [row.method for row in last.rows]
    return ranked + sorted({row.method for column in columns for row in column.rows} - set(ranked))


def _table(columns: list[Column], cell: Any) -> str:
    rows = []
    for method in _order(columns):
        found = [next((row for row in column.rows if row.method == method), None) for column in columns]
        rows.append([method, *("" if row is None else cell(row) for row in found)])
    headers = ["method", *(f"{100 * column.fraction:g} %" for column in columns)]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _scores(columns: list[Column]) -> str:
    def cell(row: Row) -> str:
        missing = f" ({len(row.seeds)} of {row.planned_seeds} seeds)" if len(row.seeds) < row.planned_seeds else ""
        return _interval(row.score, "{:.3f}") + missing

    return _table(columns, cell)


def _gaps(columns: list[Column]) -> str:
    if all(len(column.rows) < 2 for column in columns):
        return ""

    def cell(row: Row) -> str:
        return "leader" if row.behind is None else _interval(row.behind, "{:+.3f}")

    return "Behind the leader:\n\n" + _table(columns, cell)


def _interval(interval: Interval, form: str) -> str:
    return f"{form} [{form}, {form}]".format(interval.estimate, interval.low, interval.high)


def _remarks(columns: list[Column]) -> list[str]:
    """Say what a reader of the scores should know; what holds for every method is said once."""
    lines = []
    for column in columns:
        share = f"{100 * column.fraction:g} %"
        said: dict[str, list[str]] = defaultdict(list)
        for row in column.rows:
            if row.untrained:
                said[f"in some draw no training case to learn {', '.join(row.untrained)}"].append(row.method)
            if row.unreadable:
                said[f"{row.unreadable} unreadable images left out"].append(row.method)
        for text, methods in said.items():
            of = "" if len(methods) == len(column.rows) else f" ({', '.join(methods)})"
            lines.append(f"{share}{of}: {text}")
        lines += [f"{share}, {method}: no result ({why})" for method, why in column.absent.items()]
    return ["\n".join(f"- {line}" for line in lines)] if lines else []
