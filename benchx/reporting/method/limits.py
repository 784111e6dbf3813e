"""What a board cannot show of a method: what is missing, left out, or too little to tell."""

from __future__ import annotations

from collections.abc import Iterator

from benchx.datasets.samples import UNITS
from benchx.reporting.board import Board, Column
from benchx.reporting.method.parts import Naming, joined
from benchx.reporting.rows import Row
from benchx.words import plural


def untold(board: Board, method: str, naming: Naming) -> Iterator[str]:
    """Return the lines: columns without a result, what limits those with one, and the notes of the board."""
    lacking = [column for column in board.columns if column.row(method) is None]
    yield from naming.said_of(lacking, lambda column: [f"no result ({column.absent.get(method, 'not run')})"])
    yield from (f"no method has a result: {line}" for line in board.empty)
    found = [column for column in board.columns if column not in lacking]
    yield from naming.said_of(found, lambda column: _limits(column, column.row(method)))
    yield from board.notes


def _limits(column: Column, row: Row | None) -> Iterator[str]:
    if row is None:
        return
    if column.is_blind:
        yield "the test set cannot separate the methods (○): their order says nothing"
    elif column.discriminability is not None and column.discriminability.verdict == "weakly":
        yield "the test set separates the methods weakly (◐): more than a fifth of the variance of scores is noise"
    done, units = len(row.draws), UNITS[column.unit]
    if column.drawn == "nothing":
        why = "draws are averaged" if column.task == "few_shot" else "nothing is drawn"
        yield f"{why}, so there is one result: its interval covers the choice of test {units}, no other"
    elif done == 1:
        yield f"1 draw of {row.planned_draws}: the interval covers the test {units} only"
    elif done < row.planned_draws:
        yield f"{done} of {row.planned_draws} draws"
    if column.excluded:
        yield "classes that could not be scored: " + _reasons(column.excluded)
    scarce = {part.name: part.reason or "" for part in row.classes if part.score is None}
    if few := {name: reason for name, reason in scarce.items() if name not in column.excluded}:
        yield "classes without an interval: " + _reasons(few)
    if row.untrained:
        yield f"in some draw no training case to learn {joined(row.untrained)}"
    if row.unreadable:
        yield f"{plural(row.unreadable, 'unreadable image')} left out"
    if column.shared_units:
        yield f"{column.shared_units} {units} stand in two parts of the published split"


def _reasons(named: dict[str, str]) -> str:
    return ", ".join(f"{name} ({reason})" for name, reason in named.items())
