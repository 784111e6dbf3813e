"""How a board is laid out: columns by task, protocol and dataset, methods in one order, differences with a sign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchx.reporting.board import Board, Column, Published, Standing
from benchx.reporting.rows import Row


@dataclass(frozen=True)
class Difference:
    """Method minus another one in a column.

    Attributes:
        different: whether p_adjusted says so.
        equivalent: None where the board has no margin.
    """

    value: float
    low: float
    high: float
    p_adjusted: float
    different: bool
    equivalent: bool | None


def by_task_and_protocol(board: Board) -> dict[tuple[str, str], list[Column]]:
    """Return the board's columns by (task, protocol), in its order."""
    groups: dict[tuple[str, str], list[Column]] = defaultdict(list)
    for column in board.columns:
        groups[column.task, column.protocol].append(column)
    return dict(groups)


def by_dataset(columns: Iterable[Column]) -> dict[str, list[Column]]:
    """Return columns by dataset, each with its label fractions in rising order."""
    groups: dict[str, list[Column]] = defaultdict(list)
    for column in columns:
        groups[column.dataset].append(column)
    return {dataset: sorted(group, key=lambda column: column.fraction) for dataset, group in groups.items()}


def by_fraction(columns: Iterable[Column]) -> dict[float, list[Column]]:
    """Return columns by label fraction, in rising order."""
    groups: dict[float, list[Column]] = defaultdict(list)
    for column in columns:
        groups[column.fraction].append(column)
    return dict(sorted(groups.items()))


def at_largest_fraction(columns: Iterable[Column]) -> list[Column]:
    """Return the column with most labels of each dataset, for every task and protocol."""
    groups: dict[tuple[str, str, str], list[Column]] = defaultdict(list)
    for column in columns:
        groups[column.task, column.protocol, column.dataset].append(column)
    return [max(group, key=lambda column: column.fraction) for group in groups.values()]


def standing_of(board: Board, task: str, protocol: str) -> Standing | None:
    """Return the standing of a task and protocol, or None."""
    return next((one for one in board.standings if (one.task, one.protocol) == (task, protocol)), None)


def method_order(columns: Sequence[Column], standing: Standing | None) -> list[str]:
    """Return every method of some columns: as ranked by the standing, then the others by their mean score."""
    scores: dict[str, list[float]] = defaultdict(list)
    for column in columns:
        for row in column.rows:
            scores[row.method].append(row.score.value)
    ranked = [place.method for place in standing.places if place.method in scores] if standing else []
    others = [method for method in scores if method not in set(ranked)]
    return ranked + sorted(others, key=lambda method: (-sum(scores[method]) / len(scores[method]), method))


def difference(column: Column, method: str, against: str) -> Difference | None:
    """Return how much better a method is than another one in a column; None if they were not compared."""
    for pair in column.pairs:
        if {pair.a, pair.b} == {method, against}:
            one, sign = pair.difference, 1 if pair.a == method else -1
            low, high = sorted((sign * one.low, sign * one.high))
            return Difference(sign * one.value, low, high, pair.p_adjusted, pair.different, pair.equivalent)
    return None


def tied_with_best(column: Column) -> frozenset[str]:
    """Return the methods that are not told apart from the column's best one, without itself."""
    best = column.rows[0].method
    return frozenset(
        ({pair.a, pair.b} - {best}).pop() for pair in column.pairs if best in (pair.a, pair.b) and not pair.different
    )


@dataclass(frozen=True)
class Beside:
    """A result, and what was published for the same method and column."""

    column: Column
    row: Row
    paper: Published | None
    authors_code: Published | None


def published_beside(board: Board) -> list[Beside]:
    """Return the cells that were run here and of which a score is published."""
    found = []
    for column in board.columns:
        scores = {(p.method, p.origin): p for p in column.published}
        for row in column.rows:
            paper, authors_code = (scores.get((row.method, origin)) for origin in ("paper", "authors-code"))
            if paper is not None or authors_code is not None:
                found.append(Beside(column, row, paper, authors_code))
    return found
