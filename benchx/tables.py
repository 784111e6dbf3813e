"""Print a table for people, or the same rows as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchx.writing import write_file

if TYPE_CHECKING:
    from benchx.datasets.check import Report

SHORT = 28
"""Characters that a table never breaks over lines."""


def print_rows(
    console: Console,
    rows: Sequence[Mapping[str, Any]],
    *,
    as_json: bool,
    title: str = "",
    empty: str = "nothing",
) -> None:
    """Print rows that share their keys: one column per key, or a JSON list."""
    if as_json:
        print_json(console, list(rows))
        return
    if not rows:
        console.print(empty, markup=False)
        return
    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
    for name in rows[0]:
        number = all(isinstance(row[name], int | float) or row[name] is None for row in rows)
        short = max(len(text(row[name])) for row in rows) <= SHORT
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=short)
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    console.print(table)


def print_blocks(console: Console, rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows of many fields, one block each under its first value, or a JSON list; empty fields are left out."""
    if as_json:
        print_json(console, list(rows))
        return
    for row in rows:
        (_, name), *fields = row.items()
        table = Table(title=text(name), box=None, show_header=False, title_justify="left", pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in fields:
            if value not in (None, [], ""):
                table.add_row(f"  {key}", text(value))
        console.print(table)
        console.print()


def print_report(console: Console, report: Report) -> None:
    """Print what a dataset check found; ids of images are shown, at most ten of a kind."""
    from benchx.datasets.samples import UNITS

    parts = list(report.counts)
    rows = [{"": name} | {part: report.counts[part][name] for part in parts} for name in report.counts["all"]]
    print_rows(console, rows, as_json=False, title=f"{report.dataset}, official split")
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    for title, counts in (("outlines", report.outlines), ("reports", report.reports)):
        if counts:
            listed = ", ".join(f"{name} {count}" for name, count in counts.items())
            console.print(f"{title}: {listed}", highlight=False, markup=False, soft_wrap=True)
    findings = {
        "missing files": report.missing,
        "unreadable files": tuple(f"{name} ({reason})" for name, reason in report.unreadable.items()),
        "outlines that do not fit": tuple(f"{name} ({reason})" for name, reason in report.misfits.items()),
        f"{UNITS[report.unit]} in two parts": report.shared,
        "problems of the official split": (report.split_problem,) if report.split_problem else (),
    }
    for title, found in findings.items():
        listed = ": " + ", ".join(found[:10]) + (", ..." if len(found) > 10 else "") if found else ""
        console.print(f"{title}: {len(found)}{listed}", highlight=False, markup=False, soft_wrap=True)
    console.print("sound" if report.sound else "NOT sound", markup=False)


def print_json(console: Console, value: Any) -> None:
    """Print a value as indented JSON, never wrapped or coloured."""
    console.out(json.dumps(value, indent=1, ensure_ascii=False), highlight=False)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    write_file(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def text(value: Any) -> str:
    """Show one value: nothing for null, four digits for a score, lists joined by commas."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
