"""The tables of the page: groups of columns, one line a method, published lines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from benchx.reporting.board import Board, Column, Published
from benchx.reporting.grouping import method_order, tied_with_best
from benchx.reporting.rows import Row


@dataclass(frozen=True)
class Group:
    """Neighbouring columns of one dataset, task and protocol."""

    dataset: str
    task: str
    protocol: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class ScoreCell:
    """One method in one column.

    Attributes:
        row: None where the method has no result.
        blind: whether the column cannot separate methods.
        best, tied: whether the method leads the column, or is not told apart from the one that does.
    """

    row: Row | None
    blind: bool
    best: bool
    tied: bool


@dataclass(frozen=True)
class ScoreRow:
    """One method in every column of the board."""

    method: str
    cells: tuple[ScoreCell, ...]


@dataclass(frozen=True)
class PublishedRow:
    """What one origin published of one method, in every column of the board."""

    method: str
    origin: str
    cells: tuple[Published | None, ...]


def grouped(board: Board) -> list[Group]:
    """Return the board's columns, in their order, by dataset, task and protocol."""
    return [
        Group(*key, tuple(columns))
        for key, columns in groupby(board.columns, key=lambda column: (column.dataset, column.task, column.protocol))
    ]


def page_order(board: Board) -> list[str]:
    """Return every method: those of the first standing by place, then the others by their mean score."""
    return method_order(board.columns, board.standings[0] if board.standings else None)


def score_rows(board: Board) -> list[ScoreRow]:
    """Return one line a method, in the page's order."""
    by_column = [_cells(column) for column in board.columns]
    return [
        ScoreRow(
            method,
            tuple(
                cells.get(method, ScoreCell(None, column.is_blind, best=False, tied=False))
                for column, cells in zip(board.columns, by_column, strict=True)
            ),
        )
        for method in page_order(board)
    ]


def _cells(column: Column) -> dict[str, ScoreCell]:
    leader, tied = column.rows[0].method, tied_with_best(column)
    return {
        row.method: ScoreCell(row, column.is_blind, best=row.method == leader, tied=row.method in tied)
        for row in column.rows
    }


def published_rows(board: Board) -> list[PublishedRow]:
    """Return one line for every method and origin that some column has a published score of."""
    by_column = [{(p.method, p.origin): p for p in column.published} for column in board.columns]
    keys = sorted({key for found in by_column for key in found})
    return [PublishedRow(*key, tuple(found.get(key) for found in by_column)) for key in keys]
